// SPDX-License-Identifier: GPL-2.0
/* flayout check: questions about the file, its file system and its blocks. */
#include "check.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define _LINUX_FCNTL_H	/* the C library has defined all of that */
#include <linux/layout_lease.h>

#include "columns.h"
#include "flayout.h"
#include "system.h"

void check_kernel(struct check *check)
{
	struct layout_lease lease = { .size = sizeof(lease), .event_fd = -1 };

	if (check->fd < 0)
		found(check, CHECK_WARNING, "kernel", "run this as a user who may read the file",
		      "cannot be asked without opening the file (%s)",
		      strerror(check->fd_error));
	else if (!fcntl(check->fd, F_GETLAYOUT, &lease))
		found(check, CHECK_FIT, "kernel", NULL, "it has layout leases");
	else
		found(check, CHECK_PROBLEM, "kernel",
		      "boot a kernel with CONFIG_LAYOUT_LEASE",
		      "it has no layout leases (F_GETLAYOUT: %s)", strerror(errno));
}

static bool honours_leases(const char *type)
{
	return !strcmp(type, "ext4") || !strcmp(type, "xfs");
}

void check_file_system(struct check *check)
{
	const struct mount *mount = &check->facts.mount;

	if (!check->facts.mounted)
		found(check, CHECK_WARNING, "file system",
		      "use a file on a mounted ext4 or XFS",
		      "its mount is not to be seen here");
	else if (!honours_leases(mount->type))
		found(check, CHECK_PROBLEM, "file system", "use a file on ext4 or XFS",
		      "%s (%s) does not honour layout leases", mount->type,
		      mount->point);
	else
		found(check, CHECK_FIT, "file system", NULL, "%s, mounted on %s",
		      mount->type, mount->point);
}

static bool device_has_dax(const struct file_id *id)
{
	uint64_t dax = 0;

	return (system_number(&dax, "/sys/dev/block/%" PRIu64 ":%" PRIu64 "/queue/dax",
			      id->dev_major, id->dev_minor) ||
		/* of a partition, its disk */
		system_number(&dax, "/sys/dev/block/%" PRIu64 ":%" PRIu64 "/../queue/dax",
			      id->dev_major, id->dev_minor)) && dax;
}

void check_dax(struct check *check)
{
	const struct mount *mount = &check->facts.mount;

	if (check->facts.dax)
		found(check, CHECK_FIT, "DAX", NULL, "the file is its memory");
	else if (!device_has_dax(&check->facts.id))
		found(check, CHECK_PROBLEM, "DAX",
		      "put it on a file system on persistent memory in mode fsdax (ndctl)",
		      "the file goes through the page cache, and its device cannot do otherwise");
	else if (check->facts.mounted && mount_has_option(mount, "dax=never"))
		found(check, CHECK_PROBLEM, "DAX", "mount it with -o dax=always",
		      "%s is mounted with dax=never", mount->point);
	else
		found(check, CHECK_PROBLEM, "DAX",
		      "mount it with -o dax=always, or xfs_io -c 'chattr +x' an empty FILE (dax=inode)",
		      "the file goes through the page cache, though its device has DAX");
}

static void check_shared(struct check *check, const struct block_facts *blocks)
{
	char *size;

	if (!blocks->shared)
		return;
	size = human_size(blocks->shared);
	found(check, CHECK_WARNING, "shared blocks",
	      "let it be, if there is room; or copy the file with cp --reflink=never",
	      "%s are shared with other files; taking a lease copies them first", size);
	free(size);
}

static void check_holes(struct check *check, const struct block_facts *blocks)
{
	char *size;

	if (!blocks->holes && !blocks->unwritten)
		return;
	size = human_size(blocks->holes + blocks->unwritten);
	found(check, CHECK_WARNING, "holes",
	      "write the file once, with dd conv=notrunc, say",
	      "%s are holes or unwritten: registering allocates them, and fails with ENXIO "
	      "if the mapping is read-only", size);
	free(size);
}

static void check_huge(struct check *check, const struct block_facts *blocks)
{
	if (!blocks->huge_wanted)
		found(check, CHECK_FIT, "huge entries", NULL,
		      "the file is smaller than one of 2 MiB");
	else if (blocks->huge == blocks->huge_wanted)
		found(check, CHECK_FIT, "huge entries", NULL,
		      "all %" PRIu64 " pieces of 2 MiB can be mapped by one",
		      blocks->huge);
	else
		found(check, CHECK_WARNING, "huge entries",
		      "align the partition to 2 MiB; mkfs with -E stride=512,stripe_width=512 "
		      "(ext4) or -d su=2m,sw=1 (XFS) and extszinherit; fallocate the file at once",
		      "%" PRIu64 " of %" PRIu64 " pieces of 2 MiB can be mapped by one; "
		      "it works, with more faults and address entries",
		      blocks->huge, blocks->huge_wanted);
}

void check_blocks(struct check *check)
{
	struct block_facts blocks;

	if (!check->facts.st.st_size)
		found(check, CHECK_WARNING, "size", "make it as large as it is to be registered",
		      "the file is empty: beyond the end nothing can be registered");
	if (check->fd < 0)
		return;
	facts_find_blocks(&check->facts, check->fd, &blocks);
	if (blocks.error) {
		found(check, CHECK_WARNING, "blocks", NULL,
		      "the file system does not tell where they are (%s)",
		      strerror(blocks.error));
		return;
	}
	check_shared(check, &blocks);
	check_holes(check, &blocks);
	check_huge(check, &blocks);
}
