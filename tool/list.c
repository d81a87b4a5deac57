// SPDX-License-Identifier: GPL-2.0
/*
 * flayout list: leases and the pins that stand on them, as a tree, in the
 * conventions of lslocks(8) and lsblk(8).
 *
 * The table of columns below is the one place that knows them: it makes the
 * help text, what -o and -o +list accept, the cells and their JSON types.
 */
#include "flayout.h"
#include "layout_table.h"

#include <err.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <libsmartcols/libsmartcols.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

struct list_options {
	const char *table;	/* file to read instead of the kernel's */
	const char *columns;	/* argument of -o */
	bool all_columns;
	bool bytes;
	bool json;
	bool no_headings;
	bool no_pins;
	bool no_truncate;
	bool raw;
	uint64_t pid;		/* 0: all */
	char **files;		/* show these only; may be empty */
	int nr_files;
};

struct column {
	const char *name;
	double width_hint;
	int flags;		/* SCOLS_FL_* */
	int json_type;		/* SCOLS_JSON_* */
	bool by_default;
	/* Returns an allocated cell; NULL for an empty one. */
	char *(*cell)(const struct layout_record *r,
		      const struct list_options *options);
	const char *help;
};

static char *text(const char *format, ...)
	__attribute__((format(printf, 1, 2)));

static char *text(const char *format, ...)
{
	va_list ap;
	char *result;
	int ret;

	va_start(ap, format);
	ret = vasprintf(&result, format, ap);
	va_end(ap);
	if (ret < 0)
		err(EXIT_FAILURE, "cannot allocate a cell");
	return result;
}

static char *number(uint64_t value)
{
	return text("%" PRIu64, value);
}

static char *string(const char *value)
{
	return value && *value ? text("%s", value) : NULL;
}

static bool is_lease(const struct layout_record *r)
{
	return r->type == LAYOUT_RECORD_LEASE;
}

/* 1536K, 64M: one unit, at most one decimal, as lslocks prints sizes. */
static char *human_size(uint64_t bytes)
{
	static const char units[] = "BKMGTPE";
	unsigned int unit = 0;
	uint64_t tenths;

	while (unit < sizeof(units) - 2 && bytes >> (10 * (unit + 1)))
		unit++;
	if (!unit)
		return text("%" PRIu64 "B", bytes);
	tenths = (bytes >> (10 * (unit - 1))) * 10 / 1024;
	if (tenths % 10)
		return text("%" PRIu64 ".%" PRIu64 "%c", tenths / 10,
			    tenths % 10, units[unit]);
	return text("%" PRIu64 "%c", tenths / 10, units[unit]);
}

#define CELL(name, value) \
	static char *cell_##name(const struct layout_record *r, \
				 const struct list_options *options) \
	{ \
		(void)options; \
		return value; \
	}

CELL(id, number(r->lease))
CELL(type, is_lease(r) ? text("lease") : string(r->kind))
CELL(mode, string(r->mode))
CELL(state, string(r->state))
CELL(start, number(r->start))
CELL(pins, is_lease(r) ? number(r->pins) : NULL)
CELL(pages, number(r->pages))
CELL(denied, is_lease(r) ? number(r->denied) : NULL)
CELL(dev, is_lease(r) ? text("%" PRIu64 ":%" PRIu64, r->dev_major,
			     r->dev_minor) : NULL)
CELL(inode, is_lease(r) ? number(r->ino) : NULL)
CELL(write, is_lease(r) ? NULL : number(r->write))
CELL(command, string(r->comm))
CELL(pid, r->pid ? number(r->pid) : NULL)
CELL(path, string(r->path))

/* JSON has no EOF; there an open end is null. */
static char *cell_end(const struct layout_record *r,
		      const struct list_options *options)
{
	if (r->end != LAYOUT_TABLE_EOF)
		return number(r->end);
	return options->json ? NULL : text("EOF");
}

static char *cell_size(const struct layout_record *r,
		       const struct list_options *options)
{
	uint64_t bytes = r->pages * sysconf(_SC_PAGESIZE);

	return options->bytes ? number(bytes) : human_size(bytes);
}

