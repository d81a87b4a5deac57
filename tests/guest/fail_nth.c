// SPDX-License-Identifier: GPL-2.0
/* Taking, dropping and breaking leases while memory fails; see nth.h. */
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>

#include "nth.h"

#define HELD		3	/* leases the other process holds */

/*
 * Taking and dropping
 */

static int take_part(nth *self)
{
	return lease_take(self->fd, 0, 0, 2 * MIB, LEASE_NO_EVENT);
}

static int call_take(void *self)
{
	return take(self);
}

static int call_drop(void *self)
{
	return drop(self);
}

static int call_take_told(void *arg)
{
	nth *self = arg;

	return lease_take(self->fd, LAYOUT_LEASE_UNBREAK, 0, 0, self->rig.event);
}

static int call_short_form(void *arg)
{
	nth *self = arg;

	return fcntl(self->fd, F_SETLEASE, F_LAYOUT) ? -errno : 0;
}

static int call_get(void *arg)
{
	nth *self = arg;
	struct layout_lease lease;

	return lease_get(self->fd, &lease);
}

/* A file nobody has ever taken a lease on. */
static int fresh_file(nth *self)
{
	close(self->fd);
	self->fd = self->rig.fd = file_make(self->rig.path, REGION, RIG_FILL);
	return self->fd < 0 ? self->fd : 0;
}

TEST_F(nth, first_take)
{
	sweep(_metadata, self, &(struct chain){ fresh_file, call_take, drop });
}

TEST_F(nth, take_in_the_short_form)
{
	sweep(_metadata, self, &(struct chain){ nothing, call_short_form, drop });
}

TEST_F(nth, take_with_an_eventfd)
{
	sweep(_metadata, self, &(struct chain){ nothing, call_take_told, drop });
}

TEST_F(nth, take_that_grows_a_lease)
{
	sweep(_metadata, self, &(struct chain){ take_part, call_take, drop });
}

static int call_shrink(void *self)
{
	return take_part(self);
}

TEST_F(nth, take_that_shrinks_a_lease)
{
	sweep(_metadata, self, &(struct chain){ take, call_shrink, drop });
}

TEST_F(nth, drop)
{
	sweep(_metadata, self, &(struct chain){ take, call_drop, nothing });
}

TEST_F(nth, get)
{
	sweep(_metadata, self, &(struct chain){ take, call_get, drop });
}

/*
 * Breaking
 */

static int held[HELD];

static long hold(void *arg, int fd)
{
	struct cut *cut = arg;
	int i, ret = 0;

	for (i = 0; i < HELD && !ret; i++) {
		held[i] = file_open(cut->path, O_RDWR);
		ret = held[i] < 0 ? held[i] : lease_take(held[i], cut->flags, 0, 0, -1);
	}
	return ret;
}

static long let_go(void *arg, int fd)
{
	int i;

	for (i = 0; i < HELD; i++)
		close(held[i]);
	return 0;
}

static int hold_flags(nth *self, int flags)
{
	struct cut cut = cut_of(self->rig.path, 0, 0);

	cut.flags = flags;
	return peer_call(&self->rig.third, hold, &cut, sizeof(cut), -1);
}

static int others_hold(nth *self)
{
	return hold_flags(self, 0);
}

static int others_hold_fast(nth *self)
{
	return hold_flags(self, LAYOUT_LEASE_UNBREAK);
}

static int others_let_go(nth *self)
{
	return peer_call(&self->rig.third, let_go, NULL, 0, -1);
}

static int call_clone(void *arg)
{
	nth *self = arg;

	return ioctl(self->second, FICLONE, self->fd) ? -errno : 0;
}

TEST_F(nth, begin_of_a_break_of_three_leases)
{
	ASSERT_EQ(0, fcntl(self->fd, F_SETFL, O_NONBLOCK));
	self->want = -EWOULDBLOCK;
	sweep(_metadata, self, &(struct chain){ others_hold, call_cut, others_let_go });
	EXPECT_TRUE(rig_untouched(&self->rig));
}

TEST_F(nth, operation_that_three_leases_refuse)
{
	self->want = -ETXTBSY;
	sweep(_metadata, self, &(struct chain){ others_hold_fast, call_cut, others_let_go });
	EXPECT_TRUE(rig_untouched(&self->rig));
}

TEST_F(nth, sharing_that_three_leases_refuse)
{
	char path[FILE_PATH + 8];

	if (!variant->xfs)
		return;
	snprintf(path, sizeof(path), "%s.clone", self->rig.path);
	self->second = file_open(path, O_RDWR | O_CREAT);
	ASSERT_LE(0, self->second);
	self->want = -ETXTBSY;
	sweep(_metadata, self, &(struct chain){ others_hold, call_clone, others_let_go });
	close(self->second);
	unlink(path);
}

TEST_HARNESS_MAIN
