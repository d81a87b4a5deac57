/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Inside of libflayout.
 *
 * Two locks in each handle, taken in this order:
 *
 *	reg_lock	registrations, and whatever makes or ends them.  Held while
 *			a device registers memory, which may take seconds.
 *	lock		everything else.  Held for short system calls only, so that
 *			an event loop is never kept waiting; taking a lease is the
 *			exception, because it starts the events anew.
 *
 * The blocking form of DROP is called with neither of them.
 */
#ifndef FLAYOUT_PRIVATE_H
#define FLAYOUT_PRIVATE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/queue.h>

#include "flayout.h"

#define FLAYOUT_FALLBACKS	(FLAYOUT_FALLBACK_ODP | FLAYOUT_FALLBACK_BOUNCE)

/* A part of a file. */
struct range {
	uint64_t start;
	uint64_t end;		/* behind the last byte; RANGE_EOF: open */
};

#define RANGE_EOF	UINT64_MAX
#define RANGE_ALL	((struct range){ 0, RANGE_EOF })

struct mapping {
	LIST_ENTRY(mapping) entry;
	char *addr;
	size_t len;
	uint64_t offset;	/* in the file */
	int prot;		/* as asked for */
};

struct flayout_registration {
	LIST_ENTRY(flayout_registration) entry;
	struct flayout *fl;	/* NULL once the handle is closed */
	const void *addr;	/* of the registered memory, in a mapping */
	struct range range;	/* of the file */
	const struct flayout_registration_ops *ops;
	void *arg;
	pid_t pid;		/* who made it; never ended by anybody else */
	uint64_t lease_id;	/* what it stands on, if it is live */
	bool live;		/* the device knows it */
};

/* What has been told, and what is still to be told. */
struct events {
	uint64_t denied_told;	/* since the last TAKE */
	uint64_t denied_due;
	uint64_t lease_id;	/* last lease that was seen; they only grow */
	uint64_t revoked_id;	/* the same, of those that were seen revoked */
	struct range break_told;
	uint32_t break_msecs;
	bool break_due;
	bool revoked_due;
};

/* What the timer of the callback form is for. */
enum timer_use { TIMER_IDLE, TIMER_LET_GO, TIMER_RETAKE };

struct flayout {
	pthread_mutex_t reg_lock;
	pthread_mutex_t lock;
	_Atomic(const char *) message;

	_Atomic int fd;		/* of the file; the handle's own; -1: none yet */
	int epoll_fd;		/* of event_fd and timer_fd: what programs poll */
	int event_fd;		/* the kernel signals it */
	int timer_fd;		/* -1 until there are callbacks */

	_Atomic int mode;
	struct range want;	/* of the last flayout_lease() */
	unsigned int flags;	/* likewise */
	pid_t pid;		/* who took the lease */
	bool leased;		/* as far as we know */
	bool shrunk;		/* the lease is smaller than want */
	bool dropping;		/* a thread waits in flayout_drop() */
	struct events events;

	LIST_HEAD(, mapping) mappings;
	LIST_HEAD(, flayout_registration) registrations;	/* reg_lock */

	struct flayout_callbacks callbacks;
	void *callback_arg;
	bool dispatching;
	enum timer_use timer_use;
	int pause_ms;		/* before the next try */
};

/* handle.c */

/* flayout_fail - set the message, a literal, and return -@error; exported for our own libraries */
int flayout_fail(struct flayout *fl, int error, const char *message);
/* fl_errno - the same, with the system's words for @error */
int fl_errno(struct flayout *fl, int error);
/* fl_check_open - 0, or -EBADF if there is no file */
int fl_check_open(struct flayout *fl);
void fl_copy_out(void *to, size_t to_size, const void *from, size_t from_size);

/* range.c */
struct range fl_range_of(uint64_t start, uint64_t len);
uint64_t fl_range_len(struct range range);
bool fl_range_empty(struct range range);
bool fl_range_within(struct range inner, struct range outer);
bool fl_range_is_valid(uint64_t start, uint64_t len);
struct range fl_range_round_out(struct range range);

/* kernel.c: the fcntl() commands; each returns 0 or a negative errno */
int fl_kernel_take(int fd, struct range range, bool unbreak, int event_fd);
int fl_kernel_drop(int fd);
int fl_kernel_drop_now(int fd);
int fl_kernel_get(int fd, struct flayout_status *status);
bool fl_kernel_has_leases(int fd);
bool fl_kernel_is_dax(int fd);

/* map.c; lock held */
struct mapping *fl_find_mapping(struct flayout *fl, const void *addr, size_t len);
void fl_unmap_all(struct flayout *fl);

/* registration.c; reg_lock held */
void fl_end_registrations(struct flayout *fl, struct range keep);
int fl_make_registrations(struct flayout *fl);
bool fl_has_registrations(struct flayout *fl, struct range range);
void fl_orphan_registrations(struct flayout *fl);

/* event.c; lock held */
/* fl_events_gather - see what is to be told; the number of the lease that stands, or 0 */
uint64_t fl_events_gather(struct flayout *fl);
void fl_events_restart(struct flayout *fl);
/* fl_events_compare - after TAKE, successful or not; @held: the number of our lease before, or 0 */
void fl_events_compare(struct flayout *fl, uint64_t held);

/* lease.c; both locks held */
int fl_drop_now(struct flayout *fl);

/* How long to wait before the next try, in milliseconds. */
#define PAUSE_FIRST_MS	5
#define PAUSE_LAST_MS	1000

static inline int fl_longer_pause(int ms, int last)
{
	return ms * 2 < last ? ms * 2 : last;
}

/* callback.c; lock held.  Without callbacks it does nothing. */
void fl_timer_use(struct flayout *fl, enum timer_use use);

#endif /* FLAYOUT_PRIVATE_H */
