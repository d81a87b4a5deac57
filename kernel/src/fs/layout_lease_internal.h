/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The lease object, shared by the files that make up layout leases:
 *
 *   layout_lease.c    the object and its end: revoking, closing
 *   layout_take.c     taking, changing, dropping
 *   layout_fcntl.c    what user space calls
 *   layout_break.c    subtractive operations that meet leases
 *   layout_holders.c  who holds a leased file
 *   layout_report.c   /proc
 *   leased_pin.c      the pins that stand on leases: their states and their end
 *   layout_pins.c     what a lease is asked about its pins
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

/*
 * The largest DAX entry: the DAX page cache drops an entry as a whole.  2 MiB,
 * but where pages are large.
 */
#define DAX_ENTRY_SIZE	max_t(u64, SZ_2M, PMD_SIZE)

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

enum leased_pin_state {
	PIN_REGISTERING,
	PIN_ATTACHING,
	PIN_LIVE,
	PIN_REVOKING,
	PIN_RELEASING,
	PIN_GONE,
};

/**
 * struct leased_pin - one registration that stands on layout leases
 * @ref: references: the embedding longterm_pin's, the subsystem's, revokers'
 * @lock: protects @state, @killed and @batch; inside of flc_lock
 * @state: see include/linux/longterm_pin.h
 * @killed: a revoker came while it was REGISTERING
 * @revoked: it ended by revocation
 * @wanted: a revoker waits for its turn: no release that can be cancelled comes
 *	before it
 * @batch: the registering task works on the host's table right now
 * @revoker: task that has claimed the end
 * @wait: woken on each change of the above
 * @stakes: what it has pinned, under which lease; changed by the registering
 *	task, then by who has claimed the end
 * @owner: a reference
 * @host: the embedding object, valid until GONE or the host's release
 * @drop: unpins the host's pages and empties its table
 * @priv: of the subsystem, for its revoke_pin
 * @write: the device may write
 */
struct leased_pin {
	struct kref ref;
	spinlock_t lock;	/* state, killed, batch */
	enum leased_pin_state state;
	bool killed;
	bool revoked;
	bool wanted;
	bool batch;
	struct task_struct *revoker;
	wait_queue_head_t wait;
	struct list_head stakes;
	struct longterm_pin_owner *owner;
	struct longterm_pin *host;
	void (*drop)(struct longterm_pin *host, bool dirty);
	void *priv;
	bool write;
};

/**
 * struct layout_request - what TAKE asks for
 * @start: first byte
 * @end: behind the last byte, or LAYOUT_EOF
 * @unbreak: operations of others are to be refused
 * @event: eventfd to signal, or NULL; a reference
 * @fd: descriptor the call came through
 */
struct layout_request {
	u64 start;
	u64 end;
	bool unbreak;
	struct eventfd_ctx *event;
	int fd;
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
struct file_layout *layout_of_file_get(struct file *filp);
struct file_layout *layout_next(struct inode *inode, u64 after, u64 start,
				u64 end);
struct file_layout *layout_alloc(struct file *filp,
				 struct file_lock_context *ctx);
bool layout_is_holder(struct file_layout *lease, const struct file *filp);
void layout_put(struct file_layout *lease);
void layout_unlink(struct file_layout *lease);
bool layout_revoking(struct file_layout *lease);
void layout_revoke(struct file_layout *lease);
unsigned int layout_state(const struct file_layout *lease);

/* layout_take.c */
int layout_take(struct file *filp, const struct layout_request *req);
int layout_drop(struct file *filp);

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

/* layout_holders.c */
struct pid *layout_live_holder(struct file_layout *lease);
struct pid *file_holder(const struct file *file, struct address_space *mapping,
			struct pid *first);
int task_fd_of(struct task_struct *task, const struct file *file,
	       unsigned int from);
bool mm_maps_file(struct mm_struct *mm, const struct file *file,
		  struct address_space *mapping);
bool task_maps_file(struct task_struct *task, const struct file *file,
		    struct inode *inode);
int file_is(const void *wanted, struct file *file, unsigned int fd);

/* leased_pin.c */
extern struct list_head longterm_pin_owners;
void layout_revoke_pins(struct file_layout *lease, struct list_head *doomed);
void layout_invalidate_owners(struct list_head *doomed);
struct longterm_pin_owner *leased_pin_owner(struct leased_pin *pin);
bool leased_pin_writes(struct leased_pin *pin);
void pin_stakes_insert(struct pin_stake *stake, struct rb_root_cached *root);
void pin_stakes_remove(struct pin_stake *stake, struct rb_root_cached *root);
struct pin_stake *pin_stakes_iter_first(struct rb_root_cached *root, u64 start,
					u64 last);
struct pin_stake *pin_stakes_iter_next(struct pin_stake *stake, u64 start,
				       u64 last);

/* layout_pins.c */
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
struct file_layout *leased_pin_piece(struct leased_pin *pin, unsigned int n,
				     struct leased_piece *piece);

#endif /* _FS_LAYOUT_LEASE_INTERNAL_H */
