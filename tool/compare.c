// SPDX-License-Identifier: GPL-2.0
/* Events out of two looks at the table of leases. */
#include "compare.h"

#include <stdio.h>
#include <string.h>

struct comparison {
	void (*each)(struct event *event, void *arg);
	void *arg;
};

static const struct layout_record *find(const struct layout_table *table,
					uint64_t id)
{
	for (size_t i = 0; i < table->nr; i++) {
		if (is_lease(&table->records[i]) && table->records[i].lease == id)
			return &table->records[i];
	}
	return NULL;
}

static void tell(const struct comparison *c, const char *name,
		 const struct layout_record *r)
{
	struct event event = {
		.lease = r->lease, .start = r->start, .end = r->end,
		.file = { r->dev_major, r->dev_minor, r->ino },
		.has_pins = true, .pins = r->pins, .pages = r->pages,
		.pid = r->pid, .path = r->path,
	};

	clock_gettime(CLOCK_REALTIME, &event.time);
	snprintf(event.name, sizeof(event.name), "%s", name);
	snprintf(event.mode, sizeof(event.mode), "%s", r->mode);
	snprintf(event.comm, sizeof(event.comm), "%s", r->comm);
	c->each(&event, c->arg);
}

static bool is_breaking(const struct layout_record *r)
{
	return !strcmp(r->state, "breaking");
}

static void compare_lease(const struct comparison *c,
			  const struct layout_record *before,
			  const struct layout_record *now)
{
	if (now->pins > before->pins)
		tell(c, "pin", now);
	if (now->denied > before->denied)
		tell(c, "denied", now);
	if (is_breaking(now) && !is_breaking(before))
		tell(c, "break", now);
	if (now->pins < before->pins)
		tell(c, "unpin", now);
}

/* A lease that is new, and what has happened to it since. */
static void tell_new(const struct comparison *c, const struct layout_record *now)
{
	tell(c, "take", now);
	if (now->pins)
		tell(c, "pin", now);
	if (now->denied)
		tell(c, "denied", now);
	if (is_breaking(now))
		tell(c, "break", now);
}

void compare_tables(const struct layout_table *before,
		    const struct layout_table *now,
		    void (*each)(struct event *event, void *arg), void *arg)
{
	struct comparison c = { each, arg };

	for (size_t i = 0; i < before->nr; i++) {
		const struct layout_record *r = &before->records[i];

		if (is_lease(r) && !find(now, r->lease))
			tell(&c, "ended", r);
	}
	for (size_t i = 0; i < now->nr; i++) {
		const struct layout_record *r = &now->records[i];
		const struct layout_record *old;

		if (!is_lease(r))
			continue;
		old = find(before, r->lease);
		if (old)
			compare_lease(&c, old, r);
		else
			tell_new(&c, r);
	}
}