static const struct column columns[] = {
	{ "TYPE", 8, SCOLS_FL_TREE, SCOLS_JSON_STRING, true, cell_type,
	  "lease, or the subsystem that holds a pin" },
	{ "ID", 2, SCOLS_FL_RIGHT, SCOLS_JSON_NUMBER, true, cell_id,
	  "number of the lease; of a pin, of the lease it stands on" },
	{ "MODE", 6, 0, SCOLS_JSON_STRING, true, cell_mode,
	  "shared (breakable) or unbreak" },
	{ "STATE", 6, 0, SCOLS_JSON_STRING, true, cell_state,
	  "active, breaking or draining" },
	{ "START", 4, SCOLS_FL_RIGHT, SCOLS_JSON_NUMBER, true, cell_start,
	  "first byte of the range" },
	{ "END", 4, SCOLS_FL_RIGHT, SCOLS_JSON_NUMBER, true, cell_end,
	  "first byte behind the range; EOF: however far the file grows" },
	{ "PINS", 4, SCOLS_FL_RIGHT, SCOLS_JSON_NUMBER, true, cell_pins,
	  "registrations under the lease" },
	{ "SIZE", 4, SCOLS_FL_RIGHT, SCOLS_JSON_STRING, true, cell_size,
	  "memory pinned, in bytes with --bytes" },
	{ "PAGES", 5, SCOLS_FL_RIGHT, SCOLS_JSON_NUMBER, false, cell_pages,
	  "pages pinned" },
	{ "DENIED", 4, SCOLS_FL_RIGHT, SCOLS_JSON_NUMBER, false, cell_denied,
	  "operations refused because of the lease" },
	{ "WRITE", 1, SCOLS_FL_RIGHT, SCOLS_JSON_BOOLEAN, false, cell_write,
	  "1 if the device may write through the pin" },
	{ "MAJ:MIN", 6, 0, SCOLS_JSON_STRING, false, cell_dev,
	  "device of the file system" },
	{ "INODE", 5, SCOLS_FL_RIGHT, SCOLS_JSON_NUMBER, false, cell_inode,
	  "inode number of the file" },
	{ "COMMAND", 10, 0, SCOLS_JSON_STRING, true, cell_command,
	  "name of a process that holds the file" },
	{ "PID", 5, SCOLS_FL_RIGHT, SCOLS_JSON_NUMBER, true, cell_pid,
	  "its number" },
	{ "PATH", 10, SCOLS_FL_TRUNC, SCOLS_JSON_STRING, true, cell_path,
	  "the leased file; of a pin, the file of the context that owns it" },
};

#define NR_COLUMNS	(sizeof(columns) / sizeof(columns[0]))
#define MAX_SHOWN	(2 * NR_COLUMNS)	/* defaults, and some more by -o + */

struct shown {
	const struct column *columns[MAX_SHOWN];
	size_t nr;
};

static void help(void)
{
	puts("Usage: flayout list [OPTIONS] [FILE...]\n"
	     "\n"
	     "Show layout leases, and below each the pins that stand on it; of the\n"
	     "given files only, if there are any.  Needs root.\n"
	     "\n"
	     "Options:\n"
	     "  -b, --bytes          print sizes in bytes\n"
	     "  -d, --no-pins        leases only\n"
	     "  -J, --json           JSON output\n"
	     "  -n, --noheadings     no line of headings\n"
	     "  -o, --output LIST    columns to show; +LIST adds to the default\n"
	     "      --output-all     all columns\n"
	     "  -p, --pid PID        leases that PID holds or has pins under\n"
	     "  -r, --raw            raw output\n"
	     "  -u, --notruncate     never cut text in columns\n"
	     "      --table FILE     read a saved copy of " LAYOUT_TABLE_PATH "\n"
	     "  -h, --help           this text\n"
	     "\n"
	     "Columns (* by default):");
	for (size_t i = 0; i < NR_COLUMNS; i++)
		printf("  %c %-8s %s\n", columns[i].by_default ? '*' : ' ',
		       columns[i].name, columns[i].help);
}

static const struct column *find_column(const char *name, size_t len)
{
	for (size_t i = 0; i < NR_COLUMNS; i++) {
		if (strlen(columns[i].name) == len &&
		    !strncasecmp(columns[i].name, name, len))
			return &columns[i];
	}
	errx(EXIT_FAILURE, "'%.*s' is no column; 'flayout list --help' names them",
	     (int)len, name);
}

