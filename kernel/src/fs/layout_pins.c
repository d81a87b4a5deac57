// SPDX-License-Identifier: GPL-2.0
/*
 * The pins of a lease: what is asked of them.
 */
#include <linux/fs.h>
#include <linux/slab.h>

#include "layout_lease_internal.h"

/**
 * layout_pinned - does a pin of the lease overlap a range?
 * @lease: the lease
 * @start: first byte
 * @end: behind the last byte
 *
 * Context: flc_lock held.
 */
bool layout_pinned(struct file_layout *lease, u64 start, u64 end)
{
	lockdep_assert_held(&lease->ctx->flc_lock);
	return pin_stakes_iter_first(&lease->pins, start, end - 1);
}

/* flc_lock is held. */
static bool layout_pinned_for_write(struct file_layout *lease, u64 start,
				    u64 end)
{
	struct pin_stake *stake;

	stake = pin_stakes_iter_first(&lease->pins, start, end - 1);
	while (stake && !stake->pin->write)
		stake = pin_stakes_iter_next(stake, start, end - 1);
	return stake;
}

/**
 * layout_written_by_device - may a device write to a range at any time?
 * @inode: kept alive by the caller
 * @start: first byte
 * @end: behind the last byte
 *
 * For writeback, which must not forget such a range when it has flushed it: no
 * page fault tells of the next write.  Ask when the range has been
 * write-protected: whoever pins a page of it for writing after that faults.
 *
 * Context: any that flc_lock may be taken in.
 * Return: true if a pin for writing overlaps the range.
 */
bool layout_written_by_device(struct inode *inode, u64 start, u64 end)
{
	struct file_lock_context *ctx;
	struct file_layout *lease;
	bool written = false;

	/*
	 * Pairs with the reference GUP takes before it looks at the page table
	 * a second time: who has found a page writable, which we have just
	 * write-protected, has put its pin on the lease before.
	 */
	smp_mb();
	if (!layout_leases_present(inode))
		return false;
	ctx = locks_inode_context(inode);
	spin_lock(&ctx->flc_lock);
	list_for_each_entry(lease, &ctx->flc_layout, c.flc_list)
		written |= layout_pinned_for_write(lease, start, end);
	spin_unlock(&ctx->flc_lock);
	return written;
}

/**
 * layout_pinned_outside - does a pin of the lease reach beyond a range?
 * @lease: the lease
 * @start: first byte
 * @end: behind the last byte
 *
 * Context: flc_lock held.
 */
bool layout_pinned_outside(struct file_layout *lease, u64 start, u64 end)
{
	if (start && layout_pinned(lease, 0, start))
		return true;
	return end < LAYOUT_EOF && layout_pinned(lease, end, LAYOUT_EOF);
}

/* flc_lock is held.  Returns how many there are; @max of them are in @snap. */
static unsigned int layout_copy_pins(struct file_layout *lease,
				     struct pin_snapshot *snap,
				     unsigned int max)
{
	struct pin_stake *stake;
	unsigned int nr = 0;

	stake = pin_stakes_iter_first(&lease->pins, 0, U64_MAX);
	for (; stake; stake = pin_stakes_iter_next(stake, 0, U64_MAX)) {
		struct pin_snapshot *s = &snap[nr];

		if (++nr > max)
			continue;
		kref_get(&stake->pin->ref);
		s->pin = stake->pin;
		s->start = stake->start;
		s->end = stake->last + 1;
		s->pages = stake->pages;
	}
	return nr;
}

/**
 * layout_snapshot_pins - what is pinned under a lease
 * @lease: a lease whose inode is alive
 * @nr: out: entries of the result
 *
 * Context: process context; takes flc_lock.
 * Return: an array in the order of file ranges, one entry for each piece, each
 * with a reference to its pin, for layout_snapshot_free(); ERR_PTR(-ENOMEM).
 */
struct pin_snapshot *layout_snapshot_pins(struct file_layout *lease,
					  unsigned int *nr)
{
	unsigned int max, found = READ_ONCE(lease->nr_pins);
	struct pin_snapshot *snap;

	do {
		/* a pin may have more than one piece */
		max = found + 16;
		snap = kvmalloc_array(max, sizeof(*snap), GFP_KERNEL);
		if (!snap)
			return ERR_PTR(-ENOMEM);
		spin_lock(&lease->ctx->flc_lock);
		found = layout_copy_pins(lease, snap, max);
		spin_unlock(&lease->ctx->flc_lock);
		*nr = min(found, max);
		if (found > max)
			layout_snapshot_free(snap, *nr);
	} while (found > max);
	return snap;
}

/**
 * layout_snapshot_free - give back what layout_snapshot_pins() has returned
 * @snap: the array
 * @nr: its entries
 *
 * Context: process context.
 */
void layout_snapshot_free(struct pin_snapshot *snap, unsigned int nr)
{
	while (nr)
		leased_pin_put(snap[--nr].pin);
	kvfree(snap);
}

/**
 * leased_pin_piece - what a registration has pinned, piece by piece
 * @pin: the registration; the caller has a reference
 * @n: which piece, from 0 on
 * @piece: out: its lease and range
 *
 * Context: any.
 * Return: the lease, referenced; NULL if there are no more pieces.
 */
struct file_layout *leased_pin_piece(struct leased_pin *pin, unsigned int n,
				     struct leased_piece *piece)
{
	struct file_layout *lease = NULL;
	struct pin_stake *stake;

	spin_lock(&pin->lock);
	list_for_each_entry(stake, &pin->stakes, entry) {
		if (n--)
			continue;
		lease = stake->lease;
		kref_get(&lease->ref);
		piece->lease = lease->id;
		piece->start = stake->start;
		piece->end = stake->last + 1;
		break;
	}
	spin_unlock(&pin->lock);
	return lease;
}
