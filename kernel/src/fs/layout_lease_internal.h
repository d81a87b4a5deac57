/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The lease object, shared by the files that make up layout leases:
 *
 *   layout_lease.c   taking, asking, dropping, revoking, closing
 *   layout_break.c   subtractive operations that meet leases
 *   layout_report.c  /proc
 *   leased_pin.c     the pins that stand on leases
 *
 * Locking, outermost first:
 *
 *   layout_report_mutex  list of published leases, list of pin owners; what
 *                        they report (->c.flc_file, owner->file) stays valid
 *   ctx->flc_lock        everything of a lease but what is constant after it
 *                        was published, the lists of leases and of breaks
 *   leased_pin.lock      state of one pin
 *
 * A lease is on its inode's list from the grant until DROP, the next TAKE after
 * a revocation, or the end of the file, so whoever finds it there under
 * flc_lock may use ->c.flc_file and ->inode.  Others hold a reference (->ref)
 * and may use the object, not what it points to.
 */
#ifndef _FS_LAYOUT_LEASE_INTERNAL_H
#define _FS_LAYOUT_LEASE_INTERNAL_H

#include <linux/eventfd.h>
#include <linux/filelock.h>
#include <linux/fs.h>
#include <linux/kref.h>
#include <linux/layout_lease.h>
#include <linux/longterm_pin.h>
#include <linux/mutex.h>
#include <linux/rbtree.h>
#include <linux/wait.h>
#include <linux/workqueue.h>
#include <uapi/linux/layout_lease.h>

/**
 * enum lease_phase - the life of a lease
 * @LEASE_GRANTING: on the list, not yet promised to anybody: operations in
 *	progress are waited for, shared blocks are unshared
 * @LEASE_GRANTED: promised
 * @LEASE_REVOKING: its pins are being invalidated; still an obstacle
 * @LEASE_REVOKED: a tombstone, so that F_GETLAYOUT can tell; no obstacle
 * @LEASE_GONE: off the list
 */
enum lease_phase {
	LEASE_GRANTING,
	LEASE_GRANTED,
	LEASE_REVOKING,
	LEASE_REVOKED,
	LEASE_GONE,
};

/**
 * struct file_layout - a layout lease
 * @c: flc_file, flc_pid and flc_list (on ctx->flc_layout); also /proc/locks
 * @ref: references
 * @inode: valid while on the list
 * @ctx: its lock context, valid as long
 * @id: number for reports and F_REVOKELAYOUT; never used again
 * @start: first byte
 * @end: behind the last byte, or LAYOUT_EOF
 * @phase: see above
 * @unbreak: operations of others are refused
 * @breaking: a break was begun and has not ended
 * @draining: DROP waits for the last pin
 * @cancelled: while GRANTING: an operation overtook it
 * @break_start: what the breakers are about to change
 * @break_end: behind its last byte, or LAYOUT_EOF
 * @deadline: jiffies when @expiry revokes
 * @expiry: revokes a lease whose break has timed out
 * @pins: interval tree of struct pin_stake
 * @nr_pins: registrations that stand on it
 * @nr_pages: pages they pin
 * @denied: operations refused with ETXTBSY
 * @event: eventfd to signal, or NULL
 * @taker: thread group that took it
 * @fown: credentials of the taker, for sigio_perm()
 * @fd: descriptor it was taken through, for si_fd
 * @wait: breakers, DROP and closers; woken on each change of the above
 * @published: on the list for reports
 */
struct file_layout {
	struct file_lock_core c;
	struct kref ref;
	struct inode *inode;
	struct file_lock_context *ctx;
	u64 id;
	u64 start;
	u64 end;
	enum lease_phase phase;
	bool unbreak;
	bool breaking;
	bool draining;
	bool cancelled;
	u64 break_start;
	u64 break_end;
	unsigned long deadline;
	struct delayed_work expiry;
	struct rb_root_cached pins;
	u64 nr_pins;
	u64 nr_pages;
	u64 denied;
	struct eventfd_ctx *event;
	struct pid *taker;
	struct fown_struct fown;
	int fd;
	wait_queue_head_t wait;
	struct list_head published;
};

/**
 * struct pin_stake - what one pin has pinned under one lease
 * @rb: in the lease's interval tree, by file range
 * @start: first byte
 * @last: last byte, inclusive as interval trees have it
 * @subtree_last: of the interval tree
 * @pages: pages pinned so far
 * @lease: a reference
 * @pin: not a reference; the pin takes its stakes back before it goes
 * @entry: on the pin's list
 * @counted: this stake counts for the lease's number of pins
 */
struct pin_stake {
	struct rb_node rb;
	u64 start;
	u64 last;
	u64 subtree_last;
	u64 pages;
	struct file_layout *lease;
	struct leased_pin *pin;
	struct list_head entry;
	bool counted;
};

static inline bool ranges_overlap(u64 start, u64 end, u64 start2, u64 end2)
{
	return start < end2 && start2 < end;
}

static inline bool layout_overlaps(const struct file_layout *lease, u64 start,
				   u64 end)
{
	return ranges_overlap(lease->start, lease->end, start, end);
}

/* May the lease stand in the way of an operation, now or soon? */
static inline bool layout_in_force(const struct file_layout *lease)
{
	return lease->phase <= LEASE_REVOKING;
}

/* layout_lease.c */
extern struct workqueue_struct *layout_wq;
struct file_layout *layout_of_file(struct file_lock_context *ctx,
				   const struct file *filp);
struct file_layout *layout_next(struct inode *inode, u64 after, u64 start,
				u64 end);
bool layout_is_holder(struct file_layout *lease, const struct file *filp);
void layout_put(struct file_layout *lease);
void layout_revoke(struct file_layout *lease);
unsigned int layout_state(const struct file_layout *lease);

/* layout_break.c */
bool layout_range_is_broken(struct file_lock_context *ctx,
			    const struct file_layout *except, u64 start,
			    u64 end);

/* layout_report.c */
extern struct mutex layout_report_mutex;
struct file_layout *layout_next_of_sb(struct super_block *sb, u64 after,
				      struct inode **inode);
void layout_publish(struct file_layout *lease);
void layout_unpublish(struct file_layout *lease);
struct pid *layout_live_holder(struct file_layout *lease);
bool task_maps_file(struct task_struct *task, const struct file *file,
		    struct inode *inode);
int file_is(const void *wanted, struct file *file, unsigned int fd);

/* leased_pin.c */
void layout_revoke_pins(struct file_layout *lease, struct list_head *doomed);
void layout_invalidate_owners(struct list_head *doomed);
bool layout_pinned(struct file_layout *lease, u64 start, u64 end);
bool layout_pinned_outside(struct file_layout *lease, u64 start, u64 end);

struct pin_snapshot {
	struct leased_pin *pin;
	u64 start;
	u64 end;
	u64 pages;
};

struct pin_snapshot *layout_snapshot_pins(struct file_layout *lease,
					  unsigned int *nr);
void layout_snapshot_free(struct pin_snapshot *snap, unsigned int nr);
struct longterm_pin_owner *leased_pin_owner(struct leased_pin *pin);
bool leased_pin_writes(struct leased_pin *pin);
struct file_layout *leased_pin_piece(struct leased_pin *pin, unsigned int n,
				     struct leased_piece *piece);
extern struct list_head longterm_pin_owners;

#endif /* _FS_LAYOUT_LEASE_INTERNAL_H */
