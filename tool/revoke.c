// SPDX-License-Identifier: GPL-2.0
/*
 * flayout revoke: end leases and all their pins without their holders' help.
 *
 * The kernel revokes on a file, through any description of it.  A file is given,
 * or found through the report of leases; then its device and inode number must
 * be those of the report before anything is done.
 */
#include "flayout.h"

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define _LINUX_FCNTL_H	/* the C library has defined all of that */
#include <linux/layout_lease.h>

#include "columns.h"
#include "leases.h"
#include "options.h"
#include "printable.h"
#include "reach.h"

struct revoke {
	struct lease_filter filter;
	bool dry_run;
	bool quiet;
	struct layout_table table;
	struct holders holders;
};

static void help(void)
{
	puts("Usage: flayout revoke [OPTIONS] FILE...\n"
	     "       flayout revoke [OPTIONS] --lease ID | --pid PID\n"
	     "\n"
	     "Take leases away from their holders, unbreakable ones too: devices reach the\n"
	     "memory of the file no more.  The file's owner and CAP_LEASE may do that;\n"
	     "all but FILE needs root.\n"
	     "\n"
	     "Options:\n"
	     "  -l, --lease ID  the lease of this number\n"
	     "  -n, --dry-run   only say what would be revoked\n"
	     "  -p, --pid PID   all leases that PID holds or has pins under\n"
	     "  -q, --quiet     say nothing but errors\n"
	     "  -h, --help      this text\n"
	     "\n"
	     "Exit status: 0 if no such lease is left, also if FILE had none; 1 if a lease\n"
	     "could not be revoked, or there is none of that ID or PID.");
}

static void say(const struct revoke *revoke, const struct layout_record *lease)
{
	char *size;

	if (revoke->quiet && !revoke->dry_run)
		return;
	size = human_size(lease->pages * sysconf(_SC_PAGESIZE));
	printf("%s lease %" PRIu64 " on ",
	       revoke->dry_run ? "would revoke" : "revoked", lease->lease);
	print_name(lease->path);
	printf(": %s, %s, %" PRIu64 " registration%s of %s", lease->mode,
	       lease->state, lease->pins, lease->pins == 1 ? "" : "s", size);
	if (lease->pid) {
		printf(", held by ");
		print_name(lease->comm);
		printf(" (%" PRIu64 ")", lease->pid);
	}
	putchar('\n');
	free(size);
}

static const char *revoke_hint(int error)
{
	switch (error) {
	case EINVAL:
		return "this kernel has no layout leases, or this is no regular file";
	case EACCES:
		return "only the owner of the file, or CAP_LEASE, may revoke leases";
	default:
		return strerror(error);
	}
}

/* Returns false after a message.  ENOENT: it ended by itself. */
static bool revoke_on(int fd, uint64_t wanted, const char *path)
{
	__u64 id = wanted;
	char *name;
	int error;

	if (!fcntl(fd, F_REVOKELAYOUT, &id) || errno == ENOENT)
		return true;
	error = errno;
	name = printable(path, false);
	warnx("%s: cannot revoke: %s", name, revoke_hint(error));
	free(name);
	return false;
}

static int reach(const struct revoke *revoke, const struct layout_record *lease)
{
	int fd = reach_lease(lease, &revoke->holders);
	char *name;

	if (fd >= 0)
		return fd;
	name = printable(lease->path, false);
	warnx("lease %" PRIu64 ": cannot get at its file, %s", lease->lease, name);
	free(name);
	return -1;
}

static bool revoke_lease(const struct revoke *revoke,
			 const struct layout_record *lease)
{
	bool done = true;
	int fd;

	if (!revoke->dry_run) {
		fd = reach(revoke, lease);
		if (fd < 0)
			return false;
		done = revoke_on(fd, lease->lease, lease->path);
		close(fd);
	}
	if (done)
		say(revoke, lease);
	return done;
}

