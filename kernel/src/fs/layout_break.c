// SPDX-License-Identifier: GPL-2.0
/*
 * Subtractive operations that meet layout leases.
 *
 * An operation registers its range first: from then on no lease is granted and
 * no pin is begun there.  Then it looks at the leases in this order: those that
 * refuse it (ETXTBSY), its own that are pinned (EDEADLK), and only then it
 * begins to break the others, waits for them, and goes on when they are gone.
 * Each break runs to its deadline on a timer and then revokes, whether anybody
 * still waits or not.
 *
 * Nobody waits here with i_rwsem, invalidate_lock, mmap_lock, a journal handle
 * or freeze protection held: the holder may need any of them to let go.
 */
#include <linux/dax.h>
#include <linux/fs.h>
#include <linux/pid.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "layout_lease_internal.h"

#include <trace/events/layout_lease.h>

/* One lease an operation has met, and where. */
struct met_lease {
	struct list_head entry;
	struct file_layout *lease;	/* a reference */
	u64 start;
	u64 end;
	bool own;
};

/*
 * Registration
 */

static void layout_break_register(struct layout_break *brk)
{
	struct file_lock_context *ctx = locks_inode_context(brk->inode);

	spin_lock(&ctx->flc_lock);
	list_add(&brk->entry, &ctx->flc_breaks);
	spin_unlock(&ctx->flc_lock);
	brk->registered = true;
}

static void layout_break_unregister(struct layout_break *brk)
{
	struct file_lock_context *ctx = locks_inode_context(brk->inode);

	if (!brk->registered)
		return;
	spin_lock(&ctx->flc_lock);
	list_del(&brk->entry);
	spin_unlock(&ctx->flc_lock);
	brk->registered = false;
}

/**
 * layout_range_is_broken - is some operation about to change this range?
 * @ctx: lock context of the inode
 * @except: a lease whose own break does not matter, or NULL
 * @start: first byte
 * @end: behind the last byte
 *
 * True while an operation is registered there, and while a break that was begun
 * there has not ended, be it without a waiter: nobody starves a breaker by
 * taking a lease again.
 *
 * Context: flc_lock held.
 */
bool layout_range_is_broken(struct file_lock_context *ctx,
			    const struct file_layout *except, u64 start,
			    u64 end)
{
	struct file_layout *lease;
	struct layout_break *brk;

	lockdep_assert_held(&ctx->flc_lock);
	list_for_each_entry(brk, &ctx->flc_breaks, entry) {
		if (ranges_overlap(brk->start, brk->end, start, end))
			return true;
	}
	list_for_each_entry(lease, &ctx->flc_layout, c.flc_list) {
		if (lease != except && lease->breaking &&
		    ranges_overlap(lease->break_start, lease->break_end, start,
				   end))
			return true;
	}
	return false;
}

/*
 * Telling the holder
 */

/*
 * Whom a break is told: the process of F_SETOWN, else the taker, else the one
 * that reports name.  Returns a reference, or NULL.
 */
static struct pid *layout_signal_target(struct file_layout *lease,
					enum pid_type *type, int *signum)
{
	struct fown_struct *fown = file_f_owner(lease->c.flc_file);
	struct pid *pid = NULL;

	*type = PIDTYPE_TGID;
	*signum = 0;
	if (fown) {
		read_lock_irq(&fown->lock);
		/* else it is who took an ordinary lease, and that one's only */
		if (fown->asked) {
			pid = get_pid(fown->pid);
			*type = fown->pid_type;
		}
		*signum = fown->signum;
		read_unlock_irq(&fown->lock);
	}
	if (lease->event && !pid && !*signum)
		return NULL;	/* the eventfd said it */
	rcu_read_lock();
	if (pid && !pid_task(pid, *type)) {
		put_pid(pid);
		pid = NULL;
	}
	rcu_read_unlock();
	if (pid)
		return pid;
	*type = PIDTYPE_TGID;
	return layout_live_holder(lease);
}

/*
 * The description is alive while the report mutex is held and the lease is
 * published: its end takes that mutex before it goes on.
 */
static void layout_signal_break(struct file_layout *lease)
{
	enum pid_type type;
	struct pid *pid;
	int signum;

	mutex_lock(&layout_report_mutex);
	if (list_empty(&lease->published))
		goto out;
	pid = layout_signal_target(lease, &type, &signum);
	if (!pid)
		goto out;
	lease->fown.pid = pid;
	lease->fown.pid_type = type;
	lease->fown.signum = signum;
	send_sigio(&lease->fown, lease->fd, POLL_MSG);
	lease->fown.pid = NULL;
	put_pid(pid);
out:
	mutex_unlock(&layout_report_mutex);
}

