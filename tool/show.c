// SPDX-License-Identifier: GPL-2.0
/*
 * flayout show: everything of one file.  It gathers first, and then writes, as
 * text or as JSON.
 */
#include "flayout.h"

#include <err.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "breaks.h"
#include "facts.h"
#include "json.h"
#include "printable.h"
#include "rows.h"

struct shown_file {
	struct file_facts facts;
	struct block_facts blocks;
	struct layout_table table;
	struct holders holders;
	struct waiters waiters;
	bool time_left;		/* --time-left */
};

static void help(void)
{
	puts("Usage: flayout show [OPTIONS] FILE\n"
	     "\n"
	     "Tell everything of FILE: where it lies and how it is mapped, its leases, the\n"
	     "pins under them, all processes that hold them, breaks under way.  Needs root.\n"
	     "\n"
	     "Options:\n"
	     "  -J, --json       JSON output\n"
	     "      --time-left  of a break, ask the holder's own description, for which it\n"
	     "                   is duplicated for a moment: a close meanwhile is not the last\n"
	     "  -h, --help       this text");
}

static bool is_of_file(const struct shown_file *file, const struct layout_record *r)
{
	return is_lease_of(r, &file->facts.id);
}

static bool is_broken(const struct shown_file *file, const struct layout_record *r)
{
	return is_of_file(file, r) && !strcmp(r->state, "breaking");
}

static bool has_breaks(const struct shown_file *file)
{
	for (size_t i = 0; i < file->table.nr; i++) {
		if (is_broken(file, &file->table.records[i]))
			return true;
	}
	return false;
}

static void gather(struct shown_file *file, const char *path)
{
	int fd;

	facts_find(&file->facts, path);
	if (!S_ISREG(file->facts.st.st_mode))
		errx(exit_failure, "%s: only regular files have layout leases", path);
	leases_load(&file->table, NULL);
	holders_load(&file->holders, 0);
	if (has_breaks(file))
		waiters_load(&file->waiters);
	fd = facts_open(&file->facts);
	if (fd < 0) {
		file->blocks.error = errno;
		return;
	}
	facts_find_blocks(&file->facts, fd, &file->blocks);
	close(fd);
}

static void release(struct shown_file *file)
{
	waiters_free(&file->waiters);
	holders_free(&file->holders);
	layout_table_free(&file->table);
	facts_free(&file->facts);
}

/* The next holder of @lease from *@nr on, or NULL. */
static const struct holder *next_holder(const struct shown_file *file,
					const struct layout_record *lease,
					size_t *nr)
{
	while (*nr < file->holders.nr) {
		const struct holder *holder = &file->holders.all[(*nr)++];

		if (holder_has(holder, lease))
			return holder;
	}
	return NULL;
}

/*
 * As text
 */

#define LABEL	"%-14s"

static void print_size(const char *before, uint64_t bytes, const char *after)
{
	char *size = human_size(bytes);

	printf("%s%s%s", before, size, after);
	free(size);
}

static void print_blocks(const struct shown_file *file)
{
	const struct block_facts *blocks = &file->blocks;

	printf(LABEL, "Size:");
	print_size("", file->facts.st.st_size, "\n");
	printf(LABEL, "Blocks:");
	if (blocks->error) {
		printf("unknown (%s)\n", strerror(blocks->error));
		return;
	}
	print_size("", blocks->mapped, " mapped");
	printf(" in %" PRIu64 " extents, ", blocks->extents);
	print_size("", blocks->unwritten, " of it unwritten, ");
	print_size("", blocks->shared, " shared; ");
	print_size("holes ", blocks->holes, "\n");
	printf(LABEL "%" PRIu64 " of %" PRIu64 " pieces of 2 MiB\n",
	       "Huge entries:", blocks->huge, blocks->huge_wanted);
}

static void print_mount(const struct mount *mount)
{
	printf(", ");
	print_name(mount->source);
	printf("\n" LABEL "%s, mounted on ", "File system:", mount->type);
	print_name(mount->point);
}

