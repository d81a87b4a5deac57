// SPDX-License-Identifier: GPL-2.0
/*
 * Dropping a lease that has pins: DROP waits for the last one, and what that
 * wait looks like to everybody else.
 */
#include <errno.h>
#include <signal.h>

#include "kselftest_harness.h"
#include "lib/rig.h"

FIXTURE(drain)
{
	struct rig rig;
	struct nic nic;
	struct ibv_mr *mr;
	int fd;
	char *map;
};

ON_DAX(drain);

FIXTURE_SETUP(drain)
{
	ASSERT_EQ(0, rig_open(&self->rig, variant->dir));
	self->fd = self->rig.fd;
	self->map = file_map(self->fd, RIG_SIZE);
	ASSERT_NE(NULL, self->map);
	ASSERT_EQ(0, nic_open(&self->nic, ENV_RXE));
	ASSERT_EQ(0, lease_take(self->fd, 0, 0, 0, self->rig.event));
	ASSERT_EQ(0, mr_reg(&self->nic, self->map, MIB, MR_SERVER, &self->mr));
}

FIXTURE_TEARDOWN(drain)
{
	if (self->mr)
		ibv_dereg_mr(self->mr);
	nic_close(&self->nic);
	rig_close(&self->rig);
}

static void on_signal(int signo)
{
}

/* In the other process, through the description it is sent. */
static long drop_sent(void *arg, int fd)
{
	struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_RESTART };
	int ret;

	sigaction(SIGUSR2, &action, NULL);
	ret = lease_drop(fd);
	close(fd);
	return ret;
}

static long unlck_sent(void *arg, int fd)
{
	int ret = fcntl(fd, F_SETLEASE, F_UNLCK) ? -errno : 0;

	close(fd);
	return ret;
}

/* Let the other process drop, and see it wait. */
static int start_drop(struct rig *rig, peer_fn fn)
{
	int ret = peer_start(&rig->other, fn, NULL, 0, rig->fd);

	if (!ret)
		ret = lease_wait_state(rig->fd, LAYOUT_DRAINING, QUICK);
	if (!ret)
		ret = peer_busy(&rig->other, 100) ? 0 : -ENOTBLK;
	return ret;
}

TEST_F(drain, waits_for_the_last_pin)
{
	struct ibv_mr *second;

	ASSERT_EQ(0, mr_reg(&self->nic, self->map + 2 * MIB, PAGE, MR_SERVER, &second));
	ASSERT_EQ(0, start_drop(&self->rig, drop_sent));
	ASSERT_EQ(0, ibv_dereg_mr(self->mr));
	self->mr = NULL;
	EXPECT_TRUE(peer_busy(&self->rig.other, 200));
	EXPECT_EQ(LAYOUT_DRAINING, lease_see(self->fd).state);
	EXPECT_EQ(1, lease_see(self->fd).pins);
	ASSERT_EQ(0, ibv_dereg_mr(second));
	EXPECT_EQ(0, peer_result(&self->rig.other, QUICK));
	EXPECT_EQ(LAYOUT_NONE, lease_see(self->fd).state);
}

TEST_F(drain, short_form_waits_too)
{
	ASSERT_EQ(0, start_drop(&self->rig, unlck_sent));
	ASSERT_EQ(0, ibv_dereg_mr(self->mr));
	self->mr = NULL;
	EXPECT_EQ(0, peer_result(&self->rig.other, QUICK));
	EXPECT_EQ(LAYOUT_NONE, lease_see(self->fd).state);
}

TEST_F(drain, takes_no_pins_no_second_drop_no_change)
{
	ASSERT_EQ(0, start_drop(&self->rig, drop_sent));
	EXPECT_EQ(-EAGAIN, mr_try(&self->nic, self->map, PAGE, MR_SERVER));
	EXPECT_EQ(-EAGAIN, lease_drop(self->fd));
	EXPECT_EQ(-EAGAIN, lease_take_all(self->fd));
	EXPECT_EQ(LAYOUT_DRAINING, lease_see(self->fd).state);
	ASSERT_EQ(0, ibv_dereg_mr(self->mr));
	self->mr = NULL;
	EXPECT_EQ(0, peer_result(&self->rig.other, QUICK));
}

