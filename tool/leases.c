// SPDX-License-Identifier: GPL-2.0
/* The table of leases of the running kernel, and which of them are wanted. */
#include "leases.h"

#include <err.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "flayout.h"
#include "printable.h"
#include "system.h"

static struct file_id file_id_of_dev(dev_t dev)
{
	return (struct file_id){ major(dev), minor(dev), 0 };
}

struct file_id file_id_of_stat(const struct stat *st)
{
	struct file_id id = file_id_of_dev(st->st_dev);

	id.ino = st->st_ino;
	return id;
}

struct file_id file_id_of_path(const char *path)
{
	struct stat st;

	if (stat(path, &st))
		err(exit_failure, "%s", path);
	return file_id_of_stat(&st);
}

struct file_id option_device(const char *arg)
{
	struct file_id id = { };
	struct stat st;
	int end = 0;

	if (sscanf(arg, "%" SCNu64 ":%" SCNu64 "%n", &id.dev_major, &id.dev_minor,
		   &end) == 2 && !arg[end])
		return id;
	if (stat(arg, &st))
		err(exit_failure, "%s: no device", arg);
	return file_id_of_dev(S_ISBLK(st.st_mode) ? st.st_rdev : st.st_dev);
}

static FILE *open_table(const char *saved)
{
	FILE *file = saved ? fopen(saved, "re") : system_open(LAYOUT_TABLE_PATH);

	if (file)
		return file;
	if (!saved && errno == ENOENT)
		errx(exit_failure, "this kernel has no layout leases ("
		     LAYOUT_TABLE_PATH " is missing)");
	if (!saved && errno == EACCES)
		errx(exit_failure, LAYOUT_TABLE_PATH
		     " is for root only; run this as root");
	err(exit_failure, "%s", saved ?: LAYOUT_TABLE_PATH);
}

void leases_load(struct layout_table *table, const char *saved)
{
	FILE *file = open_table(saved);
	int ret = layout_table_read(table, file);

	fclose(file);
	if (ret == -EBADMSG)
		errx(exit_failure, "%s: %s", saved ?: LAYOUT_TABLE_PATH,
		     table->error);
	if (ret)
		errx(exit_failure, "%s: %s", saved ?: LAYOUT_TABLE_PATH,
		     strerror(-ret));
}

int leases_try_load(struct layout_table *table)
{
	FILE *file = system_open(LAYOUT_TABLE_PATH);
	int ret;

	memset(table, 0, sizeof(*table));
	if (!file)
		return -errno;
	ret = layout_table_read(table, file);
	fclose(file);
	return ret;
}

static bool on_wanted_file(const struct layout_record *lease,
			   const struct lease_filter *filter)
{
	for (size_t i = 0; i < filter->nr_files; i++) {
		if (is_lease_of(lease, &filter->files[i]))
			return true;
	}
	return !filter->nr_files;
}

static bool on_wanted_device(const struct layout_record *lease,
			     const struct file_id *device)
{
	return !device || (lease->dev_major == device->dev_major &&
			   lease->dev_minor == device->dev_minor);
}

static bool is_held_by(const struct layout_record *lease,
		       const struct lease_filter *filter)
{
	for (size_t i = 0; filter->holders && i < filter->holders->nr; i++) {
		const struct holder *holder = &filter->holders->all[i];

		if (holder->pid == filter->pid &&
		    (filter->surely ? holder_surely_has(holder, lease) :
				      holder_has(holder, lease)))
			return true;
	}
	return lease->pid == filter->pid;
}

static bool of_wanted_pid(const struct layout_table *table,
			  const struct layout_record *lease,
			  const struct lease_filter *filter)
{
	if (!filter->pid || is_held_by(lease, filter))
		return true;
	for (size_t i = 0; i < table->nr; i++) {
		if (is_pin_of(&table->records[i], lease) &&
		    table->records[i].pid == filter->pid)
			return true;
	}
	return false;
}

static bool is_or_any(const char *text, const char *wanted)
{
	return !wanted || !strcmp(text, wanted);
}

bool lease_wanted(const struct layout_table *table,
		  const struct layout_record *lease,
		  const struct lease_filter *filter)
{
	return is_lease(lease) &&
		(!filter->id || lease->lease == filter->id) &&
		is_or_any(lease->state, filter->state) &&
		is_or_any(lease->mode, filter->mode) &&
		on_wanted_file(lease, filter) &&
		on_wanted_device(lease, filter->device) &&
		of_wanted_pid(table, lease, filter);
}

/* Does the path fit leases of the filter's files, but none that is surely held? */
static bool is_unsure(const struct layout_table *table,
		      const struct lease_filter *filter,
		      const struct holder *holder)
{
	bool any = false;

	for (size_t i = 0; i < table->nr; i++) {
		const struct layout_record *r = &table->records[i];

		if (!is_lease(r) || !on_wanted_file(r, filter) ||
		    !holder_has(holder, r))
			continue;
		if (holder_surely_has(holder, r))
			return false;
		any = true;
	}
	return any;
}

static void tell_unsure(const struct holder *holder)
{
	char *path = printable(holder->path, false);

	warnx("%s: process %" PRIu64 " holds a lease by a mapping; which one is not known, so none counts",
	      path, holder->pid);
	free(path);
}

/* The kernel lists leases one after another, those of a path need not be neighbours. */
static bool told_before(const struct holders *holders, size_t nr)
{
	const struct holder *holder = &holders->all[nr];

	for (size_t i = 0; i < nr; i++) {
		if (holders->all[i].pid == holder->pid &&
		    holders->all[i].fd == HOLDER_MAPS &&
		    !strcmp(holders->all[i].path, holder->path))
			return true;
	}
	return false;
}

bool leases_tell_unsure(const struct layout_table *table,
			const struct lease_filter *filter)
{
	const struct holders *holders = filter->holders;
	bool any = false;

	for (size_t i = 0; i < holders->nr; i++) {
		const struct holder *holder = &holders->all[i];

		if (holder->pid != filter->pid || holder->fd != HOLDER_MAPS ||
		    !is_unsure(table, filter, holder))
			continue;
		if (!told_before(holders, i))
			tell_unsure(holder);
		any = true;
	}
	return any;
}
