// SPDX-License-Identifier: GPL-2.0
/*
 * Tables of leases, printed.  By default a lease is a row, its pins are rows
 * below it.  --by puts rows above: a file or a device with its leases; a process
 * with the leases it holds, and with its pins under leases of others.
 */
#include "rows.h"

#include <err.h>
#include <libsmartcols/libsmartcols.h>
#include <stdlib.h>

#include "flayout.h"
#include "printable.h"

struct output {
	struct libscols_table *out;
	const struct layout_table *table;
	const struct lease_filter *filter;
	const struct layout_print *print;
};

static bool wanted(const struct output *o, const struct layout_record *lease)
{
	return lease_wanted(o->table, lease, o->filter);
}

static void add_columns(struct libscols_table *out,
			const struct layout_print *print)
{
	for (size_t i = 0; i < print->shown.nr; i++) {
		const struct column *column = print->shown.columns[i];
		int flags = column->flags;
		int json_type = column->json_type;
		struct libscols_column *made;

		if (print->no_truncate)
			flags &= ~SCOLS_FL_TRUNC;
		/* raw output is for scripts: no branches drawn */
		if (print->raw || print->flat || print->pairs ||
		    (print->no_pins && print->by == BY_LEASE))
			flags &= ~SCOLS_FL_TREE;
		if (print->view.bytes && column_is_size(column))
			json_type = SCOLS_JSON_NUMBER;
		made = scols_table_new_column(out, column->name,
					      column->width_hint, flags);
		if (!made)
			err(exit_failure, "cannot make a column");
		if (print->view.json)
			scols_column_set_json_type(made, json_type);
	}
}

/* NULL for an empty one.  But for JSON the library escapes names itself. */
static char *make_cell(const struct column *column, const struct row *row,
		       const struct view *view)
{
	char *cell = column->cell(row, view), *copy;

	if (!cell || !view->json)
		return cell;
	copy = printable(cell, true);
	free(cell);
	return copy;
}

static struct libscols_line *add_row(const struct output *o,
				     struct libscols_line *parent,
				     const struct row *row)
{
	struct libscols_line *line;

	line = scols_table_new_line(o->out, o->print->flat ? NULL : parent);
	if (!line)
		err(exit_failure, "cannot make a line");
	for (size_t i = 0; i < o->print->shown.nr; i++) {
		const struct column *column = o->print->shown.columns[i];
		char *cell = make_cell(column, row, &o->print->view);

		if (cell && scols_line_refer_data(line, i, cell))
			err(exit_failure, "cannot fill a line");
	}
	return line;
}

static void add_record(const struct output *o, struct libscols_line *parent,
		       const struct layout_record *r)
{
	struct row row = {
		.type = is_lease(r) ? ROW_LEASE : ROW_PIN, .r = r,
		.pins = r->pins, .pages = r->pages, .denied = r->denied,
	};
	struct libscols_line *line;

	if (!is_lease(r) && o->print->no_pins)
		return;
	line = add_row(o, parent, &row);
	for (size_t i = 0; is_lease(r) && i < o->table->nr; i++) {
		if (is_pin_of(&o->table->records[i], r))
			add_record(o, line, &o->table->records[i]);
	}
}

static void count_lease(struct row *row, const struct layout_record *lease)
{
	row->leases++;
	row->pins += lease->pins;
	row->pages += lease->pages;
	row->denied += lease->denied;
}

/*
 * By file and by device
 */

static bool same_group(const struct layout_record *a,
		       const struct layout_record *b, enum group_by by)
{
	return a->dev_major == b->dev_major && a->dev_minor == b->dev_minor &&
		(by == BY_DEVICE || a->ino == b->ino);
}

static bool is_in_group(const struct output *o, const struct layout_record *r,
			const struct layout_record *first)
{
	return is_lease(r) && same_group(r, first, o->print->by) && wanted(o, r);
}

static bool begins_group(const struct output *o, size_t nr)
{
	const struct layout_record *records = o->table->records;

	if (!wanted(o, &records[nr]))
		return false;
	for (size_t i = 0; i < nr; i++) {
		if (is_in_group(o, &records[i], &records[nr]))
			return false;
	}
	return true;
}

