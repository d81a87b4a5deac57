// SPDX-License-Identifier: GPL-2.0
/* A break under way: what it is about, and who waits for it. */
#include "breaks.h"

#include <err.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define _LINUX_FCNTL_H	/* the C library has defined all of that */
#include <linux/layout_lease.h>

#include "flayout.h"
#include "system.h"

#define BREAK_TIME_DEFAULT	45

uint64_t break_time(void)
{
	uint64_t seconds = BREAK_TIME_DEFAULT;

	system_number(&seconds, "/proc/sys/fs/lease-break-time");
	return seconds;
}

/* A duplicate of the holder's descriptor, or -1. */
static int borrow(const struct holder *holder)
{
	int pidfd, fd;

	if (holder->fd == HOLDER_MAPS)
		return -1;
	pidfd = syscall(SYS_pidfd_open, (pid_t)holder->pid, 0);
	if (pidfd < 0)
		return -1;
	fd = syscall(SYS_pidfd_getfd, pidfd, holder->fd, 0);
	close(pidfd);
	return fd;
}

static bool ask(struct break_facts *facts, int fd, uint64_t id)
{
	struct layout_lease lease = { .size = sizeof(lease), .event_fd = -1 };

	if (fcntl(fd, F_GETLAYOUT, &lease) || lease.id != id ||
	    lease.state != LAYOUT_BREAKING)
		return false;
	facts->start = lease.break_start;
	facts->end = lease.break_len ? lease.break_start + lease.break_len :
		LAYOUT_TABLE_EOF;
	facts->msecs = lease.break_msecs;
	return true;
}

bool break_ask(struct break_facts *facts, const struct layout_record *lease,
	       const struct holders *holders)
{
	bool told = false;

	for (size_t i = 0; !told && i < holders->nr; i++) {
		int fd;

		if (!holder_has(&holders->all[i], lease))
			continue;
		fd = borrow(&holders->all[i]);
		if (fd < 0)
			continue;
		told = ask(facts, fd, lease->lease);
		close(fd);
	}
	return told;
}

/* The functions of the kernel that wait for leases are named so. */
static bool waits_in(const char *function)
{
	return function && (!strncmp(function, "layout_break", 12) ||
			    !strncmp(function, "layout_wait", 11));
}

static void add_waiter(uint64_t pid, void *arg)
{
	char *function = system_line("/proc/%" PRIu64 "/wchan", pid);
	struct waiters *waiters = arg;
	bool waits = waits_in(function);

	free(function);
	if (!waits)
		return;
	waiters->all = reallocarray(waiters->all, waiters->nr + 1,
				    sizeof(*waiters->all));
	if (!waiters->all)
		err(exit_failure, "cannot allocate");
	waiters->all[waiters->nr++] = (struct waiter){
		pid, system_comm(pid) ?: format_text("%s", "")
	};
}

void waiters_load(struct waiters *waiters)
{
	memset(waiters, 0, sizeof(*waiters));
	system_each_pid(add_waiter, waiters);
}

void waiters_free(struct waiters *waiters)
{
	for (size_t i = 0; i < waiters->nr; i++)
		free(waiters->all[i].comm);
	free(waiters->all);
	memset(waiters, 0, sizeof(*waiters));
}
