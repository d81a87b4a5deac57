// SPDX-License-Identifier: GPL-2.0
/*
 * Every operation that frees, moves or shares blocks against every kind of
 * lease: what is refused changes nothing, what is broken goes through, what lies
 * beside the lease is free.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "kselftest_harness.h"
#include "lib/operation.h"
#include "lib/rig.h"
#include "lib/state.h"

/* What the operations work on, and a lease that lies beside it. */
#define CUT		(2 * MIB)
#define CUT_LEN		MIB
#define BESIDE		(6 * MIB)

FIXTURE(ops)
{
	struct rig rig;
	struct nic nic;
	struct ibv_mr *mr;
	struct file_state before;
	int fd;
	char *map;
};

ON_ALL(ops);

FIXTURE_SETUP(ops)
{
	ASSERT_EQ(0, rig_open(&self->rig, variant->dir));
	self->fd = self->rig.fd;
	self->map = file_map(self->fd, RIG_SIZE);
	ASSERT_NE(NULL, self->map);
	ASSERT_EQ(0, nic_open(&self->nic, ENV_RXE));
	ASSERT_EQ(0, state_see(self->fd, &self->before));
}

FIXTURE_TEARDOWN(ops)
{
	if (self->mr)
		ibv_dereg_mr(self->mr);
	nic_close(&self->nic);
	rig_close(&self->rig);
}

/* The test itself does it, as a holder of what it has leased. */
static long by_holder(struct rig *rig, const struct operation *op)
{
	struct cut cut = cut_of(rig->path, CUT, CUT_LEN);

	return op->fn(&cut, -1);
}

static long by_other(struct rig *rig, const struct operation *op)
{
	return rig_other(rig, op->fn, CUT, CUT_LEN);
}

TEST_F_TIMEOUT(ops, none_gets_past_an_unbreakable_lease, 240)
{
	const struct operation *op;
	unsigned int denied = 0;

	ASSERT_EQ(0, lease_take(self->fd, LAYOUT_LEASE_UNBREAK, 0, 0, self->rig.event));
	if (variant->dax)
		ASSERT_EQ(0, mr_reg(&self->nic, self->map, RIG_SIZE, MR_SERVER, &self->mr));
	/* now: registering faults the pages in for writing */
	ASSERT_EQ(0, state_see(self->fd, &self->before));
	for_each_operation(op, variant, 0, 0) {
		EXPECT_EQ(-ETXTBSY, by_other(&self->rig, op))
			TH_LOG("%s", op->name);
		EXPECT_GT(QUICK, self->rig.other.ms);
		EXPECT_EQ(++denied, lease_see(self->fd).denied)
			TH_LOG("%s", op->name);
		EXPECT_EQ(1, lease_events(self->rig.event, QUICK))
			TH_LOG("%s", op->name);
		EXPECT_STREQ("", state_changes(self->fd, &self->before))
			TH_LOG("%s", op->name);
	}
	EXPECT_TRUE(rig_untouched(&self->rig));
	EXPECT_EQ(LAYOUT_ACTIVE, lease_see(self->fd).state);
	if (variant->dax)
		EXPECT_EQ(1, lease_see(self->fd).pins);
}

/* Whoever may read a file may clone it: that must not evict a server. */
TEST_F_TIMEOUT(ops, sharing_and_exchanging_never_begin_a_break, 240)
{
	const struct operation *op;

	ASSERT_EQ(0, break_time_set(1));
	ASSERT_EQ(0, lease_take(self->fd, 0, 0, 0, self->rig.event));
	for_each_operation(op, variant, OP_REFUSED, 0) {
		EXPECT_EQ(-ETXTBSY, by_other(&self->rig, op))
			TH_LOG("%s", op->name);
		EXPECT_EQ(LAYOUT_ACTIVE, lease_see(self->fd).state)
			TH_LOG("%s", op->name);
		EXPECT_STREQ("", state_changes(self->fd, &self->before))
			TH_LOG("%s", op->name);
	}
	EXPECT_TRUE(rig_untouched(&self->rig));
}

TEST_F_TIMEOUT(ops, sharing_over_ones_own_lease_is_edeadlk, 240)
{
	const struct operation *op;

	ASSERT_EQ(0, lease_take(self->fd, 0, 0, 0, self->rig.event));
	for_each_operation(op, variant, OP_REFUSED, 0) {
		EXPECT_EQ(-EDEADLK, by_holder(&self->rig, op))
			TH_LOG("%s", op->name);
		EXPECT_STREQ("", state_changes(self->fd, &self->before))
			TH_LOG("%s", op->name);
	}
	EXPECT_EQ(0, lease_see(self->fd).denied);
	EXPECT_EQ(0, lease_events(self->rig.event, 0));
	EXPECT_TRUE(rig_untouched(&self->rig));
}

