/* SPDX-License-Identifier: GPL-2.0 */
/* A break under way: what it is about, and who waits for it. */
#ifndef FLAYOUT_BREAKS_H
#define FLAYOUT_BREAKS_H

#include "holders.h"
#include "leases.h"

/* fs.lease-break-time in seconds; the kernel's default if it cannot be read. */
uint64_t break_time(void);

/*
 * Ask the description of a lease itself (F_GETLAYOUT), through a duplicate of a
 * descriptor that some holder has.  While we have it, a close by the holder is
 * not the last.  Returns false if there is none that we may have.
 */
struct break_facts {
	uint64_t start;
	uint64_t end;		/* or LAYOUT_TABLE_EOF */
	unsigned int msecs;	/* until the lease is revoked */
};
bool break_ask(struct break_facts *facts, const struct layout_record *lease,
	       const struct holders *holders);

/*
 * Processes that sleep in an operation until some lease is out of its way.  The
 * kernel does not say which lease.
 */
struct waiter {
	uint64_t pid;
	char *comm;
};
struct waiters {
	struct waiter *all;
	size_t nr;
};
void waiters_load(struct waiters *waiters);
void waiters_free(struct waiters *waiters);

#endif
