// SPDX-License-Identifier: GPL-2.0
/* Ways to give up a file; see letgo.h. */
#include <errno.h>
#include <linux/io_uring.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "letgo.h"
#include "peer.h"

int letgo_close(int fd)
{
	return close(fd) ? -errno : 0;
}

int letgo_dup(int fd)
{
	int copy = dup(fd);

	if (copy < 0 || close(fd))
		return -errno;
	return letgo_close(copy);
}

int letgo_in_flight(int fd)
{
	int sv[2], ret;

	if (socketpair(AF_UNIX, SOCK_DGRAM, 0, sv))
		return -errno;
	ret = fd_send(sv[0], fd);
	close(fd);
	close(sv[0]);
	close(sv[1]);
	return ret;
}

/* The end of any socket begins a collection if there is anything in flight. */
static int collect_garbage(void)
{
	int any = socket(AF_UNIX, SOCK_DGRAM, 0);

	return any < 0 || close(any) ? -errno : 0;
}

/* Each end is in flight to itself, by way of the other. */
int letgo_garbage(int fd)
{
	int sv[2], ret;

	if (socketpair(AF_UNIX, SOCK_DGRAM, 0, sv))
		return -errno;
	ret = fd_send(sv[0], fd);
	if (!ret)
		ret = fd_send(sv[0], sv[1]);
	if (!ret)
		ret = fd_send(sv[1], sv[0]);
	close(fd);
	close(sv[0]);
	close(sv[1]);
	return ret ? ret : collect_garbage();
}

int letgo_ring(int fd)
{
	struct io_uring_params params = { 0 };
	int ring = syscall(SYS_io_uring_setup, 1, &params), ret = 0;

	if (ring < 0)
		return -errno;
	if (syscall(SYS_io_uring_register, ring, IORING_REGISTER_FILES, &fd, 1) < 0)
		ret = -errno;
	close(fd);
	close(ring);
	return ret;
}
