// SPDX-License-Identifier: GPL-2.0
/*
 * Pins that stand on layout leases: their states, and their end.
 *
 * A leased pin is one registration of one owner (an RDMA memory region, say).
 * It stands on one lease for each buffer file it crosses, with one stake for
 * each piece of a file.  It never holds a struct file: the lease's end finds
 * the pins, not the other way round.
 *
 * Exactly one party ends a pin: the subsystem that releases it, or a revoker.
 * Who claims it first, under the pin's lock, does the work; the other waits for
 * GONE.  Neither waits for user space while it has the claim, which is why a
 * revoker may wait for a release and for the window between pinning the last
 * page and LIVE, but kills a registration that is still pinning pages: its task
 * may sit in a page fault for ever.
 */
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/interval_tree_generic.h>
#include <linux/pid.h>
#include <linux/slab.h>
#include <linux/wait.h>

#include "layout_lease_internal.h"

#include <trace/events/layout_lease.h>

/*
 * A release waits for a revocation, so the revocation must take no lock that is
 * held around the release.  Lockdep sees the wait as this lock.
 */
#ifdef CONFIG_LOCKDEP
static struct lockdep_map leased_pin_end_map =
	STATIC_LOCKDEP_MAP_INIT("leased_pin_end", &leased_pin_end_map);
#endif

#define STAKE_START(stake)	((stake)->start)
#define STAKE_LAST(stake)	((stake)->last)

INTERVAL_TREE_DEFINE(struct pin_stake, rb, u64, subtree_last, STAKE_START,
		     STAKE_LAST, /* empty */, pin_stakes)

LIST_HEAD(longterm_pin_owners);	/* under layout_report_mutex */

/*
 * Owners
 */

/**
 * longterm_pin_owner_init - a context that may own leased pins begins
 * @owner: embedded in, or allocated by, the context
 * @ops: what can be done to it
 * @file: its context file; not referenced
 *
 * Context: process context.
 * Return: nothing; the caller has the first reference.
 */
void longterm_pin_owner_init(struct longterm_pin_owner *owner,
			     const struct longterm_pin_owner_ops *ops,
			     struct file *file)
{
	kref_init(&owner->ref);
	owner->ops = ops;
	owner->file = file;
	owner->pid = get_pid(task_tgid(current));
	owner->dead = 0;
	INIT_LIST_HEAD(&owner->doomed);
	mutex_lock(&layout_report_mutex);
	list_add_tail(&owner->entry, &longterm_pin_owners);
	mutex_unlock(&layout_report_mutex);
}
EXPORT_SYMBOL_GPL(longterm_pin_owner_init);

/**
 * longterm_pin_owner_detach - the context file is about to go
 * @owner: the context
 *
 * Reports do not touch the file any more when this returns.
 *
 * Context: process context; takes layout_report_mutex.
 */
void longterm_pin_owner_detach(struct longterm_pin_owner *owner)
{
	mutex_lock(&layout_report_mutex);
	owner->file = NULL;
	list_del_init(&owner->entry);
	mutex_unlock(&layout_report_mutex);
}
EXPORT_SYMBOL_GPL(longterm_pin_owner_detach);

static void longterm_pin_owner_free(struct kref *ref)
{
	struct longterm_pin_owner *owner;

	owner = container_of(ref, struct longterm_pin_owner, ref);
	put_pid(owner->pid);
	owner->ops->free(owner);
}

/**
 * longterm_pin_owner_put - give a reference to an owner back
 * @owner: the owner; freed by its operation when this was the last one
 *
 * Context: process context; may sleep.
 */
void longterm_pin_owner_put(struct longterm_pin_owner *owner)
{
	kref_put(&owner->ref, longterm_pin_owner_free);
}
EXPORT_SYMBOL_GPL(longterm_pin_owner_put);

/*
 * The object
 */

