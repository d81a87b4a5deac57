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
 * Here is the object and its end.  It is taken and dropped in layout_take.c,
 * called by user space through layout_fcntl.c; what subtractive operations do
 * with it is in layout_break.c, the pins that stand on it are in leased_pin.c.
 */
#include <linux/cred.h>
#include <linux/fdtable.h>
#include <linux/file.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/task_work.h>

#include "internal.h"
#include "layout_lease_internal.h"

#define CREATE_TRACE_POINTS
#include <trace/events/layout_lease.h>

struct workqueue_struct *layout_wq;
static struct kmem_cache *layout_cache;

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

/**
 * layout_alloc - a lease that is on no list yet
 * @filp: the description it will belong to
 * @ctx: lock context of its inode
 *
 * Context: process context.
 * Return: the lease, all of the file, with a reference for the caller, or NULL.
 */
struct file_layout *layout_alloc(struct file *filp,
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

/**
 * layout_of_file_get - the lease of a description
 * @filp: the description
 *
 * Context: process context; takes flc_lock.
 * Return: the lease, referenced, perhaps REVOKED; NULL if there is none.
 */
struct file_layout *layout_of_file_get(struct file *filp)
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

/**
 * layout_revoking - are the pins of a lease being taken away?
 * @lease: the lease
 *
 * Context: any; a condition for wait_event() on the lease's @wait.
 */
bool layout_revoking(struct file_layout *lease)
{
	return READ_ONCE(lease->phase) == LEASE_REVOKING;
}

/**
 * layout_unlink - take a lease off all lists
 * @lease: the lease; the caller's reference stays
 *
 * Once it is GONE nobody begins a break or a revocation, so that the timer can
 * be ended for good, and only one of several callers gives the list's reference
 * back.
 *
 * Context: process context without locks; waits for a revocation in progress.
 */
void layout_unlink(struct file_layout *lease)
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

enum lease_end {
	END_REVOKED,
	END_EXPIRED,
	END_CLOSED,
};

/*
 * Returns false if the pins are gone already, or somebody else revokes them, or
 * the break whose time was to be over has ended.
 */
static bool layout_revoke_claim(struct file_layout *lease, enum lease_end why)
{
	bool claimed;

	spin_lock(&lease->ctx->flc_lock);
	claimed = lease->phase == LEASE_GRANTED &&
		  (why != END_EXPIRED || layout_expired(lease));
	if (claimed) {
		WRITE_ONCE(lease->phase, LEASE_REVOKING);
		/* a close that takes nothing from anybody is no revocation */
		if (why == END_CLOSED && !lease->nr_pins)
			trace_layout_lease_drop(lease);
		else
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
	if (layout_revoke_claim(lease, END_REVOKED))
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
	if (layout_revoke_claim(lease, END_EXPIRED))
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
	if (layout_revoke_claim(lease, END_CLOSED)) {
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

static int __init layout_lease_init(void)
{
	layout_cache = KMEM_CACHE(file_layout, SLAB_PANIC | SLAB_ACCOUNT);
	layout_wq = alloc_workqueue("layout_lease", WQ_UNBOUND, 0);
	if (!layout_wq)
		panic("layout leases: no workqueue");
	return 0;
}
core_initcall(layout_lease_init);
