// SPDX-License-Identifier: GPL-2.0
/*
 * A file is taken from under a memory region, whatever refers to the region and
 * whatever is under way on it: nothing arrives in the file's old blocks, which
 * are another file's by then, and nothing of them is read.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "kselftest_harness.h"
#include "lib/rdma_flush.h"
#include "lib/rig.h"
#include "lib/traffic.h"

#define EVERYTHING	(MR_SERVER | IBV_ACCESS_REMOTE_ATOMIC | IBV_ACCESS_MW_BIND | MR_FLUSH)
#define NEIGHBOUR	'n'	/* fills the blocks once they are another file's */
#define WORD		8ULL	/* bytes of an atomic operation */

/* rxe reports no more of some errors than that the operation failed. */
#define EXPECT_FAILED(status)	EXPECT_LT(IBV_WC_SUCCESS, status)

FIXTURE(region)
{
	struct rig rig;
	struct traffic traffic;
	struct wire *near, *far;	/* the region's end, the client's end */
	struct ibv_mr *mr;		/* of the file */
	struct ibv_mr *local;		/* of the client */
	struct ibv_mr *other;		/* ordinary memory of the region's context */
	char *map, *memory;
	char neighbour[FILE_PATH];
	__u64 at, len;			/* of the old blocks, in the neighbour */
};

ON_DAX(region);

FIXTURE_SETUP(region)
{
	const int prot = PROT_READ | PROT_WRITE, flags = MAP_PRIVATE | MAP_ANONYMOUS;

	ASSERT_EQ(0, rig_open(&self->rig, variant->dir));
	self->map = file_map(self->rig.fd, RIG_SIZE);
	ASSERT_NE(NULL, self->map);
	self->memory = mmap(NULL, MIB, prot, flags, -1, 0);
	ASSERT_NE(MAP_FAILED, self->memory);
	ASSERT_EQ(0, traffic_open(&self->traffic));
	self->near = &self->traffic.near;
	self->far = &self->traffic.far;
	self->local = self->traffic.local;
	ASSERT_EQ(0, lease_take(self->rig.fd, 0, 0, 0, self->rig.event));
	ASSERT_EQ(0, mr_reg(&self->traffic.server, self->map, RIG_SIZE, EVERYTHING, &self->mr));
	ASSERT_EQ(0, mr_reg(&self->traffic.server, self->memory, MIB, MR_SERVER, &self->other));
}

FIXTURE_TEARDOWN(region)
{
	if (self->mr)
		ibv_dereg_mr(self->mr);
	if (self->other)
		ibv_dereg_mr(self->other);
	traffic_close(&self->traffic);
	if (self->neighbour[0])
		unlink(self->neighbour);
	rig_close(&self->rig);
}

/* Another process truncates the file, and its blocks become another file's. */
static void lose_file(struct __test_metadata *_metadata, FIXTURE_DATA(region) *self,
		      const char *dir)
{
	struct extents before;

	ASSERT_EQ(0, file_extents(self->rig.fd, &before));
	ASSERT_EQ(0, break_time_set(0));
	ASSERT_EQ(0, rig_other(&self->rig, do_truncate, 0, 0));
	ASSERT_EQ(0, file_grab_blocks(dir, &before, NEIGHBOUR, self->neighbour, &self->at,
				      &self->len));
	EXPECT_EQ(LAYOUT_REVOKED, lease_see(self->rig.fd).state);
	EXPECT_EQ(0, lease_see(self->rig.fd).pins);
	EXPECT_EQ(0, lease_see(self->rig.fd).pinned_pages);
}

static bool neighbour_is_whole(FIXTURE_DATA(region) *self)
{
	return file_is(self->neighbour, self->at, self->len, NEIGHBOUR);
}

static bool holds_neighbour(const char *memory, size_t len)
{
	return memchr(memory, NEIGHBOUR, len);
}

