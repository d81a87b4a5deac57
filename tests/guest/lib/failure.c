// SPDX-License-Identifier: GPL-2.0
/* Making the kernel fail; see failure.h, and Documentation/fault-injection of the kernel. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "failure.h"
#include "report.h"

#define DEBUG		"/sys/kernel/debug/"
#define NTH		"/proc/thread-self/fail-nth"

static const char *const kinds[] = { "failslab", "fail_page_alloc", "fail_usercopy" };

#define KINDS	(sizeof(kinds) / sizeof(*kinds))

/* The code in which failure_some() makes allocations fail: from one function to another. */
static const struct {
	const char *first, *last;
} where_is[FAILURE_WHERE] = {
	{ "layout_put", "layout_snapshot_free" },		/* fs/layout_*.c, fs/leased_pin.c */
	{ "walk_append", "longterm_pin_release" },		/* mm/longterm_pin.c */
	{ "uverbs_owner_init", "uverbs_mr_free" },		/* uverbs_lease.c */
};

/* Some functions are longer than nothing. */
#define TAIL	512

static int set(const char *kind, const char *name, const char *value)
{
	char path[128];

	snprintf(path, sizeof(path), DEBUG "%s/%s", kind, name);
	return report_write(path, value);
}

int failure_prepare(void)
{
	unsigned int i;
	int ret = set("failslab", "ignore-gfp-wait", "N");

	if (!ret)
		ret = set("fail_page_alloc", "ignore-gfp-wait", "N");
	if (!ret)
		ret = set("fail_page_alloc", "ignore-gfp-highmem", "N");
	if (!ret)
		ret = set("fail_page_alloc", "min-order", "0");
	for (i = 0; i < KINDS && !ret; i++)
		ret = set(kinds[i], "verbose", "0");
	return ret;
}

/* Even these two may be the ones that fail: then the rest went well. */
static int disarm(int file)
{
	char left[16] = { 0 };
	bool hit = false;
	ssize_t got = pread(file, left, sizeof(left) - 1, 0);

	if (got > 0)
		hit = atoi(left) == 0;
	else if (got < 0 && errno != EFAULT)
		return -errno;
	if (pwrite(file, "0", 1, 0) != 1 && pwrite(file, "0", 1, 0) != 1)
		return -errno;
	return hit;
}

int failure_nth(unsigned int n, int (*fn)(void *arg), void *arg, int *ret)
{
	int file = open(NTH, O_RDWR | O_CLOEXEC), hit;
	char text[16];
	int len = snprintf(text, sizeof(text), "%u", n);

	if (file < 0)
		return -errno;
	if (pwrite(file, text, len, 0) != len) {
		hit = -errno;
	} else {
		*ret = fn(arg);
		hit = disarm(file);
	}
	close(file);
	return hit;
}

static unsigned long long address_of(const char *function)
{
	char line[REPORT_LINE], part[80];

	snprintf(part, sizeof(part), " %s\n", function);
	if (report_find("/proc/kallsyms", "", part, line) != 1)
		return 0;
	return strtoull(line, NULL, 16);
}

static int set_where(unsigned int where)
{
	static unsigned long long first[FAILURE_WHERE], last[FAILURE_WHERE];
	char start[32], end[32];
	unsigned int i;
	int ret = 0;

	if (!first[where]) {
		first[where] = address_of(where_is[where].first);
		last[where] = address_of(where_is[where].last) + TAIL;
	}
	if (!first[where] || last[where] == TAIL)
		return -ENOENT;
	snprintf(start, sizeof(start), "%#llx", first[where]);
	snprintf(end, sizeof(end), "%#llx", last[where]);
	for (i = 0; i < KINDS && !ret; i++) {
		ret = set(kinds[i], "require-start", start);
		if (!ret)
			ret = set(kinds[i], "require-end", end);
	}
	return ret;
}

int failure_some(unsigned int percent, unsigned int where)
{
	char text[16];
	unsigned int i;
	int ret = percent ? set_where(where) : 0;

	snprintf(text, sizeof(text), "%u", percent);
	for (i = 0; i < KINDS && !ret; i++) {
		ret = set(kinds[i], "task-filter", "Y");
		if (!ret)
			ret = set(kinds[i], "times", "-1");
		if (!ret)
			ret = set(kinds[i], "stacktrace-depth", "32");
		if (!ret)
			ret = set(kinds[i], "probability", text);
	}
	return ret;
}

int failure_for_me(void)
{
	return report_write("/proc/self/make-it-fail", "1");
}
