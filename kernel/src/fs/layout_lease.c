// SPDX-License-Identifier: GPL-2.0
/*
 * Layout leases: the promise that the map from file offset to physical block
 * does not change behind the holder's back.
 *
 * A lease belongs to an open file description.  It is inserted first, which
 * stops new subtractive operations; then those already under way are waited
 * for and shared blocks are unshared; then it is published and may carry pins.
 * It ends by DROP, which waits for its pins, by revocation, which invalidates
 * them, or with the last reference to the description, which does the same and
 * takes the contexts that own the pins down too.
 *
 * What subtractive operations do with leases is in layout_break.c, the pins
 * that stand on them are in leased_pin.c.
 */
#include <linux/capability.h>
#include <linux/cred.h>
#include <linux/dax.h>
#include <linux/fdtable.h>
#include <linux/fcntl.h>
#include <linux/file.h>
#include <linux/mm.h>
#include <linux/security.h>
#include <linux/slab.h>
#include <linux/task_work.h>
#include <linux/uaccess.h>

#include "internal.h"
#include "layout_lease_internal.h"

#define CREATE_TRACE_POINTS
#include <trace/events/layout_lease.h>

/* The largest DAX entry: the DAX page cache drops an entry as a whole. */
#define DAX_ENTRY_SIZE	((u64)SZ_2M)

struct workqueue_struct *layout_wq;
static struct kmem_cache *layout_cache;
static atomic64_t layout_last_id;

/* What TAKE asks for. */
struct layout_request {
	u64 start;
	u64 end;
	bool unbreak;
	struct eventfd_ctx *event;
	int fd;
};

/*
 * The object
 */

static void layout_expire(struct work_struct *work);

static void layout_free(struct kref *ref)
{
	struct file_layout *lease = container_of(ref, struct file_layout, ref);

	if (lease->event)
		eventfd_ctx_put(lease->event);
	put_pid(lease->taker);
	kmem_cache_free(layout_cache, lease);
}

void layout_put(struct file_layout *lease)
{
	kref_put(&lease->ref, layout_free);
}

static void layout_init_fown(struct file_layout *lease, struct file *filp)
{
	struct fown_struct *fown = &lease->fown;

	rwlock_init(&fown->lock);
	fown->file = filp;
	fown->uid = current_uid();
	fown->euid = current_euid();
}

static struct file_layout *layout_alloc(struct file *filp,
					struct file_lock_context *ctx)
{
	struct file_layout *lease;

	lease = kmem_cache_zalloc(layout_cache, GFP_KERNEL_ACCOUNT);
	if (!lease)
		return NULL;
	kref_init(&lease->ref);
	INIT_HLIST_NODE(&lease->c.flc_link);
	INIT_LIST_HEAD(&lease->c.flc_list);
	INIT_LIST_HEAD(&lease->c.flc_blocked_requests);
	INIT_LIST_HEAD(&lease->c.flc_blocked_member);
	init_waitqueue_head(&lease->c.flc_wait);
	INIT_LIST_HEAD(&lease->published);
	init_waitqueue_head(&lease->wait);
	INIT_DELAYED_WORK(&lease->expiry, layout_expire);
	lease->c.flc_file = filp;
	lease->c.flc_owner = filp;
	lease->c.flc_flags = FL_LAYOUT_USER;
	lease->c.flc_type = F_RDLCK;
	lease->c.flc_pid = current->tgid;
	lease->inode = file_inode(filp);
	lease->ctx = ctx;
	lease->pins = RB_ROOT_CACHED;
	lease->taker = get_pid(task_tgid(current));
	layout_init_fown(lease, filp);
	return lease;
}

/*
 * Finding leases
 */

/**
 * layout_of_file - the lease of an open file description, or its tombstone
 * @ctx: lock context of the file's inode
 * @filp: the description
 *
 * Context: flc_lock held.
 * Return: the lease, not referenced; NULL if there is none, or only one that
 * is being granted.
 */
