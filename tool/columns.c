// SPDX-License-Identifier: GPL-2.0
/* The columns of tables of leases. */
#include "columns.h"

#include <err.h>
#include <inttypes.h>
#include <libsmartcols/libsmartcols.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "flayout.h"
#include "mounts.h"
#include "system.h"

static char *number(uint64_t value)
{
	return format_text("%" PRIu64, value);
}

static char *string(const char *value)
{
	return value && *value ? format_text("%s", value) : NULL;
}

char *human_size(uint64_t bytes)
{
	static const char units[] = "BKMGTPE";
	unsigned int unit = 0;
	uint64_t tenths;

	while (unit < sizeof(units) - 2 && bytes >> (10 * (unit + 1)))
		unit++;
	if (!unit)
		return format_text("%" PRIu64 "B", bytes);
	tenths = (bytes >> (10 * (unit - 1))) * 10 / 1024;
	if (tenths % 10)
		return format_text("%" PRIu64 ".%" PRIu64 "%c", tenths / 10,
				   tenths % 10, units[unit]);
	return format_text("%" PRIu64 "%c", tenths / 10, units[unit]);
}

static bool has(const struct row *row, unsigned int types)
{
	return types & 1U << row->type;
}

#define LEASE	(1U << ROW_LEASE)
#define PIN	(1U << ROW_PIN)
#define GROUP_FILE	(1U << ROW_FILE)
#define PROCESS	(1U << ROW_PROCESS)
#define DEVICE	(1U << ROW_DEVICE)

static char *cell_type(const struct row *row, const struct view *view)
{
	static const char * const names[] = {
		[ROW_LEASE] = "lease", [ROW_FILE] = "file",
		[ROW_PROCESS] = "process", [ROW_DEVICE] = "device",
	};

	(void)view;
	return string(names[row->type] ?: row->r->kind);
}

/* A cell that is empty in rows of other types. */
#define CELL(name, types, value) \
	static char *cell_##name(const struct row *row, const struct view *view) \
	{ \
		(void)view; \
		return has(row, types) ? value : NULL; \
	}

CELL(id, LEASE | PIN, number(row->r->lease))
CELL(mode, LEASE, string(row->r->mode))
CELL(state, LEASE, string(row->r->state))
CELL(start, LEASE | PIN, number(row->r->start))
CELL(leases, ~(LEASE | PIN), number(row->leases))
CELL(pins, ~PIN, number(row->pins))
CELL(pages, ~0U, number(row->pages))
CELL(denied, ~(PIN | PROCESS), number(row->denied))
CELL(write, PIN, number(row->r->write))
CELL(dev, LEASE | GROUP_FILE | DEVICE,
     format_text("%" PRIu64 ":%" PRIu64, row->r->dev_major, row->r->dev_minor))
CELL(inode, LEASE | GROUP_FILE, number(row->r->ino))
CELL(command, LEASE | PIN | PROCESS, string(row->r->comm))
CELL(pid, LEASE | PIN | PROCESS, row->r->pid ? number(row->r->pid) : NULL)

/* JSON has no EOF; there an open end is null. */
static char *cell_end(const struct row *row, const struct view *view)
{
	if (!has(row, LEASE | PIN))
		return NULL;
	if (row->r->end != LAYOUT_TABLE_EOF)
		return number(row->r->end);
	return view->json ? NULL : string("EOF");
}

static char *cell_size(const struct row *row, const struct view *view)
{
	uint64_t bytes = row->pages * sysconf(_SC_PAGESIZE);

	return view->bytes ? number(bytes) : human_size(bytes);
}

static char *cell_path(const struct row *row, const struct view *view)
{
	(void)view;
	if (row->type == ROW_DEVICE)
		return mount_point_of(row->r->dev_major, row->r->dev_minor);
	return has(row, PROCESS) ? NULL : string(row->r->path);
}

