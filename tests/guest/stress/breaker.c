// SPDX-License-Identifier: GPL-2.0
/* What the workers do to files: all that frees, moves or shares blocks, and writing. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "../lib/operation.h"
#include "stress.h"

#define WRITE_MAX	(64 * KIB)

/* What means that something is broken, whoever does what. */
bool breaker_strange(int error)
{
	switch (-error) {
	case EIO:
	case EUCLEAN:
	case ENXIO:
	case ENODEV:
	case ESHUTDOWN:
	case ENOMEM:
		return true;
	default:
		return false;
	}
}

void link_path(char *path, int worker, int file)
{
	snprintf(path, FILE_PATH, "%.96s.%d", stress->files[file].path, worker);
}

static __u64 some_offset(struct random *rnd)
{
	if (chance(rnd, 30))
		return pick(rnd, FILE_MAX / ENV_DAX_ENTRY) * ENV_DAX_ENTRY;
	return pick(rnd, FILE_MAX / PAGE) * PAGE;
}

static struct cut some_cut(struct random *rnd, int worker, int file)
{
	__u64 start = some_offset(rnd), len = some_offset(rnd) + PAGE;
	struct cut cut;

	if (len > FILE_MAX - start)
		len = FILE_MAX - start;
	cut = cut_of("", start, len);
	link_path(cut.path, worker, file);
	if (chance(rnd, 30))
		cut.flags |= O_NONBLOCK;
	return cut;
}

/* SWAP_BOOT moves contents from file to file by way of the boot inode. */
static bool possible(const struct operation *op, const struct stress_file *file)
{
	if (!(op->where & (file->xfs ? OP_XFS : OP_EXT4)) || !strcmp(op->name, "SWAP_BOOT"))
		return false;
	return !(file->dax && (op->flags & OP_NOT_DAX));
}

/*
 * Operations with donors write as much as a whole file: one in four, where there
 * are any.
 */
static const struct operation *some_operation(struct random *rnd, const struct stress_file *file)
{
	bool refused = chance(rnd, 25) && (file->xfs || !file->dax);
	const struct operation *op;

	for (;;) {
		op = &operations[pick(rnd, operations_nr)];
		if (possible(op, file) && !(op->flags & OP_REFUSED) == !refused)
			return op;
	}
}

/* Others open the file themselves. */
static bool takes_descriptor(const struct operation *op)
{
	return op->fn == do_ftruncate || op->fn == do_punch || op->fn == do_zero ||
	       op->fn == do_collapse || op->fn == do_insert || op->fn == do_madv_remove;
}

static int grow(struct random *rnd, struct cut *cut, int fd)
{
	cut->start = chance(rnd, 50) ? FILE_MAX : cut->start + cut->len;
	if (chance(rnd, 50))
		return do_ftruncate(cut, fd);
	cut->start -= cut->len;
	return do_allocate(cut, fd);
}

int breaker_act(struct random *rnd, int worker, int file, int fd)
{
	const struct stress_file *of = &stress->files[file];
	struct cut cut = some_cut(rnd, worker, file);
	const struct operation *op;

	if (fd >= 0)
		fd = dup(fd);		/* operations close what they are given */
	/* files grow as often as they are cut, or there is soon nothing left */
	if (chance(rnd, 40))
		return grow(rnd, &cut, fd);
	op = some_operation(rnd, of);
	if (op->fn == do_insert && file_size(cut.path) > (long)FILE_MAX)
		op = &operations[0];
	if (fd >= 0 && !takes_descriptor(op)) {
		close(fd);
		fd = -1;
	}
	errno = 0;
	return op->fn(&cut, fd);
}

int breaker_write(struct random *rnd, int file)
{
	char buf[WRITE_MAX];
	size_t len = 1 + pick(rnd, sizeof(buf));
	int fd, ret = 0;

	memset(buf, stress->files[file].letter, len);
	fd = file_open(stress->files[file].path, O_RDWR);
	if (fd < 0)
		return fd;
	if (pwrite(fd, buf, len, some_offset(rnd)) < 0)
		ret = -errno;
	if (!ret && chance(rnd, 30) && fsync(fd))
		ret = -errno;
	close(fd);
	return ret;
}