TEST_F_TIMEOUT(ops, cutting_ones_own_lease_works_and_leaves_it, 240)
{
	const struct operation *op;

	for_each_operation(op, variant, 0, OP_REFUSED) {
		ASSERT_EQ(0, rig_anew(&self->rig));
		ASSERT_EQ(0, lease_take(self->rig.fd, LAYOUT_LEASE_UNBREAK, 0, 0,
					self->rig.event));
		EXPECT_EQ(0, by_holder(&self->rig, op))
			TH_LOG("%s", op->name);
		EXPECT_EQ(LAYOUT_ACTIVE, lease_see(self->rig.fd).state);
		EXPECT_EQ(0, lease_see(self->rig.fd).denied);
		EXPECT_EQ(0, lease_events(self->rig.event, 0));
	}
}

TEST_F_TIMEOUT(ops, each_cut_ends_a_deaf_lease, 240)
{
	const struct operation *op;

	ASSERT_EQ(0, break_time_set(0));
	for_each_operation(op, variant, 0, OP_REFUSED) {
		ASSERT_EQ(0, rig_anew(&self->rig));
		ASSERT_EQ(0, lease_take(self->rig.fd, 0, 0, 0, self->rig.event));
		EXPECT_EQ(0, by_other(&self->rig, op))
			TH_LOG("%s", op->name);
		EXPECT_EQ(LAYOUT_REVOKED, lease_see(self->rig.fd).state)
			TH_LOG("%s", op->name);
		EXPECT_EQ(2, lease_events(self->rig.event, QUICK))	/* begun, revoked */
			TH_LOG("%s", op->name);
	}
}

static int start_nonblocking(struct rig *rig, const struct operation *op)
{
	struct cut cut = cut_of(rig->path, CUT, CUT_LEN);

	cut.flags = O_RDWR | O_NONBLOCK;
	return peer_call(&rig->other, op->fn, &cut, sizeof(cut), -1);
}

TEST_F_TIMEOUT(ops, a_nonblocking_cut_changes_nothing, 240)
{
	const struct operation *op;

	for_each_operation(op, variant, 0, OP_REFUSED) {
		if (op->fn == do_truncate)	/* has no description */
			continue;
		ASSERT_EQ(0, lease_take(self->fd, 0, 0, 0, self->rig.event));
		EXPECT_EQ(-EWOULDBLOCK, start_nonblocking(&self->rig, op))
			TH_LOG("%s", op->name);
		EXPECT_EQ(LAYOUT_BREAKING, lease_see(self->fd).state)
			TH_LOG("%s", op->name);
		EXPECT_EQ(1, lease_events(self->rig.event, QUICK));
		EXPECT_STREQ("", state_changes(self->fd, &self->before))
			TH_LOG("%s", op->name);
		ASSERT_EQ(0, lease_drop(self->fd));
	}
	EXPECT_TRUE(rig_untouched(&self->rig));
}

TEST_F_TIMEOUT(ops, an_interrupted_cut_changes_nothing, 240)
{
	const struct operation *op;

	for_each_operation(op, variant, 0, OP_REFUSED) {
		ASSERT_EQ(0, lease_take(self->fd, 0, 0, 0, self->rig.event));
		ASSERT_EQ(0, rig_start(&self->rig, op->fn, CUT, CUT_LEN));
		ASSERT_EQ(1, lease_events(self->rig.event, QUICK))
			TH_LOG("%s", op->name);
		peer_interrupt(&self->rig.other);
		EXPECT_EQ(-EINTR, peer_result(&self->rig.other, QUICK))
			TH_LOG("%s", op->name);
		EXPECT_EQ(LAYOUT_BREAKING, lease_see(self->fd).state);
		EXPECT_STREQ("", state_changes(self->fd, &self->before))
			TH_LOG("%s", op->name);
		ASSERT_EQ(0, lease_drop(self->fd));
	}
	EXPECT_TRUE(rig_untouched(&self->rig));
}

