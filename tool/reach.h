/* SPDX-License-Identifier: GPL-2.0 */
/* A descriptor of the file of a lease, wherever it can be had. */
#ifndef FLAYOUT_REACH_H
#define FLAYOUT_REACH_H

#include "holders.h"
#include "layout_table.h"

/*
 * Open the very file of @lease, for reading: by its path, by its path as its
 * holder sees it, or through a descriptor or a mapping of a holder if the path
 * is gone or means another file.  It is a description of its own, not the
 * leased one.  Returns -1 if the file cannot be reached.
 */
int reach_lease(const struct layout_record *lease, const struct holders *holders);

#endif
