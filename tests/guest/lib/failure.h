/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Making the kernel fail: the n-th allocation or copy of one call, or some of
 * all.  Needs a kernel with fault injection.
 */
#ifndef FLAYOUT_TESTS_FAILURE_H
#define FLAYOUT_TESTS_FAILURE_H

#include <stdbool.h>

/** failure_prepare - any allocation may be made to fail, without a word in the log; 0 or a negative errno */
int failure_prepare(void);

/**
 * failure_nth - do something while its @n-th allocation, or copy from or to user space, fails
 * @fn: what is done, by the calling thread
 * @arg: for it
 * @ret: out: what it returned
 *
 * Return: 1 if something was made to fail, 0 if there are fewer than @n; a negative errno.
 */
int failure_nth(unsigned int n, int (*fn)(void *arg), void *arg, int *ret);

/** failure_prepare_some - the same for failure_some(); takes a while.  0 or a negative errno */
int failure_prepare_some(void);

/**
 * failure_some - let a part of the allocations fail that are made for the code of leases
 * @percent: of them; 0: no more
 * @where: one of the FAILURE_WHERE pieces of that code
 *
 * Only for tasks that have called failure_for_me(), and their children.  0 or a negative errno.
 */
int failure_some(unsigned int percent, unsigned int where);

#define FAILURE_WHERE	3

/** failure_for_me - what failure_some() says is for this process; 0 or a negative errno */
int failure_for_me(void);

#endif
