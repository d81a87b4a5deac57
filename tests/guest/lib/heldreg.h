/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A registration held in its middle: one memory region over file pages and a
 * page of anonymous memory whose fault user space (userfaultfd) answers only
 * when told to.  Until then the registration is "in progress".  So may be any other
 * call that is given this memory.
 */
#ifndef FLAYOUT_TESTS_HELDREG_H
#define FLAYOUT_TESTS_HELDREG_H

#include <pthread.h>
#include <stdbool.h>

#include "rdma.h"

struct heldreg;

/** heldreg_fn - a call on @reg->area, @reg->len; 0 or a negative errno */
typedef int (*heldreg_fn)(struct heldreg *reg);

struct heldreg {
	heldreg_fn call;
	void *arg;		/* of the call */
	char *area;		/* the registered range */
	size_t len;
	int uffd;
	char *hole;		/* the page nobody answers for */
	pthread_t thread;
	bool running;
	struct ibv_mr *mr;	/* after heldreg_finish(): the region, or NULL */
	int ret;
};

/**
 * heldreg_start - begin to register @len bytes of @fd and one page that faults
 * @pages_first: the file's pages come before the page that faults; else after
 *
 * Return: 0 once the registration hangs in the fault, or a negative errno.
 */
int heldreg_start(struct heldreg *reg, struct nic *nic, int fd, size_t len, bool pages_first);

/** heldreg_start_call - the same for any call, which finds @arg in struct heldreg */
int heldreg_start_call(struct heldreg *reg, heldreg_fn call, void *arg, int fd, size_t len,
		       bool pages_first);

/**
 * heldreg_leave_file - put anonymous memory where the file is mapped
 *
 * The registration does not notice.  Return: 0 or a negative errno.
 */
int heldreg_leave_file(struct heldreg *reg);

/** heldreg_finish - answer the fault; what the registration returned */
int heldreg_finish(struct heldreg *reg);

/** heldreg_end - deregister and unmap what is left */
void heldreg_end(struct heldreg *reg);

#endif
