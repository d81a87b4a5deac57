// SPDX-License-Identifier: GPL-2.0
/*
 * Leases on byte ranges: what an operation touches, to the byte, and how a
 * lease grows, shrinks and moves.
 */
#include <errno.h>
#include <limits.h>

#include "kselftest_harness.h"
#include "lib/rig.h"

FIXTURE(range)
{
	struct rig rig;
	int fd;
	__u64 unit;		/* what ranges are rounded out to */
};

ON_ALL(range);

FIXTURE_SETUP(range)
{
	ASSERT_EQ(0, rig_open(&self->rig, variant->dir));
	self->fd = self->rig.fd;
	self->unit = variant->dax ? ENV_DAX_ENTRY : PAGE;
}

FIXTURE_TEARDOWN(range)
{
	rig_close(&self->rig);
}

static int take(struct rig *rig, __u64 start, __u64 len)
{
	return lease_take(rig->fd, LAYOUT_LEASE_UNBREAK, start, len, rig->event);
}

TEST_F(range, a_truncate_touches_all_that_follows)
{
	ASSERT_EQ(0, take(&self->rig, 4 * MIB, 2 * MIB));
	EXPECT_EQ(0, rig_other(&self->rig, do_truncate, 7 * MIB, 0));
	EXPECT_EQ(0, rig_other(&self->rig, do_truncate, 6 * MIB, 0));
	EXPECT_EQ(-ETXTBSY, rig_other(&self->rig, do_truncate, 6 * MIB - 1, 0));
	EXPECT_EQ(-ETXTBSY, rig_other(&self->rig, do_truncate, 4 * MIB, 0));
	EXPECT_EQ(-ETXTBSY, rig_other(&self->rig, do_truncate, 3 * MIB, 0));
	EXPECT_EQ(-ETXTBSY, rig_other(&self->rig, do_truncate, 0, 0));
	EXPECT_EQ(6 * MIB, file_size(self->rig.path));
	EXPECT_TRUE(file_is(self->rig.path, 0, 6 * MIB, RIG_FILL));
}

/* The block in which the new end lies is changed, those before it are not. */
TEST_F(range, a_truncate_inside_a_block_touches_the_block)
{
	const __u64 end = 2 * self->unit;

	ASSERT_EQ(0, take(&self->rig, self->unit, self->unit));
	EXPECT_EQ(0, rig_other(&self->rig, do_truncate, end + PAGE / 2, 0));
	EXPECT_EQ(0, rig_other(&self->rig, do_truncate, end + 1, 0));
	EXPECT_EQ(0, rig_other(&self->rig, do_truncate, end, 0));
	EXPECT_EQ(-ETXTBSY, rig_other(&self->rig, do_truncate, end - 1, 0));
	EXPECT_EQ(-ETXTBSY, rig_other(&self->rig, do_truncate, end - PAGE / 2, 0));
	EXPECT_EQ(end, file_size(self->rig.path));
}

TEST_F(range, a_truncate_inside_the_block_before_touches_no_lease_there)
{
	ASSERT_EQ(0, take(&self->rig, 0, self->unit));
	EXPECT_EQ(0, rig_other(&self->rig, do_truncate, self->unit + 1, 0));
	EXPECT_EQ(0, rig_other(&self->rig, do_truncate, self->unit, 0));
	EXPECT_EQ(-ETXTBSY, rig_other(&self->rig, do_truncate, self->unit - 1, 0));
	EXPECT_EQ(1, lease_see(self->fd).denied);
}

TEST_F(range, same_size_and_growing_meet_nothing)
{
	ASSERT_EQ(0, take(&self->rig, 0, 0));
	EXPECT_EQ(0, rig_other(&self->rig, do_truncate, RIG_SIZE, 0));
	EXPECT_EQ(0, rig_other(&self->rig, do_ftruncate, RIG_SIZE + 1, 0));
	EXPECT_EQ(0, rig_other(&self->rig, do_truncate, 1ULL << 40, 0));
	EXPECT_EQ(0, lease_events(self->rig.event, 0));
	EXPECT_EQ(0, lease_see(self->fd).denied);
	EXPECT_EQ(1LL << 40, file_size(self->rig.path));
}

