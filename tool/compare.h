/* SPDX-License-Identifier: GPL-2.0 */
/* Events out of two looks at the table of leases, where there is no trace. */
#ifndef FLAYOUT_COMPARE_H
#define FLAYOUT_COMPARE_H

#include "event.h"

/*
 * Tell @each what has happened from @before to @now.  What began and ended in
 * between is not seen, and of a lease that is gone nobody knows why: it "ended".
 * Event paths belong to the tables.
 */
void compare_tables(const struct layout_table *before,
		    const struct layout_table *now,
		    void (*each)(struct event *event, void *arg), void *arg);

#endif