struct file_layout *layout_of_file(struct file_lock_context *ctx,
				   const struct file *filp)
{
	struct file_layout *lease;

	lockdep_assert_held(&ctx->flc_lock);
	list_for_each_entry(lease, &ctx->flc_layout, c.flc_list) {
		if (lease->c.flc_file == filp &&
		    lease->phase != LEASE_GRANTING)
			return lease;
	}
	return NULL;
}

static struct file_layout *layout_of_file_get(struct file *filp)
{
	struct file_lock_context *ctx = locks_inode_context(file_inode(filp));
	struct file_layout *lease;

	if (!ctx || list_empty_careful(&ctx->flc_layout))
		return NULL;
	spin_lock(&ctx->flc_lock);
	lease = layout_of_file(ctx, filp);
	if (lease)
		kref_get(&lease->ref);
	spin_unlock(&ctx->flc_lock);
	return lease;
}

/**
 * layout_next - walk the leases of an inode that overlap a range
 * @inode: kept alive by the caller
 * @after: id of the lease before; 0 for the first
 * @start: first byte of the range
 * @end: behind its last byte
 *
 * The list is in the order of ids, so a walk that drops the lock between its
 * steps neither skips nor repeats a lease.
 *
 * Context: process context; takes flc_lock.
 * Return: the next one in force, referenced, or NULL.
 */
struct file_layout *layout_next(struct inode *inode, u64 after, u64 start,
				u64 end)
{
	struct file_lock_context *ctx = locks_inode_context(inode);
	struct file_layout *lease, *found = NULL;

	if (!ctx)
		return NULL;
	spin_lock(&ctx->flc_lock);
	list_for_each_entry(lease, &ctx->flc_layout, c.flc_list) {
		if (lease->id <= after || !layout_in_force(lease) ||
		    !layout_overlaps(lease, start, end))
			continue;
		kref_get(&lease->ref);
		found = lease;
		break;
	}
	spin_unlock(&ctx->flc_lock);
	return found;
}

/**
 * layout_lease_held - has the description a layout lease?
 * @filp: the description
 *
 * Context: flc_lock of its inode held.
 */
bool layout_lease_held(struct file *filp)
{
	struct file_layout *lease;

	lease = layout_of_file(locks_inode_context(file_inode(filp)), filp);
	return lease && lease->phase == LEASE_GRANTED;
}

/**
 * layout_is_holder - may the current task's operation use this lease as its own?
 * @lease: referenced by the caller, on a file of an inode that is kept alive
 * @filp: description the operation comes through, or NULL
 *
 * A holder has the leased description open in its descriptor table, or took the
 * lease and still maps the file through it.
 *
 * Context: process context; may sleep for i_mmap_rwsem.
 */
bool layout_is_holder(struct file_layout *lease, const struct file *filp)
{
	const struct file *leased = lease->c.flc_file;

	if (filp == leased)
		return true;
	if (iterate_fd(current->files, 0, file_is, leased))
		return true;
	return lease->taker == task_tgid(current) && current->mm &&
	       task_maps_file(current, leased, lease->inode);
}

/**
 * layout_state - the state of a lease, as user space knows it
 * @lease: the lease
 *
 * Context: flc_lock held, or for a report that need not be exact.
 * Return: LAYOUT_*
 */
unsigned int layout_state(const struct file_layout *lease)
{
	switch (READ_ONCE(lease->phase)) {
	case LEASE_GRANTED:
		if (lease->breaking)
			return LAYOUT_BREAKING;
		return lease->draining ? LAYOUT_DRAINING : LAYOUT_ACTIVE;
	case LEASE_REVOKING:
	case LEASE_REVOKED:
		return LAYOUT_REVOKED;
	default:
		return LAYOUT_NONE;
	}
}

/*
 * The end of a lease
 */

static bool layout_revoking(struct file_layout *lease)
{
	return READ_ONCE(lease->phase) == LEASE_REVOKING;
}

/*
 * Take the lease off all lists.  The caller's reference stays.  Once it is GONE
 * nobody begins a break or a revocation, so that the timer can be ended for
 * good, and only one of several callers gives the list's reference back.
 */
