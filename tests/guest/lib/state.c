// SPDX-License-Identifier: GPL-2.0
/* What a failed operation must leave as it was; see state.h. */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "state.h"

int state_see(int fd, struct file_state *state)
{
	/* the layout first: asking for it writes delayed blocks out */
	int ret = file_extents(fd, &state->extents);

	if (ret)
		return ret;
	return fstat(fd, &state->st) ? -errno : 0;
}

static bool same_time(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

const char *state_changes(int fd, const struct file_state *before)
{
	static char changes[80];
	struct file_state now;

	if (state_see(fd, &now))
		return "cannot be seen";
	snprintf(changes, sizeof(changes), "%s%s%s%s%s%s",
		 now.st.st_size == before->st.st_size ? "" : "size ",
		 now.st.st_mode == before->st.st_mode ? "" : "mode ",
		 same_time(&now.st.st_mtim, &before->st.st_mtim) ? "" : "mtime ",
		 same_time(&now.st.st_ctim, &before->st.st_ctim) ? "" : "ctime ",
		 now.st.st_blocks == before->st.st_blocks ? "" : "blocks ",
		 extents_same(&now.extents, &before->extents) ? "" : "layout ");
	return changes;
}
