// SPDX-License-Identifier: GPL-2.0
/*
 * What a truncate or a punched hole meets: an unbreakable lease (ETXTBSY), a
 * breakable one (its holder is asked, waited for, at last revoked), the
 * breaker's own (no obstacle, or EDEADLK over pins: see break_own.c).  The
 * breaker is another process, which does not hold the lease.
 */
#include <errno.h>
#include <linux/fs.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include "kselftest_harness.h"
#include "lib/rig.h"

#define CUT	(4 * MIB)

FIXTURE(brk)
{
	struct rig rig;
	int fd;
};

ON_ALL(brk);

FIXTURE_SETUP(brk)
{
	ASSERT_EQ(0, rig_open(&self->rig, variant->dir));
	self->fd = self->rig.fd;
}

FIXTURE_TEARDOWN(brk)
{
	rig_close(&self->rig);
}

/* The subtractive operations this series breaks leases for. */
static const struct {
	const char *name;
	peer_fn fn;
} operations[] = {
	{ "truncate", do_truncate },
	{ "ftruncate", do_ftruncate },
	{ "punch hole", do_punch },
	{ "open with O_TRUNC", do_open_trunc },
};

/* O_TRUNC cuts at 0 whatever it is told. */
static __u64 cut_at(peer_fn fn)
{
	return fn == do_open_trunc ? 0 : CUT;
}

TEST_F_TIMEOUT(brk, unbreakable_refuses_each_operation_at_once, 120)
{
	unsigned int i;

	ASSERT_EQ(0, lease_take(self->fd, LAYOUT_LEASE_UNBREAK, 0, 0, self->rig.event));
	for (i = 0; i < ARRAY_SIZE(operations); i++) {
		EXPECT_EQ(-ETXTBSY, rig_other(&self->rig, operations[i].fn, CUT, 2 * MIB))
			TH_LOG("%s", operations[i].name);
		EXPECT_GT(QUICK, self->rig.other.ms);
		EXPECT_EQ(i + 1, lease_see(self->fd).denied);
		EXPECT_EQ(1, lease_events(self->rig.event, QUICK));
		EXPECT_TRUE(rig_untouched(&self->rig));
	}
	EXPECT_EQ(LAYOUT_ACTIVE, lease_see(self->fd).state);
}

TEST_F(brk, a_refused_operation_changes_nothing)
{
	struct extents before, after;
	struct stat a, b;

	ASSERT_EQ(0, lease_take_unbreak(self->fd));
	ASSERT_EQ(0, file_extents(self->fd, &before));
	ASSERT_EQ(0, fstat(self->fd, &a));
	EXPECT_EQ(-ETXTBSY, rig_other(&self->rig, do_truncate, PAGE + 5, 0));
	EXPECT_EQ(-ETXTBSY, rig_other(&self->rig, do_punch, PAGE + 5, MIB));
	ASSERT_EQ(0, file_extents(self->fd, &after));
	ASSERT_EQ(0, fstat(self->fd, &b));
	EXPECT_TRUE(extents_same(&before, &after));
	EXPECT_EQ(a.st_blocks, b.st_blocks);
	EXPECT_EQ(a.st_mtim.tv_sec, b.st_mtim.tv_sec);
	EXPECT_EQ(a.st_mtim.tv_nsec, b.st_mtim.tv_nsec);
	EXPECT_TRUE(rig_untouched(&self->rig));
}

/* While somebody waits for the lease the file is put out of his reach. */
TEST_F_TIMEOUT(brk, what_has_become_immutable_meanwhile_stays, 60)
{
	static const peer_fn ways[] = { do_truncate, do_ftruncate, do_punch };
	static const int marks[] = { FS_IMMUTABLE_FL, FS_APPEND_FL };
	int before, after;

	ASSERT_EQ(0, ioctl(self->fd, FS_IOC_GETFLAGS, &before));
	for (unsigned int i = 0; i < ARRAY_SIZE(ways) * ARRAY_SIZE(marks); i++) {
		ASSERT_EQ(0, lease_take(self->fd, 0, 0, 0, self->rig.event));
		ASSERT_EQ(0, rig_start(&self->rig, ways[i / 2], MIB, MIB));
		ASSERT_LT(0, lease_events(self->rig.event, LONG));
		after = before | marks[i % 2];
		ASSERT_EQ(0, ioctl(self->fd, FS_IOC_SETFLAGS, &after));
		EXPECT_EQ(0, lease_drop(self->fd));
		EXPECT_EQ(-EPERM, peer_result(&self->rig.other, LONG)) TH_LOG("%u", i);
		EXPECT_TRUE(rig_untouched(&self->rig)) TH_LOG("%u", i);
		ASSERT_EQ(0, ioctl(self->fd, FS_IOC_SETFLAGS, &before));
	}
}