static void layout_unlink(struct file_layout *lease)
{
	struct file_lock_context *ctx = lease->ctx;
	bool mine;

	layout_unpublish(lease);
	spin_lock(&ctx->flc_lock);
	while (lease->phase == LEASE_REVOKING) {
		spin_unlock(&ctx->flc_lock);
		wait_event(lease->wait, !layout_revoking(lease));
		spin_lock(&ctx->flc_lock);
	}
	mine = lease->phase != LEASE_GONE;
	WRITE_ONCE(lease->phase, LEASE_GONE);
	if (mine)
		list_del_init(&lease->c.flc_list);
	spin_unlock(&ctx->flc_lock);
	cancel_delayed_work_sync(&lease->expiry);
	wake_up_all(&lease->wait);
	if (mine)
		layout_put(lease);
}

static bool layout_expired(const struct file_layout *lease)
{
	return lease->breaking && time_after_eq(jiffies, lease->deadline);
}

/*
 * Returns false if the pins are gone already, or somebody else revokes them, or
 * the break whose time was to be over has ended.
 */
static bool layout_revoke_claim(struct file_layout *lease, bool if_expired)
{
	bool claimed;

	spin_lock(&lease->ctx->flc_lock);
	claimed = lease->phase == LEASE_GRANTED &&
		  (!if_expired || layout_expired(lease));
	if (claimed) {
		WRITE_ONCE(lease->phase, LEASE_REVOKING);
		trace_layout_lease_revoke(lease);
	}
	spin_unlock(&lease->ctx->flc_lock);
	return claimed;
}

/*
 * The pins are gone: the lease is no obstacle any more.  Who has closed the file
 * himself is not told.
 */
static void layout_revoke_done(struct file_layout *lease, bool tell)
{
	spin_lock(&lease->ctx->flc_lock);
	WRITE_ONCE(lease->phase, LEASE_REVOKED);
	lease->breaking = false;
	if (tell && lease->event)
		eventfd_signal(lease->event);
	spin_unlock(&lease->ctx->flc_lock);
	wake_up_all(&lease->wait);
}

static void layout_revoke_claimed(struct file_layout *lease)
{
	layout_revoke_pins(lease, NULL);
	layout_unpublish(lease);
	layout_revoke_done(lease, true);
}

/**
 * layout_revoke - take a lease away, pins and all
 * @lease: referenced by the caller, who keeps the inode alive too
 *
 * When it returns no device reaches pages through the lease and operations may
 * go on, whoever did the revoking.  A tombstone stays for F_GETLAYOUT.
 *
 * Context: process context without locks.  Waits for devices, never for user
 * space.
 */
void layout_revoke(struct file_layout *lease)
{
	if (layout_revoke_claim(lease, false))
		layout_revoke_claimed(lease);
	else
		wait_event(lease->wait, !layout_revoking(lease));
}

/*
 * Timers end early if they are longer than the timer wheel, a few days: wait for
 * the rest of the time.
 */
static void layout_expire_later(struct file_layout *lease)
{
	spin_lock(&lease->ctx->flc_lock);
	if (lease->phase == LEASE_GRANTED && lease->breaking &&
	    !layout_expired(lease))
		mod_delayed_work(layout_wq, &lease->expiry,
				 lease->deadline - jiffies);
	spin_unlock(&lease->ctx->flc_lock);
}

/* The holder had its time.  The lease is alive: layout_unlink() waits for us. */
static void layout_expire(struct work_struct *work)
{
	struct file_layout *lease;

	lease = container_of(work, struct file_layout, expiry.work);
	if (layout_revoke_claim(lease, true))
		layout_revoke_claimed(lease);
	else
		layout_expire_later(lease);
}

/**
 * layout_lease_close - the last reference to a description is gone
 * @filp: the description
 *
 * Its lease ends.  Pins that are left under it are invalidated by the contexts
 * that own them, as if those had been closed.
 *
 * Context: __fput(); waits for devices, never for user space.
 */