static unsigned long layout_break_deadline(void)
{
	u64 wait = (u64)max(locks_lease_break_time(), 0) * HZ;

	return jiffies + (unsigned long)min_t(u64, wait, MAX_JIFFY_OFFSET);
}

/* Something new is to be changed: by eventfd at once, by signal if we return. */
static bool layout_break_news(struct file_layout *lease)
{
	if (lease->event)
		eventfd_signal(lease->event);
	trace_layout_lease_break(lease);
	return true;
}

/*
 * A lease that is BREAKING meets another operation.  The deadline stays.  If
 * more is to be changed than the holder was told, he is told again: he may be
 * about to shrink his lease off the range he knows.
 */
static bool layout_break_widen(struct file_layout *lease, u64 start, u64 end)
{
	if (lease->break_start <= start && end <= lease->break_end)
		return false;
	lease->break_start = min(lease->break_start, start);
	lease->break_end = max(lease->break_end, end);
	return layout_break_news(lease);
}

/*
 * Begin to break a lease, or add to what is broken.  flc_lock is held.  Returns
 * true if the holder must be told.
 */
static bool layout_break_start(struct file_layout *lease, u64 start, u64 end,
			       unsigned long deadline)
{
	long delay = deadline - jiffies;

	if (lease->phase != LEASE_GRANTED ||
	    !layout_overlaps(lease, start, end))
		return false;
	if (lease->breaking)
		return layout_break_widen(lease, start, end);
	lease->breaking = true;
	lease->break_start = start;
	lease->break_end = end;
	lease->deadline = deadline;
	mod_delayed_work(layout_wq, &lease->expiry, max(delay, 0L));
	return layout_break_news(lease);
}

static void layout_deny(struct file_layout *lease)
{
	lease->denied++;
	if (lease->event)
		eventfd_signal(lease->event);
	trace_layout_lease_denied(lease);
}

/*
 * Settling
 */

static void layout_forget_met(struct list_head *met)
{
	struct met_lease *m, *next;

	list_for_each_entry_safe(m, next, met, entry) {
		layout_put(m->lease);
		kfree(m);
	}
}

static bool layout_has_met(struct list_head *met,
			   const struct file_layout *lease)
{
	struct met_lease *m;

	list_for_each_entry(m, met, entry) {
		if (m->lease == lease)
			return true;
	}
	return false;
}

/* All leases in the way; each with whether it is the operation's own. */
static int layout_meet(struct inode *inode, struct file *filp, u64 start,
		       u64 end, struct list_head *met)
{
	struct file_layout *lease;
	struct met_lease *m;
	u64 id = 0;

	while ((lease = layout_next(inode, id, start, end))) {
		id = lease->id;
		if (layout_has_met(met, lease)) {
			layout_put(lease);
			continue;
		}
		m = kmalloc(sizeof(*m), GFP_KERNEL_ACCOUNT);
		if (!m) {
			layout_put(lease);
			return -ENOMEM;
		}
		m->lease = lease;
		m->start = start;
		m->end = end;
		m->own = layout_is_holder(lease, filp);
		list_add_tail(&m->entry, met);
	}
	return 0;
}

/* Pins share the fate of the DAX entry they lie in. */
static bool layout_pins_in_way(struct file_layout *lease, u64 start, u64 end)
{
	if (IS_DAX(lease->inode)) {
		start = round_down(start, DAX_ENTRY_SIZE);
		end = end > LAYOUT_EOF - DAX_ENTRY_SIZE ?
			LAYOUT_EOF : round_up(end, DAX_ENTRY_SIZE);
	}
	return layout_pinned(lease, start, end);
}

/* Is the operation refused?  Leases that do so are told, all of them. */
static int layout_refused(struct inode *inode, struct list_head *met, bool any)
{
	struct file_lock_context *ctx = locks_inode_context(inode);
	bool denied = false, deadlock = false;
	struct met_lease *m;

	spin_lock(&ctx->flc_lock);
	list_for_each_entry(m, met, entry) {
		struct file_layout *lease = m->lease;

		if (!layout_in_force(lease) ||
		    !layout_overlaps(lease, m->start, m->end))
			continue;
		if (lease->phase == LEASE_GRANTING && !any) {
			lease->cancelled = true;
		} else if (m->own) {
			deadlock |= any || layout_pins_in_way(lease, m->start,
							      m->end);
		} else if (any || (lease->unbreak &&
				   lease->phase == LEASE_GRANTED)) {
			layout_deny(lease);
			denied = true;
		}
	}
	spin_unlock(&ctx->flc_lock);
	if (denied)
		return -ETXTBSY;
	return deadlock ? -EDEADLK : 0;
}

