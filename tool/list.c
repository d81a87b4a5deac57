// SPDX-License-Identifier: GPL-2.0
/*
 * flayout list: leases and the pins that stand on them, as a tree, in the
 * conventions of lslocks(8) and lsblk(8).  columns.c knows the columns, rows.c
 * how rows hang together.
 */
#include "flayout.h"

#include <err.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "leases.h"
#include "options.h"
#include "rows.h"

struct list_options {
	const char *table;	/* file to read instead of the kernel's */
	const char *columns;	/* argument of -o */
	bool all_columns;
	struct layout_print print;
	struct lease_filter filter;
	struct file_id *files;
	struct file_id device;
};

static void help(void)
{
	puts("Usage: flayout list [OPTIONS] [FILE...]\n"
	     "\n"
	     "Show layout leases, and below each the pins that stand on it; of the\n"
	     "given files only, if there are any.  Needs root.\n"
	     "\n"
	     "Which:\n"
	     "      --device DEVICE  on this device: MAJ:MIN, block device, mount point\n"
	     "      --file FILE      on this file, as without --file\n"
	     "      --lease ID       the lease of this number\n"
	     "      --mode MODE      shared or unbreak\n"
	     "  -p, --pid PID        that PID holds or has pins under\n"
	     "      --state STATE    active, breaking or draining\n"
	     "\n"
	     "How:\n"
	     "  -b, --bytes          print sizes in bytes\n"
	     "      --by WHAT        group by file, process or device\n"
	     "  -d, --no-pins        leases only\n"
	     "  -J, --json           JSON output\n"
	     "  -l, --list           a list, not a tree\n"
	     "  -n, --noheadings     no line of headings\n"
	     "  -o, --output LIST    columns to show; +LIST adds to the default\n"
	     "      --output-all     all columns\n"
	     "  -P, --pairs          KEY=\"value\" output\n"
	     "  -r, --raw            raw output\n"
	     "  -u, --notruncate     never cut text in columns\n"
	     "      --table FILE     read a saved copy of " LAYOUT_TABLE_PATH "\n"
	     "  -h, --help           this text\n");
	columns_help();
}

static void print_leases(struct list_options *options)
{
	struct layout_print *print = &options->print;
	struct holders holders = { }, of_pid = { };
	struct layout_table table;

	leases_load(&table, options->table);
	/* A saved table is of other processes than those that run here. */
	if (options->filter.pid && !options->table)
		holders_load(&of_pid, options->filter.pid);
	if (columns_show(&print->shown, "HOLDERS") && !options->table)
		holders_load(&holders, 0);
	options->filter.holders = &of_pid;
	print->view.holders = &holders;
	layout_print(&table, &options->filter, print);
	holders_free(&holders);
	holders_free(&of_pid);
	layout_table_free(&table);
}

static enum group_by parse_by(const char *arg)
{
	static const char * const names[] = {
		[BY_LEASE] = "lease", [BY_FILE] = "file",
		[BY_PROCESS] = "process", [BY_DEVICE] = "device",
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (!strcmp(arg, names[i]))
			return i;
	}
	errx(exit_failure, "--by wants lease, file, process or device, not '%s'",
	     arg);
}

static const char *parse_state(const char *arg)
{
	if (strcmp(arg, "active") && strcmp(arg, "breaking") &&
	    strcmp(arg, "draining"))
		errx(exit_failure, "'%s' is no state; a lease is active, breaking or draining",
		     arg);
	return arg;
}

static const char *parse_mode(const char *arg)
{
	if (strcmp(arg, "shared") && strcmp(arg, "unbreak"))
		errx(exit_failure, "'%s' is no mode; a lease is shared or unbreak",
		     arg);
	return arg;
}

static void add_file(struct list_options *options, const char *path)
{
	struct lease_filter *filter = &options->filter;

	options->files = reallocarray(options->files, filter->nr_files + 1,
				      sizeof(*options->files));
	if (!options->files)
		err(exit_failure, "cannot allocate");
	options->files[filter->nr_files++] = file_id_of_path(path);
	filter->files = options->files;
}

