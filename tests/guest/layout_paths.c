// SPDX-License-Identifier: GPL-2.0
/*
 * The less travelled paths of docs/operations.md: what lies beyond the end of a
 * file, what can only fail, what only looks as if it moved blocks, and who is
 * waited for besides holders of leases.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <linux/fsverity.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/swap.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include "kselftest_harness.h"
#include "lib/operation.h"
#include "lib/rig.h"
#include "lib/state.h"

#define CUT	(4 * MIB)

/* Not in the headers that make headers_install installs. */
struct xfs_eofblocks {
	__u32 version, flags, uid, gid, prid, pad32;
	__u64 min_size, pad64[12];
};

#define XFS_FREE_EOFBLOCKS	_IOR('X', 58, struct xfs_eofblocks)
#define XFS_EOF_SYNC		1

/* Not everything exists on every file system: a fixture for each choice. */
#define PATHS(name, ON_THESE)						\
	FIXTURE(name)							\
	{								\
		struct rig rig;						\
		struct file_state before;				\
		int fd;							\
	};								\
	ON_THESE(name);							\
	FIXTURE_SETUP(name)						\
	{								\
		ASSERT_EQ(0, rig_open(&self->rig, variant->dir));	\
		self->fd = self->rig.fd;				\
	}								\
	FIXTURE_TEARDOWN(name)						\
	{								\
		clear_flags(self->rig.fd);				\
		rig_close(&self->rig);					\
	}

/* An immutable file could not be removed. */
static void clear_flags(int fd)
{
	int zero = 0;

	ioctl(fd, FS_IOC_SETFLAGS, &zero);
}

PATHS(paths, ON_ALL)
PATHS(on_ext4, ON_EXT4)
PATHS(on_xfs, ON_XFS)
PATHS(on_nodax, ON_NODAX)
PATHS(on_ext4_nodax, ON_EXT4_NODAX)
PATHS(on_xfs_nodax, ON_XFS_NODAX)

/* Blocks behind the end, which reach to @end. */
static int preallocate(int fd, __u64 end)
{
	return fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, end) ? -errno : 0;
}

static bool undisturbed(struct rig *rig)
{
	struct layout_lease lease = lease_see(rig->fd);

	return lease.state == LAYOUT_ACTIVE && !lease.denied && !lease_events(rig->event, 0);
}

/*
 * Beyond the end
 */

TEST_F(paths, a_truncate_to_the_same_size_leaves_leased_blocks)
{
	ASSERT_EQ(0, preallocate(self->fd, RIG_SIZE + MIB));
	ASSERT_EQ(0, lease_take(self->fd, LAYOUT_LEASE_UNBREAK, 0, 0, self->rig.event));
	ASSERT_EQ(0, state_see(self->fd, &self->before));
	EXPECT_EQ(0, rig_other(&self->rig, do_truncate, RIG_SIZE, 0));
	EXPECT_GT(QUICK, self->rig.other.ms);
	EXPECT_STREQ("", state_changes(self->fd, &self->before));
	EXPECT_EQ(0, rig_other(&self->rig, do_ftruncate, RIG_SIZE, 0));
	EXPECT_TRUE(undisturbed(&self->rig));
	EXPECT_LE((long)((RIG_SIZE + MIB) / 512), file_blocks(self->fd));
}

TEST_F(paths, a_truncate_to_the_same_size_trims_beside_the_lease)
{
	ASSERT_EQ(0, preallocate(self->fd, RIG_SIZE + MIB));
	ASSERT_EQ(0, lease_take(self->fd, LAYOUT_LEASE_UNBREAK, 0, 4 * MIB, self->rig.event));
	EXPECT_EQ(0, rig_other(&self->rig, do_truncate, RIG_SIZE, 0));
	EXPECT_GT((long)((RIG_SIZE + MIB) / 512), file_blocks(self->fd));
	EXPECT_TRUE(undisturbed(&self->rig));
}

