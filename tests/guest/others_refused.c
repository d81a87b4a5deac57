// SPDX-License-Identifier: GPL-2.0
/*
 * The operations on a leased and pinned file that free, move or share blocks
 * in other ways than truncate and a punched hole.  None may succeed: after
 * each, the file has the very blocks it had, and RDMA still reaches them.
 */
#include <errno.h>
#include <linux/ext4.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include "kselftest_harness.h"
#include "lib/rig.h"

/* These ioctls are in no header that make headers_install installs. */
struct xfs_bulkstat_old {
	__u64 ino;
	__u16 mode, nlink;
	__u32 uid, gid, rdev;
	__s32 blksize;
	__s64 size;
	struct { long sec; __s32 nsec; } atime, mtime, ctime;
	__s64 blocks;
	__u32 xflags;
	__s32 extsize, extents;
	__u32 gen;
	__u16 projid_lo, forkoff, projid_hi, sick, checked;
	__u8 pad[2];
	__u32 cowextsize, dmevmask;
	__u16 dmstate, aextents;
};

struct xfs_swap {
	__s64 version, fd_target, fd_tmp, offset, length;
	char pad[16];
	struct xfs_bulkstat_old stat;
};

struct xfs_bulk {
	__u64 *last_ino;
	__s32 count;
	void *buffer;
	__s32 *out_count;
};

struct xfs_exchange {
	__s32 file1_fd;
	__u32 pad;
	__u64 file1_offset, file2_offset, length, flags;
};

struct xfs_flock {
	__s16 type, whence;
	__s64 start, len;
	__s32 sysid;
	__u32 pid;
	__s32 pad[4];
};

#define FS_UNRESVSP	_IOW('X', 43, struct xfs_flock)
#define XFS_BULKSTAT	_IOWR('X', 102, struct xfs_bulk)
#define XFS_SWAPEXT	_IOWR('X', 109, struct xfs_swap)
#define XFS_EXCHANGE	_IOW('X', 129, struct xfs_exchange)

/* The other file of the operations on two: as large, beside the first. */
static int donor(struct cut *cut, char *path)
{
	snprintf(path, FILE_PATH + 2, "%s.d", cut->path);
	return file_make(path, RIG_SIZE, 'd');
}

typedef int (*two_files)(int fd, int other, struct cut *cut);

static long with_donor(struct cut *cut, two_files fn)
{
	char path[FILE_PATH + 2];
	int fd = file_open(cut->path, O_RDWR), other = donor(cut, path);
	int ret = fd < 0 ? fd : other < 0 ? other : fn(fd, other, cut) ? -errno : 0;

	close(fd);
	close(other);
	unlink(path);
	return ret;
}

static int clone_into(int fd, int other, struct cut *cut)
{
	return ioctl(fd, FICLONE, other);
}

static int clone_from(int fd, int other, struct cut *cut)
{
	return ioctl(other, FICLONE, fd);
}

static int clone_range(int from, int to, struct cut *cut)
{
	struct file_clone_range range = {
		.src_fd = from,
		.src_offset = cut->start,
		.src_length = cut->len,
		.dest_offset = cut->start,
	};

	return ioctl(to, FICLONERANGE, &range);
}

static int clone_range_into(int fd, int other, struct cut *cut)
{
	return clone_range(other, fd, cut);
}

static int clone_range_from(int fd, int other, struct cut *cut)
{
	return clone_range(fd, other, cut);
}

static int dedupe(int from, int to, struct cut *cut)
{
	union {
		struct file_dedupe_range range;
		char room[sizeof(struct file_dedupe_range) +
			  sizeof(struct file_dedupe_range_info)];
	} ask = { .range = {
		.src_offset = cut->start,
		.src_length = cut->len,
		.dest_count = 1,
	} };
	struct file_dedupe_range_info *info = ask.range.info;

	info->dest_fd = to;
	info->dest_offset = cut->start;
	if (ioctl(from, FIDEDUPERANGE, &ask.range))
		return -1;
	/* "Differs" would be an answer about contents, which are the same here. */
	errno = info->status < 0 ? -info->status : 0;
	return info->status < 0 ? -1 : 0;
}

static int same_content(int fd, int other, struct cut *cut)
{
	static char buf[64 * KIB];
	__u64 at;

	for (at = 0; at < RIG_SIZE; at += sizeof(buf))
		if (pread(fd, buf, sizeof(buf), at) != sizeof(buf) ||
		    pwrite(other, buf, sizeof(buf), at) != sizeof(buf))
			return -1;
	return fsync(other);
}

