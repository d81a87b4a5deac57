// SPDX-License-Identifier: GPL-2.0
/*
 * flayout hold: run a command that knows nothing of leases below layout leases
 * on files.
 *
 * The files are opened here and their descriptors are inherited by the command,
 * which makes it a holder: registrations of its own mappings of these files
 * stand on our leases.  The child takes the leases between fork and exec, so
 * that the kernel names the command, not us, as the one who holds them.  We
 * stay as its parent: we pass signals on to it, tell of breaks on stderr, do
 * what --on-break says, and exit as it exits.
 */
#include "flayout.h"

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* The kernel's own fcntl.h defines again what the C library's has defined. */
#define _LINUX_FCNTL_H
#ifndef F_LINUX_SPECIFIC_BASE
#define F_LINUX_SPECIFIC_BASE	1024
#endif
#include <linux/layout_lease.h>

struct held_file {
	const char *path;
	int fd;			/* inherited by the command */
	int event_fd;		/* ours alone */
	uint64_t denied;	/* what we have told of already */
	uint32_t state;
};

struct hold {
	struct held_file *files;
	int nr_files;
	char **command;
	bool unbreak;
	bool quiet;
	int break_signal;	/* what the command gets on a break; 0: nothing */
	bool signalled;		/* it got it */
	pid_t pid;
};

static void help(void)
{
	puts("Usage: flayout hold [OPTIONS] FILE... -- COMMAND [ARG...]\n"
	     "\n"
	     "Run COMMAND while holding layout leases on FILEs, so that it can register\n"
	     "mappings of them (RDMA and its like) though it knows nothing of leases.\n"
	     "\n"
	     "Options:\n"
	     "  -u, --unbreak        truncation and its like by others fail with ETXTBSY\n"
	     "                       instead of breaking the lease\n"
	     "      --on-break=WHAT  what COMMAND gets when a lease is broken:\n"
	     "                       wait: nothing, the kernel revokes the lease in the end\n"
	     "                       signal: the signal that --signal names\n"
	     "                       kill: SIGKILL\n"
	     "  -s, --signal SIG     name or number, TERM by default; means --on-break=signal\n"
	     "  -q, --quiet          do not tell of breaks on stderr\n"
	     "  -h, --help           this text\n"
	     "\n"
	     "Exit status: that of COMMAND; 128+N if signal N killed it; 124 if it died of\n"
	     "the signal --on-break sent; 125 if flayout itself failed, 126 if COMMAND cannot\n"
	     "be executed, 127 if it is not found.");
}

/* A file of ours must outlive exec, so its descriptor is not close-on-exec. */
static int open_file(const char *path)
{
	int fd = open(path, O_RDWR | O_NOCTTY);

	if (fd < 0 && (errno == EACCES || errno == EROFS || errno == ETXTBSY ||
		       errno == EPERM))
		fd = open(path, O_RDONLY | O_NOCTTY);
	return fd;
}

static void open_held_file(struct held_file *file)
{
	struct stat st;

	if (stat(file->path, &st))
		err(HOLD_FAILED, "%s", file->path);
	if (!S_ISREG(st.st_mode))
		errx(HOLD_FAILED, "%s: only a regular file can be leased",
		     file->path);
	file->fd = open_file(file->path);
	if (file->fd < 0)
		err(HOLD_FAILED, "%s", file->path);
	file->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (file->event_fd < 0)
		err(HOLD_FAILED, "eventfd");
}

static const char *take_hint(int error)
{
	switch (error) {
	case EINVAL:
		return "this kernel has no layout leases, or fs.leases-enable is 0";
	case EOPNOTSUPP:
		return "its file system does not honour layout leases; use ext4 or XFS";
	case EACCES:
		return "only the owner of the file, or CAP_LEASE, may lease it";
	case EPERM:
		return "this needs write access to the file";
	case EAGAIN:
		return "somebody is about to change the file; try again later";
	case ENOSPC:
	case EDQUOT:
		return "no room to give the file blocks of its own";
	default:
		return strerror(error);
	}
}