static int revoke_found(struct revoke *revoke)
{
	int status = EXIT_SUCCESS;
	size_t found = 0;
	bool unsure;

	leases_load(&revoke->table, NULL);
	holders_load(&revoke->holders, 0);
	revoke->filter.holders = &revoke->holders;
	revoke->filter.surely = true;
	unsure = leases_tell_unsure(&revoke->table, &revoke->filter);
	for (size_t i = 0; i < revoke->table.nr; i++) {
		const struct layout_record *r = &revoke->table.records[i];

		if (!lease_wanted(&revoke->table, r, &revoke->filter))
			continue;
		found++;
		if (!revoke_lease(revoke, r))
			status = EXIT_FAILURE;
	}
	if (!found && revoke->filter.id)
		errx(exit_failure, "there is no lease %" PRIu64, revoke->filter.id);
	if (unsure)
		return EXIT_FAILURE;
	if (!found)
		errx(exit_failure, "process %" PRIu64 " has nothing to do with any lease",
		     revoke->filter.pid);
	return status;
}

/* What the report says of the file, if we may read it. */
static void say_file(const struct revoke *revoke, const struct file_id *id)
{
	for (size_t i = 0; i < revoke->table.nr; i++) {
		if (is_lease_of(&revoke->table.records[i], id))
			say(revoke, &revoke->table.records[i]);
	}
}

static int open_given(const char *path, struct file_id *id)
{
	struct stat st;
	int fd;

	if (stat(path, &st))
		err(exit_failure, "%s", path);
	if (!S_ISREG(st.st_mode))
		errx(exit_failure, "%s: only regular files have layout leases", path);
	fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0 && errno == EACCES)
		fd = open(path, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st))
		err(exit_failure, "%s", path);
	*id = file_id_of_stat(&st);
	return fd;
}

static bool revoke_file(struct revoke *revoke, const char *path)
{
	struct file_id id;
	int fd = open_given(path, &id);
	bool done = true;

	/* Everything of the file at once; what is said of it is as of before. */
	if (revoke->dry_run)
		leases_load(&revoke->table, NULL);
	else if (leases_try_load(&revoke->table))
		revoke->table.nr = 0;
	if (!revoke->dry_run)
		done = revoke_on(fd, 0, path);
	if (done)
		say_file(revoke, &id);
	layout_table_free(&revoke->table);
	close(fd);
	return done;
}

static int revoke_files(struct revoke *revoke, char **files)
{
	int status = EXIT_SUCCESS;

	for (; *files; files++) {
		if (!revoke_file(revoke, *files))
			status = EXIT_FAILURE;
	}
	return status;
}

static const struct option long_options[] = {
	{ "dry-run", no_argument, NULL, 'n' },
	{ "help", no_argument, NULL, 'h' },
	{ "lease", required_argument, NULL, 'l' },
	{ "pid", required_argument, NULL, 'p' },
	{ "quiet", no_argument, NULL, 'q' },
	{ }
};

static void set_option(struct revoke *revoke, int c)
{
	switch (c) {
	case 'l':
		revoke->filter.id = option_number(optarg, "lease");
		break;
	case 'n':
		revoke->dry_run = true;
		break;
	case 'p':
		revoke->filter.pid = option_number(optarg, "process");
		break;
	case 'q':
		revoke->quiet = true;
		break;
	case 'h':
		help();
		exit(EXIT_SUCCESS);
	default:
		errx(exit_failure, "try 'flayout revoke --help'");
	}
}

int revoke_main(int argc, char **argv)
{
	struct revoke revoke = { };
	int c, status;

	while ((c = getopt_long(argc, argv, "hl:np:q", long_options, NULL)) != -1)
		set_option(&revoke, c);
	if (!!revoke.filter.id + !!revoke.filter.pid + (optind < argc) != 1)
		errx(exit_failure, "revoke wants FILEs, or --lease, or --pid");
	if (optind < argc)
		return revoke_files(&revoke, argv + optind);
	status = revoke_found(&revoke);
	holders_free(&revoke.holders);
	layout_table_free(&revoke.table);
	return status;
}
