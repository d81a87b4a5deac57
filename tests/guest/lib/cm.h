/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A connection of this process with itself, made by the connection manager, as
 * iWARP needs it.  Both ends share one context file: the library of the
 * connection manager opens one for each device and process.
 */
#ifndef FLAYOUT_TESTS_CM_H
#define FLAYOUT_TESTS_CM_H

#include <rdma/rdma_cma.h>

#include "rdma.h"

struct cm {
	struct rdma_event_channel *active, *passive;
	struct rdma_cm_id *listener, *id_a, *id_b;
	struct wire a;		/* connected; with iWARP the first to begin an operation */
	struct wire b;		/* listened */
	struct nic nic;		/* of both; not for nic_close() */
};

/** cm_open - connect over the device of IPv4 @address; 0 or a negative errno */
int cm_open(struct cm *cm, const char *address);

/** cm_close - undo it, also what a failed cm_open() left; registrations must be gone */
void cm_close(struct cm *cm);

#endif
