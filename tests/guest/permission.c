// SPDX-License-Identifier: GPL-2.0
/*
 * Who may take, change, drop and revoke a lease, by what description, and that
 * who may not change a file breaks nobody's lease on it.
 */
#include <errno.h>
#include <linux/capability.h>
#include <linux/fs.h>
#include <linux/mount.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "kselftest_harness.h"
#include "lib/rig.h"

#define CUT	(4 * MIB)

FIXTURE(permission)
{
	struct rig rig;
	int fd;
};

ON_ALL(permission);

FIXTURE_SETUP(permission)
{
	ASSERT_EQ(0, rig_open(&self->rig, variant->dir));
	self->fd = self->rig.fd;
}

FIXTURE_TEARDOWN(permission)
{
	int zero = 0;

	ioctl(self->rig.fd, FS_IOC_SETFLAGS, &zero);
	rig_close(&self->rig);
}

/* ext4 shares no blocks. */
FIXTURE(shared)
{
	struct rig rig;
	int fd;
};

ON_XFS(shared);

FIXTURE_SETUP(shared)
{
	ASSERT_EQ(0, rig_open(&self->rig, variant->dir));
	self->fd = self->rig.fd;
}

FIXTURE_TEARDOWN(shared)
{
	rig_close(&self->rig);
}

/* Become nobody, with no capability but those in @kept (of the first 32). */
static int become_nobody(__u32 kept)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = { { .effective = kept, .permitted = kept } };

	if (prctl(PR_SET_KEEPCAPS, kept ? 1 : 0) || setgid(ENV_NOBODY) || setuid(ENV_NOBODY))
		return -errno;
	return kept && syscall(SYS_capset, &head, data) ? -errno : 0;
}

static long nobody_takes(void *arg, int fd)
{
	return become_nobody(0) ?: lease_take_all(fd);
}

static long nobody_revokes(void *arg, int fd)
{
	return become_nobody(0) ?: lease_revoke(fd, 0);
}

static long lessor_takes(void *arg, int fd)
{
	return become_nobody(1U << CAP_LEASE) ?: lease_take_unbreak(fd);
}

static long lessor_revokes(void *arg, int fd)
{
	return become_nobody(1U << CAP_LEASE) ?: lease_revoke(fd, 0);
}

TEST_F(permission, cap_lease_stands_for_ownership)
{
	int fd = file_open(self->rig.path, O_RDWR);

	ASSERT_LE(0, fd);
	EXPECT_EQ(0, peer_call(&self->rig.other, lessor_takes, NULL, 0, fd));
	EXPECT_EQ(LAYOUT_ACTIVE, lease_see(fd).state);
	EXPECT_EQ(0, peer_call(&self->rig.third, lessor_revokes, NULL, 0, self->fd));
	EXPECT_EQ(LAYOUT_REVOKED, lease_see(fd).state);
	close(fd);
}

/* Root of a user namespace is nobody's owner outside of it. */
static long namespace_root_takes(void *arg, int fd)
{
	int ret = become_nobody(0);

	if (ret || unshare(CLONE_NEWUSER))
		return ret ?: -errno;
	return lease_take_all(fd) == -EACCES ? lease_revoke(fd, 0) : 0;
}

TEST_F(permission, capabilities_of_a_user_namespace_do_not_count)
{
	ASSERT_EQ(0, lease_take_all(self->fd));
	EXPECT_EQ(-EACCES,
		  peer_call(&self->rig.other, namespace_root_takes, NULL, 0, self->fd));
	EXPECT_EQ(LAYOUT_ACTIVE, lease_see(self->fd).state);
}

static long namespace_owner_takes(void *arg, int fd)
{
	int ret = become_nobody(0);

	if (ret || unshare(CLONE_NEWUSER))
		return ret ?: -errno;
	return lease_take_unbreak(fd);
}

TEST_F(permission, an_owner_in_a_user_namespace_is_one)
{
	ASSERT_EQ(0, fchown(self->fd, ENV_NOBODY, ENV_NOBODY));
	EXPECT_EQ(0, peer_call(&self->rig.other, namespace_owner_takes, NULL, 0, self->fd));
	EXPECT_EQ(LAYOUT_ACTIVE, lease_see(self->fd).state);
}

/* What was promised is kept; a new promise needs the right of now. */
static long retake_and_drop(void *arg, int fd)
{
	int ret = become_nobody(0);

	if (ret)
		return ret;
	ret = lease_take(fd, 0, 0, 2 * MIB, LEASE_NO_EVENT);
	if (ret != -EACCES)
		return ret ?: -EPROTO;
	return lease_drop(fd);
}

