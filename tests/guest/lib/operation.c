// SPDX-License-Identifier: GPL-2.0
/* Operations that free, move or share blocks, one table of them; see operation.h. */
#include <errno.h>
#include <linux/ext4.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "operation.h"
#include "rig.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof(*(a)))

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

struct xfs_commit {
	__s32 file1_fd;
	__u32 pad;
	__u64 file1_offset, file2_offset, length, flags;
	__u64 file2_freshness[6];
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
#define XFS_START	_IOR('X', 130, struct xfs_commit)
#define XFS_COMMIT	_IOW('X', 131, struct xfs_commit)

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
	int fd = file_open(cut->path, cut->flags), other = donor(cut, path);
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

static int exchange_as_second(int fd, int other, struct cut *cut)
{
	return exchange(other, fd, cut);
}

/* Exchange if nobody has changed the file since it was looked at. */
static int commit(int fd, int other, struct cut *cut)
{
	struct xfs_commit range = {
		.file1_fd = other,
		.file1_offset = cut->start,
		.file2_offset = cut->start,
		.length = cut->len,
	};

	return ioctl(fd, XFS_START, &range) ? -1 : ioctl(fd, XFS_COMMIT, &range);
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

static int swap_extents_as_donor(int fd, int other, struct cut *cut)
{
	return swap_extents(other, fd, cut);
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
WITH_DONOR(exchange_as_second)
WITH_DONOR(commit)
WITH_DONOR(swap_extents)
WITH_DONOR(swap_extents_as_donor)
WITH_DONOR(move_extents)
WITH_DONOR(move_extents_from)
WITH_DONOR(swap_boot)
WITH_DONOR(unreserve)

const struct operation operations[] = {
	{ "truncate", do_truncate, OP_BOTH, OP_TO_END },
	{ "ftruncate", do_ftruncate, OP_BOTH, OP_TO_END },
	{ "open with O_TRUNC", do_open_trunc, OP_BOTH, OP_WHOLE | OP_TO_END },
	{ "punch hole", do_punch, OP_BOTH, 0 },
	{ "zero range", do_zero, OP_BOTH, 0 },
	{ "MADV_REMOVE", do_madv_remove, OP_BOTH, 0 },
	{ "UNRESVSP", do_unreserve, OP_BOTH, 0 },
	{ "collapse range", do_collapse, OP_BOTH, OP_TO_END },
	{ "insert range", do_insert, OP_BOTH, OP_TO_END },
	{ "FICLONE into it", do_clone_into, OP_XFS, OP_REFUSED | OP_WHOLE },
	{ "FICLONE from it", do_clone_from, OP_XFS, OP_REFUSED | OP_WHOLE },
	{ "FICLONERANGE into it", do_clone_range_into, OP_XFS, OP_REFUSED },
	{ "FICLONERANGE from it", do_clone_range_from, OP_XFS, OP_REFUSED },
	{ "FIDEDUPERANGE into it", do_dedupe_into, OP_XFS, OP_REFUSED },
	{ "FIDEDUPERANGE from it", do_dedupe_from, OP_XFS, OP_REFUSED },
	{ "EXCHANGE_RANGE", do_exchange, OP_XFS, OP_REFUSED },
	{ "EXCHANGE_RANGE as second", do_exchange_as_second, OP_XFS, OP_REFUSED },
	{ "COMMIT_RANGE", do_commit, OP_XFS, OP_REFUSED },
	{ "SWAPEXT", do_swap_extents, OP_XFS, OP_REFUSED | OP_WHOLE },
	{ "SWAPEXT as donor", do_swap_extents_as_donor, OP_XFS, OP_REFUSED | OP_WHOLE },
	{ "MOVE_EXT", do_move_extents, OP_EXT4, OP_REFUSED | OP_NOT_DAX },
	{ "MOVE_EXT as donor", do_move_extents_from, OP_EXT4, OP_REFUSED | OP_NOT_DAX },
	{ "SWAP_BOOT", do_swap_boot, OP_EXT4, OP_REFUSED | OP_WHOLE },
};

const unsigned int operations_nr = ARRAY_SIZE(operations);

const struct operation *operation_next(const struct operation *op, bool xfs, bool dax,
				       unsigned int with, unsigned int without)
{
	for (op = op ? op + 1 : operations; op < operations + operations_nr; op++) {
		if (!(op->where & (xfs ? OP_XFS : OP_EXT4)))
			continue;
		if ((op->flags & with) == with && !(op->flags & without) &&
		    !(dax && (op->flags & OP_NOT_DAX)))
			return op;
	}
	return NULL;
}

const struct operation *operation_named(const char *name)
{
	const struct operation *op = operations;

	while (strcmp(op->name, name))
		op++;
	return op;
}
