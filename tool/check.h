/* SPDX-License-Identifier: GPL-2.0 */
/* flayout check: the questions (check_file.c, check_system.c) and the answers (check.c). */
#ifndef FLAYOUT_CHECK_H
#define FLAYOUT_CHECK_H

#include "facts.h"

struct check {
	struct file_facts facts;
	int fd;			/* -1: it cannot be opened */
	int fd_error;		/* errno of that */
	const char *rdma;	/* the device that is wanted; NULL: any */
	struct finding *findings;
	size_t nr;
};

/*
 * Say what was found: @level is CHECK_*, @advice what to change about it, NULL
 * if there is nothing to change.
 */
void found(struct check *check, int level, const char *name, const char *advice,
	   const char *format, ...) __attribute__((format(printf, 5, 6)));

/* Each asks its questions with found(). */
void check_kernel(struct check *check);
void check_file_system(struct check *check);
void check_dax(struct check *check);
void check_blocks(struct check *check);
void check_permission(struct check *check);
void check_settings(struct check *check);
void check_memlock(struct check *check);
void check_rdma(struct check *check);

#endif
