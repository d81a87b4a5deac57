// SPDX-License-Identifier: GPL-2.0
/*
 * Tracepoints layout_lease:*, in an instance of tracefs of our own, so that
 * nobody's trace is disturbed.  It is named after our process: whoever dies
 * without removing his leaves it to the next one.
 */
#include "trace.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "system.h"

#define INSTANCE	"flayout."	/* and our process number */
#define NSEC		1000000000L

static char *instance;		/* its path, while there is one */
static int pipe_fd = -1;

static void remove_stale(const char *instances)
{
	DIR *dir = opendir(instances);
	struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		char *path;
		int pid;

		if (sscanf(entry->d_name, INSTANCE "%d", &pid) != 1 ||
		    !kill(pid, 0) || errno != ESRCH)
			continue;
		path = format_text("%s/%s", instances, entry->d_name);
		rmdir(path);
		free(path);
	}
	if (dir)
		closedir(dir);
}

static bool make_instance(const char *tracing)
{
	char *instances = system_path("%s/instances", tracing);

	remove_stale(instances);
	instance = format_text("%s/" INSTANCE "%d", instances, getpid());
	free(instances);
	if (!mkdir(instance, 0700))
		return true;
	free(instance);
	instance = NULL;
	return false;
}

static bool set(const char *name, const char *value)
{
	char *path = format_text("%s/%s", instance, name);
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool done = fd >= 0 && write(fd, value, strlen(value)) > 0;

	if (fd >= 0)
		close(fd);
	free(path);
	return done;
}

static bool begin_events(void)
{
	char *path;

	set("buffer_percent", "0");	/* poll() ends at the first event */
	set("options/record-tgid", "1");
	if (!set("trace_clock", "mono") || !set("events/layout_lease/enable", "1"))
		return false;
	path = format_text("%s/trace_pipe", instance);
	pipe_fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	free(path);
	return pipe_fd >= 0;
}

int trace_begin(void)
{
	if (!make_instance("/sys/kernel/tracing") &&
	    !make_instance("/sys/kernel/debug/tracing"))
		return -1;
	if (begin_events())
		return pipe_fd;
	trace_end();
	return -1;
}

void trace_end(void)
{
	if (pipe_fd >= 0)
		close(pipe_fd);
	pipe_fd = -1;
	if (!instance)
		return;
	set("events/layout_lease/enable", "0");
	rmdir(instance);
	free(instance);
	instance = NULL;
}

/*
 * Lines: "COMM-PID (TGID) [CPU] FLAGS SECONDS.USEC: layout_lease_NAME: KEY VALUE ..."
 */

static void parse_time(struct event *event, const char *text)
{
	long long seconds = 0;
	long usec = 0;

	sscanf(text, "%lld.%6ld", &seconds, &usec);
	event->time.tv_sec = seconds;
	event->time.tv_nsec = usec * 1000;
}

static void cut_blanks(char *text)
{
	size_t len = strlen(text);

	while (len && isspace((unsigned char)text[len - 1]))
		text[--len] = '\0';
}

/* "COMM-PID (TGID)": the process if it is told, else the thread. */
static void parse_task(struct event *event, char *text)
{
	char *tgid = strrchr(text, '('), *dash;
	uint64_t pid = 0;

	if (tgid)
		*tgid++ = '\0';
	cut_blanks(text);
	dash = strrchr(text, '-');
	if (!dash)
		return;
	*dash = '\0';
	event->pid = strtoull(dash + 1, NULL, 10);
	if (tgid && sscanf(tgid, " %" SCNu64, &pid) == 1 && pid)
		event->pid = pid;
	text += strspn(text, " ");
	snprintf(event->comm, sizeof(event->comm), "%s", text);
}

static void parse_dev(struct event *event, const char *value)
{
	sscanf(value, "%" SCNu64 ":%" SCNu64, &event->file.dev_major,
	       &event->file.dev_minor);
}

static void parse_pair(struct event *event, const char *key, const char *value)
{
	uint64_t number = strtoull(value, NULL, 10);

	if (!strcmp(key, "dev"))
		parse_dev(event, value);
	else if (!strcmp(key, "ino"))
		event->file.ino = number;
	else if (!strcmp(key, "id"))
		event->lease = number;
	else if (!strcmp(key, "start"))
		event->start = number;
	else if (!strcmp(key, "end"))
		event->end = number >= INT64_MAX ? LAYOUT_TABLE_EOF : number;
	else if (!strcmp(key, "mode"))
		snprintf(event->mode, sizeof(event->mode), "%s", value);
	else if (!strcmp(key, "pins"))
		event->pins = number;
	else if (!strcmp(key, "pages"))
		event->pages = number;
	event->has_pins |= !strcmp(key, "pins");
}

static void parse_pairs(struct event *event, char *text)
{
	char *key, *value;

	while ((key = strsep(&text, " \n")) && (value = strsep(&text, " \n")))
		parse_pair(event, key, value);
}

/* The last one in the line: the name of the process may have it, too. */
static char *last_mark(char *line, const char *mark)
{
	char *last = NULL;

	while ((line = strstr(line, mark)))
		last = line++;
	return last;
}

bool trace_parse(char *line, struct event *event)
{
	static const char mark[] = ": layout_lease_";
	char *at = last_mark(line, mark), *colon, *cpu, *time;

	if (!at)
		return false;
	memset(event, 0, sizeof(*event));
	*at = '\0';
	at += sizeof(mark) - 1;
	colon = strstr(at, ": ");
	time = strrchr(line, ' ');
	cpu = strrchr(line, '[');
	if (!colon || !time || !cpu)
		return false;
	*colon = '\0';
	*cpu = '\0';
	snprintf(event->name, sizeof(event->name), "%s", at);
	parse_time(event, time + 1);
	parse_task(event, line);
	parse_pairs(event, colon + 2);
	return event->lease;
}

void trace_set_time_of_day(struct event *event)
{
	struct timespec mono, real;

	clock_gettime(CLOCK_MONOTONIC, &mono);
	clock_gettime(CLOCK_REALTIME, &real);
	event->time.tv_sec += real.tv_sec - mono.tv_sec;
	event->time.tv_nsec += real.tv_nsec - mono.tv_nsec;
	while (event->time.tv_nsec < 0) {
		event->time.tv_nsec += NSEC;
		event->time.tv_sec--;
	}
	while (event->time.tv_nsec >= NSEC) {
		event->time.tv_nsec -= NSEC;
		event->time.tv_sec++;
	}
}
