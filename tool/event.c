// SPDX-License-Identifier: GPL-2.0
/* Something that happened to a lease, printed. */
#include "event.h"

#include <inttypes.h>
#include <stdio.h>

#include "json.h"

/* A saved trace has no time of day, but seconds since boot. */
#define YEAR_SECONDS	(365 * 24 * 3600)

static void print_time(const struct event *event)
{
	struct tm tm;
	char clock[16];

	if (event->time.tv_sec < YEAR_SECONDS) {
		printf("%jd", (intmax_t)event->time.tv_sec);
	} else {
		localtime_r(&event->time.tv_sec, &tm);
		strftime(clock, sizeof(clock), "%H:%M:%S", &tm);
		printf("%s", clock);
	}
	printf(".%06ld ", event->time.tv_nsec / 1000);
}

static void print_text(const struct event *event)
{
	print_time(event);
	printf("%-7s lease %" PRIu64, event->name, event->lease);
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
	if (event->path && *event->path)
		printf(" %s", event->path);
	else
		printf(" %" PRIu64 ":%" PRIu64 " inode %" PRIu64,
		       event->file.dev_major, event->file.dev_minor,
		       event->file.ino);
	if (event->pid)
		printf(" by %s (%" PRIu64 ")", event->comm, event->pid);
	putchar('\n');
}

static void add_time(struct json_object *object, const struct event *event)
{
	char date[32], text[64];
	struct tm tm;

	gmtime_r(&event->time.tv_sec, &tm);
	strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(text, sizeof(text), "%s.%06ldZ", date,
		 event->time.tv_nsec / 1000);
	json_add_string(object, "time", text);
}

static void print_json(const struct event *event)
{
	struct json_object *object = json_object_new_object();
	char device[48];

	snprintf(device, sizeof(device), "%" PRIu64 ":%" PRIu64,
		 event->file.dev_major, event->file.dev_minor);
	add_time(object, event);
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
