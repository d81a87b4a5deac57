// SPDX-License-Identifier: GPL-2.0
/* A file of a dax-rdma-server, from afar; see remote.h. */
#include "remote.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#define RESOLVE_MS	5000

/*
 * Connecting
 */

/* The id has no event channel of ours, so that each step waits for its end. */
static int resolve(struct remote *remote, const char *address, const char *port)
{
	struct rdma_addrinfo hints = { .ai_port_space = RDMA_PS_TCP }, *info;
	int ret = 0;

	if (rdma_getaddrinfo(address, port, &hints, &info))
		return -errno;
	if (rdma_create_id(NULL, &remote->id, NULL, RDMA_PS_TCP) ||
	    rdma_resolve_addr(remote->id, NULL, info->ai_dst_addr, RESOLVE_MS) ||
	    rdma_resolve_route(remote->id, RESOLVE_MS))
		ret = -errno;
	rdma_freeaddrinfo(info);
	return ret;
}

static int make_memory(struct remote *remote)
{
	remote->pd = ibv_alloc_pd(remote->id->verbs);
	remote->completions = ibv_create_comp_channel(remote->id->verbs);
	remote->buffer = malloc(REMOTE_BUFFER);
	if (!remote->pd || !remote->completions || !remote->buffer)
		return -errno;
	fcntl(remote->completions->fd, F_SETFL, O_NONBLOCK);
	remote->buffer_mr = ibv_reg_mr(remote->pd, remote->buffer, REMOTE_BUFFER,
				       IBV_ACCESS_LOCAL_WRITE);
	return remote->buffer_mr ? 0 : -errno;
}

int remote_connect(struct remote *remote, const char *address, const char *port)
{
	struct rdma_conn_param param = {
		.initiator_depth = 1,		/* one RDMA read at a time */
		.responder_resources = 1,
		.retry_count = 7,
		.rnr_retry_count = 7,
	};
	int ret = resolve(remote, address, port);

	if (!ret)
		ret = make_memory(remote);
	if (!ret)
		ret = link_open(&remote->link, remote->id, remote->pd, remote->completions,
				NULL, true);
	if (!ret && rdma_connect(remote->id, &param))
		ret = -errno;
	return ret;
}

void remote_close(struct remote *remote)
{
	void (*told)(const struct message *message) = remote->told;

	link_close(&remote->link);
	if (remote->buffer_mr)
		ibv_dereg_mr(remote->buffer_mr);
	free(remote->buffer);
	if (remote->completions)
		ibv_destroy_comp_channel(remote->completions);
	if (remote->pd)
		ibv_dealloc_pd(remote->pd);
	if (remote->id)
		rdma_destroy_id(remote->id);
	*remote = (struct remote){ .told = told };
}

/*
 * News
 */

static void hear(struct remote *remote, const struct message *message)
{
	switch (message->type) {
	case MSG_REGION:
		remote->region = *message;
		remote->usable = message->len != 0;
		break;
	case MSG_QUIESCE:
		remote->usable = false;
		remote->asked = true;
		break;
	case MSG_FLUSHED:
		remote->flushed = *message;
		break;
	}
	if (remote->told)
		remote->told(message);
}

/*
 * Sleep until there may be news.  Whoever calls it has just seen link_next() say
 * that there are none; only then does the next one wake us.  The connection manager has only one kind for
 * us: that the connection has ended.
 */
static int sleep_for_news(struct remote *remote)
{
	struct pollfd fds[] = {
		{ .fd = remote->completions->fd, .events = POLLIN },
		{ .fd = remote->id->channel->fd, .events = POLLIN },
	};
	struct ibv_cq *cq;
	void *context;

	if (poll(fds, 2, -1) < 0)
		return -errno;
	if (!fds[0].revents)
		return -ENOTCONN;
	if (!ibv_get_cq_event(remote->completions, &cq, &context))
		ibv_ack_cq_events(cq, 1);
	return 0;
}

/* Wait until an operation has ended.  Each does, be it with an error. */
static int await_operation(struct remote *remote)
{
	struct link_news news;
	int ret;

	for (;;) {
		while (link_next(&remote->link, &news)) {
			if (news.type == LINK_DONE)
				return news.status;
			if (news.type == LINK_MESSAGE)
				hear(remote, &news.message);
		}
		ret = sleep_for_news(remote);
		if (ret && ret != -EINTR)
			return ret;
	}
}

