// SPDX-License-Identifier: GPL-2.0
/*
 * Layout leases on file systems with features that few have: clusters and
 * realtime extents of many blocks, blocks larger than pages, files without
 * extents, journalled data, and data that lies in the inode.
 *
 * Where blocks are freed in units of many, an operation on a part of a unit
 * frees nothing as long as the rest is in use: leased blocks stay, which is what
 * is tested.  Blocks are never changed in part: what touches the block of a
 * lease meets the lease, though the lease be rounded out to pages only.
 */
#include <errno.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "kselftest_harness.h"
#include "lib/format.h"
#include "lib/operation.h"
#include "lib/rig.h"
#include "lib/state.h"

#define UNIT	(64 * KIB)	/* cluster or realtime extent, and all larger blocks */
#define CUT	(4 * MIB)	/* operations change [0, CUT): whole units of all sizes */

#define EXT4(options)	{ .type = "ext4", .mkfs = "-F -b 4096 " options }
#define XFS(options)	{ .type = "xfs", .mkfs = "-f " options }

/* What realtime files cannot: their blocks are not shared. */
#define SHARING								\
	"FICLONE into it,FICLONE from it,FICLONERANGE into it,FICLONERANGE from it,"	\
	"FIDEDUPERANGE into it,FIDEDUPERANGE from it,"
/* Needs a feature that mkfs.xfs of Debian 12 does not make. */
#define EXCHANGE	"EXCHANGE_RANGE,EXCHANGE_RANGE as second,COMMIT_RANGE,"
#define MOVING		"MOVE_EXT,MOVE_EXT as donor,"

FIXTURE(formats)
{
	struct rig rig;
	struct file_state before;
};

FIXTURE_VARIANT(formats)
{
	struct format format;
	bool xfs, dax;
	__u64 block;
	const char *missing;	/* operations that do not exist here, each with a comma */
};

FIXTURE_VARIANT_ADD(formats, ext4_bigalloc)
{
	.format = EXT4("-O bigalloc -C 65536"),
	.block = PAGE,
	.missing = MOVING,
};

FIXTURE_VARIANT_ADD(formats, ext4_inline_data)
{
	.format = EXT4("-O inline_data -I 256"),
	.block = PAGE,
	.missing = "",
};

FIXTURE_VARIANT_ADD(formats, ext4_without_extents)
{
	.format = EXT4("-O ^extent,^64bit"),
	.block = PAGE,
	.missing = MOVING "zero range,collapse range,insert range,",
};

FIXTURE_VARIANT_ADD(formats, ext4_journalled_data)
{
	.format = { .type = "ext4", .mkfs = "-F -b 4096", .mount = "data=journal" },
	.block = PAGE,
	.missing = MOVING,
};

FIXTURE_VARIANT_ADD(formats, xfs_realtime)
{
	.format = {
		.type = "xfs",
		.mkfs = "-f -m reflink=0,rmapbt=0 -d rtinherit=1",
		.rt = "extsize=64k",
	},
	.xfs = true,
	.block = PAGE,
	.missing = SHARING EXCHANGE,
};

/* Blocks larger than pages, new in Linux 6.12. */
FIXTURE_VARIANT_ADD(formats, xfs_large_blocks)
{
	.format = XFS("-b size=16k -m reflink=1,rmapbt=1"),
	.xfs = true,
	.block = 16 * KIB,
	.missing = EXCHANGE,
};

/*
 * A folio of several large blocks is cut in part by some tests.  Linux 6.12 tries
 * to split it into pages then, fails, and says so if it has CONFIG_DEBUG_VM.
 */
static void one_block_at_a_time(__u64 block)
{
	if (block > PAGE)
		file_chunk = block;
}

FIXTURE_SETUP(formats)
{
	one_block_at_a_time(variant->block);
	ASSERT_EQ(0, format_mount(&variant->format));
	ASSERT_EQ(0, rig_open(&self->rig, FORMAT_DIR));
}