TEST_F(brk, denied_begins_anew_with_each_lease)
{
	ASSERT_EQ(0, lease_take_unbreak(self->fd));
	EXPECT_EQ(-ETXTBSY, rig_other(&self->rig, do_truncate, 0, 0));
	EXPECT_EQ(1, lease_see(self->fd).denied);
	ASSERT_EQ(0, lease_drop(self->fd));
	ASSERT_EQ(0, lease_take_unbreak(self->fd));
	EXPECT_EQ(0, lease_see(self->fd).denied);
	EXPECT_EQ(-ETXTBSY, rig_other(&self->rig, do_truncate, 0, 0));
	ASSERT_EQ(0, lease_take_unbreak(self->fd));
	EXPECT_EQ(0, lease_see(self->fd).denied);
}

/*
 * Every other block, so that it takes a while to free them: as many as the machine
 * can lay out in @ms milliseconds, but no more than 8000.
 */
static int scatter(const char *path, unsigned int ms)
{
	static char block[PAGE];
	unsigned long until = now_ms() + ms;
	int fd = file_open(path, O_RDWR | O_TRUNC), ret = 0;

	if (fd < 0)
		return fd;
	for (unsigned int i = 0; i < 8000 && now_ms() < until && !ret; i++) {
		if (pwrite(fd, block, PAGE, i * 2 * PAGE) != PAGE)
			ret = -errno;
		/* only then are the blocks of a file without DAX allocated */
		else if (i % 100 == 99 && fsync(fd))
			ret = -errno;
	}
	close(fd);
	return ret;
}

/* A truncate has passed all its checks: no lease is granted before it has ended. */
TEST_F_TIMEOUT(brk, a_lease_waits_for_the_operation_under_way, 120)
{
	unsigned long until = now_ms() + LONG;
	long blocks;

	ASSERT_EQ(0, scatter(self->rig.path, 10000));
	blocks = file_blocks(self->fd);
	ASSERT_EQ(0, rig_start(&self->rig, do_truncate, 0, 0));
	while (file_size(self->rig.path) && now_ms() < until)
		;
	ASSERT_EQ(0, lease_take_all(self->fd));
	EXPECT_LT(file_blocks(self->fd), blocks / 100);
	EXPECT_EQ(0, peer_result(&self->rig.other, LONG));
}

static long additive(void *arg, int fd)
{
	struct cut *cut = arg;
	char name[FILE_PATH + 8];
	char *map;

	fd = file_open(cut->path, O_RDWR);
	snprintf(name, sizeof(name), "%s.link", cut->path);
	unlink(name);
	if (fd < 0 || fchmod(fd, 0600) || fsync(fd) || link(cut->path, name) || unlink(name) ||
	    rename(cut->path, name) || rename(name, cut->path))
		return -errno;
	map = file_map(fd, MIB);
	if (!map)
		return -errno;
	map[5] = RIG_FILL;
	if (msync(map, MIB, MS_SYNC) || munmap(map, MIB) || fchown(fd, 0, 0))
		return -errno;
	close(fd);
	return 0;
}

TEST_F_TIMEOUT(brk, additive_operations_are_free, 60)
{
	ASSERT_EQ(0, lease_take(self->fd, LAYOUT_LEASE_UNBREAK, 0, 0, self->rig.event));
	EXPECT_EQ(0, rig_other(&self->rig, additive, 0, 0));
	EXPECT_EQ(0, rig_other(&self->rig, do_ftruncate, RIG_SIZE, 0));
	EXPECT_EQ(0, rig_other(&self->rig, do_truncate, RIG_SIZE + MIB, 0));
	EXPECT_EQ(0, rig_other(&self->rig, do_write, RIG_SIZE, MIB));
	EXPECT_EQ(0, rig_other(&self->rig, do_write, RIG_SIZE + MIB, 64 * KIB));
	EXPECT_EQ(0, rig_other(&self->rig, do_allocate, RIG_SIZE + 2 * MIB, MIB));
	EXPECT_EQ(0, lease_events(self->rig.event, 0));
	EXPECT_EQ(0, lease_see(self->fd).denied);
	EXPECT_EQ(LAYOUT_ACTIVE, lease_see(self->fd).state);
}

