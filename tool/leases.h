/* SPDX-License-Identifier: GPL-2.0 */
/* The table of leases of the running kernel, and which of them are wanted. */
#ifndef FLAYOUT_LEASES_H
#define FLAYOUT_LEASES_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "holders.h"
#include "layout_table.h"

/* Which file, as the table names it. */
struct file_id {
	uint64_t dev_major;
	uint64_t dev_minor;
	uint64_t ino;
};

struct file_id file_id_of_stat(const struct stat *st);

/* Exits with a message if there is no such file. */
struct file_id file_id_of_path(const char *path);

static inline bool is_lease(const struct layout_record *r)
{
	return r->type == LAYOUT_RECORD_LEASE;
}

static inline bool is_lease_of(const struct layout_record *r,
			       const struct file_id *file)
{
	return is_lease(r) && r->dev_major == file->dev_major &&
		r->dev_minor == file->dev_minor && r->ino == file->ino;
}

static inline bool is_pin_of(const struct layout_record *r,
			     const struct layout_record *lease)
{
	return !is_lease(r) && r->lease == lease->lease;
}

/*
 * Read /proc/layout_leases, or the saved copy of it at @saved, for
 * layout_table_free().  Exits with a message that says what to do if it cannot.
 */
void leases_load(struct layout_table *table, const char *saved);

/* The same; a negative errno instead of the exit, and never a message. */
int leases_try_load(struct layout_table *table);

/* What must be true of a lease; fields that are zero or NULL ask nothing. */
struct lease_filter {
	const struct file_id *files;	/* it is on one of them */
	size_t nr_files;
	uint64_t id;
	uint64_t pid;			/* who holds it, or pins under it */
	const struct holders *holders;	/* all that @pid holds */
	bool surely;			/* holder_surely_has(), not holder_has() */
	const char *state;
	const char *mode;
	const struct file_id *device;	/* but for its inode number */
};

bool lease_wanted(const struct layout_table *table,
		  const struct layout_record *lease,
		  const struct lease_filter *filter);

/*
 * Warn of each file, of those of the filter, that its process holds a lease on by
 * a mapping while the table does not name it for any; is there one?
 */
bool leases_tell_unsure(const struct layout_table *table,
			const struct lease_filter *filter);

/*
 * The device of a file system, its inode number zero: MAJ:MIN, a block device,
 * or any file on it.  Exits with a message if it is none of them.
 */
struct file_id option_device(const char *arg);

#endif
