// SPDX-License-Identifier: GPL-2.0
/* Contexts, memory regions and connections; see rdma.h. */
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "../env.h"
#include "peer.h"
#include "rdma.h"

#define PORT	1

/* Verbs return either an errno or -1 with errno set. */
static int verb(int ret)
{
	return ret > 0 ? -ret : ret < 0 ? -errno : 0;
}

static struct ibv_context *open_device(const char *name)
{
	struct ibv_device **list = ibv_get_device_list(NULL);
	struct ibv_context *ctx = NULL;
	int i;

	for (i = 0; list && list[i] && !ctx; i++)
		if (!strcmp(ibv_get_device_name(list[i]), name))
			ctx = ibv_open_device(list[i]);
	if (list)
		ibv_free_device_list(list);
	return ctx;
}

/* RoCE v2 wants the gid that stands for the IPv4 address: ::ffff:a.b.c.d */
static void find_gid(struct nic *nic)
{
	static const __u8 mapped[12] = { [10] = 0xff, [11] = 0xff };
	union ibv_gid gid;
	int i;

	for (i = 0; !ibv_query_gid(nic->ctx, PORT, i, &gid); i++) {
		if (i && memcmp(gid.raw, mapped, sizeof(mapped)))
			continue;
		nic->gid = gid;
		nic->gid_index = i;
		if (!memcmp(gid.raw, mapped, sizeof(mapped)))
			return;
	}
}

int nic_open(struct nic *nic, const char *name)
{
	memset(nic, 0, sizeof(*nic));
	nic->ctx = open_device(name);
	if (!nic->ctx)
		return -ENODEV;
	nic->pd = ibv_alloc_pd(nic->ctx);
	if (!nic->pd) {
		ibv_close_device(nic->ctx);
		nic->ctx = NULL;
		return -errno;
	}
	find_gid(nic);
	return 0;
}

int nic_adopt(struct nic *nic, const char *name, int cmd_fd)
{
	int ret = nic_open(nic, name);

	if (ret)
		return ret;
	ibv_dealloc_pd(nic->pd);
	if (dup2(cmd_fd, nic->ctx->cmd_fd) < 0)
		return -errno;
	close(cmd_fd);
	nic->pd = ibv_alloc_pd(nic->ctx);
	return nic->pd ? 0 : -errno;
}

void nic_close(struct nic *nic)
{
	if (nic->pd)
		ibv_dealloc_pd(nic->pd);
	if (nic->ctx)
		ibv_close_device(nic->ctx);
	memset(nic, 0, sizeof(*nic));
}

int mr_reg(struct nic *nic, void *addr, size_t len, int access, struct ibv_mr **mr)
{
	*mr = ibv_reg_mr(nic->pd, addr, len, access);
	return *mr ? 0 : -errno;
}

int mr_try(struct nic *nic, void *addr, size_t len, int access)
{
	struct ibv_mr *mr;
	int ret = mr_reg(nic, addr, len, access, &mr);

	return ret ? ret : verb(ibv_dereg_mr(mr));
}

static int to_init(struct ibv_qp *qp)
{
	struct ibv_qp_attr attr = {
		.qp_state = IBV_QPS_INIT,
		.port_num = PORT,
		.qp_access_flags = IBV_ACCESS_REMOTE_WRITE | IBV_ACCESS_REMOTE_READ |
				   IBV_ACCESS_REMOTE_ATOMIC | MR_FLUSH,
	};

	return verb(ibv_modify_qp(qp, &attr, IBV_QP_STATE | IBV_QP_PKEY_INDEX | IBV_QP_PORT |
				  IBV_QP_ACCESS_FLAGS));
}

int wire_open(struct wire *wire, struct nic *nic)
{
	struct ibv_qp_init_attr_ex init = {
		.qp_type = IBV_QPT_RC,
		.comp_mask = IBV_QP_INIT_ATTR_PD | IBV_QP_INIT_ATTR_SEND_OPS_FLAGS,
		.pd = nic->pd,
		.send_ops_flags = IBV_QP_EX_WITH_ATOMIC_WRITE,
		.cap = {
			.max_send_wr = 8,
			.max_recv_wr = 8,
			.max_send_sge = 1,
			.max_recv_sge = 1,
			.max_inline_data = WIRE_INLINE,
		},
	};

	wire->cq = ibv_create_cq(nic->ctx, 16, NULL, NULL, 0);
	if (!wire->cq)
		return -errno;
	init.send_cq = wire->cq;
	init.recv_cq = wire->cq;
	wire->qp = ibv_create_qp_ex(nic->ctx, &init);
	if (!wire->qp)
		return -errno;
	return to_init(wire->qp);
}

struct wire_address wire_address(struct wire *wire, struct nic *nic)
{
	return (struct wire_address){ .gid = nic->gid, .qpn = wire->qp->qp_num };
}

static int to_rtr(struct wire *wire, struct nic *nic, const struct wire_address *far)
{
	struct ibv_qp_attr attr = {
		.qp_state = IBV_QPS_RTR,
		.path_mtu = IBV_MTU_1024,
		.dest_qp_num = far->qpn,
		.max_dest_rd_atomic = 1,
		.min_rnr_timer = 12,
		.ah_attr = {
			.is_global = 1,
			.port_num = PORT,
			.grh = {
				.dgid = far->gid,
				.sgid_index = nic->gid_index,
				.hop_limit = 64,
			},
		},
	};

	return verb(ibv_modify_qp(wire->qp, &attr, IBV_QP_STATE | IBV_QP_AV | IBV_QP_PATH_MTU |
				  IBV_QP_DEST_QPN | IBV_QP_RQ_PSN | IBV_QP_MAX_DEST_RD_ATOMIC |
				  IBV_QP_MIN_RNR_TIMER));
}

