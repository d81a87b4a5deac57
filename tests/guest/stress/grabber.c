// SPDX-License-Identifier: GPL-2.0
/*
 * A grabber makes new files all the time, so that what others free becomes its
 * own soon, fills them, and looks whether anybody else writes there.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "stress.h"

#define KEPT	16		/* files at a time */
#define SIZE	MIB

struct grabbed {
	char path[FILE_PATH];
	unsigned int number;
};

/* Small letters, so that they differ from those of the files; not the donors' d. */
static char pattern(unsigned int number)
{
	return 'p' + number % 8;
}

static void grab(struct grabbed *file, const char *dir, unsigned int number)
{
	int fd;

	file->number = number;
	snprintf(file->path, sizeof(file->path), "%s/grab.%u", dir, number);
	fd = file_make(file->path, SIZE, pattern(number));
	if (fd >= 0) {
		stress_count(&stress->grabbed);
		close(fd);
		return;
	}
	if (breaker_strange(fd))
		stress_fail(CHECK_ANSWER, "%s: %s", file->path, strerror(-fd));
	unlink(file->path);
	file->path[0] = 0;
}

/* Where something else begins, or -1. */
static long foreign(const char *map, char byte)
{
	static char want[SIZE];
	long i;

	memset(want, byte, SIZE);
	if (!memcmp(map, want, SIZE))
		return -1;
	for (i = 0; i < (long)SIZE && map[i] == byte; i++)
		;
	return i;
}

static void look(const struct grabbed *file)
{
	char *map;
	long at;
	int fd;

	if (!file->path[0])
		return;
	fd = file_open(file->path, O_RDONLY);
	if (fd < 0)
		return;
	map = mmap(NULL, SIZE, PROT_READ, MAP_SHARED, fd, 0);
	close(fd);
	if (map == MAP_FAILED)
		return;
	stress_count(&stress->looked[CHECK_GRABBED]);
	at = foreign(map, pattern(file->number));
	if (at >= 0)
		stress_fail(CHECK_GRABBED, "%s: '%c' at %ld instead of '%c'", file->path, map[at],
			    at, pattern(file->number));
	munmap(map, SIZE);
}

static void forget(struct grabbed *file)
{
	look(file);
	if (file->path[0])
		unlink(file->path);
	file->path[0] = 0;
}

void grabber_run(int grabber)
{
	const char *dir = grabber ? ENV_XFS : ENV_EXT4;
	struct grabbed files[KEPT] = { 0 };
	int place = AT_GRABBER + grabber;
	unsigned int number, i;
	struct random rnd;

	random_start(&rnd, place, 0);
	for (number = 0; !stress->stop; number++) {
		stress_begin(place, "make a new file", 0);
		look(&files[pick(&rnd, KEPT)]);
		forget(&files[number % KEPT]);
		grab(&files[number % KEPT], dir, number);
		stress_end(place);
		usleep(pick(&rnd, 20000));
	}
	for (i = 0; i < KEPT; i++)
		forget(&files[i]);
	_exit(0);
}
