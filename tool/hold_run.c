// SPDX-License-Identifier: GPL-2.0
/*
 * Running a command that knows nothing of leases below layout leases on files.
 *
 * The files are opened here and their descriptors are inherited by the command,
 * which makes it a holder: registrations of its own mappings of these files
 * stand on our leases.  The child takes the leases between fork and exec, so
 * that the kernel names the command, not us, as the one who holds them.  We
 * stay as its parent: we pass signals on to it, tell of breaks on stderr, do
 * what --on-break says, and exit as it exits.
 */
#include "hold.h"

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define _LINUX_FCNTL_H	/* the C library has defined all of that */
#include <linux/layout_lease.h>

#include "flayout.h"

#define DROP_RETRY_MS	50	/* how often pins of a broken lease are looked for */

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
		err(EXIT_NO_ANSWER, "%s", file->path);
	if (!S_ISREG(st.st_mode))
		errx(EXIT_NO_ANSWER, "%s: only a regular file can be leased",
		     file->path);
	file->fd = open_file(file->path);
	if (file->fd < 0)
		err(EXIT_NO_ANSWER, "%s", file->path);
	file->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (file->event_fd < 0)
		err(EXIT_NO_ANSWER, "eventfd");
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
		.start = hold->range.start,
		.len = hold->range.len,
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
			_exit(EXIT_NO_ANSWER);
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

static bool get_lease(const struct held_file *file, struct layout_lease *lease)
{
	*lease = (struct layout_lease){ .size = sizeof(*lease), .event_fd = -1 };
	if (!fcntl(file->fd, F_GETLAYOUT, lease))
		return true;
	warn("%s: cannot ask for the state of the lease", file->path);
	return false;
}

/* No pin begins while the lease is broken, so this drop does not have to wait. */
static void drop_if_idle(const struct hold *hold, struct held_file *file,
			 const struct layout_lease *now)
{
	struct layout_lease lease = {
		.size = sizeof(lease), .flags = LAYOUT_LEASE_DROP, .event_fd = -1,
	};

	if (!hold->drop || now->state != LAYOUT_BREAKING || now->pins)
		return;
	if (fcntl(file->fd, F_SETLAYOUT, &lease))
		return;		/* it was revoked, or the command let go of it */
	file->state = LAYOUT_NONE;
	if (!hold->quiet)
		warnx("%s: let go of the lease; nothing was registered", file->path);
}

static void handle_event(struct hold *hold, struct held_file *file)
{
	struct layout_lease lease;
	uint64_t events;

	if (read(file->event_fd, &events, sizeof(events)) < 0 ||
	    !get_lease(file, &lease))
		return;
	tell(hold, file, &lease);
	file->state = lease.state;
	file->denied = lease.denied;
	if (is_broken(&lease) && hold->break_signal && !hold->signalled) {
		hold->signalled = true;
		kill(hold->pid, hold->break_signal);
	}
	drop_if_idle(hold, file, &lease);
}

/* The kernel does not tell when the last pin goes. */
static void look_again(const struct hold *hold)
{
	for (int i = 0; i < hold->nr_files; i++) {
		struct held_file *file = &hold->files[i];
		struct layout_lease lease;

		if (file->state == LAYOUT_BREAKING && get_lease(file, &lease))
			drop_if_idle(hold, file, &lease);
	}
}

static bool must_look_again(const struct hold *hold)
{
	for (int i = 0; hold->drop && i < hold->nr_files; i++) {
		if (hold->files[i].state == LAYOUT_BREAKING)
			return true;
	}
	return false;
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
		bool again = must_look_again(hold);

		if (poll(fds, hold->nr_files + 1, again ? DROP_RETRY_MS : -1) > 0)
			handle_input(hold, fds);
		else if (again)
			look_again(hold);
	}
	if (pid < 0)
		err(EXIT_NO_ANSWER, "waitpid");
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

int hold_run(struct hold *hold)
{
	sigset_t blocked, old;
	int signal_fd;

	for (int i = 0; i < hold->nr_files; i++)
		open_held_file(&hold->files[i]);
	/* Ignored, as we may have inherited it, it would take the child's status. */
	signal(SIGCHLD, SIG_DFL);
	block_signals(&blocked, &old);
	signal_fd = signalfd(-1, &blocked, SFD_CLOEXEC);
	if (signal_fd < 0)
		err(EXIT_NO_ANSWER, "signalfd");
	hold->pid = fork();
	if (hold->pid < 0)
		err(EXIT_NO_ANSWER, "fork");
	if (!hold->pid)
		run_command(hold, &old);
	return exit_status(hold, watch_command(hold, signal_fd));
}