TEST_F(brk, writes_do_not_break_a_breakable_lease)
{
	ASSERT_EQ(0, lease_take(self->fd, 0, 0, 0, self->rig.event));
	EXPECT_EQ(0, rig_other(&self->rig, do_write, 0, MIB));
	EXPECT_EQ(0, rig_other(&self->rig, do_write, RIG_SIZE, MIB));
	EXPECT_EQ(0, rig_other(&self->rig, do_truncate, 2 * RIG_SIZE, 0));
	EXPECT_GT(QUICK, self->rig.other.ms);
	EXPECT_EQ(0, lease_events(self->rig.event, 0));
	EXPECT_EQ(LAYOUT_ACTIVE, lease_see(self->fd).state);
}

TEST_F(brk, unlinked_file_keeps_its_lease)
{
	ASSERT_EQ(0, lease_take(self->fd, LAYOUT_LEASE_UNBREAK, 0, 0, self->rig.event));
	ASSERT_EQ(0, unlink(self->rig.path));
	EXPECT_EQ(LAYOUT_ACTIVE, lease_see(self->fd).state);
	EXPECT_EQ(0, lease_events(self->rig.event, 0));
}

TEST_F(brk, beside_the_lease_is_free)
{
	ASSERT_EQ(0, lease_take(self->fd, LAYOUT_LEASE_UNBREAK, 2 * MIB, 2 * MIB,
				LEASE_NO_EVENT));
	EXPECT_EQ(0, rig_other(&self->rig, do_punch, 0, 2 * MIB));
	EXPECT_EQ(0, rig_other(&self->rig, do_punch, 4 * MIB, MIB));
	EXPECT_EQ(0, rig_other(&self->rig, do_truncate, 4 * MIB, 0));
	EXPECT_EQ(-ETXTBSY, rig_other(&self->rig, do_truncate, 4 * MIB - 1, 0));
	EXPECT_EQ(-ETXTBSY, rig_other(&self->rig, do_punch, MIB, MIB + PAGE));
	EXPECT_EQ(-ETXTBSY, rig_other(&self->rig, do_truncate, 0, 0));
	EXPECT_EQ(4 * MIB, file_size(self->rig.path));
	EXPECT_EQ(LAYOUT_ACTIVE, lease_see(self->fd).state);
}

TEST_F(brk, cooperative_holder_lets_the_truncate_through)
{
	struct layout_lease lease;

	ASSERT_EQ(0, lease_take(self->fd, 0, 0, 0, self->rig.event));
	ASSERT_EQ(0, rig_start(&self->rig, do_truncate, CUT, 0));
	EXPECT_EQ(1, lease_events(self->rig.event, QUICK));
	ASSERT_EQ(0, lease_get(self->fd, &lease));
	EXPECT_EQ(LAYOUT_BREAKING, lease.state);
	EXPECT_EQ(CUT, lease.break_start);
	EXPECT_EQ(0, lease.break_len);
	EXPECT_GE(BREAK_TIME_DEFAULT * 1000, lease.break_msecs);
	EXPECT_LT(BREAK_TIME_DEFAULT * 1000 / 2, lease.break_msecs);
	EXPECT_EQ(F_UNLCK, fcntl(self->fd, F_GETLEASE));
	EXPECT_TRUE(peer_busy(&self->rig.other, 200));
	EXPECT_TRUE(rig_untouched(&self->rig));
	ASSERT_EQ(0, lease_drop(self->fd));
	EXPECT_EQ(0, peer_result(&self->rig.other, QUICK));
	EXPECT_EQ(CUT, file_size(self->rig.path));
}

