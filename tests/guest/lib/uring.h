/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Rings of io_uring with one fixed buffer, and files that are read into it and
 * written from it.
 */
#ifndef FLAYOUT_TESTS_URING_H
#define FLAYOUT_TESTS_URING_H

#include <liburing.h>

#include "file.h"

#define URING_TARGET_SIZE	(2 * 1024 * 1024UL)	/* bytes */
#define URING_TARGETS		7

/* What is read into buffers, and written from them. */
struct uring_target {
	const char *path;
	int flags;			/* of the description */
	unsigned int sqe_flags;		/* of requests, IOSQE_* */
};

/* With and without DAX, page cache and a worker. */
extern const struct uring_target uring_targets[URING_TARGETS];

/** uring_target_make - make the file, full of @fill; a descriptor or a negative errno */
int uring_target_make(const struct uring_target *target, char fill);

/** uring_register - make [@at, +@len) the ring's fixed buffers; 0 or a negative errno */
int uring_register(struct io_uring *ring, void *at, size_t len);

/** uring_result - submit what is prepared; what the next completion says, or a negative errno */
int uring_result(struct io_uring *ring);

/**
 * uring_read, uring_write - one request with fixed buffer 0
 * @at, @len: where in the buffer
 * @from, @to: bytes, in the file
 * @flags: IOSQE_*
 *
 * Return: as uring_result().
 */
int uring_read(struct io_uring *ring, int fd, void *at, size_t len, __u64 from,
	       unsigned int flags);
int uring_write(struct io_uring *ring, int fd, void *at, size_t len, __u64 to,
		unsigned int flags);

#endif
