/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Small files of /proc and /sys.  All paths pass through here, so that
 * --sysroot can put saved copies in their place.
 */
#ifndef FLAYOUT_SYSTEM_H
#define FLAYOUT_SYSTEM_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define SYSTEM_FORMAT	__attribute__((format(printf, 1, 2)))

/* Paths begin in @dir from now on; it must stay. */
void system_set_root(const char *dir);

/* The path, below the root; to be freed. */
char *system_path(const char *format, ...) SYSTEM_FORMAT;

/* Open for reading; NULL and errno on failure. */
FILE *system_open(const char *format, ...) SYSTEM_FORMAT;

/* The first line without its newline, to be freed; NULL if there is none. */
char *system_line(const char *format, ...) SYSTEM_FORMAT;

/* The number a file begins with; false, and *@value untouched, without one. */
bool system_number(uint64_t *value, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* The last component of what a symbolic link says, to be freed, or NULL. */
char *system_link(const char *format, ...) SYSTEM_FORMAT;

/* The name of a process, to be freed, or NULL. */
char *system_comm(uint64_t pid);

/* Call @each for every process there is. */
void system_each_pid(void (*each)(uint64_t pid, void *arg), void *arg);

/* Like asprintf(), but it exits when there is no memory. */
char *format_text(const char *format, ...) SYSTEM_FORMAT;

#endif
