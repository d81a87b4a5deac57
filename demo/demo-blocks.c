// SPDX-License-Identifier: GPL-2.0
/*
 * demo-blocks: follow the physical blocks of a file to their next owner.
 *
 *   demo-blocks save FILE LIST            note where FILE's blocks are
 *   demo-blocks take LIST NEWFILE DATA    write copies of DATA into NEWFILE
 *                                         until it owns every block of LIST
 *
 * Says "blocks bytes=N" and "took bytes=N of=N size=N" (see talk.h); exit
 * status 0 unless something failed, or not all could be taken.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../tests/guest/lib/file.h"
#include "talk.h"

#define STEP	(8UL << 20)	/* bytes the new file grows by at a time */

static void fail(const char *what, int ret)
{
	errx(EXIT_FAILURE, "%s: %s", what, strerror(-ret));
}

static uint64_t total(const struct extents *map)
{
	uint64_t bytes = 0;

	for (unsigned int i = 0; i < map->count; i++)
		bytes += map->at[i].length;
	return bytes;
}

/* Bytes of the device that are in both maps. */
static uint64_t common(const struct extents *a, const struct extents *b)
{
	uint64_t bytes = 0;

	for (unsigned int i = 0; i < a->count; i++) {
		for (unsigned int j = 0; j < b->count; j++) {
			uint64_t start = a->at[i].physical, end = start + a->at[i].length;
			uint64_t start2 = b->at[j].physical, end2 = start2 + b->at[j].length;

			start = start > start2 ? start : start2;
			end = end < end2 ? end : end2;
			bytes += end > start ? end - start : 0;
		}
	}
	return bytes;
}

static void save(const char *path, const char *list)
{
	int fd = open(path, O_RDONLY);
	FILE *out = fopen(list, "w");
	struct extents map;
	int ret;

	if (fd < 0)
		err(EXIT_FAILURE, "%s", path);
	ret = file_extents(fd, &map);
	if (ret)
		fail(path, ret);
	if (!out || fwrite(&map, sizeof(map), 1, out) != 1 || fclose(out))
		err(EXIT_FAILURE, "%s", list);
	say("blocks bytes=%llu", (unsigned long long)total(&map));
}

static void load(const char *path, void *to, size_t size)
{
	FILE *in = fopen(path, "r");

	if (!in || fread(to, size, 1, in) != 1)
		errx(EXIT_FAILURE, "%s: cannot read %zu bytes", path, size);
	fclose(in);
}

/* Another STEP of data; false when the file system is full. */
static bool grow(int fd, const char *data)
{
	ssize_t written = write(fd, data, STEP);

	if (written < 0 && errno != ENOSPC)
		err(EXIT_FAILURE, "cannot write the new file");
	if (fsync(fd))
		err(EXIT_FAILURE, "cannot sync the new file");
	return written == (ssize_t)STEP;
}

static int take(const char *list, const char *path, const char *data_path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
	char *data = malloc(STEP);
	struct extents freed, map;
	uint64_t taken;
	bool room;
	int ret;

	if (fd < 0 || !data)
		err(EXIT_FAILURE, "%s", path);
	load(list, &freed, sizeof(freed));
	load(data_path, data, STEP);
	do {
		room = grow(fd, data);
		ret = file_extents(fd, &map);
		if (ret)
			fail(path, ret);
		taken = common(&map, &freed);
	} while (room && taken < total(&freed));
	say("took bytes=%llu of=%llu size=%llu", (unsigned long long)taken,
	    (unsigned long long)total(&freed), (unsigned long long)total(&map));
	return taken == total(&freed) ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int argc, char **argv)
{
	if (argc == 4 && !strcmp(argv[1], "save")) {
		save(argv[2], argv[3]);
		return EXIT_SUCCESS;
	}
	if (argc == 5 && !strcmp(argv[1], "take"))
		return take(argv[2], argv[3], argv[4]);
	errx(EXIT_FAILURE, "usage: demo-blocks save FILE LIST | take LIST NEWFILE DATA");
}
