// SPDX-License-Identifier: GPL-2.0
/* Lines of /proc files and their fields; see report.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "report.h"

int report_find(const char *path, const char *start, const char *part, char *line)
{
	FILE *file = fopen(path, "r");
	char buf[REPORT_LINE];
	int count = 0;

	*line = 0;
	if (!file)
		return -errno;
	while (fgets(buf, sizeof(buf), file)) {
		if (strncmp(buf, start, strlen(start)) || !strstr(buf, part))
			continue;
		if (!count++) {
			buf[strcspn(buf, "\n")] = 0;
			snprintf(line, REPORT_LINE, "%s", buf);
		}
	}
	fclose(file);
	return count;
}

const char *report_key(const char *line, const char *key)
{
	static char value[REPORT_LINE];
	size_t len = strlen(key);
	const char *at = line;

	while ((at = strstr(at, key))) {
		if (at > line && at[-1] == ' ' && at[len] == '=') {
			snprintf(value, sizeof(value), "%s", at + len + 1);
			value[strcspn(value, " ")] = 0;
			return value;
		}
		at += len;
	}
	return "";
}

long report_number(const char *line, const char *key)
{
	const char *value = report_key(line, key);
	char *end;
	long number = strtol(value, &end, 10);

	return *value && !*end ? number : -1;
}

int report_lease(unsigned long long id, char *line)
{
	char part[64];

	snprintf(part, sizeof(part), " id=%llu ", id);
	return report_find(REPORT_LEASES, "lease ", part, line);
}

int report_pins(unsigned long long id, char *line)
{
	char part[64];

	snprintf(part, sizeof(part), " lease=%llu ", id);
	return report_find(REPORT_LEASES, "pin ", part, line);
}

int report_locks(int fd, const char *kind)
{
	char buf[REPORT_LINE], of[64], word[16];
	struct stat st;
	int count = 0;
	FILE *file;

	if (fstat(fd, &st))
		return -errno;
	snprintf(of, sizeof(of), " %02x:%02x:%lu ", major(st.st_dev), minor(st.st_dev),
		 (unsigned long)st.st_ino);
	file = fopen("/proc/locks", "r");
	if (!file)
		return -errno;
	while (fgets(buf, sizeof(buf), file))
		if (sscanf(buf, "%*d: %15s", word) == 1 && !strcmp(word, kind) && strstr(buf, of))
			count++;
	fclose(file);
	return count;
}

static long vmstat(const char *name)
{
	char line[REPORT_LINE];

	return report_find("/proc/vmstat", name, "", line) == 1 ? atol(line + strlen(name)) : 0;
}

long report_pinned_pages(void)
{
	/* the counters of all processors */
	report_write("/proc/sys/vm/stat_refresh", "1");
	return vmstat("nr_foll_pin_acquired ") - vmstat("nr_foll_pin_released ");
}

long report_vm_pinned(void)
{
	char line[REPORT_LINE];

	if (report_find("/proc/self/status", "VmPin:", "", line) != 1)
		return -1;
	return atol(line + 6);
}

int report_write(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_TRUNC);
	int ret = 0;

	if (fd < 0)
		return -errno;
	if (write(fd, text, strlen(text)) < 0)
		ret = -errno;
	close(fd);
	return ret;
}