void layout_lease_close(struct file *filp)
{
	struct file_layout *lease = layout_of_file_get(filp);
	LIST_HEAD(doomed);

	if (!lease)
		return;
	if (layout_revoke_claim(lease, false)) {
		layout_revoke_pins(lease, &doomed);
		layout_revoke_done(lease, false);
	} else {
		wait_event(lease->wait, !layout_revoking(lease));
	}
	layout_unlink(lease);
	layout_invalidate_owners(&doomed);
	layout_put(lease);
}

/* A lease that was inserted and is not granted yet shall not be. */
static void layout_cancel(struct file_layout *lease)
{
	spin_lock(&lease->ctx->flc_lock);
	lease->cancelled = true;
	spin_unlock(&lease->ctx->flc_lock);
}

/**
 * layout_lease_revoke_sb - the device of a file system is about to go
 * @sb: the file system
 *
 * Takes all its layout leases away, pins and all, and permits no new ones: pins
 * are not waited for when the memory itself is removed.
 *
 * Context: process context; s_umount may be held.  Waits for devices, never for
 * user space.
 */
void layout_lease_revoke_sb(struct super_block *sb)
{
	struct file_layout *lease;
	struct inode *inode;
	u64 id = 0;

	sb->s_iflags |= SB_I_NOLAYOUT;
	while ((lease = layout_next_of_sb(sb, id, &inode))) {
		id = lease->id;
		layout_cancel(lease);
		layout_revoke(lease);
		layout_put(lease);
		iput(inode);
	}
}
EXPORT_SYMBOL_GPL(layout_lease_revoke_sb);

/*
 * A leased file that a kernel thread drops last must not make the delayed
 * fputs of everybody else wait for devices.
 */
static LLIST_HEAD(deferred_fputs);

static void layout_fput_deferred(struct work_struct *work)
{
	struct llist_node *node = llist_del_all(&deferred_fputs);
	struct file *filp, *next;

	llist_for_each_entry_safe(filp, next, node, f_llist)
		__fput(filp);
}

static DECLARE_WORK(deferred_fput_work, layout_fput_deferred);

/**
 * layout_lease_defer_fput - queue the end of a leased file
 * @filp: file whose last reference was dropped where no task work can be added
 *
 * Context: any that fput() may be called from.
 * Return: true if the file is leased and was taken over.
 */
bool layout_lease_defer_fput(struct file *filp)
{
	if (!(filp->f_mode & FMODE_OPENED) ||
	    !layout_leases_present(file_inode(filp)))
		return false;
	if (llist_add(&filp->f_llist, &deferred_fputs))
		queue_work(layout_wq, &deferred_fput_work);
	return true;
}

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
	if (old->phase == LEASE_REVOKING)
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

/* Takes over the request's eventfd, whatever the result. */
static int layout_take(struct file *filp, const struct layout_request *req)
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
	int ret;

	ret = wait_event_interruptible(lease->wait, layout_drained(lease));
	spin_lock(&ctx->flc_lock);
	lease->draining = false;
	if (lease->phase != LEASE_GRANTED) {
		/* a signal may have come before the last pin is revoked */
		ret = layout_drained(lease) ? 0 : ret;
	} else if (!lease->nr_pins) {
		/* nobody may pin under it between here and layout_unlink() */
		lease->draining = true;
		ret = 1;
	}
	spin_unlock(&ctx->flc_lock);
	return ret;
}

static int layout_drop(struct file *filp)
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

/*
 * F_SETLEASE, F_GETLEASE
 */

/**
 * layout_lease_set - F_SETLEASE with F_LAYOUT in its argument
 * @fd: descriptor the call came through, for si_fd of signals
 * @filp: the description
 * @arg: F_LAYOUT, with F_UNBREAK or F_UNLCK
 *
 * Context: process context; F_UNLCK sleeps until the last pin is gone.
 * Return: 0, or the errno that include/uapi/linux/layout_lease.h lists; EAGAIN
 * for F_UNLCK where there is no lease.
 */
