/* SPDX-License-Identifier: GPL-2.0 */
/* RDMA flushes on soft-RoCE, which the library of Debian 12 does not know. */
#ifndef FLAYOUT_TESTS_RDMA_FLUSH_H
#define FLAYOUT_TESTS_RDMA_FLUSH_H

#include "rdma.h"

enum flush_level { FLUSH_RANGE, FLUSH_REGION };

/**
 * wire_flush - have the far side make what was written visible to all, and wait
 * @wire: our end; idle
 * @mr: the far side's region, with MR_FLUSH
 * @len: bytes from its beginning, for FLUSH_RANGE
 *
 * Return: as wire_write().
 */
int wire_flush(struct wire *wire, struct ibv_mr *mr, size_t len, enum flush_level level);

#endif