TEST_F(brk, a_punched_hole_tells_its_range)
{
	struct layout_lease lease;

	ASSERT_EQ(0, lease_take(self->fd, 0, 0, 0, self->rig.event));
	ASSERT_EQ(0, rig_start(&self->rig, do_punch, 2 * MIB, MIB));
	EXPECT_EQ(1, lease_events(self->rig.event, QUICK));
	ASSERT_EQ(0, lease_get(self->fd, &lease));
	EXPECT_EQ(LAYOUT_BREAKING, lease.state);
	EXPECT_EQ(2 * MIB, lease.break_start);
	EXPECT_EQ(MIB, lease.break_len);
	ASSERT_EQ(0, lease_drop(self->fd));
	EXPECT_EQ(0, peer_result(&self->rig.other, QUICK));
	EXPECT_TRUE(file_is(self->rig.path, 2 * MIB, MIB, 0));
	EXPECT_TRUE(file_is(self->rig.path, 3 * MIB, MIB, RIG_FILL));
}

TEST_F(brk, letting_go_by_unlck_or_close_is_the_same)
{
	ASSERT_EQ(0, fcntl(self->fd, F_SETLEASE, F_LAYOUT));
	ASSERT_EQ(0, rig_start(&self->rig, do_truncate, CUT, 0));
	ASSERT_EQ(0, lease_wait_state(self->fd, LAYOUT_BREAKING, QUICK));
	ASSERT_EQ(0, fcntl(self->fd, F_SETLEASE, F_UNLCK));
	EXPECT_EQ(0, peer_result(&self->rig.other, QUICK));

	ASSERT_EQ(0, lease_take_all(self->fd));
	ASSERT_EQ(0, rig_start(&self->rig, do_truncate, PAGE, 0));
	ASSERT_EQ(0, lease_wait_state(self->fd, LAYOUT_BREAKING, QUICK));
	close(self->fd);
	self->rig.fd = -1;
	EXPECT_EQ(0, peer_result(&self->rig.other, QUICK));
	EXPECT_EQ(PAGE, file_size(self->rig.path));
}

TEST_F(brk, shrinking_off_the_break_is_letting_go)
{
	ASSERT_EQ(0, lease_take(self->fd, 0, 0, 0, self->rig.event));
	ASSERT_EQ(0, rig_start(&self->rig, do_truncate, CUT, 0));
	ASSERT_EQ(1, lease_events(self->rig.event, QUICK));
	EXPECT_EQ(-EAGAIN, lease_take(self->fd, 0, 0, CUT + 1, self->rig.event));
	EXPECT_EQ(LAYOUT_BREAKING, lease_see(self->fd).state);
	ASSERT_EQ(0, lease_take(self->fd, 0, 0, CUT, self->rig.event));
	EXPECT_EQ(0, peer_result(&self->rig.other, QUICK));
	EXPECT_EQ(LAYOUT_ACTIVE, lease_see(self->fd).state);
	EXPECT_EQ(CUT, file_size(self->rig.path));
}

TEST_F(brk, nobody_starves_a_breaker_by_taking_again)
{
	int fd = file_open(self->rig.path, O_RDWR);

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, lease_take(self->fd, 0, 0, 0, self->rig.event));
	ASSERT_EQ(0, rig_start(&self->rig, do_truncate, CUT, 0));
	ASSERT_EQ(1, lease_events(self->rig.event, QUICK));
	EXPECT_EQ(-EAGAIN, lease_take_all(self->fd));
	EXPECT_EQ(-EAGAIN, lease_take_unbreak(self->fd));
	EXPECT_EQ(-EAGAIN, lease_take_all(fd));
	EXPECT_EQ(-EAGAIN, fcntl(fd, F_SETLEASE, F_LAYOUT) ? -errno : 0);
	ASSERT_EQ(0, lease_drop(self->fd));
	EXPECT_EQ(0, peer_result(&self->rig.other, QUICK));
	EXPECT_EQ(0, lease_take_all(fd));
	close(fd);
}

