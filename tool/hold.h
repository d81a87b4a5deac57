/* SPDX-License-Identifier: GPL-2.0 */
/* flayout hold: what is asked for (hold.c), and how it is done (hold_run.c). */
#ifndef FLAYOUT_HOLD_H
#define FLAYOUT_HOLD_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "options.h"

struct held_file {
	const char *path;
	int fd;			/* inherited by the command */
	int event_fd;		/* ours alone */
	uint64_t denied;	/* what we have told of already */
	uint32_t state;
};

struct hold {
	struct held_file *files;
	int nr_files;
	char **command;
	struct byte_range range;
	bool unbreak;
	bool quiet;
	bool drop;		/* let go when a break meets no pins */
	int break_signal;	/* what the command gets on a break; 0: nothing */
	bool signalled;		/* it got it */
	pid_t pid;
};

/* Run the command below its leases; its exit status, or one of flayout.h. */
int hold_run(struct hold *hold);

#endif
