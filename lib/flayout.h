/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libflayout: a file on a DAX file system as memory that devices may reach.
 *
 *	flayout_new(&fl);
 *	flayout_open(fl, AT_FDCWD, "/mnt/pmem/f", O_RDWR, 0);
 *	flayout_lease(fl, 0, 0, FLAYOUT_FALLBACK_BOUNCE);
 *	flayout_map(fl, 0, size, PROT_READ | PROT_WRITE, &addr);
 *	... register addr (flayout-verbs.h), poll flayout_fd(fl) ...
 *	flayout_close(fl);
 *
 * While the lease stands, the map from file offset to physical block does not
 * change.  Who wants to change it (truncate, punch hole ...) breaks the lease:
 * flayout_fd() becomes readable, and the holder has fs.lease-break-time seconds
 * to deregister and let go; then the kernel takes the memory back by itself.
 *
 * Errors: every call returns 0 (or what is said) or a negative errno, and
 * leaves a sentence for people that flayout_message() returns.
 *
 * Threads: handles are independent of each other.  Calls on one handle may run
 * in any number of threads at once, but flayout_close() only when no other call
 * runs or comes later.  Callbacks run in the thread that calls
 * flayout_dispatch(), without any lock held.
 *
 * The library has no global state, starts no threads, and neither sends,
 * catches nor blocks signals.  Its descriptors are close-on-exec.
 *
 * Each function has a manual page; libflayout(7) is the overview.
 */
#ifndef FLAYOUT_H
#define FLAYOUT_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

#define FLAYOUT_VERSION_MAJOR	0
#define FLAYOUT_VERSION_MINOR	1
#define FLAYOUT_VERSION_PATCH	0

struct flayout;

/*
 * Handles and files
 */

/** flayout_new - a handle, for flayout_close(); -ENOMEM, -EMFILE, -ENFILE */
int flayout_new(struct flayout **fl);

/**
 * flayout_close - end registrations, mappings, the lease, and the handle
 * @fl: the handle, or NULL
 *
 * In a child of the process that took the lease, the lease and the
 * registrations of the parent are left alone.
 */
void flayout_close(struct flayout *fl);

/** flayout_message - what the last failure of a call on @fl was; never NULL, never freed */
const char *flayout_message(const struct flayout *fl);

/**
 * flayout_open - open the file
 * @fl: a handle without a file
 * @dirfd: where a relative @path begins, or AT_FDCWD
 * @path: a regular file
 * @oflags: as for open(2), but not O_APPEND; O_CLOEXEC is added
 * @mode: as for open(2)
 *
 * Return: 0; -EBUSY: the handle has a file; -EINVAL: no regular file, or
 * O_APPEND, with which no copy can be written back to its place; or what open(2)
 * says.
 */
int flayout_open(struct flayout *fl, int dirfd, const char *path, int oflags, mode_t mode);

/**
 * flayout_open_fd - use a file that is open already
 * @fl: a handle without a file
 * @fd: stays the caller's.  The handle works on a duplicate, so the lease
 *      belongs to the caller's open file description.
 *
 * Return: as flayout_open().
 */
int flayout_open_fd(struct flayout *fl, int fd);

/** flayout_file - the descriptor of the file, the handle's own; -EBADF if there is none */
int flayout_file(const struct flayout *fl);

/*
 * The lease
 */

/* flags of flayout_lease() */
#define FLAYOUT_UNBREAK		0x01u	/* operations of others fail (ETXTBSY) instead of breaking it */
#define FLAYOUT_FALLBACK_ERROR	0x00u	/* no lease to be had: fail */
#define FLAYOUT_FALLBACK_ODP	0x02u	/* ... map the file, register it on demand */
#define FLAYOUT_FALLBACK_BOUNCE	0x04u	/* ... map a copy in anonymous memory */
#define FLAYOUT_FORCE_FALLBACK	0x08u	/* take the fallback in any case */

/* what stands behind mappings: flayout_mode() */
enum {
	FLAYOUT_MODE_NONE,	/* flayout_lease() has not succeeded yet */
	FLAYOUT_MODE_LEASE,	/* the file, under a layout lease */
	FLAYOUT_MODE_ODP,	/* the file, without a lease */
	FLAYOUT_MODE_BOUNCE,	/* a copy */
};

/**
 * flayout_lease - take the lease, or change it in place; choose what is mapped
 * @fl: a handle with a file
 * @start: first byte; rounded down, to 2 MiB on a DAX file
 * @len: bytes, rounded up likewise; 0: to the end, however far the file grows
 * @flags: FLAYOUT_UNBREAK; one fallback for kernels and file systems without
 *         layout leases and files without DAX; FLAYOUT_FORCE_FALLBACK
 *
 * Without a fallback a file that is not DAX is leased too, though nothing can be
 * registered for writing under such a lease.
 *
 * Return: 0; -EAGAIN: the range is being broken, try later; -EOPNOTSUPP: no
 * leases here, and no fallback was asked for; -EACCES: neither owner of the file
 * nor CAP_LEASE; -EPERM: not open for writing; -EBUSY: a registration would fall
 * outside, or a mapping would change its nature; -ENOSPC, -EDQUOT: no room to
 * unshare; -EBADF, -EINVAL.
 */
