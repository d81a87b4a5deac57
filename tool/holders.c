// SPDX-License-Identifier: GPL-2.0
/* Who holds leased files, from /proc/PID/file_pins and /proc/PID/fdinfo. */
#include "holders.h"

#include <err.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "flayout.h"
#include "system.h"

/* The number of the lease of a descriptor; 0 if it has none any more. */
static uint64_t lease_of_fd(uint64_t pid, int fd)
{
	FILE *file = system_open("/proc/%" PRIu64 "/fdinfo/%d", pid, fd);
	char line[256];
	uint64_t id = 0;

	while (file && !id && fgets(line, sizeof(line), file))
		sscanf(line, "layout_lease: id=%" SCNu64, &id);
	if (file)
		fclose(file);
	return id;
}

static void add_holder(struct holders *holders, const struct holder *holder)
{
	holders->all = reallocarray(holders->all, holders->nr + 1,
				    sizeof(*holders->all));
	if (!holders->all)
		err(exit_failure, "cannot allocate");
	holders->all[holders->nr++] = *holder;
}

/* "lease FD MODE STATE PAGES PATH", of which FD and PATH matter. */
static void parse_line(struct holders *holders, uint64_t pid, char *line)
{
	struct holder holder = { .pid = pid, .fd = HOLDER_MAPS };
	char fd[16];
	int path = 0;

	line[strcspn(line, "\n")] = '\0';
	if (sscanf(line, "lease %15s %*s %*s %*s %n", fd, &path) != 1 || !path)
		return;
	if (strcmp(fd, "-")) {
		holder.fd = atoi(fd);
		holder.lease = lease_of_fd(pid, holder.fd);
		if (!holder.lease)
			return;
	}
	layout_table_unescape(line + path);
	holder.path = format_text("%s", line + path);
	holder.comm = system_comm(pid) ?: format_text("%s", "");
	add_holder(holders, &holder);
}

static void load_pid(uint64_t pid, void *arg)
{
	FILE *file = system_open("/proc/%" PRIu64 "/file_pins", pid);
	size_t size = 0;
	char *line = NULL;

	if (!file)
		return;
	while (getline(&line, &size, file) > 0)
		parse_line(arg, pid, line);
	free(line);
	fclose(file);
}

void holders_load(struct holders *holders, uint64_t pid)
{
	memset(holders, 0, sizeof(*holders));
	if (pid)
		load_pid(pid, holders);
	else
		system_each_pid(load_pid, holders);
}

void holders_free(struct holders *holders)
{
	for (size_t i = 0; i < holders->nr; i++) {
		free(holders->all[i].comm);
		free(holders->all[i].path);
	}
	free(holders->all);
	memset(holders, 0, sizeof(*holders));
}

bool holder_has(const struct holder *holder, const struct layout_record *lease)
{
	if (holder->fd == HOLDER_MAPS)
		return !strcmp(holder->path, lease->path);
	return holder->lease == lease->lease;
}

bool holder_surely_has(const struct holder *holder,
		       const struct layout_record *lease)
{
	return holder_has(holder, lease) &&
		(holder->fd != HOLDER_MAPS || holder->pid == lease->pid);
}