TEST_F(paths, emptying_an_empty_file_leaves_leased_blocks)
{
	ASSERT_EQ(0, ftruncate(self->fd, 0));
	ASSERT_EQ(0, preallocate(self->fd, MIB));
	ASSERT_EQ(0, lease_take(self->fd, LAYOUT_LEASE_UNBREAK, 0, 0, self->rig.event));
	EXPECT_EQ(0, rig_other(&self->rig, do_open_trunc, 0, 0));
	EXPECT_LE((long)(MIB / 512), file_blocks(self->fd));
	EXPECT_TRUE(undisturbed(&self->rig));
}

/* Append in pieces: XFS preallocates beyond the end of a file that grows. */
static int grow(int fd)
{
	static char piece[64 * KIB];
	__u64 at;

	for (at = 0; at < RIG_SIZE; at += sizeof(piece))
		if (pwrite(fd, piece, sizeof(piece), at) != sizeof(piece))
			return -errno;
	return fsync(fd) ? -errno : 0;
}

static int free_eofblocks(int fd)
{
	struct xfs_eofblocks all = { .version = 1, .flags = XFS_EOF_SYNC };

	return ioctl(fd, XFS_FREE_EOFBLOCKS, &all) ? -errno : 0;
}

/* Not rig.fd: whoever has called fallocate() for a file keeps all it has. */
TEST_F(on_xfs_nodax, xfs_trims_leased_files_later)
{
	char path[FILE_PATH + 2];
	int holder, writer;
	long blocks;

	snprintf(path, sizeof(path), "%s.g", self->rig.path);
	writer = file_open(path, O_RDWR | O_CREAT | O_TRUNC);
	ASSERT_LE(0, writer);
	ASSERT_EQ(0, grow(writer));
	blocks = file_blocks(writer);
	ASSERT_LT((long)(RIG_SIZE / 512), blocks);
	holder = file_open(path, O_RDWR);
	ASSERT_LE(0, holder);
	ASSERT_EQ(0, lease_take_all(holder));
	EXPECT_EQ(0, free_eofblocks(writer));
	EXPECT_EQ(blocks, file_blocks(holder));
	close(writer);
	EXPECT_EQ(blocks, file_blocks(holder));
	EXPECT_EQ(LAYOUT_ACTIVE, lease_see(holder).state);
	ASSERT_EQ(0, lease_drop(holder));
	EXPECT_EQ(0, free_eofblocks(holder));
	EXPECT_GT(blocks, file_blocks(holder));
	close(holder);
	unlink(path);
}

/*
 * What can only fail
 */

TEST_F(paths, inserting_too_much_breaks_nothing)
{
	ASSERT_EQ(0, ftruncate(self->fd, variant->xfs ? 0x7ffffffffff00000LL : 0xfffffe00000LL));
	ASSERT_EQ(0, lease_take(self->fd, 0, 0, 0, self->rig.event));
	EXPECT_EQ(-EFBIG, rig_other(&self->rig, do_insert, 0, 4 * MIB));
	EXPECT_TRUE(undisturbed(&self->rig));
}

TEST_F(paths, a_file_that_became_immutable_is_not_broken)
{
	struct cut cut = cut_of(self->rig.path, CUT, 0);
	int flags, fd = file_open(self->rig.path, O_RDWR);

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, break_time_set(0));
	ASSERT_EQ(0, ioctl(self->fd, FS_IOC_GETFLAGS, &flags));
	flags |= FS_IMMUTABLE_FL;
	ASSERT_EQ(0, ioctl(self->fd, FS_IOC_SETFLAGS, &flags));
	ASSERT_EQ(0, lease_take(self->fd, 0, 0, 0, self->rig.event));
	EXPECT_EQ(-EPERM, peer_call(&self->rig.other, do_ftruncate, &cut, sizeof(cut), fd));
	EXPECT_TRUE(undisturbed(&self->rig));
	EXPECT_TRUE(rig_untouched(&self->rig));
	close(fd);
}