/* No region of the context gets the keys of one that user space has not freed. */
static void keys_are_taken(struct __test_metadata *_metadata, FIXTURE_DATA(region) *self)
{
	struct ibv_mr *more[32];
	int i;

	for (i = 0; i < 32; i++) {
		ASSERT_EQ(0, mr_reg(&self->traffic.server, self->memory, PAGE, EVERYTHING & ~MR_FLUSH,
				    &more[i]));
		EXPECT_NE(self->mr->rkey >> 8, more[i]->rkey >> 8);
		EXPECT_NE(self->mr->lkey >> 8, more[i]->lkey >> 8);
	}
	while (i--)
		EXPECT_EQ(0, ibv_dereg_mr(more[i]));
}

/* What must hold after every test: but for the region, all is as before. */
static void only_the_region_died(struct __test_metadata *_metadata, FIXTURE_DATA(region) *self)
{
	keys_are_taken(_metadata, self);
	ASSERT_EQ(0, traffic_reconnect(&self->traffic));
	memset(self->local->addr, 'x', PAGE);
	EXPECT_EQ(0, wire_write(self->far, self->local, PAGE, (unsigned long)self->memory,
				self->other->rkey));
	EXPECT_EQ('x', self->memory[PAGE - 1]);
	EXPECT_EQ(0, wire_write(self->near, self->other, PAGE, (unsigned long)self->traffic.buf,
				self->local->rkey));
	EXPECT_EQ(0, ibv_dereg_mr(self->mr));
	self->mr = NULL;
	EXPECT_TRUE(neighbour_is_whole(self));
}

/* A write of a page through @rkey, and what it must not do. */
static void is_refused_to_the_client(struct __test_metadata *_metadata,
				     FIXTURE_DATA(region) *self, __u32 rkey)
{
	EXPECT_EQ(IBV_WC_REM_ACCESS_ERR,
		  wire_write(self->far, self->local, PAGE, (unsigned long)self->map, rkey));
	EXPECT_TRUE(neighbour_is_whole(self));
}

TEST_F_TIMEOUT(region, writes_and_reads_after_the_loss, 120)
{
	lose_file(_metadata, self, variant->dir);
	is_refused_to_the_client(_metadata, self, self->mr->rkey);
	ASSERT_EQ(0, traffic_reconnect(&self->traffic));
	EXPECT_EQ(IBV_WC_REM_ACCESS_ERR,
		  wire_read(self->far, self->local, PAGE, (unsigned long)self->map, self->mr->rkey));
	EXPECT_FALSE(holds_neighbour(self->traffic.buf, TRAFFIC_SIZE));
	only_the_region_died(_metadata, self);
}

/*
 * Memory windows
 */

static int bind_window(FIXTURE_DATA(region) *self, struct ibv_mw *mw)
{
	struct ibv_mw_bind_info info = {
		.mr = self->mr,
		.addr = (unsigned long)self->map,
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
		ret = ibv_bind_mw(self->near->qp, mw, &bind);
		return ret ? -ret : wire_wait(self->near);
	}
	ret = wire_do(self->near, &wr);
	if (!ret)
		mw->rkey = wr.bind_mw.rkey;
	return ret;
}

/* A window on the whole region, through which the client has written. */
static struct ibv_mw *used_window(struct __test_metadata *_metadata, FIXTURE_DATA(region) *self,
				  enum ibv_mw_type type)
{
	struct ibv_mw *mw = ibv_alloc_mw(self->traffic.server.pd, type);

	ASSERT_NE(NULL, mw);
	ASSERT_EQ(0, bind_window(self, mw));
	ASSERT_EQ(0, wire_write(self->far, self->local, PAGE, (unsigned long)self->map, mw->rkey));
	ASSERT_TRUE(file_is(self->rig.path, 0, PAGE, TRAFFIC_FILL));
	return mw;
}

TEST_F_TIMEOUT(region, a_window_of_type_1_dies_with_it, 120)
{
	struct ibv_mw *mw = used_window(_metadata, self, IBV_MW_TYPE_1);

	lose_file(_metadata, self, variant->dir);
	is_refused_to_the_client(_metadata, self, mw->rkey);
	EXPECT_EQ(0, ibv_dealloc_mw(mw));
	only_the_region_died(_metadata, self);
}

