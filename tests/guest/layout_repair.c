// SPDX-License-Identifier: GPL-2.0
/*
 * Online repair of XFS, which the flavour "repair" of the kernel has: rebuilding
 * the block map of a file is refused over a layout lease.  Checking it, and
 * rebuilding anything else, moves no block of the file and asks no holder.
 */
#include <errno.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "kselftest_harness.h"
#include "lib/rig.h"
#include "lib/state.h"

/* Not in the headers that make headers_install installs. */
struct xfs_scrub {
	__u32 type, flags;
	__u64 ino;
	__u32 gen, agno;
	__u64 reserved[5];
};

#define SCRUB_METADATA	_IOWR('X', 60, struct xfs_scrub)
#define REPAIR		(1 << 0)
#define CORRUPT		(1 << 1)
#define NOT_NEEDED	(1 << 7)
#define FORCE_REBUILD	(1 << 8)	/* even if nothing is wrong */
#define REBUILD		(REPAIR | FORCE_REBUILD)

enum {
	PROBE = 0, AGF = 2, AGFL, AGI, BNOBT, CNTBT, INOBT, FINOBT, RMAPBT, REFCNTBT,
	INODE = 11, DATA_MAP, ATTR_MAP, COW_MAP,
};

#define PIECES	32	/* of a file, so that its map is a tree */

FIXTURE(repair)
{
	struct rig rig;
	struct xfs_scrub scrub;		/* a rebuild of the data fork's map */
	struct file_state before;
};

ON_XFS(repair);

static int fragment(int fd)
{
	unsigned int i;

	for (i = 0; i < PIECES; i++)
		if (fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 2 * i * PAGE, PAGE))
			return -errno;
	return 0;
}

/* Which metadata of which file, for which the file need not be open. */
static int scrub_of(int fd, __u32 type, __u32 flags, struct xfs_scrub *scrub)
{
	struct stat st;
	int gen;

	if (fstat(fd, &st) || ioctl(fd, FS_IOC_GETVERSION, &gen))
		return -errno;
	*scrub = (struct xfs_scrub) { .type = type, .flags = flags, .ino = st.st_ino, .gen = gen };
	return 0;
}

FIXTURE_SETUP(repair)
{
	ASSERT_EQ(0, rig_open(&self->rig, variant->dir));
	ASSERT_EQ(0, fragment(self->rig.fd));
	ASSERT_EQ(0, scrub_of(self->rig.fd, DATA_MAP, REBUILD, &self->scrub));
	ASSERT_EQ(0, state_see(self->rig.fd, &self->before));
	ASSERT_LT(PIECES - 1, self->before.extents.count);
}

FIXTURE_TEARDOWN(repair)
{
	rig_close(&self->rig);
}

struct request {
	const char *dir;
	struct xfs_scrub scrub;
};

static long scrub(void *arg, int fd)
{
	struct request *request = arg;
	int ret;

	fd = file_open(request->dir, O_RDONLY);
	if (fd < 0)
		return fd;
	ret = ioctl(fd, SCRUB_METADATA, &request->scrub) ? -errno : 0;
	/* all is well, and has been rebuilt if that was asked for */
	if (!ret && (request->scrub.flags & (CORRUPT | NOT_NEEDED)))
		ret = -EIO;
	close(fd);
	return ret;
}

static long by_other(struct rig *rig, const char *dir, struct xfs_scrub what)
{
	struct request request = { .dir = dir, .scrub = what };

	return peer_call(&rig->other, scrub, &request, sizeof(request), -1);
}

static long by_holder(const char *dir, struct xfs_scrub what)
{
	struct request request = { .dir = dir, .scrub = what };

	return scrub(&request, -1);
}

TEST_F_TIMEOUT(repair, without_a_lease_a_map_is_rebuilt, 60)
{
	EXPECT_EQ(0, by_other(&self->rig, variant->dir, self->scrub));
	EXPECT_STREQ("", state_changes(self->rig.fd, &self->before));
}

TEST_F_TIMEOUT(repair, over_a_lease_of_another_it_is_etxtbsy, 60)
{
	static const unsigned int modes[] = { 0, LAYOUT_LEASE_UNBREAK };
	static const __u32 how[] = { REBUILD, REPAIR };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(modes) * ARRAY_SIZE(how); i++) {
		struct xfs_scrub what = self->scrub;

		what.flags = how[i / 2];
		ASSERT_EQ(0, lease_take(self->rig.fd, modes[i % 2], 0, 0, self->rig.event));
		EXPECT_EQ(-ETXTBSY, by_other(&self->rig, variant->dir, what));
		EXPECT_EQ(1, lease_see(self->rig.fd).denied)
			TH_LOG("round %u", i);
		EXPECT_EQ(1, lease_events(self->rig.event, QUICK));
		EXPECT_EQ(LAYOUT_ACTIVE, lease_see(self->rig.fd).state);
		EXPECT_STREQ("", state_changes(self->rig.fd, &self->before));
		ASSERT_EQ(0, lease_drop(self->rig.fd));
	}
	EXPECT_EQ(0, by_other(&self->rig, variant->dir, self->scrub));
}

TEST_F_TIMEOUT(repair, over_any_range_it_is_etxtbsy, 60)
{
	ASSERT_EQ(0, lease_take(self->rig.fd, 0, 2 * RIG_SIZE, MIB, self->rig.event));
	EXPECT_EQ(-ETXTBSY, by_other(&self->rig, variant->dir, self->scrub));
	EXPECT_STREQ("", state_changes(self->rig.fd, &self->before));
}

