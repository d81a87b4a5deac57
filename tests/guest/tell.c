// SPDX-License-Identifier: GPL-2.0
/*
 * How the holder is told of a break: by eventfd, by SIGIO, by the signal and
 * to the process it chose, and never a stranger.
 */
#include <errno.h>
#include <signal.h>
#include <sys/epoll.h>

#include "kselftest_harness.h"
#include "lib/rig.h"

#define CUT	(4 * MIB)
#define SOON	env_ms(500)

FIXTURE(tell)
{
	struct rig rig;
	int fd;
};

ON_ALL(tell);

FIXTURE_SETUP(tell)
{
	lease_block_signal(SIGRTMIN + 3);
	ASSERT_EQ(0, rig_open(&self->rig, variant->dir));
	self->fd = self->rig.fd;
}

FIXTURE_TEARDOWN(tell)
{
	rig_close(&self->rig);
}

/* Begin a break, and end it by dropping once the test has looked. */
static void begin_break(struct rig *rig)
{
	rig_start(rig, do_truncate, CUT, 0);
}

static long end_break(struct rig *rig)
{
	int ret = lease_drop(rig->fd);

	return ret ? ret : peer_result(&rig->other, QUICK);
}

TEST_F(tell, sigio_goes_to_the_taker)
{
	ASSERT_EQ(0, lease_take_all(self->fd));
	begin_break(&self->rig);
	EXPECT_LE(0, lease_signal(SIGIO, QUICK));
	EXPECT_EQ(-EAGAIN, lease_signal(SIGIO, SOON));
	EXPECT_EQ(0, end_break(&self->rig));
}

TEST_F(tell, short_form_tells_by_sigio)
{
	ASSERT_EQ(0, fcntl(self->fd, F_SETLEASE, F_LAYOUT));
	begin_break(&self->rig);
	EXPECT_LE(0, lease_signal(SIGIO, QUICK));
	EXPECT_EQ(0, end_break(&self->rig));
}

TEST_F(tell, an_eventfd_is_enough)
{
	ASSERT_EQ(0, lease_take(self->fd, 0, 0, 0, self->rig.event));
	begin_break(&self->rig);
	EXPECT_EQ(1, lease_events(self->rig.event, QUICK));
	EXPECT_EQ(-EAGAIN, lease_signal(SIGIO, SOON));
	EXPECT_EQ(0, end_break(&self->rig));
}

TEST_F(tell, a_chosen_signal_names_the_descriptor)
{
	ASSERT_EQ(0, fcntl(self->fd, F_SETSIG, SIGRTMIN + 3));
	ASSERT_EQ(0, lease_take_all(self->fd));
	begin_break(&self->rig);
	EXPECT_EQ(self->fd, lease_signal(SIGRTMIN + 3, QUICK));
	EXPECT_EQ(-EAGAIN, lease_signal(SIGIO, 0));
	EXPECT_EQ(0, end_break(&self->rig));
}

TEST_F(tell, a_chosen_signal_comes_beside_the_eventfd)
{
	ASSERT_EQ(0, fcntl(self->fd, F_SETSIG, SIGRTMIN + 3));
	ASSERT_EQ(0, lease_take(self->fd, 0, 0, 0, self->rig.event));
	begin_break(&self->rig);
	EXPECT_EQ(self->fd, lease_signal(SIGRTMIN + 3, QUICK));
	EXPECT_EQ(1, lease_events(self->rig.event, QUICK));
	EXPECT_EQ(0, end_break(&self->rig));
}

static long await_sigio(void *arg, int fd)
{
	int ret = lease_signal(SIGIO, LONG);

	return ret < 0 ? ret : 0;
}

TEST_F_TIMEOUT(tell, a_chosen_owner_gets_it_instead, 60)
{
	ASSERT_EQ(0, lease_take_all(self->fd));
	ASSERT_EQ(0, fcntl(self->fd, F_SETOWN, self->rig.third.pid));
	ASSERT_EQ(0, peer_start(&self->rig.third, await_sigio, NULL, 0, -1));
	begin_break(&self->rig);
	EXPECT_EQ(0, peer_result(&self->rig.third, QUICK));
	EXPECT_EQ(-EAGAIN, lease_signal(SIGIO, SOON));
	EXPECT_EQ(0, end_break(&self->rig));
}

TEST_F_TIMEOUT(tell, an_owner_chosen_before_the_take_stays, 60)
{
	ASSERT_EQ(0, fcntl(self->fd, F_SETOWN, self->rig.third.pid));
	ASSERT_EQ(0, lease_take_all(self->fd));
	ASSERT_EQ(0, peer_start(&self->rig.third, await_sigio, NULL, 0, -1));
	begin_break(&self->rig);
	EXPECT_EQ(0, peer_result(&self->rig.third, QUICK));
	EXPECT_EQ(-EAGAIN, lease_signal(SIGIO, SOON));
	EXPECT_EQ(0, end_break(&self->rig));
}