FIXTURE_TEARDOWN(formats)
{
	rig_close(&self->rig);
	EXPECT_EQ(0, format_unmount());
}

static bool exists(const struct operation *op, const char *missing)
{
	char list[512], name[64];

	snprintf(list, sizeof(list), ",%s", missing);
	snprintf(name, sizeof(name), ",%s,", op->name);
	return !strstr(list, name);
}

/* Where on the disk the byte of a file is; 0 in a hole. */
static __u64 place_of(int fd, __u64 byte)
{
	struct extents map;
	unsigned int i;

	if (file_extents(fd, &map))
		return 0;
	for (i = 0; i < map.count; i++)
		if (byte >= map.at[i].logical && byte - map.at[i].logical < map.at[i].length)
			return map.at[i].physical + byte - map.at[i].logical;
	return 0;
}

/* Else the tests below prove nothing.  What breaks a lease is seen to work after that. */
TEST_F_TIMEOUT(formats, without_a_lease_everything_works_that_exists, 400)
{
	const struct operation *op;

	for_each_operation(op, variant, 0, 0) {
		long ret;

		if (exists(op, variant->missing) && !(op->flags & OP_REFUSED))
			continue;
		ASSERT_EQ(0, rig_anew(&self->rig));
		ret = rig_other(&self->rig, op->fn, 0, CUT);
		EXPECT_EQ(exists(op, variant->missing), ret == 0)
			TH_LOG("%s: %ld", op->name, ret);
	}
}

TEST_F_TIMEOUT(formats, an_unbreakable_lease_refuses_all_of_it, 400)
{
	const struct operation *op;
	__u64 denied = 0;

	ASSERT_EQ(0, lease_take(self->rig.fd, LAYOUT_LEASE_UNBREAK, 0, 0, self->rig.event));
	ASSERT_EQ(0, state_see(self->rig.fd, &self->before));
	for_each_operation(op, variant, 0, 0) {
		long ret = rig_other(&self->rig, op->fn, 0, CUT);

		if (exists(op, variant->missing)) {
			EXPECT_EQ(-ETXTBSY, ret)
				TH_LOG("%s", op->name);
			EXPECT_LT(denied, lease_see(self->rig.fd).denied)
				TH_LOG("%s", op->name);
		}
		EXPECT_GT(0, ret)
			TH_LOG("%s", op->name);
		denied = lease_see(self->rig.fd).denied;
		EXPECT_STREQ("", state_changes(self->rig.fd, &self->before))
			TH_LOG("%s", op->name);
	}
	EXPECT_TRUE(rig_untouched(&self->rig));
	EXPECT_EQ(LAYOUT_ACTIVE, lease_see(self->rig.fd).state);
}

TEST_F_TIMEOUT(formats, a_breakable_lease_is_broken_first, 400)
{
	const struct operation *op;

	for_each_operation(op, variant, 0, OP_REFUSED) {
		if (!exists(op, variant->missing))
			continue;
		ASSERT_EQ(0, rig_anew(&self->rig));
		ASSERT_EQ(0, lease_take(self->rig.fd, 0, 0, 0, self->rig.event));
		ASSERT_EQ(0, rig_start(&self->rig, op->fn, 0, CUT));
		EXPECT_EQ(1, lease_events(self->rig.event, QUICK))
			TH_LOG("%s", op->name);
		EXPECT_EQ(LAYOUT_BREAKING, lease_see(self->rig.fd).state);
		EXPECT_TRUE(rig_untouched(&self->rig))
			TH_LOG("%s", op->name);
		ASSERT_EQ(0, lease_drop(self->rig.fd));
		EXPECT_EQ(0, peer_result(&self->rig.other, QUICK))
			TH_LOG("%s", op->name);
		EXPECT_FALSE(rig_untouched(&self->rig))
			TH_LOG("%s", op->name);
	}
}