static int dedupe_into(int fd, int other, struct cut *cut)
{
	return same_content(fd, other, cut) ? -1 : dedupe(other, fd, cut);
}

static int dedupe_from(int fd, int other, struct cut *cut)
{
	return same_content(fd, other, cut) ? -1 : dedupe(fd, other, cut);
}

static int exchange(int fd, int other, struct cut *cut)
{
	struct xfs_exchange range = {
		.file1_fd = other,
		.file1_offset = cut->start,
		.file2_offset = cut->start,
		.length = cut->len,
	};

	return ioctl(fd, XFS_EXCHANGE, &range);
}

static int swap_extents(int fd, int other, struct cut *cut)
{
	struct xfs_swap swap = { .fd_target = fd, .fd_tmp = other, .length = RIG_SIZE };
	struct stat st;
	__u64 ino;
	struct xfs_bulk bulk = { .last_ino = &ino, .count = 1, .buffer = &swap.stat };

	if (fstat(fd, &st))
		return -1;
	ino = st.st_ino;
	if (ioctl(fd, XFS_BULKSTAT, &bulk))
		return -1;
	return ioctl(fd, XFS_SWAPEXT, &swap);
}

static int move_extents(int fd, int other, struct cut *cut)
{
	struct move_extent move = {
		.donor_fd = other,
		.orig_start = cut->start / PAGE,
		.donor_start = cut->start / PAGE,
		.len = cut->len / PAGE,
	};

	return ioctl(fd, EXT4_IOC_MOVE_EXT, &move);
}

static int move_extents_from(int fd, int other, struct cut *cut)
{
	return move_extents(other, fd, cut);
}

static int swap_boot(int fd, int other, struct cut *cut)
{
	return ioctl(fd, EXT4_IOC_SWAP_BOOT);
}

static int unreserve(int fd, int other, struct cut *cut)
{
	struct xfs_flock range = { .start = cut->start, .len = cut->len };

	return ioctl(fd, FS_UNRESVSP, &range);
}

#define WITH_DONOR(fn)							\
	static long do_##fn(void *arg, int fd)				\
	{								\
		return with_donor(arg, fn);				\
	}

WITH_DONOR(clone_into)
WITH_DONOR(clone_from)
WITH_DONOR(clone_range_into)
WITH_DONOR(clone_range_from)
WITH_DONOR(dedupe_into)
WITH_DONOR(dedupe_from)
WITH_DONOR(exchange)
WITH_DONOR(swap_extents)
WITH_DONOR(move_extents)
WITH_DONOR(move_extents_from)
WITH_DONOR(swap_boot)
WITH_DONOR(unreserve)

enum { EXT4 = 1, XFS = 2, BOTH = EXT4 | XFS };

/* @refused: over any layout lease; the others begin a break over a breakable one. */
static const struct operation {
	const char *name;
	peer_fn fn;
	int where;
	bool refused;
} operations[] = {
	{ "collapse range", do_collapse, BOTH, false },
	{ "insert range", do_insert, BOTH, false },
	{ "zero range", do_zero, BOTH, false },
	{ "MADV_REMOVE", do_madv_remove, BOTH, false },
	{ "UNRESVSP", do_unreserve, BOTH, false },
	{ "FICLONE into it", do_clone_into, XFS, true },
	{ "FICLONE from it", do_clone_from, XFS, true },
	{ "FICLONERANGE into it", do_clone_range_into, XFS, true },
	{ "FICLONERANGE from it", do_clone_range_from, XFS, true },
	{ "FIDEDUPERANGE into it", do_dedupe_into, XFS, true },
	{ "FIDEDUPERANGE from it", do_dedupe_from, XFS, true },
	{ "EXCHANGE_RANGE", do_exchange, XFS, true },
	{ "SWAPEXT", do_swap_extents, XFS, true },
	{ "MOVE_EXT", do_move_extents, EXT4, true },
	{ "MOVE_EXT as donor", do_move_extents_from, EXT4, true },
	{ "SWAP_BOOT", do_swap_boot, EXT4, true },
};

FIXTURE(refused)
{
	struct rig rig;
	struct nic nic;
	struct ibv_mr *mr;
	int fd;
	char *map;
};

ON_ALL(refused);

