// SPDX-License-Identifier: LGPL-2.1-or-later
/* Mappings of the file, or copies that stand for them. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "private.h"

/* The mapping that contains all of it, or NULL. */
struct mapping *fl_find_mapping(struct flayout *fl, const void *addr, size_t len)
{
	struct mapping *map;
	uintptr_t from;

	LIST_FOREACH(map, &fl->mappings, entry) {
		from = (uintptr_t)addr - (uintptr_t)map->addr;
		if (from < map->len && len <= map->len - from)
			return map;
	}
	return NULL;
}

static void unmap(struct mapping *map)
{
	LIST_REMOVE(map, entry);
	munmap(map->addr, map->len);
	free(map);
}

void fl_unmap_all(struct flayout *fl)
{
	while (!LIST_EMPTY(&fl->mappings))
		unmap(LIST_FIRST(&fl->mappings));
}

/* Read up to the end of the file; what is behind it is zero. */
static int fill(int fd, char *to, size_t len, uint64_t offset)
{
	ssize_t got;

	while (len) {
		got = pread(fd, to, len, offset);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		if (!got)
			break;
		to += got;
		len -= got;
		offset += got;
	}
	memset(to, 0, len);
	return 0;
}

static int store(int fd, const char *from, size_t len, uint64_t offset)
{
	ssize_t put;

	while (len) {
		put = pwrite(fd, from, len, offset);
		if (put < 0 && errno == EINTR)
			continue;
		if (put <= 0)
			return put ? -errno : -EIO;
		from += put;
		len -= put;
		offset += put;
	}
	return 0;
}

static int map_copy(struct flayout *fl, struct mapping *map)
{
	int ret;

	map->addr = mmap(NULL, map->len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (map->addr == MAP_FAILED)
		return -errno;
	ret = fill(fl->fd, map->addr, map->len, map->offset);
	if (ret)
		munmap(map->addr, map->len);
	return ret;
}

static int map_file(struct flayout *fl, struct mapping *map)
{
	map->addr = mmap(NULL, map->len, map->prot, MAP_SHARED, fl->fd, map->offset);
	return map->addr == MAP_FAILED ? -errno : 0;
}

static int check_map(struct flayout *fl, uint64_t offset, size_t len, int prot)
{
	int ret = fl_check_open(fl);

	if (ret)
		return ret;
	if (flayout_mode(fl) == FLAYOUT_MODE_NONE)
		return flayout_fail(fl, EINVAL, "take the lease first: it decides what is mapped");
	if (!len || !fl_range_is_valid(offset, len) || offset % sysconf(_SC_PAGESIZE))
		return flayout_fail(fl, EINVAL, "offset or length is bad; an offset is a multiple of the page size");
	if (!(prot & PROT_READ) || prot & ~(PROT_READ | PROT_WRITE))
		return flayout_fail(fl, EINVAL, "protection must be PROT_READ or PROT_READ | PROT_WRITE");
	return 0;
}

int flayout_map(struct flayout *fl, uint64_t offset, size_t len, int prot, void **addr)
{
	struct mapping *map;
	int ret = check_map(fl, offset, len, prot);

	if (ret)
		return ret;
	if (!addr)
		return flayout_fail(fl, EINVAL, "the place for the address is missing");
	map = malloc(sizeof(*map));
	if (!map)
		return fl_errno(fl, ENOMEM);
	*map = (struct mapping){ .len = len, .offset = offset, .prot = prot };
	pthread_mutex_lock(&fl->lock);
	ret = fl->mode == FLAYOUT_MODE_BOUNCE ? map_copy(fl, map) : map_file(fl, map);
	if (!ret)
		LIST_INSERT_HEAD(&fl->mappings, map, entry);
	pthread_mutex_unlock(&fl->lock);
	if (ret) {
		free(map);
		return fl_errno(fl, -ret);
	}
	*addr = map->addr;
	return 0;
}

/* Both locks are held: nobody registers what goes away. */
static int unmap_at(struct flayout *fl, const void *addr)
{
	struct mapping *map = fl_find_mapping(fl, addr, 1);
	struct flayout_registration *reg;

	if (!map || map->addr != addr)
		return flayout_fail(fl, EINVAL, "no mapping of this handle begins at the address");
	LIST_FOREACH(reg, &fl->registrations, entry) {
		if (fl_find_mapping(fl, reg->addr, 1) == map)
			return flayout_fail(fl, EBUSY, "memory of the mapping is registered");
	}
	unmap(map);
	return 0;
}

int flayout_unmap(struct flayout *fl, void *addr)
{
	int ret;

	if (!fl)
		return -EINVAL;
	pthread_mutex_lock(&fl->reg_lock);
	pthread_mutex_lock(&fl->lock);
	ret = unmap_at(fl, addr);
	pthread_mutex_unlock(&fl->lock);
	pthread_mutex_unlock(&fl->reg_lock);
	return ret;
}

/* A copy of the mapping's record, so that syncing holds no lock. */
static int lookup(struct flayout *fl, const void *addr, size_t len, struct mapping *copy)
{
	struct mapping *map;
	int ret = fl_check_open(fl);

	if (ret)
		return ret;
	pthread_mutex_lock(&fl->lock);
	map = fl_find_mapping(fl, addr, len);
	if (map)
		*copy = *map;
	else
		ret = flayout_fail(fl, EINVAL, "the memory is not within one mapping of flayout_map()");
	pthread_mutex_unlock(&fl->lock);
	return ret;
}

/* What was truncated away meanwhile is not to come back, as with a mapping. */
static int store_copy(int fd, const char *from, size_t len, uint64_t offset)
{
	struct stat st;
	int ret;

	if (fstat(fd, &st))
		return -errno;
	if (offset >= (uint64_t)st.st_size)
		return 0;
	if (len > st.st_size - offset)
		len = st.st_size - offset;
	ret = store(fd, from, len, offset);
	if (!ret && fdatasync(fd))
		ret = -errno;
	return ret;
}

static int flush_mapping(const char *addr, size_t len)
{
	size_t ahead = (uintptr_t)addr % sysconf(_SC_PAGESIZE);

	return msync((void *)(addr - ahead), len + ahead, MS_SYNC) ? -errno : 0;
}

int flayout_sync_to_file(struct flayout *fl, const void *addr, size_t len)
{
	struct mapping map;
	int ret = lookup(fl, addr, len, &map);

	if (ret)
		return ret;
	if (!(map.prot & PROT_WRITE))
		return flayout_fail(fl, EACCES, "the memory was mapped without PROT_WRITE");
	if (flayout_mode(fl) == FLAYOUT_MODE_BOUNCE)
		ret = store_copy(fl->fd, addr, len,
				 map.offset + ((const char *)addr - map.addr));
	else
		ret = flush_mapping(addr, len);
	return ret ? fl_errno(fl, -ret) : 0;
}

int flayout_sync_from_file(struct flayout *fl, void *addr, size_t len)
{
	struct mapping map;
	int ret = lookup(fl, addr, len, &map);

	if (ret || flayout_mode(fl) != FLAYOUT_MODE_BOUNCE)
		return ret;
	ret = fill(fl->fd, addr, len, map.offset + ((char *)addr - map.addr));
	return ret ? fl_errno(fl, -ret) : 0;
}
