// SPDX-License-Identifier: GPL-2.0
/* Small files of /proc and /sys, below --sysroot. */
#include "system.h"

#include <ctype.h>
#include <dirent.h>
#include <err.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "flayout.h"

static const char *root = "";

void system_set_root(const char *dir)
{
	root = dir;
}

static char *format_va(const char *format, va_list ap)
{
	char *text;

	if (vasprintf(&text, format, ap) < 0)
		err(exit_failure, "cannot allocate");
	return text;
}

char *format_text(const char *format, ...)
{
	va_list ap;
	char *text;

	va_start(ap, format);
	text = format_va(format, ap);
	va_end(ap);
	return text;
}

static char *path_va(const char *format, va_list ap)
{
	char *inside = format_va(format, ap);
	char *path = format_text("%s%s", root, inside);

	free(inside);
	return path;
}

static FILE *open_va(const char *format, va_list ap)
{
	char *path = path_va(format, ap);
	FILE *file = fopen(path, "re");
	int error = errno;

	free(path);
	errno = error;
	return file;
}

char *system_path(const char *format, ...)
{
	va_list ap;
	char *path;

	va_start(ap, format);
	path = path_va(format, ap);
	va_end(ap);
	return path;
}

FILE *system_open(const char *format, ...)
{
	va_list ap;
	FILE *file;

	va_start(ap, format);
	file = open_va(format, ap);
	va_end(ap);
	return file;
}

static char *line_va(const char *format, va_list ap)
{
	FILE *file = open_va(format, ap);
	char *line = NULL;
	size_t size = 0;
	ssize_t len;

	if (!file)
		return NULL;
	len = getline(&line, &size, file);
	fclose(file);
	if (len < 0) {
		free(line);
		return NULL;
	}
	line[strcspn(line, "\n")] = '\0';
	return line;
}

char *system_line(const char *format, ...)
{
	va_list ap;
	char *line;

	va_start(ap, format);
	line = line_va(format, ap);
	va_end(ap);
	return line;
}

bool system_number(uint64_t *value, const char *format, ...)
{
	bool found;
	va_list ap;
	char *line;

	va_start(ap, format);
	line = line_va(format, ap);
	va_end(ap);
	found = line && isdigit((unsigned char)*line);
	if (found)
		*value = strtoull(line, NULL, 10);
	free(line);
	return found;
}

char *system_link(const char *format, ...)
{
	char target[PATH_MAX];
	va_list ap;
	ssize_t len;
	char *path;

	va_start(ap, format);
	path = path_va(format, ap);
	va_end(ap);
	len = readlink(path, target, sizeof(target) - 1);
	free(path);
	if (len < 0)
		return NULL;
	target[len] = '\0';
	path = strrchr(target, '/');
	return format_text("%s", path ? path + 1 : target);
}

char *system_comm(uint64_t pid)
{
	return system_line("/proc/%" PRIu64 "/comm", pid);
}

void system_each_pid(void (*each)(uint64_t pid, void *arg), void *arg)
{
	char *path = system_path("/proc");
	DIR *dir = opendir(path);
	struct dirent *entry;

	free(path);
	while (dir && (entry = readdir(dir))) {
		if (isdigit((unsigned char)*entry->d_name))
			each(strtoull(entry->d_name, NULL, 10), arg);
	}
	if (dir)
		closedir(dir);
}
