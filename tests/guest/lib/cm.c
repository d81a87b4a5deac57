// SPDX-License-Identifier: GPL-2.0
/*
 * Connections made by the connection manager, as iWARP needs them; see cm.h.
 * All events are waited for one by one: both ends live in one thread.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "cm.h"

#define RESOLVE_MS	5000

/* Wait for one event; its connection in @id unless NULL.  -EPROTO if it is another. */
static int expect(struct rdma_event_channel *channel, enum rdma_cm_event_type want,
		  struct rdma_cm_id **id)
{
	struct rdma_cm_event *event;
	int ret;

	if (rdma_get_cm_event(channel, &event))
		return -errno;
	ret = event->event == want ? 0 : event->status < 0 ? event->status : -EPROTO;
	if (!ret && id)
		*id = event->id;
	rdma_ack_cm_event(event);
	return ret;
}

static int make_qp(struct wire *wire, struct rdma_cm_id *id, struct nic *nic)
{
	struct ibv_qp_init_attr init = {
		.qp_type = IBV_QPT_RC,
		.cap = { .max_send_wr = 8, .max_recv_wr = 8, .max_send_sge = 1, .max_recv_sge = 1 },
	};

	nic->ctx = id->verbs;
	if (!nic->pd)
		nic->pd = ibv_alloc_pd(nic->ctx);
	wire->cq = ibv_create_cq(nic->ctx, 16, NULL, NULL, 0);
	if (!nic->pd || !wire->cq)
		return -errno;
	init.send_cq = wire->cq;
	init.recv_cq = wire->cq;
	if (rdma_create_qp(id, nic->pd, &init))
		return -errno;
	wire->qp = id->qp;
	return 0;
}

static int listen_at(struct cm *cm, struct sockaddr_in *addr)
{
	if (rdma_create_id(cm->passive, &cm->listener, NULL, RDMA_PS_TCP) ||
	    rdma_bind_addr(cm->listener, (struct sockaddr *)addr) ||
	    rdma_listen(cm->listener, 1))
		return -errno;
	addr->sin_port = rdma_get_src_port(cm->listener);
	return 0;
}

static int resolve(struct cm *cm, struct sockaddr_in *addr)
{
	int ret;

	if (rdma_create_id(cm->active, &cm->id_a, NULL, RDMA_PS_TCP) ||
	    rdma_resolve_addr(cm->id_a, NULL, (struct sockaddr *)addr, RESOLVE_MS))
		return -errno;
	ret = expect(cm->active, RDMA_CM_EVENT_ADDR_RESOLVED, NULL);
	if (!ret && rdma_resolve_route(cm->id_a, RESOLVE_MS))
		ret = -errno;
	return ret ? ret : expect(cm->active, RDMA_CM_EVENT_ROUTE_RESOLVED, NULL);
}

static int join(struct cm *cm)
{
	struct rdma_conn_param param = { .responder_resources = 1, .initiator_depth = 1 };
	int ret = make_qp(&cm->a, cm->id_a, &cm->nic);

	if (!ret && rdma_connect(cm->id_a, &param))
		ret = -errno;
	if (!ret)
		ret = expect(cm->passive, RDMA_CM_EVENT_CONNECT_REQUEST, &cm->id_b);
	if (!ret)
		ret = make_qp(&cm->b, cm->id_b, &cm->nic);
	if (!ret && rdma_accept(cm->id_b, &param))
		ret = -errno;
	if (!ret)
		ret = expect(cm->active, RDMA_CM_EVENT_ESTABLISHED, NULL);
	return ret ? ret : expect(cm->passive, RDMA_CM_EVENT_ESTABLISHED, NULL);
}

int cm_open(struct cm *cm, const char *address)
{
	struct sockaddr_in addr = { .sin_family = AF_INET };
	int ret;

	memset(cm, 0, sizeof(*cm));
	if (inet_pton(AF_INET, address, &addr.sin_addr) != 1)
		return -EINVAL;
	cm->active = rdma_create_event_channel();
	cm->passive = rdma_create_event_channel();
	if (!cm->active || !cm->passive)
		return -errno;
	ret = listen_at(cm, &addr);
	if (!ret)
		ret = resolve(cm, &addr);
	return ret ? ret : join(cm);
}

static void end(struct wire *wire, struct rdma_cm_id *id)
{
	if (wire->qp)
		rdma_destroy_qp(id);
	if (wire->cq)
		ibv_destroy_cq(wire->cq);
	if (id)
		rdma_destroy_id(id);
}

void cm_close(struct cm *cm)
{
	end(&cm->a, cm->id_a);
	end(&cm->b, cm->id_b);
	if (cm->listener)
		rdma_destroy_id(cm->listener);
	if (cm->nic.pd)
		ibv_dealloc_pd(cm->nic.pd);
	if (cm->active)
		rdma_destroy_event_channel(cm->active);
	if (cm->passive)
		rdma_destroy_event_channel(cm->passive);
	memset(cm, 0, sizeof(*cm));
}
