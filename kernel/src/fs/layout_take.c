// SPDX-License-Identifier: GPL-2.0
/*
 * Layout leases: taking, changing and dropping one.
 *
 * A lease is inserted first, then operations that have not seen it are waited
 * for and shared blocks are unshared, then it is granted.  To change one is to
 * insert another beside it, which covers the new range while that is done.
 */
#include <linux/capability.h>
#include <linux/cred.h>
#include <linux/dax.h>
#include <linux/fcntl.h>
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/security.h>

#include "internal.h"
#include "layout_lease_internal.h"

#include <trace/events/layout_lease.h>

static atomic64_t layout_last_id;

/*
 * Taking
 */

static int layout_may_take(struct file *filp, bool unbreak)
{
	struct inode *inode = file_inode(filp);
	vfsuid_t vfsuid = i_uid_into_vfsuid(file_mnt_idmap(filp), inode);

	if (!S_ISREG(inode->i_mode))
		return -EINVAL;
	if (!vfsuid_eq_kuid(vfsuid, current_fsuid()) && !capable(CAP_LEASE))
		return -EACCES;
	if (!(filp->f_op->fop_flags & FOP_LAYOUT_LEASE))
		return -EOPNOTSUPP;
	if (!locks_leases_enabled())
		return -EINVAL;
	if (inode->i_sb->s_iflags & SB_I_NOLAYOUT)
		return -EIO;
	if (unbreak && !(filp->f_mode & FMODE_WRITE))
		return -EPERM;
	return security_file_lock(filp, F_RDLCK);
}

/* Round out to what the file system's page cache can keep apart. */
static void layout_round(struct inode *inode, u64 *start, u64 *end)
{
	u64 unit = IS_DAX(inode) ? DAX_ENTRY_SIZE : PAGE_SIZE;

	*start = round_down(*start, unit);
	if (*end > LAYOUT_EOF - unit)
		*end = LAYOUT_EOF;
	else
		*end = round_up(*end, unit);
}

/*
 * Insert a lease that is not granted yet: from now on no subtractive operation
 * begins in its range without cancelling it.
 */
static int layout_insert(struct file_layout *lease, struct file_layout *old)
{
	struct file_lock_context *ctx = lease->ctx;
	struct file_layout *other;
	int error = 0;

	spin_lock(&ctx->flc_lock);
	list_for_each_entry(other, &ctx->flc_layout, c.flc_list) {
		if (other->c.flc_file == lease->c.flc_file && other != old)
			error = -EAGAIN;	/* another thread's, just now */
	}
	if (!error && old && old->draining)
		error = -EAGAIN;
	if (!error && layout_range_is_broken(ctx, NULL, lease->start,
					     lease->end))
		error = -EAGAIN;
	if (!error) {
		lease->id = atomic64_inc_return(&layout_last_id);
		kref_get(&lease->ref);
		list_add_tail(&lease->c.flc_list, &ctx->flc_layout);
	}
	spin_unlock(&ctx->flc_lock);
	return error;
}

/* Operations that did not see the lease hold i_rwsem: let them finish. */
static int layout_flush_operations(struct inode *inode)
{
	int error = down_read_killable(&inode->i_rwsem);

	if (error)
		return error;
	up_read(&inode->i_rwsem);
	return 0;
}

/* A leased range holds no shared blocks: no write ever has to move one. */
static int layout_unshare(struct file *filp, u64 start, u64 end)
{
	bool write = filp->f_mode & FMODE_WRITE;
	int error;

	if (!filp->f_op->layout_unshare)
		return 0;
	if (write)
		file_start_write(filp);
	error = filp->f_op->layout_unshare(filp, start, end);
	if (write)
		file_end_write(filp);
	return error;
}

/*
 * A new lease takes effect.  It is published first: once it is granted, another
 * thread may find it, drop it, and unpublish it.
 */