/* The holder needs all of this to let go in good order. */
TEST_F(brk, the_holder_can_work_while_a_breaker_waits)
{
	char byte = RIG_FILL, *map = file_map(self->fd, RIG_SIZE);

	ASSERT_NE(NULL, map);
	ASSERT_EQ(0, lease_take(self->fd, 0, 0, 0, self->rig.event));
	ASSERT_EQ(0, rig_start(&self->rig, do_truncate, CUT, 0));
	ASSERT_EQ(1, lease_events(self->rig.event, QUICK));
	EXPECT_EQ(RIG_FILL, map[CUT + PAGE]);
	map[CUT + 2 * PAGE] = RIG_FILL;
	EXPECT_EQ(1, pwrite(self->fd, &byte, 1, CUT));
	EXPECT_EQ(1, pread(self->fd, &byte, 1, CUT));
	EXPECT_EQ(0, fsync(self->fd));
	EXPECT_EQ(0, fchmod(self->fd, 0600));
	EXPECT_EQ(0, fallocate(self->fd, 0, RIG_SIZE, MIB));
	EXPECT_TRUE(peer_busy(&self->rig.other, 0));
	ASSERT_EQ(0, lease_drop(self->fd));
	EXPECT_EQ(0, peer_result(&self->rig.other, QUICK));
	EXPECT_EQ(CUT, file_size(self->rig.path));
}

TEST_F_TIMEOUT(brk, a_deaf_holder_is_revoked_in_time, 60)
{
	ASSERT_EQ(0, break_time_set(2));
	ASSERT_EQ(0, lease_take(self->fd, 0, 0, 0, self->rig.event));
	EXPECT_EQ(0, rig_other(&self->rig, do_truncate, CUT, 0));
	EXPECT_LE(1900, self->rig.other.ms);
	EXPECT_GT(2000 + QUICK, self->rig.other.ms);
	EXPECT_EQ(CUT, file_size(self->rig.path));
	EXPECT_EQ(LAYOUT_REVOKED, lease_see(self->fd).state);
	EXPECT_EQ(2, lease_events(self->rig.event, QUICK));	/* begun, revoked */
	EXPECT_EQ(F_UNLCK, fcntl(self->fd, F_GETLEASE));
	EXPECT_EQ(-ENOENT, lease_drop(self->fd));
	EXPECT_EQ(0, lease_take_all(self->fd));
	EXPECT_EQ(LAYOUT_ACTIVE, lease_see(self->fd).state);
}

TEST_F_TIMEOUT(brk, every_operation_ends_a_deaf_lease, 120)
{
	unsigned int i;

	ASSERT_EQ(0, break_time_set(1));
	for (i = 0; i < ARRAY_SIZE(operations); i++) {
		ASSERT_EQ(0, ftruncate(self->fd, RIG_SIZE));
		ASSERT_EQ(0, lease_take_all(self->fd));
		EXPECT_EQ(0, rig_other(&self->rig, operations[i].fn, cut_at(operations[i].fn),
				       2 * MIB))
			TH_LOG("%s", operations[i].name);
		EXPECT_LE(900, self->rig.other.ms);
		EXPECT_EQ(LAYOUT_REVOKED, lease_see(self->fd).state);
	}
}

TEST_F(brk, break_time_zero_revokes_at_once)
{
	ASSERT_EQ(0, break_time_set(0));
	ASSERT_EQ(0, lease_take(self->fd, 0, 0, 0, self->rig.event));
	EXPECT_EQ(0, rig_other(&self->rig, do_truncate, CUT, 0));
	EXPECT_GT(QUICK, self->rig.other.ms);
	EXPECT_EQ(LAYOUT_REVOKED, lease_see(self->fd).state);
	EXPECT_LE(1, lease_events(self->rig.event, QUICK));
}

static long nonblocking(struct rig *rig, peer_fn fn)
{
	struct cut cut = cut_of(rig->path, CUT, MIB);

	cut.flags = O_RDWR | O_NONBLOCK;
	return peer_call(&rig->other, fn, &cut, sizeof(cut), -1);
}

TEST_F_TIMEOUT(brk, a_nonblocking_breaker_begins_and_leaves, 60)
{
	unsigned int i;

	ASSERT_EQ(0, break_time_set(1));
	for (i = 1; i < ARRAY_SIZE(operations); i++) {	/* truncate(2) has no description */
		ASSERT_EQ(0, lease_take(self->fd, 0, 0, 0, self->rig.event));
		EXPECT_EQ(-EWOULDBLOCK, nonblocking(&self->rig, operations[i].fn))
			TH_LOG("%s", operations[i].name);
		EXPECT_EQ(LAYOUT_BREAKING, lease_see(self->fd).state);
		EXPECT_EQ(-EAGAIN, lease_take_all(self->fd));
		EXPECT_TRUE(rig_untouched(&self->rig));
		/* Nobody waits, yet the break runs to its deadline. */
		EXPECT_EQ(0, lease_wait_state(self->fd, LAYOUT_REVOKED, 1000 + QUICK));
		EXPECT_TRUE(rig_untouched(&self->rig));
		EXPECT_LE(2, lease_events(self->rig.event, QUICK));
	}
}