FIXTURE_SETUP(refused)
{
	ASSERT_EQ(0, rig_open(&self->rig, variant->dir));
	self->fd = self->rig.fd;
	self->map = file_map(self->fd, RIG_SIZE);
	ASSERT_NE(NULL, self->map);
	ASSERT_EQ(0, nic_open(&self->nic, ENV_RXE));
}

FIXTURE_TEARDOWN(refused)
{
	if (self->mr)
		ibv_dereg_mr(self->mr);
	nic_close(&self->nic);
	rig_close(&self->rig);
}

static bool applies(const struct operation *op, bool xfs)
{
	return op->where & (xfs ? XFS : EXT4);
}

TEST_F_TIMEOUT(refused, none_changes_an_unbreakable_layout, 240)
{
	struct extents before, after;
	unsigned int i;

	ASSERT_EQ(0, lease_take_unbreak(self->fd));
	if (variant->dax)
		ASSERT_EQ(0, mr_reg(&self->nic, self->map, RIG_SIZE, MR_SERVER, &self->mr));
	ASSERT_EQ(0, file_extents(self->fd, &before));
	for (i = 0; i < ARRAY_SIZE(operations); i++) {
		if (!applies(&operations[i], variant->xfs))
			continue;
		EXPECT_GT(0, rig_other(&self->rig, operations[i].fn, 2 * MIB, MIB))
			TH_LOG("%s went through", operations[i].name);
		ASSERT_EQ(0, file_extents(self->fd, &after));
		EXPECT_TRUE(extents_same(&before, &after))
			TH_LOG("%s changed the layout", operations[i].name);
		EXPECT_TRUE(rig_untouched(&self->rig))
			TH_LOG("%s changed the content", operations[i].name);
	}
	EXPECT_EQ(LAYOUT_ACTIVE, lease_see(self->fd).state);
	if (variant->dax)
		EXPECT_EQ(1, lease_see(self->fd).pins);
}

/* Whoever may read a file may clone it: that must not evict a server. */
TEST_F_TIMEOUT(refused, sharing_and_exchanging_never_begin_a_break, 240)
{
	struct extents before, after;
	unsigned int i;

	ASSERT_EQ(0, break_time_set(1));
	ASSERT_EQ(0, lease_take(self->fd, 0, 0, 0, self->rig.event));
	ASSERT_EQ(0, file_extents(self->fd, &before));
	for (i = 0; i < ARRAY_SIZE(operations); i++) {
		if (!operations[i].refused || !applies(&operations[i], variant->xfs))
			continue;
		EXPECT_GT(0, rig_other(&self->rig, operations[i].fn, 2 * MIB, MIB))
			TH_LOG("%s went through", operations[i].name);
		EXPECT_EQ(LAYOUT_ACTIVE, lease_see(self->fd).state)
			TH_LOG("%s began a break", operations[i].name);
		ASSERT_EQ(0, file_extents(self->fd, &after));
		EXPECT_TRUE(extents_same(&before, &after))
			TH_LOG("%s changed the layout", operations[i].name);
	}
	EXPECT_TRUE(rig_untouched(&self->rig));
}

/* Without a lease each of them is what it was; else the tests above prove nothing. */
TEST_F_TIMEOUT(refused, without_a_lease_they_work_as_before, 240)
{
	static const peer_fn works[] = {
		do_zero, do_madv_remove, do_insert, do_collapse, do_clone_into, do_clone_from,
		do_dedupe_into,
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(works); i++) {
		if (i >= 4 && !variant->xfs)
			break;
		EXPECT_EQ(0, rig_other(&self->rig, works[i], 2 * MIB, MIB))
			TH_LOG("operation %u", i);
	}
}

TEST_F_TIMEOUT(refused, copy_file_range_copies_instead, 60)
{
	char path[FILE_PATH + 2];
	struct extents map;
	loff_t in = 0, out = 0;
	unsigned int i;
	int fd;

	snprintf(path, sizeof(path), "%s.c", self->rig.path);
	fd = file_make(path, 0, 0);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, lease_take_unbreak(self->fd));
	EXPECT_EQ(MIB, copy_file_range(self->fd, &in, fd, &out, MIB, 0));
	EXPECT_TRUE(file_is(path, 0, MIB, RIG_FILL));
	ASSERT_EQ(0, file_extents(self->fd, &map));
	for (i = 0; i < map.count; i++)
		EXPECT_EQ(0, map.at[i].flags & 0x2000);		/* FIEMAP_EXTENT_SHARED */
	close(fd);
	unlink(path);
}

TEST_HARNESS_MAIN