int remote_check(struct remote *remote)
{
	struct message quiesced = { .type = MSG_QUIESCED };
	struct link_news news;

	while (link_next(&remote->link, &news)) {
		if (news.type == LINK_BROKEN)
			return -ENOTCONN;
		if (news.type == LINK_MESSAGE)
			hear(remote, &news.message);
	}
	/* Nothing is under way here. */
	if (!remote->asked)
		return 0;
	remote->asked = false;
	return link_send(&remote->link, &quiesced);
}

int remote_ready(struct remote *remote)
{
	int ret = remote_check(remote);

	while (!ret && !remote->usable) {
		ret = sleep_for_news(remote);
		if (!ret)
			ret = remote_check(remote);
	}
	return ret;
}

/*
 * Operations
 */

/* Wait for the server's permission, and see that there is something at @offset. */
static int begin(struct remote *remote, uint64_t offset, uint64_t len)
{
	int ret = remote_ready(remote);

	if (ret)
		return ret;
	if (offset > remote->region.len || len > remote->region.len - offset)
		return -ERANGE;
	return 0;
}

static int transfer(struct remote *remote, enum ibv_wr_opcode opcode, uint64_t offset, size_t len)
{
	struct ibv_sge sge = {
		.addr = (uintptr_t)remote->buffer,
		.length = len,
		.lkey = remote->buffer_mr->lkey,
	};
	struct ibv_send_wr wr = {
		.wr_id = LINK_OPERATION,
		.opcode = opcode,
		.sg_list = &sge,
		.num_sge = 1,
	}, *bad;
	int ret = len > REMOTE_BUFFER ? -EMSGSIZE : begin(remote, offset, len);

	if (ret)
		return ret;
	wr.wr.rdma.remote_addr = remote->region.addr + offset;
	wr.wr.rdma.rkey = remote->region.rkey;
	ret = -ibv_post_send(remote->id->qp, &wr, &bad);
	return ret ? ret : await_operation(remote);
}

int remote_read(struct remote *remote, uint64_t offset, size_t len)
{
	return transfer(remote, IBV_WR_RDMA_READ, offset, len);
}

int remote_write(struct remote *remote, uint64_t offset, size_t len)
{
	return transfer(remote, IBV_WR_RDMA_WRITE, offset, len);
}

int remote_atomic_write(struct remote *remote, uint64_t offset, uint64_t value)
{
	struct ibv_qp_ex *qp = remote->link.extended;
	int ret = begin(remote, offset, sizeof(value));

	if (ret)
		return ret;
	if (!qp)
		return -EOPNOTSUPP;
	if (offset % sizeof(value))
		return -EINVAL;
	ibv_wr_start(qp);
	qp->wr_id = LINK_OPERATION;
	qp->wr_flags = IBV_SEND_SIGNALED;
	ibv_wr_atomic_write(qp, remote->region.rkey, remote->region.addr + offset, &value);
	ret = -ibv_wr_complete(qp);
	return ret ? ret : await_operation(remote);
}

static int await_flushed(struct remote *remote)
{
	int ret = remote_check(remote);

	while (!ret && !remote->flushed.type) {
		ret = sleep_for_news(remote);
		if (!ret || ret == -EINTR)
			ret = remote_check(remote);
	}
	return ret ? ret : remote->flushed.status;
}

/*
 * libibverbs has no RDMA FLUSH before its release 46.  What was written may still
 * be on its way from the device to memory: a read of it pushes it there.  Then
 * the server's processor makes it durable.
 */
int remote_flush(struct remote *remote, uint64_t offset, uint64_t len)
{
	struct message request = { .type = MSG_FLUSH, .len = len };
	int ret = begin(remote, offset, len);

	if (!ret)
		ret = remote_read(remote, offset, len ? 1 : 0);
	if (ret)
		return ret;
	request.addr = remote->region.addr + offset;
	remote->flushed.type = 0;
	ret = link_send(&remote->link, &request);
	return ret ? ret : await_flushed(remote);
}

const char *remote_text(int result)
{
	if (result > 0)
		return ibv_wc_status_str(result);
	if (result == -ERANGE)
		return "the file is shorter";
	return strerror(-result);
}