TEST_F_TIMEOUT(brk, an_interrupted_breaker_leaves_a_running_break, 60)
{
	ASSERT_EQ(0, break_time_set(3));
	ASSERT_EQ(0, lease_take(self->fd, 0, 0, 0, self->rig.event));
	ASSERT_EQ(0, rig_start(&self->rig, do_truncate, CUT, 0));
	ASSERT_EQ(1, lease_events(self->rig.event, QUICK));
	peer_interrupt(&self->rig.other);
	EXPECT_EQ(-EINTR, peer_result(&self->rig.other, 1500));
	EXPECT_EQ(LAYOUT_BREAKING, lease_see(self->fd).state);
	EXPECT_EQ(0, lease_wait_state(self->fd, LAYOUT_REVOKED, 3000 + QUICK));
	EXPECT_TRUE(rig_untouched(&self->rig));
}

TEST_F(brk, a_killed_breaker_dies_at_once)
{
	ASSERT_EQ(0, lease_take(self->fd, 0, 0, 0, self->rig.event));
	ASSERT_EQ(0, rig_start(&self->rig, do_truncate, CUT, 0));
	ASSERT_EQ(1, lease_events(self->rig.event, QUICK));
	EXPECT_EQ(0, peer_kill(&self->rig.other, QUICK));
	EXPECT_TRUE(rig_untouched(&self->rig));
	EXPECT_EQ(0, lease_drop(self->fd));
}

TEST_F(brk, two_breakers_both_get_through)
{
	struct cut cut = cut_of(self->rig.path, MIB, 0);

	ASSERT_EQ(0, lease_take(self->fd, 0, 0, 0, self->rig.event));
	ASSERT_EQ(0, rig_start(&self->rig, do_truncate, CUT, 0));
	ASSERT_EQ(1, lease_events(self->rig.event, QUICK));
	ASSERT_EQ(0, peer_start(&self->rig.third, do_truncate, &cut, sizeof(cut), -1));
	EXPECT_TRUE(peer_busy(&self->rig.third, 300));
	EXPECT_TRUE(peer_busy(&self->rig.other, 0));
	ASSERT_EQ(0, lease_drop(self->fd));
	EXPECT_EQ(0, peer_result(&self->rig.other, QUICK));
	EXPECT_EQ(0, peer_result(&self->rig.third, QUICK));
}

TEST_F_TIMEOUT(brk, several_deaf_leases_share_one_deadline, 60)
{
	ASSERT_EQ(0, break_time_set(2));
	ASSERT_EQ(0, lease_take_all(self->fd));
	ASSERT_EQ(0, peer_take(&self->rig.third, &self->rig, 0));
	EXPECT_EQ(0, rig_other(&self->rig, do_truncate, CUT, 0));
	EXPECT_LE(1900, self->rig.other.ms);
	EXPECT_GT(2000 + env_ms(1500), self->rig.other.ms);
	EXPECT_EQ(LAYOUT_REVOKED, lease_see(self->fd).state);
	EXPECT_EQ(LAYOUT_REVOKED, peer_lease_state(&self->rig.third));
}

TEST_F(brk, an_unbreakable_lease_spares_the_breakable_ones)
{
	ASSERT_EQ(0, lease_take(self->fd, 0, 0, 0, self->rig.event));
	ASSERT_EQ(0, peer_take(&self->rig.third, &self->rig, LAYOUT_LEASE_UNBREAK));
	EXPECT_EQ(-ETXTBSY, rig_other(&self->rig, do_truncate, CUT, 0));
	EXPECT_EQ(LAYOUT_ACTIVE, lease_see(self->fd).state);
	EXPECT_EQ(0, lease_events(self->rig.event, 0));
	ASSERT_EQ(0, peer_lease_drop(&self->rig.third));
	EXPECT_EQ(0, lease_see(self->fd).denied);
}

