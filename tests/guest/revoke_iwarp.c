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

/* Another process truncates the file, and its blocks become another file's. */
static void lose_file(struct __test_metadata *_metadata, FIXTURE_DATA(iwarp) *self,
		      const char *dir, struct extents *blocks, char *path, __u64 *at, __u64 *len)
{
	ASSERT_EQ(0, file_extents(self->fd, blocks));
	ASSERT_EQ(0, break_time_set(0));
	ASSERT_EQ(0, rig_other(&self->rig, do_truncate, 0, 0));
	ASSERT_EQ(0, file_grab_blocks(dir, blocks, 'n', path, at, len));
	EXPECT_EQ(0, lease_see(self->fd).pins);
}

static void only_the_region_died(struct __test_metadata *_metadata, FIXTURE_DATA(iwarp) *self)
{
	struct ibv_mr *more[32];
	char memory[PAGE];
	int i;

	for (i = 0; i < 32; i++) {
		ASSERT_EQ(0, mr_reg(&self->cm.nic, memory, sizeof(memory), MR_SERVER, &more[i]));
		EXPECT_NE(self->mr->rkey >> 8, more[i]->rkey >> 8);
	}
	while (i--)
		EXPECT_EQ(0, ibv_dereg_mr(more[i]));
	EXPECT_EQ(0, ibv_dereg_mr(self->mr));
	self->mr = NULL;
}

static int sends(struct wire *wire, struct ibv_mr *mr, void *addr, size_t len, unsigned int flags)
{
	struct ibv_sge sge = { .addr = (unsigned long)addr, .length = len, .lkey = mr->lkey };
	struct ibv_send_wr wr = {
		.opcode = IBV_WR_SEND,
		.sg_list = &sge,
		.num_sge = 1,
		.send_flags = flags,
	};

	return wire_post(wire, &wr);
}

TEST_F_TIMEOUT(iwarp, a_message_does_not_arrive_in_a_posted_receive, 120)
{
	struct extents blocks;
	char path[FILE_PATH];
	__u64 at, len;

	ASSERT_EQ(0, wire_receive(&self->cm.b, self->mr, RIG_SIZE));
	lose_file(_metadata, self, variant->dir, &blocks, path, &at, &len);
	ASSERT_EQ(0, sends(&self->cm.a, self->local, self->buf, MIB, 0));
	EXPECT_NE(0, wire_wait(&self->cm.b, WIRE_MS));
	EXPECT_TRUE(file_is(path, at, len, 'n'));
	only_the_region_died(_metadata, self);
	unlink(path);
}

TEST_F_TIMEOUT(iwarp, what_it_had_is_not_sent, 120)
{
	struct extents blocks;
	char path[FILE_PATH];
	__u64 at, len;

	ASSERT_EQ(0, wire_receive(&self->cm.b, self->local, MIB));
	lose_file(_metadata, self, variant->dir, &blocks, path, &at, &len);
	ASSERT_EQ(0, sends(&self->cm.a, self->mr, self->map, MIB, 0));
	EXPECT_NE(0, wire_wait(&self->cm.a, WIRE_MS));
	EXPECT_EQ(NULL, memchr(self->buf, 'n', MIB));
	only_the_region_died(_metadata, self);
	unlink(path);
}

TEST_F_TIMEOUT(iwarp, receives_in_other_memory_go_on, 120)
{
	struct extents blocks;
	char path[FILE_PATH];
	__u64 at, len;

	ASSERT_EQ(0, wire_receive(&self->cm.b, self->local, MIB));
	lose_file(_metadata, self, variant->dir, &blocks, path, &at, &len);
	self->buf[MIB - 1] = 'y';
	ASSERT_EQ(0, sends(&self->cm.a, self->local, self->buf + MIB - PAGE, PAGE, 0));
	EXPECT_EQ(0, wire_wait(&self->cm.a, WIRE_MS));
	EXPECT_EQ(0, wire_wait(&self->cm.b, WIRE_MS));
	EXPECT_EQ('y', self->buf[PAGE - 1]);
	only_the_region_died(_metadata, self);
	unlink(path);
}

/* All of the file, while it is lost: what arrives is the file's, or nothing. */
TEST_F_TIMEOUT(iwarp, a_read_in_progress_reads_nothing_of_the_blocks_next_owner, 180)
{
	char *into = mmap(NULL, RIG_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			  -1, 0);
	struct ibv_sge sge = { .addr = (unsigned long)into, .length = RIG_SIZE };
	struct ibv_send_wr wr = {
		.opcode = IBV_WR_RDMA_READ,
		.sg_list = &sge,
		.num_sge = 1,
		.wr.rdma = { .remote_addr = (unsigned long)self->map, .rkey = self->mr->rkey },
	};
	struct extents blocks;
	struct ibv_mr *mr;
	char path[FILE_PATH];
	__u64 at, len;

	ASSERT_NE(MAP_FAILED, into);
	ASSERT_EQ(0, mr_reg(&self->cm.nic, into, RIG_SIZE, MR_SERVER, &mr));
	sge.lkey = mr->lkey;
	ASSERT_EQ(0, wire_post(&self->cm.a, &wr));
	while (*(volatile char *)into != RIG_FILL)
		usleep(10);
	ASSERT_EQ(0, lease_revoke(self->fd, 0));
	EXPECT_EQ(0, into[RIG_SIZE - 1]);
	lose_file(_metadata, self, variant->dir, &blocks, path, &at, &len);
	EXPECT_LT(0, wire_wait(&self->cm.a, WIRE_MS));
	EXPECT_EQ(NULL, memchr(into, 'n', RIG_SIZE));
	EXPECT_EQ(0, ibv_dereg_mr(mr));
	munmap(into, RIG_SIZE);
	only_the_region_died(_metadata, self);
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
