// SPDX-License-Identifier: GPL-2.0
/*
 * Races, forced where they can be: a registration is held in its middle by a
 * fault that user space does not answer, while somebody breaks, revokes,
 * closes; and hammered where they cannot.  Every wait is bounded.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "kselftest_harness.h"
#include "lib/heldreg.h"
#include "lib/report.h"
#include "lib/rig.h"

#define ROUNDS	(getenv("FLAYOUT_SLOW") ? 30 : 100)

FIXTURE(held)
{
	struct rig rig;
	struct nic nic;
	struct heldreg reg;
	int fd;
};

/* Both orders: pages of the file pinned before the fault, or not yet. */
FIXTURE_VARIANT(held)
{
	const char *dir;
	bool pages_first;
};

FIXTURE_VARIANT_ADD(held, ext4_before) { .dir = ENV_EXT4, .pages_first = false };
FIXTURE_VARIANT_ADD(held, ext4_after) { .dir = ENV_EXT4, .pages_first = true };
FIXTURE_VARIANT_ADD(held, xfs_before) { .dir = ENV_XFS, .pages_first = false };
FIXTURE_VARIANT_ADD(held, xfs_after) { .dir = ENV_XFS, .pages_first = true };

FIXTURE_SETUP(held)
{
	self->reg.uffd = -1;
	ASSERT_EQ(0, rig_open(&self->rig, variant->dir));
	self->fd = self->rig.fd;
	ASSERT_EQ(0, nic_open(&self->nic, ENV_RXE));
	ASSERT_EQ(0, lease_take(self->fd, 0, 0, 0, self->rig.event));
	ASSERT_EQ(0, heldreg_start(&self->reg, &self->nic, self->fd, 4 * MIB,
				   variant->pages_first));
}

FIXTURE_TEARDOWN(held)
{
	heldreg_end(&self->reg);
	nic_close(&self->nic);
	rig_close(&self->rig);
}

TEST_F(held, left_alone_it_succeeds)
{
	usleep(100000);
	EXPECT_EQ(0, heldreg_finish(&self->reg));
	EXPECT_EQ(1, lease_see(self->fd).pins);
	EXPECT_EQ(4 * MIB / PAGE, lease_see(self->fd).pinned_pages);
}

TEST_F(held, its_lease_is_no_longer_free_to_drop)
{
	ASSERT_EQ(0, fcntl(self->fd, F_SETFL, O_NONBLOCK));
	EXPECT_EQ(-EAGAIN, lease_drop(self->fd));
	EXPECT_EQ(0, heldreg_finish(&self->reg));
	EXPECT_EQ(1, lease_see(self->fd).pins);
}

TEST_F_TIMEOUT(held, a_break_does_not_wait_for_it, 60)
{
	ASSERT_EQ(0, break_time_set(1));
	EXPECT_EQ(0, rig_other(&self->rig, do_truncate, 0, 0));
	EXPECT_GT(1000 + QUICK, self->rig.other.ms);
	EXPECT_EQ(LAYOUT_REVOKED, lease_see(self->fd).state);
	EXPECT_EQ(0, lease_see(self->fd).pins);
	EXPECT_EQ(0, lease_see(self->fd).pinned_pages);
	EXPECT_GT(0, heldreg_finish(&self->reg));
	EXPECT_EQ(0, file_size(self->rig.path));
	EXPECT_EQ(0, lease_see(self->fd).pinned_pages);
}

TEST_F(held, a_break_at_once_does_not_wait_for_it)
{
	ASSERT_EQ(0, break_time_set(0));
	EXPECT_EQ(0, rig_other(&self->rig, do_punch, 0, RIG_SIZE));
	EXPECT_GT(QUICK, self->rig.other.ms);
	EXPECT_GT(0, heldreg_finish(&self->reg));
	EXPECT_TRUE(file_is(self->rig.path, 0, RIG_SIZE, 0));
}

TEST_F(held, a_revoke_does_not_wait_for_it)
{
	unsigned long start = now_ms();
	char memory[PAGE];

	EXPECT_EQ(0, lease_revoke(self->fd, 0));
	EXPECT_GT(QUICK, now_ms() - start);
	EXPECT_EQ(LAYOUT_REVOKED, lease_see(self->fd).state);
	EXPECT_GT(0, heldreg_finish(&self->reg));
	EXPECT_EQ(0, mr_try(&self->nic, memory, sizeof(memory), MR_SERVER));
}