/**
 * leased_pin_create - begin a registration that stands on leases
 * @owner: who will own it; a reference is taken
 * @host: the embedding object
 * @drop: unpins the host's pages, dirtying them or not
 *
 * Context: process context.
 * Return: the pin, REGISTERING; NULL without memory.
 */
struct leased_pin *leased_pin_create(struct longterm_pin_owner *owner,
				     struct longterm_pin *host,
				     void (*drop)(struct longterm_pin *host,
						  bool dirty))
{
	struct leased_pin *pin = kzalloc(sizeof(*pin), GFP_KERNEL_ACCOUNT);

	if (!pin)
		return NULL;
	kref_init(&pin->ref);
	spin_lock_init(&pin->lock);
	init_waitqueue_head(&pin->wait);
	INIT_LIST_HEAD(&pin->stakes);
	kref_get(&owner->ref);
	pin->owner = owner;
	pin->host = host;
	pin->drop = drop;
	pin->write = host->write;
	return pin;
}

static void leased_pin_free(struct kref *ref)
{
	struct leased_pin *pin = container_of(ref, struct leased_pin, ref);

	WARN_ON_ONCE(!list_empty(&pin->stakes));
	longterm_pin_owner_put(pin->owner);
	kfree(pin);
}

/**
 * leased_pin_get - take another reference to a leased pin
 * @pin: the pin
 *
 * Context: any.
 */
void leased_pin_get(struct leased_pin *pin)
{
	kref_get(&pin->ref);
}
EXPORT_SYMBOL_GPL(leased_pin_get);

/**
 * leased_pin_put - give a reference to a leased pin back
 * @pin: the pin, or NULL
 *
 * Context: process context; may sleep.
 */
void leased_pin_put(struct leased_pin *pin)
{
	if (pin)
		kref_put(&pin->ref, leased_pin_free);
}
EXPORT_SYMBOL_GPL(leased_pin_put);

/* Who has the registration; lives as long as the caller's reference to it. */
struct longterm_pin_owner *leased_pin_owner(struct leased_pin *pin)
{
	return pin->owner;
}

bool leased_pin_writes(struct leased_pin *pin)
{
	return pin->write;
}

/**
 * leased_pin_revoked - has the registration lost its pages?
 * @pin: a pin the caller has a reference to
 *
 * Context: any.
 */
bool leased_pin_revoked(struct leased_pin *pin)
{
	return READ_ONCE(pin->revoked);
}
EXPORT_SYMBOL_GPL(leased_pin_revoked);

/*
 * Standing on a lease
 */

static struct pin_stake *leased_pin_stake(struct leased_pin *pin,
					  struct inode *inode, u64 start,
					  u64 end)
{
	struct pin_stake *stake;

	list_for_each_entry(stake, &pin->stakes, entry) {
		if (stake->lease->inode == inode && stake->start <= start &&
		    end - 1 <= stake->last)
			return stake;
	}
	return NULL;
}

/* Returns 0 if the pin stands there, 1 if not yet, EAGAIN if it was killed. */
static int leased_pin_stands(struct leased_pin *pin, struct inode *inode,
			     u64 start, u64 end)
{
	int ret;

	spin_lock(&pin->lock);
	if (pin->killed)
		ret = -EAGAIN;
	else
		ret = !leased_pin_stake(pin, inode, start, end);
	spin_unlock(&pin->lock);
	return ret;
}

static bool leased_pin_counted(struct leased_pin *pin,
			       struct file_layout *lease)
{
	struct pin_stake *stake;

	list_for_each_entry(stake, &pin->stakes, entry) {
		if (stake->lease == lease && stake->counted)
			return true;
	}
	return false;
}

/* flc_lock is held. */
static bool layout_covers(const struct file_layout *lease, u64 start, u64 end)
{
	return lease->phase == LEASE_GRANTED && lease->start <= start &&
	       end <= lease->end;
}