TEST_F_TIMEOUT(region, a_window_of_type_2_dies_with_it, 120)
{
	struct ibv_mw *mw = used_window(_metadata, self, IBV_MW_TYPE_2);

	lose_file(_metadata, self, variant->dir);
	is_refused_to_the_client(_metadata, self, mw->rkey);
	EXPECT_EQ(0, ibv_dealloc_mw(mw));
	only_the_region_died(_metadata, self);
}

/* A region with windows is never deregistered, revoked or not: C10-78. */
TEST_F_TIMEOUT(region, is_freed_after_its_window_only, 120)
{
	struct ibv_mw *mw = used_window(_metadata, self, IBV_MW_TYPE_1);

	lose_file(_metadata, self, variant->dir);
	EXPECT_EQ(EINVAL, ibv_dereg_mr(self->mr));
	is_refused_to_the_client(_metadata, self, mw->rkey);
	EXPECT_EQ(0, ibv_dealloc_mw(mw));
	only_the_region_died(_metadata, self);
}

TEST_F_TIMEOUT(region, a_window_can_still_be_invalidated, 120)
{
	struct ibv_mw *mw = used_window(_metadata, self, IBV_MW_TYPE_2);
	struct ibv_send_wr wr = { .opcode = IBV_WR_LOCAL_INV, .invalidate_rkey = mw->rkey };

	lose_file(_metadata, self, variant->dir);
	EXPECT_EQ(0, wire_do(self->near, &wr));
	is_refused_to_the_client(_metadata, self, mw->rkey);
	EXPECT_EQ(0, ibv_dealloc_mw(mw));
	only_the_region_died(_metadata, self);
}

/* It may bind, the region has its key still; what it binds has no memory. */
TEST_F_TIMEOUT(region, a_window_bound_afterwards_shows_nothing, 120)
{
	struct ibv_mw *mw = ibv_alloc_mw(self->traffic.server.pd, IBV_MW_TYPE_1);
	int ret;

	ASSERT_NE(NULL, mw);
	lose_file(_metadata, self, variant->dir);
	ret = bind_window(self, mw);
	if (ret)
		ASSERT_EQ(0, traffic_reconnect(&self->traffic));
	is_refused_to_the_client(_metadata, self, mw->rkey);
	EXPECT_EQ(0, ibv_dealloc_mw(mw));
	only_the_region_died(_metadata, self);
}

TEST_F_TIMEOUT(region, a_context_with_windows_can_be_closed, 120)
{
	used_window(_metadata, self, IBV_MW_TYPE_1);
	lose_file(_metadata, self, variant->dir);
	close(self->traffic.server.ctx->cmd_fd);
	EXPECT_NE(0, wire_write(self->far, self->local, PAGE, (unsigned long)self->map,
				self->mr->rkey));
	EXPECT_TRUE(neighbour_is_whole(self));
	self->mr = NULL;
	self->other = NULL;
}

/* The end of the buffer file takes the context down, windows and all. */
TEST_F_TIMEOUT(region, a_window_does_not_keep_a_closed_buffer, 120)
{
	char memory[PAGE];

	used_window(_metadata, self, IBV_MW_TYPE_1);
	ASSERT_EQ(0, munmap(self->map, RIG_SIZE));
	close(self->rig.fd);
	self->rig.fd = -1;
	EXPECT_NE(0, wire_write(self->far, self->local, PAGE, (unsigned long)self->map + MIB,
				self->mr->rkey));
	EXPECT_TRUE(file_is(self->rig.path, MIB, MIB, RIG_FILL));
	EXPECT_EQ(-EIO, mr_try(&self->traffic.server, memory, sizeof(memory), MR_SERVER));
	EXPECT_EQ(0, rig_other(&self->rig, do_truncate, 0, 0));
	self->mr = NULL;
	self->other = NULL;
}