TEST_F_TIMEOUT(formats, the_operations_refused_over_any_lease_break_none, 400)
{
	const struct operation *op;

	ASSERT_EQ(0, lease_take(self->rig.fd, 0, 0, 0, self->rig.event));
	ASSERT_EQ(0, state_see(self->rig.fd, &self->before));
	for_each_operation(op, variant, OP_REFUSED, 0) {
		if (exists(op, variant->missing))
			EXPECT_EQ(-ETXTBSY, rig_other(&self->rig, op->fn, 0, CUT))
				TH_LOG("%s", op->name);
		EXPECT_STREQ("", state_changes(self->rig.fd, &self->before))
			TH_LOG("%s", op->name);
	}
	EXPECT_EQ(LAYOUT_ACTIVE, lease_see(self->rig.fd).state);
}

TEST_F_TIMEOUT(formats, its_holder_may_cut, 120)
{
	struct cut cut = cut_of(self->rig.path, CUT, MIB);

	ASSERT_EQ(0, lease_take(self->rig.fd, LAYOUT_LEASE_UNBREAK, 0, 0, self->rig.event));
	EXPECT_EQ(0, do_punch(&cut, -1));
	EXPECT_TRUE(file_is(self->rig.path, CUT, MIB, 0));
	EXPECT_EQ(0, do_truncate(&cut, -1));
	EXPECT_EQ(CUT, file_size(self->rig.path));
	EXPECT_TRUE(file_is(self->rig.path, 0, CUT, RIG_FILL));
	EXPECT_TRUE(rig_undisturbed(&self->rig));
}

/* The second page of the second unit is leased; a byte of it is enough. */
TEST_F_TIMEOUT(formats, what_touches_a_block_of_the_lease_meets_it, 120)
{
	static const peer_fn cuts[] = { do_punch, do_zero };
	const __u64 page = UNIT + PAGE;
	const struct { __u64 start, len; } touching[] = {
		{ page, 1 },
		{ page + PAGE - 1, 1 },
		{ page - 1, 2 },
		{ page - PAGE, 2 * PAGE },
		{ page + PAGE - 1, UNIT },
		{ 0, 2 * UNIT },
	};
	unsigned int i, j;

	ASSERT_EQ(0, lease_take(self->rig.fd, LAYOUT_LEASE_UNBREAK, page, PAGE, self->rig.event));
	ASSERT_EQ(0, state_see(self->rig.fd, &self->before));
	for (i = 0; i < ARRAY_SIZE(touching); i++)
		for (j = 0; j < ARRAY_SIZE(cuts); j++)
			EXPECT_EQ(-ETXTBSY, rig_other(&self->rig, cuts[j], touching[i].start,
						      touching[i].len))
				TH_LOG("range %u, cut %u", i, j);
	EXPECT_EQ(-ETXTBSY, rig_other(&self->rig, do_truncate, page + PAGE - 1, 0));
	EXPECT_EQ(-ETXTBSY, rig_other(&self->rig, do_truncate, UNIT / 2, 0));
	EXPECT_STREQ("", state_changes(self->rig.fd, &self->before));
	EXPECT_TRUE(rig_untouched(&self->rig));
}

/* Pages of a block that is larger stand and fall together. */
TEST_F_TIMEOUT(formats, what_lies_in_the_same_block_meets_it, 120)
{
	long expect = variant->block > PAGE ? -ETXTBSY : 0;

	ASSERT_EQ(0, lease_take(self->rig.fd, LAYOUT_LEASE_UNBREAK, UNIT + PAGE, PAGE,
				self->rig.event));
	EXPECT_EQ(expect, rig_other(&self->rig, do_punch, UNIT, PAGE));
	EXPECT_EQ(expect, rig_other(&self->rig, do_punch, UNIT + 2 * PAGE, PAGE));
	EXPECT_EQ(expect, rig_other(&self->rig, do_truncate, UNIT + 2 * PAGE, 0));
	EXPECT_EQ(0, rig_other(&self->rig, do_punch, 0, UNIT));
	EXPECT_EQ(0, rig_other(&self->rig, do_truncate, 2 * UNIT, 0));
}

