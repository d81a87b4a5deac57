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
enum { FIRST, LAST, NOT_BELOW, ENDS };

static const char *const where_is[FAILURE_WHERE][ENDS] = {
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

static unsigned long long address[FAILURE_WHERE][ENDS];

/* "ffffffff8124b3e0 T handle_mm_fault": is it one of those we look for? */
static void note_address(const char *line)
{
	char name[128], type;
	unsigned long long at;
	unsigned int i, j;

	if (sscanf(line, "%llx %c %127s", &at, &type, name) != 3)
		return;
	for (i = 0; i < FAILURE_WHERE; i++)
		for (j = 0; j < ENDS; j++)
			if (!strcmp(name, where_is[i][j]))
				address[i][j] = at;
}

int failure_prepare_some(void)
{
	FILE *file = fopen("/proc/kallsyms", "r");
	char line[REPORT_LINE];

	if (!file)
		return -errno;
	while (fgets(line, sizeof(line), file))
		note_address(line);
	fclose(file);
	return failure_prepare();
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
	const unsigned long long *at = address[where];

	return set_range("require", at[FIRST], at[LAST]) ?:
	       set_range("reject", at[NOT_BELOW], at[NOT_BELOW]);
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