TEST_F_TIMEOUT(on_nodax, a_swap_file_is_not_broken, 60)
{
	char command[FILE_PATH + 40];

	snprintf(command, sizeof(command), "mkswap %s >/dev/null 2>&1", self->rig.path);
	ASSERT_EQ(0, system(command));
	ASSERT_EQ(0, fchmod(self->fd, 0600));
	ASSERT_EQ(0, swapon(self->rig.path, 0));
	ASSERT_EQ(0, lease_take(self->fd, 0, 0, 0, self->rig.event));
	EXPECT_EQ(-ETXTBSY, rig_other(&self->rig, do_truncate, CUT, 0));
	EXPECT_EQ(-ETXTBSY, rig_other(&self->rig, do_punch, CUT, MIB));
	EXPECT_TRUE(undisturbed(&self->rig));
	EXPECT_EQ(0, swapoff(self->rig.path));
}

/*
 * What only looks as if it moved blocks
 */

static long unshare_range(void *arg, int fd)
{
	struct cut *cut = arg;
	int ret;

	fd = file_open(cut->path, O_RDWR);
	if (fd < 0)
		return fd;
	ret = fallocate(fd, FALLOC_FL_UNSHARE_RANGE, cut->start, cut->len) ? -errno : 0;
	close(fd);
	return ret;
}

TEST_F(on_xfs, unsharing_what_is_not_shared_is_free)
{
	ASSERT_EQ(0, lease_take(self->fd, LAYOUT_LEASE_UNBREAK, 0, 0, self->rig.event));
	ASSERT_EQ(0, state_see(self->fd, &self->before));
	EXPECT_EQ(0, rig_other(&self->rig, unshare_range, 0, RIG_SIZE));
	EXPECT_TRUE(undisturbed(&self->rig));
	ASSERT_EQ(0, file_extents(self->fd, &self->before.extents));
	EXPECT_TRUE(rig_untouched(&self->rig));
}

/* What is shared before is not below the lease, whatever is written then. */
TEST_F(on_xfs, below_a_lease_no_write_moves_a_block)
{
	struct extents before, after;
	char path[FILE_PATH + 2];
	unsigned int i;
	int copy;

	snprintf(path, sizeof(path), "%s.c", self->rig.path);
	copy = file_make(path, 0, 0);
	ASSERT_LE(0, copy);
	ASSERT_EQ(0, ioctl(copy, FICLONE, self->fd));
	ASSERT_EQ(0, rig_other(&self->rig, do_write, MIB, PAGE));
	ASSERT_EQ(0, lease_take(self->fd, LAYOUT_LEASE_UNBREAK, 0, 0, self->rig.event));
	ASSERT_EQ(0, file_extents(self->fd, &before));
	for (i = 0; i < before.count; i++)
		EXPECT_EQ(0, before.at[i].flags & 0x2000);	/* FIEMAP_EXTENT_SHARED */
	ASSERT_EQ(0, rig_other(&self->rig, do_write, 0, RIG_SIZE));
	sync();
	ASSERT_EQ(0, file_extents(self->fd, &after));
	EXPECT_TRUE(extents_same(&before, &after));
	EXPECT_TRUE(file_is(path, 0, RIG_SIZE, RIG_FILL));
	EXPECT_TRUE(undisturbed(&self->rig));
	close(copy);
	unlink(path);
}

