/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What dax-rdma-server and dax-rdma-client tell each other.
 *
 * The file itself is read and written by RDMA, of which the server notices
 * nothing.  Messages only say where it is, and when to leave it alone:
 *
 *	server				client
 *	REGION  ------------------------->		here it is: use it
 *	QUIESCE ------------------------->		start nothing new
 *	        <------------------------- QUIESCED	nothing is under way
 *	... deregisters, lets go of the lease, takes it again, registers ...
 *	REGION  ------------------------->		another key, perhaps a shorter file
 *
 * A server whose memory was revoked says REGION without QUIESCE before it: what
 * was known before is worth nothing.
 */
#ifndef EXAMPLES_PROTOCOL_H
#define EXAMPLES_PROTOCOL_H

#include <endian.h>
#include <stdint.h>

#define PROTOCOL_PORT	"7471"

enum message_type {
	MSG_REGION = 1,	/* rkey, addr, len; len 0: there is nothing at the moment */
	MSG_QUIESCE,	/* until the next REGION */
	MSG_QUIESCED,
	MSG_FLUSH,	/* addr, len, in the region: make it durable */
	MSG_FLUSHED,	/* status: 0 or a negative errno */
};

struct message {
	uint32_t type;
	int32_t status;
	uint32_t rkey;
	uint32_t reserved;	/* zero */
	uint64_t addr;		/* in the server's memory */
	uint64_t len;		/* bytes */
};

/* message_swap - from the order of this machine to that of the network, or back */
static inline struct message message_swap(const struct message *message)
{
	return (struct message){
		.type = htobe32(message->type),
		.status = htobe32(message->status),
		.rkey = htobe32(message->rkey),
		.addr = htobe64(message->addr),
		.len = htobe64(message->len),
	};
}

#endif