static bool layout_covers_now(struct file_layout *lease, u64 start, u64 end)
{
	bool covers;

	spin_lock(&lease->ctx->flc_lock);
	covers = layout_covers(lease, start, end);
	spin_unlock(&lease->ctx->flc_lock);
	return covers;
}

/* flc_lock is held.  May this lease carry a new pin? */
static int layout_may_pin(struct file_layout *lease, u64 start, u64 end)
{
	if (lease->breaking || lease->draining)
		return -EAGAIN;
	if (layout_range_is_broken(lease->ctx, NULL, start, end))
		return -EAGAIN;
	return 0;
}

/* Put the stake on the lease.  The stake and its reference pass to the pin. */
static int layout_add_stake(struct file_layout *lease, struct pin_stake *stake)
{
	struct leased_pin *pin = stake->pin;
	int error;

	spin_lock(&lease->ctx->flc_lock);
	error = -EOPNOTSUPP;
	if (!layout_covers(lease, stake->start, stake->last + 1))
		goto unlock;
	error = layout_may_pin(lease, stake->start, stake->last + 1);
	if (error)
		goto unlock;
	spin_lock(&pin->lock);
	if (pin->killed) {
		error = -EAGAIN;
	} else {
		stake->lease = lease;
		stake->counted = !leased_pin_counted(pin, lease);
		lease->nr_pins += stake->counted;
		pin_stakes_insert(stake, &lease->pins);
		list_add_tail(&stake->entry, &pin->stakes);
	}
	spin_unlock(&pin->lock);
unlock:
	spin_unlock(&lease->ctx->flc_lock);
	return error;
}

/* The lease of the mapping's own description, if it covers the range. */
static struct file_layout *layout_own_lease(struct file *file, u64 start,
					    u64 end)
{
	struct file_lock_context *ctx = locks_inode_context(file_inode(file));
	struct file_layout *lease;

	if (!ctx)
		return NULL;
	spin_lock(&ctx->flc_lock);
	lease = layout_of_file(ctx, file);
	if (lease && layout_covers(lease, start, end))
		kref_get(&lease->ref);
	else
		lease = NULL;
	spin_unlock(&ctx->flc_lock);
	return lease;
}

/*
 * The lease that counts for a pin: that of the mapping's own description, else
 * one that the calling process holds.  Never just any lease of the inode (R2).
 */
static struct file_layout *layout_for_pin(struct file *file, u64 start,
					  u64 end)
{
	struct file_layout *lease;
	u64 id = 0;

	lease = layout_own_lease(file, start, end);
	if (lease)
		return lease;
	while ((lease = layout_next(file_inode(file), id, start, end))) {
		id = lease->id;
		if (layout_covers_now(lease, start, end) &&
		    layout_is_holder(lease, NULL))
			return lease;
		layout_put(lease);
	}
	return NULL;
}

/**
 * leased_pin_stand - make a pin stand on the lease for a piece of a file
 * @pin: a pin that is REGISTERING, by the calling task
 * @file: description the memory is mapped from
 * @start: first byte of the piece
 * @end: behind its last byte
 *
 * Nothing is done if the pin stands there already.
 *
 * Context: process context; mmap_lock held for reading by the caller.
 * Return: 0; EOPNOTSUPP: no lease covers the piece; EAGAIN: it is being broken
 * or drained, or the pin was killed; ENOMEM.
 */
int leased_pin_stand(struct leased_pin *pin, struct file *file, u64 start,
		     u64 end)
{
	struct file_layout *lease;
	struct pin_stake *stake;
	int error;

	error = leased_pin_stands(pin, file_inode(file), start, end);
	if (error <= 0)
		return error;
	lease = layout_for_pin(file, start, end);
	if (!lease)
		return -EOPNOTSUPP;
	error = -ENOMEM;
	stake = kzalloc(sizeof(*stake), GFP_KERNEL_ACCOUNT);
	if (!stake)
		goto put_lease;
	stake->start = start;
	stake->last = end - 1;
	stake->pin = pin;
	error = layout_add_stake(lease, stake);
	if (!error)
		return 0;
	kfree(stake);
put_lease:
	layout_put(lease);
	return error;
}