/* Pages of the lease are in use meanwhile, which nobody waits for. */
TEST_F_TIMEOUT(ops, what_is_done_beside_the_lease_is_free, 240)
{
	const struct operation *op;

	for_each_operation(op, variant, 0, OP_TO_END | OP_WHOLE) {
		ASSERT_EQ(0, rig_anew(&self->rig));
		ASSERT_EQ(0, munmap(self->map, RIG_SIZE));
		self->map = file_map(self->rig.fd, RIG_SIZE);
		ASSERT_NE(NULL, self->map);
		ASSERT_EQ(0, lease_take(self->rig.fd, LAYOUT_LEASE_UNBREAK, BESIDE, 0,
					self->rig.event));
		if (variant->dax)
			ASSERT_EQ(0, mr_reg(&self->nic, self->map + BESIDE, RIG_SIZE - BESIDE,
					    MR_SERVER, &self->mr));
		EXPECT_EQ(0, by_other(&self->rig, op))
			TH_LOG("%s", op->name);
		EXPECT_GT(QUICK, self->rig.other.ms);
		EXPECT_EQ(0, lease_events(self->rig.event, 0));
		EXPECT_EQ(0, lease_see(self->rig.fd).denied);
		EXPECT_TRUE(file_is(self->rig.path, BESIDE, RIG_SIZE - BESIDE, RIG_FILL))
			TH_LOG("%s", op->name);
		if (self->mr)
			ASSERT_EQ(0, ibv_dereg_mr(self->mr));
		self->mr = NULL;
	}
}

/* Without a lease each of them is what it was; else the tests above prove nothing. */
TEST_F_TIMEOUT(ops, without_a_lease_they_work_as_before, 240)
{
	const struct operation *op;

	for_each_operation(op, variant, 0, 0) {
		ASSERT_EQ(0, rig_anew(&self->rig));
		EXPECT_EQ(0, by_other(&self->rig, op))
			TH_LOG("%s", op->name);
	}
}

TEST_F_TIMEOUT(ops, copy_file_range_copies_instead, 60)
{
	char path[FILE_PATH + 2];
	struct extents map;
	loff_t in = 0, out = 0;
	unsigned int i;
	int fd;

	snprintf(path, sizeof(path), "%s.c", self->rig.path);
	fd = file_make(path, 0, 0);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, lease_take_unbreak(self->fd));
	EXPECT_EQ(MIB, copy_file_range(self->fd, &in, fd, &out, MIB, 0));
	EXPECT_TRUE(file_is(path, 0, MIB, RIG_FILL));
	ASSERT_EQ(0, file_extents(self->fd, &map));
	for (i = 0; i < map.count; i++)
		EXPECT_EQ(0, map.at[i].flags & 0x2000);		/* FIEMAP_EXTENT_SHARED */
	close(fd);
	unlink(path);
}

/* What an operation takes away on its way must not be gone if it is refused. */
static long by_nobody(void *arg, int fd)
{
	if (setgid(ENV_NOBODY) || setuid(ENV_NOBODY))
		return -errno;
	return do_truncate(arg, fd);
}

TEST_F(ops, a_refused_truncate_leaves_the_set_user_id_bit)
{
	ASSERT_EQ(0, fchmod(self->fd, 06777));
	ASSERT_EQ(0, lease_take_unbreak(self->fd));
	ASSERT_EQ(0, state_see(self->fd, &self->before));
	EXPECT_EQ(-ETXTBSY, rig_other(&self->rig, by_nobody, CUT, 0));
	EXPECT_STREQ("", state_changes(self->fd, &self->before));
}

FIXTURE(pinned)
{
	struct rig rig;
	struct nic nic;
	struct ibv_mr *mr;
	struct file_state before;
	int fd;
	char *map;
};

ON_DAX(pinned);

FIXTURE_SETUP(pinned)
{
	ASSERT_EQ(0, rig_open(&self->rig, variant->dir));
	self->fd = self->rig.fd;
	self->map = file_map(self->fd, RIG_SIZE);
	ASSERT_NE(NULL, self->map);
	ASSERT_EQ(0, nic_open(&self->nic, ENV_RXE));
}

FIXTURE_TEARDOWN(pinned)
{
	if (self->mr)
		ibv_dereg_mr(self->mr);
	nic_close(&self->nic);
	rig_close(&self->rig);
}

TEST_F_TIMEOUT(pinned, cutting_below_ones_own_pins_is_edeadlk, 240)
{
	const struct operation *op;

	ASSERT_EQ(0, lease_take(self->fd, 0, 0, 0, self->rig.event));
	ASSERT_EQ(0, mr_reg(&self->nic, self->map, RIG_SIZE, MR_SERVER, &self->mr));
	ASSERT_EQ(0, state_see(self->fd, &self->before));
	for_each_operation(op, variant, 0, OP_REFUSED) {
		EXPECT_EQ(-EDEADLK, by_holder(&self->rig, op))
			TH_LOG("%s", op->name);
		EXPECT_STREQ("", state_changes(self->fd, &self->before))
			TH_LOG("%s", op->name);
	}
	EXPECT_TRUE(rig_untouched(&self->rig));
	EXPECT_EQ(1, lease_see(self->fd).pins);
}

TEST_HARNESS_MAIN
