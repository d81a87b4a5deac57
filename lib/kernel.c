// SPDX-License-Identifier: LGPL-2.1-or-later
/* What the library asks of the kernel, and how it finds out what that can do. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

/* The kernel's own fcntl.h defines again what the C library's has defined. */
#define _LINUX_FCNTL_H
#include <linux/layout_lease.h>

#include "private.h"

#ifndef STATX_ATTR_DAX
#define STATX_ATTR_DAX	0x00200000
#endif

_Static_assert((int)FLAYOUT_STATE_NONE == (int)LAYOUT_NONE &&
	       (int)FLAYOUT_STATE_ACTIVE == (int)LAYOUT_ACTIVE &&
	       (int)FLAYOUT_STATE_BREAKING == (int)LAYOUT_BREAKING &&
	       (int)FLAYOUT_STATE_DRAINING == (int)LAYOUT_DRAINING &&
	       (int)FLAYOUT_STATE_REVOKED == (int)LAYOUT_REVOKED,
	       "states are passed on as they are");

static int set_layout(int fd, struct layout_lease *lease)
{
	lease->size = sizeof(*lease);
	return fcntl(fd, F_SETLAYOUT, lease) ? -errno : 0;
}

int fl_kernel_take(int fd, struct range range, bool unbreak, int event_fd)
{
	struct layout_lease lease = {
		.flags = LAYOUT_LEASE_TAKE | (unbreak ? LAYOUT_LEASE_UNBREAK : 0),
		.start = range.start,
		.len = fl_range_len(range),
		.event_fd = event_fd,
	};

	return set_layout(fd, &lease);
}

int fl_kernel_drop(int fd)
{
	struct layout_lease lease = { .flags = LAYOUT_LEASE_DROP, .event_fd = -1 };

	return set_layout(fd, &lease);
}

/*
 * Whether DROP waits is a matter of the description's O_NONBLOCK, which means
 * nothing else for a regular file but whether a break of its own is waited for.
 */
int fl_kernel_drop_now(int fd)
{
	int flags = fcntl(fd, F_GETFL);
	int ret;

	if (flags < 0)
		return -errno;
	if (flags & O_NONBLOCK)
		return fl_kernel_drop(fd);
	if (fcntl(fd, F_SETFL, flags | O_NONBLOCK))
		return -errno;
	ret = fl_kernel_drop(fd);
	fcntl(fd, F_SETFL, flags);
	return ret;
}

int fl_kernel_get(int fd, struct flayout_status *status)
{
	struct layout_lease lease = { .size = sizeof(lease), .event_fd = -1 };

	if (fcntl(fd, F_GETLAYOUT, &lease))
		return -errno;
	*status = (struct flayout_status){
		.state = lease.state,
		.unbreak = !!(lease.flags & LAYOUT_LEASE_UNBREAK),
		.break_msecs = lease.break_msecs,
		.id = lease.id,
		.start = lease.start,
		.len = lease.len,
		.pins = lease.pins,
		.pinned_pages = lease.pinned_pages,
		.denied = lease.denied,
		.break_start = lease.break_start,
		.break_len = lease.break_len,
	};
	return 0;
}

/* An old kernel answers EINVAL, as to any command it does not know. */
bool fl_kernel_has_leases(int fd)
{
	struct flayout_status status;

	return !fl_kernel_get(fd, &status);
}

bool fl_kernel_is_dax(int fd)
{
	struct statx st;

	return !statx(fd, "", AT_EMPTY_PATH, STATX_TYPE, &st) &&
	       (st.stx_attributes & STATX_ATTR_DAX);
}
