// SPDX-License-Identifier: GPL-2.0
/* Files, their blocks, and the operations of others on them; see file.h. */
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../env.h"
#include "file.h"

int file_open(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC, 0644);

	return fd < 0 ? -errno : fd;
}

#define CHUNK	(64 * KIB)

size_t file_chunk = CHUNK;

static int fill_range(int fd, char fill, __u64 start, __u64 len)
{
	static char buf[CHUNK];
	ssize_t done;

	memset(buf, fill, sizeof(buf));
	while (len) {
		done = pwrite(fd, buf, len < file_chunk ? len : file_chunk, start);
		if (done <= 0)
			return -errno;
		start += done;
		len -= done;
	}
	return 0;
}

int file_make(const char *path, size_t size, char fill)
{
	int fd, ret;

	unlink(path);
	fd = file_open(path, O_RDWR | O_CREAT | O_EXCL);
	if (fd < 0)
		return fd;
	/*
	 * Exactly these blocks: XFS preallocates behind writes that extend.  ext4,
	 * which does not, cannot allocate for a file without extents.
	 */
	ret = size && fallocate(fd, 0, 0, size) && errno != EOPNOTSUPP ? -errno : 0;
	if (!ret)
		ret = fill_range(fd, fill, 0, size);
	if (!ret && fsync(fd))
		ret = -errno;
	if (ret)
		close(fd);
	return ret ? ret : fd;
}

long file_size(const char *path)
{
	struct stat st;

	return stat(path, &st) ? -errno : st.st_size;
}

long file_blocks(int fd)
{
	struct stat st;

	return fstat(fd, &st) ? -errno : st.st_blocks;
}

bool file_is(const char *path, size_t start, size_t len, char byte)
{
	static char buf[64 * KIB];
	int fd = file_open(path, O_RDONLY);
	bool same = fd >= 0;

	while (same && len) {
		ssize_t i, got = pread(fd, buf, len < sizeof(buf) ? len : sizeof(buf), start);

		same = got > 0;
		for (i = 0; i < got; i++)
			same = same && buf[i] == byte;
		start += got;
		len -= got;
	}
	if (fd >= 0)
		close(fd);
	return same;
}

void *file_map(int fd, size_t len)
{
	void *addr = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	return addr == MAP_FAILED ? NULL : addr;
}

int file_extents(int fd, struct extents *map)
{
	struct {
		struct fiemap head;
		struct fiemap_extent extent[FILE_EXTENTS];
	} ask = { .head = {
		.fm_length = FIEMAP_MAX_OFFSET,
		.fm_flags = FIEMAP_FLAG_SYNC,
		.fm_extent_count = FILE_EXTENTS,
	} };
	unsigned int i;

	memset(map, 0, sizeof(*map));
	if (ioctl(fd, FS_IOC_FIEMAP, &ask.head))
		return -errno;
	map->count = ask.head.fm_mapped_extents;
	for (i = 0; i < map->count; i++) {
		map->at[i].logical = ask.extent[i].fe_logical;
		map->at[i].physical = ask.extent[i].fe_physical;
		map->at[i].length = ask.extent[i].fe_length;
		map->at[i].flags = ask.extent[i].fe_flags;
	}
	return 0;
}

bool extents_same(const struct extents *a, const struct extents *b)
{
	return !memcmp(a, b, sizeof(*a));
}

/* Where in the file of @mine, and how long, it first owns a block of @freed. */
static bool overlap(const struct extents *mine, const struct extents *freed, __u64 *at, __u64 *len)
{
	unsigned int i, j;

	for (i = 0; i < mine->count; i++) {
		__u64 start = mine->at[i].physical, end = start + mine->at[i].length;

		for (j = 0; j < freed->count; j++) {
			__u64 from = freed->at[j].physical, to = from + freed->at[j].length;

			from = from > start ? from : start;
			to = to < end ? to : end;
			if (from >= to)
				continue;
			*at = mine->at[i].logical + from - start;
			*len = to - from;
			return true;
		}
	}
	return false;
}