TEST_F(permission, after_setuid_the_lease_stays_and_may_be_dropped)
{
	ASSERT_EQ(0, lease_take_unbreak(self->fd));
	EXPECT_EQ(-ETXTBSY, rig_other(&self->rig, do_truncate, CUT, 0));
	EXPECT_EQ(0, peer_call(&self->rig.third, retake_and_drop, NULL, 0, self->fd));
	EXPECT_EQ(LAYOUT_NONE, lease_see(self->fd).state);
}

TEST_F(permission, after_chown_the_old_owner_keeps_what_he_has)
{
	int fd = file_open(self->rig.path, O_RDWR);

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, fchown(self->fd, ENV_NOBODY, ENV_NOBODY));
	ASSERT_EQ(0, peer_call(&self->rig.third, nobody_takes, NULL, 0, fd));
	ASSERT_EQ(0, fchown(self->fd, 0, 0));
	EXPECT_EQ(LAYOUT_ACTIVE, lease_see(fd).state);
	EXPECT_EQ(-EACCES, peer_call(&self->rig.third, nobody_takes, NULL, 0, fd));
	EXPECT_EQ(-EACCES, peer_call(&self->rig.third, nobody_revokes, NULL, 0, fd));
	EXPECT_EQ(LAYOUT_ACTIVE, lease_see(fd).state);
	EXPECT_EQ(0, lease_revoke(self->fd, lease_see(fd).id));
	EXPECT_EQ(LAYOUT_REVOKED, lease_see(fd).state);
	close(fd);
}

TEST_F(permission, any_description_serves_to_revoke)
{
	int fd = file_open(self->rig.path, O_RDONLY);

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, lease_take_unbreak(self->fd));
	EXPECT_EQ(0, lease_revoke(fd, lease_see(self->fd).id));
	EXPECT_EQ(LAYOUT_REVOKED, lease_see(self->fd).state);
	close(fd);
	fd = file_open(self->rig.path, O_PATH);
	ASSERT_LE(0, fd);
	EXPECT_EQ(-EBADF, lease_revoke(fd, 0));
	EXPECT_EQ(-EBADF, lease_drop(fd));
	close(fd);
}

TEST_F(permission, a_revoked_lease_leaves_the_next_take_alone)
{
	ASSERT_EQ(0, lease_take_unbreak(self->fd));
	ASSERT_EQ(0, lease_revoke(self->fd, 0));
	EXPECT_EQ(-ENOENT, lease_drop(self->fd));
	ASSERT_EQ(0, lease_take_all(self->fd));
	EXPECT_EQ(LAYOUT_ACTIVE, lease_see(self->fd).state);
}

/* Shared blocks have to be copied, which is a write. */
TEST_F(shared, a_reader_cannot_have_blocks_unshared)
{
	char path[FILE_PATH + 2];
	int copy, fd;

	snprintf(path, sizeof(path), "%s.c", self->rig.path);
	copy = file_make(path, 0, 0);
	ASSERT_LE(0, copy);
	ASSERT_EQ(0, ioctl(copy, FICLONE, self->fd));
	fd = file_open(self->rig.path, O_RDONLY);
	ASSERT_LE(0, fd);
	EXPECT_EQ(-EPERM, lease_take_all(fd));
	EXPECT_EQ(LAYOUT_NONE, lease_see(fd).state);
	ASSERT_EQ(0, lease_take_all(self->fd));		/* a writer copies them */
	EXPECT_EQ(0, lease_take_all(fd));
	close(fd);
	close(copy);
	unlink(path);
}

/*
 * Who may not do it breaks nothing
 */

static long nobody_cuts(void *arg, int fd)
{
	int ret = become_nobody(0);

	return ret ?: do_truncate(arg, -1);
}

static long nobody_opens_trunc(void *arg, int fd)
{
	int ret = become_nobody(0);

	return ret ?: do_open_trunc(arg, -1);
}

static bool undisturbed(struct rig *rig)
{
	return rig_undisturbed(rig) && rig_untouched(rig);
}

TEST_F(permission, who_may_not_write_breaks_nothing)
{
	ASSERT_EQ(0, lease_take(self->fd, 0, 0, 0, self->rig.event));
	EXPECT_EQ(-EACCES, rig_other(&self->rig, nobody_cuts, CUT, 0));
	EXPECT_EQ(-EACCES, rig_other(&self->rig, nobody_opens_trunc, 0, 0));
	EXPECT_TRUE(undisturbed(&self->rig));
}

