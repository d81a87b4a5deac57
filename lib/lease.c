// SPDX-License-Identifier: LGPL-2.1-or-later
/* The lease: taking it, or what stands for it; letting it go; taking it again. */
#include <errno.h>
#include <time.h>
#include <unistd.h>

#include "private.h"

/*
 * Taking
 */

static const char *take_words(const struct flayout *fl, int error)
{
	switch (error) {
	case EINVAL:
		return fl_kernel_has_leases(fl->fd) ?
			"leases are switched off: fs.leases-enable is 0" :
			"this kernel has no layout leases";
	case EOPNOTSUPP:
		return "the file system does not honour layout leases; ext4 and XFS do";
	case EACCES:
		return "only the owner of the file, or CAP_LEASE, may lease it";
	case EPERM:
		return "FLAYOUT_UNBREAK, and a file that shares blocks, must be open for writing";
	case EAGAIN:
		return "somebody is about to change this part of the file; try again later";
	case EBUSY:
		return "registered memory would lie outside the lease";
	case ENOSPC:
	case EDQUOT:
		return "no room to give the file blocks of its own";
	default:
		return NULL;
	}
}

static int fail_take(struct flayout *fl, int error)
{
	const char *words = take_words(fl, error);

	/* After the arguments were checked, EINVAL means that there are no leases. */
	if (error == EINVAL)
		error = EOPNOTSUPP;
	return words ? flayout_fail(fl, error, words) : fl_errno(fl, error);
}

/*
 * Another thread is in flayout_drop().  It depends on O_NONBLOCK being left alone,
 * and what it writes down when it returns is that there is no lease.
 */
static int check_dropping(struct flayout *fl)
{
	return fl->dropping ? flayout_fail(fl, EAGAIN, "another thread drops the lease") : 0;
}

static void taken(struct flayout *fl, struct range range)
{
	fl->leased = true;
	fl->shrunk = range.start != fl->want.start || range.end != fl->want.end;
	fl->pid = getpid();
	fl_events_restart(fl);
}

/* Both locks are held, so that no event of the old lease is taken for one of the new. */
static int take(struct flayout *fl, struct range range)
{
	uint64_t held;
	int ret = check_dropping(fl);

	if (ret)
		return ret;
	held = fl_events_gather(fl);
	if (!fl->leased)
		held = 0;
	ret = fl_kernel_take(fl->fd, range, fl->flags & FLAYOUT_UNBREAK, fl->event_fd);
	if (!ret)
		taken(fl, range);
	fl_events_compare(fl, held);
	return ret ? fail_take(fl, -ret) : 0;
}

static int fallback_mode(unsigned int flags)
{
	if (flags & FLAYOUT_FALLBACK_ODP)
		return FLAYOUT_MODE_ODP;
	return flags & FLAYOUT_FALLBACK_BOUNCE ? FLAYOUT_MODE_BOUNCE : FLAYOUT_MODE_NONE;
}

/* Under a lease on a file without DAX nothing can be registered for writing. */
static bool wants_fallback(const struct flayout *fl, unsigned int flags)
{
	if (flags & FLAYOUT_FORCE_FALLBACK)
		return true;
	return flags & FLAYOUT_FALLBACKS && !fl_kernel_is_dax(fl->fd);
}

/* What is mapped cannot become something else below its user. */
static int check_mode(struct flayout *fl, int mode)
{
	if (fl->mode != mode && !LIST_EMPTY(&fl->mappings))
		return flayout_fail(fl, EBUSY, "unmap first: what is mapped would change");
	return 0;
}

/* The mode comes last: in a fallback nobody hears of breaks of a lease that is left. */
static int fall_back(struct flayout *fl)
{
	int mode = fallback_mode(fl->flags);
	int ret = check_mode(fl, mode);

	if (!ret)
		ret = check_dropping(fl);
	if (!ret && fl->leased)
		ret = fl_drop_now(fl);
	if (!ret)
		fl->mode = mode;
	return ret;
}

static int take_or_fall_back(struct flayout *fl)
{
	int ret;

	if (wants_fallback(fl, fl->flags))
		return fall_back(fl);
	ret = check_mode(fl, FLAYOUT_MODE_LEASE);
	if (!ret)
		ret = take(fl, fl->want);
	if (!ret)
		fl->mode = FLAYOUT_MODE_LEASE;
	if (ret == -EOPNOTSUPP && fallback_mode(fl->flags))
		return fall_back(fl);
	return ret;
}

