/* SPDX-License-Identifier: GPL-2.0 */
/* What both programs do, server and client: talk, tell the time, stop. */
#ifndef EXAMPLES_PROGRAM_H
#define EXAMPLES_PROGRAM_H

#include <signal.h>
#include <stdint.h>

/* SIGINT or SIGTERM has come, after catch_signals(). */
extern volatile sig_atomic_t stop;

/** catch_signals - without SA_RESTART, so that who sleeps wakes up */
void catch_signals(void);

/** say - a line for people, at once */
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/** now_ms - milliseconds of a clock that only goes forward */
uint64_t now_ms(void);

#endif
