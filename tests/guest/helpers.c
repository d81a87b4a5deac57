// SPDX-License-Identifier: GPL-2.0
/*
 * The helpers themselves, on memory and files without leases: what the other
 * tests rely on holds on every kernel, so that their failures mean something.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "kselftest_harness.h"
#include "lib/cm.h"
#include "lib/heldreg.h"
#include "lib/rig.h"

FIXTURE(rdma)
{
	struct nic server, client;
	struct wire near, far;
	struct ibv_mr *mr, *local;
	char *map, *buf;
};

FIXTURE_SETUP(rdma)
{
	const int prot = PROT_READ | PROT_WRITE, flags = MAP_PRIVATE | MAP_ANONYMOUS;

	self->map = mmap(NULL, MIB, prot, flags, -1, 0);
	self->buf = mmap(NULL, MIB, prot, flags, -1, 0);
	memset(self->buf, 'x', MIB);
	ASSERT_EQ(0, nic_open(&self->server, ENV_RXE));
	ASSERT_EQ(0, nic_open(&self->client, ENV_RXE));
	ASSERT_EQ(0, wire_pair(&self->far, &self->client, &self->near, &self->server));
	ASSERT_EQ(0, mr_reg(&self->client, self->buf, MIB, MR_SERVER, &self->local));
	ASSERT_EQ(0, mr_reg(&self->server, self->map, MIB, MR_SERVER, &self->mr));
}

FIXTURE_TEARDOWN(rdma)
{
	wire_close(&self->far);
	wire_close(&self->near);
	ibv_dereg_mr(self->local);
	if (self->mr)
		ibv_dereg_mr(self->mr);
	nic_close(&self->client);
	nic_close(&self->server);
}

static int client_writes(FIXTURE_DATA(rdma) *self, __u32 rkey)
{
	return wire_write(&self->far, self->local, MIB, (unsigned long)self->map, rkey);
}

TEST_F(rdma, write_and_read)
{
	ASSERT_EQ(0, client_writes(self, self->mr->rkey));
	EXPECT_EQ('x', self->map[0]);
	EXPECT_EQ('x', self->map[MIB - 1]);
	self->map[5] = 'y';
	ASSERT_EQ(0, wire_read(&self->far, self->local, MIB, (unsigned long)self->map,
			       self->mr->rkey));
	EXPECT_EQ('y', self->buf[5]);
	EXPECT_EQ(IBV_QPS_RTS, wire_state(&self->near));
}

TEST_F(rdma, deregistered_region_is_a_remote_access_error)
{
	__u32 rkey = self->mr->rkey;

	ASSERT_EQ(0, ibv_dereg_mr(self->mr));
	self->mr = NULL;
	EXPECT_EQ(IBV_WC_REM_ACCESS_ERR, client_writes(self, rkey));
	EXPECT_EQ(0, self->map[0]);
	EXPECT_EQ(IBV_QPS_ERR, wire_state(&self->far));
}

TEST_F(rdma, silent_far_side_is_given_up)
{
	ibv_destroy_qp(self->near.qp);
	self->near.qp = NULL;
	EXPECT_EQ(IBV_WC_RETRY_EXC_ERR, client_writes(self, self->mr->rkey));
}

static struct nic passed;

static long adopt(void *arg, int fd)
{
	static char memory[PAGE];
	int ret = nic_adopt(&passed, ENV_RXE, fd);

	return ret ? ret : mr_try(&passed, memory, PAGE, MR_SERVER);
}

TEST_F(rdma, a_context_can_be_passed_on)
{
	struct peer peer;

	ASSERT_EQ(0, peer_spawn(&peer));
	EXPECT_EQ(0, peer_call(&peer, adopt, NULL, 0, self->server.ctx->cmd_fd));
	peer_end(&peer);
}

TEST(held_registration)
{
	int fd = memfd_create("file", 0), i;
	struct heldreg reg;
	struct nic nic;

	ASSERT_EQ(0, ftruncate(fd, MIB));
	ASSERT_EQ(0, nic_open(&nic, ENV_RXE));
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, heldreg_start(&reg, &nic, fd, MIB, i));
		usleep(50000);
		EXPECT_TRUE(reg.running);
		EXPECT_EQ(0, heldreg_finish(&reg));
		EXPECT_NE(NULL, reg.mr);
		heldreg_end(&reg);
	}
	nic_close(&nic);
}

TEST(iwarp_device)
{
	char memory[PAGE];
	struct nic nic;

	ASSERT_EQ(0, nic_open(&nic, ENV_SIW));
	EXPECT_EQ(0, mr_try(&nic, memory, sizeof(memory), MR_SERVER));
	nic_close(&nic);
}

TEST(iwarp_write_and_read)
{
	static char map[64 * KIB], buf[64 * KIB];
	struct ibv_mr *mr, *local;
	struct cm cm;

	ASSERT_EQ(0, cm_open(&cm, ENV_SIW_ADDR));
	ASSERT_EQ(0, mr_reg(&cm.nic, map, sizeof(map), MR_SERVER, &mr));
	ASSERT_EQ(0, mr_reg(&cm.nic, buf, sizeof(buf), MR_SERVER, &local));
	memset(buf, 'x', sizeof(buf));
	EXPECT_EQ(0, wire_write(&cm.a, local, sizeof(buf), (unsigned long)map, mr->rkey));
	/* A write of iWARP is complete when it is sent; a read behind it has seen it. */
	EXPECT_EQ(0, wire_read(&cm.a, local, sizeof(buf), (unsigned long)map, mr->rkey));
	EXPECT_EQ('x', map[sizeof(map) - 1]);
	map[0] = 'y';
	EXPECT_EQ(0, ibv_dereg_mr(mr));
	EXPECT_NE(0, wire_read(&cm.a, local, sizeof(buf), (unsigned long)map, mr->rkey));
	EXPECT_EQ('x', buf[0]);
	EXPECT_EQ(0, ibv_dereg_mr(local));
	cm_close(&cm);
}

