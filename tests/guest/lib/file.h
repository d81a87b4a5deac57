/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Files the tests work on, where their blocks are, and the operations of
 * others on them.  All return 0 (or what is said) or a negative errno.
 */
#ifndef FLAYOUT_TESTS_FILE_H
#define FLAYOUT_TESTS_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <linux/types.h>

#define FILE_PATH	128

/** file_make - create or replace @path with @size written bytes of @fill; a descriptor, O_RDWR */
int file_make(const char *path, size_t size, char fill);

/**
 * file_chunk - bytes that one call writes, 64 KiB or less: the page cache keeps
 * what was written together in one folio.  For this process and its later peers.
 */
extern size_t file_chunk;

/** file_open - open() that returns -errno */
int file_open(const char *path, int flags);

/** file_size - bytes, by name, or a negative errno */
long file_size(const char *path);

/** file_blocks - allocated 512-byte blocks of a descriptor */
long file_blocks(int fd);

/** file_is - true if [@start, @start+@len) of @path holds nothing but @byte */
bool file_is(const char *path, size_t start, size_t len, char byte);

/** file_map - map @len bytes shared, readable and writable; NULL on failure */
void *file_map(int fd, size_t len);

/* Where a file's blocks are: at most FILE_EXTENTS extents, in file order. */
#define FILE_EXTENTS	64

struct extents {
	unsigned int count;
	struct {
		__u64 logical, physical, length;	/* bytes */
		__u32 flags;				/* FIEMAP_EXTENT_* */
	} at[FILE_EXTENTS];
};

/** file_extents - the layout of @fd now */
int file_extents(int fd, struct extents *map);

/** extents_same - true if blocks and their sharing are equal */
bool extents_same(const struct extents *a, const struct extents *b);

/**
 * file_grab_blocks - make new files until one owns blocks that @freed lists
 * @dir: the file system
 * @freed: blocks that belonged to a file and were freed
 * @fill: what the taken blocks are filled with
 * @path: out: the file that owns them (FILE_PATH bytes)
 * @at: out: where in that file
 * @len: out: how many bytes
 */
int file_grab_blocks(const char *dir, const struct extents *freed, char fill, char *path,
		     __u64 *at, __u64 *len);

/* Operations for a peer: the argument of each is a struct cut. */
struct cut {
	char path[FILE_PATH];
	__u64 start, len;
	int flags;			/* of the description, for those that open one */
};

struct cut cut_of(const char *path, __u64 start, __u64 len);

long do_truncate(void *cut, int fd);	/* truncate(2) to start */
long do_ftruncate(void *cut, int fd);	/* ftruncate(2) to start, through the fd or an own one */
long do_open_trunc(void *cut, int fd);	/* open(2) with O_TRUNC */
long do_punch(void *cut, int fd);	/* PUNCH_HOLE */
long do_zero(void *cut, int fd);	/* ZERO_RANGE */
long do_collapse(void *cut, int fd);	/* COLLAPSE_RANGE */
long do_insert(void *cut, int fd);	/* INSERT_RANGE */
long do_allocate(void *cut, int fd);	/* fallocate mode 0 */
long do_write(void *cut, int fd);	/* len bytes of 'w' at start */
long do_madv_remove(void *cut, int fd);	/* MADV_REMOVE through an own mapping */

#endif