/* Half a second until a silent far side is given up; 7 retries would mean for ever. */
static int to_rts(struct wire *wire)
{
	struct ibv_qp_attr attr = {
		.qp_state = IBV_QPS_RTS,
		.timeout = 14,
		.retry_cnt = 6,
		.rnr_retry = 6,
		.max_rd_atomic = 1,
	};

	return verb(ibv_modify_qp(wire->qp, &attr, IBV_QP_STATE | IBV_QP_TIMEOUT |
				  IBV_QP_RETRY_CNT | IBV_QP_RNR_RETRY | IBV_QP_SQ_PSN |
				  IBV_QP_MAX_QP_RD_ATOMIC));
}

int wire_connect(struct wire *wire, struct nic *nic, const struct wire_address *far)
{
	int ret = to_rtr(wire, nic, far);

	return ret ? ret : to_rts(wire);
}

void wire_close(struct wire *wire)
{
	if (wire->qp)
		ibv_destroy_qp(wire->qp);
	if (wire->cq)
		ibv_destroy_cq(wire->cq);
	memset(wire, 0, sizeof(*wire));
}

int wire_pair(struct wire *a, struct nic *nic_a, struct wire *b, struct nic *nic_b)
{
	struct wire_address far_a, far_b;
	int ret = wire_open(a, nic_a);

	if (!ret)
		ret = wire_open(b, nic_b);
	if (ret)
		return ret;
	far_a = wire_address(a, nic_a);
	far_b = wire_address(b, nic_b);
	ret = wire_connect(a, nic_a, &far_b);
	return ret ? ret : wire_connect(b, nic_b, &far_a);
}

int wire_post(struct wire *wire, struct ibv_send_wr *wr)
{
	struct ibv_send_wr *bad;

	wr->send_flags |= IBV_SEND_SIGNALED;
	return verb(ibv_post_send(wire->qp, wr, &bad));
}

int wire_post_word(struct wire *wire, __u64 value, __u64 raddr, __u32 rkey)
{
	struct ibv_qp_ex *qp = ibv_qp_to_qp_ex(wire->qp);

	ibv_wr_start(qp);
	qp->wr_flags = IBV_SEND_SIGNALED;
	ibv_wr_atomic_write(qp, rkey, raddr, &value);
	return verb(ibv_wr_complete(qp));
}

int wire_receive(struct wire *wire, struct ibv_mr *mr, size_t len)
{
	struct ibv_sge sge = { .addr = (unsigned long)mr->addr, .length = len, .lkey = mr->lkey };
	struct ibv_recv_wr *bad, wr = { .wr_id = WIRE_RECEIVE, .sg_list = &sge, .num_sge = 1 };

	return verb(ibv_post_recv(wire->qp, &wr, &bad));
}

int wire_wait(struct wire *wire, unsigned int ms)
{
	unsigned long end = now_ms() + ms;
	struct ibv_wc wc;
	int got;

	while ((got = ibv_poll_cq(wire->cq, 1, &wc)) == 0) {
		if (now_ms() > end)
			return -ETIME;
		usleep(20);
	}
	return got < 0 ? -EIO : wc.status;
}

int wire_do(struct wire *wire, struct ibv_send_wr *wr)
{
	int ret = wire_post(wire, wr);

	return ret ? ret : wire_wait(wire, WIRE_MS);
}

static int post(struct wire *wire, enum ibv_wr_opcode opcode, struct ibv_mr *mr, size_t len,
		   __u64 raddr, __u32 rkey)
{
	struct ibv_sge sge = { .addr = (unsigned long)mr->addr, .length = len, .lkey = mr->lkey };
	struct ibv_send_wr wr = {
		.sg_list = &sge,
		.num_sge = 1,
		.opcode = opcode,
		.wr.rdma = { .remote_addr = raddr, .rkey = rkey },
	};

	return wire_post(wire, &wr);
}

int wire_post_write(struct wire *wire, struct ibv_mr *mr, size_t len, __u64 raddr, __u32 rkey)
{
	return post(wire, IBV_WR_RDMA_WRITE, mr, len, raddr, rkey);
}

static int operate(struct wire *wire, enum ibv_wr_opcode opcode, struct ibv_mr *mr, size_t len,
		   __u64 raddr, __u32 rkey)
{
	int ret = post(wire, opcode, mr, len, raddr, rkey);

	return ret ? ret : wire_wait(wire, WIRE_MS);
}

int wire_write(struct wire *wire, struct ibv_mr *mr, size_t len, __u64 raddr, __u32 rkey)
{
	return operate(wire, IBV_WR_RDMA_WRITE, mr, len, raddr, rkey);
}

int wire_read(struct wire *wire, struct ibv_mr *mr, size_t len, __u64 raddr, __u32 rkey)
{
	return operate(wire, IBV_WR_RDMA_READ, mr, len, raddr, rkey);
}

int wire_state(struct wire *wire)
{
	struct ibv_qp_init_attr init;
	struct ibv_qp_attr attr;
	int ret = verb(ibv_query_qp(wire->qp, &attr, IBV_QP_STATE, &init));

	return ret ? ret : (int)attr.qp_state;
}
