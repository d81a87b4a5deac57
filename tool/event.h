/* SPDX-License-Identifier: GPL-2.0 */
/* Something that happened to a lease, and how it is printed. */
#ifndef FLAYOUT_EVENT_H
#define FLAYOUT_EVENT_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "leases.h"

struct event {
	struct timespec time;	/* of day; or as a saved trace has it */
	char name[16];		/* take, drop, break, denied, revoke, pin, unpin; ended */
	uint64_t lease;
	struct file_id file;
	uint64_t start;
	uint64_t end;		/* or LAYOUT_TABLE_EOF */
	char mode[16];		/* "" if not told */
	bool has_pins;		/* @pins is told: it is of the lease, not of one pin */
	uint64_t pins;
	uint64_t pages;
	uint64_t pid;		/* whose doing it was; 0: not known */
	char comm[32];
	const char *path;	/* NULL or "": not known */
};

/* On one line, at once. */
void event_print(const struct event *event, bool json);

#endif