static bool seen_before(const struct holders *holders, size_t nr,
			const struct layout_record *lease)
{
	for (size_t i = 0; i < nr; i++) {
		if (holders->all[i].pid == holders->all[nr].pid &&
		    holder_has(&holders->all[i], lease))
			return true;
	}
	return false;
}

static char *cell_holders(const struct row *row, const struct view *view)
{
	char *list = NULL;

	if (row->type != ROW_LEASE || !view->holders)
		return NULL;
	for (size_t i = 0; i < view->holders->nr; i++) {
		char *longer;

		if (!holder_has(&view->holders->all[i], row->r) ||
		    seen_before(view->holders, i, row->r))
			continue;
		longer = format_text("%s%s%" PRIu64, list ?: "", list ? "," : "",
				     view->holders->all[i].pid);
		free(list);
		list = longer;
	}
	return list;
}

static const struct column columns[] = {
	{ "TYPE", 8, SCOLS_FL_TREE, SCOLS_JSON_STRING, true, cell_type,
	  "lease, the subsystem that holds a pin, or a group (--by)" },
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
	{ "LEASES", 2, SCOLS_FL_RIGHT, SCOLS_JSON_NUMBER, false, cell_leases,
	  "leases in the group" },
	{ "PINS", 4, SCOLS_FL_RIGHT, SCOLS_JSON_NUMBER, true, cell_pins,
	  "registrations under the lease, or in the group" },
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
	{ "HOLDERS", 10, 0, SCOLS_JSON_STRING, false, cell_holders,
	  "numbers of all processes that hold the lease" },
	{ "COMMAND", 10, 0, SCOLS_JSON_STRING, true, cell_command,
	  "name of a process that holds the file" },
	{ "PID", 5, SCOLS_FL_RIGHT, SCOLS_JSON_NUMBER, true, cell_pid,
	  "its number" },
	{ "PATH", 10, SCOLS_FL_TRUNC, SCOLS_JSON_STRING, true, cell_path,
	  "leased file; of a pin, its context file; of a device, its mount point" },
};

#define NR_COLUMNS	(sizeof(columns) / sizeof(columns[0]))
_Static_assert(2 * NR_COLUMNS <= MAX_SHOWN, "MAX_SHOWN is too small");

void columns_help(void)
{
	puts("Columns (* by default):");
	for (size_t i = 0; i < NR_COLUMNS; i++)
		printf("  %c %-8s %s\n", columns[i].by_default ? '*' : ' ',
		       columns[i].name, columns[i].help);
}

bool column_is_size(const struct column *column)
{
	return column->cell == cell_size;
}

bool columns_show(const struct shown *shown, const char *name)
{
	for (size_t i = 0; i < shown->nr; i++) {
		if (!strcmp(shown->columns[i]->name, name))
			return true;
	}
	return false;
}

static const struct column *find_column(const char *name, size_t len)
{
	for (size_t i = 0; i < NR_COLUMNS; i++) {
		if (strlen(columns[i].name) == len &&
		    !strncasecmp(columns[i].name, name, len))
			return &columns[i];
	}
	errx(exit_failure, "'%.*s' is no column; 'flayout list --help' names them",
	     (int)len, name);
}

static void show_column(struct shown *shown, const struct column *column)
{
	if (shown->nr == MAX_SHOWN)
		errx(exit_failure, "too many columns; at most %d can be shown",
		     MAX_SHOWN);
	shown->columns[shown->nr++] = column;
}

static void choose_listed(struct shown *shown, const char *list)
{
	for (;;) {
		size_t len = strcspn(list, ",");

		show_column(shown, find_column(list, len));
		if (!list[len])
			break;
		list += len + 1;
	}
}

void columns_choose(struct shown *shown, const char *list, bool all)
{
	for (size_t i = 0; i < NR_COLUMNS; i++) {
		if (all || (columns[i].by_default && (!list || *list == '+')))
			show_column(shown, &columns[i]);
	}
	if (list && !all)
		choose_listed(shown, list + (*list == '+'));
}
