// SPDX-License-Identifier: GPL-2.0
/*
 * bench-plain: what those pay who take no lease.  Runs on our kernel and on the
 * stock one of the same configuration; the figures are worth comparing only
 * with each other.
 */
#include <errno.h>
#include <fcntl.h>
#include <mm/gup_test.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../../tests/guest/env.h"
#include "../../tests/guest/lib/rdma.h"
#include "bench.h"

#define LOOPS		500
#define PIN_BYTES	(64 * MIB)
#define FAULT_BYTES	(4 * MIB)
#define FOLL_WRITE	0x01	/* of include/linux/mm_types.h */

static uint64_t open_close(const char *path)
{
	uint64_t start;

	close(bench_file(path, 4096));
	start = bench_now();
	for (int i = 0; i < LOOPS; i++)
		close(open(path, O_RDWR));
	return (bench_now() - start) / LOOPS;
}

static uint64_t truncate_1m(const char *path)
{
	uint64_t ns[BENCH_RUNS];

	for (int i = 0; i < BENCH_RUNS; i++) {
		uint64_t start;

		close(bench_file(path, MIB));
		start = bench_now();
		if (truncate(path, 0))
			bench_fail(path, -errno);
		ns[i] = bench_now() - start;
	}
	return bench_median(ns, BENCH_RUNS);
}

static uint64_t write_4k(const char *path)
{
	static char page[4096];
	int fd = bench_file(path, sizeof(page));
	uint64_t start = bench_now();

	for (int i = 0; i < LOOPS; i++) {
		if (pwrite(fd, page, sizeof(page), 0) != sizeof(page))
			bench_fail(path, -errno);
	}
	start = bench_now() - start;
	close(fd);
	return start / LOOPS;
}

/* Mapped afresh for each run, one page apart: a fault for each, if pages are small. */
static uint64_t fault_4m(const char *path)
{
	int fd = bench_file(path, FAULT_BYTES);
	uint64_t ns[BENCH_RUNS];

	for (int i = 0; i < BENCH_RUNS; i++) {
		uint64_t start = bench_now();
		void *map = bench_map(fd, FAULT_BYTES);

		ns[i] = bench_now() - start;
		munmap(map, FAULT_BYTES);
	}
	close(fd);
	return bench_median(ns, BENCH_RUNS);
}

static const struct file_figure {
	const char *op;
	size_t bytes;
	uint64_t (*run)(const char *path);
} file_figures[] = {
	{ "open+close", 0, open_close },
	{ "truncate", MIB, truncate_1m },
	{ "write", 4096, write_4k },
	{ "fault", FAULT_BYTES, fault_4m },
};

static void run_files(const char *fs, const char *path)
{
	for (size_t i = 0; i < sizeof(file_figures) / sizeof(file_figures[0]); i++) {
		const struct file_figure *f = &file_figures[i];

		f->run(path);	/* warms up */
		bench_figure("plain", fs, f->op, f->bytes, f->run(path));
		unlink(path);
	}
}

/* The kernel's own benchmark, whose clock knows microseconds. */
static void pin_fast(const char *subject, int advice)
{
	char *map = bench_map(-1, PIN_BYTES);
	struct gup_test gup = {
		.addr = (unsigned long)map,
		.size = PIN_BYTES,
		.nr_pages_per_call = 512,
		.gup_flags = FOLL_WRITE,
	};
	int fd = open("/sys/kernel/debug/gup_test", O_RDWR);

	if (fd < 0 || madvise(map, PIN_BYTES, advice))
		bench_fail("/sys/kernel/debug/gup_test", -errno);
	for (size_t i = 0; i < PIN_BYTES; i += 4096)
		map[i] = 1;
	for (int i = 0; i < 2; i++) {	/* the first run warms up */
		gup.size = PIN_BYTES;
		if (ioctl(fd, PIN_FAST_BENCHMARK, &gup))
			bench_fail("PIN_FAST_BENCHMARK", -errno);
	}
	bench_figure("plain", subject, "pin_user_pages_fast", PIN_BYTES,
		     gup.get_delta_usec * 1000);
	bench_figure("plain", subject, "unpin_user_pages", PIN_BYTES,
		     gup.put_delta_usec * 1000);
	close(fd);
	munmap(map, PIN_BYTES);
}

static void reg_anonymous(void)
{
	char *map = bench_map(-1, 16 * MIB);
	uint64_t ns[BENCH_RUNS], start;
	struct nic nic;
	int ret = nic_open(&nic, ENV_RXE);

	if (ret)
		bench_fail(ENV_RXE, ret);
	for (size_t i = 0; i < 16 * MIB; i += 4096)
		map[i] = 1;
	for (int i = -1; i < BENCH_RUNS; i++) {	/* the first run warms up */
		start = bench_now();
		ret = mr_try(&nic, map, 16 * MIB, MR_SERVER);
		if (ret)
			bench_fail("cannot register", ret);
		ns[i < 0 ? 0 : i] = bench_now() - start;
	}
	bench_figure("plain", "anonymous-thp", "reg+dereg", 16 * MIB,
		     bench_median(ns, BENCH_RUNS));
	nic_close(&nic);
}

int main(void)
{
	run_files("ext4-dax", ENV_EXT4 "/plain");
	run_files("xfs-dax", ENV_XFS "/plain");
	run_files("ext4", ENV_EXT4_NODAX "/plain");
	run_files("xfs", ENV_XFS_NODAX "/plain");
	pin_fast("anonymous-4k", MADV_NOHUGEPAGE);
	pin_fast("anonymous-thp", MADV_HUGEPAGE);
	reg_anonymous();
	return EXIT_SUCCESS;
}
