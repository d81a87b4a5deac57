/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A server and a client in one process: two context files on soft-RoCE, a
 * connection between them, and memory of the client.
 */
#ifndef FLAYOUT_TESTS_TRAFFIC_H
#define FLAYOUT_TESTS_TRAFFIC_H

#include "rdma.h"

#define TRAFFIC_SIZE	(1024 * 1024UL)	/* bytes of client memory */
#define TRAFFIC_FILL	'x'		/* what it holds */

struct traffic {
	struct nic server, client;
	struct wire near, far;		/* the server's end, the client's end */
	char *buf;
	struct ibv_mr *local;		/* over all of @buf */
};

/** traffic_open - make all of it; 0 or a negative errno */
int traffic_open(struct traffic *traffic);

/** traffic_reconnect - after an error a connection is of no more use; 0 or a negative errno */
int traffic_reconnect(struct traffic *traffic);

/** traffic_write - the client writes @len bytes of its memory to @mr, @at bytes from its start; as wire_write() */
int traffic_write(struct traffic *traffic, struct ibv_mr *mr, size_t len, __u64 at);

/** traffic_close - undo it, also what a failed traffic_open() left; registrations of others must be gone */
void traffic_close(struct traffic *traffic);

#endif