static int check_lease(struct flayout *fl, uint64_t start, uint64_t len, unsigned int flags)
{
	const unsigned int known = FLAYOUT_UNBREAK | FLAYOUT_FALLBACKS | FLAYOUT_FORCE_FALLBACK;
	int ret = fl_check_open(fl);

	if (ret)
		return ret;
	if (flags & ~known)
		return flayout_fail(fl, EINVAL, "unknown flags");
	if ((flags & FLAYOUT_FALLBACKS) == FLAYOUT_FALLBACKS)
		return flayout_fail(fl, EINVAL, "only flayout_lease_for_pd() can choose between two fallbacks");
	if (flags & FLAYOUT_FORCE_FALLBACK && !(flags & FLAYOUT_FALLBACKS))
		return flayout_fail(fl, EINVAL, "FLAYOUT_FORCE_FALLBACK needs a fallback");
	if (!fl_range_is_valid(start, len))
		return flayout_fail(fl, EINVAL, "the range reaches beyond the largest offset");
	return 0;
}

int flayout_lease(struct flayout *fl, uint64_t start, uint64_t len, unsigned int flags)
{
	struct range old_want;
	unsigned int old_flags;
	int ret = check_lease(fl, start, len, flags);

	if (ret)
		return ret;
	pthread_mutex_lock(&fl->reg_lock);
	pthread_mutex_lock(&fl->lock);
	old_want = fl->want;
	old_flags = fl->flags;
	fl->want = fl_range_of(start, len);
	fl->flags = flags;
	ret = take_or_fall_back(fl);
	if (ret) {
		fl->want = old_want;
		fl->flags = old_flags;
	} else {
		fl_timer_use(fl, TIMER_IDLE);
	}
	pthread_mutex_unlock(&fl->lock);
	pthread_mutex_unlock(&fl->reg_lock);
	return ret;
}

/*
 * Letting go
 */

/* The kernel has spoken.  No lease, because it was revoked meanwhile, is what we want. */
static int dropped(struct flayout *fl, int error)
{
	if (error == -EAGAIN)
		return flayout_fail(fl, EAGAIN,
				    "registrations that are not attached to the handle stand on the lease");
	if (error == -EINTR)
		return flayout_fail(fl, EINTR, "a signal came before the last registration was gone");
	if (error && error != -ENOENT)
		return fl_errno(fl, -error);
	fl->leased = false;
	fl->shrunk = false;
	return 0;
}

int fl_drop_now(struct flayout *fl)
{
	return dropped(fl, fl_kernel_drop_now(fl->fd));
}

/* Lock held; let go of while the kernel waits. */
static int drop_waiting(struct flayout *fl)
{
	int ret;

	fl->dropping = true;
	pthread_mutex_unlock(&fl->lock);
	ret = fl_kernel_drop(fl->fd);
	pthread_mutex_lock(&fl->lock);
	fl->dropping = false;
	return dropped(fl, ret);
}

int flayout_drop(struct flayout *fl, unsigned int flags)
{
	int ret = fl_check_open(fl);

	if (ret)
		return ret;
	if (flags & ~FLAYOUT_NONBLOCK)
		return flayout_fail(fl, EINVAL, "unknown flags");
	pthread_mutex_lock(&fl->reg_lock);
	fl_end_registrations(fl, (struct range){ 0, 0 });
	pthread_mutex_unlock(&fl->reg_lock);

	pthread_mutex_lock(&fl->lock);
	ret = check_dropping(fl);
	if (!ret && fl->leased)
		ret = flags & FLAYOUT_NONBLOCK ? fl_drop_now(fl) : drop_waiting(fl);
	if (!ret)
		fl_timer_use(fl, TIMER_IDLE);
	pthread_mutex_unlock(&fl->lock);
	return ret;
}

/* The side of what is broken that keeps its registrations; empty: neither does. */
static struct range part_to_keep(struct flayout *fl, const struct flayout_status *now)
{
	struct range lease = fl_range_of(now->start, now->len);
	struct range broken = fl_range_round_out(fl_range_of(now->break_start, now->break_len));
	struct range before = { lease.start, broken.start };
	struct range behind = { broken.end, lease.end };

	if (!fl_range_empty(before) && fl_has_registrations(fl, before))
		return before;
	if (!fl_range_empty(behind) && fl_has_registrations(fl, behind))
		return behind;
	return (struct range){ 0, 0 };
}

