// SPDX-License-Identifier: GPL-2.0
/*
 * A file is taken from under a memory region, whatever is under way on it:
 * nothing arrives in the file's old blocks, which are another file's by then,
 * and nothing of them is read.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "kselftest_harness.h"
#include "lib/rdma_flush.h"
#include "lib/region.h"

#define WORD	8ULL	/* bytes of an atomic operation */

/* rxe reports no more of some errors than that the operation failed. */
#define EXPECT_FAILED(status)	EXPECT_LT(IBV_WC_SUCCESS, status)

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

TEST_F_TIMEOUT(region, writes_and_reads_after_the_loss, 120)
{
	struct region *r = &self->region;

	ASSERT_EQ(0, region_lose(r));
	EXPECT_EQ(IBV_WC_REM_ACCESS_ERR, traffic_write(&r->traffic, r->mr, PAGE, 0));
	ASSERT_EQ(0, traffic_reconnect(&r->traffic));
	EXPECT_EQ(IBV_WC_REM_ACCESS_ERR,
		  wire_read(r->far, r->local, PAGE, (unsigned long)r->map, r->mr->rkey));
	EXPECT_FALSE(region_seen(r->traffic.buf, TRAFFIC_SIZE));
	EXPECT_STREQ("", region_damage(r));
}

TEST_F_TIMEOUT(region, cannot_be_invalidated_by_a_work_request, 120)
{
	struct region *r = &self->region;
	struct ibv_send_wr wr = { .opcode = IBV_WR_LOCAL_INV, .invalidate_rkey = r->mr->rkey };

	ASSERT_EQ(0, region_lose(r));
	EXPECT_FAILED(wire_do(r->near, &wr));
	EXPECT_STREQ("", region_damage(r));
}

/*
 * Messages
 */

static int client_sends(struct region *r, enum ibv_wr_opcode opcode, __u32 invalidate)
{
	struct ibv_sge sge = {
		.addr = (unsigned long)r->traffic.buf,
		.length = PAGE,
		.lkey = r->local->lkey,
	};
	struct ibv_send_wr wr = {
		.opcode = opcode,
		.sg_list = &sge,
		.num_sge = 1,
		.invalidate_rkey = invalidate,
	};

	return wire_do(r->far, &wr);
}

TEST_F_TIMEOUT(region, a_message_does_not_arrive_in_a_posted_receive, 120)
{
	struct region *r = &self->region;

	ASSERT_EQ(0, wire_receive(r->near, r->mr, RIG_SIZE));
	ASSERT_EQ(0, region_lose(r));
	EXPECT_FAILED(client_sends(r, IBV_WR_SEND, 0));
	EXPECT_FAILED(wire_wait(r->near, WIRE_MS));
	EXPECT_STREQ("", region_damage(r));
}

TEST_F_TIMEOUT(region, receives_in_other_memory_go_on, 120)
{
	struct region *r = &self->region;

	ASSERT_EQ(0, wire_receive(r->near, r->other, MIB));
	ASSERT_EQ(0, wire_receive(r->near, r->mr, RIG_SIZE));
	ASSERT_EQ(0, region_lose(r));
	EXPECT_EQ(0, client_sends(r, IBV_WR_SEND, 0));
	EXPECT_EQ(0, wire_wait(r->near, WIRE_MS));
	EXPECT_EQ(TRAFFIC_FILL, r->memory[PAGE - 1]);
	EXPECT_FAILED(client_sends(r, IBV_WR_SEND, 0));
	EXPECT_FAILED(wire_wait(r->near, WIRE_MS));
	EXPECT_STREQ("", region_damage(r));
}

/* The sender may not hear of it: the message itself has arrived. */
TEST_F_TIMEOUT(region, a_message_that_invalidates_its_key_is_an_error, 120)
{
	struct region *r = &self->region;

	ASSERT_EQ(0, wire_receive(r->near, r->other, MIB));
	ASSERT_EQ(0, region_lose(r));
	EXPECT_LE(0, client_sends(r, IBV_WR_SEND_WITH_INV, r->mr->rkey));
	EXPECT_FAILED(wire_wait(r->near, WIRE_MS));
	EXPECT_STREQ("", region_damage(r));
}

static int server_sends(struct region *r, void *addr, size_t len, unsigned int flags)
{
	struct ibv_sge sge = {
		.addr = (unsigned long)addr,
		.length = len,
		.lkey = r->mr->lkey,
	};
	struct ibv_send_wr wr = {
		.opcode = IBV_WR_SEND,
		.sg_list = &sge,
		.num_sge = 1,
		.send_flags = flags,
	};

	return wire_post(r->near, &wr);
}