/* Even if a new lease has been taken meanwhile: the old promise is gone. */
TEST_F(held, a_killed_one_does_not_wake_up_on_a_new_lease)
{
	ASSERT_EQ(0, lease_revoke(self->fd, 0));
	ASSERT_EQ(0, lease_take_all(self->fd));
	EXPECT_GT(0, heldreg_finish(&self->reg));
	EXPECT_EQ(LAYOUT_ACTIVE, lease_see(self->fd).state);
	EXPECT_EQ(0, lease_see(self->fd).pins);
	EXPECT_EQ(0, lease_see(self->fd).pinned_pages);
}

/*
 * The buffer file ends under the registration: the file's part of the area is
 * replaced while the command runs.  The close must not wait for the fault.
 */
TEST_F(held, a_close_does_not_wait_for_it)
{
	unsigned long start = now_ms();
	char memory[PAGE];

	ASSERT_EQ(0, heldreg_leave_file(&self->reg));
	close(self->fd);
	self->rig.fd = -1;
	EXPECT_GT(QUICK, now_ms() - start);
	EXPECT_GT(0, heldreg_finish(&self->reg));
	EXPECT_EQ(-EIO, mr_try(&self->nic, memory, sizeof(memory), MR_SERVER));
}

/* The mapping goes away, the lease stays: the pages of nobody's file are not pinned. */
TEST_F(held, unmapping_under_it_leaves_the_counters_right)
{
	char *file = variant->pages_first ? self->reg.area : self->reg.area + PAGE;
	int ret;

	ASSERT_EQ(0, munmap(file, 4 * MIB));
	ret = heldreg_finish(&self->reg);
	EXPECT_EQ(ret ? 0 : 1, lease_see(self->fd).pins);
	EXPECT_EQ(ret ? 0 : 4 * MIB / PAGE, lease_see(self->fd).pinned_pages);
	EXPECT_EQ(LAYOUT_ACTIVE, lease_see(self->fd).state);
}

static long register_held(void *arg, int fd)
{
	struct cut *cut = arg;
	static struct heldreg reg;	/* its thread goes on when we return */
	static struct nic nic;
	int ret = nic_open(&nic, ENV_RXE);

	fd = file_open(cut->path, O_RDWR);
	if (ret || fd < 0)
		return ret ? ret : fd;
	ret = lease_take_all(fd);
	return ret ? ret : heldreg_start(&reg, &nic, fd, 4 * MIB, cut->flags);
}

TEST_F(held, a_killed_process_takes_its_registration_along)
{
	struct cut cut = cut_of(self->rig.path, 0, 0);

	cut.flags = variant->pages_first;
	ASSERT_EQ(0, peer_call(&self->rig.third, register_held, &cut, sizeof(cut), -1));
	EXPECT_EQ(0, peer_kill(&self->rig.third, QUICK));
	EXPECT_EQ(0, heldreg_finish(&self->reg));
	heldreg_end(&self->reg);
	EXPECT_EQ(0, lease_drop(self->fd));
	EXPECT_EQ(0, rig_other(&self->rig, do_truncate, 0, 0));
	EXPECT_GT(QUICK, self->rig.other.ms);
}

FIXTURE(hammer)
{
	struct rig rig;
	struct nic nic;
	char *map;
	int fd;
};

ON_DAX(hammer);

FIXTURE_SETUP(hammer)
{
	ASSERT_EQ(0, rig_open(&self->rig, variant->dir));
	self->fd = self->rig.fd;
	self->map = file_map(self->fd, RIG_SIZE);
	ASSERT_NE(NULL, self->map);
	ASSERT_EQ(0, nic_open(&self->nic, ENV_RXE));
}

FIXTURE_TEARDOWN(hammer)
{
	nic_close(&self->nic);
	rig_close(&self->rig);
}

struct worker {
	FIXTURE_DATA(hammer) *self;
	pthread_t thread;
	int stop;
	long done, wrong;	/* wrong: an errno nobody should see */
	int strange;
};