/* Is a lease that is not the operation's own still in its way? */
static bool layout_in_way(struct file_layout *lease, u64 start, u64 end)
{
	bool in_way;

	/* the context outlives the lease's place on it: the inode is ours */
	spin_lock(&lease->ctx->flc_lock);
	in_way = layout_in_force(lease) && lease->phase != LEASE_GRANTING &&
		 layout_overlaps(lease, start, end);
	spin_unlock(&lease->ctx->flc_lock);
	return in_way;
}

/* Break what is not our own.  Returns whether there is something to wait for. */
static bool layout_break_met(struct layout_break *brk, struct list_head *met)
{
	struct file_lock_context *ctx = locks_inode_context(brk->inode);
	unsigned long deadline = layout_break_deadline();
	bool wait = false;
	struct met_lease *m;
	bool tell;

	list_for_each_entry(m, met, entry) {
		if (m->own || !layout_in_way(m->lease, brk->start, brk->end))
			continue;
		wait = true;
		spin_lock(&ctx->flc_lock);
		tell = layout_break_start(m->lease, brk->start, brk->end,
					  deadline);
		spin_unlock(&ctx->flc_lock);
		if (tell)
			layout_signal_break(m->lease);
	}
	return wait;
}

static int layout_wait_met(struct layout_break *brk, struct list_head *met)
{
	unsigned int state = TASK_INTERRUPTIBLE;
	struct met_lease *m;
	int error;

	/* Workers of io_uring get wake-ups that look like signals and are none. */
	if (current->flags & PF_IO_WORKER)
		state = TASK_KILLABLE;
	list_for_each_entry(m, met, entry) {
		if (m->own)
			continue;
		error = wait_event_state(m->lease->wait,
					 !layout_in_way(m->lease, brk->start,
							brk->end), state);
		if (error)
			return error;
	}
	return 0;
}

static int layout_break_settle(struct layout_break *brk, struct file *filp)
{
	/* Inside of another operation the locks of a stacked file system are held. */
	bool nonblock = (filp && (filp->f_flags & O_NONBLOCK)) ||
			(current->flags & PF_KTHREAD) || brk->outer;
	LIST_HEAD(met);
	int error;

	error = layout_meet(brk->inode, filp, brk->start, brk->end, &met);
	if (!error)
		error = layout_refused(brk->inode, &met, false);
	if (!error && layout_break_met(brk, &met))
		error = nonblock ? -EWOULDBLOCK : layout_wait_met(brk, &met);
	layout_forget_met(&met);
	return error;
}

/*
 * For file systems and the VFS
 */

/* Blocks are what can be changed. */
static void layout_round_to_blocks(const struct inode *inode, u64 *start,
				   u64 *end)
{
	u64 block = i_blocksize(inode);

	*start = round_down(*start, block);
	*end = *end > LAYOUT_EOF - block ? LAYOUT_EOF : round_up(*end, block);
}

/**
 * layout_break_none - an operation begins that meets no lease, as things are
 * @brk: on the caller's stack
 * @inode: what it works on
 *
 * A truncate that does not shrink the file, say.  Should the file system find
 * that it does when it has its locks, it backs out, and layout_break_end(),
 * which must follow, returns true.
 *
 * Context: any.
 */
void layout_break_none(struct layout_break *brk, struct inode *inode)
{
	brk->inode = inode;
	brk->start = LAYOUT_EOF;
	brk->end = LAYOUT_EOF;
	brk->registered = false;
	brk->again = false;
	brk->outer = current->layout_break;
	current->layout_break = brk;
}
EXPORT_SYMBOL_GPL(layout_break_none);

/**
 * layout_break_begin - first step of a subtractive operation
 * @brk: on the caller's stack, zero before the first time
 * @filp: description the operation comes through, or NULL
 * @inode: what it changes
 * @start: first byte it changes
 * @end: behind the last byte, or LAYOUT_EOF
 *
 * Call it after all permission checks.  On success the operation is registered
 * and layout_break_end() must follow.
 *
 * Context: process context without any lock or freeze protection; sleeps for
 * holders, interruptibly and no longer than fs.lease-break-time and what
 * devices need to let go, unless @filp is O_NONBLOCK, this is a kernel thread, or
 * it runs inside of another operation, that of a stacked file system.
 * Return: 0; ETXTBSY: an unbreakable lease refuses; EDEADLK: over the caller's
 * own pins; EWOULDBLOCK: a break was begun; ERESTARTSYS; ENOMEM.
 */
