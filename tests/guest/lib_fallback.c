// SPDX-License-Identifier: GPL-2.0
/*
 * libflayout where there is no lease to be had, or none to register under: the
 * same program runs, with a copy, or is told why not.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "lib/rig.h"
#include "lib/served.h"

#define BOTH		(FLAYOUT_FALLBACK_ODP | FLAYOUT_FALLBACK_BOUNCE)

FIXTURE(fallback)
{
	char path[FILE_PATH];
	struct served s;
};

FIXTURE_VARIANT(fallback)
{
	const char *dir;
	bool leases;
};

/* Leases are honoured, but page cache cannot be registered for writing. */
FIXTURE_VARIANT_ADD(fallback, ext4_nodax) { .dir = ENV_EXT4_NODAX, .leases = true };
FIXTURE_VARIANT_ADD(fallback, xfs_nodax) { .dir = ENV_XFS_NODAX, .leases = true };
FIXTURE_VARIANT_ADD(fallback, tmpfs) { .dir = "/tmp" };

FIXTURE_SETUP(fallback)
{
	int fd;

	memset(&self->s, 0, sizeof(self->s));
	snprintf(self->path, sizeof(self->path), "%s/buffer", variant->dir);
	fd = file_make(self->path, RIG_SIZE, RIG_FILL);
	ASSERT_LE(0, fd);
	close(fd);
}

FIXTURE_TEARDOWN(fallback)
{
	served_close(&self->s);
	unlink(self->path);
}

TEST_F(fallback, a_copy_is_served_and_reaches_the_file_when_told)
{
	ASSERT_EQ(0, served_open(&self->s, self->path, FLAYOUT_FALLBACK_BOUNCE));
	EXPECT_EQ(FLAYOUT_MODE_BOUNCE, flayout_mode(self->s.fl));
	EXPECT_EQ(RIG_FILL, self->s.map[SERVED_HIGH]);
	EXPECT_EQ(0, served_write(&self->s, self->s.high, 'b'));
	EXPECT_TRUE(file_is(self->path, 0, RIG_SIZE, RIG_FILL));
	EXPECT_EQ(0, flayout_sync_to_file(self->s.fl, self->s.map + SERVED_HIGH, SERVED_PART));
	EXPECT_TRUE(file_is(self->path, 0, SERVED_HIGH, RIG_FILL));
	EXPECT_TRUE(file_is(self->path, SERVED_HIGH, SERVED_PART, 'b'));
}

TEST_F(fallback, a_copy_stands_in_nobodys_way)
{
	ASSERT_EQ(0, served_open(&self->s, self->path, FLAYOUT_FALLBACK_BOUNCE));
	EXPECT_EQ(0, truncate(self->path, MIB));
	EXPECT_EQ(0, served_event(&self->s, 0).type);
	EXPECT_EQ(0, served_write(&self->s, self->s.low, 'b'));
	EXPECT_EQ(0, flayout_sync_to_file(self->s.fl, self->s.map, RIG_SIZE));
	EXPECT_EQ(MIB, file_size(self->path));
	EXPECT_TRUE(file_is(self->path, 0, MIB, 'b'));
}

TEST_F(fallback, on_demand_is_chosen_only_if_the_device_can)
{
	int odp;

	ASSERT_EQ(0, served_open(&self->s, self->path, BOTH));
	odp = flayout_odp_supported(self->s.server.ctx);
	ASSERT_LE(0, odp);
	EXPECT_EQ(odp ? FLAYOUT_MODE_ODP : FLAYOUT_MODE_BOUNCE, flayout_mode(self->s.fl));
	EXPECT_EQ(0, served_write(&self->s, self->s.low, 'b'));
	EXPECT_EQ(0, flayout_sync_to_file(self->s.fl, self->s.map, SERVED_PART));
	EXPECT_TRUE(file_is(self->path, 0, SERVED_PART, 'b'));
}

TEST_F(fallback, without_one_there_is_a_clean_error)
{
	struct flayout *fl;
	int ret;

	ASSERT_EQ(0, flayout_new(&fl));
	ASSERT_EQ(0, flayout_open(fl, AT_FDCWD, self->path, O_RDWR, 0));
	ret = flayout_lease(fl, 0, 0, FLAYOUT_FALLBACK_ERROR);
	EXPECT_EQ(variant->leases ? 0 : -EOPNOTSUPP, ret);
	if (ret)
		EXPECT_NE(NULL, strstr(flayout_message(fl), "does not honour"));
	flayout_close(fl);
}

TEST(leases_that_are_switched_off_are_none)
{
	struct flayout *fl;
	int fd = file_make(ENV_EXT4 "/buffer", RIG_SIZE, RIG_FILL);

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, flayout_new(&fl));
	ASSERT_EQ(0, flayout_open_fd(fl, fd));
	ASSERT_EQ(0, sysctl_write("fs/leases-enable", 0));
	EXPECT_EQ(-EOPNOTSUPP, flayout_lease(fl, 0, 0, FLAYOUT_FALLBACK_ERROR));
	EXPECT_NE(NULL, strstr(flayout_message(fl), "fs.leases-enable"));
	EXPECT_EQ(0, flayout_lease(fl, 0, 0, FLAYOUT_FALLBACK_BOUNCE));
	EXPECT_EQ(FLAYOUT_MODE_BOUNCE, flayout_mode(fl));
	ASSERT_EQ(0, sysctl_write("fs/leases-enable", 1));
	EXPECT_EQ(0, flayout_lease(fl, 0, 0, FLAYOUT_FALLBACK_BOUNCE));
	EXPECT_EQ(FLAYOUT_MODE_LEASE, flayout_mode(fl));
	flayout_close(fl);
	close(fd);
	unlink(ENV_EXT4 "/buffer");
}

TEST_HARNESS_MAIN
