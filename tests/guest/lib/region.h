/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A leased file registered by a server on soft-RoCE, with a client connected,
 * and what becomes of it when the file is taken.
 */
#ifndef FLAYOUT_TESTS_REGION_H
#define FLAYOUT_TESTS_REGION_H

#include "rig.h"
#include "traffic.h"

#define REGION_ACCESS	(MR_SERVER | IBV_ACCESS_REMOTE_ATOMIC | IBV_ACCESS_MW_BIND | MR_FLUSH)
#define NEIGHBOUR	'n'	/* fills the blocks once they are another file's */

struct region {
	struct rig rig;
	struct traffic traffic;
	struct wire *near, *far;	/* the server's end, the client's end */
	struct ibv_mr *mr;		/* of the file; with everything allowed */
	struct ibv_mr *local;		/* of the client */
	struct ibv_mr *other;		/* ordinary memory of the server */
	char *map, *memory;		/* what @mr and @other cover */
	const char *dir;
	char neighbour[FILE_PATH];	/* whose blocks they are now */
	__u64 at, len;			/* where in that file */
};

/** region_open - make all of it on the file system @dir; 0 or a negative errno */
int region_open(struct region *r, const char *dir);

/** region_close - undo it; @mr and @other may be NULL: freed, or dead with their context */
void region_close(struct region *r);

/**
 * region_lose - another process truncates the file, and its blocks become another file's
 *
 * Return: 0; EBUSY: pins are left; or a negative errno.
 */
int region_lose(struct region *r);

/** region_spared - true if the old blocks hold what their new owner has written */
bool region_spared(struct region *r);

/** region_seen - true if @memory holds something of the new owner */
bool region_seen(const char *memory, size_t len);

/**
 * region_damage - after region_lose(), what is not as it was but for the region
 *
 * Reconnects, and frees the region: for the end of a test.
 *
 * Return: what is wrong, "" if nothing.
 */
const char *region_damage(struct region *r);

#endif
