/* SPDX-License-Identifier: GPL-2.0 */
/*
 * All operations of user space that free, move or share mapped blocks of a file
 * on ext4 or XFS: the table of the contract, as code.
 */
#ifndef FLAYOUT_TESTS_OPERATION_H
#define FLAYOUT_TESTS_OPERATION_H

#include <stdbool.h>

#include "file.h"
#include "peer.h"

enum {				/* struct operation.where */
	OP_EXT4 = 1,
	OP_XFS = 2,
	OP_BOTH = OP_EXT4 | OP_XFS,
};

enum {				/* struct operation.flags */
	OP_REFUSED = 1,		/* over any layout lease; the others begin a break */
	OP_TO_END = 2,		/* changes all that follows as well */
	OP_WHOLE = 4,		/* knows no range: changes the whole file */
	OP_NOT_DAX = 8,		/* does not exist with DAX */
};

/* @fn takes a struct cut: the file, and the range of RIG_SIZE it works on. */
struct operation {
	const char *name;
	peer_fn fn;
	int where;
	unsigned int flags;
};

extern const struct operation operations[];
extern const unsigned int operations_nr;

/**
 * operation_next - walk the table
 * @op: the one before, or NULL
 * @xfs: for XFS, else for ext4
 * @dax: the file system is mounted with DAX
 * @with: OP_* that must be there
 * @without: OP_* that must not
 *
 * Return: the next one, or NULL.
 */
const struct operation *operation_next(const struct operation *op, bool xfs, bool dax,
				       unsigned int with, unsigned int without);

/** operation_named - the one of that name; there is one */
const struct operation *operation_named(const char *name);

#define for_each_operation(op, variant, with, without)				\
	for (op = NULL; (op = operation_next(op, (variant)->xfs, (variant)->dax,	\
					     with, without)); )

#endif
