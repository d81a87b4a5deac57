// SPDX-License-Identifier: GPL-2.0
/* Messages over a reliable connection; see link.h. */
#include "link.h"

#include <errno.h>
#include <string.h>

#define SEND	(LINK_OPERATION + 1)	/* wr_id of messages; those received have their index */

static int post_receive(struct link *link, unsigned int index)
{
	struct ibv_sge sge = {
		.addr = (uintptr_t)&link->in[index],
		.length = sizeof(link->in[index]),
		.lkey = link->mr->lkey,
	};
	struct ibv_recv_wr wr = { .wr_id = index, .sg_list = &sge, .num_sge = 1 }, *bad;

	return -ibv_post_recv(link->id->qp, &wr, &bad);
}

static int make_extended_qp(struct link *link, struct ibv_pd *pd,
			    const struct ibv_qp_init_attr *init)
{
	struct ibv_qp_init_attr_ex more = {
		.send_cq = init->send_cq,
		.recv_cq = init->recv_cq,
		.cap = init->cap,
		.qp_type = init->qp_type,
		.sq_sig_all = init->sq_sig_all,
		.comp_mask = IBV_QP_INIT_ATTR_PD | IBV_QP_INIT_ATTR_SEND_OPS_FLAGS,
		.pd = pd,
		.send_ops_flags = IBV_QP_EX_WITH_ATOMIC_WRITE,
	};

	if (rdma_create_qp_ex(link->id, &more))
		return -errno;
	link->extended = ibv_qp_to_qp_ex(link->id->qp);
	return 0;
}

static int make_qp(struct link *link, struct ibv_pd *pd, bool extended)
{
	struct ibv_qp_init_attr init = {
		.send_cq = link->cq,
		.recv_cq = link->cq,
		.cap = {
			.max_send_wr = LINK_MESSAGES + 1,
			.max_recv_wr = LINK_MESSAGES,
			.max_send_sge = 1,
			.max_recv_sge = 1,
		},
		.qp_type = IBV_QPT_RC,
		.sq_sig_all = 1,
	};

	if (extended && !make_extended_qp(link, pd, &init))
		return 0;
	return rdma_create_qp(link->id, pd, &init) ? -errno : 0;
}

int link_open(struct link *link, struct rdma_cm_id *id, struct ibv_pd *pd,
	      struct ibv_comp_channel *completions, void *context, bool extended)
{
	int ret;

	link->id = id;
	link->cq = ibv_create_cq(id->verbs, 2 * LINK_MESSAGES + 1, context, completions, 0);
	/* From link->in to the end of link->out. */
	link->mr = ibv_reg_mr(pd, link->in, sizeof(link->in) + sizeof(link->out),
			      IBV_ACCESS_LOCAL_WRITE);
	if (!link->cq || !link->mr || ibv_req_notify_cq(link->cq, 0))
		return -errno;
	ret = make_qp(link, pd, extended);
	for (unsigned int i = 0; i < LINK_MESSAGES && !ret; i++)
		ret = post_receive(link, i);
	return ret;
}

void link_close(struct link *link)
{
	if (link->id && link->id->qp)
		rdma_destroy_qp(link->id);
	if (link->cq)
		ibv_destroy_cq(link->cq);
	if (link->mr)
		ibv_dereg_mr(link->mr);
	memset(link, 0, sizeof(*link));
}

/* Both sides answer before they speak again, so a slot is free when its turn comes. */
int link_send(struct link *link, const struct message *message)
{
	struct message *slot = &link->out[link->sent++ % LINK_MESSAGES];
	struct ibv_sge sge = {
		.addr = (uintptr_t)slot,
		.length = sizeof(*slot),
		.lkey = link->mr->lkey,
	};
	struct ibv_send_wr wr = {
		.wr_id = SEND,
		.opcode = IBV_WR_SEND,
		.sg_list = &sge,
		.num_sge = 1,
	}, *bad;

	*slot = message_swap(message);
	return -ibv_post_send(link->id->qp, &wr, &bad);
}

/* False if it is nothing to tell anybody. */
static bool interpret(struct link *link, const struct ibv_wc *wc, struct link_news *news)
{
	*news = (struct link_news){ .status = wc->status };
	if (wc->wr_id == LINK_OPERATION) {
		news->type = LINK_DONE;
		return true;
	}
	if (wc->status != IBV_WC_SUCCESS) {
		news->type = LINK_BROKEN;
		return true;
	}
	if (wc->wr_id == SEND)
		return false;
	news->type = LINK_MESSAGE;
	news->message = message_swap(&link->in[wc->wr_id]);
	if (post_receive(link, wc->wr_id))
		news->type = LINK_BROKEN;
	return true;
}

static bool next(struct link *link, struct link_news *news)
{
	struct ibv_wc wc;

	while (ibv_poll_cq(link->cq, 1, &wc) == 1) {
		if (interpret(link, &wc, news))
			return true;
	}
	return false;
}

/* Asks once more after the bell is armed: it may have come in between. */
bool link_next(struct link *link, struct link_news *news)
{
	if (next(link, news))
		return true;
	ibv_req_notify_cq(link->cq, 0);
	return next(link, news);
}
