// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The callback form: quiesce, let go, take again, resumed.  It is made of the
 * public calls and a timer that flayout_fd() includes.
 */
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "private.h"

static void set_timer(struct flayout *fl, int ms)
{
	struct itimerspec time = {
		.it_value = { ms / 1000, ms % 1000 * 1000000L },
	};

	timerfd_settime(fl->timer_fd, 0, &time, NULL);
}

/*
 * In milliseconds.  Who waits for us is to get the file soon.  But not everybody
 * waits: an operation with O_NONBLOCK, or of an NFS client, is tried again after a
 * moment, and would find a lease for ever if ours were back by then.
 */
static const struct { int first, last; } pauses[] = {
	[TIMER_IDLE]   = { 0, 0 },
	[TIMER_LET_GO] = { PAUSE_FIRST_MS, PAUSE_LAST_MS },
	[TIMER_RETAKE] = { 1000, 4000 },
};

/* Pauses grow while the same thing is tried again and again. */
void fl_timer_use(struct flayout *fl, enum timer_use use)
{
	if (fl->timer_fd < 0)
		return;
	if (use == fl->timer_use)
		fl->pause_ms = fl_longer_pause(fl->pause_ms, pauses[use].last);
	else
		fl->pause_ms = pauses[use].first;
	fl->timer_use = use;
	set_timer(fl, fl->pause_ms);
}

static int add_timer(struct flayout *fl)
{
	struct epoll_event event = { .events = EPOLLIN };
	int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);

	if (fd < 0)
		return fl_errno(fl, errno);
	if (epoll_ctl(fl->epoll_fd, EPOLL_CTL_ADD, fd, &event)) {
		close(fd);
		return fl_errno(fl, errno);
	}
	fl->timer_fd = fd;
	return 0;
}

static void remove_timer(struct flayout *fl)
{
	if (fl->timer_fd < 0)
		return;
	fl_timer_use(fl, TIMER_IDLE);
	close(fl->timer_fd);
	fl->timer_fd = -1;
}

static int set_callbacks(struct flayout *fl, const struct flayout_callbacks *callbacks,
			 size_t size, void *arg)
{
	int ret = 0;

	if (fl->dispatching)
		return flayout_fail(fl, EBUSY, "flayout_dispatch() is running");
	if (!callbacks)
		remove_timer(fl);
	else if (fl->timer_fd < 0)
		ret = add_timer(fl);
	if (ret)
		return ret;
	memset(&fl->callbacks, 0, sizeof(fl->callbacks));
	if (callbacks)
		fl_copy_out(&fl->callbacks, sizeof(fl->callbacks), callbacks, size);
	fl->callback_arg = arg;
	return 0;
}

int flayout_set_callbacks(struct flayout *fl, const struct flayout_callbacks *callbacks,
			  size_t size, void *arg)
{
	int ret;

	if (!fl)
		return -EINVAL;
	pthread_mutex_lock(&fl->lock);
	ret = set_callbacks(fl, callbacks, size, arg);
	pthread_mutex_unlock(&fl->lock);
	return ret;
}

/*
 * What follows runs in flayout_dispatch(): callbacks do not change, and no lock
 * is held.
 */

static void timer_use(struct flayout *fl, enum timer_use use)
{
	pthread_mutex_lock(&fl->lock);
	fl_timer_use(fl, use);
	pthread_mutex_unlock(&fl->lock);
}

static void on_break(struct flayout *fl, const struct flayout_event *event)
{
	int ret = 0;

	if (fl->callbacks.quiesce)
		ret = fl->callbacks.quiesce(fl, event, fl->callback_arg);
	/* Should it fail, it has set the timer for another try. */
	if (!ret)
		flayout_let_go(fl);
}

/* The device has let go already, but handles of regions are ours to give back. */
static void on_revoked(struct flayout *fl, const struct flayout_event *event)
{
	if (fl->callbacks.revoked)
		fl->callbacks.revoked(fl, event, fl->callback_arg);
	pthread_mutex_lock(&fl->reg_lock);
	fl_end_registrations(fl, (struct range){ 0, 0 });
	pthread_mutex_unlock(&fl->reg_lock);
	timer_use(fl, TIMER_RETAKE);
}

static void deliver(struct flayout *fl, const struct flayout_event *event)
{
	switch (event->type) {
	case FLAYOUT_EVENT_BREAK:
		on_break(fl, event);
		break;
	case FLAYOUT_EVENT_REVOKED:
		on_revoked(fl, event);
		break;
	case FLAYOUT_EVENT_DENIED:
		if (fl->callbacks.denied)
			fl->callbacks.denied(fl, event, fl->callback_arg);
		break;
	}
}

static void retake(struct flayout *fl)
{
	int ret = flayout_retake(fl, 0);

	if (ret == -EAGAIN) {
		timer_use(fl, TIMER_RETAKE);
	} else if (ret < 0) {
		timer_use(fl, TIMER_IDLE);
		if (fl->callbacks.lost)
			fl->callbacks.lost(fl, ret, fl->callback_arg);
	} else if (fl->callbacks.resumed) {
		fl->callbacks.resumed(fl, ret, fl->callback_arg);
	}
}

/* What the timer was set for; TIMER_IDLE if its time has not come. */
static enum timer_use timer_due(struct flayout *fl)
{
	enum timer_use use = TIMER_IDLE;
	uint64_t count;

	pthread_mutex_lock(&fl->lock);
	if (read(fl->timer_fd, &count, sizeof(count)) == sizeof(count))
		use = fl->timer_use;
	pthread_mutex_unlock(&fl->lock);
	return use;
}

static int dispatch(struct flayout *fl)
{
	struct flayout_event event;
	int ret;

	while ((ret = flayout_next_event(fl, &event, sizeof(event))) > 0)
		deliver(fl, &event);
	if (ret)
		return ret;
	switch (timer_due(fl)) {
	case TIMER_LET_GO:
		ret = flayout_let_go(fl);
		return ret == -EAGAIN ? 0 : ret;
	case TIMER_RETAKE:
		retake(fl);
		break;
	case TIMER_IDLE:
		break;
	}
	return 0;
}

static int enter(struct flayout *fl)
{
	int ret = fl_check_open(fl);

	if (ret)
		return ret;
	pthread_mutex_lock(&fl->lock);
	if (fl->timer_fd < 0)
		ret = flayout_fail(fl, EINVAL, "there are no callbacks");
	else if (fl->dispatching)
		ret = flayout_fail(fl, EBUSY, "flayout_dispatch() is running");
	else
		fl->dispatching = true;
	pthread_mutex_unlock(&fl->lock);
	return ret;
}

int flayout_dispatch(struct flayout *fl)
{
	int ret = enter(fl);

	if (ret)
		return ret;
	ret = dispatch(fl);
	pthread_mutex_lock(&fl->lock);
	fl->dispatching = false;
	pthread_mutex_unlock(&fl->lock);
	return ret;
}
