// SPDX-License-Identifier: GPL-2.0
/*
 * flayout watch: events of leases as they happen.  They come from tracepoints;
 * where those cannot be had, from comparing the table of leases with what it was
 * a moment ago.
 */
#include "flayout.h"

#include <err.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "compare.h"
#include "options.h"
#include "printable.h"
#include "system.h"
#include "trace.h"

#define INTERVAL_MS	500	/* between two looks */

struct watch {
	char **files;
	struct file_id *ids;	/* of these, in the same order */
	size_t nr_files;
	bool json;
	bool poll;		/* --poll */
	const char *trace;	/* --trace */
	unsigned int interval;	/* ms */
	uint64_t count;		/* events still to come; 0 from the beginning: any number */
	int64_t deadline;	/* ms of CLOCK_MONOTONIC; 0: none */

	int signal_fd;
	int trace_fd;		/* -1: we poll */
	struct layout_table table;	/* as of the last look */
	char buffer[65536];	/* of the trace, up to a line that is not complete */
	size_t filled;
	bool done;
};

static void help(void)
{
	puts("Usage: flayout watch [OPTIONS] [FILE...]\n"
	     "\n"
	     "Print what happens to layout leases, of the given files only if there are any:\n"
	     "take, drop, break, denied, revoke, pin, unpin.  Events come from tracepoints, or,\n"
	     "without tracefs, from looking at " LAYOUT_TABLE_PATH " again and again;\n"
	     "then \"ended\" stands for drop and revoke.  Needs root.\n"
	     "\n"
	     "Options:\n"
	     "  -c, --count N      end after N events\n"
	     "  -i, --interval S   seconds between two looks, 0.5 by default\n"
	     "  -J, --json         one JSON object a line\n"
	     "      --poll         do without tracefs\n"
	     "  -t, --timeout S    end after S seconds\n"
	     "      --trace FILE   events of a saved trace, instead of what happens now\n"
	     "  -h, --help         this text\n"
	     "\n"
	     "Exit status: 0 at the end by --count, --timeout or a signal; 1 upon failure, and\n"
	     "if --timeout came before --count events.");
}

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

/*
 * What is printed
 */

static bool is_same_file(const struct file_id *a, const struct file_id *b)
{
	return a->dev_major == b->dev_major && a->dev_minor == b->dev_minor &&
		a->ino == b->ino;
}

static bool is_wanted(const struct watch *watch, const struct event *event)
{
	for (size_t i = 0; i < watch->nr_files; i++) {
		if (is_same_file(&watch->ids[i], &event->file))
			return true;
	}
	return !watch->nr_files;
}

static void show_event(struct event *event, void *arg)
{
	struct watch *watch = arg;

	if (watch->done || !is_wanted(watch, event))
		return;
	event_print(event, watch->json);
	if (ferror(stdout))
		err(exit_failure, "cannot write");
	if (watch->count && !--watch->count)
		watch->done = true;
}

/*
 * From the table
 */

static void look(struct watch *watch)
{
	struct layout_table now;

	if (leases_try_load(&now))
		return;
	compare_tables(&watch->table, &now, show_event, watch);
	layout_table_free(&watch->table);
	watch->table = now;
}

/*
 * From the trace
 */

static const char *path_in_table(const struct watch *watch, uint64_t lease)
{
	for (size_t i = 0; i < watch->table.nr; i++) {
		const struct layout_record *r = &watch->table.records[i];

		if (is_lease(r) && r->lease == lease)
			return r->path;
	}
	return NULL;
}

/* The trace names inodes.  What we have seen of a path stays good for its end. */
static const char *path_of(struct watch *watch, const struct event *event)
{
	struct layout_table now;
	const char *path;

	for (size_t i = 0; i < watch->nr_files; i++) {
		if (is_same_file(&watch->ids[i], &event->file))
			return watch->files[i];
	}
	path = path_in_table(watch, event->lease);
	if (path || watch->trace || leases_try_load(&now))
		return path;
	layout_table_free(&watch->table);
	watch->table = now;
	return path_in_table(watch, event->lease);
}

/* No line of an event begins so: it is indented. */
static void tell_loss(const char *line)
{
	char *copy;

	if (strncmp(line, "CPU:", 4) || !strstr(line, "EVENTS]"))
		return;
	copy = printable(line, false);
	warnx("events were lost: %s", copy);
	free(copy);
}

static void show_line(struct watch *watch, char *line)
{
	struct event event;
	char *comm;

	tell_loss(line);
	if (!trace_parse(line, &event))
		return;
	if (!watch->trace)
		trace_set_time_of_day(&event);
	/* The kernel's memory of names is short. */
	if (!strcmp(event.comm, "<...>")) {
		comm = system_comm(event.pid);
		snprintf(event.comm, sizeof(event.comm), "%s", comm ?: "");
		free(comm);
	}
	event.path = path_of(watch, &event);
	show_event(&event, watch);
}