static bool stopped(struct worker *worker)
{
	return __atomic_load_n(&worker->stop, __ATOMIC_SEQ_CST);
}

static void note(struct worker *worker, int ret, const int *fine)
{
	worker->done++;
	for (; *fine != 1; fine++)
		if (ret == *fine)
			return;
	worker->wrong++;
	worker->strange = ret;
}

static void end_worker(struct worker *worker)
{
	__atomic_store_n(&worker->stop, 1, __ATOMIC_SEQ_CST);
	pthread_join(worker->thread, NULL);
}

/* Register and deregister, whatever becomes of the lease. */
static void *registrar(void *arg)
{
	static const int fine[] = { 0, -EAGAIN, -EOPNOTSUPP, -EIO, -EFAULT, -EINTR, 1 };
	struct worker *worker = arg;

	while (!stopped(worker))
		note(worker, mr_try(&worker->self->nic, worker->self->map, MIB, MR_SERVER), fine);
	return NULL;
}

static void *taker(void *arg)
{
	static const int fine[] = { 0, -EAGAIN, -EBUSY, 1 };
	struct worker *worker = arg;

	while (!stopped(worker))
		note(worker, lease_take_all(worker->self->fd), fine);
	return NULL;
}

static void *dropper(void *arg)
{
	static const int fine[] = { 0, -EAGAIN, -ENOENT, 1 };
	struct worker *worker = arg;

	while (!stopped(worker))
		note(worker, lease_drop(worker->self->fd), fine);
	return NULL;
}

TEST_F_TIMEOUT(hammer, revoke_against_dereg, 180)
{
	struct worker registrars[2];
	int i, ret;

	for (i = 0; i < 2; i++) {
		registrars[i] = (struct worker){ .self = self };
		ASSERT_EQ(0, pthread_create(&registrars[i].thread, NULL, registrar,
					    &registrars[i]));
	}
	for (i = 0; i < ROUNDS; i++) {
		ret = lease_take_all(self->fd);
		EXPECT_EQ(0, ret);
		usleep(i * 37 % 3000);
		EXPECT_EQ(0, lease_revoke(self->fd, 0));
		EXPECT_EQ(0, lease_see(self->fd).pins);
	}
	for (i = 0; i < 2; i++) {
		end_worker(&registrars[i]);
		EXPECT_EQ(0, registrars[i].wrong)
			TH_LOG("strange result %d", registrars[i].strange);
		EXPECT_LT(0, registrars[i].done);
	}
	EXPECT_EQ(0, lease_see(self->fd).pinned_pages);
}

TEST_F_TIMEOUT(hammer, break_against_registration, 180)
{
	struct worker reg = { .self = self }, take = { .self = self };
	int i;

	ASSERT_EQ(0, break_time_set(0));
	ASSERT_EQ(0, pthread_create(&reg.thread, NULL, registrar, &reg));
	ASSERT_EQ(0, pthread_create(&take.thread, NULL, taker, &take));
	for (i = 0; i < ROUNDS; i++) {
		EXPECT_EQ(0, rig_other(&self->rig, do_punch, 0, RIG_SIZE));
		EXPECT_GT(QUICK, self->rig.other.ms);
		EXPECT_EQ(0, rig_other(&self->rig, do_truncate, i % 2 ? RIG_SIZE : PAGE, 0));
	}
	end_worker(&take);
	end_worker(&reg);
	EXPECT_EQ(0, reg.wrong)
		TH_LOG("strange result of a registration %d", reg.strange);
	EXPECT_EQ(0, take.wrong)
		TH_LOG("strange result of a take %d", take.strange);
	EXPECT_EQ(0, lease_see(self->fd).pinned_pages);
}

