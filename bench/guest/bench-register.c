// SPDX-License-Identifier: GPL-2.0
/*
 * bench-register: what it costs to register and deregister memory with rxe:
 * anonymous memory in small and in huge pages, device DAX, and files on DAX
 * file systems under a layout lease.  All is touched before.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../../tests/guest/env.h"
#include "../../tests/guest/lib/lease.h"
#include "../../tests/guest/lib/rdma.h"
#include "bench.h"

#define LARGEST	(128 * MIB)

static const size_t sizes[] = { 4 * KIB, 64 * KIB, MIB, 16 * MIB, LARGEST };

static struct nic nic;

static void touch(char *map)
{
	for (size_t i = 0; i < LARGEST; i += 4096)
		map[i] = 1;
}

/* Kilobytes of huge pages this process has: a figure of theirs must be of theirs. */
static long huge_kib(void)
{
	FILE *file = fopen("/proc/self/smaps_rollup", "r");
	char line[128];
	long kib = 0;

	while (file && fgets(line, sizeof(line), file))
		sscanf(line, "AnonHugePages: %ld", &kib);
	if (file)
		fclose(file);
	return kib;
}

static void *map_anonymous(int advice)
{
	char *map = bench_map(-1, LARGEST);

	if (madvise(map, LARGEST, advice))
		bench_fail("madvise", -errno);
	touch(map);
	return map;
}

static void *map_small(int *fd)
{
	*fd = -1;
	return map_anonymous(MADV_NOHUGEPAGE);
}

static void *map_huge(int *fd)
{
	void *map = map_anonymous(MADV_HUGEPAGE);

	*fd = -1;
	if (huge_kib() < (long)(LARGEST / KIB))
		bench_fail("no huge pages", -ENOMEM);
	return map;
}

static void *map_device(int *fd)
{
	*fd = open("/dev/dax0.0", O_RDWR | O_CLOEXEC);
	if (*fd < 0)
		bench_fail("/dev/dax0.0", -errno);
	return bench_map(*fd, LARGEST);
}

static void *map_leased(const char *path, int *fd)
{
	int ret;

	*fd = bench_file(path, LARGEST);
	ret = lease_take_all(*fd);
	if (ret)
		bench_fail("cannot take a lease", ret);
	return bench_map(*fd, LARGEST);
}

static void *map_ext4(int *fd)
{
	return map_leased(ENV_EXT4 "/bench", fd);
}

static void *map_xfs(int *fd)
{
	return map_leased(ENV_XFS "/bench", fd);
}

static void run_once(void *map, size_t bytes, uint64_t *reg_ns, uint64_t *dereg_ns)
{
	uint64_t start = bench_now();
	struct ibv_mr *mr;
	int ret = mr_reg(&nic, map, bytes, MR_SERVER, &mr);

	*reg_ns = bench_now() - start;
	if (ret)
		bench_fail("cannot register", ret);
	start = bench_now();
	ret = ibv_dereg_mr(mr);
	*dereg_ns = bench_now() - start;
	if (ret)
		bench_fail("cannot deregister", -ret);
}

static void measure(const char *subject, void *map, size_t bytes)
{
	uint64_t reg[BENCH_RUNS], dereg[BENCH_RUNS];

	run_once(map, bytes, &reg[0], &dereg[0]);	/* warms up */
	for (int i = 0; i < BENCH_RUNS; i++)
		run_once(map, bytes, &reg[i], &dereg[i]);
	bench_figure("register", subject, "reg", bytes, bench_median(reg, BENCH_RUNS));
	bench_figure("register", subject, "dereg", bytes, bench_median(dereg, BENCH_RUNS));
}

static const struct subject {
	const char *name;
	void *(*map)(int *fd);
} subjects[] = {
	{ "device-dax", map_device },
	{ "anonymous-4k", map_small },
	{ "anonymous-thp", map_huge },
	{ "ext4-leased", map_ext4 },
	{ "xfs-leased", map_xfs },
};

static void run_subject(const struct subject *subject)
{
	int fd;
	void *map = subject->map(&fd);

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		measure(subject->name, map, sizes[i]);
	munmap(map, LARGEST);
	if (fd >= 0)
		close(fd);
}

int main(void)
{
	int ret = nic_open(&nic, ENV_RXE);

	if (ret)
		bench_fail(ENV_RXE, ret);
	for (size_t i = 0; i < sizeof(subjects) / sizeof(subjects[0]); i++)
		run_subject(&subjects[i]);
	nic_close(&nic);
	unlink(ENV_EXT4 "/bench");
	unlink(ENV_XFS "/bench");
	return EXIT_SUCCESS;
}
