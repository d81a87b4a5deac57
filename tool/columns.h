/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What tables of leases are made of: rows and columns.  The table of columns
 * makes the help text, what -o accepts, cells and their JSON types; shell
 * completion asks the help text.
 */
#ifndef FLAYOUT_COLUMNS_H
#define FLAYOUT_COLUMNS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "holders.h"
#include "layout_table.h"

enum row_type { ROW_LEASE, ROW_PIN, ROW_FILE, ROW_PROCESS, ROW_DEVICE };

/* One line: a lease, a pin, or what --by makes of several. */
struct row {
	enum row_type type;
	const struct layout_record *r;	/* its record; of a group, the first */
	uint64_t leases;
	uint64_t pins;
	uint64_t pages;
	uint64_t denied;
};

/* How cells are written. */
struct view {
	bool bytes;
	bool json;
	const struct holders *holders;	/* for HOLDERS */
};

struct column {
	const char *name;
	double width_hint;
	int flags;		/* SCOLS_FL_* */
	int json_type;		/* SCOLS_JSON_*; sizes are numbers with --bytes */
	bool by_default;
	/* Returns an allocated cell; NULL for an empty one. */
	char *(*cell)(const struct row *row, const struct view *view);
	const char *help;
};

#define MAX_SHOWN	40	/* defaults, and some more by -o + */

struct shown {
	const struct column *columns[MAX_SHOWN];
	size_t nr;
};

/* @list as of -o, or NULL; exits with a message if it names no columns. */
void columns_choose(struct shown *shown, const char *list, bool all);
bool columns_show(const struct shown *shown, const char *name);
bool column_is_size(const struct column *column);
void columns_help(void);

/* 1536K, 64M: one unit, at most one decimal, as lslocks prints sizes. */
char *human_size(uint64_t bytes);

#endif