static void show_column(struct shown *shown, const struct column *column)
{
	if (shown->nr == MAX_SHOWN)
		errx(EXIT_FAILURE, "too many columns; at most %zu can be shown",
		     MAX_SHOWN);
	shown->columns[shown->nr++] = column;
}

static void choose_columns(struct shown *shown, const struct list_options *options)
{
	const char *list = options->columns;

	for (size_t i = 0; i < NR_COLUMNS; i++) {
		if (options->all_columns ||
		    (columns[i].by_default && (!list || *list == '+')))
			show_column(shown, &columns[i]);
	}
	if (!list || options->all_columns)
		return;
	list += *list == '+';
	for (;;) {
		size_t len = strcspn(list, ",");

		show_column(shown, find_column(list, len));
		if (!list[len])
			break;
		list += len + 1;
	}
}

static bool is_file(const struct layout_record *lease, const char *path)
{
	struct stat st;

	if (stat(path, &st))
		err(EXIT_FAILURE, "%s", path);
	return major(st.st_dev) == lease->dev_major &&
		minor(st.st_dev) == lease->dev_minor && st.st_ino == lease->ino;
}

static bool wanted_file(const struct layout_record *lease,
			const struct list_options *options)
{
	for (int i = 0; i < options->nr_files; i++) {
		if (is_file(lease, options->files[i]))
			return true;
	}
	return !options->nr_files;
}

static bool is_pin_of(const struct layout_record *r,
		      const struct layout_record *lease)
{
	return r->type == LAYOUT_RECORD_PIN && r->lease == lease->lease;
}

static bool wanted_pid(const struct layout_table *table,
		       const struct layout_record *lease, uint64_t pid)
{
	if (!pid || lease->pid == pid)
		return true;
	for (size_t i = 0; i < table->nr; i++) {
		if (is_pin_of(&table->records[i], lease) &&
		    table->records[i].pid == pid)
			return true;
	}
	return false;
}

static void add_columns(struct libscols_table *out, const struct shown *shown,
			const struct list_options *options)
{
	for (size_t i = 0; i < shown->nr; i++) {
		const struct column *column = shown->columns[i];
		int flags = column->flags;
		int json_type = column->json_type;
		struct libscols_column *made;

		if (options->no_truncate)
			flags &= ~SCOLS_FL_TRUNC;
		/* raw output is for scripts: no branches drawn */
		if (options->no_pins || options->raw)
			flags &= ~SCOLS_FL_TREE;
		if (options->bytes && column->cell == cell_size)
			json_type = SCOLS_JSON_NUMBER;
		made = scols_table_new_column(out, column->name,
					      column->width_hint, flags);
		if (!made)
			err(EXIT_FAILURE, "cannot make a column");
		if (options->json)
			scols_column_set_json_type(made, json_type);
	}
}

static struct libscols_line *add_line(struct libscols_table *out,
				      struct libscols_line *parent,
				      const struct layout_record *r,
				      const struct shown *shown,
				      const struct list_options *options)
{
	struct libscols_line *line = scols_table_new_line(out, parent);

	if (!line)
		err(EXIT_FAILURE, "cannot make a line");
	for (size_t i = 0; i < shown->nr; i++) {
		char *cell = shown->columns[i]->cell(r, options);

		if (cell && scols_line_refer_data(line, i, cell))
			err(EXIT_FAILURE, "cannot fill a line");
	}
	return line;
}

static void add_lease(struct libscols_table *out,
		      const struct layout_table *table,
		      const struct layout_record *lease,
		      const struct shown *shown,
		      const struct list_options *options)
{
	struct libscols_line *line = add_line(out, NULL, lease, shown, options);

	for (size_t i = 0; !options->no_pins && i < table->nr; i++) {
		if (is_pin_of(&table->records[i], lease))
			add_line(out, line, &table->records[i], shown, options);
	}
}

static struct libscols_table *new_output(const struct list_options *options)
{
	struct libscols_table *out = scols_new_table();

