// SPDX-License-Identifier: LGPL-2.1-or-later
/* Memory regions on files; see flayout-verbs.h. */
#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "flayout-verbs.h"

/* Of libflayout, for its sisters only. */
int flayout_fail(struct flayout *fl, int error, const char *message);

#define FALLBACKS	(FLAYOUT_FALLBACK_ODP | FLAYOUT_FALLBACK_BOUNCE)

struct flayout_mr {
	struct flayout *fl;
	struct flayout_registration *reg;
	struct ibv_pd *pd;
	void *addr;
	size_t len;
	int access;
	_Atomic(struct ibv_mr *) mr;
};

/* On demand, what a server of files needs: reliable connections, both ways. */
int flayout_odp_supported(struct ibv_context *context)
{
	const uint32_t needed = IBV_ODP_SUPPORT_WRITE | IBV_ODP_SUPPORT_READ;
	struct ibv_device_attr_ex attr;
	int ret;

	if (!context)
		return -EINVAL;
	ret = ibv_query_device_ex(context, NULL, &attr);
	if (ret)
		return -ret;
	return attr.odp_caps.general_caps & IBV_ODP_SUPPORT &&
	       (attr.odp_caps.per_transport_caps.rc_odp_caps & needed) == needed;
}

/*
 * Regions
 */

static const char *reg_words(int mode, int error)
{
	switch (error) {
	case EAGAIN:
		return "the lease is being broken: let go, and take it again";
	case EIO:
		return "the device's context is dead: a leased file of it was closed";
	case EFAULT:
		return "the memory lies beyond the end of the file, or is page cache that cannot be registered for writing";
	case ENXIO:
		return "the file has a hole there, and was mapped without PROT_WRITE";
	case EOPNOTSUPP:
		if (mode == FLAYOUT_MODE_ODP)
			return "the device does not register on demand";
		return "the lease does not cover the memory, or the device takes no leased memory";
	default:
		return "ibv_reg_mr() failed";
	}
}

static int make_mr(void *arg)
{
	struct flayout_mr *mr = arg;
	bool on_demand = flayout_mode(mr->fl) == FLAYOUT_MODE_ODP;
	struct ibv_mr *made = ibv_reg_mr(mr->pd, mr->addr, mr->len,
					 mr->access | (on_demand ? IBV_ACCESS_ON_DEMAND : 0));
	int error = errno;

	if (!made)
		return flayout_fail(mr->fl, error, reg_words(flayout_mode(mr->fl), error));
	atomic_store(&mr->mr, made);
	return 0;
}

/* It fails only for a dead context, whose end is what remains to be done. */
static void end_mr(void *arg)
{
	struct flayout_mr *mr = arg;
	struct ibv_mr *made = atomic_exchange(&mr->mr, NULL);

	if (made && ibv_dereg_mr(made))
		flayout_fail(mr->fl, EIO, "ibv_dereg_mr() failed: close the device's context");
}

static const struct flayout_registration_ops mr_ops = { .make = make_mr, .end = end_mr };

int flayout_reg_mr(struct flayout *fl, struct ibv_pd *pd, void *addr, size_t len, int access,
		   struct flayout_mr **out)
{
	struct flayout_mr *mr;
	int ret;

	if (!fl)
		return -EINVAL;
	if (!pd || !out)
		return flayout_fail(fl, EINVAL, "the protection domain, or the place for the region, is missing");
	*out = NULL;
	mr = calloc(1, sizeof(*mr));
	if (!mr)
		return flayout_fail(fl, ENOMEM, "no memory for a region");
	mr->fl = fl;
	mr->pd = pd;
	mr->addr = addr;
	mr->len = len;
	mr->access = access;
	ret = flayout_attach(fl, addr, len, &mr_ops, mr, &mr->reg);
	if (ret)
		free(mr);
	else
		*out = mr;
	return ret;
}

struct ibv_mr *flayout_mr_ibv(const struct flayout_mr *mr)
{
	return mr ? atomic_load(&mr->mr) : NULL;
}

void flayout_dereg_mr(struct flayout_mr *mr)
{
	if (!mr)
		return;
	flayout_detach(mr->reg);
	free(mr);
}

/*
 * Leases for a device
 */

/*
 * Does the device register leased memory?  Only EOPNOTSUPP says no: holes, an
 * empty file and a break have errors of their own.
 */
static int device_refuses(struct flayout *fl, struct ibv_pd *pd, uint64_t start)
{
	size_t page = sysconf(_SC_PAGESIZE);
	struct flayout_mr *mr;
	bool refused;
	void *addr;
	int ret;

	ret = flayout_map(fl, start & ~(uint64_t)(page - 1), page, PROT_READ, &addr);
	if (ret)
		return ret;
	ret = flayout_reg_mr(fl, pd, addr, page, 0, &mr);
	refused = ret == -EOPNOTSUPP;
	flayout_dereg_mr(mr);
	flayout_unmap(fl, addr);
	return refused;
}

/* On demand if the device can; else what is left. */
static unsigned int possible_fallback(struct ibv_pd *pd, unsigned int flags)
{
	if (!(flags & FLAYOUT_FALLBACK_ODP))
		return flags;
	if (flayout_odp_supported(pd->context) == 1)
		return flags & ~FLAYOUT_FALLBACK_BOUNCE;
	return flags & ~FLAYOUT_FALLBACK_ODP;
}

static int lease_or_fall_back(struct flayout *fl, struct ibv_pd *pd, uint64_t start, uint64_t len,
			      unsigned int flags)
{
	int ret = flayout_lease(fl, start, len, flags);

	if (ret || flayout_mode(fl) != FLAYOUT_MODE_LEASE)
		return ret;
	ret = device_refuses(fl, pd, start);
	if (ret <= 0)
		return ret;
	if (flags & FALLBACKS)
		return flayout_lease(fl, start, len, flags | FLAYOUT_FORCE_FALLBACK);
	flayout_drop(fl, FLAYOUT_NONBLOCK);
	return flayout_fail(fl, EOPNOTSUPP, "the device takes no leased memory");
}

int flayout_lease_for_pd(struct flayout *fl, struct ibv_pd *pd, uint64_t start, uint64_t len,
			 unsigned int flags)
{
	if (!fl)
		return -EINVAL;
	if (!pd)
		return flayout_fail(fl, EINVAL, "the protection domain is missing");
	flags = possible_fallback(pd, flags);
	if (flags & FLAYOUT_FORCE_FALLBACK && !(flags & FALLBACKS))
		return flayout_fail(fl, EOPNOTSUPP, "the device does not register on demand");
	return lease_or_fall_back(fl, pd, start, len, flags);
}
