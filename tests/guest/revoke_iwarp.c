// SPDX-License-Identifier: GPL-2.0
/*
 * Revocation on soft-iWARP, whose transport is TCP: a write is complete for its
 * sender once it is sent, so that only what the sender asks next tells him.
 * What matters stays the same: nothing arrives.
 */
#include <errno.h>
#include <string.h>

#include "kselftest_harness.h"
#include "lib/cm.h"
#include "lib/rig.h"

FIXTURE(iwarp)
{
	struct rig rig;
	struct cm cm;
	struct ibv_mr *mr, *local;
	char *map, *buf;
	int fd;
};

ON_DAX(iwarp);

FIXTURE_SETUP(iwarp)
{
	ASSERT_EQ(0, rig_open(&self->rig, variant->dir));
	self->fd = self->rig.fd;
	self->map = file_map(self->fd, RIG_SIZE);
	ASSERT_NE(NULL, self->map);
	self->buf = mmap(NULL, MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->buf);
	memset(self->buf, 'x', MIB);
	ASSERT_EQ(0, cm_open(&self->cm, ENV_SIW_ADDR));
	ASSERT_EQ(0, mr_reg(&self->cm.nic, self->buf, MIB, MR_SERVER, &self->local));
	ASSERT_EQ(0, lease_take(self->fd, 0, 0, 0, self->rig.event));
	ASSERT_EQ(0, mr_reg(&self->cm.nic, self->map, RIG_SIZE, MR_SERVER, &self->mr));
}

FIXTURE_TEARDOWN(iwarp)
{
	if (self->mr)
		ibv_dereg_mr(self->mr);
	if (self->local)
		ibv_dereg_mr(self->local);
	cm_close(&self->cm);
	rig_close(&self->rig);
}

/* A write, and a read of ordinary memory behind it: 0 if both went through. */
static int client_writes(FIXTURE_DATA(iwarp) *self, size_t len, __u64 at)
{
	int ret = wire_write(&self->cm.a, self->local, len, (unsigned long)self->map + at,
			     self->mr->rkey);

	return ret ? ret : wire_read(&self->cm.a, self->local, PAGE,
				     (unsigned long)self->buf + MIB - PAGE, self->local->rkey);
}

TEST_F(iwarp, under_a_lease_writes_arrive)
{
	EXPECT_EQ(1, lease_see(self->fd).pins);
	EXPECT_EQ(0, client_writes(self, MIB, MIB));
	EXPECT_TRUE(file_is(self->rig.path, MIB, MIB, 'x'));
	EXPECT_TRUE(file_is(self->rig.path, 0, MIB, RIG_FILL));
}

TEST_F(iwarp, after_a_revoke_nothing_arrives)
{
	ASSERT_EQ(0, client_writes(self, PAGE, 0));
	ASSERT_EQ(0, lease_revoke(self->fd, 0));
	EXPECT_NE(0, client_writes(self, MIB, MIB));
	EXPECT_TRUE(file_is(self->rig.path, MIB, MIB, RIG_FILL));
}

TEST_F(iwarp, after_a_revoke_nothing_can_be_read)
{
	memset(self->buf, 'y', MIB);
	ASSERT_EQ(0, lease_revoke(self->fd, 0));
	EXPECT_NE(0, wire_read(&self->cm.a, self->local, PAGE, (unsigned long)self->map,
			       self->mr->rkey));
	EXPECT_EQ('y', self->buf[0]);
}

TEST_F(iwarp, local_use_of_the_region_is_a_local_error)
{
	ASSERT_EQ(0, lease_revoke(self->fd, 0));
	EXPECT_NE(0, wire_write(&self->cm.a, self->mr, PAGE, (unsigned long)self->buf,
				self->local->rkey));
	EXPECT_EQ('x', self->buf[0]);
}

TEST_F(iwarp, the_region_can_still_be_deregistered)
{
	char memory[PAGE];

	ASSERT_EQ(0, lease_revoke(self->fd, 0));
	EXPECT_EQ(LAYOUT_REVOKED, lease_see(self->fd).state);
	EXPECT_EQ(0, lease_see(self->fd).pins);
	EXPECT_EQ(0, ibv_dereg_mr(self->mr));
	self->mr = NULL;
	EXPECT_EQ(0, mr_try(&self->cm.nic, memory, sizeof(memory), MR_SERVER));
	EXPECT_EQ(-EOPNOTSUPP, mr_try(&self->cm.nic, self->map, PAGE, MR_SERVER));
	ASSERT_EQ(0, lease_take_all(self->fd));
	EXPECT_EQ(0, mr_try(&self->cm.nic, self->map, RIG_SIZE, MR_SERVER));
}

TEST_F_TIMEOUT(iwarp, a_breaker_gets_the_blocks_in_time, 60)
{
	ASSERT_EQ(0, break_time_set(1));
	EXPECT_EQ(0, rig_other(&self->rig, do_truncate, 0, 0));
	EXPECT_GT(1000 + QUICK, self->rig.other.ms);
	EXPECT_EQ(LAYOUT_REVOKED, lease_see(self->fd).state);
	EXPECT_EQ(0, ibv_dereg_mr(self->mr));
	self->mr = NULL;
}

TEST_F_TIMEOUT(iwarp, freed_blocks_of_another_file_are_not_touched, 120)
{
	struct extents before;
	char path[FILE_PATH];
	__u64 at, len;

	ASSERT_EQ(0, file_extents(self->fd, &before));
	ASSERT_EQ(0, break_time_set(0));
	ASSERT_EQ(0, rig_other(&self->rig, do_truncate, 0, 0));
	ASSERT_EQ(0, file_grab_blocks(variant->dir, &before, 'n', path, &at, &len));
	EXPECT_NE(0, client_writes(self, MIB, 0));
	EXPECT_TRUE(file_is(path, at, len, 'n'));
	unlink(path);
}

TEST_F(iwarp, a_closed_buffer_takes_the_context_with_it)
{
	char memory[PAGE];

	ASSERT_EQ(0, munmap(self->map, RIG_SIZE));
	close(self->fd);
	self->rig.fd = -1;
	EXPECT_EQ(-EIO, mr_try(&self->cm.nic, memory, sizeof(memory), MR_SERVER));
}

TEST_HARNESS_MAIN
