/* SPDX-License-Identifier: GPL-2.0 */
/* Tracepoints layout_lease:*, in an instance of tracefs of our own. */
#ifndef FLAYOUT_TRACE_H
#define FLAYOUT_TRACE_H

#include "event.h"

/*
 * Make the instance and begin.  Instances whose process has died are removed.
 * Returns a descriptor to poll and read lines from, nonblocking; -1 if tracefs
 * or the tracepoints are not there, or not for us.
 */
int trace_begin(void);

/* Close the descriptor and remove the instance; does nothing without one. */
void trace_end(void);

/*
 * An event out of one line of trace_pipe, its time as it stands there.  False if
 * it is none of ours; the line is changed.
 */
bool trace_parse(char *line, struct event *event);

/* The time of day of an event whose clock is CLOCK_MONOTONIC. */
void trace_set_time_of_day(struct event *event);

#endif