/* What is free in the unit is used, freed and used again around the lease. */
TEST_F_TIMEOUT(formats, what_changes_the_rest_of_a_unit_leaves_its_leased_block, 120)
{
	const __u64 leased = 2 * UNIT + UNIT / 2, behind = leased + variant->block;
	const struct { const char *name; peer_fn fn; __u64 start, len; } rest[] = {
		{ "punch before", do_punch, 2 * UNIT, UNIT / 2 },
		{ "punch behind", do_punch, behind, 3 * UNIT - behind },
		{ "write before", do_write, 2 * UNIT, UNIT / 2 },
		{ "zero behind", do_zero, behind, UNIT },
		{ "write behind", do_write, behind, UNIT },
		{ "truncate behind", do_truncate, behind, 0 },
		{ "truncate up", do_truncate, RIG_SIZE, 0 },
		{ "punch before, again", do_punch, 0, leased },
		{ "write before, again", do_write, UNIT, leased - UNIT },
	};
	__u64 place = place_of(self->rig.fd, leased);
	unsigned int i;

	ASSERT_NE(0, place);
	ASSERT_EQ(0, lease_take(self->rig.fd, LAYOUT_LEASE_UNBREAK, leased, variant->block,
				self->rig.event));
	for (i = 0; i < ARRAY_SIZE(rest); i++) {
		long ret = rig_other(&self->rig, rest[i].fn, rest[i].start, rest[i].len);

		if (rest[i].fn != do_zero || !strstr(variant->missing, "zero range"))
			EXPECT_EQ(0, ret)
				TH_LOG("%s", rest[i].name);
		sync();
		EXPECT_EQ(place, place_of(self->rig.fd, leased))
			TH_LOG("%s", rest[i].name);
	}
	EXPECT_TRUE(file_is(self->rig.path, leased, variant->block, RIG_FILL));
	EXPECT_TRUE(rig_undisturbed(&self->rig));
}

TEST_F_TIMEOUT(formats, what_is_added_is_free, 120)
{
	ASSERT_EQ(0, lease_take(self->rig.fd, LAYOUT_LEASE_UNBREAK, 0, 0, self->rig.event));
	EXPECT_EQ(0, rig_other(&self->rig, do_write, CUT + 1, MIB));
	EXPECT_EQ(0, rig_other(&self->rig, do_write, RIG_SIZE + 1, MIB));
	EXPECT_EQ(0, rig_other(&self->rig, do_truncate, 4 * RIG_SIZE, 0));
	EXPECT_TRUE(file_is(self->rig.path, CUT + 1, MIB, 'w'));
	EXPECT_TRUE(rig_undisturbed(&self->rig));
}

/*
 * Sharing among blocks that are larger than pages: a page is leased, its block
 * must become the file's own.
 */

FIXTURE(sharing)
{
	struct rig rig;
};

FIXTURE_SETUP(sharing)
{
	static const struct format large = XFS("-b size=16k -m reflink=1,rmapbt=1");

	one_block_at_a_time(16 * KIB);
	ASSERT_EQ(0, format_mount(&large));
	ASSERT_EQ(0, rig_open(&self->rig, FORMAT_DIR));
}

FIXTURE_TEARDOWN(sharing)
{
	rig_close(&self->rig);
	EXPECT_EQ(0, format_unmount());
}

