// SPDX-License-Identifier: GPL-2.0
/*
 * The breaker's own lease: without pins it is no obstacle and stays; with pins
 * in the way the operation would wait for itself, and gets EDEADLK at once.
 */
#include <errno.h>
#include <linux/falloc.h>

#include "kselftest_harness.h"
#include "lib/rig.h"

#define CUT	(4 * MIB)

static int cut_down(int fd, __u64 size)
{
	return ftruncate(fd, size) ? -errno : 0;
}

static int punch(int fd, __u64 start, __u64 len)
{
	return fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, start, len) ? -errno : 0;
}

FIXTURE(own)
{
	struct rig rig;
	int fd;
};

ON_ALL(own);

FIXTURE_SETUP(own)
{
	ASSERT_EQ(0, rig_open(&self->rig, variant->dir));
	self->fd = self->rig.fd;
}

FIXTURE_TEARDOWN(own)
{
	rig_close(&self->rig);
}

TEST_F(own, lease_without_pins_is_no_obstacle)
{
	ASSERT_EQ(0, lease_take(self->fd, LAYOUT_LEASE_UNBREAK, 0, 0, self->rig.event));
	EXPECT_EQ(0, cut_down(self->fd, CUT));
	EXPECT_EQ(0, punch(self->fd, 0, MIB));
	EXPECT_EQ(LAYOUT_ACTIVE, lease_see(self->fd).state);
	EXPECT_EQ(0, lease_see(self->fd).denied);
	EXPECT_EQ(0, lease_events(self->rig.event, 0));
	EXPECT_EQ(CUT, file_size(self->rig.path));
}

TEST_F(own, a_holder_may_come_through_any_description)
{
	int fd = file_open(self->rig.path, O_RDWR);

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, lease_take_all(self->fd));
	EXPECT_EQ(0, cut_down(fd, CUT));
	EXPECT_EQ(0, truncate(self->rig.path, MIB));
	EXPECT_EQ(LAYOUT_ACTIVE, lease_see(self->fd).state);
	close(fd);
	fd = file_open(self->rig.path, O_RDWR | O_TRUNC);
	EXPECT_LE(0, fd);
	EXPECT_EQ(0, file_size(self->rig.path));
	EXPECT_EQ(LAYOUT_ACTIVE, lease_see(self->fd).state);
	close(fd);
}

TEST_F(own, who_took_it_and_still_maps_it_holds_it)
{
	char *map = file_map(self->fd, RIG_SIZE);

	ASSERT_NE(NULL, map);
	ASSERT_EQ(0, lease_take_unbreak(self->fd));
	close(self->fd);
	self->rig.fd = -1;
	EXPECT_EQ(-ETXTBSY, rig_other(&self->rig, do_truncate, CUT, 0));
	EXPECT_EQ(0, truncate(self->rig.path, CUT) ? -errno : 0);
}

TEST_F(own, through_a_sent_description_it_is_ones_own)
{
	struct cut cut = cut_of(self->rig.path, CUT, 0);

	ASSERT_EQ(0, lease_take_unbreak(self->fd));
	EXPECT_EQ(-ETXTBSY, peer_call(&self->rig.other, do_truncate, &cut, sizeof(cut), -1));
	EXPECT_EQ(0, peer_call(&self->rig.other, do_ftruncate, &cut, sizeof(cut), self->fd));
	EXPECT_EQ(LAYOUT_ACTIVE, lease_see(self->fd).state);
	EXPECT_EQ(CUT, file_size(self->rig.path));
}