TEST_F(brk, two_unbreakable_leases_are_both_told)
{
	int fd = file_open(self->rig.path, O_RDWR);

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, lease_take_unbreak(self->fd));
	ASSERT_EQ(0, lease_take_unbreak(fd));
	EXPECT_EQ(-ETXTBSY, rig_other(&self->rig, do_truncate, CUT, 0));
	EXPECT_EQ(1, lease_see(self->fd).denied);
	EXPECT_EQ(1, lease_see(fd).denied);
	close(fd);
}

TEST_F(brk, a_holder_that_exits_lets_the_breaker_through)
{
	ASSERT_EQ(0, peer_take(&self->rig.third, &self->rig, 0));
	ASSERT_EQ(0, rig_start(&self->rig, do_truncate, CUT, 0));
	EXPECT_TRUE(peer_busy(&self->rig.other, 300));
	ASSERT_EQ(0, peer_kill(&self->rig.third, QUICK));
	EXPECT_EQ(0, peer_result(&self->rig.other, QUICK));
	EXPECT_EQ(CUT, file_size(self->rig.path));
}

/* A lease on one description does not make a process holder of all. */
TEST_F(brk, a_holder_of_one_lease_breaks_anothers)
{
	ASSERT_EQ(0, lease_take(self->fd, 0, 0, 0, self->rig.event));
	ASSERT_EQ(0, peer_take(&self->rig.other, &self->rig, 0));
	ASSERT_EQ(0, rig_start(&self->rig, do_truncate, CUT, 0));
	EXPECT_EQ(1, lease_events(self->rig.event, QUICK));
	EXPECT_EQ(LAYOUT_BREAKING, lease_see(self->fd).state);
	ASSERT_EQ(0, lease_drop(self->fd));
	EXPECT_EQ(0, peer_result(&self->rig.other, QUICK));
	EXPECT_EQ(LAYOUT_ACTIVE, peer_lease_state(&self->rig.other));
}

/* What was promised when the break began holds, shorter or longer. */
TEST_F_TIMEOUT(brk, a_changed_break_time_is_for_later_breaks, 60)
{
	ASSERT_EQ(0, break_time_set(2));
	ASSERT_EQ(0, lease_take(self->fd, 0, 0, 0, self->rig.event));
	ASSERT_EQ(0, rig_start(&self->rig, do_truncate, CUT, 0));
	ASSERT_EQ(1, lease_events(self->rig.event, QUICK));
	ASSERT_EQ(0, break_time_set(BREAK_TIME_DEFAULT));
	EXPECT_EQ(0, peer_result(&self->rig.other, 2000 + QUICK));
	EXPECT_EQ(LAYOUT_REVOKED, lease_see(self->fd).state);

	ASSERT_EQ(0, lease_take(self->fd, 0, 0, 0, self->rig.event));
	ASSERT_EQ(0, rig_start(&self->rig, do_truncate, PAGE, 0));
	ASSERT_EQ(0, lease_wait_state(self->fd, LAYOUT_BREAKING, QUICK));
	ASSERT_EQ(0, break_time_set(0));
	EXPECT_TRUE(peer_busy(&self->rig.other, 1000));
	EXPECT_LT(BREAK_TIME_DEFAULT * 1000 / 2, lease_see(self->fd).break_msecs);
	ASSERT_EQ(0, lease_drop(self->fd));
	EXPECT_EQ(0, peer_result(&self->rig.other, QUICK));
}

TEST_F(brk, a_very_long_break_time_is_none_at_all)
{
	ASSERT_EQ(0, break_time_set(0x7fffffff));
	ASSERT_EQ(0, lease_take(self->fd, 0, 0, 0, self->rig.event));
	ASSERT_EQ(0, rig_start(&self->rig, do_truncate, CUT, 0));
	ASSERT_EQ(1, lease_events(self->rig.event, QUICK));
	EXPECT_EQ(0xffffffff, lease_see(self->fd).break_msecs);
	EXPECT_TRUE(peer_busy(&self->rig.other, 500));
	EXPECT_EQ(LAYOUT_BREAKING, lease_see(self->fd).state);
	ASSERT_EQ(0, lease_drop(self->fd));
	EXPECT_EQ(0, peer_result(&self->rig.other, QUICK));
}

