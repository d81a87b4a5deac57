// SPDX-License-Identifier: GPL-2.0
/*
 * RDMA flushes; see rdma_flush.h.  The send queue of soft-RoCE is memory shared
 * with the kernel.  It is found by a work request that the library put there,
 * and the flush is written behind that.
 */
#include <errno.h>
#include <rdma/rdma_user_rxe.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "rdma_flush.h"
#include "uverbs.h"

static struct rxe_send_wqe *queue_slot(struct rxe_queue_buf *queue, __u32 index)
{
	return (void *)(queue->data + ((size_t)(index & queue->index_mask) << queue->log2_elem_size));
}

/* The slots of a completion queue begin with the same number, but tell another opcode. */
static bool queue_holds(struct rxe_queue_buf *queue, size_t size, __u64 wr_id)
{
	struct rxe_send_wqe *wqe;
	__u32 i;

	for (i = 0; i <= queue->index_mask; i++) {
		wqe = queue_slot(queue, i);
		if ((char *)wqe + sizeof(wqe->wr) > (char *)queue + size)
			return false;
		if (wqe->wr.wr_id == wr_id && wqe->wr.opcode == IBV_WR_RDMA_WRITE)
			return true;
	}
	return false;
}

static struct rxe_queue_buf *find_queue(__u64 wr_id)
{
	struct rxe_queue_buf *found = NULL;
	FILE *maps = fopen("/proc/self/maps", "r");
	unsigned long start, end;
	char line[512];

	while (maps && !found && fgets(line, sizeof(line), maps)) {
		if (!strstr(line, "/dev/infiniband/uverbs") ||
		    sscanf(line, "%lx-%lx", &start, &end) != 2)
			continue;
		if (queue_holds((void *)start, end - start, wr_id))
			found = (void *)start;
	}
	if (maps)
		fclose(maps);
	return found;
}

/* Leave a mark by a write of nothing, and look where it is. */
static struct rxe_queue_buf *send_queue(struct wire *wire)
{
	static __u64 mark = 0x666c757368000000;
	struct ibv_send_wr wr = { .wr_id = ++mark, .opcode = IBV_WR_RDMA_WRITE };

	return wire_do(wire, &wr) ? NULL : find_queue(mark);
}

static int ring(struct wire *wire)
{
	struct ib_uverbs_post_send in = {
		.qp_handle = wire->qp->handle,
		.wqe_size = sizeof(struct ib_uverbs_send_wr),
	};
	struct ib_uverbs_post_send_resp out;

	return uverbs_write(wire->qp->context, IB_USER_VERBS_CMD_POST_SEND, &in, sizeof(in), &out,
			    sizeof(out));
}

int wire_flush(struct wire *wire, struct ibv_mr *mr, size_t len, enum flush_level level)
{
	struct rxe_queue_buf *queue = send_queue(wire);
	struct rxe_send_wqe *wqe;
	int ret;

	if (!queue)
		return -ENOENT;
	wqe = queue_slot(queue, queue->producer_index);
	memset(wqe, 0, sizeof(*wqe));
	wqe->wr.opcode = IB_UVERBS_WR_FLUSH;
	wqe->wr.send_flags = IBV_SEND_SIGNALED;
	wqe->wr.wr.flush.remote_addr = (unsigned long)mr->addr;
	wqe->wr.wr.flush.length = len;
	wqe->wr.wr.flush.rkey = mr->rkey;
	wqe->wr.wr.flush.type = IB_FLUSH_GLOBAL;
	wqe->wr.wr.flush.level = level;
	wqe->iova = (unsigned long)mr->addr;
	wqe->dma.length = len;
	wqe->dma.resid = len;
	__atomic_store_n(&queue->producer_index,
			 (queue->producer_index + 1) & queue->index_mask, __ATOMIC_SEQ_CST);
	ret = ring(wire);
	return ret ? ret : wire_wait(wire, WIRE_MS);
}