TEST_F_TIMEOUT(region, what_it_had_is_not_sent, 120)
{
	struct region *r = &self->region;

	ASSERT_EQ(0, wire_receive(r->far, r->local, MIB));
	ASSERT_EQ(0, region_lose(r));
	ASSERT_EQ(0, server_sends(r, r->map, PAGE, 0));
	EXPECT_FAILED(wire_wait(r->near, WIRE_MS));
	EXPECT_FALSE(region_seen(r->traffic.buf, TRAFFIC_SIZE));
	EXPECT_STREQ("", region_damage(r));
}

/* The receiver is not ready, and is asked again two thirds of a second later. */
TEST_F_TIMEOUT(region, a_message_that_waits_for_its_receiver_dies_with_it, 120)
{
	struct region *r = &self->region;
	struct ibv_qp_attr slow = { .min_rnr_timer = 0 };

	ASSERT_EQ(0, ibv_modify_qp(r->far->qp, &slow, IBV_QP_MIN_RNR_TIMER));
	ASSERT_EQ(0, server_sends(r, r->map, PAGE, 0));
	usleep(100000);
	ASSERT_EQ(0, region_lose(r));
	ASSERT_EQ(0, wire_receive(r->far, r->local, MIB));
	EXPECT_FAILED(wire_wait(r->near, WIRE_MS));
	EXPECT_FALSE(region_seen(r->traffic.buf, TRAFFIC_SIZE));
	EXPECT_STREQ("", region_damage(r));
}

/* Inline data was copied when it was posted, its key is not even looked at. */
TEST_F_TIMEOUT(region, an_inline_message_needs_no_region, 120)
{
	struct region *r = &self->region;
	char text[WIRE_INLINE];

	memset(text, 'i', sizeof(text));
	ASSERT_EQ(0, wire_receive(r->far, r->local, MIB));
	ASSERT_EQ(0, region_lose(r));
	ASSERT_EQ(0, server_sends(r, text, sizeof(text), IBV_SEND_INLINE));
	EXPECT_EQ(0, wire_wait(r->near, WIRE_MS));
	EXPECT_EQ(0, wire_wait(r->far, WIRE_MS));
	EXPECT_EQ('i', r->traffic.buf[sizeof(text) - 1]);
	EXPECT_STREQ("", region_damage(r));
}

/*
 * Reads in progress, and replays
 */

struct long_read {
	struct ibv_mr *mr;
	char *into;
};

/* All of the file; back when its first bytes are here. */
static void begin_long_read(struct __test_metadata *_metadata, struct region *r,
			    struct long_read *read)
{
	const int prot = PROT_READ | PROT_WRITE, flags = MAP_PRIVATE | MAP_ANONYMOUS;
	struct ibv_sge sge = { .length = RIG_SIZE };
	struct ibv_send_wr wr = {
		.opcode = IBV_WR_RDMA_READ,
		.sg_list = &sge,
		.num_sge = 1,
		.wr.rdma = { .remote_addr = (unsigned long)r->map, .rkey = r->mr->rkey },
	};

	read->into = mmap(NULL, RIG_SIZE, prot, flags, -1, 0);
	ASSERT_NE(MAP_FAILED, read->into);
	ASSERT_EQ(0, mr_reg(&r->traffic.client, read->into, RIG_SIZE, MR_SERVER, &read->mr));
	sge.addr = (unsigned long)read->into;
	sge.lkey = read->mr->lkey;
	ASSERT_EQ(0, wire_post(r->far, &wr));
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
	struct region *r = &self->region;
	struct long_read read;

	begin_long_read(_metadata, r, &read);
	ASSERT_EQ(0, lease_revoke(r->rig.fd, 0));
	EXPECT_EQ(IBV_WC_REM_ACCESS_ERR, wire_wait(r->far, WIRE_MS));
	/* it was in progress: the end never came */
	EXPECT_EQ(0, read.into[RIG_SIZE - 1]);
	ASSERT_EQ(0, region_lose(r));
	EXPECT_FALSE(region_seen(read.into, RIG_SIZE));
	end_long_read(&read);
	EXPECT_STREQ("", region_damage(r));
}

TEST_F_TIMEOUT(region, a_read_in_progress_reads_nothing_of_the_blocks_next_owner, 180)
{
	struct region *r = &self->region;
	struct long_read read;

	begin_long_read(_metadata, r, &read);
	ASSERT_EQ(0, region_lose(r));
	EXPECT_FAILED(wire_wait(r->far, WIRE_MS));
	EXPECT_FALSE(region_seen(read.into, RIG_SIZE));
	end_long_read(&read);
	EXPECT_STREQ("", region_damage(r));
}

