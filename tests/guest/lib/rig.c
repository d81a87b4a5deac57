// SPDX-License-Identifier: GPL-2.0
/* What nearly every test starts from; see rig.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "rig.h"

int rig_open(struct rig *rig, const char *dir)
{
	int ret;

	rig->fd = -1;
	rig->event = -1;
	snprintf(rig->path, sizeof(rig->path), "%s/buffer", dir);
	ret = break_time_set(BREAK_TIME_DEFAULT);
	if (!ret)
		ret = peer_spawn(&rig->other);
	if (ret)
		return ret;
	rig->event = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (rig->event < 0)
		return -errno;
	rig->fd = file_make(rig->path, RIG_SIZE, RIG_FILL);
	return rig->fd < 0 ? rig->fd : 0;
}

void rig_close(struct rig *rig)
{
	if (rig->fd >= 0)
		close(rig->fd);
	if (rig->event >= 0)
		close(rig->event);
	peer_end(&rig->other);
	unlink(rig->path);
	break_time_set(BREAK_TIME_DEFAULT);
}

int rig_start(struct rig *rig, peer_fn fn, __u64 start, __u64 len)
{
	struct cut cut = cut_of(rig->path, start, len);

	return peer_start(&rig->other, fn, &cut, sizeof(cut), -1);
}

long rig_other(struct rig *rig, peer_fn fn, __u64 start, __u64 len)
{
	struct cut cut = cut_of(rig->path, start, len);

	return peer_call(&rig->other, fn, &cut, sizeof(cut), -1);
}

bool rig_untouched(struct rig *rig)
{
	return file_size(rig->path) == RIG_SIZE && file_is(rig->path, 0, RIG_SIZE, RIG_FILL);
}
