// SPDX-License-Identifier: GPL-2.0
/* Rings with one fixed buffer; see uring.h. */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "../env.h"
#include "uring.h"

const struct uring_target uring_targets[URING_TARGETS] = {
	{ ENV_EXT4_NODAX "/target", O_DIRECT, 0 },
	{ ENV_EXT4_NODAX "/target", 0, 0 },
	{ ENV_XFS_NODAX "/target", O_DIRECT, 0 },
	{ ENV_XFS_NODAX "/target", O_DIRECT, IOSQE_ASYNC },
	{ ENV_XFS_NODAX "/target", 0, 0 },
	{ ENV_EXT4 "/target", 0, 0 },
	{ "/tmp/target", 0, 0 },
};

int uring_register(struct io_uring *ring, void *at, size_t len)
{
	struct iovec iov = { .iov_base = at, .iov_len = len };

	return io_uring_register_buffers(ring, &iov, 1);
}

int uring_result(struct io_uring *ring)
{
	struct io_uring_cqe *cqe;
	int ret = io_uring_submit_and_wait(ring, 1);
	bool told;

	if (ret < 0)
		return ret;
	do {
		ret = io_uring_wait_cqe(ring, &cqe);
		if (ret)
			return ret;
		told = cqe->flags & IORING_CQE_F_NOTIF;	/* of a zero copy send before */
		ret = cqe->res;
		io_uring_cqe_seen(ring, cqe);
	} while (told);
	return ret;
}

int uring_read(struct io_uring *ring, int fd, void *at, size_t len, __u64 from,
	       unsigned int flags)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(ring);

	io_uring_prep_read_fixed(sqe, fd, at, len, from, 0);
	sqe->flags |= flags;
	return uring_result(ring);
}

int uring_write(struct io_uring *ring, int fd, void *at, size_t len, __u64 to,
		unsigned int flags)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(ring);

	io_uring_prep_write_fixed(sqe, fd, at, len, to, 0);
	sqe->flags |= flags;
	return uring_result(ring);
}

int uring_target_make(const struct uring_target *target, char fill)
{
	int fd = file_make(target->path, URING_TARGET_SIZE, fill);

	if (fd < 0)
		return fd;
	close(fd);
	return file_open(target->path, O_RDWR | target->flags);
}