static long answer(void *arg, int fd)
{
	return *(int *)arg + (fd >= 0);
}

static long sleep_long(void *arg, int fd)
{
	return usleep(30000000) ? -errno : 0;
}

TEST(peers)
{
	struct peer peer;
	int number = 41;

	ASSERT_EQ(0, peer_spawn(&peer));
	EXPECT_EQ(42, peer_call(&peer, answer, &number, sizeof(number), 0));
	EXPECT_EQ(41, peer_call(&peer, answer, &number, sizeof(number), -1));
	ASSERT_EQ(0, peer_start(&peer, sleep_long, NULL, 0, -1));
	EXPECT_TRUE(peer_busy(&peer, 50));
	peer_interrupt(&peer);
	EXPECT_EQ(-EINTR, peer_result(&peer, 1000));
	ASSERT_EQ(0, peer_start(&peer, sleep_long, NULL, 0, -1));
	EXPECT_EQ(0, peer_kill(&peer, 1000));
}

FIXTURE(file)
{
	struct rig rig;
};

ON_ALL(file);

FIXTURE_SETUP(file)
{
	ASSERT_EQ(0, rig_open(&self->rig, variant->dir));
}

FIXTURE_TEARDOWN(file)
{
	rig_close(&self->rig);
}

TEST_F(file, is_made_and_cut)
{
	EXPECT_TRUE(rig_untouched(&self->rig));
	EXPECT_LE(RIG_SIZE / 512, file_blocks(self->rig.fd));
	EXPECT_EQ(0, rig_other(&self->rig, do_punch, MIB, MIB));
	EXPECT_TRUE(file_is(self->rig.path, MIB, MIB, 0));
	EXPECT_TRUE(file_is(self->rig.path, 0, MIB, RIG_FILL));
	EXPECT_FALSE(rig_untouched(&self->rig));
	EXPECT_EQ(0, rig_other(&self->rig, do_ftruncate, MIB, 0));
	EXPECT_EQ(MIB, file_size(self->rig.path));
	EXPECT_EQ(0, rig_other(&self->rig, do_open_trunc, 0, 0));
	EXPECT_EQ(0, file_size(self->rig.path));
}

TEST_F_TIMEOUT(file, freed_blocks_are_found_again, 120)
{
	struct extents before, after;
	char path[FILE_PATH];
	__u64 at, len;

	ASSERT_EQ(0, file_extents(self->rig.fd, &before));
	EXPECT_LT(0, before.count);
	ASSERT_EQ(0, rig_other(&self->rig, do_truncate, 0, 0));
	ASSERT_EQ(0, file_extents(self->rig.fd, &after));
	EXPECT_FALSE(extents_same(&before, &after));
	ASSERT_EQ(0, file_grab_blocks(variant->dir, &before, 'n', path, &at, &len));
	EXPECT_TRUE(file_is(path, at, len, 'n'));
	unlink(path);
}

TEST_HARNESS_MAIN