/*
 * A batch of pages.  The registering task touches the host's table only between
 * these two, so a killer may take the table over when no batch is under way.
 */

/**
 * leased_pin_batch_begin - work on the host's table
 * @pin: the pin
 *
 * No user memory may be touched until leased_pin_batch_end().
 *
 * Context: process context.
 * Return: 0; EAGAIN: the pin was killed.
 */
int leased_pin_batch_begin(struct leased_pin *pin)
{
	int error = 0;

	spin_lock(&pin->lock);
	if (pin->killed)
		error = -EAGAIN;
	else
		pin->batch = true;
	spin_unlock(&pin->lock);
	return error;
}

static void layout_count_pages(struct pin_stake *stake, unsigned long pages)
{
	struct file_layout *lease = stake->lease;

	spin_lock(&lease->ctx->flc_lock);
	stake->pages += pages;
	lease->nr_pages += pages;
	spin_unlock(&lease->ctx->flc_lock);
}

/**
 * leased_pin_batch_end - the host's table is whole again
 * @pin: the pin
 * @inode: file whose pages were added, or NULL for other memory
 * @start: first byte that was pinned
 * @pages: how many pages were added
 *
 * Context: process context.
 */
void leased_pin_batch_end(struct leased_pin *pin, struct inode *inode,
			  u64 start, unsigned long pages)
{
	struct pin_stake *stake;

	if (inode && pages) {
		stake = leased_pin_stake(pin, inode, start,
					 start + pages * PAGE_SIZE);
		if (!WARN_ON_ONCE(!stake))
			layout_count_pages(stake, pages);
	}
	spin_lock(&pin->lock);
	pin->batch = false;
	spin_unlock(&pin->lock);
	wake_up_all(&pin->wait);
}

static void leased_pin_set_state(struct leased_pin *pin,
				 enum leased_pin_state state)
{
	spin_lock(&pin->lock);
	pin->state = state;
	spin_unlock(&pin->lock);
	wake_up_all(&pin->wait);
}

/**
 * leased_pin_attach - all pages are pinned; the driver takes over
 * @pin: a pin that is REGISTERING
 *
 * From here to leased_pin_live(), or to the release, no user memory may be
 * touched: a revoker waits.
 *
 * Context: process context.
 * Return: 0; EAGAIN: the pin was killed.
 */
int leased_pin_attach(struct leased_pin *pin)
{
	int error = 0;

	spin_lock(&pin->lock);
	if (pin->killed)
		error = -EAGAIN;
	else
		pin->state = PIN_ATTACHING;
	spin_unlock(&pin->lock);
	return error;
}

/**
 * leased_pin_live - the registration is complete
 * @pin: a pin that is ATTACHING
 * @priv: what the owner's revoke_pin is given
 *
 * The last step of a registration before user memory is touched again.
 *
 * Context: any.
 */
void leased_pin_live(struct leased_pin *pin, void *priv)
{
	struct pin_stake *stake;

	list_for_each_entry(stake, &pin->stakes, entry)
		trace_layout_lease_pin(stake);
	pin->priv = priv;
	leased_pin_set_state(pin, PIN_LIVE);
}
EXPORT_SYMBOL_GPL(leased_pin_live);

/*
 * The end
 */

/* By who has claimed the end: no lease counts the pin any more. */
static void leased_pin_detach(struct leased_pin *pin)
{
	struct pin_stake *stake, *next;
	LIST_HEAD(stakes);

	spin_lock(&pin->lock);
	list_splice_init(&pin->stakes, &stakes);
	spin_unlock(&pin->lock);
	/* a lease may go with its last pin: the stake that counts comes last */
	list_for_each_entry_safe_reverse(stake, next, &stakes, entry) {
		struct file_layout *lease = stake->lease;

		trace_layout_lease_unpin(stake);
		spin_lock(&lease->ctx->flc_lock);
		pin_stakes_remove(stake, &lease->pins);
		lease->nr_pages -= stake->pages;
		lease->nr_pins -= stake->counted;
		/*
		 * The lease goes only when it has no pins left, so it is here
		 * as long as we have the lock; our reference keeps the memory.
		 */
		wake_up_all(&lease->wait);
		spin_unlock(&lease->ctx->flc_lock);
		layout_put(lease);
		kfree(stake);
	}
}

