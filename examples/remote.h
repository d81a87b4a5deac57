/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A file of a dax-rdma-server, from afar.
 *
 * One operation at a time; between two of them the server may ask us to be quiet,
 * and tell of the file anew.
 *
 * Results: 0; a negative errno; or, above 0, the ibv_wc_status of an RDMA
 * operation that failed.  After such a one, and after -ENOTCONN, only
 * remote_close() and remote_connect() help.
 */
#ifndef EXAMPLES_REMOTE_H
#define EXAMPLES_REMOTE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "link.h"

#define REMOTE_BUFFER	(1UL << 20)	/* bytes of one operation at most */

struct remote {
	struct rdma_cm_id *id;
	struct ibv_pd *pd;
	struct ibv_comp_channel *completions;
	struct link link;
	char *buffer;			/* operations read and write it */
	struct ibv_mr *buffer_mr;
	struct message region;		/* where the file is */
	bool usable;			/* false between QUIESCE and REGION */
	bool asked;			/* to be quiet, and we have not answered */
	struct message flushed;		/* the server's last answer */
	void (*told)(const struct message *message);	/* if set: a message came */
};

int remote_connect(struct remote *remote, const char *address, const char *port);
void remote_close(struct remote *remote);

/** remote_ready - wait until the file may be used; -EINTR: a signal came first */
int remote_ready(struct remote *remote);

/** remote_check - does the server still want us to use it?  Never waits. */
int remote_check(struct remote *remote);

/** remote_read - bytes of the file into remote->buffer; -ERANGE: the file ends before */
int remote_read(struct remote *remote, uint64_t offset, size_t len);

/** remote_write - bytes of remote->buffer into the file; results as remote_read() */
int remote_write(struct remote *remote, uint64_t offset, size_t len);

/**
 * remote_atomic_write - write 8 bytes that nobody sees half of
 *
 * -EOPNOTSUPP: the device, or its library, cannot; -EINVAL: @offset is no
 * multiple of 8.
 */
int remote_atomic_write(struct remote *remote, uint64_t offset, uint64_t value);

/** remote_flush - what was written there is durable: it survives a loss of power */
int remote_flush(struct remote *remote, uint64_t offset, uint64_t len);

/** remote_text - a result, for people */
const char *remote_text(int result);

#endif