TEST_F_TIMEOUT(repair, over_ones_own_lease_it_is_edeadlk, 60)
{
	ASSERT_EQ(0, lease_take(self->rig.fd, LAYOUT_LEASE_UNBREAK, 0, 0, self->rig.event));
	EXPECT_EQ(-EDEADLK, by_holder(variant->dir, self->scrub));
	EXPECT_TRUE(rig_undisturbed(&self->rig));
	EXPECT_STREQ("", state_changes(self->rig.fd, &self->before));
	ASSERT_EQ(0, lease_drop(self->rig.fd));
	EXPECT_EQ(0, by_holder(variant->dir, self->scrub));
}

TEST_F_TIMEOUT(repair, a_file_beside_a_leased_one_is_repaired, 60)
{
	struct file_state before;
	struct xfs_scrub what;
	char path[FILE_PATH];
	int fd;

	snprintf(path, sizeof(path), "%s/beside", variant->dir);
	fd = file_make(path, RIG_SIZE, 'b');
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, fragment(fd));
	ASSERT_EQ(0, state_see(fd, &before));
	ASSERT_EQ(0, scrub_of(fd, DATA_MAP, REBUILD, &what));
	ASSERT_EQ(0, lease_take(self->rig.fd, LAYOUT_LEASE_UNBREAK, 0, 0, self->rig.event));
	EXPECT_EQ(0, by_other(&self->rig, variant->dir, what));
	EXPECT_STREQ("", state_changes(fd, &before));
	EXPECT_TRUE(rig_undisturbed(&self->rig));
	close(fd);
	unlink(path);
}

/* A lease empties it, and this file never had one: ENOENT is what is found out next. */
TEST_F_TIMEOUT(repair, the_map_of_what_is_to_be_copied_is_refused_too, 60)
{
	struct xfs_scrub what = self->scrub;

	what.type = COW_MAP;
	ASSERT_EQ(0, lease_take(self->rig.fd, 0, 0, 0, self->rig.event));
	EXPECT_EQ(-ETXTBSY, by_other(&self->rig, variant->dir, what));
	EXPECT_EQ(-EDEADLK, by_holder(variant->dir, what));
	ASSERT_EQ(0, lease_drop(self->rig.fd));
	EXPECT_EQ(-ENOENT, by_other(&self->rig, variant->dir, what));
}

TEST_F_TIMEOUT(repair, to_check_a_leased_file_is_free, 60)
{
	static const __u32 types[] = { INODE, DATA_MAP, ATTR_MAP };
	unsigned int i;

	ASSERT_EQ(0, lease_take(self->rig.fd, LAYOUT_LEASE_UNBREAK, 0, 0, self->rig.event));
	for (i = 0; i < ARRAY_SIZE(types); i++) {
		struct xfs_scrub what = self->scrub;

		what.type = types[i];
		what.flags = 0;
		EXPECT_EQ(0, by_other(&self->rig, variant->dir, what))
			TH_LOG("type %u", types[i]);
	}
	EXPECT_STREQ("", state_changes(self->rig.fd, &self->before));
	EXPECT_TRUE(rig_undisturbed(&self->rig));
}

TEST_F_TIMEOUT(repair, to_rebuild_all_else_is_free, 120)
{
	static const __u32 types[] = { AGF, AGFL, AGI, BNOBT, INOBT, FINOBT, RMAPBT, REFCNTBT };
	struct xfs_scrub inode = self->scrub;
	unsigned int i, ag;

	ASSERT_EQ(0, lease_take(self->rig.fd, LAYOUT_LEASE_UNBREAK, 0, 0, self->rig.event));
	inode.type = INODE;
	EXPECT_EQ(0, by_other(&self->rig, variant->dir, inode));
	inode.type = ATTR_MAP;
	EXPECT_EQ(0, by_other(&self->rig, variant->dir, inode));
	for (i = 0; i < ARRAY_SIZE(types); i++)
		for (ag = 0; ag < 4; ag++) {
			struct xfs_scrub what = { .type = types[i], .flags = REBUILD, .agno = ag };

			EXPECT_EQ(0, by_other(&self->rig, variant->dir, what))
				TH_LOG("type %u of group %u", types[i], ag);
		}
	EXPECT_STREQ("", state_changes(self->rig.fd, &self->before));
	EXPECT_TRUE(rig_undisturbed(&self->rig));
}

/*
 * Pins, which need DAX
 */

FIXTURE(pins)
{
	struct rig rig;
};

ON_XFS_DAX(pins);

FIXTURE_SETUP(pins)
{
	ASSERT_EQ(0, rig_open(&self->rig, variant->dir));
}

FIXTURE_TEARDOWN(pins)
{
	rig_close(&self->rig);
}

TEST_F_TIMEOUT(pins, a_refused_repair_leaves_them, 60)
{
	struct xfs_scrub what;
	struct ibv_mr *mr;
	struct nic nic;
	char *map;

	ASSERT_EQ(0, nic_open(&nic, ENV_RXE));
	ASSERT_EQ(0, lease_take_all(self->rig.fd));
	map = file_map(self->rig.fd, RIG_SIZE);
	ASSERT_NE(NULL, map);
	ASSERT_EQ(0, mr_reg(&nic, map, RIG_SIZE, MR_SERVER, &mr));
	ASSERT_EQ(0, scrub_of(self->rig.fd, DATA_MAP, REBUILD, &what));
	EXPECT_EQ(-ETXTBSY, by_other(&self->rig, variant->dir, what));
	EXPECT_EQ(-EDEADLK, by_holder(variant->dir, what));
	EXPECT_EQ(LAYOUT_ACTIVE, lease_see(self->rig.fd).state);
	EXPECT_EQ(1, lease_see(self->rig.fd).pins);
	EXPECT_TRUE(rig_untouched(&self->rig));
	EXPECT_EQ(0, ibv_dereg_mr(mr));
	munmap(map, RIG_SIZE);
	nic_close(&nic);
}

TEST_HARNESS_MAIN