TEST_F(on_xfs, a_clone_within_the_file_is_denied_once)
{
	struct file_clone_range range = { .src_offset = 0, .src_length = MIB, .dest_offset = CUT };
	int status;
	pid_t pid;

	ASSERT_EQ(0, lease_take(self->fd, 0, 0, 0, self->rig.event));
	pid = fork();
	if (!pid) {
		int fd = open(self->rig.path, O_RDWR);

		close(self->fd);
		range.src_fd = fd;
		_exit(ioctl(fd, FICLONERANGE, &range) && errno == ETXTBSY ? 0 : 1);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	EXPECT_EQ(1, lease_see(self->fd).denied);
	EXPECT_EQ(1, lease_events(self->rig.event, QUICK));
}

/* Indirect blocks and extents map the same blocks in other words. */
TEST_F(on_ext4, ext4_rewrites_the_map_and_moves_nothing)
{
	struct extents before, after;
	int flags;

	ASSERT_EQ(0, ftruncate(self->fd, 8 * PAGE));
	ASSERT_EQ(0, fsync(self->fd));
	ASSERT_EQ(0, lease_take(self->fd, LAYOUT_LEASE_UNBREAK, 0, 0, self->rig.event));
	ASSERT_EQ(0, file_extents(self->fd, &before));
	ASSERT_EQ(0, ioctl(self->fd, FS_IOC_GETFLAGS, &flags));
	flags &= ~FS_EXTENT_FL;
	EXPECT_EQ(0, ioctl(self->fd, FS_IOC_SETFLAGS, &flags));
	ASSERT_EQ(0, file_extents(self->fd, &after));
	EXPECT_EQ(before.at[0].physical, after.at[0].physical);
	flags |= FS_EXTENT_FL;
	EXPECT_EQ(0, ioctl(self->fd, FS_IOC_SETFLAGS, &flags));
	ASSERT_EQ(0, file_extents(self->fd, &after));
	EXPECT_EQ(before.at[0].physical, after.at[0].physical);
	EXPECT_EQ(8 * PAGE, after.at[0].length);
	EXPECT_TRUE(undisturbed(&self->rig));
}

/*
 * Verity takes what lies beyond the end for its own; ext4 without DAX has it,
 * on a file system made for it.
 */
static int verity_image(struct rig *rig, const char *dir, char *path)
{
	char command[4 * FILE_PATH];

	snprintf(command, sizeof(command),
		 "truncate -s 64M %s/image && mkfs.ext4 -q -F -b 4096 -O verity %s/image && "
		 "mkdir -p /run/verity && /usr/bin/mount -o loop %s/image /run/verity", dir, dir, dir);
	snprintf(path, FILE_PATH, "/run/verity/file");
	return system(command);
}

static long enable_verity(void *arg, int fd)
{
	struct fsverity_enable_arg ask = {
		.version = 1,
		.hash_algorithm = FS_VERITY_HASH_ALG_SHA256,
		.block_size = PAGE,
	};
	struct cut *cut = arg;
	int ret;

	fd = fd < 0 ? file_open(cut->path, O_RDONLY) : fd;
	ret = ioctl(fd, FS_IOC_ENABLE_VERITY, &ask) ? -errno : 0;
	close(fd);
	return ret;
}

TEST_F_TIMEOUT(on_ext4_nodax, verity_is_refused_over_leased_blocks_beyond_the_end, 60)
{
	char path[FILE_PATH];
	struct cut cut;
	int fd;

	ASSERT_EQ(0, verity_image(&self->rig, variant->dir, path));
	cut = cut_of(path, 0, 0);
	fd = file_make(path, MIB, RIG_FILL);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, preallocate(fd, 2 * MIB));
	close(fd);
	fd = file_open(path, O_RDONLY);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, lease_take_all(fd));
	EXPECT_EQ(-ETXTBSY, peer_call(&self->rig.other, enable_verity, &cut, sizeof(cut), -1));
	EXPECT_EQ(1, lease_see(fd).denied);
	EXPECT_EQ(-EDEADLK, enable_verity(&cut, -1));
	EXPECT_LE((long)(2 * MIB / 512), file_blocks(fd));
	ASSERT_EQ(0, lease_take(fd, 0, 0, MIB, LEASE_NO_EVENT));
	EXPECT_EQ(0, peer_call(&self->rig.other, enable_verity, &cut, sizeof(cut), -1));
	EXPECT_EQ(-EPERM, peer_call(&self->rig.other, do_truncate, &cut, sizeof(cut), -1));
	EXPECT_EQ(LAYOUT_ACTIVE, lease_see(fd).state);
	close(fd);
	EXPECT_EQ(0, system("umount /run/verity"));
}

/*
 * Pages in use by somebody else: waited for where they are in the range, and
 * only there.
 */