TEST_F_TIMEOUT(sharing, a_lease_on_a_page_makes_its_block_the_files_own, 120)
{
	int copy = file_make(FORMAT_DIR "/copy", 0, 0);
	__u64 place = place_of(self->rig.fd, UNIT);

	ASSERT_LE(0, copy);
	ASSERT_EQ(0, ioctl(copy, FICLONE, self->rig.fd));
	ASSERT_EQ(0, lease_take(self->rig.fd, 0, UNIT + PAGE, PAGE, self->rig.event));
	EXPECT_NE(place, place_of(self->rig.fd, UNIT));
	EXPECT_EQ(place, place_of(copy, UNIT));
	EXPECT_EQ(place_of(self->rig.fd, UNIT + 16 * KIB), place_of(copy, UNIT + 16 * KIB));
	place = place_of(self->rig.fd, UNIT);
	EXPECT_EQ(0, rig_other(&self->rig, do_write, 0, RIG_SIZE));
	EXPECT_EQ(0, fsync(self->rig.fd));
	EXPECT_EQ(place, place_of(self->rig.fd, UNIT));
	EXPECT_TRUE(file_is(FORMAT_DIR "/copy", 0, RIG_SIZE, RIG_FILL));
	EXPECT_TRUE(rig_undisturbed(&self->rig));
	close(copy);
}

/*
 * Data in the inode
 */

#define SMALL	100

FIXTURE(inline_data)
{
	struct rig rig;
	struct file_state before;
};

FIXTURE_SETUP(inline_data)
{
	static const struct format format = EXT4("-O inline_data -I 256");
	char text[SMALL];

	ASSERT_EQ(0, format_mount(&format));
	ASSERT_EQ(0, rig_open(&self->rig, FORMAT_DIR));
	close(self->rig.fd);
	ASSERT_EQ(0, unlink(self->rig.path));
	self->rig.fd = file_open(self->rig.path, O_RDWR | O_CREAT);
	ASSERT_LE(0, self->rig.fd);
	memset(text, RIG_FILL, sizeof(text));
	ASSERT_EQ(SMALL, write(self->rig.fd, text, sizeof(text)));
	ASSERT_EQ(0, state_see(self->rig.fd, &self->before));
}

FIXTURE_TEARDOWN(inline_data)
{
	rig_close(&self->rig);
	EXPECT_EQ(0, format_unmount());
}

static bool is_inline(int fd)
{
	struct extents map;

	return !file_extents(fd, &map) && map.count == 1 &&
	       (map.at[0].flags & FIEMAP_EXTENT_DATA_INLINE);
}

static const peer_fn inline_cuts[] = {
	do_truncate, do_ftruncate, do_open_trunc, do_punch, do_zero,
};

TEST_F_TIMEOUT(inline_data, an_unbreakable_lease_keeps_it, 120)
{
	unsigned int i;

	ASSERT_TRUE(is_inline(self->rig.fd));
	ASSERT_EQ(0, lease_take(self->rig.fd, LAYOUT_LEASE_UNBREAK, 0, 0, self->rig.event));
	EXPECT_TRUE(is_inline(self->rig.fd));
	for (i = 0; i < ARRAY_SIZE(inline_cuts); i++) {
		EXPECT_EQ(-ETXTBSY, rig_other(&self->rig, inline_cuts[i], 10, 20))
			TH_LOG("cut %u", i);
		EXPECT_STREQ("", state_changes(self->rig.fd, &self->before))
			TH_LOG("cut %u", i);
	}
	EXPECT_TRUE(is_inline(self->rig.fd));
	EXPECT_TRUE(file_is(self->rig.path, 0, SMALL, RIG_FILL));
	EXPECT_EQ(ARRAY_SIZE(inline_cuts), lease_see(self->rig.fd).denied);
}

TEST_F_TIMEOUT(inline_data, a_breakable_lease_is_broken_first, 120)
{
	ASSERT_EQ(0, lease_take(self->rig.fd, 0, 0, 0, self->rig.event));
	ASSERT_EQ(0, rig_start(&self->rig, do_truncate, 10, 0));
	EXPECT_EQ(1, lease_events(self->rig.event, QUICK));
	EXPECT_EQ(SMALL, file_size(self->rig.path));
	EXPECT_TRUE(is_inline(self->rig.fd));
	ASSERT_EQ(0, lease_drop(self->rig.fd));
	EXPECT_EQ(0, peer_result(&self->rig.other, QUICK));
	EXPECT_EQ(10, file_size(self->rig.path));
	EXPECT_TRUE(is_inline(self->rig.fd));
}

