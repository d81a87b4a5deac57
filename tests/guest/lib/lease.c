// SPDX-License-Identifier: GPL-2.0
/* The fcntl() commands of layout leases, and how their holder is told. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "lease.h"
#include "peer.h"

static int set(int fd, struct layout_lease *lease)
{
	lease->size = sizeof(*lease);
	return fcntl(fd, F_SETLAYOUT, lease) ? -errno : 0;
}

int lease_take(int fd, unsigned int flags, __u64 start, __u64 len, int event_fd)
{
	struct layout_lease lease = {
		.flags = LAYOUT_LEASE_TAKE | flags,
		.start = start,
		.len = len,
		.event_fd = event_fd,
	};

	return set(fd, &lease);
}

int lease_take_all(int fd)
{
	return lease_take(fd, 0, 0, 0, LEASE_NO_EVENT);
}

int lease_take_unbreak(int fd)
{
	return lease_take(fd, LAYOUT_LEASE_UNBREAK, 0, 0, LEASE_NO_EVENT);
}

int lease_drop(int fd)
{
	struct layout_lease lease = { .flags = LAYOUT_LEASE_DROP, .event_fd = -1 };

	return set(fd, &lease);
}

int lease_get(int fd, struct layout_lease *lease)
{
	memset(lease, 0, sizeof(*lease));
	lease->size = sizeof(*lease);
	return fcntl(fd, F_GETLAYOUT, lease) ? -errno : 0;
}

struct layout_lease lease_see(int fd)
{
	struct layout_lease lease;

	if (lease_get(fd, &lease))
		memset(&lease, 0xff, sizeof(lease));
	return lease;
}

int lease_revoke(int fd, __u64 id)
{
	return fcntl(fd, F_REVOKELAYOUT, &id) ? -errno : 0;
}

int lease_wait_state(int fd, unsigned int state, unsigned int ms)
{
	unsigned long end = now_ms() + ms;

	while (lease_see(fd).state != state) {
		if (now_ms() > end)
			return -ETIMEDOUT;
		usleep(2000);
	}
	return 0;
}

long lease_events(int event_fd, unsigned int ms)
{
	struct pollfd pfd = { .fd = event_fd, .events = POLLIN };
	__u64 count;

	if (poll(&pfd, 1, ms) <= 0)
		return 0;
	return read(event_fd, &count, sizeof(count)) == sizeof(count) ? (long)count : -errno;
}

void lease_block_signal(int signo)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, signo);
	sigprocmask(SIG_BLOCK, &set, NULL);
}

int lease_signal(int signo, unsigned int ms)
{
	struct timespec limit = { ms / 1000, ms % 1000 * 1000000L };
	siginfo_t info;
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, signo);
	if (sigtimedwait(&set, &info, &limit) < 0)
		return -errno;
	return info.si_fd;
}

int sysctl_write(const char *name, long value)
{
	char path[128];
	FILE *file;
	int ret;

	snprintf(path, sizeof(path), "/proc/sys/%s", name);
	file = fopen(path, "w");
	if (!file)
		return -errno;
	ret = fprintf(file, "%ld\n", value) < 0 ? -EIO : 0;
	return fclose(file) ? -errno : ret;
}

int break_time_set(unsigned int seconds)
{
	return sysctl_write("fs/lease-break-time", seconds);
}
