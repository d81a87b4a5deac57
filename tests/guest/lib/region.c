// SPDX-License-Identifier: GPL-2.0
/* A leased and registered file that is taken; see region.h. */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "region.h"

#define MORE_REGIONS	32

static int region_register(struct region *r)
{
	int ret = lease_take(r->rig.fd, 0, 0, 0, r->rig.event);

	if (!ret)
		ret = mr_reg(&r->traffic.server, r->map, RIG_SIZE, REGION_ACCESS, &r->mr);
	return ret ? ret : mr_reg(&r->traffic.server, r->memory, MIB, MR_SERVER, &r->other);
}

int region_open(struct region *r, const char *dir)
{
	int ret;

	memset(r, 0, sizeof(*r));
	r->dir = dir;
	ret = rig_open(&r->rig, dir);
	if (!ret)
		ret = traffic_open(&r->traffic);
	if (ret)
		return ret;
	r->near = &r->traffic.near;
	r->far = &r->traffic.far;
	r->local = r->traffic.local;
	r->map = file_map(r->rig.fd, RIG_SIZE);
	r->memory = mmap(NULL, MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (!r->map || r->memory == MAP_FAILED)
		return -ENOMEM;
	return region_register(r);
}

void region_close(struct region *r)
{
	if (r->mr)
		ibv_dereg_mr(r->mr);
	if (r->other)
		ibv_dereg_mr(r->other);
	traffic_close(&r->traffic);
	if (r->neighbour[0])
		unlink(r->neighbour);
	rig_close(&r->rig);
}

int region_lose(struct region *r)
{
	struct layout_lease lease;
	struct extents before;
	int ret = file_extents(r->rig.fd, &before);

	if (!ret)
		ret = break_time_set(0);
	if (!ret)
		ret = rig_other(&r->rig, do_truncate, 0, 0);
	if (!ret)
		ret = file_grab_blocks(r->dir, &before, NEIGHBOUR, r->neighbour, &r->at, &r->len);
	lease = lease_see(r->rig.fd);
	if (!ret && (lease.state != LAYOUT_REVOKED || lease.pins || lease.pinned_pages))
		ret = -EBUSY;
	return ret;
}

bool region_spared(struct region *r)
{
	return file_is(r->neighbour, r->at, r->len, NEIGHBOUR);
}

bool region_seen(const char *memory, size_t len)
{
	return memchr(memory, NEIGHBOUR, len);
}

/* No region gets a key that user space has not freed. */
static bool keys_are_kept(struct region *r)
{
	struct ibv_mr *more[MORE_REGIONS];
	bool kept = true;
	int i;

	for (i = 0; i < MORE_REGIONS; i++) {
		if (mr_reg(&r->traffic.server, r->memory, PAGE, MR_SERVER, &more[i]))
			break;
		kept = kept && more[i]->rkey >> 8 != r->mr->rkey >> 8;
	}
	kept = kept && i == MORE_REGIONS;
	while (i--)
		ibv_dereg_mr(more[i]);
	return kept;
}

/* In both directions, over ordinary memory. */
static bool traffic_flows(struct region *r)
{
	memset(r->local->addr, 'x', PAGE);
	if (traffic_reconnect(&r->traffic) ||
	    wire_write(r->far, r->local, PAGE, (unsigned long)r->memory, r->other->rkey))
		return false;
	return r->memory[PAGE - 1] == 'x' &&
	       !wire_write(r->near, r->other, PAGE, (unsigned long)r->traffic.buf, r->local->rkey);
}

const char *region_damage(struct region *r)
{
	if (!keys_are_kept(r))
		return "another region got its key, or none could be registered";
	if (!traffic_flows(r))
		return "the rest of the context does not work";
	if (ibv_dereg_mr(r->mr))
		return "it cannot be deregistered";
	r->mr = NULL;
	return region_spared(r) ? "" : "something arrived in the old blocks";
}