TEST_F_TIMEOUT(inline_data, becoming_blocks_is_free, 120)
{
	ASSERT_TRUE(is_inline(self->rig.fd));
	ASSERT_EQ(0, lease_take(self->rig.fd, LAYOUT_LEASE_UNBREAK, 0, 0, self->rig.event));
	EXPECT_EQ(0, rig_other(&self->rig, do_write, SMALL, 2 * PAGE));
	EXPECT_EQ(0, fsync(self->rig.fd));
	EXPECT_FALSE(is_inline(self->rig.fd));
	EXPECT_NE(0, place_of(self->rig.fd, 0));
	EXPECT_TRUE(file_is(self->rig.path, 0, SMALL, RIG_FILL));
	EXPECT_TRUE(file_is(self->rig.path, SMALL, 2 * PAGE, 'w'));
	EXPECT_TRUE(rig_undisturbed(&self->rig));
	EXPECT_EQ(-ETXTBSY, rig_other(&self->rig, do_truncate, SMALL, 0));
	EXPECT_EQ(SMALL + 2 * PAGE, file_size(self->rig.path));
}

/* A fault of a mapping that can be written makes blocks of it, too. */
TEST_F_TIMEOUT(inline_data, its_holder_may_map_and_cut_it, 120)
{
	struct cut cut = cut_of(self->rig.path, 10, 0);
	char *map;

	ASSERT_EQ(0, lease_take(self->rig.fd, LAYOUT_LEASE_UNBREAK, 0, 0, self->rig.event));
	EXPECT_EQ(0, do_truncate(&cut, -1));
	EXPECT_TRUE(is_inline(self->rig.fd));
	map = file_map(self->rig.fd, PAGE);
	ASSERT_NE(NULL, map);
	map[5] = 'm';
	EXPECT_EQ(0, msync(map, PAGE, MS_SYNC));
	EXPECT_FALSE(is_inline(self->rig.fd));
	EXPECT_TRUE(file_is(self->rig.path, 5, 1, 'm'));
	EXPECT_EQ(10, file_size(self->rig.path));
	EXPECT_TRUE(rig_undisturbed(&self->rig));
	munmap(map, PAGE);
}

/*
 * DAX, where units of many blocks hold pages that devices use
 */

#define LARGE	(4 * MIB)	/* a unit, twice as large as what a lease is rounded out to */

FIXTURE(dax)
{
	struct rig rig;
	struct nic nic;
	struct ibv_mr *mr;
	char *map;
};

FIXTURE_VARIANT(dax)
{
	struct format format;
};

FIXTURE_VARIANT_ADD(dax, ext4_bigalloc)
{
	.format = {
		.type = "ext4",
		.mkfs = "-F -b 4096 -O bigalloc -C 4194304",
		.mount = "dax=always",
		.pmem = true,
	},
};

FIXTURE_VARIANT_ADD(dax, xfs_realtime)
{
	.format = {
		.type = "xfs",
		.mkfs = "-f -m reflink=0,rmapbt=0 -d rtinherit=1",
		.mount = "dax=always",
		.rt = "extsize=4m",
		.pmem = true,
	},
};

/* The first half of the first unit is leased and pinned. */
FIXTURE_SETUP(dax)
{
	ASSERT_EQ(0, format_mount(&variant->format));
	ASSERT_EQ(0, rig_open(&self->rig, FORMAT_DIR));
	ASSERT_EQ(0, nic_open(&self->nic, ENV_RXE));
	ASSERT_EQ(0, lease_take(self->rig.fd, LAYOUT_LEASE_UNBREAK, 0, LARGE / 2, self->rig.event));
	self->map = file_map(self->rig.fd, RIG_SIZE);
	ASSERT_NE(NULL, self->map);
	ASSERT_EQ(0, mr_reg(&self->nic, self->map, LARGE / 2, MR_SERVER, &self->mr));
}