int layout_lease_set(unsigned int fd, struct file *filp, int arg)
{
	struct layout_request req = {
		.end = LAYOUT_EOF,
		.unbreak = arg & F_UNBREAK,
		.fd = fd,
	};
	int error;

	if (arg == (F_UNLCK | F_LAYOUT)) {
		error = layout_drop(filp);
		return error == -ENOENT ? -EAGAIN : error;
	}
	if (arg & ~(F_LAYOUT | F_UNBREAK) || !(arg & F_LAYOUT))
		return -EINVAL;
	return layout_take(filp, &req);
}

/**
 * layout_lease_get - what F_GETLEASE says of a layout lease
 * @filp: a description without an ordinary lease
 *
 * Context: process context; takes flc_lock.
 * Return: F_LAYOUT, with F_UNBREAK if it is; F_UNLCK if there is none, or it is
 * to be dropped.
 */
int layout_lease_get(struct file *filp)
{
	struct file_layout *lease = layout_of_file_get(filp);
	int type = F_UNLCK;

	if (!lease)
		return F_UNLCK;
	spin_lock(&lease->ctx->flc_lock);
	if (lease->phase == LEASE_GRANTED && !lease->breaking)
		type = F_LAYOUT | (lease->unbreak ? F_UNBREAK : 0);
	spin_unlock(&lease->ctx->flc_lock);
	layout_put(lease);
	return type;
}

/*
 * F_SETLAYOUT, F_GETLAYOUT, F_REVOKELAYOUT
 */

static int layout_copy_in(struct layout_lease *ll,
			  struct layout_lease __user *arg)
{
	u32 size;

	BUILD_BUG_ON(sizeof(struct layout_lease) != LAYOUT_LEASE_SIZE_VER0);
	if (get_user(size, &arg->size))
		return -EFAULT;
	if (size < LAYOUT_LEASE_SIZE_VER0)
		return -EINVAL;
	if (size > PAGE_SIZE)
		return -E2BIG;
	return copy_struct_from_user(ll, sizeof(*ll), arg, size);
}

static int layout_check_request(const struct layout_lease *ll,
				struct layout_request *req)
{
	u64 end;

	if (ll->flags & ~(LAYOUT_LEASE_TAKE | LAYOUT_LEASE_DROP |
			  LAYOUT_LEASE_UNBREAK) || ll->reserved)
		return -EINVAL;
	if (!(ll->flags & LAYOUT_LEASE_TAKE) == !(ll->flags & LAYOUT_LEASE_DROP))
		return -EINVAL;
	if ((ll->flags & LAYOUT_LEASE_DROP) &&
	    (ll->flags & LAYOUT_LEASE_UNBREAK))
		return -EINVAL;
	if (ll->start > LAYOUT_EOF)
		return -EINVAL;
	/* the last byte there can be is at LAYOUT_EOF */
	if (check_add_overflow(ll->start, ll->len, &end) ||
	    end > LAYOUT_EOF + 1)
		return -EINVAL;
	req->start = ll->start;
	req->end = ll->len ? min(end, LAYOUT_EOF) : LAYOUT_EOF;
	req->unbreak = ll->flags & LAYOUT_LEASE_UNBREAK;
	return 0;
}

/**
 * fcntl_setlayout - F_SETLAYOUT
 * @fd: descriptor the call came through, for si_fd of signals
 * @filp: the description
 * @arg: struct layout_lease of user space
 *
 * Context: process context.  TAKE waits for operations in progress, killable;
 * DROP sleeps until the last pin is gone, interruptible.
 * Return: 0, or the errno that include/uapi/linux/layout_lease.h lists.
 */
int fcntl_setlayout(unsigned int fd, struct file *filp,
		    struct layout_lease __user *arg)
{
	struct layout_request req = { .fd = fd };
	struct layout_lease ll;
	int error;

	error = layout_copy_in(&ll, arg);
	if (error)
		return error;
	error = layout_check_request(&ll, &req);
	if (error)
		return error;
	if (!S_ISREG(file_inode(filp)->i_mode))
		return -EINVAL;
	if (ll.flags & LAYOUT_LEASE_DROP)
		return layout_drop(filp);
	if (ll.event_fd != -1) {
		req.event = eventfd_ctx_fdget(ll.event_fd);
		if (IS_ERR(req.event))
			return PTR_ERR(req.event);
	}
	return layout_take(filp, &req);
}

