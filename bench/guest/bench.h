/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the benchmarks share: time, and the form of a figure.  In the VM of
 * "make bench" a nanosecond is an instruction.
 */
#ifndef FLAYOUT_BENCH_H
#define FLAYOUT_BENCH_H

#include <stddef.h>
#include <stdint.h>

#define BENCH_RUNS	5	/* of which the median is the figure */

/** bench_now - nanoseconds of the monotonic clock */
uint64_t bench_now(void);

/** bench_median - of @nr values, at least one; sorts them */
uint64_t bench_median(uint64_t *values, size_t nr);

/**
 * bench_figure - print one result in the form bench/report.awk reads
 * @group: the table it belongs to
 * @subject: what it was measured on
 * @op: what was done
 * @bytes: how much of it; 0 if that means nothing
 * @ns: how long it took
 */
void bench_figure(const char *group, const char *subject, const char *op, size_t bytes,
		  uint64_t ns);

/** bench_fail - say what went wrong and exit; @ret is a negative errno */
void bench_fail(const char *what, int ret) __attribute__((noreturn));

/** bench_file - a new file of @bytes written zeros at @path, open for reading and writing */
int bench_file(const char *path, size_t bytes);

/** bench_map - map @bytes of @fd shared, at an address aligned to 2 MiB, and touch each page */
void *bench_map(int fd, size_t bytes);

/** bench_sysctl - write @value to /proc/sys/@name */
void bench_sysctl(const char *name, int value);

#endif