#define BUSY(name, ON_THESE)						\
	FIXTURE(name)							\
	{								\
		struct rig rig;						\
		int fd, pipe[2];					\
	};								\
	ON_THESE(name);							\
	FIXTURE_SETUP(name)						\
	{								\
		ASSERT_EQ(0, rig_open(&self->rig, variant->dir));	\
		self->fd = self->rig.fd;				\
		ASSERT_EQ(0, pipe(self->pipe));				\
		ASSERT_EQ(0, keep_busy(self->fd, self->pipe[1]));	\
	}								\
	FIXTURE_TEARDOWN(name)						\
	{								\
		close(self->pipe[0]);					\
		close(self->pipe[1]);					\
		rig_close(&self->rig);					\
	}

/* The first page of the file goes into a pipe as it is, not as a copy. */
static int keep_busy(int fd, int pipe)
{
	struct iovec page = { .iov_base = file_map(fd, RIG_SIZE), .iov_len = PAGE };

	if (!page.iov_base || *(char *)page.iov_base != RIG_FILL)
		return -EIO;
	return vmsplice(pipe, &page, 1, 0) == PAGE ? 0 : -errno;
}

BUSY(busy, ON_DAX)
BUSY(busy_xfs, ON_XFS_DAX)

static int let_go(int fd)
{
	char page[PAGE];

	return read(fd, page, sizeof(page)) == sizeof(page) ? 0 : -errno;
}

TEST_F(busy, beside_the_range_nobody_is_waited_for)
{
	EXPECT_EQ(0, rig_other(&self->rig, do_truncate, RIG_SIZE, 0));
	EXPECT_EQ(0, rig_other(&self->rig, do_truncate, 2 * RIG_SIZE, 0));
	EXPECT_EQ(0, rig_other(&self->rig, do_punch, CUT, MIB));
	EXPECT_EQ(0, rig_other(&self->rig, do_truncate, CUT, 0));
	EXPECT_GT(QUICK, self->rig.other.ms);
}

TEST_F_TIMEOUT(busy, in_the_range_they_are_waited_for, 60)
{
	ASSERT_EQ(0, rig_start(&self->rig, do_punch, 0, PAGE));
	EXPECT_TRUE(peer_busy(&self->rig.other, 500));
	ASSERT_EQ(0, let_go(self->pipe[0]));
	EXPECT_EQ(0, peer_result(&self->rig.other, QUICK));
}

/* First the lease, then the page: neither is forgotten for the other. */
TEST_F_TIMEOUT(busy, after_the_lease_they_are_waited_for, 60)
{
	ASSERT_EQ(0, lease_take(self->fd, 0, 0, 0, self->rig.event));
	ASSERT_EQ(0, rig_start(&self->rig, do_truncate, 0, 0));
	EXPECT_EQ(1, lease_events(self->rig.event, QUICK));
	ASSERT_EQ(0, lease_drop(self->fd));
	EXPECT_TRUE(peer_busy(&self->rig.other, 500));
	ASSERT_EQ(0, let_go(self->pipe[0]));
	EXPECT_EQ(0, peer_result(&self->rig.other, QUICK));
	EXPECT_EQ(0, file_size(self->rig.path));
}

/* It may still be making its other file when the first signal comes. */
static long interrupt_until_it_ends(struct peer *peer)
{
	unsigned long end = now_ms() + LONG;
	long ret;

	do {
		peer_interrupt(peer);
		ret = peer_result(peer, 200);
	} while (ret == -ETIME && now_ms() < end);
	return ret;
}

TEST_F_TIMEOUT(busy_xfs, exchanging_and_sharing_wait_for_them_and_can_be_interrupted, 240)
{
	const struct operation *op = NULL;

	while ((op = operation_next(op, true, true, OP_REFUSED, 0))) {
		ASSERT_EQ(0, rig_start(&self->rig, op->fn, 0, MIB));
		EXPECT_TRUE(peer_busy(&self->rig.other, env_ms(500)))
			TH_LOG("%s does not wait", op->name);
		EXPECT_EQ(-EINTR, interrupt_until_it_ends(&self->rig.other))
			TH_LOG("%s", op->name);
	}
	EXPECT_TRUE(rig_untouched(&self->rig));
	ASSERT_EQ(0, let_go(self->pipe[0]));
}

TEST_HARNESS_MAIN