/* The client's side of a read: its own file is lost while data arrives. */
TEST_F_TIMEOUT(region, a_read_into_it_in_progress_stops, 180)
{
	struct region *r = &self->region;
	struct ibv_mr *source;
	struct ibv_sge sge = {
		.addr = (unsigned long)r->map,
		.length = RIG_SIZE,
		.lkey = r->mr->lkey,
	};
	struct ibv_send_wr wr = { .opcode = IBV_WR_RDMA_READ, .sg_list = &sge, .num_sge = 1 };
	char *from = mmap(NULL, RIG_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			  -1, 0);

	ASSERT_NE(MAP_FAILED, from);
	memset(from, 'f', RIG_SIZE);
	ASSERT_EQ(0, mr_reg(&r->traffic.client, from, RIG_SIZE, MR_SERVER, &source));
	wr.wr.rdma.remote_addr = (unsigned long)from;
	wr.wr.rdma.rkey = source->rkey;
	ASSERT_EQ(0, wire_post(r->near, &wr));
	while (*(volatile char *)r->map != 'f')
		usleep(10);
	ASSERT_EQ(0, region_lose(r));
	EXPECT_FAILED(wire_wait(r->near, WIRE_MS));
	EXPECT_TRUE(region_spared(r));
	EXPECT_EQ(0, ibv_dereg_mr(source));
	munmap(from, RIG_SIZE);
	EXPECT_STREQ("", region_damage(r));
}

/*
 * A second client that claims to be the first and asks the same again, from the
 * first sequence number on: the server takes it for a duplicate.
 */
static int open_replay(struct region *r, struct wire *again)
{
	struct wire_address near = wire_address(r->near, &r->traffic.server);
	int ret = wire_open(again, &r->traffic.client);

	return ret ? ret : wire_connect(again, &r->traffic.client, &near);
}

/* How many requests soft-RoCE has taken for duplicates so far. */
static long duplicates(void)
{
	FILE *file = fopen("/sys/class/infiniband/" ENV_RXE "/ports/1/hw_counters/duplicate_request",
			   "r");
	long count = -1;

	if (!file)
		return -errno;
	if (fscanf(file, "%ld", &count) != 1)
		count = -1;
	fclose(file);
	return count;
}

/* Wait for one more than there were: the file shows them with some delay. */
static bool duplicates_more_than(long before)
{
	unsigned long end = now_ms() + QUICK;

	while (now_ms() < end && duplicates() <= before)
		usleep(5000);
	return duplicates() > before;
}

/* Wait until the server's end has stopped; false if it goes on. */
static bool server_stops(struct region *r)
{
	unsigned long end = now_ms() + QUICK;

	while (now_ms() < end && wire_state(r->near) != IBV_QPS_ERR)
		usleep(1000);
	return wire_state(r->near) == IBV_QPS_ERR;
}

TEST_F_TIMEOUT(region, a_read_is_not_replayed, 120)
{
	struct region *r = &self->region;
	struct ibv_sge sge = {
		.addr = (unsigned long)r->traffic.buf,
		.length = PAGE,
		.lkey = r->local->lkey,
	};
	struct ibv_send_wr wr = {
		.opcode = IBV_WR_RDMA_READ,
		.sg_list = &sge,
		.num_sge = 1,
		.wr.rdma = { .remote_addr = (unsigned long)r->map, .rkey = r->mr->rkey },
	};
	struct wire again;
	long before;

	ASSERT_EQ(0, wire_do(r->far, &wr));
	EXPECT_EQ(RIG_FILL, r->traffic.buf[0]);
	ASSERT_EQ(0, region_lose(r));
	before = duplicates();
	ASSERT_LE(0, before);
	ASSERT_EQ(0, open_replay(r, &again));
	ASSERT_EQ(0, wire_post(&again, &wr));
	EXPECT_TRUE(server_stops(r));
	EXPECT_TRUE(duplicates_more_than(before));
	EXPECT_FALSE(region_seen(r->traffic.buf, TRAFFIC_SIZE));
	wire_close(&again);
	EXPECT_STREQ("", region_damage(r));
}

/*
 * Atomic operations, atomic writes, flushes
 */

static __u64 word_of(char byte)
{
	__u64 word;

	memset(&word, byte, sizeof(word));
	return word;
}