TEST_F_TIMEOUT(region, cannot_be_invalidated_by_a_work_request, 120)
{
	struct ibv_send_wr wr = { .opcode = IBV_WR_LOCAL_INV, .invalidate_rkey = self->mr->rkey };

	lose_file(_metadata, self, variant->dir);
	EXPECT_FAILED(wire_do(self->near, &wr));
	only_the_region_died(_metadata, self);
}

/*
 * Messages
 */

static int client_sends(FIXTURE_DATA(region) *self, enum ibv_wr_opcode opcode, __u32 invalidate)
{
	struct ibv_sge sge = {
		.addr = (unsigned long)self->traffic.buf,
		.length = PAGE,
		.lkey = self->local->lkey,
	};
	struct ibv_send_wr wr = {
		.opcode = opcode,
		.sg_list = &sge,
		.num_sge = 1,
		.invalidate_rkey = invalidate,
	};

	return wire_do(self->far, &wr);
}

TEST_F_TIMEOUT(region, a_message_does_not_arrive_in_a_posted_receive, 120)
{
	ASSERT_EQ(0, wire_receive(self->near, self->mr, RIG_SIZE));
	lose_file(_metadata, self, variant->dir);
	EXPECT_FAILED(client_sends(self, IBV_WR_SEND, 0));
	EXPECT_FAILED(wire_wait(self->near));
	only_the_region_died(_metadata, self);
}

TEST_F_TIMEOUT(region, receives_in_other_memory_go_on, 120)
{
	ASSERT_EQ(0, wire_receive(self->near, self->other, MIB));
	ASSERT_EQ(0, wire_receive(self->near, self->mr, RIG_SIZE));
	lose_file(_metadata, self, variant->dir);
	EXPECT_EQ(0, client_sends(self, IBV_WR_SEND, 0));
	EXPECT_EQ(0, wire_wait(self->near));
	EXPECT_EQ(TRAFFIC_FILL, self->memory[PAGE - 1]);
	EXPECT_FAILED(client_sends(self, IBV_WR_SEND, 0));
	EXPECT_FAILED(wire_wait(self->near));
	only_the_region_died(_metadata, self);
}

TEST_F_TIMEOUT(region, a_message_that_invalidates_its_key_is_an_error, 120)
{
	ASSERT_EQ(0, wire_receive(self->near, self->other, MIB));
	lose_file(_metadata, self, variant->dir);
	EXPECT_FAILED(client_sends(self, IBV_WR_SEND_WITH_INV, self->mr->rkey));
	only_the_region_died(_metadata, self);
}

static int server_sends(FIXTURE_DATA(region) *self, void *addr, size_t len, unsigned int flags)
{
	struct ibv_sge sge = {
		.addr = (unsigned long)addr,
		.length = len,
		.lkey = self->mr->lkey,
	};
	struct ibv_send_wr wr = {
		.opcode = IBV_WR_SEND,
		.sg_list = &sge,
		.num_sge = 1,
		.send_flags = flags,
	};

	return wire_post(self->near, &wr);
}

TEST_F_TIMEOUT(region, what_it_had_is_not_sent, 120)
{
	ASSERT_EQ(0, wire_receive(self->far, self->local, MIB));
	lose_file(_metadata, self, variant->dir);
	ASSERT_EQ(0, server_sends(self, self->map, PAGE, 0));
	EXPECT_FAILED(wire_wait(self->near));
	EXPECT_FALSE(holds_neighbour(self->traffic.buf, TRAFFIC_SIZE));
	only_the_region_died(_metadata, self);
}

/* The receiver is not ready, and is asked again two thirds of a second later. */
TEST_F_TIMEOUT(region, a_message_that_waits_for_its_receiver_dies_with_it, 120)
{
	struct ibv_qp_attr slow = { .min_rnr_timer = 0 };

	ASSERT_EQ(0, ibv_modify_qp(self->far->qp, &slow, IBV_QP_MIN_RNR_TIMER));
	ASSERT_EQ(0, server_sends(self, self->map, PAGE, 0));
	usleep(100000);
	lose_file(_metadata, self, variant->dir);
	ASSERT_EQ(0, wire_receive(self->far, self->local, MIB));
	EXPECT_FAILED(wire_wait(self->near));
	EXPECT_FALSE(holds_neighbour(self->traffic.buf, TRAFFIC_SIZE));
	only_the_region_died(_metadata, self);
}