TEST_F(drain, a_nonblocking_description_does_not_wait)
{
	ASSERT_EQ(0, fcntl(self->fd, F_SETFL, O_NONBLOCK));
	EXPECT_EQ(-EAGAIN, lease_drop(self->fd));
	EXPECT_EQ(LAYOUT_ACTIVE, lease_see(self->fd).state);
	EXPECT_EQ(0, mr_try(&self->nic, self->map, PAGE, MR_SERVER));
	ASSERT_EQ(0, ibv_dereg_mr(self->mr));
	self->mr = NULL;
	EXPECT_EQ(0, lease_drop(self->fd));
}

TEST_F(drain, a_signal_makes_it_active_again)
{
	ASSERT_EQ(0, start_drop(&self->rig, drop_sent));
	peer_interrupt(&self->rig.other);
	EXPECT_EQ(-EINTR, peer_result(&self->rig.other, QUICK));
	EXPECT_EQ(LAYOUT_ACTIVE, lease_see(self->fd).state);
	EXPECT_EQ(0, mr_try(&self->nic, self->map, PAGE, MR_SERVER));
	EXPECT_EQ(1, lease_see(self->fd).pins);
}

TEST_F(drain, a_restarting_signal_goes_on_waiting)
{
	ASSERT_EQ(0, start_drop(&self->rig, drop_sent));
	kill(self->rig.other.pid, SIGUSR2);
	EXPECT_TRUE(peer_busy(&self->rig.other, 300));
	EXPECT_EQ(0, lease_wait_state(self->fd, LAYOUT_DRAINING, QUICK));
	ASSERT_EQ(0, ibv_dereg_mr(self->mr));
	self->mr = NULL;
	EXPECT_EQ(0, peer_result(&self->rig.other, QUICK));
}

TEST_F(drain, a_killed_dropper_leaves_the_lease_active)
{
	ASSERT_EQ(0, start_drop(&self->rig, drop_sent));
	ASSERT_EQ(0, peer_kill(&self->rig.other, QUICK));
	EXPECT_EQ(0, lease_wait_state(self->fd, LAYOUT_ACTIVE, QUICK));
	EXPECT_EQ(1, lease_see(self->fd).pins);
}

TEST_F(drain, a_revoked_lease_is_a_dropped_one)
{
	ASSERT_EQ(0, start_drop(&self->rig, drop_sent));
	EXPECT_EQ(0, lease_revoke(self->fd, 0));
	EXPECT_EQ(0, peer_result(&self->rig.other, QUICK));
	EXPECT_EQ(LAYOUT_REVOKED, lease_see(self->fd).state);
	EXPECT_EQ(0, lease_see(self->fd).pins);
}

TEST_F_TIMEOUT(drain, a_breaker_does_not_wait_longer_for_it, 60)
{
	struct cut cut = cut_of(self->rig.path, 0, 0);

	ASSERT_EQ(0, break_time_set(1));
	ASSERT_EQ(0, start_drop(&self->rig, drop_sent));
	EXPECT_EQ(0, peer_call(&self->rig.third, do_truncate, &cut, sizeof(cut), -1));
	EXPECT_LE(900, self->rig.third.ms);
	EXPECT_GT(1000 + QUICK, self->rig.third.ms);
	EXPECT_EQ(0, peer_result(&self->rig.other, QUICK));
	EXPECT_EQ(LAYOUT_REVOKED, lease_see(self->fd).state);
	EXPECT_EQ(0, file_size(self->rig.path));
}

TEST_HARNESS_MAIN
