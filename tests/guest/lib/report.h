/* SPDX-License-Identifier: GPL-2.0 */
/* Reading what the kernel reports: lines of /proc files and their fields. */
#ifndef FLAYOUT_TESTS_REPORT_H
#define FLAYOUT_TESTS_REPORT_H

#include <stdbool.h>
#include <stddef.h>

#define REPORT_LINE	1024
#define REPORT_LEASES	"/proc/layout_leases"

/**
 * report_find - the first line of @path that begins with @start and contains @part
 * @line: out: the line without its newline (REPORT_LINE bytes), "" if there is none
 *
 * Return: the number of such lines, or a negative errno.
 */
int report_find(const char *path, const char *start, const char *part, char *line);

/** report_key - the value of KEY=VALUE in @line (to the next blank); "" if absent */
const char *report_key(const char *line, const char *key);

/** report_number - the same as a number; -1 if absent or no number */
long report_number(const char *line, const char *key);

/** report_lease, report_pins - the records of lease @id; number of lines or -errno */
int report_lease(unsigned long long id, char *line);
int report_pins(unsigned long long id, char *line);

/**
 * report_locks - lines of /proc/locks for the file of a descriptor
 * @kind: the first word of a line: "LEASE", "LAYOUT", "POSIX" ...
 *
 * Return: their number, or a negative errno.
 */
int report_locks(int fd, const char *kind);

/** report_pinned_pages - references for pins there are in the system: taken less given back */
long report_pinned_pages(void);

/** report_vm_pinned - kilobytes this process has pinned (VmPin), or -1 */
long report_vm_pinned(void);

/** report_write - write @text to @path (a trace control); 0 or a negative errno */
int report_write(const char *path, const char *text);

#endif