TEST_F(range, a_lease_beyond_the_end_counts)
{
	ASSERT_EQ(0, take(&self->rig, 2 * RIG_SIZE, 2 * MIB));
	EXPECT_EQ(-ETXTBSY, rig_other(&self->rig, do_truncate, PAGE, 0));
	EXPECT_EQ(-ETXTBSY, rig_other(&self->rig, do_punch, 2 * RIG_SIZE, PAGE));
	EXPECT_EQ(0, rig_other(&self->rig, do_punch, RIG_SIZE, RIG_SIZE));
	EXPECT_EQ(0, rig_other(&self->rig, do_punch, 0, MIB));
	EXPECT_EQ(0, rig_other(&self->rig, do_truncate, 4 * RIG_SIZE, 0));
	EXPECT_EQ(0, rig_other(&self->rig, do_truncate, 2 * RIG_SIZE + 2 * MIB, 0));
	EXPECT_EQ(-ETXTBSY, rig_other(&self->rig, do_truncate, 2 * RIG_SIZE, 0));
}

/* Length 0 is no length: it grows with the file. */
TEST_F(range, to_the_end_means_however_far_it_grows)
{
	ASSERT_EQ(0, take(&self->rig, 2 * MIB, 0));
	ASSERT_EQ(0, rig_other(&self->rig, do_truncate, 1ULL << 36, 0));
	ASSERT_EQ(0, rig_other(&self->rig, do_write, 1ULL << 35, PAGE));
	EXPECT_EQ(-ETXTBSY, rig_other(&self->rig, do_punch, 1ULL << 35, PAGE));
	EXPECT_EQ(-ETXTBSY, rig_other(&self->rig, do_truncate, 1ULL << 35, 0));
	EXPECT_EQ(0, lease_see(self->fd).len);
}

TEST_F(range, offsets_end_at_two_to_the_63)
{
	const __u64 max = LLONG_MAX;
	struct layout_lease lease;

	EXPECT_EQ(-EINVAL, take(&self->rig, max + 1, 0));
	EXPECT_EQ(-EINVAL, take(&self->rig, max, 2));
	EXPECT_EQ(-EINVAL, take(&self->rig, 1, max + 1));
	EXPECT_EQ(-EINVAL, take(&self->rig, ULLONG_MAX, 1));
	EXPECT_EQ(-EINVAL, take(&self->rig, 2, ULLONG_MAX));
	EXPECT_EQ(LAYOUT_NONE, lease_see(self->fd).state);
	ASSERT_EQ(0, take(&self->rig, max, 0));
	EXPECT_EQ(0, rig_other(&self->rig, do_punch, 0, RIG_SIZE));
	ASSERT_EQ(0, take(&self->rig, max, 1));
	lease = lease_see(self->fd);
	EXPECT_EQ(max + 1 - self->unit, lease.start);
	EXPECT_EQ(0, lease.len);
	ASSERT_EQ(0, take(&self->rig, 0, max + 1));
	EXPECT_EQ(0, lease_see(self->fd).len);
	ASSERT_EQ(0, take(&self->rig, 0, 1));
	EXPECT_EQ(self->unit, lease_see(self->fd).len);
}

TEST_F(range, holes_are_met_to_the_byte)
{
	const __u64 start = 2 * MIB, end = 4 * MIB;
	const struct {
		__u64 start, len;
		bool met;
	} holes[] = {
		{ 0, start, false },
		{ start - PAGE, PAGE, false },
		{ start - 1, 1, false },		/* clears a byte of the block before */
		{ start - 1, 2, true },
		{ start, 1, true },
		{ start + PAGE, PAGE, true },
		{ end - 1, 1, true },
		{ end - 1, PAGE, true },
		{ end, 1, false },
		{ end, MIB, false },
		{ 0, RIG_SIZE, true },
	};
	unsigned int i;

	ASSERT_EQ(0, take(&self->rig, start, end - start));
	for (i = 0; i < ARRAY_SIZE(holes); i++) {
		EXPECT_EQ(holes[i].met ? -ETXTBSY : 0,
			  rig_other(&self->rig, do_punch, holes[i].start, holes[i].len))
			TH_LOG("hole %u", i);
	}
	EXPECT_TRUE(file_is(self->rig.path, start, end - start, RIG_FILL));
}