static void show_lines(struct watch *watch)
{
	char *line = watch->buffer, *end;

	watch->buffer[watch->filled] = '\0';
	while ((end = strchr(line, '\n'))) {
		*end = '\0';
		show_line(watch, line);
		line = end + 1;
	}
	watch->filled -= line - watch->buffer;
	memmove(watch->buffer, line, watch->filled);
	if (watch->filled == sizeof(watch->buffer) - 1)
		watch->filled = 0;	/* no line of ours is as long */
}

static void read_trace(struct watch *watch)
{
	ssize_t len;

	while (!watch->done) {
		len = read(watch->trace_fd, watch->buffer + watch->filled,
			   sizeof(watch->buffer) - 1 - watch->filled);
		if (len <= 0)
			return;
		watch->filled += len;
		show_lines(watch);
	}
}

static void read_saved(struct watch *watch)
{
	FILE *file = fopen(watch->trace, "re");
	size_t size = 0;
	char *line = NULL;

	if (!file)
		err(exit_failure, "%s", watch->trace);
	while (!watch->done && getline(&line, &size, file) > 0) {
		line[strcspn(line, "\n")] = '\0';
		show_line(watch, line);
	}
	free(line);
	fclose(file);
}

/*
 * The loop
 */

static int wait_ms(const struct watch *watch)
{
	int64_t left, interval = watch->interval;

	if (!watch->deadline)
		return interval;
	left = watch->deadline - now_ms();
	if (left < 0)
		left = 0;
	return left < interval ? left : interval;
}

static void run(struct watch *watch)
{
	struct pollfd fds[2] = {
		{ watch->signal_fd, POLLIN, 0 },
		{ watch->trace_fd, POLLIN, 0 },
	};

	while (!watch->done) {
		poll(fds, 2, wait_ms(watch));
		if (watch->trace_fd >= 0)
			read_trace(watch);
		else
			look(watch);
		if (fds[0].revents ||
		    (watch->deadline && now_ms() >= watch->deadline))
			break;
	}
}

/* The instance of tracefs must go, however we end. */
static int catch_signals(void)
{
	sigset_t set;
	int fd;

	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&set);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGQUIT);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	fd = signalfd(-1, &set, SFD_CLOEXEC);
	if (fd < 0)
		err(exit_failure, "signalfd");
	return fd;
}

static int watch_live(struct watch *watch)
{
	uint64_t wanted = watch->count;

	leases_load(&watch->table, NULL);
	watch->signal_fd = catch_signals();
	atexit(trace_end);
	watch->trace_fd = watch->poll ? -1 : trace_begin();
	if (watch->trace_fd < 0 && !watch->poll)
		warnx("no tracepoints in tracefs (/sys/kernel/tracing); looking every %u ms instead",
		      watch->interval);
	run(watch);
	trace_end();
	close(watch->signal_fd);
	return wanted && watch->count && watch->deadline &&
		now_ms() >= watch->deadline ? EXIT_FAILURE : EXIT_SUCCESS;
}

enum { OPTION_POLL = 256, OPTION_TRACE };

static const struct option long_options[] = {
	{ "count", required_argument, NULL, 'c' },
	{ "help", no_argument, NULL, 'h' },
	{ "interval", required_argument, NULL, 'i' },
	{ "json", no_argument, NULL, 'J' },
	{ "poll", no_argument, NULL, OPTION_POLL },
	{ "timeout", required_argument, NULL, 't' },
	{ "trace", required_argument, NULL, OPTION_TRACE },
	{ }
};

static void set_option(struct watch *watch, int c)
{
	switch (c) {
	case 'c':
		watch->count = option_number(optarg, "event");
		break;
	case 'i':
		watch->interval = option_seconds(optarg);
		if (!watch->interval)
			errx(exit_failure, "--interval must be longer than 0");
		break;
	case 'J':
		watch->json = true;
		break;
	case 't':
		watch->deadline = now_ms() + option_seconds(optarg);
		break;
	case OPTION_POLL:
		watch->poll = true;
		break;
	case OPTION_TRACE:
		watch->trace = optarg;
		break;
	case 'h':
		help();
		exit(EXIT_SUCCESS);
	default:
		errx(exit_failure, "try 'flayout watch --help'");
	}
}

static void find_files(struct watch *watch, char **files, size_t nr)
{
	watch->files = files;
	watch->nr_files = nr;
	watch->ids = calloc(nr + 1, sizeof(*watch->ids));
	if (!watch->ids)
		err(exit_failure, "cannot allocate");
	for (size_t i = 0; i < nr; i++)
		watch->ids[i] = file_id_of_path(files[i]);
}

int watch_main(int argc, char **argv)
{
	static struct watch watch = { .interval = INTERVAL_MS };
	int c, status = EXIT_SUCCESS;

	while ((c = getopt_long(argc, argv, "c:hi:Jt:", long_options, NULL)) != -1)
		set_option(&watch, c);
	find_files(&watch, argv + optind, argc - optind);
	if (watch.trace)
		read_saved(&watch);
	else
		status = watch_live(&watch);
	free(watch.ids);
	layout_table_free(&watch.table);
	return status;
}
