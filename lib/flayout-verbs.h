/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libflayout-verbs: memory regions of libibverbs on files of libflayout.
 *
 * A library of its own, so that programs without RDMA need no libibverbs.
 * Errors, messages and threads are as in flayout.h; regions of one protection
 * domain may belong to different handles.
 */
#ifndef FLAYOUT_VERBS_H
#define FLAYOUT_VERBS_H

#include <infiniband/verbs.h>

#include <flayout.h>

#ifdef __cplusplus
extern "C" {
#endif

struct flayout_mr;

/** flayout_odp_supported - 1: the device does RC writes and reads on demand; 0: no; negative errno */
int flayout_odp_supported(struct ibv_context *context);

/**
 * flayout_lease_for_pd - flayout_lease() for regions of one protection domain
 * @fl: a handle with a file and without mappings
 * @pd: of the device that shall reach the file
 * @start: bytes, as for flayout_lease()
 * @len: bytes, as for flayout_lease()
 * @flags: as for flayout_lease(); both fallbacks may be given: on demand if the
 *         device can, else a copy
 *
 * Tries whether the device registers memory under a lease at all, and takes the
 * fallback if it does not.
 *
 * Return: as flayout_lease().
 */
int flayout_lease_for_pd(struct flayout *fl, struct ibv_pd *pd, uint64_t start, uint64_t len,
			 unsigned int flags);

/**
 * flayout_reg_mr - ibv_reg_mr() for memory of flayout_map()
 * @fl: the handle
 * @pd: must outlive the region
 * @addr: in a mapping of flayout_map()
 * @len: bytes, within that mapping
 * @access: IBV_ACCESS_*
 * @mr: out: for flayout_dereg_mr(), before or after flayout_close()
 *
 * Registers on demand in FLAYOUT_MODE_ODP.
 *
 * Return: 0; -EAGAIN: the lease is being broken; -EOPNOTSUPP: the device takes
 * no leased memory, or has no registration on demand; -EINVAL, -ENOMEM; or what
 * ibv_reg_mr(3) says.
 */
int flayout_reg_mr(struct flayout *fl, struct ibv_pd *pd, void *addr, size_t len, int access,
		   struct flayout_mr **mr);

/**
 * flayout_mr_ibv - the region as libibverbs knows it
 * @mr: the region
 *
 * It is the library's: never for ibv_dereg_mr().  A break ends it; another one,
 * with keys of its own, takes its place when the lease is back.  So ask again
 * after flayout_let_go(), flayout_drop(), flayout_retake() and
 * flayout_dispatch().
 *
 * Return: the region; NULL while it is ended.
 */
struct ibv_mr *flayout_mr_ibv(const struct flayout_mr *mr);

/** flayout_dereg_mr - deregister and forget; @mr may be NULL */
void flayout_dereg_mr(struct flayout_mr *mr);

#ifdef __cplusplus
}
#endif

#endif /* FLAYOUT_VERBS_H */