TEST_F(brk, the_time_left_runs_down)
{
	unsigned int left;

	ASSERT_EQ(0, break_time_set(20));
	ASSERT_EQ(0, lease_take(self->fd, 0, 0, 0, self->rig.event));
	ASSERT_EQ(0, rig_start(&self->rig, do_truncate, CUT, 0));
	ASSERT_EQ(1, lease_events(self->rig.event, QUICK));
	left = lease_see(self->fd).break_msecs;
	EXPECT_GE(20000, left);
	usleep(300000);
	EXPECT_GE(left - 250, lease_see(self->fd).break_msecs);
	ASSERT_EQ(0, lease_drop(self->fd));
	EXPECT_EQ(0, peer_result(&self->rig.other, QUICK));
	EXPECT_EQ(0, lease_see(self->fd).break_msecs);
}

/* A dropped lease that was being broken leaves nothing behind. */
TEST_F(brk, after_an_interrupted_breaker_the_lease_can_be_dropped_and_retaken)
{
	ASSERT_EQ(0, lease_take(self->fd, 0, 0, 0, self->rig.event));
	ASSERT_EQ(0, rig_start(&self->rig, do_truncate, CUT, 0));
	ASSERT_EQ(1, lease_events(self->rig.event, QUICK));
	peer_interrupt(&self->rig.other);
	ASSERT_EQ(-EINTR, peer_result(&self->rig.other, QUICK));
	EXPECT_EQ(-EAGAIN, lease_take_all(self->fd));
	ASSERT_EQ(0, lease_drop(self->fd));
	EXPECT_EQ(LAYOUT_NONE, lease_see(self->fd).state);
	ASSERT_EQ(0, lease_take_all(self->fd));
	EXPECT_EQ(LAYOUT_ACTIVE, lease_see(self->fd).state);
	EXPECT_TRUE(rig_untouched(&self->rig));
}

/* One who lets go, one who is deaf, and the breaker's own. */
TEST_F_TIMEOUT(brk, a_breaker_settles_all_kinds_of_leases, 60)
{
	unsigned int ms;

	ASSERT_EQ(0, break_time_set(2));
	ASSERT_EQ(0, lease_take(self->fd, 0, 0, 0, self->rig.event));
	ASSERT_EQ(0, peer_take(&self->rig.third, &self->rig, 0));
	ASSERT_EQ(0, peer_take(&self->rig.other, &self->rig, LAYOUT_LEASE_UNBREAK));
	ASSERT_EQ(0, rig_start(&self->rig, do_truncate, CUT, 0));
	ASSERT_EQ(1, lease_events(self->rig.event, QUICK));
	for (ms = 0; peer_lease_state(&self->rig.third) != LAYOUT_BREAKING && ms < QUICK; ms++)
		usleep(1000);
	EXPECT_EQ(LAYOUT_BREAKING, peer_lease_state(&self->rig.third));
	ASSERT_EQ(0, lease_drop(self->fd));
	EXPECT_EQ(0, peer_result(&self->rig.other, 2000 + QUICK));
	EXPECT_LE(1500, self->rig.other.ms);
	EXPECT_EQ(LAYOUT_NONE, lease_see(self->fd).state);
	EXPECT_EQ(LAYOUT_REVOKED, peer_lease_state(&self->rig.third));
	EXPECT_EQ(LAYOUT_ACTIVE, peer_lease_state(&self->rig.other));
	EXPECT_EQ(CUT, file_size(self->rig.path));
}

/* From the second breaker on, nobody prolongs a break that runs. */
TEST_F_TIMEOUT(brk, later_breakers_do_not_prolong_a_break, 60)
{
	struct cut cut = cut_of(self->rig.path, MIB, 0);

	ASSERT_EQ(0, break_time_set(3));
	ASSERT_EQ(0, lease_take_all(self->fd));
	ASSERT_EQ(0, rig_start(&self->rig, do_truncate, CUT, 0));
	EXPECT_TRUE(peer_busy(&self->rig.other, 2000));
	ASSERT_EQ(0, peer_start(&self->rig.third, do_truncate, &cut, sizeof(cut), -1));
	EXPECT_EQ(0, peer_result(&self->rig.third, 1500 + QUICK));
	EXPECT_EQ(0, peer_result(&self->rig.other, QUICK));
	EXPECT_GT(1500 + env_ms(1000), self->rig.third.ms);
}

TEST_HARNESS_MAIN
