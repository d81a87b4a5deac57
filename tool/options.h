/* SPDX-License-Identifier: GPL-2.0 */
/* Arguments that several commands take.  Each exits with a message if it is bad. */
#ifndef FLAYOUT_OPTIONS_H
#define FLAYOUT_OPTIONS_H

#include <stdint.h>

/* A number above 0; @what it is goes into the message. */
uint64_t option_number(const char *arg, const char *what);

/* Seconds, with a fraction if need be, as milliseconds; at most a day. */
unsigned int option_seconds(const char *arg);

/* Bytes; K, M, G or T may follow, which count in 1024s. */
uint64_t option_bytes(const char *arg, const char **end);

/* START:LEN in bytes, LEN 0: to the end. */
struct byte_range {
	uint64_t start;
	uint64_t len;
};
struct byte_range option_range(const char *arg);

/* A signal's name, with or without SIG, or its number. */
int option_signal(const char *arg);

#endif