int layout_break_begin(struct layout_break *brk, struct file *filp,
		       struct inode *inode, u64 start, u64 end)
{
	bool again = brk->again;
	int error;

	layout_break_none(brk, inode);
	brk->start = start;
	brk->end = end;
	layout_round_to_blocks(inode, &brk->start, &brk->end);
	/* Who comes again registers: a lease that comes and goes starves nobody. */
	if (!layout_leases_present(inode) &&
	    !(again && locks_inode_context(inode)))
		return 0;
	might_sleep();
	layout_break_register(brk);
	error = layout_break_settle(brk, filp);
	if (error)
		layout_break_end(brk);
	return error;
}
EXPORT_SYMBOL_GPL(layout_break_begin);

/**
 * layout_break_end - a subtractive operation has ended
 * @brk: what layout_break_begin() was given
 *
 * Context: any; takes flc_lock.
 * Return: true if layout_break_check() met a lease that had not been settled,
 * so that the file system has backed out: drop all locks and freeze protection,
 * and begin again.
 */
bool layout_break_end(struct layout_break *brk)
{
	layout_break_unregister(brk);
	current->layout_break = brk->outer;
	return brk->again;
}
EXPORT_SYMBOL_GPL(layout_break_end);

static struct layout_break *layout_break_of(const struct inode *inode)
{
	struct layout_break *brk = current->layout_break;

	while (brk && brk->inode != inode)
		brk = brk->outer;
	return brk;
}

static bool layout_break_covers(const struct layout_break *brk, u64 start,
				u64 end)
{
	return brk && brk->registered && brk->start <= start && end <= brk->end;
}

/* A caller without a first step: begin the break, do not wait for it. */
static int layout_check_one(struct file_layout *lease, u64 start, u64 end,
			    bool *tell)
{
	if (lease->phase == LEASE_GRANTING) {
		lease->cancelled = true;
		return 0;
	}
	*tell = layout_break_start(lease, start, end, layout_break_deadline());
	return -EWOULDBLOCK;
}

/* A caller without a first step: is it refused?  flc_lock is held. */
static int layout_check_refused(struct file_lock_context *ctx, u64 start,
				u64 end)
{
	struct file_layout *lease;
	int error = 0;

	list_for_each_entry(lease, &ctx->flc_layout, c.flc_list) {
		if (lease->phase == LEASE_GRANTED && lease->unbreak &&
		    layout_overlaps(lease, start, end)) {
			layout_deny(lease);
			error = -ETXTBSY;
		}
	}
	return error;
}

/*
 * One pass over the leases.  Stops at the first whose holder must be told, which
 * is left, referenced, in @tell.
 */
static int layout_check_pass(struct inode *inode, u64 start, u64 end,
			     struct file_layout **tell)
{
	struct file_lock_context *ctx = locks_inode_context(inode);
	struct layout_break *brk = layout_break_of(inode);
	bool settled = layout_break_covers(brk, start, end);
	struct file_layout *lease;
	bool first_step = settled || (brk && !brk->registered);
	bool told = false;
	int error = 0, ret;

	spin_lock(&ctx->flc_lock);
	if (!first_step)
		error = layout_check_refused(ctx, start, end);
	if (error)
		goto unlock;
	list_for_each_entry(lease, &ctx->flc_layout, c.flc_list) {
		if (!layout_in_force(lease) ||
		    !layout_overlaps(lease, start, end))
			continue;
		if (settled && !layout_pins_in_way(lease, start, end))
			continue;	/* the operation's own */
		if (first_step) {
			brk->again = true;
			error = -EWOULDBLOCK;
			break;
		}
		ret = layout_check_one(lease, start, end, &told);
		if (ret)
			error = ret;
		if (told) {
			kref_get(&lease->ref);
			*tell = lease;
			break;
		}
	}
unlock:
	spin_unlock(&ctx->flc_lock);
	return error;
}

/**
 * layout_break_check - second step, under the file system's own locks
 * @inode: what the operation changes
 * @start: first byte it changes
 * @end: behind the last byte, or LAYOUT_EOF
 *
 * Call it when the range has been unmapped and cannot be faulted in again, and
 * before busy DAX pages are waited for: pins that stand on a lease do not go
 * away by waiting.
 *
 * Context: i_rwsem and, for a range that may be mapped with DAX, the
 * invalidate_lock held for writing.  Does not wait for holders.
 * Return: 0: no lease is in the way that was not settled; EWOULDBLOCK: back out
 * having changed nothing; ETXTBSY: refused.
 */