/* Inline data was copied when it was posted, its key is not even looked at. */
TEST_F_TIMEOUT(region, an_inline_message_needs_no_region, 120)
{
	char text[WIRE_INLINE];

	memset(text, 'i', sizeof(text));
	ASSERT_EQ(0, wire_receive(self->far, self->local, MIB));
	lose_file(_metadata, self, variant->dir);
	ASSERT_EQ(0, server_sends(self, text, sizeof(text), IBV_SEND_INLINE));
	EXPECT_EQ(0, wire_wait(self->near));
	EXPECT_EQ(0, wire_wait(self->far));
	EXPECT_EQ('i', self->traffic.buf[sizeof(text) - 1]);
	only_the_region_died(_metadata, self);
}

/*
 * Reads in progress, and replays
 */

struct long_read {
	struct ibv_mr *mr;
	char *into;
};

/* All of the file; back when its first bytes are here. */
static void begin_long_read(struct __test_metadata *_metadata, FIXTURE_DATA(region) *self,
			    struct long_read *read)
{
	const int prot = PROT_READ | PROT_WRITE, flags = MAP_PRIVATE | MAP_ANONYMOUS;
	struct ibv_sge sge = { .length = RIG_SIZE };
	struct ibv_send_wr wr = {
		.opcode = IBV_WR_RDMA_READ,
		.sg_list = &sge,
		.num_sge = 1,
		.wr.rdma = { .remote_addr = (unsigned long)self->map, .rkey = self->mr->rkey },
	};

	read->into = mmap(NULL, RIG_SIZE, prot, flags, -1, 0);
	ASSERT_NE(MAP_FAILED, read->into);
	ASSERT_EQ(0, mr_reg(&self->traffic.client, read->into, RIG_SIZE, MR_SERVER, &read->mr));
	sge.addr = (unsigned long)read->into;
	sge.lkey = read->mr->lkey;
	ASSERT_EQ(0, wire_post(self->far, &wr));
	while (*(volatile char *)read->into != RIG_FILL)
		usleep(10);
}

static void end_long_read(struct long_read *read)
{
	ibv_dereg_mr(read->mr);
	munmap(read->into, RIG_SIZE);
}

TEST_F_TIMEOUT(region, a_read_in_progress_ends_with_a_remote_access_error, 180)
{
	struct long_read read;

	begin_long_read(_metadata, self, &read);
	ASSERT_EQ(0, lease_revoke(self->rig.fd, 0));
	EXPECT_EQ(IBV_WC_REM_ACCESS_ERR, wire_wait(self->far));
	/* it was in progress: the end never came */
	EXPECT_EQ(0, read.into[RIG_SIZE - 1]);
	lose_file(_metadata, self, variant->dir);
	EXPECT_FALSE(holds_neighbour(read.into, RIG_SIZE));
	end_long_read(&read);
	only_the_region_died(_metadata, self);
}

TEST_F_TIMEOUT(region, a_read_in_progress_reads_nothing_of_the_blocks_next_owner, 180)
{
	struct long_read read;

	begin_long_read(_metadata, self, &read);
	lose_file(_metadata, self, variant->dir);
	EXPECT_FAILED(wire_wait(self->far));
	EXPECT_FALSE(holds_neighbour(read.into, RIG_SIZE));
	end_long_read(&read);
	only_the_region_died(_metadata, self);
}