enum {
	OPTION_ALL = 256,
	OPTION_BY,
	OPTION_DEVICE,
	OPTION_FILE,
	OPTION_LEASE,
	OPTION_MODE,
	OPTION_STATE,
	OPTION_TABLE,
};

static const struct option long_options[] = {
	{ "by", required_argument, NULL, OPTION_BY },
	{ "bytes", no_argument, NULL, 'b' },
	{ "device", required_argument, NULL, OPTION_DEVICE },
	{ "file", required_argument, NULL, OPTION_FILE },
	{ "help", no_argument, NULL, 'h' },
	{ "json", no_argument, NULL, 'J' },
	{ "lease", required_argument, NULL, OPTION_LEASE },
	{ "list", no_argument, NULL, 'l' },
	{ "mode", required_argument, NULL, OPTION_MODE },
	{ "no-pins", no_argument, NULL, 'd' },
	{ "noheadings", no_argument, NULL, 'n' },
	{ "notruncate", no_argument, NULL, 'u' },
	{ "output", required_argument, NULL, 'o' },
	{ "output-all", no_argument, NULL, OPTION_ALL },
	{ "pairs", no_argument, NULL, 'P' },
	{ "pid", required_argument, NULL, 'p' },
	{ "raw", no_argument, NULL, 'r' },
	{ "state", required_argument, NULL, OPTION_STATE },
	{ "table", required_argument, NULL, OPTION_TABLE },
	{ }
};

/* How the table is printed; false if the option is none of these. */
static bool set_print_option(struct layout_print *print, int c)
{
	switch (c) {
	case 'b':
		print->view.bytes = true;
		return true;
	case 'd':
		print->no_pins = true;
		return true;
	case 'J':
		print->view.json = true;
		return true;
	case 'l':
		print->flat = true;
		return true;
	case 'n':
		print->no_headings = true;
		return true;
	case 'P':
		print->pairs = true;
		return true;
	case 'r':
		print->raw = true;
		return true;
	case 'u':
		print->no_truncate = true;
		return true;
	case OPTION_BY:
		print->by = parse_by(optarg);
		return true;
	default:
		return false;
	}
}

static bool set_filter_option(struct list_options *options, int c)
{
	struct lease_filter *filter = &options->filter;

	switch (c) {
	case 'p':
		filter->pid = option_number(optarg, "process");
		return true;
	case OPTION_DEVICE:
		options->device = option_device(optarg);
		filter->device = &options->device;
		return true;
	case OPTION_FILE:
		add_file(options, optarg);
		return true;
	case OPTION_LEASE:
		filter->id = option_number(optarg, "lease");
		return true;
	case OPTION_MODE:
		filter->mode = parse_mode(optarg);
		return true;
	case OPTION_STATE:
		filter->state = parse_state(optarg);
		return true;
	default:
		return false;
	}
}

static void set_option(struct list_options *options, int c)
{
	if (set_print_option(&options->print, c) || set_filter_option(options, c))
		return;
	switch (c) {
	case 'o':
		options->columns = optarg;
		break;
	case OPTION_ALL:
		options->all_columns = true;
		break;
	case OPTION_TABLE:
		options->table = optarg;
		break;
	case 'h':
		help();
		exit(EXIT_SUCCESS);
	default:
		errx(exit_failure, "try 'flayout list --help'");
	}
}

int list_main(int argc, char **argv)
{
	struct list_options options = { };
	struct layout_print *print = &options.print;
	int c;

	while ((c = getopt_long(argc, argv, "bdhJlno:Pp:ru", long_options,
				NULL)) != -1)
		set_option(&options, c);
	if (print->view.json + print->raw + print->pairs > 1)
		errx(exit_failure, "--json, --raw and --pairs exclude each other");
	for (int i = optind; i < argc; i++)
		add_file(&options, argv[i]);
	columns_choose(&print->shown, options.columns, options.all_columns);
	print_leases(&options);
	free(options.files);
	return EXIT_SUCCESS;
}
