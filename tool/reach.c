// SPDX-License-Identifier: GPL-2.0
/* A descriptor of the file of a lease, wherever it can be had. */
#include "reach.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

#include "leases.h"
#include "system.h"

static bool is_that_file(const struct stat *st, const struct layout_record *lease)
{
	struct file_id id = file_id_of_stat(st);

	return S_ISREG(st->st_mode) && is_lease_of(lease, &id);
}

/* Looked at before it is opened: opening something else can have effects. */
static int open_if_same(const char *path, const struct layout_record *lease)
{
	struct stat st;
	int fd;

	if (stat(path, &st) || !is_that_file(&st, lease))
		return -1;
	fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	if (!fstat(fd, &st) && is_that_file(&st, lease))
		return fd;
	close(fd);
	return -1;
}

/* Takes @path. */
static int open_and_free(char *path, const struct layout_record *lease)
{
	int fd = open_if_same(path, lease);

	free(path);
	return fd;
}

static int open_mapping(const struct holder *holder,
			const struct layout_record *lease)
{
	char *path = system_path("/proc/%" PRIu64 "/map_files", holder->pid);
	DIR *dir = opendir(path);
	struct dirent *entry;
	int fd = -1;

	while (dir && fd < 0 && (entry = readdir(dir))) {
		if (*entry->d_name != '.')
			fd = open_and_free(format_text("%s/%s", path, entry->d_name),
					   lease);
	}
	if (dir)
		closedir(dir);
	free(path);
	return fd;
}

static int open_through(const struct holder *holder,
			const struct layout_record *lease)
{
	if (holder->fd == HOLDER_MAPS)
		return open_mapping(holder, lease);
	return open_and_free(system_path("/proc/%" PRIu64 "/fd/%d", holder->pid,
					 holder->fd), lease);
}

int reach_lease(const struct layout_record *lease, const struct holders *holders)
{
	int fd = open_if_same(lease->path, lease);

	if (fd < 0 && lease->pid)
		fd = open_and_free(system_path("/proc/%" PRIu64 "/root%s",
					       lease->pid, lease->path), lease);
	for (size_t i = 0; fd < 0 && i < holders->nr; i++) {
		if (holder_has(&holders->all[i], lease))
			fd = open_through(&holders->all[i], lease);
	}
	return fd;
}
