// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Events.  The kernel only says that something has happened; what, is found by
 * comparing the lease with what has been told already.  So events that come
 * together are not lost, and one that is no longer true is not told.
 */
#include <errno.h>
#include <unistd.h>

#include "private.h"

static const struct range nothing;

static bool due(const struct events *events)
{
	return events->break_due || events->revoked_due || events->denied_due;
}

static void signal_again(struct flayout *fl)
{
	static const uint64_t one = 1;

	(void)!write(fl->event_fd, &one, sizeof(one));
}

static void note_denied(struct events *events, uint64_t denied)
{
	/* The count begins anew with each TAKE, be it another process's. */
	if (denied < events->denied_told)
		events->denied_told = 0;
	events->denied_due += denied - events->denied_told;
	events->denied_told = denied;
}

static void note_break(struct events *events, const struct flayout_status *now)
{
	struct range range = fl_range_of(now->break_start, now->break_len);

	if (now->state != FLAYOUT_STATE_BREAKING) {
		events->break_due = false;
		events->break_told = nothing;
		return;
	}
	events->break_msecs = now->break_msecs;
	if (range.start == events->break_told.start && range.end == events->break_told.end)
		return;
	events->break_told = range;
	events->break_due = true;
}

static void note_revoked(struct flayout *fl, const struct flayout_status *now)
{
	if (now->state != FLAYOUT_STATE_REVOKED || now->id == fl->events.revoked_id)
		return;
	fl->events.revoked_id = now->id;
	fl->events.revoked_due = true;
	fl->leased = false;
	fl->shrunk = false;
}

/*
 * To change a lease in place leaves its number as it is.  If there is another one
 * now, or none, it was revoked before TAKE, which sweeps away all trace of that.
 */
static void note_replaced(struct flayout *fl, uint64_t held, uint64_t now)
{
	if (!held || now == held || fl->events.revoked_id >= held)
		return;
	fl->events.revoked_id = held;
	fl->events.revoked_due = true;
	if (!now)
		fl->leased = fl->shrunk = false;
}

uint64_t fl_events_gather(struct flayout *fl)
{
	struct flayout_status now;

	if (fl_kernel_get(fl->fd, &now))
		return 0;
	if (now.id)
		fl->events.lease_id = now.id;
	note_denied(&fl->events, now.denied);
	note_break(&fl->events, &now);
	note_revoked(fl, &now);
	return now.state == FLAYOUT_STATE_REVOKED ? 0 : now.id;
}

/* A lease was taken: its denials are counted from 0, a break of it is a new one. */
void fl_events_restart(struct flayout *fl)
{
	fl->events.denied_told = 0;
	fl->events.break_told = nothing;
	fl->events.break_due = false;
}

void fl_events_compare(struct flayout *fl, uint64_t held)
{
	uint64_t now = fl_events_gather(fl);

	note_replaced(fl, held, now);
	/* The news may have been read off the descriptor by another thread before. */
	if (due(&fl->events))
		signal_again(fl);
}

static struct flayout_event take_break(struct events *events)
{
	events->break_due = false;
	return (struct flayout_event){
		.type = FLAYOUT_EVENT_BREAK,
		.msecs = events->break_msecs,
		.start = events->break_told.start,
		.len = fl_range_len(events->break_told),
	};
}

static struct flayout_event take_revoked(struct events *events)
{
	events->revoked_due = false;
	return (struct flayout_event){ .type = FLAYOUT_EVENT_REVOKED };
}

static struct flayout_event take_denied(struct events *events)
{
	struct flayout_event event = {
		.type = FLAYOUT_EVENT_DENIED,
		.count = events->denied_due,
	};

	events->denied_due = 0;
	return event;
}

static struct flayout_event take_one(struct events *events)
{
	if (events->break_due)
		return take_break(events);
	if (events->revoked_due)
		return take_revoked(events);
	return take_denied(events);
}

/* The descriptor is emptied before the lease is looked at, so nothing is missed. */
static bool was_signalled(struct flayout *fl)
{
	uint64_t count;

	return read(fl->event_fd, &count, sizeof(count)) == sizeof(count);
}

int flayout_next_event(struct flayout *fl, struct flayout_event *out, size_t size)
{
	struct flayout_event event;
	int ret = fl_check_open(fl);

	if (ret)
		return ret;
	if (!out)
		return flayout_fail(fl, EINVAL, "the place for the event is missing");
	pthread_mutex_lock(&fl->lock);
	if (was_signalled(fl) || due(&fl->events))
		fl_events_gather(fl);
	ret = due(&fl->events);
	if (ret) {
		event = take_one(&fl->events);
		fl_copy_out(out, size, &event, sizeof(event));
	}
	if (due(&fl->events))
		signal_again(fl);
	pthread_mutex_unlock(&fl->lock);
	return ret;
}