static void leased_pin_gone(struct leased_pin *pin)
{
	leased_pin_detach(pin);
	leased_pin_set_state(pin, PIN_GONE);
}

static bool leased_pin_is(struct leased_pin *pin, enum leased_pin_state state)
{
	return READ_ONCE(pin->state) == state;
}

/* pin->lock is held, and is again on return. */
static void leased_pin_wait_while(struct leased_pin *pin,
				  enum leased_pin_state state)
{
	spin_unlock(&pin->lock);
	wait_event(pin->wait, !leased_pin_is(pin, state));
	spin_lock(&pin->lock);
}

/*
 * A revoker that waits for a release to be cancelled comes before the next one,
 * or user space could keep it waiting.  pin->lock is held.
 */
static bool leased_pin_is_wanted(struct leased_pin *pin)
{
	return pin->wanted && pin->state == PIN_LIVE;
}

/*
 * Take pin->lock when no other task revokes the pin.  A revocation that ends in
 * the subsystem's own release must not wait for itself.
 */
static void leased_pin_lock_unrevoked(struct leased_pin *pin)
{
	if (READ_ONCE(pin->revoker) != current) {
		lock_map_acquire(&leased_pin_end_map);
		lock_map_release(&leased_pin_end_map);
	}
	spin_lock(&pin->lock);
	while ((pin->state == PIN_REVOKING && pin->revoker != current) ||
	       leased_pin_is_wanted(pin))
		leased_pin_wait_while(pin, pin->state);
}

/**
 * leased_pin_release_begin - claim the end of a registration for its subsystem
 * @pin: the registration's pin
 *
 * Call it before the driver begins to take the registration apart, so that no
 * revocation runs meanwhile; one that does is waited for.  A revocation that
 * ends in the subsystem's own release (there is no other way to make the device
 * let go) comes through here too, and goes on.
 *
 * Context: process context; no lock held that revoke_pin takes.
 */
void leased_pin_release_begin(struct leased_pin *pin)
{
	leased_pin_lock_unrevoked(pin);
	if (pin->state == PIN_LIVE)
		pin->state = PIN_RELEASING;
	spin_unlock(&pin->lock);
}
EXPORT_SYMBOL_GPL(leased_pin_release_begin);

/**
 * leased_pin_release_cancel - the driver refused to end the registration
 * @pin: what leased_pin_release_begin() was given
 *
 * Context: any.
 */
void leased_pin_release_cancel(struct leased_pin *pin)
{
	if (leased_pin_is(pin, PIN_RELEASING))
		leased_pin_set_state(pin, PIN_LIVE);
}
EXPORT_SYMBOL_GPL(leased_pin_release_cancel);

/**
 * leased_pin_free_begin - the host is about to unpin its pages
 * @pin: the host's pin
 *
 * Claims the end for the host, or waits for who has it.
 *
 * Context: process context; see leased_pin_release_begin().
 * Return: true if leased_pin_free_end() must follow the unpinning; false if a
 * revoker ends the pin, who may be the current task, so that the pages may still
 * have to be unpinned.
 */
bool leased_pin_free_begin(struct leased_pin *pin)
{
	bool mine;

	leased_pin_lock_unrevoked(pin);
	mine = pin->state != PIN_REVOKING && pin->state != PIN_GONE;
	if (mine)
		pin->state = PIN_RELEASING;
	spin_unlock(&pin->lock);
	return mine;
}

