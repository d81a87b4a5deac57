// SPDX-License-Identifier: GPL-2.0
/*
 * A file is taken from under a memory region, and the windows on it lead
 * nowhere: they can still be freed, in the order the rules of RDMA ask for.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "kselftest_harness.h"
#include "lib/region.h"

FIXTURE(region)
{
	struct region region;
};

ON_DAX(region);

FIXTURE_SETUP(region)
{
	ASSERT_EQ(0, region_open(&self->region, variant->dir));
}

FIXTURE_TEARDOWN(region)
{
	region_close(&self->region);
}

/* A write of a page through @rkey, and what it must not do. */
static void is_refused_to_the_client(struct __test_metadata *_metadata,
				     struct region *r, __u32 rkey)
{
	EXPECT_EQ(IBV_WC_REM_ACCESS_ERR,
		  wire_write(r->far, r->local, PAGE, (unsigned long)r->map, rkey));
	EXPECT_TRUE(region_spared(r));
}

static int bind_window(struct region *r, struct ibv_mw *mw)
{
	struct ibv_mw_bind_info info = {
		.mr = r->mr,
		.addr = (unsigned long)r->map,
		.length = RIG_SIZE,
		.mw_access_flags = IBV_ACCESS_REMOTE_WRITE | IBV_ACCESS_REMOTE_READ,
	};
	struct ibv_mw_bind bind = { .send_flags = IBV_SEND_SIGNALED, .bind_info = info };
	struct ibv_send_wr wr = {
		.opcode = IBV_WR_BIND_MW,
		.bind_mw = { .mw = mw, .rkey = ibv_inc_rkey(mw->rkey), .bind_info = info },
	};
	int ret;

	if (mw->type == IBV_MW_TYPE_1) {
		ret = ibv_bind_mw(r->near->qp, mw, &bind);
		return ret ? -ret : wire_wait(r->near, WIRE_MS);
	}
	ret = wire_do(r->near, &wr);
	if (!ret)
		mw->rkey = wr.bind_mw.rkey;
	return ret;
}

/* A window on the whole region, through which the client has written. */
static struct ibv_mw *used_window(struct __test_metadata *_metadata, struct region *r,
				  enum ibv_mw_type type)
{
	struct ibv_mw *mw = ibv_alloc_mw(r->traffic.server.pd, type);

	ASSERT_NE(NULL, mw);
	ASSERT_EQ(0, bind_window(r, mw));
	ASSERT_EQ(0, wire_write(r->far, r->local, PAGE, (unsigned long)r->map, mw->rkey));
	ASSERT_TRUE(file_is(r->rig.path, 0, PAGE, TRAFFIC_FILL));
	return mw;
}

TEST_F_TIMEOUT(region, a_window_of_type_1_dies_with_it, 120)
{
	struct region *r = &self->region;
	struct ibv_mw *mw = used_window(_metadata, r, IBV_MW_TYPE_1);

	ASSERT_EQ(0, region_lose(r));
	is_refused_to_the_client(_metadata, r, mw->rkey);
	EXPECT_EQ(0, ibv_dealloc_mw(mw));
	EXPECT_STREQ("", region_damage(r));
}

TEST_F_TIMEOUT(region, a_window_of_type_2_dies_with_it, 120)
{
	struct region *r = &self->region;
	struct ibv_mw *mw = used_window(_metadata, r, IBV_MW_TYPE_2);

	ASSERT_EQ(0, region_lose(r));
	is_refused_to_the_client(_metadata, r, mw->rkey);
	EXPECT_EQ(0, ibv_dealloc_mw(mw));
	EXPECT_STREQ("", region_damage(r));
}

/* A region with windows is never deregistered, revoked or not (IBA 10.6.7.2.6). */
TEST_F_TIMEOUT(region, is_freed_after_its_window_only, 120)
{
	struct region *r = &self->region;
	struct ibv_mw *mw = used_window(_metadata, r, IBV_MW_TYPE_1);

	ASSERT_EQ(0, region_lose(r));
	EXPECT_EQ(EINVAL, ibv_dereg_mr(r->mr));
	is_refused_to_the_client(_metadata, r, mw->rkey);
	EXPECT_EQ(0, ibv_dealloc_mw(mw));
	EXPECT_STREQ("", region_damage(r));
}

TEST_F_TIMEOUT(region, a_window_can_still_be_invalidated, 120)
{
	struct region *r = &self->region;
	struct ibv_mw *mw = used_window(_metadata, r, IBV_MW_TYPE_2);
	struct ibv_send_wr wr = { .opcode = IBV_WR_LOCAL_INV, .invalidate_rkey = mw->rkey };

	ASSERT_EQ(0, region_lose(r));
	EXPECT_EQ(0, wire_do(r->near, &wr));
	is_refused_to_the_client(_metadata, r, mw->rkey);
	EXPECT_EQ(0, ibv_dealloc_mw(mw));
	EXPECT_STREQ("", region_damage(r));
}

/* It may bind, the region has its key still; what it binds has no memory. */
TEST_F_TIMEOUT(region, a_window_bound_afterwards_shows_nothing, 120)
{
	struct region *r = &self->region;
	struct ibv_mw *mw = ibv_alloc_mw(r->traffic.server.pd, IBV_MW_TYPE_1);
	int ret;

	ASSERT_NE(NULL, mw);
	ASSERT_EQ(0, region_lose(r));
	ret = bind_window(r, mw);
	if (ret)
		ASSERT_EQ(0, traffic_reconnect(&r->traffic));
	is_refused_to_the_client(_metadata, r, mw->rkey);
	EXPECT_EQ(0, ibv_dealloc_mw(mw));
	EXPECT_STREQ("", region_damage(r));
}

TEST_F_TIMEOUT(region, a_context_with_windows_can_be_closed, 120)
{
	struct region *r = &self->region;

	used_window(_metadata, r, IBV_MW_TYPE_1);
	ASSERT_EQ(0, region_lose(r));
	close(r->traffic.server.ctx->cmd_fd);
	EXPECT_NE(0, wire_write(r->far, r->local, PAGE, (unsigned long)r->map,
				r->mr->rkey));
	EXPECT_TRUE(region_spared(r));
	r->mr = NULL;
	r->other = NULL;
}

/* The end of the buffer file takes the context down, windows and all. */
TEST_F_TIMEOUT(region, a_window_does_not_keep_a_closed_buffer, 120)
{
	struct region *r = &self->region;
	char memory[PAGE];

	used_window(_metadata, r, IBV_MW_TYPE_1);
	ASSERT_EQ(0, munmap(r->map, RIG_SIZE));
	close(r->rig.fd);
	r->rig.fd = -1;
	EXPECT_NE(0, wire_write(r->far, r->local, PAGE, (unsigned long)r->map + MIB,
				r->mr->rkey));
	EXPECT_TRUE(file_is(r->rig.path, MIB, MIB, RIG_FILL));
	EXPECT_EQ(-EIO, mr_try(&r->traffic.server, memory, sizeof(memory), MR_SERVER));
	EXPECT_EQ(0, rig_other(&r->rig, do_truncate, 0, 0));
	r->mr = NULL;
	r->other = NULL;
}

TEST_HARNESS_MAIN