int flayout_lease(struct flayout *fl, uint64_t start, uint64_t len, unsigned int flags);

#define FLAYOUT_NONBLOCK	0x01u	/* flag of flayout_drop() */

/**
 * flayout_drop - end all attached registrations, then the lease
 * @fl: the handle
 * @flags: 0: wait until pins that are not attached to the handle are gone too;
 *         FLAYOUT_NONBLOCK: -EAGAIN at once if there are any
 *
 * Return: 0, also if there is no lease; -EAGAIN, also while another thread
 * drops; -EINTR: a signal handler ran, the lease stands; -EINVAL.
 */
int flayout_drop(struct flayout *fl, unsigned int flags);

/**
 * flayout_let_go - do what a break asks for, and no more
 * @fl: the handle
 *
 * Ends the attached registrations in the range that is being broken, then
 * shrinks the lease off it: to what lies before the range or, if nothing is
 * registered there, behind it.  With no registration left on either side, or if
 * the lease may not be taken any more, it is dropped.  Never waits.
 *
 * Return: 0, also if nothing is being broken; -EAGAIN: pins that are not
 * attached are in the way, or the break grew meanwhile: once more.
 */
int flayout_let_go(struct flayout *fl);

/**
 * flayout_retake - take the lease of the last flayout_lease() again
 * @fl: the handle
 * @timeout_ms: how long to try, with growing pauses; 0: once; negative: for ever
 *
 * Registrations that flayout_let_go(), flayout_drop() or a revocation have ended
 * are made anew.  After letting go, wait a second before: whose operation does not
 * wait (O_NONBLOCK, NFS) comes again only then.
 *
 * Return: the number of registrations that could not be made anew (0: all
 * is as before); -EAGAIN: still being broken; -EINTR; or as flayout_lease().
 */
int flayout_retake(struct flayout *fl, int timeout_ms);

/** flayout_mode - FLAYOUT_MODE_* of what is mapped */
int flayout_mode(const struct flayout *fl);

enum {
	FLAYOUT_STATE_NONE,	/* no lease */
	FLAYOUT_STATE_ACTIVE,
	FLAYOUT_STATE_BREAKING,	/* somebody waits for us to let go */
	FLAYOUT_STATE_DRAINING,	/* flayout_drop() waits for pins */
	FLAYOUT_STATE_REVOKED,	/* taken away, registrations and all */
};

struct flayout_status {
	uint32_t mode;		/* FLAYOUT_MODE_* */
	uint32_t state;		/* FLAYOUT_STATE_*; NONE in a fallback */
	uint32_t unbreak;	/* 1 if it is */
	uint32_t break_msecs;	/* BREAKING: time left before revocation */
	uint64_t id;		/* of the lease, as in /proc/layout_leases */
	uint64_t start;		/* bytes, as rounded */
	uint64_t len;		/* bytes; 0: to the end */
	uint64_t pins;		/* registrations under the lease, of whomever */
	uint64_t pinned_pages;	/* pages of the system's page size */
	uint64_t denied;	/* operations refused since it was taken */
	uint64_t break_start;	/* BREAKING: what is about to change */
	uint64_t break_len;	/* bytes; 0: to the end */
};

/** flayout_status - how things stand, now; @size: sizeof(*status).  0, -EBADF, -EINVAL */
int flayout_status(struct flayout *fl, struct flayout_status *status, size_t size);

/*
 * Memory
 */

/**
 * flayout_map - map a part of the file
 * @fl: a handle whose flayout_lease() has succeeded
 * @offset: bytes, a multiple of the page size
 * @len: bytes, not 0
 * @prot: PROT_READ or PROT_READ | PROT_WRITE
 * @addr: out: where; flayout_unmap() or flayout_close() end it
 *
 * The mapping is shared.  In FLAYOUT_MODE_BOUNCE it is a copy of the file as it
 * is now, in memory that is writable in any case; what lies beyond the end of
 * the file is zero.
 *
 * Return: 0; -EINVAL; or what mmap(2) and pread(2) say.
 */
int flayout_map(struct flayout *fl, uint64_t offset, size_t len, int prot, void **addr);

/** flayout_unmap - end a mapping; -EINVAL: none begins at @addr; -EBUSY: registered memory */
int flayout_unmap(struct flayout *fl, void *addr);

/**
 * flayout_sync_to_file - what is in memory is in the file, durably
 * @fl: the handle
 * @addr: in a mapping of flayout_map(), writable
 * @len: bytes, within that mapping
 *
 * Flushes a mapping of the file; writes a copy back and flushes that.  Like
 * stores to a mapping it never makes the file longer.
 *
 * Return: 0; -EACCES: mapped without PROT_WRITE; -EINVAL; or what msync(2),
 * pwrite(2) and fdatasync(2) say.
 */
int flayout_sync_to_file(struct flayout *fl, const void *addr, size_t len);

/**
 * flayout_sync_from_file - what is in the file is in memory
 * @fl: the handle
 * @addr: in a mapping of flayout_map()
 * @len: bytes, within that mapping
 *
 * Reads a copy anew; a mapping of the file needs nothing.
 *
 * Return: 0; -EINVAL; or what pread(2) says.
 */