FIXTURE(pinned)
{
	struct rig rig;
	struct nic nic;
	struct ibv_mr *mr;
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

TEST_F(pinned, own_pins_in_the_way_are_edeadlk)
{
	unsigned long start;

	ASSERT_EQ(0, lease_take(self->fd, 0, 0, 0, self->rig.event));
	ASSERT_EQ(0, mr_reg(&self->nic, self->map, RIG_SIZE, MR_SERVER, &self->mr));
	start = now_ms();
	EXPECT_EQ(-EDEADLK, cut_down(self->fd, CUT));
	EXPECT_EQ(-EDEADLK, punch(self->fd, 0, MIB));
	EXPECT_EQ(-EDEADLK, truncate(self->rig.path, 0) ? -errno : 0);
	EXPECT_EQ(-EDEADLK, file_open(self->rig.path, O_RDWR | O_TRUNC));
	EXPECT_GT(QUICK, now_ms() - start);
	EXPECT_TRUE(rig_untouched(&self->rig));
	EXPECT_EQ(LAYOUT_ACTIVE, lease_see(self->fd).state);
	EXPECT_EQ(0, lease_see(self->fd).denied);
	EXPECT_EQ(1, lease_see(self->fd).pins);
	EXPECT_EQ(0, lease_events(self->rig.event, 0));
}

TEST_F(pinned, unmapped_pins_are_in_the_way_too)
{
	ASSERT_EQ(0, lease_take_all(self->fd));
	ASSERT_EQ(0, mr_reg(&self->nic, self->map, RIG_SIZE, MR_SERVER, &self->mr));
	ASSERT_EQ(0, munmap(self->map, RIG_SIZE));
	EXPECT_EQ(-EDEADLK, cut_down(self->fd, CUT));
	EXPECT_TRUE(rig_untouched(&self->rig));
}

TEST_F(pinned, pins_beside_the_range_are_not_in_the_way)
{
	ASSERT_EQ(0, lease_take_all(self->fd));
	ASSERT_EQ(0, mr_reg(&self->nic, self->map, 2 * MIB, MR_SERVER, &self->mr));
	EXPECT_EQ(0, cut_down(self->fd, CUT));
	EXPECT_EQ(0, punch(self->fd, 2 * MIB, MIB));
	EXPECT_EQ(1, lease_see(self->fd).pins);
	EXPECT_EQ(2 * MIB / PAGE, lease_see(self->fd).pinned_pages);
	EXPECT_EQ(CUT, file_size(self->rig.path));
	EXPECT_TRUE(file_is(self->rig.path, 0, 2 * MIB, RIG_FILL));
}

TEST_F(pinned, a_shared_dax_entry_counts)
{
	ASSERT_EQ(0, lease_take_all(self->fd));
	ASSERT_EQ(0, mr_reg(&self->nic, self->map, PAGE, MR_SERVER, &self->mr));
	EXPECT_EQ(-EDEADLK, punch(self->fd, PAGE, PAGE));
	EXPECT_TRUE(rig_untouched(&self->rig));
}

TEST_F(pinned, dropping_the_pins_clears_the_way)
{
	ASSERT_EQ(0, lease_take_all(self->fd));
	ASSERT_EQ(0, mr_reg(&self->nic, self->map, RIG_SIZE, MR_SERVER, &self->mr));
	EXPECT_EQ(-EDEADLK, cut_down(self->fd, CUT));
	ASSERT_EQ(0, ibv_dereg_mr(self->mr));
	self->mr = NULL;
	EXPECT_EQ(0, cut_down(self->fd, CUT));
	EXPECT_EQ(LAYOUT_ACTIVE, lease_see(self->fd).state);
}

TEST_F(pinned, edeadlk_comes_before_anothers_lease_is_broken)
{
	ASSERT_EQ(0, peer_take(&self->rig.third, &self->rig, 0));
	ASSERT_EQ(0, lease_take_all(self->fd));
	ASSERT_EQ(0, mr_reg(&self->nic, self->map, RIG_SIZE, MR_SERVER, &self->mr));
	EXPECT_EQ(-EDEADLK, cut_down(self->fd, CUT));
	EXPECT_EQ(LAYOUT_ACTIVE, peer_lease_state(&self->rig.third));
}

TEST_F(pinned, anothers_unbreakable_lease_comes_before_edeadlk)
{
	ASSERT_EQ(0, peer_take(&self->rig.third, &self->rig, LAYOUT_LEASE_UNBREAK));
	ASSERT_EQ(0, lease_take_all(self->fd));
	ASSERT_EQ(0, mr_reg(&self->nic, self->map, RIG_SIZE, MR_SERVER, &self->mr));
	EXPECT_EQ(-ETXTBSY, cut_down(self->fd, CUT));
}

/* Pins make no difference to what others meet. */
TEST_F(pinned, others_meet_the_lease_not_the_pins)
{
	ASSERT_EQ(0, lease_take_unbreak(self->fd));
	ASSERT_EQ(0, mr_reg(&self->nic, self->map, PAGE, MR_SERVER, &self->mr));
	EXPECT_EQ(-ETXTBSY, rig_other(&self->rig, do_truncate, CUT, 0));
	EXPECT_EQ(-ETXTBSY, rig_other(&self->rig, do_punch, CUT, MIB));
	EXPECT_TRUE(rig_untouched(&self->rig));
}

TEST_F(pinned, breaking_takes_no_new_pins)
{
	ASSERT_EQ(0, lease_take(self->fd, 0, 0, 0, self->rig.event));
	ASSERT_EQ(0, mr_reg(&self->nic, self->map, PAGE, MR_SERVER, &self->mr));
	ASSERT_EQ(0, rig_start(&self->rig, do_truncate, CUT, 0));
	ASSERT_EQ(1, lease_events(self->rig.event, QUICK));
	EXPECT_EQ(-EAGAIN, mr_try(&self->nic, self->map, PAGE, MR_SERVER));
	EXPECT_EQ(1, lease_see(self->fd).pins);
	EXPECT_EQ(0, ibv_dereg_mr(self->mr));
	self->mr = NULL;
	EXPECT_TRUE(peer_busy(&self->rig.other, 100));
	EXPECT_EQ(0, lease_drop(self->fd));
	EXPECT_EQ(0, peer_result(&self->rig.other, QUICK));
}

/* Deregister, drop, retake, register: the whole dance of a good server. */
TEST_F(pinned, a_cooperative_server_goes_on_afterwards)
{
	ASSERT_EQ(0, lease_take(self->fd, 0, 0, 0, self->rig.event));
	ASSERT_EQ(0, mr_reg(&self->nic, self->map, RIG_SIZE, MR_SERVER, &self->mr));
	ASSERT_EQ(0, rig_start(&self->rig, do_truncate, CUT, 0));
	ASSERT_EQ(1, lease_events(self->rig.event, QUICK));
	ASSERT_EQ(0, ibv_dereg_mr(self->mr));
	self->mr = NULL;
	ASSERT_EQ(0, lease_drop(self->fd));
	EXPECT_EQ(0, peer_result(&self->rig.other, QUICK));
	ASSERT_EQ(0, lease_take(self->fd, 0, 0, 0, self->rig.event));
	ASSERT_EQ(0, mr_reg(&self->nic, self->map, CUT, MR_SERVER, &self->mr));
	EXPECT_EQ(CUT / PAGE, lease_see(self->fd).pinned_pages);
}

TEST_F_TIMEOUT(pinned, a_deaf_server_loses_lease_and_pins, 60)
{
	ASSERT_EQ(0, break_time_set(1));
	ASSERT_EQ(0, lease_take(self->fd, 0, 0, 0, self->rig.event));
	ASSERT_EQ(0, mr_reg(&self->nic, self->map, RIG_SIZE, MR_SERVER, &self->mr));
	EXPECT_EQ(0, rig_other(&self->rig, do_truncate, 0, 0));
	EXPECT_LE(900, self->rig.other.ms);
	EXPECT_GT(1000 + QUICK, self->rig.other.ms);
	EXPECT_EQ(LAYOUT_REVOKED, lease_see(self->fd).state);
	EXPECT_EQ(0, lease_see(self->fd).pins);
	EXPECT_EQ(0, file_size(self->rig.path));
	EXPECT_EQ(0, ibv_dereg_mr(self->mr));
	self->mr = NULL;
}

TEST_F_TIMEOUT(pinned, unmapped_pins_are_found_and_revoked, 60)
{
	ASSERT_EQ(0, break_time_set(1));
	ASSERT_EQ(0, lease_take_all(self->fd));
	ASSERT_EQ(0, mr_reg(&self->nic, self->map, RIG_SIZE, MR_SERVER, &self->mr));
	ASSERT_EQ(0, munmap(self->map, RIG_SIZE));
	EXPECT_EQ(0, rig_other(&self->rig, do_punch, 0, RIG_SIZE));
	EXPECT_LE(900, self->rig.other.ms);
	EXPECT_EQ(LAYOUT_REVOKED, lease_see(self->fd).state);
}

TEST_HARNESS_MAIN