static void add_group(const struct output *o, const struct layout_record *first)
{
	struct row row = {
		.type = o->print->by == BY_FILE ? ROW_FILE : ROW_DEVICE,
		.r = first,
	};
	struct libscols_line *line;

	for (size_t i = 0; i < o->table->nr; i++) {
		if (is_in_group(o, &o->table->records[i], first))
			count_lease(&row, &o->table->records[i]);
	}
	line = add_row(o, NULL, &row);
	for (size_t i = 0; i < o->table->nr; i++) {
		if (is_in_group(o, &o->table->records[i], first))
			add_record(o, line, &o->table->records[i]);
	}
}

/*
 * By process
 */

static const struct layout_record *lease_of(const struct output *o,
					    const struct layout_record *pin)
{
	for (size_t i = 0; i < o->table->nr; i++) {
		if (is_lease(&o->table->records[i]) &&
		    is_pin_of(pin, &o->table->records[i]))
			return &o->table->records[i];
	}
	return NULL;
}

/* A lease, or a pin under one, that the filter lets pass. */
static bool wanted_record(const struct output *o, const struct layout_record *r)
{
	const struct layout_record *lease = is_lease(r) ? r : lease_of(o, r);

	return lease && wanted(o, lease);
}

static bool begins_process(const struct output *o, size_t nr)
{
	const struct layout_record *records = o->table->records;

	if (!wanted_record(o, &records[nr]))
		return false;
	for (size_t i = 0; i < nr; i++) {
		if (records[i].pid == records[nr].pid &&
		    wanted_record(o, &records[i]))
			return false;
	}
	return true;
}

static void add_process(const struct output *o, const struct layout_record *first)
{
	struct row row = { .type = ROW_PROCESS, .r = first };
	struct libscols_line *line;

	for (size_t i = 0; i < o->table->nr; i++) {
		const struct layout_record *r = &o->table->records[i];

		if (r->pid != first->pid || !wanted_record(o, r))
			continue;
		row.leases += is_lease(r);
		row.pins += !is_lease(r);
		row.pages += is_lease(r) ? 0 : r->pages;
	}
	line = add_row(o, NULL, &row);
	for (size_t i = 0; i < o->table->nr; i++) {
		const struct layout_record *r = &o->table->records[i];

		if (r->pid != first->pid || !wanted_record(o, r))
			continue;
		/* A pin under a lease of its own process hangs below that. */
		if (is_lease(r) || lease_of(o, r)->pid != r->pid)
			add_record(o, line, r);
	}
}

static void add_all(const struct output *o)
{
	for (size_t i = 0; i < o->table->nr; i++) {
		const struct layout_record *r = &o->table->records[i];

		switch (o->print->by) {
		case BY_LEASE:
			if (wanted(o, r))
				add_record(o, NULL, r);
			break;
		case BY_PROCESS:
			if (begins_process(o, i))
				add_process(o, r);
			break;
		default:
			if (begins_group(o, i))
				add_group(o, r);
		}
	}
}

static struct libscols_table *new_output(const struct layout_print *print)
{
	static const char * const names[] = {
		[BY_LEASE] = "leases", [BY_FILE] = "files",
		[BY_PROCESS] = "processes", [BY_DEVICE] = "devices",
	};
	struct libscols_table *out;

	scols_init_debug(0);
	out = scols_new_table();
	if (!out)
		err(exit_failure, "cannot make a table");
	scols_table_enable_json(out, print->view.json);
	scols_table_enable_raw(out, print->raw);
	scols_table_enable_export(out, print->pairs);
	scols_table_enable_noheadings(out, print->no_headings);
	if (print->view.json)
		scols_table_set_name(out, names[print->by]);
	return out;
}

void layout_print(const struct layout_table *table,
		  const struct lease_filter *filter,
		  const struct layout_print *print)
{
	struct output o = { new_output(print), table, filter, print };

	add_columns(o.out, print);
	add_all(&o);
	if (scols_print_table(o.out))
		errx(exit_failure, "cannot print the table");
	scols_unref_table(o.out);
}
