/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The kernel's table of layout leases and their pins, /proc/layout_leases, as
 * an array of records.  This is the one place that knows the format of the
 * file: one record a line, a first word that names its kind, then key=value
 * fields, the path last.  Kinds and keys that are not known here are skipped,
 * so newer kernels may add some.
 */
#ifndef FLAYOUT_LAYOUT_TABLE_H
#define FLAYOUT_LAYOUT_TABLE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define LAYOUT_TABLE_PATH	"/proc/layout_leases"
#define LAYOUT_TABLE_EOF	UINT64_MAX	/* "EOF": however far the file grows */

enum layout_record_type {
	LAYOUT_RECORD_LEASE,
	LAYOUT_RECORD_PIN,
};

/**
 * struct layout_record - a lease, or a pin that stands on one
 * @type: which of the two; decides which fields below have a meaning
 * @lease: number of the lease; of a pin, of the lease it stands on
 * @start: first byte of the range in the file
 * @end: first byte behind it, or LAYOUT_TABLE_EOF
 * @pages: pages pinned now, of the system's page size
 * @pid: a live process that holds the file; 0: none known
 * @comm: its name, unescaped; empty if none is known
 * @path: buffer file of a lease, context file of a pin, unescaped
 * @dev_major: lease: device of the file system
 * @dev_minor: lease: ditto
 * @ino: lease: inode number
 * @pins: lease: registrations under it
 * @denied: lease: operations refused with ETXTBSY
 * @mode: lease: shared or unbreak
 * @state: lease: active, breaking or draining
 * @kind: pin: the subsystem that holds it, such as rdma
 * @write: pin: the device may write
 *
 * Strings belong to the record; layout_table_free() frees them.
 */
struct layout_record {
	enum layout_record_type type;
	uint64_t lease;
	uint64_t start;
	uint64_t end;
	uint64_t pages;
	uint64_t pid;
	char *comm;
	char *path;
	uint64_t dev_major;
	uint64_t dev_minor;
	uint64_t ino;
	uint64_t pins;
	uint64_t denied;
	char *mode;
	char *state;
	char *kind;
	bool write;
};

/**
 * struct layout_table - all records, in the order of the file
 * @records: array of @nr records
 * @nr: their number
 * @error: after a failure, what is wrong, for a message; a static buffer's
 *	worth of text, never to be freed
 */
struct layout_table {
	struct layout_record *records;
	size_t nr;
	char error[128];
};

/*
 * Read every record of @file into @table, which need not be initialised.
 * Returns 0, or a negative errno: -EBADMSG for a malformed record (and
 * table->error names its line), -ENOMEM, or the error of reading.  On failure
 * the table is empty and needs no layout_table_free().
 */
int layout_table_read(struct layout_table *table, FILE *file);

/* Undo, in place, how blanks and their like are written in /proc: as \ooo. */
void layout_table_unescape(char *text);

/* Free what layout_table_read() allocated.  The table is empty afterwards. */
void layout_table_free(struct layout_table *table);

#endif
