/* SPDX-License-Identifier: GPL-2.0 */
/* Names that anybody may have chosen, of processes and files, made fit to be printed. */
#ifndef FLAYOUT_PRINTABLE_H
#define FLAYOUT_PRINTABLE_H

#include <stdbool.h>

/*
 * A copy of @text, to be freed, in which control characters are written as \ooo,
 * as /proc does, and so are bytes that are no UTF-8: they could end a line and
 * forge the next one, or command the terminal.  For JSON, which has an escape of
 * its own for control characters, only the latter.
 */
char *printable(const char *text, bool json);

/* The same to standard output, as text. */
void print_name(const char *name);

#endif