int layout_break_check(struct inode *inode, u64 start, u64 end)
{
	struct file_layout *tell;
	int error;

	/*
	 * Pairs with the lock of the page table: whoever pins a page that we
	 * have just unmapped has put its pin on the lease before.
	 */
	smp_mb();
	if (!layout_leases_present(inode))
		return 0;
	do {
		tell = NULL;
		error = layout_check_pass(inode, start, end, &tell);
		if (tell) {
			layout_signal_break(tell);
			layout_put(tell);
		}
	} while (tell);
	return error;
}
EXPORT_SYMBOL_GPL(layout_break_check);

/**
 * layout_leased - is any of the range leased, or about to be?
 * @inode: what an operation would trim
 * @start: first byte
 * @end: behind the last byte, or LAYOUT_EOF
 *
 * For operations that may be left out instead of breaking a lease: dropping what
 * was preallocated beyond the end of a file.
 *
 * Context: i_rwsem held for writing: what is not leased stays so until it is
 * released; takes flc_lock.
 * Return: true if so.
 */
bool layout_leased(struct inode *inode, u64 start, u64 end)
{
	struct file_layout *lease;

	if (!layout_leases_present(inode))
		return false;
	lease = layout_next(inode, 0, start, end);
	if (lease)
		layout_put(lease);
	return lease;
}
EXPORT_SYMBOL_GPL(layout_leased);

/**
 * layout_lease_refuse - an operation that no layout lease permits
 * @inode: one of the files whose blocks it would share or exchange
 * @filp: description it comes through; NULL in a check under file system locks
 * @start: first byte
 * @end: behind the last byte, or LAYOUT_EOF
 *
 * These never begin a break: whoever may read a file may clone it, and that
 * must not stop a server.
 *
 * Context: process context; may sleep for i_mmap_rwsem, not for holders.
 * Return: 0; ETXTBSY over a lease of others; EDEADLK over the caller's own.
 */
int layout_lease_refuse(struct inode *inode, struct file *filp, u64 start,
			u64 end)
{
	LIST_HEAD(met);
	int error;

	if (start >= end || !layout_leases_present(inode))
		return 0;
	layout_round_to_blocks(inode, &start, &end);
	error = layout_meet(inode, filp, start, end, &met);
	if (!error)
		error = layout_refused(inode, &met, true);
	layout_forget_met(&met);
	return error;
}
EXPORT_SYMBOL_GPL(layout_lease_refuse);

/* One operation on two ranges of a file is denied once by each lease. */
static int layout_refuse_within(struct file *file1, u64 start1, u64 end1,
				struct file *file2, u64 start2, u64 end2)
{
	struct inode *inode = file_inode(file1);
	LIST_HEAD(met);
	int error;

	if (start1 >= end1 || !layout_leases_present(inode))
		return 0;
	layout_round_to_blocks(inode, &start1, &end1);
	layout_round_to_blocks(inode, &start2, &end2);
	error = layout_meet(inode, file1, start1, end1, &met);
	if (!error)
		error = layout_meet(inode, file2, start2, end2, &met);
	if (!error)
		error = layout_refused(inode, &met, true);
	layout_forget_met(&met);
	return error;
}

/**
 * layout_lease_refuse_two - an operation on two files that no lease permits
 * @file1: a description of one
 * @start1: first byte there
 * @end1: behind the last byte, or LAYOUT_EOF
 * @file2: a description of the other, which may be the same file
 * @start2: first byte there
 * @end2: behind the last byte, or LAYOUT_EOF
 *
 * The first step of sharing and exchanging blocks, after all checks that have
 * nothing to do with leases.  Each lease is told once.
 *
 * Context: see layout_lease_refuse().
 * Return: 0; ETXTBSY over a lease of others on either file; else EDEADLK over
 * the caller's own; ENOMEM.
 */
int layout_lease_refuse_two(struct file *file1, u64 start1, u64 end1,
			    struct file *file2, u64 start2, u64 end2)
{
	int error1, error2;

	if (file_inode(file1) == file_inode(file2))
		return layout_refuse_within(file1, start1, end1, file2, start2,
					    end2);
	error1 = layout_lease_refuse(file_inode(file1), file1, start1, end1);
	error2 = layout_lease_refuse(file_inode(file2), file2, start2, end2);
	return error2 == -ETXTBSY || !error1 ? error2 : error1;
}
EXPORT_SYMBOL_GPL(layout_lease_refuse_two);
