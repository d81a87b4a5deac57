/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A reliable connection with messages (protocol.h) in both directions; the same
 * for server and client.  The connection manager makes it, see rdma_cm(7).
 */
#ifndef EXAMPLES_LINK_H
#define EXAMPLES_LINK_H

#include <rdma/rdma_cma.h>
#include <stdbool.h>

#include "protocol.h"

#define LINK_MESSAGES	8	/* that may be on their way, in each direction */

struct link {
	struct rdma_cm_id *id;
	struct ibv_cq *cq;		/* of this connection alone */
	struct ibv_qp_ex *extended;	/* its newer interface, or NULL */
	struct ibv_mr *mr;		/* of the messages below */
	struct message in[LINK_MESSAGES];
	struct message out[LINK_MESSAGES];
	unsigned int sent;
};

enum link_news_type {
	LINK_MESSAGE,	/* the other side says something */
	LINK_DONE,	/* an operation of ours has ended */
	LINK_BROKEN,	/* nothing will come any more */
};

struct link_news {
	enum link_news_type type;
	enum ibv_wc_status status;	/* DONE */
	struct message message;		/* MESSAGE */
};

#define LINK_OPERATION	1000	/* wr_id of operations of the user, one at a time */

/**
 * link_open - give a connection that is being made its queues, ready to receive
 * @link: zeroed
 * @id: with address and route resolved, or of a connect request; stays the caller's
 * @pd: of the device of @id
 * @completions: becomes readable when link_next() has something to tell
 * @context: comes with the events of @completions
 * @extended: the newer interface for operations, if the device's library has it
 *
 * Return: 0 or a negative errno; link_close() in any case.
 */
int link_open(struct link *link, struct rdma_cm_id *id, struct ibv_pd *pd,
	      struct ibv_comp_channel *completions, void *context, bool extended);

void link_close(struct link *link);

/** link_send - send a message; 0 or a negative errno; never waits */
int link_send(struct link *link, const struct message *message);

/**
 * link_next - what has happened?  Never waits.
 *
 * If nothing has, the next that does is signalled to the completion channel.
 *
 * Return: true: see @news; false: nothing.
 */
bool link_next(struct link *link, struct link_news *news);

#endif