TEST_F_TIMEOUT(tell, when_the_chosen_owner_is_gone_the_taker_is_told, 60)
{
	ASSERT_EQ(0, lease_take_all(self->fd));
	ASSERT_EQ(0, fcntl(self->fd, F_SETOWN, self->rig.third.pid));
	ASSERT_EQ(0, peer_kill(&self->rig.third, LONG));
	begin_break(&self->rig);
	EXPECT_LE(0, lease_signal(SIGIO, QUICK));
	EXPECT_EQ(0, end_break(&self->rig));
}

TEST_F(tell, when_the_taker_is_gone_a_living_holder_is_told)
{
	int status;
	pid_t pid = fork();

	if (!pid)
		_exit(lease_take_all(self->fd) ? 1 : 0);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	ASSERT_EQ(0, status);
	begin_break(&self->rig);
	EXPECT_LE(0, lease_signal(SIGIO, QUICK));
	EXPECT_EQ(0, end_break(&self->rig));
}

/* An ordinary user takes a lease on his file and names root as who to signal. */
static long nobody_names_root(void *arg, int fd)
{
	pid_t victim = getppid();

	if (setgid(ENV_NOBODY) || setuid(ENV_NOBODY))
		return -errno;
	if (fcntl(fd, F_SETOWN, victim))
		return -errno;
	return lease_take_all(fd);
}

TEST_F(tell, a_stranger_is_never_signalled)
{
	int fd = file_open(self->rig.path, O_RDWR);

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, fchown(fd, ENV_NOBODY, ENV_NOBODY));
	ASSERT_EQ(0, peer_call(&self->rig.third, nobody_names_root, NULL, 0, fd));
	begin_break(&self->rig);
	ASSERT_EQ(0, lease_wait_state(fd, LAYOUT_BREAKING, QUICK));
	EXPECT_EQ(-EAGAIN, lease_signal(SIGIO, SOON));
	ASSERT_EQ(0, lease_drop(fd));
	EXPECT_EQ(0, peer_result(&self->rig.other, QUICK));
	close(fd);
}

TEST_F(tell, dropping_an_ordinary_lease_leaves_the_signal_owner)
{
	ASSERT_EQ(0, fcntl(self->fd, F_SETLEASE, F_WRLCK));
	ASSERT_EQ(0, lease_take_all(self->fd));
	ASSERT_EQ(0, fcntl(self->fd, F_SETLEASE, F_UNLCK));
	begin_break(&self->rig);
	EXPECT_LE(0, lease_signal(SIGIO, QUICK));
	EXPECT_EQ(0, end_break(&self->rig));
}

TEST_F_TIMEOUT(tell, a_poll_loop_sees_begun_and_revoked, 60)
{
	struct epoll_event want = { .events = EPOLLIN }, got;
	int poll = epoll_create1(0);

	ASSERT_EQ(0, epoll_ctl(poll, EPOLL_CTL_ADD, self->rig.event, &want));
	ASSERT_EQ(0, break_time_set(1));
	ASSERT_EQ(0, lease_take(self->fd, 0, 0, 0, self->rig.event));
	begin_break(&self->rig);
	ASSERT_EQ(1, epoll_wait(poll, &got, 1, QUICK));
	EXPECT_EQ(1, lease_events(self->rig.event, 0));
	EXPECT_EQ(LAYOUT_BREAKING, lease_see(self->fd).state);
	ASSERT_EQ(1, epoll_wait(poll, &got, 1, 1000 + QUICK));
	EXPECT_EQ(1, lease_events(self->rig.event, 0));
	EXPECT_EQ(LAYOUT_REVOKED, lease_see(self->fd).state);
	EXPECT_EQ(0, peer_result(&self->rig.other, QUICK));
	close(poll);
}

TEST_F(tell, each_refused_operation_is_an_event)
{
	int i;

	ASSERT_EQ(0, lease_take(self->fd, LAYOUT_LEASE_UNBREAK, 0, 0, self->rig.event));
	for (i = 0; i < 3; i++)
		EXPECT_EQ(-ETXTBSY, rig_other(&self->rig, do_truncate, CUT, 0));
	EXPECT_EQ(3, lease_events(self->rig.event, QUICK));
	EXPECT_EQ(3, lease_see(self->fd).denied);
	EXPECT_EQ(-EAGAIN, lease_signal(SIGIO, 0));
}

TEST_HARNESS_MAIN
