// SPDX-License-Identifier: GPL-2.0
/* Time, files, and the form of a figure; see bench.h. */
#include "bench.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define HUGE	(2UL << 20)

uint64_t bench_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

uint64_t bench_median(uint64_t *values, size_t nr)
{
	qsort(values, nr, sizeof(*values), compare);
	return values[nr / 2];
}

void bench_figure(const char *group, const char *subject, const char *op, size_t bytes,
		  uint64_t ns)
{
	printf("figure %s %s %s %zu %llu\n", group, subject, op, bytes, (unsigned long long)ns);
	fflush(stdout);
}

void bench_fail(const char *what, int ret)
{
	fprintf(stderr, "%s: %s\n", what, strerror(-ret));
	exit(EXIT_FAILURE);
}

int bench_file(const char *path, size_t bytes)
{
	static char zeros[1 << 20];
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	if (fd < 0)
		bench_fail(path, -errno);
	while (bytes) {
		ssize_t done = write(fd, zeros, bytes < sizeof(zeros) ? bytes : sizeof(zeros));

		if (done <= 0)
			bench_fail(path, -errno);
		bytes -= done;
	}
	if (fsync(fd))
		bench_fail(path, -errno);
	return fd;
}

/* Reserve more than is needed, and map at the first huge boundary in it. */
static void *huge_boundary(size_t bytes)
{
	char *at = mmap(NULL, bytes + HUGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (at == MAP_FAILED)
		bench_fail("cannot reserve addresses", -errno);
	return (void *)(((unsigned long)at + HUGE - 1) & ~(HUGE - 1));
}

void *bench_map(int fd, size_t bytes)
{
	int flags = MAP_FIXED | (fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED);
	char *map = mmap(huge_boundary((bytes + HUGE - 1) & ~(HUGE - 1)), bytes,
			 PROT_READ | PROT_WRITE, flags, fd, 0);

	if (map == MAP_FAILED)
		bench_fail("cannot map", -errno);
	if (fd >= 0) {
		for (size_t i = 0; i < bytes; i += 4096)
			*(volatile char *)(map + i) = 1;
	}
	return map;
}

void bench_sysctl(const char *name, int value)
{
	char path[128];
	FILE *file;

	snprintf(path, sizeof(path), "/proc/sys/%s", name);
	file = fopen(path, "w");
	if (!file || fprintf(file, "%d\n", value) < 0 || fclose(file))
		bench_fail(path, -errno);
}