/* The client's side of a read: its own file is lost while data arrives. */
TEST_F_TIMEOUT(region, a_read_into_it_in_progress_stops, 180)
{
	struct ibv_mr *source;
	struct ibv_sge sge = {
		.addr = (unsigned long)self->map,
		.length = RIG_SIZE,
		.lkey = self->mr->lkey,
	};
	struct ibv_send_wr wr = { .opcode = IBV_WR_RDMA_READ, .sg_list = &sge, .num_sge = 1 };
	char *from = mmap(NULL, RIG_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			  -1, 0);

	ASSERT_NE(MAP_FAILED, from);
	memset(from, 'f', RIG_SIZE);
	ASSERT_EQ(0, mr_reg(&self->traffic.client, from, RIG_SIZE, MR_SERVER, &source));
	wr.wr.rdma.remote_addr = (unsigned long)from;
	wr.wr.rdma.rkey = source->rkey;
	ASSERT_EQ(0, wire_post(self->near, &wr));
	while (*(volatile char *)self->map != 'f')
		usleep(10);
	lose_file(_metadata, self, variant->dir);
	EXPECT_FAILED(wire_wait(self->near));
	EXPECT_TRUE(neighbour_is_whole(self));
	EXPECT_EQ(0, ibv_dereg_mr(source));
	munmap(from, RIG_SIZE);
	only_the_region_died(_metadata, self);
}

/*
 * A second client that claims to be the first and asks the same again, from the
 * first sequence number on: the server takes it for a duplicate.
 */
static int begin_replay(FIXTURE_DATA(region) *self, struct wire *again, struct ibv_send_wr *wr)
{
	struct wire_address near = wire_address(self->near, &self->traffic.server);
	int ret = wire_open(again, &self->traffic.client);

	if (!ret)
		ret = wire_connect(again, &self->traffic.client, &near);
	return ret ? ret : wire_post(again, wr);
}

/* Wait until the server's end has stopped; false if it goes on. */
static bool server_stops(FIXTURE_DATA(region) *self)
{
	unsigned long end = now_ms() + QUICK;

	while (now_ms() < end && wire_state(self->near) != IBV_QPS_ERR)
		usleep(1000);
	return wire_state(self->near) == IBV_QPS_ERR;
}

TEST_F_TIMEOUT(region, a_read_is_not_replayed, 120)
{
	struct ibv_sge sge = {
		.addr = (unsigned long)self->traffic.buf,
		.length = PAGE,
		.lkey = self->local->lkey,
	};
	struct ibv_send_wr wr = {
		.opcode = IBV_WR_RDMA_READ,
		.sg_list = &sge,
		.num_sge = 1,
		.wr.rdma = { .remote_addr = (unsigned long)self->map, .rkey = self->mr->rkey },
	};
	struct wire again;

	ASSERT_EQ(0, wire_do(self->far, &wr));
	EXPECT_EQ(RIG_FILL, self->traffic.buf[0]);
	lose_file(_metadata, self, variant->dir);
	ASSERT_EQ(0, begin_replay(self, &again, &wr));
	EXPECT_TRUE(server_stops(self));
	EXPECT_FALSE(holds_neighbour(self->traffic.buf, TRAFFIC_SIZE));
	wire_close(&again);
	only_the_region_died(_metadata, self);
}

/*
 * Atomic operations, atomic writes, flushes
 */

static struct ibv_send_wr atomic_wr(FIXTURE_DATA(region) *self, struct ibv_sge *sge,
				    enum ibv_wr_opcode opcode, __u64 compare_add, __u64 swap)
{
	struct ibv_send_wr wr = {
		.opcode = opcode,
		.sg_list = sge,
		.num_sge = 1,
	};

	sge->addr = (unsigned long)self->traffic.buf;
	sge->length = WORD;
	sge->lkey = self->local->lkey;
	if (opcode == IBV_WR_ATOMIC_WRITE) {
		wr.wr.rdma.remote_addr = (unsigned long)self->map;
		wr.wr.rdma.rkey = self->mr->rkey;
	} else {
		wr.wr.atomic.remote_addr = (unsigned long)self->map;
		wr.wr.atomic.rkey = self->mr->rkey;
		wr.wr.atomic.compare_add = compare_add;
		wr.wr.atomic.swap = swap;
	}
	return wr;
}

static __u64 word_of(char byte)
{
	__u64 word;

	memset(&word, byte, sizeof(word));
	return word;
}