/* reg_lock is held; what it costs the device is not done under the other lock. */
static int shrink_to(struct flayout *fl, struct range keep)
{
	int ret;

	fl_end_registrations(fl, keep);
	pthread_mutex_lock(&fl->lock);
	ret = check_dropping(fl);
	if (!ret)
		ret = fl_range_empty(keep) ? fl_drop_now(fl) : take(fl, keep);
	if (ret == -EBUSY)
		ret = dropped(fl, -EAGAIN);
	fl_timer_use(fl, ret ? TIMER_LET_GO : TIMER_RETAKE);
	pthread_mutex_unlock(&fl->lock);
	return ret;
}

/*
 * To shrink a lease is to take it, which the kernel may refuse one who could take it
 * once: the file has another owner, or leases were switched off.  To drop it is
 * always allowed.
 */
static int let_go(struct flayout *fl, const struct flayout_status *now)
{
	struct range keep = part_to_keep(fl, now);
	int ret = shrink_to(fl, keep);

	if (!ret || ret == -EAGAIN || fl_range_empty(keep))
		return ret;
	return shrink_to(fl, (struct range){ 0, 0 });
}

int flayout_let_go(struct flayout *fl)
{
	struct flayout_status now;
	int ret = fl_check_open(fl);

	if (ret || flayout_mode(fl) != FLAYOUT_MODE_LEASE)
		return ret;
	pthread_mutex_lock(&fl->reg_lock);
	ret = fl_kernel_get(fl->fd, &now);
	if (ret)
		ret = fl_errno(fl, -ret);
	else if (now.state == FLAYOUT_STATE_BREAKING)
		ret = let_go(fl, &now);
	pthread_mutex_unlock(&fl->reg_lock);
	return ret;
}

/*
 * Taking again
 */

static bool is_whole(struct flayout *fl)
{
	struct flayout_status now;

	return fl->leased && !fl->shrunk && !fl_kernel_get(fl->fd, &now) &&
	       now.state == FLAYOUT_STATE_ACTIVE;
}

static int retake_once(struct flayout *fl)
{
	int ret = 0;

	pthread_mutex_lock(&fl->reg_lock);
	pthread_mutex_lock(&fl->lock);
	if (!is_whole(fl))
		ret = take(fl, fl->want);
	if (!ret)
		fl_timer_use(fl, TIMER_IDLE);
	pthread_mutex_unlock(&fl->lock);
	if (!ret)
		ret = fl_make_registrations(fl);
	pthread_mutex_unlock(&fl->reg_lock);
	return ret;
}

static int pause_ms(struct flayout *fl, int ms)
{
	struct timespec time = { ms / 1000, ms % 1000 * 1000000L };

	return nanosleep(&time, NULL) ? fl_errno(fl, errno) : 0;
}

/* Without a lease there is nothing to take, but flayout_drop() ends registrations too. */
static int retake_fallback(struct flayout *fl)
{
	int failed;

	pthread_mutex_lock(&fl->reg_lock);
	failed = fl_make_registrations(fl);
	pthread_mutex_unlock(&fl->reg_lock);
	return failed;
}

static int retake_patiently(struct flayout *fl, int timeout_ms)
{
	int pause = PAUSE_FIRST_MS;
	int ret;

	while ((ret = retake_once(fl)) == -EAGAIN && timeout_ms) {
		if (timeout_ms > 0 && pause > timeout_ms)
			pause = timeout_ms;
		ret = pause_ms(fl, pause);
		if (ret)
			return ret;
		if (timeout_ms > 0)
			timeout_ms -= pause;
		pause = fl_longer_pause(pause, PAUSE_LAST_MS);
	}
	return ret;
}

int flayout_retake(struct flayout *fl, int timeout_ms)
{
	int ret = fl_check_open(fl);

	if (ret)
		return ret;
	switch (flayout_mode(fl)) {
	case FLAYOUT_MODE_NONE:
		return flayout_fail(fl, EINVAL, "there was no flayout_lease() to repeat");
	case FLAYOUT_MODE_LEASE:
		return retake_patiently(fl, timeout_ms);
	default:
		return retake_fallback(fl);
	}
}

int flayout_status(struct flayout *fl, struct flayout_status *out, size_t size)
{
	struct flayout_status now = { 0 };
	int ret = fl_check_open(fl);

	if (ret)
		return ret;
	if (!out)
		return flayout_fail(fl, EINVAL, "the place for the status is missing");
	if (flayout_mode(fl) == FLAYOUT_MODE_LEASE)
		ret = fl_kernel_get(fl->fd, &now);
	if (ret)
		return fl_errno(fl, -ret);
	now.mode = flayout_mode(fl);
	fl_copy_out(out, size, &now, sizeof(now));
	return 0;
}
