// SPDX-License-Identifier: GPL-2.0
/* Something that happened to a lease, printed. */
#include "event.h"

#include <inttypes.h>
#include <stdio.h>

#include "json.h"
#include "printable.h"

/* A saved trace has no time of day, but seconds since boot. */
#define YEAR_SECONDS	(365 * 24 * 3600)

/* Text shows the hour here, JSON all of it in UTC. */
static void format_time(char *text, size_t size, const struct event *event,
			bool json)
{
	const time_t *seconds = &event->time.tv_sec;
	long usec = event->time.tv_nsec / 1000;
	char date[32];
	struct tm tm;

	if (*seconds < YEAR_SECONDS) {
		snprintf(text, size, "%jd.%06ld", (intmax_t)*seconds, usec);
		return;
	}
	if (json)
		gmtime_r(seconds, &tm);
	else
		localtime_r(seconds, &tm);
	strftime(date, sizeof(date), json ? "%Y-%m-%dT%H:%M:%S" : "%H:%M:%S", &tm);
	snprintf(text, size, "%s.%06ld%s", date, usec, json ? "Z" : "");
}

static void print_file(const struct event *event)
{
	putchar(' ');
	if (event->path && *event->path)
		print_name(event->path);
	else
		printf("%" PRIu64 ":%" PRIu64 " inode %" PRIu64,
		       event->file.dev_major, event->file.dev_minor,
		       event->file.ino);
}

static void print_process(const struct event *event)
{
	if (!event->pid)
		return;
	printf(" by ");
	print_name(*event->comm ? event->comm : "?");
	printf(" (%" PRIu64 ")", event->pid);
}

static void print_text(const struct event *event)
{
	char time[64];

	format_time(time, sizeof(time), event, false);
	printf("%s %-7s lease %" PRIu64, time, event->name, event->lease);
	if (*event->mode)
		printf(" %s", event->mode);
	printf(" %" PRIu64 "-", event->start);
	if (event->end == LAYOUT_TABLE_EOF)
		printf("EOF");
	else
		printf("%" PRIu64, event->end);
	if (event->has_pins)
		printf(" pins %" PRIu64, event->pins);
	printf(" pages %" PRIu64, event->pages);
	print_file(event);
	print_process(event);
	putchar('\n');
}

static void print_json(const struct event *event)
{
	struct json_object *object = json_object_new_object();
	char device[48], time[64];

	snprintf(device, sizeof(device), "%" PRIu64 ":%" PRIu64,
		 event->file.dev_major, event->file.dev_minor);
	format_time(time, sizeof(time), event, true);
	json_add_string(object, "time", time);
	json_add_string(object, "event", event->name);
	json_add_number(object, "id", event->lease);
	json_add_string(object, "maj:min", device);
	json_add_number(object, "inode", event->file.ino);
	json_add_range(object, event->start, event->end);
	json_add_string(object, "mode", event->mode);
	json_add(object, "pins", event->has_pins ?
		 json_object_new_uint64(event->pins) : NULL);
	json_add_number(object, "pages", event->pages);
	json_add_process(object, event->pid, event->comm);
	json_add_string(object, "path", event->path);
	json_print(object, true);
}

void event_print(const struct event *event, bool json)
{
	if (json)
		print_json(event);
	else
		print_text(event);
	fflush(stdout);
}
