// SPDX-License-Identifier: GPL-2.0
/* What can be found out about one file. */
#include "facts.h"

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "flayout.h"
#include "system.h"

#define NR_EXTENTS	128	/* asked for at once */
#define SECTOR		512

void facts_find(struct file_facts *facts, const char *path)
{
	struct statx stx;
	uint64_t mount_id;

	memset(facts, 0, sizeof(*facts));
	facts->path = path;
	if (stat(path, &facts->st) || statx(AT_FDCWD, path, 0, STATX_MNT_ID, &stx))
		err(exit_failure, "%s", path);
	facts->id = file_id_of_stat(&facts->st);
	facts->dax = stx.stx_attributes & STATX_ATTR_DAX;
	facts->immutable = stx.stx_attributes & STATX_ATTR_IMMUTABLE;
	facts->append_only = stx.stx_attributes & STATX_ATTR_APPEND;
	/* A device may be mounted twice, read-only only once. */
	mount_id = stx.stx_mask & STATX_MNT_ID ? stx.stx_mnt_id : 0;
	facts->mounted = mount_find(&facts->mount, mount_id,
				    facts->id.dev_major, facts->id.dev_minor);
}

void facts_free(struct file_facts *facts)
{
	mount_free(&facts->mount);
}

/* With O_NONBLOCK, so that an ordinary lease of somebody is not waited for. */
int facts_open(const struct file_facts *facts)
{
	return open(facts->path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
}

static uint64_t min_of(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static uint64_t round_up(uint64_t value, uint64_t to)
{
	return (value + to - 1) / to * to;
}

/* Pieces of HUGE_ENTRY in the extent that lie on such a boundary on the device too. */
static uint64_t huge_in(const struct fiemap_extent *extent, uint64_t device_start,
			uint64_t end)
{
	uint64_t first = round_up(extent->fe_logical, HUGE_ENTRY);
	uint64_t physical = device_start + extent->fe_physical;

	end = min_of(end, extent->fe_logical + extent->fe_length);
	if ((extent->fe_logical ^ physical) & (HUGE_ENTRY - 1) || end < first)
		return 0;
	return (end - first) / HUGE_ENTRY;
}

struct block_walk {
	struct block_facts *blocks;
	uint64_t size;		/* of the file, rounded up to blocks */
	uint64_t device_start;	/* of the partition, on its disk */
	uint64_t next;		/* how far we have got */
	bool last;
};

static void add_extent(struct block_walk *walk, const struct fiemap_extent *extent)
{
	struct block_facts *blocks = walk->blocks;
	uint64_t start = extent->fe_logical, len;

	walk->next = start + extent->fe_length;
	walk->last = extent->fe_flags & FIEMAP_EXTENT_LAST;
	if (start >= walk->size)
		return;
	len = min_of(extent->fe_length, walk->size - start);
	blocks->extents++;
	blocks->mapped += len;
	if (extent->fe_flags & FIEMAP_EXTENT_UNWRITTEN)
		blocks->unwritten += len;
	if (extent->fe_flags & FIEMAP_EXTENT_SHARED)
		blocks->shared += len;
	blocks->huge += huge_in(extent, walk->device_start, walk->size);
}

/* One request of FIEMAP; true while there is more. */
static bool walk_on(struct block_walk *walk, int fd, struct fiemap *map)
{
	memset(map, 0, sizeof(*map));
	map->fm_start = walk->next;
	map->fm_length = FIEMAP_MAX_OFFSET - walk->next;
	map->fm_extent_count = NR_EXTENTS;
	if (ioctl(fd, FS_IOC_FIEMAP, map)) {
		walk->blocks->error = errno;
		return false;
	}
	for (unsigned int i = 0; i < map->fm_mapped_extents; i++)
		add_extent(walk, &map->fm_extents[i]);
	return map->fm_mapped_extents && !walk->last && walk->next < walk->size;
}

void facts_find_blocks(const struct file_facts *facts, int fd,
		       struct block_facts *blocks)
{
	uint64_t size = facts->st.st_size, sectors = 0;
	struct block_walk walk = {
		.blocks = blocks,
		.size = round_up(size, facts->st.st_blksize),
	};
	struct fiemap *map;

	memset(blocks, 0, sizeof(*blocks));
	map = malloc(sizeof(*map) + NR_EXTENTS * sizeof(map->fm_extents[0]));
	if (!map)
		err(exit_failure, "cannot allocate");
	system_number(&sectors, "/sys/dev/block/%" PRIu64 ":%" PRIu64 "/start",
		      facts->id.dev_major, facts->id.dev_minor);
	walk.device_start = sectors * SECTOR;
	while (walk_on(&walk, fd, map))
		;
	free(map);
	blocks->holes = walk.size - blocks->mapped;
	blocks->huge_wanted = size / HUGE_ENTRY;
	if (blocks->error)
		*blocks = (struct block_facts){ .error = blocks->error };
}