int file_grab_blocks(const char *dir, const struct extents *freed, char fill, char *path,
		     __u64 *at, __u64 *len)
{
	struct extents mine;
	bool found = false;
	int fd, i, ret = 0;

	/* Freed blocks are handed out again once the freeing is on disk. */
	sync();
	for (i = 0; i < 400 && !ret && !found; i++) {
		snprintf(path, FILE_PATH, "%s/grab%d", dir, i);
		fd = file_open(path, O_RDWR | O_CREAT | O_TRUNC);
		if (fd < 0)
			return fd;
		ret = fallocate(fd, 0, 0, MIB) ? -errno : file_extents(fd, &mine);
		found = !ret && overlap(&mine, freed, at, len);
		if (found)
			ret = fill_range(fd, fill, *at, *len);
		if (found && fsync(fd))
			ret = -errno;
		close(fd);
	}
	while (i-- > 0) {
		char other[FILE_PATH];

		snprintf(other, sizeof(other), "%s/grab%d", dir, i);
		if (strcmp(other, path))
			unlink(other);
	}
	return ret ? ret : found ? 0 : -ENOENT;
}

struct cut cut_of(const char *path, __u64 start, __u64 len)
{
	struct cut cut = { .start = start, .len = len, .flags = O_RDWR };

	snprintf(cut.path, sizeof(cut.path), "%s", path);
	return cut;
}

/* The descriptor that was sent, or one of our own by name and flags. */
static int descriptor(struct cut *cut, int fd)
{
	return fd >= 0 ? fd : file_open(cut->path, cut->flags);
}

static long done(int fd, int ret)
{
	int err = ret ? -errno : 0;

	close(fd);
	return err;
}

long do_truncate(void *arg, int fd)
{
	struct cut *cut = arg;

	(void)fd;
	return truncate(cut->path, cut->start) ? -errno : 0;
}

long do_ftruncate(void *arg, int fd)
{
	struct cut *cut = arg;

	fd = descriptor(cut, fd);
	return fd < 0 ? fd : done(fd, ftruncate(fd, cut->start));
}

long do_open_trunc(void *arg, int fd)
{
	struct cut *cut = arg;

	fd = file_open(cut->path, cut->flags | O_TRUNC);
	return fd < 0 ? fd : done(fd, 0);
}

static long allocate(struct cut *cut, int fd, int mode)
{
	fd = descriptor(cut, fd);
	return fd < 0 ? fd : done(fd, fallocate(fd, mode, cut->start, cut->len));
}

long do_punch(void *arg, int fd)
{
	return allocate(arg, fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE);
}

long do_zero(void *arg, int fd)
{
	return allocate(arg, fd, FALLOC_FL_ZERO_RANGE);
}

long do_collapse(void *arg, int fd)
{
	return allocate(arg, fd, FALLOC_FL_COLLAPSE_RANGE);
}

long do_insert(void *arg, int fd)
{
	return allocate(arg, fd, FALLOC_FL_INSERT_RANGE);
}

long do_allocate(void *arg, int fd)
{
	return allocate(arg, fd, 0);
}

long do_write(void *arg, int fd)
{
	struct cut *cut = arg;
	int ret;

	fd = descriptor(cut, fd);
	if (fd < 0)
		return fd;
	ret = fill_range(fd, 'w', cut->start, cut->len);
	close(fd);
	return ret;
}

long do_madv_remove(void *arg, int fd)
{
	struct cut *cut = arg;
	long ret = 0;
	char *map;

	fd = descriptor(cut, fd);
	if (fd < 0)
		return fd;
	map = file_map(fd, cut->start + cut->len);
	if (!map || madvise(map + cut->start, cut->len, MADV_REMOVE))
		ret = -errno;
	if (map)
		munmap(map, cut->start + cut->len);
	close(fd);
	return ret;
}
