// SPDX-License-Identifier: GPL-2.0
/*
 * flayout why: what would happen to a truncate now, and who stands in the way.
 * The rules are those of breakers in layout_lease(7), in the same order.
 */
#include "flayout.h"

#include <err.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "breaks.h"
#include "columns.h"
#include "facts.h"
#include "json.h"
#include "options.h"
#include "printable.h"
#include "system.h"

struct why {
	struct file_facts facts;
	struct layout_table table;
	struct holders holders;
	uint64_t pid;		/* who would do it; 0: somebody else */
	uint64_t start;		/* first byte that would go */
	uint64_t seconds;	/* fs.lease-break-time */

	/* The verdict. */
	int status;		/* WHY_* */
	const char *error;	/* name of the errno, if it is refused */
	char *reason;		/* a sentence */
	const struct layout_record **blockers;
	size_t nr_blockers;
};

static void help(void)
{
	puts("Usage: flayout why [OPTIONS] FILE\n"
	     "\n"
	     "Explain what would happen to a truncate of FILE now, and who stands in the\n"
	     "way.  Needs root.\n"
	     "\n"
	     "Options:\n"
	     "  -J, --json      JSON output\n"
	     "  -p, --pid PID   a truncate by this process, which may hold leases itself\n"
	     "  -s, --size N    a truncate to N bytes (K, M, G, T may follow), 0 by default\n"
	     "  -h, --help      this text\n"
	     "\n"
	     "Exit status: 0 if it would just happen, 1 if it would have to break leases and\n"
	     "perhaps wait, 2 if it would be refused, 125 if that cannot be told.");
}

static bool is_own(const struct why *why, const struct layout_record *lease)
{
	for (size_t i = 0; i < why->holders.nr; i++) {
		if (holder_surely_has(&why->holders.all[i], lease))
			return true;
	}
	return false;
}

static bool in_the_way(const struct why *why, const struct layout_record *lease)
{
	return is_lease_of(lease, &why->facts.id) && lease->end > why->start;
}

/*
 * Does a pin of the caller's own lease reach what would go?  On a DAX file that
 * are whole entries of the page cache, which the pin may share.
 */
static bool is_pinned(const struct why *why, const struct layout_record *lease)
{
	uint64_t entry = why->facts.dax ? HUGE_ENTRY : 1;
	uint64_t start = why->start / entry * entry;

	for (size_t i = 0; i < why->table.nr; i++) {
		const struct layout_record *r = &why->table.records[i];

		if (is_pin_of(r, lease) && r->end > start)
			return true;
	}
	return false;
}

static bool refuses(const struct why *why, const struct layout_record *lease)
{
	return !is_own(why, lease) && !strcmp(lease->mode, "unbreak");
}

static bool deadlocks(const struct why *why, const struct layout_record *lease)
{
	return is_own(why, lease) && is_pinned(why, lease);
}

static bool is_breakable(const struct why *why, const struct layout_record *lease)
{
	return !is_own(why, lease) && !refuses(why, lease);
}

/* Collect the leases in the way of which @is is true; are there any? */
static bool find_blockers(struct why *why,
			  bool (*is)(const struct why *, const struct layout_record *))
{
	why->nr_blockers = 0;
	for (size_t i = 0; i < why->table.nr; i++) {
		const struct layout_record *r = &why->table.records[i];

		if (in_the_way(why, r) && is(why, r))
			why->blockers[why->nr_blockers++] = r;
	}
	return why->nr_blockers;
}

static void refuse(struct why *why, const char *error, const char *reason)
{
	why->status = WHY_REFUSED;
	why->error = error;
	why->reason = format_text("%s", reason);
}

static void breaks(struct why *why)
{
	size_t nr = why->nr_blockers;
	const char *leases = nr == 1 ? "lease" : "leases";
	const char *they = nr == 1 ? "it is" : "they are";

	why->status = WHY_BREAKS;
	if (why->seconds)
		why->reason = format_text("it would break %zu %s and wait until %s let go, "
					  "%" PRIu64 " s (fs.lease-break-time) at most; then %s revoked, with all registrations",
					  nr, leases, they, why->seconds, they);
	else
		why->reason = format_text("it would revoke %zu %s, with all registrations, "
					  "without waiting, because fs.lease-break-time is 0",
					  nr, leases);
}

static void is_free(struct why *why)
{
	bool any = false;

	for (size_t i = 0; i < why->table.nr; i++)
		any |= is_lease_of(&why->table.records[i], &why->facts.id);
	why->status = WHY_FREE;
	why->reason = format_text("it would just happen: %s", any ?
				  "no lease of others reaches what would go" :
				  "the file has no layout leases");
}

