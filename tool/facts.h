/* SPDX-License-Identifier: GPL-2.0 */
/* What can be found out about one file: where it is, and how it is mapped. */
#ifndef FLAYOUT_FACTS_H
#define FLAYOUT_FACTS_H

#include "leases.h"
#include "mounts.h"

/* What a DAX mapping is made of at most. */
#define HUGE_ENTRY	(2ULL << 20)

/* Where the bytes below the end of the file are. */
struct block_facts {
	int error;		/* errno of FIEMAP; the rest is then zero */
	uint64_t extents;
	uint64_t mapped;	/* bytes, as all below but the last */
	uint64_t unwritten;	/* allocated, but read as zeros */
	uint64_t shared;	/* with other files */
	uint64_t holes;
	uint64_t huge;		/* pieces of HUGE_ENTRY one entry can map */
	uint64_t huge_wanted;	/* how many there are in the file */
};

struct file_facts {
	const char *path;
	struct stat st;
	struct file_id id;
	bool dax;		/* STATX_ATTR_DAX */
	bool immutable;
	bool append_only;
	bool mounted;		/* @mount is known */
	struct mount mount;
};

/* Exits with a message if there is no such file.  For facts_free(). */
void facts_find(struct file_facts *facts, const char *path);
void facts_free(struct file_facts *facts);

/* A descriptor for questions; opening it breaks no lease.  -1 and errno. */
int facts_open(const struct file_facts *facts);

void facts_find_blocks(const struct file_facts *facts, int fd,
		       struct block_facts *blocks);

#endif
