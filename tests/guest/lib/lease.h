/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Layout leases as the tests speak of them: thin calls that return 0 or a
 * negative errno, so that an expectation reads as one line.
 */
#ifndef FLAYOUT_TESTS_LEASE_H
#define FLAYOUT_TESTS_LEASE_H

#include <fcntl.h>
/* The kernel's own fcntl.h defines again what the C library's has defined. */
#define _LINUX_FCNTL_H
#ifndef F_LINUX_SPECIFIC_BASE
#define F_LINUX_SPECIFIC_BASE 1024
#endif
#include <linux/layout_lease.h>
#include <stdbool.h>

#define LEASE_NO_EVENT	(-1)

/**
 * lease_take - take, or change in place, the layout lease of a description
 * @fd: the description
 * @flags: 0 or LAYOUT_LEASE_UNBREAK
 * @start: first byte
 * @len: bytes; 0: to the largest offset
 * @event_fd: an eventfd, or LEASE_NO_EVENT
 *
 * Return: 0 or a negative errno.
 */
int lease_take(int fd, unsigned int flags, __u64 start, __u64 len, int event_fd);

/** lease_take_all - a breakable lease on the whole file, told by signal */
int lease_take_all(int fd);

/** lease_take_unbreak - an unbreakable lease on the whole file */
int lease_take_unbreak(int fd);

/** lease_drop - F_SETLAYOUT DROP; waits for pins.  0 or a negative errno. */
int lease_drop(int fd);

/** lease_get - F_GETLAYOUT into @lease.  0 or a negative errno. */
int lease_get(int fd, struct layout_lease *lease);

/** lease_see - F_GETLAYOUT; all ones if it failed, which no test expects */
struct layout_lease lease_see(int fd);

/** lease_revoke - F_REVOKELAYOUT; @id 0: all of the file.  0 or a negative errno. */
int lease_revoke(int fd, __u64 id);

/** lease_wait_state - poll until the lease is in @state; -ETIMEDOUT after @ms */
int lease_wait_state(int fd, unsigned int state, unsigned int ms);

/** lease_events - events counted by a nonblocking eventfd since last asked; waits up to @ms */
long lease_events(int event_fd, unsigned int ms);

/** lease_signal - wait up to @ms for blocked signal @signo; its si_fd, or -errno */
int lease_signal(int signo, unsigned int ms);

/** lease_block_signal - block @signo in this process, to be met by lease_signal() */
void lease_block_signal(int signo);

/** break_time_set - fs.lease-break-time in seconds; 0 or a negative errno */
int break_time_set(unsigned int seconds);

#define BREAK_TIME_DEFAULT 45

/** sysctl_write - write @value to /proc/sys/@name; 0 or a negative errno */
int sysctl_write(const char *name, long value);

#endif