static void print_place(const struct file_facts *facts)
{
	printf(LABEL, "File:");
	print_name(facts->path);
	printf("\n" LABEL "%" PRIu64 " on %" PRIu64 ":%" PRIu64, "Inode:",
	       facts->id.ino, facts->id.dev_major, facts->id.dev_minor);
	if (facts->mounted)
		print_mount(&facts->mount);
	printf("\n" LABEL "%s\n", "DAX:", facts->dax ? "yes" : "no");
}

static void print_table(const struct shown_file *file)
{
	struct lease_filter filter = { .files = &file->facts.id, .nr_files = 1 };
	struct layout_print print = { .no_truncate = true };

	columns_choose(&print.shown,
		       "TYPE,ID,MODE,STATE,START,END,PINS,SIZE,DENIED,COMMAND,PID,PATH",
		       false);
	layout_print(&file->table, &filter, &print);
}

static void print_holder(const struct holder *holder,
			 const struct layout_record *lease)
{
	printf("  ");
	print_name(holder->comm);
	printf(" (%" PRIu64 ") holds lease %" PRIu64, holder->pid, lease->lease);
	if (holder->fd == HOLDER_MAPS)
		puts(" by a mapping");
	else
		printf(" as descriptor %d\n", holder->fd);
}

static void print_holders(const struct shown_file *file,
			  const struct layout_record *lease)
{
	const struct holder *holder;
	size_t nr = 0;

	while ((holder = next_holder(file, lease, &nr)))
		print_holder(holder, lease);
}

static void print_break(const struct shown_file *file,
			const struct layout_record *lease)
{
	struct break_facts facts;

	printf("  lease %" PRIu64 " is being broken", lease->lease);
	if (!file->time_left) {
		puts(" (--time-left tells how long it has)");
		return;
	}
	if (!break_ask(&facts, lease, &file->holders)) {
		puts("; no descriptor of it can be asked for the time left");
		return;
	}
	printf(", bytes %" PRIu64 " to ", facts.start);
	if (facts.end == LAYOUT_TABLE_EOF)
		printf("the end");
	else
		printf("%" PRIu64, facts.end);
	printf("; %u.%03u s left\n", facts.msecs / 1000, facts.msecs % 1000);
}

static void print_waiter(const struct waiter *waiter)
{
	printf("  ");
	print_name(waiter->comm);
	printf(" (%" PRIu64 ") waits for a break\n", waiter->pid);
}

static void print_breaks(const struct shown_file *file)
{
	puts("\nBreaks:");
	for (size_t i = 0; i < file->table.nr; i++) {
		if (is_broken(file, &file->table.records[i]))
			print_break(file, &file->table.records[i]);
	}
	for (size_t i = 0; i < file->waiters.nr; i++)
		print_waiter(&file->waiters.all[i]);
}

static bool has_leases(const struct shown_file *file)
{
	for (size_t i = 0; i < file->table.nr; i++) {
		if (is_of_file(file, &file->table.records[i]))
			return true;
	}
	return false;
}

static void print_text(const struct shown_file *file)
{
	print_place(&file->facts);
	print_blocks(file);
	printf(LABEL "%" PRIu64 " s\n", "Break time:", break_time());
	if (!has_leases(file)) {
		puts("\nNo leases.");
		return;
	}
	puts("\nLeases:");
	fflush(stdout);
	print_table(file);
	puts("\nHolders:");
	for (size_t i = 0; i < file->table.nr; i++) {
		if (is_of_file(file, &file->table.records[i]))
			print_holders(file, &file->table.records[i]);
	}
	if (has_breaks(file))
		print_breaks(file);
}

/*
 * As JSON
 */

static struct json_object *json_blocks(const struct block_facts *blocks)
{
	struct json_object *object;

	if (blocks->error)
		return NULL;
	object = json_object_new_object();
	json_add_number(object, "extents", blocks->extents);
	json_add_number(object, "mapped", blocks->mapped);
	json_add_number(object, "unwritten", blocks->unwritten);
	json_add_number(object, "shared", blocks->shared);
	json_add_number(object, "holes", blocks->holes);
	json_add_number(object, "huge", blocks->huge);
	json_add_number(object, "huge_wanted", blocks->huge_wanted);
	return object;
}