static long punch_readonly(void *arg, int fd)
{
	struct cut *cut = arg;

	cut->flags = O_RDONLY;
	return do_punch(cut, -1);
}

TEST_F(permission, a_reading_description_breaks_nothing)
{
	ASSERT_EQ(0, lease_take(self->fd, 0, 0, 0, self->rig.event));
	EXPECT_EQ(-EBADF, rig_other(&self->rig, punch_readonly, CUT, MIB));
	EXPECT_TRUE(undisturbed(&self->rig));
}

/* @fd was opened for writing before the file became what it is. */
static int set_flag(int fd, int flag)
{
	int flags = 0;

	if (ioctl(fd, FS_IOC_GETFLAGS, &flags))
		return -errno;
	flags |= flag;
	return ioctl(fd, FS_IOC_SETFLAGS, &flags) ? -errno : 0;
}

TEST_F(permission, an_immutable_file_can_be_leased_and_not_broken)
{
	struct cut cut = cut_of(self->rig.path, CUT, MIB);

	ASSERT_EQ(0, set_flag(self->fd, FS_IMMUTABLE_FL));
	ASSERT_EQ(0, lease_take(self->fd, 0, 0, 0, self->rig.event));
	EXPECT_EQ(-EPERM, rig_other(&self->rig, do_truncate, CUT, 0));
	EXPECT_EQ(-EPERM, peer_call(&self->rig.third, do_punch, &cut, sizeof(cut), self->fd));
	EXPECT_TRUE(undisturbed(&self->rig));
}

TEST_F(permission, an_append_only_file_can_be_leased_and_not_broken)
{
	struct cut cut = cut_of(self->rig.path, CUT, MIB);

	ASSERT_EQ(0, set_flag(self->fd, FS_APPEND_FL));
	ASSERT_EQ(0, lease_take(self->fd, 0, 0, 0, self->rig.event));
	EXPECT_EQ(-EPERM, rig_other(&self->rig, do_truncate, CUT, 0));
	EXPECT_EQ(-EPERM, peer_call(&self->rig.third, do_ftruncate, &cut, sizeof(cut), self->fd));
	EXPECT_TRUE(undisturbed(&self->rig));
}

/*
 * A mount on which the file belongs to somebody else
 */

/* A user namespace in which root is nobody; kept by the child that is in it. */
static int foreign_namespace(pid_t *child)
{
	char path[64], map[32];
	int ready[2], fd;

	if (pipe(ready))
		return -errno;
	*child = fork();
	if (!*child) {
		if (unshare(CLONE_NEWUSER) || write(ready[1], "", 1) != 1)
			_exit(1);
		pause();
		_exit(0);
	}
	if (read(ready[0], map, 1) != 1)
		return -EIO;
	snprintf(path, sizeof(path), "/proc/%d/uid_map", *child);
	snprintf(map, sizeof(map), "0 %d 1", ENV_NOBODY);
	if (report_write(path, map))
		return -EIO;
	snprintf(path, sizeof(path), "/proc/%d/gid_map", *child);
	if (report_write(path, map))
		return -EIO;
	snprintf(path, sizeof(path), "/proc/%d/ns/user", *child);
	fd = file_open(path, O_RDONLY);
	close(ready[0]);
	close(ready[1]);
	return fd;
}

static int idmapped_tree(const char *dir, int userns)
{
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_IDMAP, .userns_fd = userns };
	int tree = syscall(SYS_open_tree, AT_FDCWD, dir, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);

	if (tree < 0)
		return -errno;
	if (syscall(SYS_mount_setattr, tree, "", AT_EMPTY_PATH, &attr, sizeof(attr)))
		return -errno;
	return tree;
}

TEST_F(permission, on_an_idmapped_mount_its_owner_is_the_owner)
{
	pid_t child = 0;
	int userns, tree, fd;

	userns = foreign_namespace(&child);
	ASSERT_LE(0, userns);
	tree = idmapped_tree(variant->dir, userns);
	ASSERT_LE(0, tree);
	fd = openat(tree, "buffer", O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, fd);
	/* here it belongs to nobody, who does not own it on the other mount */
	EXPECT_EQ(0, peer_call(&self->rig.other, nobody_takes, NULL, 0, fd));
	EXPECT_EQ(LAYOUT_ACTIVE, lease_see(fd).state);
	EXPECT_EQ(-EACCES, peer_call(&self->rig.third, nobody_takes, NULL, 0, self->fd));
	/* one file, one lease, whatever the mount */
	EXPECT_EQ(0, lease_revoke(self->fd, lease_see(fd).id));
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	close(fd);
	close(tree);
	close(userns);
}

TEST_HARNESS_MAIN
