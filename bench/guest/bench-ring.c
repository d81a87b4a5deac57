// SPDX-License-Identifier: GPL-2.0
/*
 * bench-ring: what it costs to read and write a file on a disk with fixed
 * buffers of io_uring: of anonymous memory, and of files on DAX file systems
 * under a layout lease.
 *
 * usage: bench-ring [plain]	plain: anonymous memory alone, on any kernel
 */
#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../../tests/guest/env.h"
#include "../../tests/guest/lib/lease.h"
#include "bench.h"

#define AREA	MIB		/* the buffer */
#define DISK	ENV_EXT4_NODAX "/bench"

static const size_t sizes[] = { 4 * KIB, 64 * KIB, MIB };

static struct io_uring ring;
static int disk;

static uint64_t run_once(char *map, size_t bytes, int write)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&ring);
	uint64_t start = bench_now();
	struct io_uring_cqe *cqe;
	int ret;

	if (write)
		io_uring_prep_write_fixed(sqe, disk, map, bytes, 0, 0);
	else
		io_uring_prep_read_fixed(sqe, disk, map, bytes, 0, 0);
	ret = io_uring_submit_and_wait(&ring, 1);
	if (ret >= 0)
		ret = io_uring_wait_cqe(&ring, &cqe);
	if (ret < 0)
		bench_fail("io_uring", ret);
	if (cqe->res != (int)bytes)
		bench_fail("a request", cqe->res);
	io_uring_cqe_seen(&ring, cqe);
	return bench_now() - start;
}

static void measure(const char *group, const char *subject, char *map, size_t bytes, int write)
{
	uint64_t ns[BENCH_RUNS];

	run_once(map, bytes, write);	/* warms up */
	for (int i = 0; i < BENCH_RUNS; i++)
		ns[i] = run_once(map, bytes, write);
	bench_figure(group, subject, write ? "write-fixed" : "read-fixed", bytes,
		     bench_median(ns, BENCH_RUNS));
}

static void measure_all(const char *group, const char *subject, char *map)
{
	struct iovec iov = { .iov_base = map, .iov_len = AREA };
	int ret = io_uring_register_buffers(&ring, &iov, 1);

	if (ret)
		bench_fail("cannot register a buffer", ret);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		measure(group, subject, map, sizes[i], 1);
		measure(group, subject, map, sizes[i], 0);
	}
	io_uring_unregister_buffers(&ring);
}

static void measure_leased(const char *subject, const char *path)
{
	int fd = bench_file(path, AREA);
	int ret = lease_take_all(fd);
	char *map = bench_map(fd, AREA);

	if (ret)
		bench_fail("cannot take a lease", ret);
	measure_all("ring", subject, map);
	munmap(map, AREA);
	close(fd);
	unlink(path);
}

int main(int argc, char **argv)
{
	int plain = argc > 1 && !strcmp(argv[1], "plain");
	char *map = bench_map(-1, AREA);
	int ret = io_uring_queue_init(4, &ring, 0);

	if (ret)
		bench_fail("io_uring", ret);
	close(bench_file(DISK, AREA));
	disk = open(DISK, O_RDWR | O_DIRECT | O_CLOEXEC);
	if (disk < 0 || madvise(map, AREA, MADV_NOHUGEPAGE))
		bench_fail(DISK, -errno);
	measure_all("plain", "fixed-buffers", map);
	if (!plain) {
		measure_all("ring", "anonymous-4k", map);
		measure_leased("ext4-leased", ENV_EXT4 "/bench");
		measure_leased("xfs-leased", ENV_XFS "/bench");
	}
	close(disk);
	unlink(DISK);
	return EXIT_SUCCESS;
}
