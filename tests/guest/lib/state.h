/* SPDX-License-Identifier: GPL-2.0 */
/* What a failed operation must leave as it was. */
#ifndef FLAYOUT_TESTS_STATE_H
#define FLAYOUT_TESTS_STATE_H

#include <sys/stat.h>

#include "file.h"

struct file_state {
	struct stat st;
	struct extents extents;
};

/** state_see - size, mode, owner, times, blocks and layout of @fd; 0 or a negative errno */
int state_see(int fd, struct file_state *state);

/** state_changes - names of what is not as in @before, "" if nothing; static storage */
const char *state_changes(int fd, const struct file_state *before);

#endif
