// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Registrations: what devices know of the file's memory, kept so that a break
 * can end exactly those in its way, and make them anew afterwards.
 */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "private.h"

static int make(struct flayout *fl, struct flayout_registration *reg)
{
	int ret = reg->ops->make(reg->arg);

	reg->live = !ret;
	pthread_mutex_lock(&fl->lock);
	reg->lease_id = fl->events.lease_id;
	pthread_mutex_unlock(&fl->lock);
	return ret;
}

/* In a child the device's objects are still the parent's. */
static void end(struct flayout_registration *reg)
{
	if (!reg->live || reg->pid != getpid())
		return;
	reg->live = false;
	reg->ops->end(reg->arg);
}

/* End all that is not within @keep. */
void fl_end_registrations(struct flayout *fl, struct range keep)
{
	struct flayout_registration *reg;

	LIST_FOREACH(reg, &fl->registrations, entry) {
		if (!fl_range_within(reg->range, keep))
			end(reg);
	}
}

/* The device has let go of what stood on a revoked lease; its handle is still to be ended. */
static bool is_dead(struct flayout *fl, const struct flayout_registration *reg)
{
	bool dead;

	pthread_mutex_lock(&fl->lock);
	dead = reg->live && fl->events.revoked_id && reg->lease_id <= fl->events.revoked_id;
	pthread_mutex_unlock(&fl->lock);
	return dead;
}

/* Returns the number of those that could not be made. */
int fl_make_registrations(struct flayout *fl)
{
	struct flayout_registration *reg;
	int failed = 0;

	LIST_FOREACH(reg, &fl->registrations, entry) {
		if (is_dead(fl, reg))
			end(reg);
		if (!reg->live && make(fl, reg))
			failed++;
	}
	return failed;
}

/* Is any within @range known to a device? */
bool fl_has_registrations(struct flayout *fl, struct range range)
{
	struct flayout_registration *reg;

	LIST_FOREACH(reg, &fl->registrations, entry) {
		if (reg->live && fl_range_within(reg->range, range))
			return true;
	}
	return false;
}

/* The handle goes; what its owner still has to detach stays allocated. */
void fl_orphan_registrations(struct flayout *fl)
{
	struct flayout_registration *reg;

	while ((reg = LIST_FIRST(&fl->registrations))) {
		end(reg);
		reg->fl = NULL;
		LIST_REMOVE(reg, entry);
	}
}

static int file_range(struct flayout *fl, const void *addr, size_t len, struct range *range)
{
	struct mapping *map;
	int ret = 0;

	pthread_mutex_lock(&fl->lock);
	map = len ? fl_find_mapping(fl, addr, len) : NULL;
	if (map)
		*range = fl_range_of(map->offset + ((const char *)addr - map->addr), len);
	else
		ret = flayout_fail(fl, EINVAL, "the memory is not within one mapping of flayout_map()");
	pthread_mutex_unlock(&fl->lock);
	return ret;
}

static int attach(struct flayout *fl, struct flayout_registration *reg, const void *addr,
		  size_t len)
{
	int ret;

	pthread_mutex_lock(&fl->reg_lock);
	ret = file_range(fl, addr, len, &reg->range);
	if (!ret)
		ret = make(fl, reg);
	if (!ret)
		LIST_INSERT_HEAD(&fl->registrations, reg, entry);
	pthread_mutex_unlock(&fl->reg_lock);
	return ret;
}

int flayout_attach(struct flayout *fl, const void *addr, size_t len,
		   const struct flayout_registration_ops *ops, void *arg,
		   struct flayout_registration **out)
{
	struct flayout_registration *reg;
	int ret;

	if (!fl)
		return -EINVAL;
	if (!ops || !ops->make || !ops->end || !out)
		return flayout_fail(fl, EINVAL, "an operation, or the place for the result, is missing");
	*out = NULL;
	reg = calloc(1, sizeof(*reg));
	if (!reg)
		return fl_errno(fl, ENOMEM);
	reg->fl = fl;
	reg->addr = addr;
	reg->ops = ops;
	reg->arg = arg;
	reg->pid = getpid();
	ret = attach(fl, reg, addr, len);
	if (ret)
		free(reg);
	else
		*out = reg;
	return ret;
}

void flayout_detach(struct flayout_registration *reg)
{
	struct flayout *fl;

	if (!reg)
		return;
	fl = reg->fl;
	if (fl) {
		pthread_mutex_lock(&fl->reg_lock);
		end(reg);
		LIST_REMOVE(reg, entry);
		pthread_mutex_unlock(&fl->reg_lock);
	}
	free(reg);
}