static int layout_grant(struct file_layout *lease)
{
	int error = 0;

	layout_publish(lease);
	spin_lock(&lease->ctx->flc_lock);
	if (lease->inode->i_sb->s_iflags & SB_I_NOLAYOUT) {
		error = -EIO;
	} else if (lease->cancelled) {
		error = -EAGAIN;
	} else {
		WRITE_ONCE(lease->phase, LEASE_GRANTED);
		trace_layout_lease_take(lease);
	}
	spin_unlock(&lease->ctx->flc_lock);
	return error;
}

static bool layout_within(const struct file_layout *inner,
			  const struct file_layout *outer)
{
	return outer->start <= inner->start && inner->end <= outer->end;
}

/*
 * Give an existing lease the values of @new, which covers its new range but was
 * never granted.  With @shrink it does not: the range must be part of the old
 * one.  A break that no longer touches it is over: shrinking off the range
 * counts as letting go.
 */
static int layout_change(struct file_layout *lease, struct file_layout *new,
			 bool shrink)
{
	struct file_lock_context *ctx = lease->ctx;
	int error = 0;

	/* reports use the taker and its credentials */
	mutex_lock(&layout_report_mutex);
	spin_lock(&ctx->flc_lock);
	if (lease->phase != LEASE_GRANTED || lease->draining || new->cancelled)
		error = -EAGAIN;
	else if (shrink && !layout_within(new, lease))
		error = -EAGAIN;	/* changed by another thread */
	else if (lease->breaking && layout_overlaps(new, lease->break_start,
						    lease->break_end))
		error = -EAGAIN;
	else if (layout_range_is_broken(ctx, lease, new->start, new->end))
		error = -EAGAIN;
	else if (layout_pinned_outside(lease, new->start, new->end))
		error = -EBUSY;
	if (!error) {
		lease->start = new->start;
		lease->end = new->end;
		lease->unbreak = new->unbreak;
		lease->denied = 0;
		lease->fd = new->fd;
		swap(lease->event, new->event);
		swap(lease->taker, new->taker);
		lease->c.flc_pid = new->c.flc_pid;
		lease->fown.uid = new->fown.uid;
		lease->fown.euid = new->fown.euid;
		lease->breaking = false;
		trace_layout_lease_take(lease);
	}
	spin_unlock(&ctx->flc_lock);
	mutex_unlock(&layout_report_mutex);
	if (!error)
		wake_up_all(&lease->wait);
	return error;
}

/* A BREAKING lease may be changed only off the range, which is no new promise. */
static bool layout_shrinks(struct file_layout *old, struct file_layout *new)
{
	bool shrinks;

	spin_lock(&old->ctx->flc_lock);
	shrinks = old->phase == LEASE_GRANTED && layout_within(new, old);
	spin_unlock(&old->ctx->flc_lock);
	return shrinks;
}

static int layout_take_over(struct file *filp, struct file_layout *new)
{
	int error = layout_flush_operations(new->inode);

	if (error)
		return error;
	return layout_unshare(filp, new->start, new->end);
}

/* The description's lease if it can be changed; a tombstone is swept away. */
static struct file_layout *layout_to_change(struct file *filp)
{
	struct file_layout *old = layout_of_file_get(filp);

	if (!old)
		return NULL;
	wait_event(old->wait, !layout_revoking(old));
	if (READ_ONCE(old->phase) != LEASE_REVOKED)
		return old;
	layout_unlink(old);
	layout_put(old);
	return NULL;
}

static int layout_take_new(struct file *filp, struct file_layout *new)
{
	int error = layout_insert(new, NULL);

	if (error)
		return error;
	error = layout_take_over(filp, new);
	if (!error)
		error = layout_grant(new);
	if (error)
		layout_unlink(new);
	return error;
}

static int layout_take_again(struct file *filp, struct file_layout *old,
			     struct file_layout *new)
{
	int error;