static void layout_fill(const struct file_layout *lease,
			struct layout_lease *ll)
{
	unsigned long now = jiffies;

	ll->state = layout_state(lease);
	ll->flags = lease->unbreak ? LAYOUT_LEASE_UNBREAK : 0;
	ll->start = lease->start;
	ll->len = lease->end == LAYOUT_EOF ? 0 : lease->end - lease->start;
	ll->pins = lease->nr_pins;
	ll->pinned_pages = lease->nr_pages;
	ll->denied = lease->denied;
	ll->id = lease->id;
	if (ll->state != LAYOUT_BREAKING)
		return;
	ll->break_start = lease->break_start;
	if (lease->break_end != LAYOUT_EOF)
		ll->break_len = lease->break_end - lease->break_start;
	if (time_before(now, lease->deadline))
		ll->break_msecs = min_t(u64, jiffies64_to_msecs(lease->deadline - now),
					U32_MAX);
}

/**
 * fcntl_getlayout - F_GETLAYOUT
 * @filp: the description
 * @arg: struct layout_lease of user space; only its size is read
 *
 * Context: process context; takes flc_lock.
 * Return: 0, EINVAL for a bad size or not a regular file, EFAULT.
 */
int fcntl_getlayout(struct file *filp, struct layout_lease __user *arg)
{
	struct layout_lease ll = { .event_fd = -1 };
	struct file_layout *lease;
	u32 size;

	if (get_user(size, &arg->size))
		return -EFAULT;
	if (size < LAYOUT_LEASE_SIZE_VER0 || size > PAGE_SIZE)
		return -EINVAL;
	if (!S_ISREG(file_inode(filp)->i_mode))
		return -EINVAL;
	ll.size = size;
	lease = layout_of_file_get(filp);
	if (lease) {
		spin_lock(&lease->ctx->flc_lock);
		layout_fill(lease, &ll);
		spin_unlock(&lease->ctx->flc_lock);
		layout_put(lease);
	}
	if (copy_to_user(arg, &ll, sizeof(ll)))
		return -EFAULT;
	if (size > sizeof(ll) &&
	    clear_user((void __user *)arg + sizeof(ll), size - sizeof(ll)))
		return -EFAULT;
	return 0;
}

/**
 * fcntl_revokelayout - F_REVOKELAYOUT
 * @filp: any description of the file
 * @arg: number of a lease of this file; 0: all of them
 *
 * Spares no lease, unbreakable or not.
 *
 * Context: process context; waits for devices, never for user space.
 * Return: 0; EACCES: neither owner nor CAP_LEASE, as of now; ENOENT: no such
 * lease on this file; EINVAL: not a regular file; EFAULT.
 */
int fcntl_revokelayout(struct file *filp, const u64 __user *arg)
{
	struct inode *inode = file_inode(filp);
	vfsuid_t vfsuid = i_uid_into_vfsuid(file_mnt_idmap(filp), inode);
	struct file_layout *lease;
	bool found = false;
	u64 wanted, id = 0;

	if (get_user(wanted, arg))
		return -EFAULT;
	if (!S_ISREG(inode->i_mode))
		return -EINVAL;
	if (!vfsuid_eq_kuid(vfsuid, current_fsuid()) && !capable(CAP_LEASE))
		return -EACCES;
	while ((lease = layout_next(inode, id, 0, LAYOUT_EOF))) {
		id = lease->id;
		if (!wanted || id == wanted) {
			layout_revoke(lease);
			found |= READ_ONCE(lease->phase) != LEASE_GRANTING;
		}
		layout_put(lease);
	}
	return found || !wanted ? 0 : -ENOENT;
}

static int __init layout_lease_init(void)
{
	layout_cache = KMEM_CACHE(file_layout, SLAB_PANIC | SLAB_ACCOUNT);
	layout_wq = alloc_workqueue("layout_lease", WQ_UNBOUND, 0);
	if (!layout_wq)
		panic("layout leases: no workqueue");
	return 0;
}
core_initcall(layout_lease_init);