static int take_lease(const struct hold *hold, const struct held_file *file)
{
	struct layout_lease lease = {
		.size = sizeof(lease),
		.flags = LAYOUT_LEASE_TAKE |
			 (hold->unbreak ? LAYOUT_LEASE_UNBREAK : 0),
		.event_fd = file->event_fd,
	};
	int ret;

	do
		ret = fcntl(file->fd, F_SETLAYOUT, &lease);
	while (ret && errno == EINTR);
	if (ret)
		warnx("%s: cannot lease it: %s", file->path, take_hint(errno));
	return ret;
}

/* In the child: never returns. */
static void run_command(const struct hold *hold, const sigset_t *mask)
{
	sigprocmask(SIG_SETMASK, mask, NULL);
	for (int i = 0; i < hold->nr_files; i++) {
		if (take_lease(hold, &hold->files[i]))
			_exit(HOLD_FAILED);
	}
	execvp(hold->command[0], hold->command);
	warn("%s", hold->command[0]);
	_exit(errno == ENOENT ? HOLD_NOT_FOUND : HOLD_CANNOT_RUN);
}

static void tell_break(const struct held_file *file,
		       const struct layout_lease *lease)
{
	char end[32] = "the end";

	if (lease->break_len)
		snprintf(end, sizeof(end), "byte %" PRIu64,
			 (uint64_t)(lease->break_start + lease->break_len));
	warnx("%s: lease %" PRIu64 " is being broken, from byte %" PRIu64
	      " to %s; it will be revoked in %u ms", file->path,
	      (uint64_t)lease->id, (uint64_t)lease->break_start, end,
	      lease->break_msecs);
}

static void tell(const struct hold *hold, const struct held_file *file,
		 const struct layout_lease *lease)
{
	if (hold->quiet)
		return;
	if (lease->denied > file->denied)
		warnx("%s: refused an operation of another process (%" PRIu64
		      " so far)", file->path, (uint64_t)lease->denied);
	if (lease->state == file->state)
		return;
	if (lease->state == LAYOUT_BREAKING)
		tell_break(file, lease);
	else if (lease->state == LAYOUT_REVOKED)
		warnx("%s: the lease was revoked, registrations of the file are gone",
		      file->path);
}

/* A break can be over before we look: then only its end is seen. */
static bool is_broken(const struct layout_lease *lease)
{
	return lease->state == LAYOUT_BREAKING ||
		lease->state == LAYOUT_REVOKED;
}

static void handle_event(struct hold *hold, struct held_file *file)
{
	struct layout_lease lease = { .size = sizeof(lease), .event_fd = -1 };
	uint64_t events;

	if (read(file->event_fd, &events, sizeof(events)) < 0)
		return;
	if (fcntl(file->fd, F_GETLAYOUT, &lease)) {
		warn("%s: cannot ask for the state of the lease", file->path);
		return;
	}
	tell(hold, file, &lease);
	file->state = lease.state;
	file->denied = lease.denied;
	if (is_broken(&lease) && hold->break_signal && !hold->signalled) {
		hold->signalled = true;
		kill(hold->pid, hold->break_signal);
	}
}

/* What the terminal sends, it sends to the command as well: not again. */
static void handle_signal(const struct hold *hold, int signal_fd)
{
	struct signalfd_siginfo info;

	if (read(signal_fd, &info, sizeof(info)) != sizeof(info))
		return;
	if (info.ssi_signo != SIGCHLD && info.ssi_code != SI_KERNEL)
		kill(hold->pid, info.ssi_signo);
}

static void handle_input(struct hold *hold, struct pollfd *fds)
{
	for (int i = 0; i < hold->nr_files; i++) {
		if (fds[i].revents)
			handle_event(hold, &hold->files[i]);
	}
	if (fds[hold->nr_files].revents)
		handle_signal(hold, fds[hold->nr_files].fd);
}

/* Returns the status of waitpid() once the command has ended. */
static int watch_command(struct hold *hold, int signal_fd)
{
	struct pollfd fds[hold->nr_files + 1];
	int status;
	pid_t pid;

	for (int i = 0; i < hold->nr_files; i++)
		fds[i] = (struct pollfd){ hold->files[i].event_fd, POLLIN, 0 };
	fds[hold->nr_files] = (struct pollfd){ signal_fd, POLLIN, 0 };
	while (!(pid = waitpid(hold->pid, &status, WNOHANG))) {
		if (poll(fds, hold->nr_files + 1, -1) > 0)
			handle_input(hold, fds);
	}
	if (pid < 0)
		err(HOLD_FAILED, "waitpid");
	return status;
}

