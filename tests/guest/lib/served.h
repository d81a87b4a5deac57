/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A file that a server made of libflayout lets a client write into: two
 * regions, two contexts of one device, and a connection between them.
 */
#ifndef FLAYOUT_TESTS_SERVED_H
#define FLAYOUT_TESTS_SERVED_H

#include <flayout-verbs.h>

#include "rdma.h"

#define SERVED_SIZE	(8 * MIB)	/* mapped */
#define SERVED_PART	(2 * MIB)	/* each region */
#define SERVED_HIGH	(4 * MIB)	/* where the high one begins */

struct served {
	struct flayout *fl;
	char *map;
	struct nic server, client;
	struct wire near, far;
	char *buf;			/* what the client writes from */
	struct ibv_mr *local;
	struct flayout_mr *low, *high;	/* of the file */
};

/**
 * served_open - open, lease, map and register @path; as the tests of the library begin
 * @flags: for flayout_lease_for_pd()
 *
 * Return: 0 or a negative errno; served_close() in any case.
 */
int served_open(struct served *s, const char *path, unsigned int flags);
void served_close(struct served *s);

/** served_reconnect - a new connection, after an error has ended the old one */
int served_reconnect(struct served *s);

/** served_write - the client writes @byte over all of a region; as wire_write() */
int served_write(struct served *s, const struct flayout_mr *mr, char byte);

/** served_event - the next event, waited for up to @ms; type 0 if none comes */
struct flayout_event served_event(struct served *s, unsigned int ms);

/** served_state - FLAYOUT_STATE_* */
int served_state(struct served *s);

#endif