/**
 * leased_pin_free_end - the host has unpinned its pages
 * @pin: the host's pin
 *
 * Context: process context.
 */
void leased_pin_free_end(struct leased_pin *pin)
{
	leased_pin_gone(pin);
}

/*
 * Claim the end for a revoker.  Returns the state it was claimed in: LIVE or
 * REGISTERING; GONE if somebody else has ended it.
 */
static enum leased_pin_state leased_pin_claim(struct leased_pin *pin)
{
	enum leased_pin_state state;

	spin_lock(&pin->lock);
	while (pin->state == PIN_ATTACHING || pin->state == PIN_RELEASING ||
	       pin->state == PIN_REVOKING) {
		pin->wanted = true;
		leased_pin_wait_while(pin, pin->state);
	}
	state = pin->state;
	if (state != PIN_GONE) {
		pin->killed = state == PIN_REGISTERING;
		pin->revoked = true;
		pin->revoker = current;
		pin->state = PIN_REVOKING;
	}
	spin_unlock(&pin->lock);
	return state;
}

static bool leased_pin_in_batch(struct leased_pin *pin)
{
	bool batch;

	spin_lock(&pin->lock);
	batch = pin->batch;
	spin_unlock(&pin->lock);
	return batch;
}

/* Kill it where it stands: the task finds out when it wakes up. */
static void leased_pin_kill(struct leased_pin *pin)
{
	wait_event(pin->wait, !leased_pin_in_batch(pin));
	pin->drop(pin->host, false);
}

static void leased_pin_revoke(struct leased_pin *pin)
{
	switch (leased_pin_claim(pin)) {
	case PIN_REGISTERING:
		leased_pin_kill(pin);
		break;
	case PIN_LIVE:
		lock_map_acquire(&leased_pin_end_map);
		pin->owner->ops->revoke_pin(pin, pin->priv);
		lock_map_release(&leased_pin_end_map);
		break;
	default:
		return;
	}
	leased_pin_gone(pin);
}

/* The owner's context shall die, once, with the list it is put on. */
static void longterm_pin_owner_doom(struct longterm_pin_owner *owner,
				    struct list_head *doomed)
{
	if (test_and_set_bit(0, &owner->dead))
		return;
	kref_get(&owner->ref);
	list_add_tail(&owner->doomed, doomed);
}

static struct leased_pin *layout_first_pin(struct file_layout *lease)
{
	struct leased_pin *pin = NULL;
	struct rb_node *node;

	spin_lock(&lease->ctx->flc_lock);
	node = rb_first_cached(&lease->pins);
	if (node) {
		pin = rb_entry(node, struct pin_stake, rb)->pin;
		kref_get(&pin->ref);
	}
	spin_unlock(&lease->ctx->flc_lock);
	return pin;
}

/**
 * layout_revoke_pins - end all pins of a lease
 * @lease: a lease that carries no new pins; its inode is alive
 * @doomed: if not NULL, the owners are put here, for layout_invalidate_owners()
 *
 * When it returns no device reaches a page through the lease.
 *
 * Context: process context without locks.
 */
void layout_revoke_pins(struct file_layout *lease, struct list_head *doomed)
{
	struct leased_pin *pin;

	while ((pin = layout_first_pin(lease))) {
		if (doomed)
			longterm_pin_owner_doom(pin->owner, doomed);
		leased_pin_revoke(pin);
		leased_pin_put(pin);
	}
}

/**
 * layout_invalidate_owners - take down the contexts whose buffer file is gone
 * @doomed: list that layout_revoke_pins() has filled; empty afterwards
 *
 * Context: process context without locks; does not wait for the teardown.
 */
void layout_invalidate_owners(struct list_head *doomed)
{
	struct longterm_pin_owner *owner, *next;

	list_for_each_entry_safe(owner, next, doomed, doomed) {
		list_del_init(&owner->doomed);
		owner->ops->invalidate(owner);
		longterm_pin_owner_put(owner);
	}
}
