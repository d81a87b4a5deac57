/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Ways to give up the last reference to an open file, while the process lives
 * on.  Each takes a descriptor that nothing else refers to and returns 0 or a
 * negative errno.
 */
#ifndef FLAYOUT_TESTS_LETGO_H
#define FLAYOUT_TESTS_LETGO_H

/** letgo_close - close(2) */
int letgo_close(int fd);

/** letgo_dup - close the descriptor, then a duplicate */
int letgo_dup(int fd);

/*
 * In these the kernel itself drops the last reference, shortly after.
 */

/** letgo_in_flight - sent over a socket that is closed before anybody receives it */
int letgo_in_flight(int fd);

/** letgo_garbage - sent over a socket that is in flight itself: its garbage collector finds both */
int letgo_garbage(int fd);

/** letgo_ring - registered with io_uring, and the ring closed */
int letgo_ring(int fd);

#endif
