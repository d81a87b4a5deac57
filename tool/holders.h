/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Who holds leased files.  /proc/layout_leases names one process for each
 * lease; /proc/PID/file_pins tells of every one, after fork and fd passing too.
 */
#ifndef FLAYOUT_HOLDERS_H
#define FLAYOUT_HOLDERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "layout_table.h"

#define HOLDER_MAPS	(-1)	/* instead of a descriptor: the file is only mapped */

struct holder {
	uint64_t pid;
	char *comm;		/* "" if it is gone already */
	int fd;			/* a descriptor of the lease, or HOLDER_MAPS */
	uint64_t lease;		/* 0 for HOLDER_MAPS: the kernel does not say */
	char *path;
};

/* A process that has several descriptors of a lease is there several times. */
struct holders {
	struct holder *all;
	size_t nr;
};

/* What @pid holds; 0: all processes.  Processes we may not look at have none. */
void holders_load(struct holders *holders, uint64_t pid);
void holders_free(struct holders *holders);

/* For HOLDER_MAPS by path, which is all that the kernel tells of it there. */
bool holder_has(const struct holder *holder, const struct layout_record *lease);

/*
 * The same, for those who act or judge: there may be several leases of one path,
 * so HOLDER_MAPS must be the process that the table names for the lease.
 */
bool holder_surely_has(const struct holder *holder,
		       const struct layout_record *lease);

#endif