	if (layout_shrinks(old, new))
		return layout_change(old, new, true);
	error = layout_insert(new, old);
	if (error)
		return error;
	error = layout_take_over(filp, new);
	if (!error)
		error = layout_change(old, new, false);
	layout_unlink(new);
	return error;
}

/**
 * layout_take - take a lease, or change the one there is
 * @filp: the description
 * @req: what is asked for; its eventfd is taken over, whatever the result
 *
 * Context: process context without locks; waits for operations in progress,
 * killable.
 * Return: 0, or the errno that include/uapi/linux/layout_lease.h lists.
 */
int layout_take(struct file *filp, const struct layout_request *req)
{
	struct file_layout *new, *old;
	struct file_lock_context *ctx;
	int error;

	error = layout_may_take(filp, req->unbreak);
	if (error)
		goto out_event;
	error = -ENOMEM;
	ctx = locks_get_lock_context(file_inode(filp), F_RDLCK);
	if (!ctx)
		goto out_event;
	new = layout_alloc(filp, ctx);
	if (!new)
		goto out_event;
	new->start = req->start;
	new->end = req->end;
	layout_round(new->inode, &new->start, &new->end);
	new->unbreak = req->unbreak;
	new->event = req->event;
	new->fd = req->fd;

	old = layout_to_change(filp);
	if (old) {
		error = layout_take_again(filp, old, new);
		layout_put(old);
	} else {
		error = layout_take_new(filp, new);
	}
	layout_put(new);
	return error;

out_event:
	if (req->event)
		eventfd_ctx_put(req->event);
	return error;
}

/*
 * Dropping
 */

static bool layout_drained(struct file_layout *lease)
{
	return !READ_ONCE(lease->nr_pins) ||
	       READ_ONCE(lease->phase) > LEASE_REVOKING;
}

/* Returns 0 when draining has begun, or is over because there was no pin. */
static int layout_drain_begin(struct file_layout *lease, bool nonblock)
{
	int error = 0;

	spin_lock(&lease->ctx->flc_lock);
	if (lease->phase != LEASE_GRANTED)
		error = -ENOENT;
	else if (lease->draining || (nonblock && lease->nr_pins))
		error = -EAGAIN;
	else
		lease->draining = true;
	spin_unlock(&lease->ctx->flc_lock);
	return error;
}

/* Returns 1 if the lease is to be taken off, 0 if it was revoked meanwhile. */
static int layout_drain(struct file_layout *lease)
{
	struct file_lock_context *ctx = lease->ctx;
	bool revoked;
	int ret;

	ret = wait_event_interruptible(lease->wait, layout_drained(lease));
	spin_lock(&ctx->flc_lock);
	lease->draining = false;
	revoked = lease->phase != LEASE_GRANTED;
	if (!revoked && !lease->nr_pins) {
		/* nobody may pin under it between here and layout_unlink() */
		lease->draining = true;
		ret = 1;
	}
	spin_unlock(&ctx->flc_lock);
	if (!revoked)
		return ret;
	/* a signal may have come first, but there is no lease to return to */
	wait_event(lease->wait, layout_drained(lease));
	return 0;
}

/**
 * layout_drop - give a lease back
 * @filp: the description
 *
 * Context: process context without locks; sleeps until the last pin is gone,
 * interruptible, unless the description is O_NONBLOCK.
 * Return: 0, or the errno that include/uapi/linux/layout_lease.h lists.
 */
int layout_drop(struct file *filp)
{
	struct file_layout *lease = layout_of_file_get(filp);
	int ret;

	if (!lease)
		return -ENOENT;
	ret = layout_drain_begin(lease, filp->f_flags & O_NONBLOCK);
	if (ret)
		goto out;
	ret = layout_drain(lease);
	if (ret > 0) {
		trace_layout_lease_drop(lease);
		layout_unlink(lease);
		ret = 0;
	}
out:
	layout_put(lease);
	return ret;
}