/* On the first word of the file; the library has functions of its own for atomic writes. */
static int atomic(struct region *r, struct wire *wire, enum ibv_wr_opcode opcode)
{
	struct ibv_sge sge = {
		.addr = (unsigned long)r->traffic.buf,
		.length = WORD,
		.lkey = r->local->lkey,
	};
	struct ibv_send_wr wr = {
		.opcode = opcode,
		.sg_list = &sge,
		.num_sge = 1,
		.wr.atomic = {
			.remote_addr = (unsigned long)r->map,
			.rkey = r->mr->rkey,
			.compare_add = opcode == IBV_WR_ATOMIC_CMP_AND_SWP ? word_of(RIG_FILL) : 1,
			.swap = 1,
		},
	};

	if (opcode == IBV_WR_ATOMIC_WRITE)
		return wire_post_word(wire, 1, (unsigned long)r->map, r->mr->rkey);
	return wire_post(wire, &wr);
}

/* It works, and after the loss it does not. */
static void atomic_dies(struct __test_metadata *_metadata, struct region *r,
			enum ibv_wr_opcode opcode)
{
	ASSERT_EQ(0, atomic(r, r->far, opcode));
	ASSERT_EQ(0, wire_wait(r->far, WIRE_MS));
	EXPECT_NE(word_of(RIG_FILL), *(volatile __u64 *)r->map);
	ASSERT_EQ(0, region_lose(r));
	memset(r->traffic.buf, 'x', WORD);
	ASSERT_EQ(0, atomic(r, r->far, opcode));
	EXPECT_EQ(IBV_WC_REM_ACCESS_ERR, wire_wait(r->far, WIRE_MS));
	EXPECT_FALSE(region_seen(r->traffic.buf, TRAFFIC_SIZE));
	EXPECT_STREQ("", region_damage(r));
}

TEST_F_TIMEOUT(region, a_comparison_and_swap_is_refused, 120)
{
	atomic_dies(_metadata, &self->region, IBV_WR_ATOMIC_CMP_AND_SWP);
}

TEST_F_TIMEOUT(region, an_atomic_addition_is_refused, 120)
{
	atomic_dies(_metadata, &self->region, IBV_WR_ATOMIC_FETCH_AND_ADD);
}

TEST_F_TIMEOUT(region, an_atomic_write_is_refused, 120)
{
	atomic_dies(_metadata, &self->region, IBV_WR_ATOMIC_WRITE);
}

/* A replay tells what was, from the server's notes: no memory is touched. */
static void replay_touches_nothing(struct __test_metadata *_metadata, struct region *r,
				   enum ibv_wr_opcode opcode)
{
	struct wire again;
	long before;

	ASSERT_EQ(0, atomic(r, r->far, opcode));
	ASSERT_EQ(0, wire_wait(r->far, WIRE_MS));
	ASSERT_EQ(0, region_lose(r));
	before = duplicates();
	ASSERT_LE(0, before);
	ASSERT_EQ(0, open_replay(r, &again));
	ASSERT_EQ(0, atomic(r, &again, opcode));
	EXPECT_FALSE(server_stops(r));
	EXPECT_TRUE(duplicates_more_than(before));
	EXPECT_TRUE(region_spared(r));
	wire_close(&again);
	EXPECT_STREQ("", region_damage(r));
}

TEST_F_TIMEOUT(region, an_atomic_addition_is_not_done_again, 120)
{
	replay_touches_nothing(_metadata, &self->region, IBV_WR_ATOMIC_FETCH_AND_ADD);
}

TEST_F_TIMEOUT(region, an_atomic_write_is_not_done_again, 120)
{
	replay_touches_nothing(_metadata, &self->region, IBV_WR_ATOMIC_WRITE);
}

TEST_F_TIMEOUT(region, a_flush_of_a_range_is_refused, 120)
{
	struct region *r = &self->region;

	EXPECT_EQ(0, wire_flush(r->far, r->mr, MIB, FLUSH_RANGE));
	ASSERT_EQ(0, region_lose(r));
	ASSERT_EQ(0, traffic_reconnect(&r->traffic));
	EXPECT_EQ(IBV_WC_REM_ACCESS_ERR,
		  wire_flush(r->far, r->mr, MIB, FLUSH_RANGE));
	EXPECT_STREQ("", region_damage(r));
}

TEST_F_TIMEOUT(region, a_flush_of_all_of_it_is_refused, 120)
{
	struct region *r = &self->region;

	EXPECT_EQ(0, wire_flush(r->far, r->mr, 0, FLUSH_REGION));
	ASSERT_EQ(0, region_lose(r));
	ASSERT_EQ(0, traffic_reconnect(&r->traffic));
	EXPECT_EQ(IBV_WC_REM_ACCESS_ERR,
		  wire_flush(r->far, r->mr, 0, FLUSH_REGION));
	EXPECT_STREQ("", region_damage(r));
}

TEST_HARNESS_MAIN