TEST_F(range, shifting_moves_all_that_follows)
{
	ASSERT_EQ(0, take(&self->rig, 2 * MIB, 2 * MIB));
	EXPECT_EQ(-ETXTBSY, rig_other(&self->rig, do_collapse, 0, MIB));
	EXPECT_EQ(-ETXTBSY, rig_other(&self->rig, do_insert, MIB, MIB));
	EXPECT_EQ(-ETXTBSY, rig_other(&self->rig, do_collapse, 3 * MIB, MIB));
	EXPECT_EQ(0, rig_other(&self->rig, do_insert, 4 * MIB, MIB));
	EXPECT_EQ(0, rig_other(&self->rig, do_collapse, 5 * MIB, MIB));
	EXPECT_EQ(RIG_SIZE, file_size(self->rig.path));
	EXPECT_TRUE(file_is(self->rig.path, 2 * MIB, 2 * MIB, RIG_FILL));
	EXPECT_TRUE(file_is(self->rig.path, 4 * MIB, MIB, 0));
}

/* What is wrong with an operation is said before a lease is broken for it. */
TEST_F(range, an_invalid_shift_breaks_nothing)
{
	ASSERT_EQ(0, lease_take(self->fd, 0, 0, 0, self->rig.event));
	EXPECT_EQ(-EINVAL, rig_other(&self->rig, do_collapse, 1, MIB));
	EXPECT_EQ(-EINVAL, rig_other(&self->rig, do_insert, PAGE, 100));
	EXPECT_EQ(-EINVAL, rig_other(&self->rig, do_collapse, 7 * MIB, MIB));
	EXPECT_EQ(-EINVAL, rig_other(&self->rig, do_insert, RIG_SIZE, MIB));
	EXPECT_EQ(0, lease_events(self->rig.event, 0));
	EXPECT_EQ(LAYOUT_ACTIVE, lease_see(self->fd).state);
}

TEST_F(range, two_leases_side_by_side_are_two)
{
	int fd = file_open(self->rig.path, O_RDWR);

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, lease_take(self->fd, 0, 0, 4 * MIB, self->rig.event));
	ASSERT_EQ(0, lease_take(fd, LAYOUT_LEASE_UNBREAK, 4 * MIB, 0, LEASE_NO_EVENT));
	ASSERT_EQ(0, rig_start(&self->rig, do_punch, MIB, MIB));
	EXPECT_EQ(1, lease_events(self->rig.event, QUICK));
	EXPECT_EQ(LAYOUT_BREAKING, lease_see(self->fd).state);
	EXPECT_EQ(LAYOUT_ACTIVE, lease_see(fd).state);
	EXPECT_EQ(0, lease_see(fd).denied);
	ASSERT_EQ(0, lease_drop(self->fd));
	EXPECT_EQ(0, peer_result(&self->rig.other, QUICK));
	EXPECT_EQ(-ETXTBSY, rig_other(&self->rig, do_punch, 4 * MIB, MIB));
	close(fd);
}

TEST_F(range, a_change_keeps_the_number_and_frees_what_is_left)
{
	__u64 id;

	ASSERT_EQ(0, take(&self->rig, 0, 4 * MIB));
	id = lease_see(self->fd).id;
	EXPECT_EQ(0, rig_other(&self->rig, do_punch, 6 * MIB, PAGE));
	ASSERT_EQ(0, take(&self->rig, 0, 8 * MIB));		/* grows */
	EXPECT_EQ(-ETXTBSY, rig_other(&self->rig, do_punch, 6 * MIB, PAGE));
	ASSERT_EQ(0, take(&self->rig, 0, 2 * MIB));		/* shrinks */
	EXPECT_EQ(0, rig_other(&self->rig, do_punch, 2 * MIB, PAGE));
	EXPECT_EQ(-ETXTBSY, rig_other(&self->rig, do_punch, 0, PAGE));
	ASSERT_EQ(0, take(&self->rig, 4 * MIB, 2 * MIB));	/* moves */
	EXPECT_EQ(0, rig_other(&self->rig, do_punch, 0, PAGE));
	EXPECT_EQ(-ETXTBSY, rig_other(&self->rig, do_punch, 5 * MIB, PAGE));
	ASSERT_EQ(0, take(&self->rig, 1ULL << 40, 0));		/* beyond the end */
	EXPECT_EQ(0, rig_other(&self->rig, do_punch, 0, RIG_SIZE));
	EXPECT_EQ(id, lease_see(self->fd).id);
}

