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

/*
 * The code in which failure_some() makes allocations fail: from one function to
 * another, but not below a third.  File systems are left alone: they try again,
 * and complain.
 */
static const struct {
	const char *first, *last, *not_below;
} where_is[FAILURE_WHERE] = {
	/* fs/layout_*.c, fs/leased_pin.c */
	{ "layout_put", "layout_snapshot_free", "xfs_file_layout_unshare" },
	/* mm/longterm_pin.c */
	{ "walk_append", "longterm_pin_release", "handle_mm_fault" },
	/* uverbs_lease.c, and the drivers below it */
	{ "uverbs_owner_init", "uverbs_mr_free", "handle_mm_fault" },
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

/* A range of addresses of code; @what is "require" or "reject". */
static int set_range(const char *what, unsigned long long first, unsigned long long last)
{
	char name[32], text[32];
	unsigned int i;
	int ret = first && last ? 0 : -ENOENT;

	for (i = 0; i < KINDS && !ret; i++) {
		snprintf(name, sizeof(name), "%s-start", what);
		snprintf(text, sizeof(text), "%#llx", first);
		ret = set(kinds[i], name, text);
		if (ret)
			break;
		snprintf(name, sizeof(name), "%s-end", what);
		snprintf(text, sizeof(text), "%#llx", last + TAIL);
		ret = set(kinds[i], name, text);
	}
	return ret;
}

static int set_where(unsigned int where)
{
	static struct {
		unsigned long long first, last, not_below;
	} at[FAILURE_WHERE];

	if (!at[where].first) {
		at[where].first = address_of(where_is[where].first);
		at[where].last = address_of(where_is[where].last);
		at[where].not_below = address_of(where_is[where].not_below);
	}
	return set_range("require", at[where].first, at[where].last) ?:
	       set_range("reject", at[where].not_below, at[where].not_below);
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