static int exit_status(const struct hold *hold, int status)
{
	if (WIFEXITED(status))
		return WEXITSTATUS(status);
	if (hold->signalled && WTERMSIG(status) == hold->break_signal)
		return HOLD_BROKEN;
	return HOLD_SIGNALLED + WTERMSIG(status);
}

static void block_signals(sigset_t *blocked, sigset_t *old)
{
	static const int signals[] = {
		SIGCHLD, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2
	};

	sigemptyset(blocked);
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		sigaddset(blocked, signals[i]);
	sigprocmask(SIG_BLOCK, blocked, old);
}

static int hold(struct hold *hold)
{
	sigset_t blocked, old;
	int signal_fd;

	for (int i = 0; i < hold->nr_files; i++)
		open_held_file(&hold->files[i]);
	block_signals(&blocked, &old);
	signal_fd = signalfd(-1, &blocked, SFD_CLOEXEC);
	if (signal_fd < 0)
		err(HOLD_FAILED, "signalfd");
	hold->pid = fork();
	if (hold->pid < 0)
		err(HOLD_FAILED, "fork");
	if (!hold->pid)
		run_command(hold, &old);
	return exit_status(hold, watch_command(hold, signal_fd));
}

static int parse_signal(const char *arg)
{
	char *end;
	long number = strtol(arg, &end, 10);

	if (end != arg && !*end && number > 0 && number < NSIG)
		return number;
	if (!strncasecmp(arg, "SIG", 3))
		arg += 3;
	for (int i = 1; i < NSIG; i++) {
		if (sigabbrev_np(i) && !strcasecmp(sigabbrev_np(i), arg))
			return i;
	}
	errx(HOLD_FAILED, "'%s' is no signal; 'kill -l' names them", arg);
}

/* --on-break=signal keeps what an earlier --signal has chosen. */
static int parse_on_break(const char *arg, int current)
{
	if (!strcmp(arg, "wait"))
		return 0;
	if (!strcmp(arg, "signal"))
		return current ?: SIGTERM;
	if (!strcmp(arg, "kill"))
		return SIGKILL;
	errx(HOLD_FAILED, "--on-break wants wait, signal or kill, not '%s'", arg);
}

enum { OPTION_ON_BREAK = 256 };

static const struct option long_options[] = {
	{ "help", no_argument, NULL, 'h' },
	{ "on-break", required_argument, NULL, OPTION_ON_BREAK },
	{ "quiet", no_argument, NULL, 'q' },
	{ "signal", required_argument, NULL, 's' },
	{ "unbreak", no_argument, NULL, 'u' },
	{ }
};

static void set_option(struct hold *hold, int c)
{
	switch (c) {
	case 'q':
		hold->quiet = true;
		break;
	case 's':
		hold->break_signal = parse_signal(optarg);
		break;
	case 'u':
		hold->unbreak = true;
		break;
	case OPTION_ON_BREAK:
		hold->break_signal = parse_on_break(optarg, hold->break_signal);
		break;
	case 'h':
		help();
		exit(EXIT_SUCCESS);
	default:
		errx(HOLD_FAILED, "try 'flayout hold --help'");
	}
}

/* FILE... -- COMMAND [ARG...] */
static void parse_operands(struct hold *hold, char **operands)
{
	int nr = 0;

	while (operands[nr] && strcmp(operands[nr], "--"))
		nr++;
	if (!nr)
		errx(HOLD_FAILED, "a FILE to lease is missing");
	if (!operands[nr] || !operands[nr + 1])
		errx(HOLD_FAILED, "'-- COMMAND' is missing after the files");
	hold->files = calloc(nr, sizeof(*hold->files));
	if (!hold->files)
		err(HOLD_FAILED, "cannot allocate");
	for (int i = 0; i < nr; i++)
		hold->files[i].path = operands[i];
	hold->nr_files = nr;
	hold->command = &operands[nr + 1];
}

int hold_main(int argc, char **argv)
{
	struct hold options = { };
	int c;

	/* '+': options end at the first FILE; COMMAND has its own. */
	while ((c = getopt_long(argc, argv, "+hqs:u", long_options, NULL)) != -1)
		set_option(&options, c);
	parse_operands(&options, argv + optind);
	return hold(&options);
}