TEST_F(range, growing_into_what_is_being_broken_waits_for_nobody)
{
	int fd = file_open(self->rig.path, O_RDWR);

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, lease_take(fd, 0, 4 * MIB, 2 * MIB, LEASE_NO_EVENT));
	ASSERT_EQ(0, lease_take(self->fd, 0, 0, 2 * MIB, LEASE_NO_EVENT));
	ASSERT_EQ(0, rig_start(&self->rig, do_punch, 4 * MIB, MIB));
	ASSERT_EQ(0, lease_wait_state(fd, LAYOUT_BREAKING, QUICK));
	EXPECT_EQ(-EAGAIN, lease_take(self->fd, 0, 0, 0, LEASE_NO_EVENT));
	EXPECT_EQ(-EAGAIN, lease_take(self->fd, 0, 4 * MIB, 2 * MIB, LEASE_NO_EVENT));
	EXPECT_EQ(2 * MIB, lease_see(self->fd).len);
	EXPECT_EQ(0, lease_take(self->fd, 0, 0, 4 * MIB, LEASE_NO_EVENT));
	EXPECT_EQ(0, lease_take(self->fd, 0, 6 * MIB, 0, LEASE_NO_EVENT));
	ASSERT_EQ(0, lease_drop(fd));
	EXPECT_EQ(0, peer_result(&self->rig.other, QUICK));
	EXPECT_EQ(0, lease_take(self->fd, 0, 0, 0, LEASE_NO_EVENT));
	close(fd);
}

/* A break says what is to be changed, and more if more is: two holes, one after the other. */
static void punch_two(struct __test_metadata *_metadata, FIXTURE_DATA(range) *self, __u64 first,
		      __u64 second)
{
	struct cut cut = cut_of(self->rig.path, second, MIB);
	struct layout_lease lease;

	ASSERT_EQ(0, lease_take(self->fd, 0, 0, 0, self->rig.event));
	ASSERT_EQ(0, rig_start(&self->rig, do_punch, first, MIB));
	ASSERT_EQ(1, lease_events(self->rig.event, QUICK));
	ASSERT_EQ(0, peer_start(&self->rig.third, do_punch, &cut, sizeof(cut), -1));
	EXPECT_EQ(1, lease_events(self->rig.event, QUICK));
	lease = lease_see(self->fd);
	EXPECT_EQ(2 * MIB, lease.break_start);
	EXPECT_EQ(5 * MIB, lease.break_len);
}

TEST_F(range, a_second_breaker_widens_the_break)
{
	punch_two(_metadata, self, 6 * MIB, 2 * MIB);
	EXPECT_EQ(-EAGAIN, lease_take(self->fd, 0, 0, 4 * MIB, self->rig.event));
	ASSERT_EQ(0, lease_take(self->fd, 0, 0, 2 * MIB, self->rig.event));
	EXPECT_EQ(0, peer_result(&self->rig.other, QUICK));
	EXPECT_EQ(0, peer_result(&self->rig.third, QUICK));
	EXPECT_EQ(LAYOUT_ACTIVE, lease_see(self->fd).state);
}

TEST_F(range, a_second_breaker_behind_the_first_widens_it_too)
{
	punch_two(_metadata, self, 2 * MIB, 6 * MIB);
	EXPECT_EQ(0, lease_drop(self->fd));
	EXPECT_EQ(0, peer_result(&self->rig.other, QUICK));
	EXPECT_EQ(0, peer_result(&self->rig.third, QUICK));
}

TEST_F(range, a_break_within_a_break_is_no_news)
{
	struct cut cut = cut_of(self->rig.path, 6 * MIB, MIB);

	ASSERT_EQ(0, lease_take(self->fd, 0, 0, 0, self->rig.event));
	ASSERT_EQ(0, rig_start(&self->rig, do_truncate, 4 * MIB, 0));
	ASSERT_EQ(1, lease_events(self->rig.event, QUICK));
	ASSERT_EQ(0, peer_start(&self->rig.third, do_punch, &cut, sizeof(cut), -1));
	EXPECT_EQ(0, lease_events(self->rig.event, env_ms(500)));
	ASSERT_EQ(0, lease_drop(self->fd));
	EXPECT_EQ(0, peer_result(&self->rig.other, QUICK));
	EXPECT_EQ(0, peer_result(&self->rig.third, QUICK));
}

TEST_HARNESS_MAIN