TEST_F_TIMEOUT(hammer, take_drop_and_registration, 120)
{
	struct worker reg = { .self = self }, take = { .self = self }, drop = { .self = self };
	unsigned long end = now_ms() + 4000;

	ASSERT_EQ(0, pthread_create(&reg.thread, NULL, registrar, &reg));
	ASSERT_EQ(0, pthread_create(&take.thread, NULL, taker, &take));
	ASSERT_EQ(0, pthread_create(&drop.thread, NULL, dropper, &drop));
	while (now_ms() < end) {
		struct layout_lease lease = lease_see(self->fd);

		EXPECT_GE(MIB / PAGE, lease.pinned_pages);
		EXPECT_GE(1, lease.pins);
	}
	end_worker(&reg);
	end_worker(&take);
	end_worker(&drop);
	EXPECT_EQ(0, reg.wrong + take.wrong + drop.wrong)
		TH_LOG("strange: %d %d %d", reg.strange, take.strange, drop.strange);
	EXPECT_LT(0, reg.done);
	EXPECT_EQ(0, lease_see(self->fd).pins);
}

/* Two that take through one description: it gets one lease, and one DROP ends it. */
TEST_F_TIMEOUT(hammer, two_takers_and_a_dropper_leave_one_lease, 120)
{
	struct worker workers[] = { { .self = self }, { .self = self }, { .self = self } };
	void *(*const work[])(void *) = { taker, taker, dropper };
	char line[REPORT_LINE];
	unsigned int i;
	int ret;

	for (i = 0; i < ARRAY_SIZE(workers); i++)
		ASSERT_EQ(0, pthread_create(&workers[i].thread, NULL, work[i], &workers[i]));
	usleep(3000 * 1000);
	for (i = 0; i < ARRAY_SIZE(workers); i++) {
		end_worker(&workers[i]);
		EXPECT_EQ(0, workers[i].wrong)
			TH_LOG("strange: %d", workers[i].strange);
	}
	ret = lease_drop(self->fd);
	EXPECT_TRUE(ret == 0 || ret == -ENOENT);
	EXPECT_EQ(0, report_find(REPORT_LEASES, "lease", "", line));
	EXPECT_EQ(0, report_find("/proc/locks", "", "LAYOUT", line));
}

/* The lease is made smaller while regions far in it are registered: never a pin beside it. */
TEST_F_TIMEOUT(hammer, no_pin_is_left_beside_a_shrinking_lease, 120)
{
	struct worker reg = { .self = self };
	int i, ret;

	self->map += 2 * MIB;
	ASSERT_EQ(0, pthread_create(&reg.thread, NULL, registrar, &reg));
	for (i = 0; i < ROUNDS * 4; i++) {
		EXPECT_EQ(0, lease_take_all(self->fd));
		usleep(i * 53 % 2000);
		ret = lease_take(self->fd, 0, 0, 2 * MIB, LEASE_NO_EVENT);
		EXPECT_TRUE(ret == 0 || ret == -EBUSY);
		if (!ret)
			EXPECT_EQ(0, lease_see(self->fd).pins);
	}
	end_worker(&reg);
	self->map -= 2 * MIB;
	EXPECT_EQ(0, reg.wrong)
		TH_LOG("strange: %d", reg.strange);
	EXPECT_LT(0, reg.done);
}

/* Many short lives: each takes a lease, pins, forks, and ends without a word. */
static int short_life(const char *path, int i)
{
	int fd = file_open(path, O_RDWR);
	struct ibv_mr *mr;
	struct nic nic;
	char *map;

	if (fd < 0 || nic_open(&nic, ENV_RXE))
		return 1;
	map = file_map(fd, MIB);
	if (lease_take(fd, i % 2 ? LAYOUT_LEASE_UNBREAK : 0, 0, 0, LEASE_NO_EVENT) ||
	    mr_reg(&nic, map, MIB, MR_SERVER, &mr))
		return 2;
	if (i % 3 == 0 && !fork())
		_exit(0);
	if (i % 5 == 0)
		munmap(map, MIB);
	if (i % 7 == 0)
		close(fd);
	if (i % 4 == 0)
		kill(getpid(), SIGKILL);
	return 0;
}

TEST_F_TIMEOUT(hammer, short_lives_leave_nothing, 180)
{
	char line[REPORT_LINE];
	int i, status;

	for (i = 1; i <= ROUNDS / 2; i++) {
		pid_t pid = fork();

		if (!pid) {
			close(self->fd);
			_exit(short_life(self->rig.path, i));
		}
		ASSERT_EQ(pid, waitpid(pid, &status, 0));
		EXPECT_TRUE(status == 0 || status == SIGKILL)
			TH_LOG("life %d: status %#x", i, status);
	}
	for (i = 0; i < 100 && report_find(REPORT_LEASES, "", self->rig.path, line); i++)
		usleep(env_ms(20) * 1000);
	EXPECT_STREQ("", line);
	EXPECT_EQ(0, rig_other(&self->rig, do_truncate, 0, 0));
	EXPECT_GT(QUICK, self->rig.other.ms);
}

