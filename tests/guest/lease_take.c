// SPDX-License-Identifier: GPL-2.0
/*
 * Taking, asking and dropping a layout lease: both forms of the call, every
 * field and every error, and to whom a lease belongs.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "kselftest_harness.h"
#include "lib/rig.h"

FIXTURE(take)
{
	struct rig rig;
	int fd;
};

ON_ALL(take);

FIXTURE_SETUP(take)
{
	ASSERT_EQ(0, rig_open(&self->rig, variant->dir));
	self->fd = self->rig.fd;
}

FIXTURE_TEARDOWN(take)
{
	sysctl_write("fs/leases-enable", 1);
	rig_close(&self->rig);
}

static int setlease(int fd, int arg)
{
	return fcntl(fd, F_SETLEASE, arg) ? -errno : 0;
}

static int getlease(int fd)
{
	int ret = fcntl(fd, F_GETLEASE);

	return ret < 0 ? -errno : ret;
}

static int set(int fd, struct layout_lease *lease)
{
	return fcntl(fd, F_SETLAYOUT, lease) ? -errno : 0;
}

static struct layout_lease valid(void)
{
	return (struct layout_lease){
		.size = sizeof(struct layout_lease),
		.flags = LAYOUT_LEASE_TAKE,
		.event_fd = LEASE_NO_EVENT,
	};
}

TEST_F(take, none_is_held_at_first)
{
	struct layout_lease lease;

	EXPECT_EQ(F_UNLCK, getlease(self->fd));
	ASSERT_EQ(0, lease_get(self->fd, &lease));
	EXPECT_EQ(LAYOUT_NONE, lease.state);
}

TEST_F(take, short_form_takes_the_whole_file)
{
	struct layout_lease lease;

	ASSERT_EQ(0, setlease(self->fd, F_LAYOUT));
	EXPECT_EQ(F_LAYOUT, getlease(self->fd));
	ASSERT_EQ(0, lease_get(self->fd, &lease));
	EXPECT_EQ(LAYOUT_ACTIVE, lease.state);
	EXPECT_EQ(0, lease.flags & LAYOUT_LEASE_UNBREAK);
	EXPECT_EQ(0, lease.start);
	EXPECT_EQ(0, lease.len);
	EXPECT_EQ(0, lease.pins);
	EXPECT_EQ(0, lease.pinned_pages);
	EXPECT_EQ(0, lease.denied);
	EXPECT_NE(0, lease.id);
}

TEST_F(take, short_form_unbreakable)
{
	ASSERT_EQ(0, setlease(self->fd, F_LAYOUT | F_UNBREAK));
	EXPECT_EQ(F_LAYOUT | F_UNBREAK, getlease(self->fd));
	EXPECT_EQ(LAYOUT_LEASE_UNBREAK, lease_see(self->fd).flags & LAYOUT_LEASE_UNBREAK);
}

TEST_F(take, short_form_of_unbreak_alone_is_nothing)
{
	EXPECT_EQ(-EINVAL, setlease(self->fd, F_UNBREAK));
	EXPECT_EQ(LAYOUT_NONE, lease_see(self->fd).state);
}

TEST_F(take, unlck_drops_and_then_finds_none)
{
	ASSERT_EQ(0, setlease(self->fd, F_LAYOUT));
	EXPECT_EQ(0, setlease(self->fd, F_UNLCK));
	EXPECT_EQ(LAYOUT_NONE, lease_see(self->fd).state);
	EXPECT_EQ(F_UNLCK, getlease(self->fd));
	EXPECT_EQ(-EAGAIN, setlease(self->fd, F_UNLCK));
	EXPECT_EQ(-EAGAIN, setlease(self->fd, F_UNLCK | F_LAYOUT));
}

TEST_F(take, drop_of_nothing_is_enoent)
{
	EXPECT_EQ(-ENOENT, lease_drop(self->fd));
	ASSERT_EQ(0, lease_take_all(self->fd));
	EXPECT_EQ(0, lease_drop(self->fd));
	EXPECT_EQ(-ENOENT, lease_drop(self->fd));
}

TEST_F(take, ordinary_lease_lives_beside_it)
{
	ASSERT_EQ(0, setlease(self->fd, F_WRLCK));
	ASSERT_EQ(0, setlease(self->fd, F_LAYOUT));
	EXPECT_EQ(F_WRLCK, getlease(self->fd));
	EXPECT_EQ(0, setlease(self->fd, F_UNLCK));
	EXPECT_EQ(F_LAYOUT, getlease(self->fd));
	EXPECT_EQ(LAYOUT_ACTIVE, lease_see(self->fd).state);
	EXPECT_EQ(0, setlease(self->fd, F_UNLCK));
	EXPECT_EQ(F_UNLCK, getlease(self->fd));
}

TEST_F(take, unlck_layout_leaves_the_ordinary_lease)
{
	ASSERT_EQ(0, setlease(self->fd, F_LAYOUT));
	ASSERT_EQ(0, setlease(self->fd, F_WRLCK));
	EXPECT_EQ(0, setlease(self->fd, F_UNLCK | F_LAYOUT));
	EXPECT_EQ(LAYOUT_NONE, lease_see(self->fd).state);
	EXPECT_EQ(F_WRLCK, getlease(self->fd));
	EXPECT_EQ(0, setlease(self->fd, F_UNLCK));
}

TEST_F(take, layout_lease_does_not_stop_a_write_open)
{
	int fd;

	ASSERT_EQ(0, lease_take_unbreak(self->fd));
	fd = file_open(self->rig.path, O_RDWR | O_NONBLOCK);
	ASSERT_LE(0, fd);
	close(fd);
	EXPECT_EQ(LAYOUT_ACTIVE, lease_see(self->fd).state);
}

TEST_F(take, long_form_reports_what_it_took)
{
	struct layout_lease lease;

	ASSERT_EQ(0, lease_take(self->fd, LAYOUT_LEASE_UNBREAK, 0, 0, self->rig.event));
	ASSERT_EQ(0, lease_get(self->fd, &lease));
	EXPECT_EQ(LAYOUT_ACTIVE, lease.state);
	EXPECT_EQ(LAYOUT_LEASE_UNBREAK, lease.flags & LAYOUT_LEASE_UNBREAK);
	EXPECT_EQ(F_LAYOUT | F_UNBREAK, getlease(self->fd));
	EXPECT_EQ(0, lease.reserved);
}

TEST_F(take, range_is_rounded_out)
{
	struct layout_lease lease;

	ASSERT_EQ(0, lease_take(self->fd, 0, 5 * MIB + 1, 1, LEASE_NO_EVENT));
	ASSERT_EQ(0, lease_get(self->fd, &lease));
	EXPECT_EQ(variant->dax ? 4 * MIB : 5 * MIB, lease.start);
	EXPECT_EQ(variant->dax ? ENV_DAX_ENTRY : PAGE, lease.len);
}

TEST_F(take, range_to_the_end_stays_one)
{
	struct layout_lease lease;

	ASSERT_EQ(0, lease_take(self->fd, 0, 2 * MIB, 0, LEASE_NO_EVENT));
	ASSERT_EQ(0, lease_get(self->fd, &lease));
	EXPECT_EQ(2 * MIB, lease.start);
	EXPECT_EQ(0, lease.len);
}

TEST_F(take, taking_again_sets_everything_anew)
{
	struct layout_lease lease;

	ASSERT_EQ(0, lease_take_unbreak(self->fd));
	ASSERT_EQ(0, lease_take(self->fd, 0, 0, 2 * MIB, self->rig.event));
	ASSERT_EQ(0, lease_get(self->fd, &lease));
	EXPECT_EQ(LAYOUT_ACTIVE, lease.state);
	EXPECT_EQ(0, lease.flags & LAYOUT_LEASE_UNBREAK);
	EXPECT_EQ(2 * MIB, lease.len);
	EXPECT_EQ(0, lease_drop(self->fd));
	EXPECT_EQ(-ENOENT, lease_drop(self->fd));
}

TEST_F(take, two_descriptions_hold_unbreakable_leases)
{
	int fd = file_open(self->rig.path, O_RDWR);

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, lease_take_unbreak(self->fd));
	ASSERT_EQ(0, lease_take_unbreak(fd));
	EXPECT_NE(lease_see(fd).id, lease_see(self->fd).id);
	EXPECT_EQ(0, lease_drop(fd));
	EXPECT_EQ(LAYOUT_ACTIVE, lease_see(self->fd).state);
	close(fd);
}

TEST_F(take, a_duplicate_shares_the_lease)
{
	int fd = dup(self->fd);
	__u64 id;

	ASSERT_EQ(0, lease_take_all(self->fd));
	id = lease_see(self->fd).id;
	EXPECT_EQ(id, lease_see(fd).id);
	close(self->fd);
	self->rig.fd = fd;
	EXPECT_EQ(LAYOUT_ACTIVE, lease_see(fd).state);
	EXPECT_EQ(id, lease_see(fd).id);
}

TEST_F(take, a_child_shares_the_lease)
{
	int status;
	pid_t pid;

	ASSERT_EQ(0, lease_take_all(self->fd));
	pid = fork();
	if (!pid)
		_exit(lease_drop(self->fd) ? 1 : 0);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	EXPECT_EQ(LAYOUT_NONE, lease_see(self->fd).state);
}

TEST_F(take, a_childs_exit_leaves_the_lease)
{
	int status;
	pid_t pid;

	ASSERT_EQ(0, lease_take_all(self->fd));
	pid = fork();
	if (!pid)
		_exit(0);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(LAYOUT_ACTIVE, lease_see(self->fd).state);
}

static int kept = -1;

static long keep_and_see(void *arg, int fd)
{
	kept = fd;
	return lease_see(fd).id;
}

static long see_kept(void *arg, int fd)
{
	return lease_see(kept).state;
}

TEST_F(take, a_sent_descriptor_keeps_the_lease)
{
	ASSERT_EQ(0, lease_take_all(self->fd));
	EXPECT_EQ(lease_see(self->fd).id,
		  peer_call(&self->rig.other, keep_and_see, NULL, 0, self->fd));
	close(self->fd);
	self->rig.fd = -1;
	EXPECT_EQ(LAYOUT_ACTIVE, peer_call(&self->rig.other, see_kept, NULL, 0, -1));
}

TEST_F(take, the_last_close_ends_the_lease)
{
	char line[REPORT_LINE];
	__u64 id;

	ASSERT_EQ(0, lease_take_unbreak(self->fd));
	id = lease_see(self->fd).id;
	EXPECT_EQ(1, report_lease(id, line));
	close(self->fd);
	self->rig.fd = -1;
	EXPECT_EQ(0, report_lease(id, line));
	EXPECT_EQ(0, rig_other(&self->rig, do_truncate, 0, 0));
}

TEST_F(take, size_is_checked)
{
	struct {
		struct layout_lease lease;
		char tail[PAGE];
	} big = { .lease = valid() };

	big.lease.size = 0;
	EXPECT_EQ(-EINVAL, set(self->fd, &big.lease));
	big.lease.size = LAYOUT_LEASE_SIZE_VER0 - 8;
	EXPECT_EQ(-EINVAL, set(self->fd, &big.lease));
	big.lease.size = sizeof(big.lease) + 8;
	big.tail[3] = 1;
	EXPECT_EQ(-E2BIG, set(self->fd, &big.lease));
	EXPECT_EQ(LAYOUT_NONE, lease_see(self->fd).state);
	big.tail[3] = 0;
	EXPECT_EQ(0, set(self->fd, &big.lease));
	EXPECT_EQ(LAYOUT_ACTIVE, lease_see(self->fd).state);
}

TEST_F(take, larger_size_is_answered_with_zeroes)
{
	struct {
		struct layout_lease lease;
		char tail[8];
	} big = { .lease = valid() };

	ASSERT_EQ(0, lease_take_all(self->fd));
	big.lease.size = sizeof(big);
	memset(big.tail, 0xff, sizeof(big.tail));
	ASSERT_EQ(0, fcntl(self->fd, F_GETLAYOUT, &big.lease));
	EXPECT_EQ(LAYOUT_ACTIVE, big.lease.state);
	for (unsigned int i = 0; i < sizeof(big.tail); i++)
		EXPECT_EQ(0, big.tail[i]);
	big.lease.size = 4;
	EXPECT_EQ(-EINVAL, fcntl(self->fd, F_GETLAYOUT, &big.lease) ? -errno : 0);
}

TEST_F(take, flags_are_checked)
{
	const __u32 bad[] = {
		0, LAYOUT_LEASE_UNBREAK, LAYOUT_LEASE_TAKE | LAYOUT_LEASE_DROP,
		LAYOUT_LEASE_TAKE | 0x8, LAYOUT_LEASE_TAKE | 0x80000000,
		LAYOUT_LEASE_DROP | 0x100,
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		struct layout_lease lease = valid();

		lease.flags = bad[i];
		EXPECT_EQ(-EINVAL, set(self->fd, &lease))
			TH_LOG("flags %#x", bad[i]);
	}
	EXPECT_EQ(LAYOUT_NONE, lease_see(self->fd).state);
}

TEST_F(take, reserved_and_range_are_checked)
{
	struct layout_lease lease = valid();

	lease.reserved = 1;
	EXPECT_EQ(-EINVAL, set(self->fd, &lease));
	EXPECT_EQ(-EINVAL, lease_take(self->fd, 0, ~0ULL, 0, LEASE_NO_EVENT));
	EXPECT_EQ(-EINVAL, lease_take(self->fd, 0, 1ULL << 63, 4096, LEASE_NO_EVENT));
	EXPECT_EQ(-EINVAL, lease_take(self->fd, 0, 1ULL << 62, ~0ULL, LEASE_NO_EVENT));
	EXPECT_EQ(LAYOUT_NONE, lease_see(self->fd).state);
}

TEST_F(take, a_failed_change_leaves_the_lease)
{
	struct layout_lease lease = valid(), before, after;

	ASSERT_EQ(0, lease_take(self->fd, LAYOUT_LEASE_UNBREAK, 0, 2 * MIB, self->rig.event));
	before = lease_see(self->fd);
	lease.event_fd = 9999;
	EXPECT_EQ(-EBADF, set(self->fd, &lease));
	after = lease_see(self->fd);
	EXPECT_EQ(0, memcmp(&before, &after, sizeof(before)));
}

TEST_F(take, bad_pointer_is_efault)
{
	EXPECT_EQ(-EFAULT, set(self->fd, NULL));
	EXPECT_EQ(-EFAULT, fcntl(self->fd, F_GETLAYOUT, NULL) ? -errno : 0);
	EXPECT_EQ(-EFAULT, fcntl(self->fd, F_REVOKELAYOUT, NULL) ? -errno : 0);
}

TEST_F(take, event_fd_must_be_an_eventfd)
{
	EXPECT_EQ(-EBADF, lease_take(self->fd, 0, 0, 0, 9999));
	EXPECT_EQ(-EINVAL, lease_take(self->fd, 0, 0, 0, self->fd));
	EXPECT_EQ(LAYOUT_NONE, lease_see(self->fd).state);
}

TEST_F(take, not_a_regular_file_is_einval)
{
	int dir = file_open(variant->dir, O_RDONLY | O_DIRECTORY);
	int pipes[2];

	ASSERT_LE(0, dir);
	ASSERT_EQ(0, pipe(pipes));
	EXPECT_EQ(-EINVAL, lease_take_all(dir));
	EXPECT_EQ(-EINVAL, setlease(dir, F_LAYOUT));
	EXPECT_EQ(-EINVAL, lease_take_all(pipes[0]));
	close(dir);
}

TEST_F(take, a_path_descriptor_is_ebadf)
{
	int fd = file_open(self->rig.path, O_PATH);

	ASSERT_LE(0, fd);
	EXPECT_EQ(-EBADF, lease_take_all(fd));
	EXPECT_EQ(-EBADF, setlease(fd, F_LAYOUT));
	close(fd);
}

TEST_F(take, other_file_systems_are_eopnotsupp)
{
	int tmpfs = memfd_create("tmpfs", 0);
	int proc = file_open("/proc/version", O_RDONLY);

	ASSERT_LE(0, tmpfs);
	ASSERT_LE(0, proc);
	EXPECT_EQ(-EOPNOTSUPP, lease_take_all(tmpfs));
	EXPECT_EQ(-EOPNOTSUPP, setlease(tmpfs, F_LAYOUT));
	EXPECT_EQ(-EOPNOTSUPP, lease_take_all(proc));
	close(tmpfs);
	close(proc);
}

TEST_F(take, unbreak_needs_a_writable_description)
{
	int fd = file_open(self->rig.path, O_RDONLY);

	ASSERT_LE(0, fd);
	EXPECT_EQ(-EPERM, lease_take_unbreak(fd));
	EXPECT_EQ(-EPERM, setlease(fd, F_LAYOUT | F_UNBREAK));
	EXPECT_EQ(LAYOUT_NONE, lease_see(fd).state);
	EXPECT_EQ(0, lease_take_all(fd));
	EXPECT_EQ(LAYOUT_ACTIVE, lease_see(fd).state);
	close(fd);
}

TEST_F(take, leases_can_be_switched_off)
{
	ASSERT_EQ(0, sysctl_write("fs/leases-enable", 0));
	EXPECT_EQ(-EINVAL, lease_take_all(self->fd));
	EXPECT_EQ(-EINVAL, setlease(self->fd, F_LAYOUT));
	ASSERT_EQ(0, sysctl_write("fs/leases-enable", 1));
	EXPECT_EQ(0, lease_take_all(self->fd));
}

static void become_nobody(void)
{
	if (setgid(ENV_NOBODY) || setuid(ENV_NOBODY))
		_exit(1);
}

/* With a description of root's file: taking, and revoking another's lease. */
static long nobody_tries(void *arg, int fd)
{
	long ret;

	become_nobody();
	ret = lease_take_all(fd);
	if (ret == -EACCES)
		ret = setlease(fd, F_LAYOUT);
	if (ret == -EACCES)
		ret = lease_revoke(fd, 0);
	return ret;
}

TEST_F(take, only_the_owner_may)
{
	int fd = file_open(self->rig.path, O_RDWR);

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, lease_take_all(self->fd));
	EXPECT_EQ(-EACCES, peer_call(&self->rig.other, nobody_tries, NULL, 0, fd));
	EXPECT_EQ(LAYOUT_ACTIVE, lease_see(self->fd).state);
	EXPECT_EQ(LAYOUT_NONE, lease_see(fd).state);
	close(fd);
}

TEST_F(take, an_ordinary_owner_may)
{
	int fd = file_open(self->rig.path, O_RDWR);

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, fchown(self->fd, ENV_NOBODY, ENV_NOBODY));
	EXPECT_EQ(0, peer_call(&self->rig.other, nobody_tries, NULL, 0, fd));
	EXPECT_EQ(LAYOUT_ACTIVE, lease_see(fd).state);
	close(fd);
}

TEST_HARNESS_MAIN
