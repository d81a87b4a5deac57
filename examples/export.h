/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A file as memory that an RDMA device may reach: all that the server needs of
 * libflayout, in the order in which it is needed.
 *
 * Functions that fail return a negative errno and have said why on stderr.
 */
#ifndef EXAMPLES_EXPORT_H
#define EXAMPLES_EXPORT_H

#include <flayout-verbs.h>

#include "protocol.h"

struct export {
	const char *path;
	struct ibv_pd *pd;
	struct flayout *fl;
	void *addr;		/* of the mapping; NULL: there is none */
	size_t len;		/* of the file when it was mapped */
	struct flayout_mr *mr;
};

/** export_open - open @path, lease it, map it, register it with the device of @pd */
int export_open(struct export *export, struct ibv_pd *pd, const char *path);

/**
 * export_let_go - end the registration and let go of the lease, as a break asks for
 *
 * The device cannot reach the file when it returns.  -EAGAIN, without a word: the
 * break has grown meanwhile; once more.
 */
int export_let_go(struct export *export);

/**
 * export_retake - take the lease again, and register the file as it is now
 *
 * -EAGAIN, without a word: not yet.
 */
int export_retake(struct export *export);

/** export_region - what clients have to know of it; a length of 0 if there is nothing */
struct message export_region(const struct export *export);

/** export_sync - make @len bytes at @addr, of the region, durable */
int export_sync(struct export *export, uint64_t addr, uint64_t len);

void export_close(struct export *export);

#endif
