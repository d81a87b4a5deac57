// SPDX-License-Identifier: GPL-2.0
/*
 * Neighbours of layout leases on the same file: ordinary leases, locks, and
 * io_uring.  What is stacked on a leased file is in stacked.c, an NFS server in
 * nfs.c.
 */
#include <errno.h>
#include <liburing.h>
#include <sys/file.h>

#include "kselftest_harness.h"
#include "lib/rig.h"

#define CUT	(4 * MIB)
#define SOON	env_ms(500)
#define NEWS	(SIGRTMIN + 3)

static int setlease(int fd, int arg)
{
	return fcntl(fd, F_SETLEASE, arg) ? -errno : 0;
}

static int getlease(int fd)
{
	int ret = fcntl(fd, F_GETLEASE);

	return ret < 0 ? -errno : ret;
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

/*
 * Ordinary leases
 */

FIXTURE(leases)
{
	struct rig rig;
	int fd;
};

ON_ALL(leases);

FIXTURE_SETUP(leases)
{
	lease_block_signal(NEWS);
	ASSERT_EQ(0, rig_open(&self->rig, variant->dir));
	self->fd = self->rig.fd;
}

FIXTURE_TEARDOWN(leases)
{
	rig_close(&self->rig);
}

TEST_F(leases, an_ordinary_one_asks_for_no_signal_of_the_other)
{
	ASSERT_EQ(0, lease_take(self->fd, 0, 0, 0, self->rig.event));
	ASSERT_EQ(0, setlease(self->fd, F_WRLCK));
	EXPECT_EQ(getpid(), fcntl(self->fd, F_GETOWN));
	ASSERT_EQ(0, setlease(self->fd, F_UNLCK));
	EXPECT_EQ(0, fcntl(self->fd, F_GETOWN));
	begin_break(&self->rig);
	EXPECT_EQ(1, lease_events(self->rig.event, QUICK));
	EXPECT_EQ(-EAGAIN, lease_signal(SIGIO, SOON));
	EXPECT_EQ(0, end_break(&self->rig));
}

static long await_sigio(void *arg, int fd)
{
	int ret = lease_signal(SIGIO, LONG);

	return ret < 0 ? ret : 0;
}

static long sigio_now(void *arg, int fd)
{
	return lease_signal(SIGIO, SOON);
}

TEST_F_TIMEOUT(leases, a_chosen_owner_outlives_an_ordinary_one, 60)
{
	ASSERT_EQ(0, fcntl(self->fd, F_SETOWN, self->rig.third.pid));
	ASSERT_EQ(0, lease_take(self->fd, 0, 0, 0, self->rig.event));
	ASSERT_EQ(0, setlease(self->fd, F_WRLCK));
	EXPECT_EQ(self->rig.third.pid, fcntl(self->fd, F_GETOWN));
	ASSERT_EQ(0, setlease(self->fd, F_UNLCK));
	EXPECT_EQ(self->rig.third.pid, fcntl(self->fd, F_GETOWN));
	ASSERT_EQ(0, peer_start(&self->rig.third, await_sigio, NULL, 0, -1));
	begin_break(&self->rig);
	EXPECT_EQ(0, peer_result(&self->rig.third, QUICK));
	EXPECT_EQ(1, lease_events(self->rig.event, QUICK));
	EXPECT_EQ(-EAGAIN, lease_signal(SIGIO, 0));
	EXPECT_EQ(0, end_break(&self->rig));
}

TEST_F_TIMEOUT(leases, an_owner_chosen_beside_an_ordinary_one_stays, 60)
{
	ASSERT_EQ(0, setlease(self->fd, F_WRLCK));
	ASSERT_EQ(0, lease_take(self->fd, 0, 0, 0, self->rig.event));
	ASSERT_EQ(0, fcntl(self->fd, F_SETOWN, self->rig.third.pid));
	ASSERT_EQ(0, setlease(self->fd, F_UNLCK));
	EXPECT_EQ(self->rig.third.pid, fcntl(self->fd, F_GETOWN));
	ASSERT_EQ(0, peer_start(&self->rig.third, await_sigio, NULL, 0, -1));
	begin_break(&self->rig);
	EXPECT_EQ(0, peer_result(&self->rig.third, QUICK));
	EXPECT_EQ(0, end_break(&self->rig));
}

TEST_F(leases, a_chosen_signal_outlives_an_ordinary_one)
{
	ASSERT_EQ(0, fcntl(self->fd, F_SETSIG, NEWS));
	ASSERT_EQ(0, lease_take(self->fd, 0, 0, 0, self->rig.event));
	ASSERT_EQ(0, setlease(self->fd, F_WRLCK));
	ASSERT_EQ(0, setlease(self->fd, F_UNLCK));
	EXPECT_EQ(NEWS, fcntl(self->fd, F_GETSIG));
	begin_break(&self->rig);
	EXPECT_EQ(self->fd, lease_signal(NEWS, QUICK));
	EXPECT_EQ(1, lease_events(self->rig.event, QUICK));
	EXPECT_EQ(0, end_break(&self->rig));
}

/* As ever: the end of an ordinary lease resets both. */
TEST_F(leases, an_ordinary_one_alone_takes_owner_and_signal_along)
{
	ASSERT_EQ(0, fcntl(self->fd, F_SETSIG, NEWS));
	ASSERT_EQ(0, fcntl(self->fd, F_SETOWN, self->rig.third.pid));
	ASSERT_EQ(0, setlease(self->fd, F_WRLCK));
	ASSERT_EQ(0, setlease(self->fd, F_UNLCK));
	EXPECT_EQ(0, fcntl(self->fd, F_GETOWN));
	EXPECT_EQ(0, fcntl(self->fd, F_GETSIG));
}

static int shared = -1;

static long take_ordinary(void *arg, int fd)
{
	shared = fd;
	return setlease(fd, F_WRLCK);
}

static long await_and_drop_ordinary(void *arg, int fd)
{
	int ret = lease_signal(SIGIO, LONG);

	return ret < 0 ? ret : setlease(shared, F_UNLCK);
}

/* The ordinary lease is broken first, and its taker told; then ours. */
TEST_F_TIMEOUT(leases, each_taker_is_told_of_his_own, 60)
{
	ASSERT_EQ(0, lease_take_all(self->fd));
	ASSERT_EQ(0, peer_call(&self->rig.third, take_ordinary, NULL, 0, self->fd));
	begin_break(&self->rig);
	EXPECT_EQ(-EAGAIN, lease_signal(SIGIO, SOON));
	EXPECT_EQ(LAYOUT_ACTIVE, lease_see(self->fd).state);
	EXPECT_EQ(0, peer_call(&self->rig.third, await_and_drop_ordinary, NULL, 0, -1));
	EXPECT_LE(0, lease_signal(SIGIO, QUICK));
	EXPECT_EQ(LAYOUT_BREAKING, lease_see(self->fd).state);
	EXPECT_EQ(-EAGAIN, peer_call(&self->rig.third, sigio_now, NULL, 0, -1));
	EXPECT_EQ(0, end_break(&self->rig));
}

TEST_F_TIMEOUT(leases, each_taker_is_told_of_his_own_in_the_other_order, 60)
{
	ASSERT_EQ(0, peer_call(&self->rig.third, take_ordinary, NULL, 0, self->fd));
	ASSERT_EQ(0, lease_take_all(self->fd));
	begin_break(&self->rig);
	EXPECT_EQ(0, peer_call(&self->rig.third, await_and_drop_ordinary, NULL, 0, -1));
	EXPECT_LE(0, lease_signal(SIGIO, QUICK));
	EXPECT_EQ(-EAGAIN, peer_call(&self->rig.third, sigio_now, NULL, 0, -1));
	EXPECT_EQ(0, end_break(&self->rig));
}

static long nobody_unlocks(void *arg, int fd)
{
	shared = fd;
	if (setgid(ENV_NOBODY) || setuid(ENV_NOBODY))
		return -errno;
	return setlease(fd, F_UNLCK);
}

static long unlock_layout(void *arg, int fd)
{
	return setlease(shared, F_UNLCK | F_LAYOUT);
}

/* F_UNLCK is for the ordinary lease if there is one, even where it is refused. */
TEST_F(leases, a_refused_unlck_is_not_taken_for_the_other)
{
	ASSERT_EQ(0, lease_take_all(self->fd));
	ASSERT_EQ(0, setlease(self->fd, F_WRLCK));
	EXPECT_EQ(-EACCES, peer_call(&self->rig.third, nobody_unlocks, NULL, 0, self->fd));
	EXPECT_EQ(LAYOUT_ACTIVE, lease_see(self->fd).state);
	EXPECT_EQ(F_WRLCK, getlease(self->fd));
	EXPECT_EQ(0, peer_call(&self->rig.third, unlock_layout, NULL, 0, -1));
	EXPECT_EQ(LAYOUT_NONE, lease_see(self->fd).state);
	EXPECT_EQ(F_WRLCK, getlease(self->fd));
}

static long open_nonblock(void *arg, int fd)
{
	struct cut *cut = arg;

	fd = file_open(cut->path, O_RDWR | O_NONBLOCK);
	return fd < 0 ? fd : close(fd);
}

TEST_F(leases, breaking_an_ordinary_one_leaves_the_other)
{
	ASSERT_EQ(0, lease_take(self->fd, 0, 0, 0, self->rig.event));
	ASSERT_EQ(0, setlease(self->fd, F_WRLCK));
	EXPECT_EQ(-EWOULDBLOCK, rig_other(&self->rig, open_nonblock, 0, 0));
	EXPECT_LE(0, lease_signal(SIGIO, QUICK));
	EXPECT_EQ(F_UNLCK, getlease(self->fd));
	EXPECT_TRUE(rig_undisturbed(&self->rig));
	ASSERT_EQ(0, setlease(self->fd, F_UNLCK));
	EXPECT_EQ(0, rig_other(&self->rig, open_nonblock, 0, 0));
	EXPECT_TRUE(rig_undisturbed(&self->rig));
}

/* Whoever breaks ours by an open file broke an ordinary one by opening it. */
TEST_F_TIMEOUT(leases, revoking_one_leaves_an_ordinary_one, 60)
{
	struct cut cut = cut_of(self->rig.path, CUT, 0);

	ASSERT_EQ(0, break_time_set(1));
	ASSERT_EQ(0, lease_take(self->fd, 0, 0, 0, self->rig.event));
	cut.flags = O_RDWR | O_NONBLOCK;
	ASSERT_EQ(-EWOULDBLOCK,
		  peer_call(&self->rig.other, do_ftruncate, &cut, sizeof(cut), -1));
	ASSERT_EQ(0, setlease(self->fd, F_WRLCK));
	EXPECT_EQ(0, lease_wait_state(self->fd, LAYOUT_REVOKED, 1000 + QUICK));
	EXPECT_EQ(F_WRLCK, getlease(self->fd));
	EXPECT_EQ(-EAGAIN, lease_signal(SIGIO, 0));
	EXPECT_EQ(1, report_locks(self->fd, "LEASE"));
	EXPECT_EQ(0, report_locks(self->fd, "LAYOUT"));
}

TEST_F(leases, both_are_listed)
{
	ASSERT_EQ(0, lease_take_unbreak(self->fd));
	EXPECT_EQ(0, report_locks(self->fd, "LEASE"));
	ASSERT_EQ(0, setlease(self->fd, F_WRLCK));
	EXPECT_EQ(1, report_locks(self->fd, "LEASE"));
	EXPECT_EQ(1, report_locks(self->fd, "LAYOUT"));
	ASSERT_EQ(0, setlease(self->fd, F_UNLCK | F_LAYOUT));
	EXPECT_EQ(1, report_locks(self->fd, "LEASE"));
	EXPECT_EQ(0, report_locks(self->fd, "LAYOUT"));
}

/*
 * Locks
 */

FIXTURE(locks)
{
	struct rig rig;
	int fd;
};

ON_ALL(locks);

FIXTURE_SETUP(locks)
{
	ASSERT_EQ(0, rig_open(&self->rig, variant->dir));
	self->fd = self->rig.fd;
}

FIXTURE_TEARDOWN(locks)
{
	rig_close(&self->rig);
}

enum { POSIX, OFD, FLOCK, KINDS };

static const char *const kinds[KINDS] = { "POSIX", "OFDLCK", "FLOCK" };

/* Lock or unlock all of a file, without waiting. */
static int lock(int fd, int kind, bool on)
{
	struct flock range = { .l_type = on ? F_WRLCK : F_UNLCK };

	if (kind == FLOCK)
		return flock(fd, on ? LOCK_EX | LOCK_NB : LOCK_UN) ? -errno : 0;
	return fcntl(fd, kind == OFD ? F_OFD_SETLK : F_SETLK, &range) ? -errno : 0;
}

/* Who would be in the way of a POSIX lock on all of it: 0, a pid, -1 for OFD locks. */
static long in_the_way(void *arg, int fd)
{
	struct flock range = { .l_type = F_WRLCK };
	struct cut *cut = arg;
	int ret;

	fd = file_open(cut->path, O_RDWR);
	ret = fcntl(fd, F_GETLK, &range) ? -errno : 0;
	close(fd);
	return ret ? ret : range.l_type == F_UNLCK ? 0 : range.l_pid;
}

/* @cut->start says the kind of lock; its file stays open. */
static long lock_all(void *arg, int fd)
{
	struct cut *cut = arg;

	if (shared < 0)
		shared = file_open(cut->path, O_RDWR);
	return shared < 0 ? shared : lock(shared, cut->start, true);
}

static long unlock_all(void *arg, int fd)
{
	struct cut *cut = arg;

	return lock(shared, cut->start, false);
}

TEST_F(locks, a_lease_is_no_lock)
{
	int kind;

	ASSERT_EQ(0, lease_take(self->fd, LAYOUT_LEASE_UNBREAK, 0, 0, self->rig.event));
	EXPECT_EQ(0, rig_other(&self->rig, in_the_way, 0, 0));
	for (kind = 0; kind < KINDS; kind++) {
		EXPECT_EQ(0, rig_other(&self->rig, lock_all, kind, 0))
			TH_LOG("%s", kinds[kind]);
		EXPECT_EQ(1, report_locks(self->fd, kinds[kind]));
		EXPECT_EQ(0, rig_other(&self->rig, unlock_all, kind, 0));
	}
	EXPECT_TRUE(rig_undisturbed(&self->rig));
}

TEST_F(locks, others_see_the_lock_beside_the_lease)
{
	ASSERT_EQ(0, lease_take(self->fd, LAYOUT_LEASE_UNBREAK, 0, 0, self->rig.event));
	ASSERT_EQ(0, lock(self->fd, POSIX, true));
	EXPECT_EQ(getpid(), rig_other(&self->rig, in_the_way, 0, 0));
	ASSERT_EQ(0, lock(self->fd, POSIX, false));
	ASSERT_EQ(0, lock(self->fd, OFD, true));
	EXPECT_EQ(-1, rig_other(&self->rig, in_the_way, 0, 0));
	ASSERT_EQ(0, lock(self->fd, OFD, false));
	EXPECT_EQ(0, rig_other(&self->rig, in_the_way, 0, 0));
	EXPECT_TRUE(rig_undisturbed(&self->rig));
}

TEST_F(locks, unlocking_leaves_the_lease)
{
	int kind, fd;

	ASSERT_EQ(0, lease_take(self->fd, 0, 0, 0, self->rig.event));
	for (kind = 0; kind < KINDS; kind++) {
		ASSERT_EQ(0, lock(self->fd, kind, true));
		EXPECT_EQ(1, report_locks(self->fd, kinds[kind]));
		EXPECT_EQ(1, report_locks(self->fd, "LAYOUT"));
		ASSERT_EQ(0, lock(self->fd, kind, false));
		EXPECT_EQ(0, report_locks(self->fd, kinds[kind]));
	}
	/* closing any description ends the POSIX locks of the process */
	ASSERT_EQ(0, lock(self->fd, POSIX, true));
	fd = file_open(self->rig.path, O_RDONLY);
	ASSERT_LE(0, fd);
	close(fd);
	EXPECT_EQ(0, rig_other(&self->rig, in_the_way, 0, 0));
	EXPECT_TRUE(rig_undisturbed(&self->rig));
}

TEST_F(locks, the_end_of_a_lease_leaves_the_locks)
{
	int kind;

	ASSERT_EQ(0, lease_take_all(self->fd));
	for (kind = 0; kind < KINDS; kind++) {
		ASSERT_EQ(0, lock(self->fd, kind, true));
		ASSERT_EQ(0, lease_drop(self->fd));
		EXPECT_EQ(1, report_locks(self->fd, kinds[kind]));
		ASSERT_EQ(0, lease_take_all(self->fd));
		ASSERT_EQ(0, lease_revoke(self->fd, 0));
		EXPECT_EQ(1, report_locks(self->fd, kinds[kind]));
		ASSERT_EQ(0, lock(self->fd, kind, false));
		ASSERT_EQ(0, lease_take_all(self->fd));
	}
}

TEST_F(locks, a_break_waits_for_the_holder_not_for_locks)
{
	struct cut cut = cut_of(self->rig.path, POSIX, 0);

	ASSERT_EQ(0, lease_take(self->fd, 0, 0, 0, self->rig.event));
	ASSERT_EQ(0, peer_call(&self->rig.third, lock_all, &cut, sizeof(cut), -1));
	cut.start = FLOCK;
	ASSERT_EQ(0, peer_call(&self->rig.third, lock_all, &cut, sizeof(cut), -1));
	begin_break(&self->rig);
	EXPECT_EQ(1, lease_events(self->rig.event, QUICK));
	EXPECT_TRUE(peer_busy(&self->rig.other, 200));
	EXPECT_EQ(self->rig.third.pid, in_the_way(&cut, -1));
	EXPECT_EQ(0, end_break(&self->rig));
	EXPECT_EQ(CUT, file_size(self->rig.path));
	EXPECT_EQ(self->rig.third.pid, in_the_way(&cut, -1));
}

/*
 * io_uring, whose workers do what blocks
 */

FIXTURE(ring)
{
	struct rig rig;
	int fd;
};

ON_ALL(ring);

FIXTURE_SETUP(ring)
{
	ASSERT_EQ(0, rig_open(&self->rig, variant->dir));
	self->fd = self->rig.fd;
}

FIXTURE_TEARDOWN(ring)
{
	rig_close(&self->rig);
}

/* IORING_OP_FTRUNCATE, which the library of Debian 12 does not know */
#define RING_FTRUNCATE	55

/* What a ring says to an operation on a description of its own. */
static long by_ring(struct cut *cut, bool punch)
{
	struct io_uring_cqe *cqe;
	struct io_uring_sqe *sqe;
	struct io_uring ring;
	int fd = file_open(cut->path, O_RDWR), ret;

	if (fd < 0)
		return fd;
	ret = io_uring_queue_init(4, &ring, 0);
	if (ret)
		goto out;
	sqe = io_uring_get_sqe(&ring);
	if (punch)
		io_uring_prep_fallocate(sqe, fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
					cut->start, cut->len);
	else
		io_uring_prep_rw(RING_FTRUNCATE, sqe, fd, NULL, 0, cut->start);
	ret = io_uring_submit_and_wait(&ring, 1);
	if (ret >= 0)
		ret = io_uring_wait_cqe(&ring, &cqe);
	if (!ret)
		ret = cqe->res;
	io_uring_queue_exit(&ring);
out:
	close(fd);
	return ret;
}

static long ring_punch(void *arg, int fd)
{
	return by_ring(arg, true);
}

static long ring_ftruncate(void *arg, int fd)
{
	return by_ring(arg, false);
}

static const peer_fn ring_cuts[] = { ring_punch, ring_ftruncate };

#define for_each_ring_cut(fn)	\
	for (fn = ring_cuts; fn < ring_cuts + ARRAY_SIZE(ring_cuts); fn++)

TEST_F_TIMEOUT(ring, a_cut_by_another_waits_for_the_holder, 60)
{
	const peer_fn *fn;

	for_each_ring_cut(fn) {
		ASSERT_EQ(0, lease_take(self->fd, 0, 0, 0, self->rig.event));
		ASSERT_EQ(0, rig_start(&self->rig, *fn, CUT, MIB));
		EXPECT_EQ(1, lease_events(self->rig.event, QUICK));
		EXPECT_TRUE(peer_busy(&self->rig.other, 200));
		EXPECT_EQ(LAYOUT_BREAKING, lease_see(self->fd).state);
		EXPECT_EQ(RIG_SIZE, file_size(self->rig.path));
		EXPECT_EQ(0, end_break(&self->rig));
	}
	EXPECT_EQ(CUT, file_size(self->rig.path));
}

TEST_F_TIMEOUT(ring, a_cut_by_another_ends_a_deaf_lease, 60)
{
	const peer_fn *fn;

	ASSERT_EQ(0, break_time_set(1));
	for_each_ring_cut(fn) {
		ASSERT_EQ(0, lease_take_all(self->fd));
		EXPECT_EQ(0, rig_other(&self->rig, *fn, CUT, MIB));
		EXPECT_LE(900, self->rig.other.ms);
		EXPECT_EQ(LAYOUT_REVOKED, lease_see(self->fd).state);
	}
}

TEST_F(ring, an_unbreakable_lease_refuses_it)
{
	const peer_fn *fn;

	ASSERT_EQ(0, lease_take(self->fd, LAYOUT_LEASE_UNBREAK, 0, 0, self->rig.event));
	for_each_ring_cut(fn)
		EXPECT_EQ(-ETXTBSY, rig_other(&self->rig, *fn, CUT, MIB));
	EXPECT_EQ(2, lease_see(self->fd).denied);
	EXPECT_TRUE(rig_untouched(&self->rig));
}

TEST_F(ring, a_killed_process_takes_its_waiting_cut_along)
{
	ASSERT_EQ(0, lease_take(self->fd, 0, 0, 0, self->rig.event));
	ASSERT_EQ(0, rig_start(&self->rig, ring_punch, CUT, MIB));
	ASSERT_EQ(1, lease_events(self->rig.event, QUICK));
	EXPECT_EQ(0, peer_kill(&self->rig.other, QUICK));
	EXPECT_EQ(0, lease_drop(self->fd));
	EXPECT_TRUE(rig_untouched(&self->rig));
}

TEST_F(ring, the_holders_own_lease_is_no_obstacle)
{
	struct cut cut = cut_of(self->rig.path, CUT, MIB);
	const peer_fn *fn;

	ASSERT_EQ(0, lease_take(self->fd, LAYOUT_LEASE_UNBREAK, 0, 0, self->rig.event));
	for_each_ring_cut(fn)
		EXPECT_EQ(0, (*fn)(&cut, -1));
	EXPECT_EQ(CUT, file_size(self->rig.path));
	EXPECT_TRUE(rig_undisturbed(&self->rig));
}

/* With pins, which need DAX. */
FIXTURE(ring_and_pins)
{
	struct rig rig;
	struct nic nic;
	struct ibv_mr *mr;
	int fd;
};

ON_DAX(ring_and_pins);

FIXTURE_SETUP(ring_and_pins)
{
	char *map;

	ASSERT_EQ(0, rig_open(&self->rig, variant->dir));
	self->fd = self->rig.fd;
	ASSERT_EQ(0, nic_open(&self->nic, ENV_RXE));
	ASSERT_EQ(0, lease_take(self->fd, 0, 0, 0, self->rig.event));
	map = file_map(self->fd, RIG_SIZE);
	ASSERT_NE(NULL, map);
	ASSERT_EQ(0, mr_reg(&self->nic, map, RIG_SIZE, MR_SERVER, &self->mr));
}

FIXTURE_TEARDOWN(ring_and_pins)
{
	if (self->mr)
		ibv_dereg_mr(self->mr);
	nic_close(&self->nic);
	rig_close(&self->rig);
}

TEST_F(ring_and_pins, over_the_holders_own_it_is_edeadlk)
{
	struct cut cut = cut_of(self->rig.path, CUT, MIB);
	const peer_fn *fn;

	for_each_ring_cut(fn)
		EXPECT_EQ(-EDEADLK, (*fn)(&cut, -1));
	EXPECT_TRUE(rig_untouched(&self->rig));
	EXPECT_EQ(1, lease_see(self->fd).pins);
}

TEST_HARNESS_MAIN
