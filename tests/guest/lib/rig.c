// SPDX-License-Identifier: GPL-2.0
/* What nearly every test starts from; see rig.h. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
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
	/* The news of a break kills who does not expect them; tests unblock nothing. */
	lease_block_signal(SIGIO);
	ret = break_time_set(BREAK_TIME_DEFAULT);
	if (!ret)
		ret = peer_spawn(&rig->other);
	if (!ret)
		ret = peer_spawn(&rig->third);
	if (ret)
		return ret;
	rig->event = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (rig->event < 0)
		return -errno;
	return rig_anew(rig);
}

int rig_anew(struct rig *rig)
{
	if (rig->fd >= 0)
		close(rig->fd);
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
	peer_end(&rig->third);
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

/* What a peer holds. */
static int held = -1;

static long take(void *arg, int fd)
{
	struct cut *cut = arg;

	if (fd >= 0)
		close(fd);
	held = file_open(cut->path, O_RDWR);
	return held < 0 ? held : lease_take(held, cut->flags, 0, 0, LEASE_NO_EVENT);
}

static long state(void *arg, int fd)
{
	(void)arg;
	(void)fd;
	return lease_see(held).state;
}

static long drop(void *arg, int fd)
{
	int ret = lease_drop(held);

	(void)arg;
	(void)fd;
	close(held);
	held = -1;
	return ret;
}

long peer_take(struct peer *peer, struct rig *rig, unsigned int flags)
{
	struct cut cut = cut_of(rig->path, 0, 0);

	cut.flags = flags;
	return peer_call(peer, take, &cut, sizeof(cut), -1);
}

long peer_lease_state(struct peer *peer)
{
	return peer_call(peer, state, NULL, 0, -1);
}

long peer_lease_drop(struct peer *peer)
{
	return peer_call(peer, drop, NULL, 0, -1);
}

bool rig_untouched(struct rig *rig)
{
	return file_size(rig->path) == RIG_SIZE && file_is(rig->path, 0, RIG_SIZE, RIG_FILL);
}

bool rig_undisturbed(struct rig *rig)
{
	struct layout_lease lease = lease_see(rig->fd);

	return lease.state == LAYOUT_ACTIVE && !lease.denied && !lease_events(rig->event, 0);
}