	if (!out)
		err(EXIT_FAILURE, "cannot make a table");
	scols_table_enable_json(out, options->json);
	scols_table_enable_raw(out, options->raw);
	scols_table_enable_noheadings(out, options->no_headings);
	if (options->json)
		scols_table_set_name(out, "leases");
	return out;
}

static int print_table(const struct layout_table *table,
		       const struct list_options *options)
{
	struct libscols_table *out;
	struct shown shown = { };
	int ret;

	choose_columns(&shown, options);
	scols_init_debug(0);
	out = new_output(options);
	add_columns(out, &shown, options);
	for (size_t i = 0; i < table->nr; i++) {
		const struct layout_record *r = &table->records[i];

		if (is_lease(r) && wanted_file(r, options) &&
		    wanted_pid(table, r, options->pid))
			add_lease(out, table, r, &shown, options);
	}
	ret = scols_print_table(out);
	scols_unref_table(out);
	return ret;
}

static FILE *open_table(const struct list_options *options)
{
	const char *path = options->table ?: LAYOUT_TABLE_PATH;
	FILE *file = fopen(path, "re");

	if (file)
		return file;
	if (!options->table && errno == ENOENT)
		errx(EXIT_FAILURE, "this kernel has no layout leases ("
		     LAYOUT_TABLE_PATH " is missing)");
	if (!options->table && errno == EACCES)
		errx(EXIT_FAILURE, LAYOUT_TABLE_PATH
		     " is for root only; run this as root");
	err(EXIT_FAILURE, "%s", path);
}

static int list(const struct list_options *options)
{
	const char *path = options->table ?: LAYOUT_TABLE_PATH;
	FILE *file = open_table(options);
	struct layout_table table;
	int ret = layout_table_read(&table, file);

	fclose(file);
	if (ret == -EBADMSG)
		errx(EXIT_FAILURE, "%s: %s", path, table.error);
	if (ret)
		errx(EXIT_FAILURE, "%s: %s", path, strerror(-ret));
	ret = print_table(&table, options);
	layout_table_free(&table);
	return ret ? EXIT_FAILURE : EXIT_SUCCESS;
}

static uint64_t parse_pid(const char *arg)
{
	char *end;
	long pid;

	errno = 0;
	pid = strtol(arg, &end, 10);
	if (errno || end == arg || *end || pid <= 0)
		errx(EXIT_FAILURE, "'%s' is no process number", arg);
	return pid;
}

enum { OPTION_ALL = 256, OPTION_TABLE };

static const struct option long_options[] = {
	{ "bytes", no_argument, NULL, 'b' },
	{ "help", no_argument, NULL, 'h' },
	{ "json", no_argument, NULL, 'J' },
	{ "no-pins", no_argument, NULL, 'd' },
	{ "noheadings", no_argument, NULL, 'n' },
	{ "notruncate", no_argument, NULL, 'u' },
	{ "output", required_argument, NULL, 'o' },
	{ "output-all", no_argument, NULL, OPTION_ALL },
	{ "pid", required_argument, NULL, 'p' },
	{ "raw", no_argument, NULL, 'r' },
	{ "table", required_argument, NULL, OPTION_TABLE },
	{ }
};

static void set_option(struct list_options *options, int c)
{
	switch (c) {
	case 'b':
		options->bytes = true;
		break;
	case 'd':
		options->no_pins = true;
		break;
	case 'J':
		options->json = true;
		break;
	case 'n':
		options->no_headings = true;
		break;
	case 'o':
		options->columns = optarg;
		break;
	case 'p':
		options->pid = parse_pid(optarg);
		break;
	case 'r':
		options->raw = true;
		break;
	case 'u':
		options->no_truncate = true;
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
		errx(EXIT_FAILURE, "try 'flayout list --help'");
	}
}

int list_main(int argc, char **argv)
{
	struct list_options options = { };
	int c;

	while ((c = getopt_long(argc, argv, "bdhJno:p:ru", long_options,
				NULL)) != -1)
		set_option(&options, c);
	if (options.json && options.raw)
		errx(EXIT_FAILURE, "--json and --raw exclude each other");
	options.files = argv + optind;
	options.nr_files = argc - optind;
	return list(&options);
}
