/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * Layout leases: the kernel's promise to the holder of an open file
 * description that the map from file offset to physical block does not change
 * behind its back.  See Documentation/filesystems/layout-leases.rst.
 */
#ifndef _UAPI_LINUX_LAYOUT_LEASE_H
#define _UAPI_LINUX_LAYOUT_LEASE_H

#include <linux/types.h>

/*
 * <linux/fcntl.h> would clash with the <fcntl.h> of libc, which programs use.
 */
#ifndef F_LINUX_SPECIFIC_BASE
#define F_LINUX_SPECIFIC_BASE	1024
#endif

/**
 * DOC: taking, asking, dropping
 *
 * F_SETLEASE with F_LAYOUT, or with F_LAYOUT and F_UNBREAK, takes a lease on the
 * whole file.  F_SETLAYOUT takes one on a range, or drops it, F_GETLAYOUT reports
 * it; both want a struct layout_lease.  F_REVOKELAYOUT ends leases of others.  A
 * lease belongs to the open file description.
 *
 * Each errno has one meaning:
 *
 * - EINVAL: bad size, unknown or contradictory flags, reserved not zero, start
 *   or start+len above the largest offset, not a regular file, event_fd is no
 *   eventfd, fs.leases-enable is 0
 * - E2BIG: a larger struct than the kernel knows, with a non-zero tail; in
 *   F_SETLAYOUT one larger than a page
 * - EFAULT: the argument is not in the caller's memory
 * - EBADF: fd or event_fd is no descriptor
 * - EACCES: neither owner of the file nor CAP_LEASE
 * - EPERM: LAYOUT_LEASE_UNBREAK, or unsharing, without write access
 * - EOPNOTSUPP: the file system does not honour layout leases, or not on this
 *   file
 * - EAGAIN: not now: the range is being broken, the lease is draining, pins are
 *   in the way of an O_NONBLOCK drop; for F_UNLCK: there is no lease
 * - EBUSY: a pin would fall outside the changed lease
 * - ENOENT: no lease to drop; no lease of this number on the file
 * - EINTR: a signal came while DROP waited for pins; the lease is active again
 * - EIO: shared blocks could not be copied
 * - ENOMEM: no memory for the lease
 * - ENOSPC, EDQUOT: no room to unshare the range
 */
#define F_LAYOUT	16	/* F_SETLEASE: whole file, shared, breakable */
#define F_UNBREAK	32	/* F_SETLEASE: subtractive operations of others fail */

#define F_SETLAYOUT	(F_LINUX_SPECIFIC_BASE + 64)	/* struct layout_lease * */
#define F_GETLAYOUT	(F_LINUX_SPECIFIC_BASE + 65)	/* struct layout_lease * */
#define F_REVOKELAYOUT	(F_LINUX_SPECIFIC_BASE + 66)	/* const __u64 *: id; 0: all */

/* layout_lease.flags: exactly one of TAKE and DROP in F_SETLAYOUT. */
#define LAYOUT_LEASE_TAKE	0x1
#define LAYOUT_LEASE_DROP	0x2
#define LAYOUT_LEASE_UNBREAK	0x4

/* layout_lease.state */
enum {
	LAYOUT_NONE,		/* no lease was taken, or it was dropped */
	LAYOUT_ACTIVE,		/* granted; pins are welcome */
	LAYOUT_BREAKING,	/* a breaker waits; no new pins */
	LAYOUT_DRAINING,	/* DROP waits for the last pin; no new pins */
	LAYOUT_REVOKED,		/* taken away by the kernel, pins and all */
};

/**
 * struct layout_lease - argument of F_SETLAYOUT and F_GETLAYOUT
 * @size: in: sizeof(struct layout_lease); extensible as openat2(2)'s struct is
 * @flags: in: LAYOUT_LEASE_*; out: LAYOUT_LEASE_UNBREAK if it is
 * @start: byte offset; out: rounded down as the file system requires
 * @len: bytes; 0: to the largest offset, however far the file grows
 * @event_fd: in: an eventfd to signal at each event, or -1
 * @state: out: LAYOUT_*
 * @pins: out: registrations held under the lease now
 * @pinned_pages: out: pages of PAGE_SIZE they pin now
 * @denied: out: operations refused with ETXTBSY since it was taken
 * @break_start: out, while BREAKING: what the breaker is about to change
 * @break_len: out, while BREAKING: 0: to the end
 * @break_msecs: out, while BREAKING: time left before revocation
 * @reserved: zero
 * @id: out: the lease's number, as in /proc/layout_leases
 */
struct layout_lease {
	__u32 size;
	__u32 flags;
	__u64 start;
	__u64 len;
	__s32 event_fd;
	__u32 state;
	__u64 pins;
	__u64 pinned_pages;
	__u64 denied;
	__u64 break_start;
	__u64 break_len;
	__u32 break_msecs;
	__u32 reserved;
	__u64 id;
};

#define LAYOUT_LEASE_SIZE_VER0	88	/* sizeof the first published struct */

#endif /* _UAPI_LINUX_LAYOUT_LEASE_H */