struct life {
	char path[FILE_PATH];
	int rounds;
};

static long breaker_life(void *arg, int fd)
{
	struct life *life = arg;
	int i;

	for (i = 0; i < life->rounds; i++) {
		struct cut cut = cut_of(life->path, i % 3 * MIB, MIB);
		long ret = i % 2 ? do_truncate(&cut, -1) : do_punch(&cut, -1);

		if (ret)
			return ret;
	}
	return 0;
}

TEST_F_TIMEOUT(hammer, two_breakers_against_a_holder_that_lets_go, 180)
{
	struct life life = { .rounds = ROUNDS };
	int i, ret = 0;

	snprintf(life.path, sizeof(life.path), "%s", self->rig.path);
	ASSERT_EQ(0, peer_start(&self->rig.other, breaker_life, &life, sizeof(life), -1));
	ASSERT_EQ(0, peer_start(&self->rig.third, breaker_life, &life, sizeof(life), -1));
	while (peer_busy(&self->rig.other, 0) || peer_busy(&self->rig.third, 0)) {
		ret = lease_take(self->fd, 0, 0, 0, self->rig.event);
		EXPECT_TRUE(ret == 0 || ret == -EAGAIN)
			TH_LOG("take %d", ret);
		mr_try(&self->nic, self->map, PAGE, MR_SERVER);
		lease_events(self->rig.event, 2);
		ret = lease_drop(self->fd);
		EXPECT_TRUE(ret == 0 || ret == -ENOENT)
			TH_LOG("drop %d", ret);
	}
	EXPECT_EQ(0, peer_result(&self->rig.other, 0));
	EXPECT_EQ(0, peer_result(&self->rig.third, 0));
	for (i = 0; i < 3; i++)
		EXPECT_NE(-EAGAIN, lease_take_all(self->fd));
}

/* The holder goes while a breaker waits, in every way. */
static long hold_and_pin(void *arg, int fd)
{
	struct cut *cut = arg;
	struct ibv_mr *mr;
	struct nic nic;
	char *map;
	int ret;

	fd = file_open(cut->path, O_RDWR);
	map = fd < 0 ? NULL : file_map(fd, PAGE);
	ret = map ? nic_open(&nic, ENV_RXE) : -errno;
	if (!ret)
		ret = lease_take_all(fd);
	return ret ? ret : mr_reg(&nic, map, PAGE, MR_SERVER, &mr);
}

TEST_F(hammer, holder_with_pins_is_killed_while_a_breaker_waits)
{
	struct cut cut = cut_of(self->rig.path, 0, 0);

	ASSERT_EQ(0, peer_call(&self->rig.third, hold_and_pin, &cut, sizeof(cut), -1));
	ASSERT_EQ(0, rig_start(&self->rig, do_truncate, 0, 0));
	EXPECT_TRUE(peer_busy(&self->rig.other, 300));
	ASSERT_EQ(0, peer_kill(&self->rig.third, QUICK));
	EXPECT_EQ(0, peer_result(&self->rig.other, QUICK));
	EXPECT_EQ(0, file_size(self->rig.path));
}

/* A stopped process is as deaf as can be, and its pins end all the same. */
TEST_F_TIMEOUT(hammer, a_stopped_holder_is_revoked_in_time, 60)
{
	struct cut cut = cut_of(self->rig.path, 0, 0);

	ASSERT_EQ(0, break_time_set(1));
	ASSERT_EQ(0, peer_call(&self->rig.third, hold_and_pin, &cut, sizeof(cut), -1));
	kill(self->rig.third.pid, SIGSTOP);
	EXPECT_EQ(0, rig_other(&self->rig, do_truncate, 0, 0));
	EXPECT_LE(900, self->rig.other.ms);
	EXPECT_GT(1000 + QUICK, self->rig.other.ms);
}

TEST_HARNESS_MAIN