/* It works, and after the loss it does not. */
static void atomic_dies(struct __test_metadata *_metadata, FIXTURE_DATA(region) *self,
			const char *dir, struct ibv_send_wr *wr)
{
	ASSERT_EQ(0, wire_do(self->far, wr));
	EXPECT_NE(word_of(RIG_FILL), *(volatile __u64 *)self->map);
	lose_file(_metadata, self, dir);
	memset(self->traffic.buf, 'x', WORD);
	EXPECT_EQ(IBV_WC_REM_ACCESS_ERR, wire_do(self->far, wr));
	EXPECT_FALSE(holds_neighbour(self->traffic.buf, TRAFFIC_SIZE));
	only_the_region_died(_metadata, self);
}

TEST_F_TIMEOUT(region, a_comparison_and_swap_is_refused, 120)
{
	struct ibv_sge sge;
	struct ibv_send_wr wr = atomic_wr(self, &sge, IBV_WR_ATOMIC_CMP_AND_SWP,
					  word_of(RIG_FILL), 1);

	atomic_dies(_metadata, self, variant->dir, &wr);
}

TEST_F_TIMEOUT(region, an_atomic_addition_is_refused, 120)
{
	struct ibv_sge sge;
	struct ibv_send_wr wr = atomic_wr(self, &sge, IBV_WR_ATOMIC_FETCH_AND_ADD, 1, 0);

	atomic_dies(_metadata, self, variant->dir, &wr);
}

TEST_F_TIMEOUT(region, an_atomic_write_is_refused, 120)
{
	struct ibv_sge sge;
	struct ibv_send_wr wr = atomic_wr(self, &sge, IBV_WR_ATOMIC_WRITE, 0, 0);

	atomic_dies(_metadata, self, variant->dir, &wr);
}

/* A replay tells what was, from the server's notes: no memory is touched. */
static void replay_touches_nothing(struct __test_metadata *_metadata, FIXTURE_DATA(region) *self,
				   const char *dir, struct ibv_send_wr *wr)
{
	struct wire again;

	ASSERT_EQ(0, wire_do(self->far, wr));
	lose_file(_metadata, self, dir);
	ASSERT_EQ(0, begin_replay(self, &again, wr));
	EXPECT_FALSE(server_stops(self));
	EXPECT_TRUE(neighbour_is_whole(self));
	wire_close(&again);
	only_the_region_died(_metadata, self);
}

TEST_F_TIMEOUT(region, an_atomic_addition_is_not_done_again, 120)
{
	struct ibv_sge sge;
	struct ibv_send_wr wr = atomic_wr(self, &sge, IBV_WR_ATOMIC_FETCH_AND_ADD, 1, 0);

	replay_touches_nothing(_metadata, self, variant->dir, &wr);
}

TEST_F_TIMEOUT(region, an_atomic_write_is_not_done_again, 120)
{
	struct ibv_sge sge;
	struct ibv_send_wr wr = atomic_wr(self, &sge, IBV_WR_ATOMIC_WRITE, 0, 0);

	replay_touches_nothing(_metadata, self, variant->dir, &wr);
}

TEST_F_TIMEOUT(region, a_flush_of_a_range_is_refused, 120)
{
	EXPECT_EQ(0, wire_flush(self->far, self->mr, MIB, FLUSH_RANGE));
	lose_file(_metadata, self, variant->dir);
	ASSERT_EQ(0, traffic_reconnect(&self->traffic));
	EXPECT_EQ(IBV_WC_REM_ACCESS_ERR,
		  wire_flush(self->far, self->mr, MIB, FLUSH_RANGE));
	only_the_region_died(_metadata, self);
}

TEST_F_TIMEOUT(region, a_flush_of_all_of_it_is_refused, 120)
{
	EXPECT_EQ(0, wire_flush(self->far, self->mr, 0, FLUSH_REGION));
	lose_file(_metadata, self, variant->dir);
	ASSERT_EQ(0, traffic_reconnect(&self->traffic));
	EXPECT_EQ(IBV_WC_REM_ACCESS_ERR,
		  wire_flush(self->far, self->mr, 0, FLUSH_REGION));
	only_the_region_died(_metadata, self);
}

TEST_HARNESS_MAIN