static void judge(struct why *why)
{
	const struct file_facts *facts = &why->facts;

	if (facts->mounted && mount_has_option(&facts->mount, "ro"))
		refuse(why, "EROFS", "the file system is mounted read-only");
	else if (facts->immutable || facts->append_only)
		refuse(why, "EPERM", "the file is immutable or append-only (chattr)");
	else if ((uint64_t)facts->st.st_size <= why->start)
		why->reason = format_text("it would just happen: no byte of the file would go");
	else if (find_blockers(why, refuses))
		refuse(why, "ETXTBSY", "unbreakable leases are in the way; 'flayout revoke' can end them");
	else if (find_blockers(why, deadlocks))
		refuse(why, "EDEADLK", "the process has pinned what would go, under a lease of its own");
	else if (find_blockers(why, is_breakable))
		breaks(why);
	else
		is_free(why);
}

static void load_own(struct why *why)
{
	struct lease_filter filter = {
		.files = &why->facts.id, .nr_files = 1,
		.pid = why->pid, .holders = &why->holders,
	};

	holders_load(&why->holders, why->pid);
	leases_tell_unsure(&why->table, &filter);
}

static void find_out(struct why *why, const char *path)
{
	facts_find(&why->facts, path);
	if (!S_ISREG(why->facts.st.st_mode))
		errx(exit_failure, "%s: only regular files have layout leases", path);
	leases_load(&why->table, NULL);
	if (why->pid)
		load_own(why);
	why->seconds = break_time();
	why->blockers = calloc(why->table.nr + 1, sizeof(*why->blockers));
	if (!why->blockers)
		err(exit_failure, "cannot allocate");
	judge(why);
}

static void print_blocker(const struct layout_record *lease)
{
	char *size = human_size(lease->pages * sysconf(_SC_PAGESIZE));

	printf("  ");
	print_name(lease->pid ? lease->comm : "somebody");
	if (lease->pid)
		printf(" (%" PRIu64 ")", lease->pid);
	printf(" holds lease %" PRIu64 " (%s, %s) with %" PRIu64
	       " registration%s of %s", lease->lease, lease->mode, lease->state,
	       lease->pins, lease->pins == 1 ? "" : "s", size);
	puts(!strcmp(lease->state, "breaking") ? "; its time is running already" : "");
	free(size);
}

static void print_text(const struct why *why)
{
	print_name(why->facts.path);
	printf(": a truncate to %" PRIu64 " bytes: ", why->start);
	if (why->error)
		printf("it would fail with %s: ", why->error);
	printf("%s.\n", why->reason);
	for (size_t i = 0; i < why->nr_blockers; i++)
		print_blocker(why->blockers[i]);
}

static void print_json(const struct why *why)
{
	static const char * const verdicts[] = {
		[WHY_FREE] = "free", [WHY_BREAKS] = "breaks",
		[WHY_REFUSED] = "refused",
	};
	struct json_object *object = json_object_new_object();
	struct json_object *array = json_object_new_array();

	for (size_t i = 0; i < why->nr_blockers; i++)
		json_object_array_add(array, json_of_lease(&why->table,
							   why->blockers[i]));
	json_add_string(object, "path", why->facts.path);
	json_add_number(object, "size", why->start);
	json_add_string(object, "verdict", verdicts[why->status]);
	json_add_string(object, "error", why->error);
	json_add_string(object, "reason", why->reason);
	json_add_number(object, "break_time", why->seconds);
	json_add(object, "leases", array);
	json_print(object, false);
}

static void release(struct why *why)
{
	free(why->reason);
	free(why->blockers);
	holders_free(&why->holders);
	layout_table_free(&why->table);
	facts_free(&why->facts);
}

static const struct option long_options[] = {
	{ "help", no_argument, NULL, 'h' },
	{ "json", no_argument, NULL, 'J' },
	{ "pid", required_argument, NULL, 'p' },
	{ "size", required_argument, NULL, 's' },
	{ }
};

static void set_option(struct why *why, int c)
{
	const char *end = "";

	switch (c) {
	case 'p':
		why->pid = option_number(optarg, "process");
		break;
	case 's':
		why->start = option_bytes(optarg, &end);
		break;
	case 'h':
		help();
		exit(EXIT_SUCCESS);
	case '?':
		errx(exit_failure, "try 'flayout why --help'");
	}
	if (*end)
		errx(exit_failure, "'%s' is no size", optarg);
}

int why_main(int argc, char **argv)
{
	struct why why = { };
	bool json = false;
	int c, status;

	while ((c = getopt_long(argc, argv, "hJp:s:", long_options, NULL)) != -1) {
		json |= c == 'J';
		set_option(&why, c);
	}
	if (argc - optind != 1)
		errx(exit_failure, "why wants one FILE");
	find_out(&why, argv[optind]);
	if (json)
		print_json(&why);
	else
		print_text(&why);
	status = why.status;
	release(&why);
	return status;
}