int flayout_sync_from_file(struct flayout *fl, void *addr, size_t len);

/*
 * Events
 */

/**
 * flayout_fd - a descriptor that is readable while there is something to do
 * @fl: the handle
 *
 * For poll(), epoll and their like, never for read(): flayout_next_event() or
 * flayout_dispatch() take what there is.  The same one for the handle's life.
 * It never becomes readable in a fallback.
 */
int flayout_fd(const struct flayout *fl);

enum {
	FLAYOUT_EVENT_BREAK = 1,	/* let go; again if the range has grown */
	FLAYOUT_EVENT_DENIED,		/* operations were refused */
	FLAYOUT_EVENT_REVOKED,		/* too late: lease and registrations are gone */
};

struct flayout_event {
	uint32_t type;		/* FLAYOUT_EVENT_* */
	uint32_t msecs;		/* BREAK: time left when it was read */
	uint64_t start;		/* BREAK: first byte that is to change */
	uint64_t len;		/* BREAK: bytes; 0: to the end */
	uint64_t count;		/* DENIED: operations since the last such event */
};

/**
 * flayout_next_event - take the next event; never waits
 * @fl: the handle
 * @event: out
 * @size: sizeof(*event)
 *
 * flayout_fd() stays readable while events are left, so one call for each wake-up
 * loses none.  A break that ended in revocation before anybody asked is
 * reported as the revocation alone.
 *
 * Return: 1: an event; 0: there is none; -EBADF, -EINVAL.
 */
int flayout_next_event(struct flayout *fl, struct flayout_event *event, size_t size);

#define FLAYOUT_LATER	1	/* result of quiesce() */

/* All are optional.  They may call everything except flayout_close(). */
struct flayout_callbacks {
	/*
	 * Stop using the range.  Return 0: it is done, flayout_let_go() follows
	 * at once; FLAYOUT_LATER: the program calls flayout_let_go() itself;
	 * negative: stay, until the kernel revokes the lease.
	 */
	int (*quiesce)(struct flayout *fl, const struct flayout_event *event, void *arg);
	/* The lease is back, but for @failed registrations, which stay ended. */
	void (*resumed)(struct flayout *fl, int failed, void *arg);
	/* Operations of others were refused. */
	void (*denied)(struct flayout *fl, const struct flayout_event *event, void *arg);
	/* The kernel took all away.  Registrations are ended next; retaking begins. */
	void (*revoked)(struct flayout *fl, const struct flayout_event *event, void *arg);
	/* It cannot be taken again; @error is a negative errno.  Nothing more follows. */
	void (*lost)(struct flayout *fl, int error, void *arg);
};

/**
 * flayout_set_callbacks - have flayout_dispatch() handle breaks
 * @fl: the handle
 * @callbacks: copied; NULL: none any more
 * @size: sizeof(*callbacks)
 * @arg: for the callbacks
 *
 * Return: 0; -EBUSY: called in a callback; -EINVAL; -EMFILE, -ENFILE, -ENOMEM.
 */
int flayout_set_callbacks(struct flayout *fl, const struct flayout_callbacks *callbacks,
			  size_t size, void *arg);

/**
 * flayout_dispatch - handle all that is due; to be called when flayout_fd() is readable
 * @fl: a handle with callbacks
 *
 * On a break: quiesce(), flayout_let_go(), after a second flayout_retake(), again
 * and again with growing pauses (up to 4 s), resumed().  Never waits.
 *
 * Return: 0; -EBUSY: another thread, or a caller further up, is in it; -EINVAL:
 * no callbacks; -EBADF.
 */
int flayout_dispatch(struct flayout *fl);

/*
 * Registrations: what flayout-verbs.h does for RDMA, for any other user of
 * long-term pins
 */

struct flayout_registration;

/*
 * They run in turn, with a lock of the handle held: they may call
 * flayout_message(), flayout_mode() and flayout_file() on it, nothing else.
 */
struct flayout_registration_ops {
	/* Register; 0 or a negative errno.  Called by flayout_attach() and to make anew. */
	int (*make)(void *arg);
	/* Deregister, whatever it takes; the device has let go when it returns. */
	void (*end)(void *arg);
};

/**
 * flayout_attach - register memory, in a way that can be undone on a break
 * @fl: the handle
 * @addr: in a mapping of flayout_map()
 * @len: bytes, within that mapping, not 0
 * @ops: stay the caller's, until flayout_detach()
 * @arg: for @ops
 * @reg: out: for flayout_detach(), before or after flayout_close()
 *
 * Return: 0; what ops->make() says; -EINVAL, -ENOMEM.
 */
int flayout_attach(struct flayout *fl, const void *addr, size_t len,
		   const struct flayout_registration_ops *ops, void *arg,
		   struct flayout_registration **reg);

/** flayout_detach - end a registration and forget it; @reg may be NULL */
void flayout_detach(struct flayout_registration *reg);

#ifdef __cplusplus
}
#endif

#endif /* FLAYOUT_H */