FIXTURE_TEARDOWN(dax)
{
	if (self->mr)
		ibv_dereg_mr(self->mr);
	if (self->map)
		munmap(self->map, RIG_SIZE);
	nic_close(&self->nic);
	rig_close(&self->rig);
	EXPECT_EQ(0, format_unmount());
}

TEST_F_TIMEOUT(dax, only_what_the_lease_covers_is_pinned, 120)
{
	EXPECT_EQ(-EOPNOTSUPP, mr_try(&self->nic, self->map, LARGE, MR_SERVER));
	EXPECT_EQ(1, lease_see(self->rig.fd).pins);
}

TEST_F_TIMEOUT(dax, what_touches_it_is_refused, 120)
{
	struct file_state before;
	struct cut own = cut_of(self->rig.path, 0, MIB);

	ASSERT_EQ(0, state_see(self->rig.fd, &before));
	EXPECT_EQ(-ETXTBSY, rig_other(&self->rig, do_punch, LARGE / 2 - 1, LARGE));
	EXPECT_EQ(-ETXTBSY, rig_other(&self->rig, do_zero, 0, LARGE));
	EXPECT_EQ(-ETXTBSY, rig_other(&self->rig, do_collapse, 0, LARGE));
	EXPECT_EQ(-ETXTBSY, rig_other(&self->rig, do_truncate, LARGE / 2 - 1, 0));
	EXPECT_EQ(-EDEADLK, do_punch(&own, -1));
	EXPECT_EQ(-EDEADLK, do_truncate(&own, -1));
	EXPECT_STREQ("", state_changes(self->rig.fd, &before));
	EXPECT_TRUE(rig_untouched(&self->rig));
}

/*
 * They are neither waited for, which would never end, nor taken out of the page
 * cache, where they are found.  Holes are allocated before they are written: see
 * docs/operations.md about realtime extents and DAX.
 */
TEST_F_TIMEOUT(dax, what_changes_the_rest_of_the_unit_leaves_pinned_pages, 120)
{
	const struct { const char *name; peer_fn fn; __u64 start, len; } rest[] = {
		{ "punch", do_punch, LARGE / 2, MIB },
		{ "write", do_write, LARGE / 2, MIB },
		{ "zero", do_zero, LARGE / 2, LARGE / 2 },
		{ "punch, up to the next", do_punch, LARGE / 2, LARGE },
		{ "insert", do_insert, LARGE, LARGE },
		{ "collapse", do_collapse, LARGE, LARGE },
		{ "truncate", do_truncate, LARGE / 2, 0 },
		{ "truncate up", do_truncate, RIG_SIZE, 0 },
		{ "allocate again", do_allocate, LARGE / 2, RIG_SIZE - LARGE / 2 },
		{ "write again", do_write, LARGE / 2, RIG_SIZE - LARGE / 2 },
	};
	__u64 place = place_of(self->rig.fd, 0);
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(rest); i++) {
		EXPECT_EQ(0, rig_other(&self->rig, rest[i].fn, rest[i].start, rest[i].len))
			TH_LOG("%s", rest[i].name);
		EXPECT_EQ(place, place_of(self->rig.fd, 0))
			TH_LOG("%s", rest[i].name);
	}
	self->map[7] = 'm';
	EXPECT_TRUE(file_is(self->rig.path, 7, 1, 'm'));
	EXPECT_TRUE(file_is(self->rig.path, 8, LARGE / 2 - 8, RIG_FILL));
	EXPECT_EQ(1, lease_see(self->rig.fd).pins);
	EXPECT_TRUE(rig_undisturbed(&self->rig));
}

TEST_HARNESS_MAIN