static struct json_object *json_holders(const struct shown_file *file,
					const struct layout_record *lease)
{
	struct json_object *array = json_object_new_array();
	const struct holder *holder;
	size_t nr = 0;

	while ((holder = next_holder(file, lease, &nr))) {
		struct json_object *object = json_object_new_object();

		json_add_process(object, holder->pid, holder->comm);
		json_add(object, "fd", holder->fd == HOLDER_MAPS ? NULL :
			 json_object_new_int(holder->fd));
		json_object_array_add(array, object);
	}
	return array;
}

static struct json_object *json_break(const struct shown_file *file,
				      const struct layout_record *lease)
{
	struct json_object *object = json_object_new_object();
	struct break_facts facts;

	if (file->time_left && break_ask(&facts, lease, &file->holders)) {
		json_add_range(object, facts.start, facts.end);
		json_add_number(object, "msecs", facts.msecs);
	}
	return object;
}

static struct json_object *json_leases(const struct shown_file *file)
{
	struct json_object *array = json_object_new_array();

	for (size_t i = 0; i < file->table.nr; i++) {
		const struct layout_record *r = &file->table.records[i];
		struct json_object *lease;

		if (!is_of_file(file, r))
			continue;
		lease = json_of_lease(&file->table, r);
		json_add(lease, "holders", json_holders(file, r));
		json_add(lease, "break",
			 is_broken(file, r) ? json_break(file, r) : NULL);
		json_object_array_add(array, lease);
	}
	return array;
}

static struct json_object *json_waiters(const struct waiters *waiters)
{
	struct json_object *array = json_object_new_array();

	for (size_t i = 0; i < waiters->nr; i++) {
		struct json_object *object = json_object_new_object();

		json_add_process(object, waiters->all[i].pid, waiters->all[i].comm);
		json_object_array_add(array, object);
	}
	return array;
}

static void print_json(const struct shown_file *file)
{
	const struct file_facts *facts = &file->facts;
	struct json_object *object = json_object_new_object();
	char device[48];

	snprintf(device, sizeof(device), "%" PRIu64 ":%" PRIu64,
		 facts->id.dev_major, facts->id.dev_minor);
	json_add_string(object, "path", facts->path);
	json_add_number(object, "inode", facts->id.ino);
	json_add_string(object, "maj:min", device);
	json_add_string(object, "source", facts->mount.source);
	json_add_string(object, "fstype", facts->mount.type);
	json_add_string(object, "mountpoint", facts->mount.point);
	json_add_bool(object, "dax", facts->dax);
	json_add_number(object, "size", facts->st.st_size);
	json_add(object, "blocks", json_blocks(&file->blocks));
	json_add_number(object, "break_time", break_time());
	json_add(object, "leases", json_leases(file));
	json_add(object, "waiting", json_waiters(&file->waiters));
	json_print(object, false);
}

enum { OPTION_TIME_LEFT = 256 };

static const struct option long_options[] = {
	{ "help", no_argument, NULL, 'h' },
	{ "json", no_argument, NULL, 'J' },
	{ "time-left", no_argument, NULL, OPTION_TIME_LEFT },
	{ }
};

int show_main(int argc, char **argv)
{
	struct shown_file file = { };
	bool json = false;
	int c;

	while ((c = getopt_long(argc, argv, "hJ", long_options, NULL)) != -1) {
		if (c == 'h') {
			help();
			return EXIT_SUCCESS;
		}
		if (c == '?')
			errx(exit_failure, "try 'flayout show --help'");
		json |= c == 'J';
		file.time_left |= c == OPTION_TIME_LEFT;
	}
	if (argc - optind != 1)
		errx(exit_failure, "show wants one FILE");
	gather(&file, argv[optind]);
	if (json)
		print_json(&file);
	else
		print_text(&file);
	release(&file);
	return EXIT_SUCCESS;
}
