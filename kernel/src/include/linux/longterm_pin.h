/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Long-term pins of user memory, for subsystems that let devices work on it.
 *
 * struct longterm_pin stands between GUP and a subsystem: the subsystem embeds
 * it and gets a table of physical ranges.  Memory of a file on FS-DAX can be
 * pinned only under a layout lease, and only for a subsystem that can give it
 * back: the task runs in a longterm_pin_scope that names the owner of the pin.
 *
 * A leased pin (struct leased_pin) has these states:
 *
 *   REGISTERING  pages are being pinned, batch by batch.  A revoker kills it
 *                here without waiting for the registering task, which may sit
 *                in a page fault that user space controls.
 *   ATTACHING    all pages are pinned; the driver sets up its registration.
 *                No user memory is touched until LIVE, so that a revoker waits.
 *   LIVE         the device may reach the pages.
 *   REVOKING     claimed by a revoker; a release waits for it to finish.
 *   RELEASING    claimed by the subsystem's release; a revoker waits for it.
 *   GONE         no page is pinned any more, no lease counts it.
 */
#ifndef _LINUX_LONGTERM_PIN_H
#define _LINUX_LONGTERM_PIN_H

#include <linux/kref.h>
#include <linux/list.h>
#include <linux/scatterlist.h>
#include <linux/types.h>

struct file;
struct inode;
struct leased_pin;
struct longterm_pin;
struct longterm_pin_owner;

/**
 * struct longterm_pin_owner_ops - what the owner of leased pins can do
 * @kind: short name for reports, "rdma"
 * @revoke_pin: end one LIVE registration.  When it returns no device can reach
 *	the pages, their DMA mappings are gone and longterm_pin_drop() or
 *	longterm_pin_release() was called on the pin; the key or slot stays
 *	allocated until user space frees it.  @priv is what was given to
 *	leased_pin_live().  Called in process context without locks; must not
 *	wait for user space, nor take a lock that is held around
 *	leased_pin_release_begin() or longterm_pin_release().
 * @invalidate: the whole context is dead from now on (commands fail with EIO);
 *	its teardown, the same as that of its close, is queued.  Called once at
 *	most, after all its pins under the ended lease were revoked.  Must not
 *	wait for user space or for commands in progress.
 * @free: the last reference is gone; free the memory the owner is embedded in.
 *
 * All are called in process context and may sleep.
 */
struct longterm_pin_owner_ops {
	const char *kind;
	void (*revoke_pin)(struct leased_pin *pin, void *priv);
	void (*invalidate)(struct longterm_pin_owner *owner);
	void (*free)(struct longterm_pin_owner *owner);
};

/**
 * struct longterm_pin_owner - a context that owns pins (uverbs file, ring ...)
 * @ref: references: the context's own, one for each leased pin
 * @ops: see above
 * @file: the context file, for reports only; not a reference.  NULL after
 *	longterm_pin_owner_detach(), which must be called before the file goes
 * @pid: thread group that opened the context; reports prefer it if it lives
 * @entry: on the list of all owners
 * @doomed: on the list of a closer that will call @invalidate
 * @dead: bit 0: @invalidate was called, or is about to be
 */
struct longterm_pin_owner {
	struct kref ref;
	const struct longterm_pin_owner_ops *ops;
	struct file *file;
	struct pid *pid;
	struct list_head entry;
	struct list_head doomed;
	unsigned long dead;
};

/**
 * struct longterm_pin - pinned user memory, embedded in the subsystem's object
 * @table: where the physical ranges are appended; belongs to the subsystem
 * @leased: set if some page stands on a layout lease
 * @write: the device may write
 */
struct longterm_pin {
	struct sg_append_table *table;
	struct leased_pin *leased;
	bool write;
};

/**
 * struct longterm_pin_scope - the registration the current task works on
 * @owner: who will own leased pins; borrowed
 * @pin: the leased pin that was made in the scope; a reference.  One at most:
 *	a second one is refused with EOPNOTSUPP
 * @outer: the scope around this one
 */
struct longterm_pin_scope {
	struct longterm_pin_owner *owner;
	struct leased_pin *pin;
	struct longterm_pin_scope *outer;
};

/**
 * struct leased_piece - a piece of a file that a registration has pinned
 * @lease: number of the lease it stands on, as in /proc/layout_leases
 * @start: first byte
 * @end: behind the last byte
 * @path: of the file, escaped as in /proc/mounts; "-" if it has none.  The
 *	reader's, who may change it
 */
struct leased_piece {
	u64 lease;
	u64 start;
	u64 end;
	char *path;
};

typedef int (*leased_piece_fn)(const struct leased_piece *piece, void *data);

int longterm_pin_user_pages(struct longterm_pin *pin,
			    struct sg_append_table *table, unsigned long addr,
			    unsigned long npages, bool write,
			    unsigned int max_segment);
void longterm_pin_drop(struct longterm_pin *pin, bool dirty);
void longterm_pin_release(struct longterm_pin *pin, bool dirty);

#ifdef CONFIG_LAYOUT_LEASE

void longterm_pin_owner_init(struct longterm_pin_owner *owner,
			     const struct longterm_pin_owner_ops *ops,
			     struct file *file);
void longterm_pin_owner_detach(struct longterm_pin_owner *owner);
void longterm_pin_owner_put(struct longterm_pin_owner *owner);

void longterm_pin_scope_begin(struct longterm_pin_scope *scope,
			      struct longterm_pin_owner *owner);
struct leased_pin *longterm_pin_scope_end(struct longterm_pin_scope *scope);

void leased_pin_live(struct leased_pin *pin, void *priv);
void leased_pin_release_begin(struct leased_pin *pin);
void leased_pin_release_cancel(struct leased_pin *pin);
void leased_pin_get(struct leased_pin *pin);
void leased_pin_put(struct leased_pin *pin);
bool leased_pin_revoked(struct leased_pin *pin);
int leased_pin_describe(struct leased_pin *pin, leased_piece_fn tell,
			void *data);

/* fs/leased_pin.c for mm/longterm_pin.c */
struct leased_pin *leased_pin_create(struct longterm_pin_owner *owner,
				     struct longterm_pin *host,
				     void (*drop)(struct longterm_pin *host,
						  bool dirty));
int leased_pin_stand(struct leased_pin *pin, struct file *file, u64 start,
		     u64 end);
int leased_pin_batch_begin(struct leased_pin *pin);
void leased_pin_batch_end(struct leased_pin *pin, struct inode *inode,
			  u64 start, unsigned long pages);
int leased_pin_attach(struct leased_pin *pin);
bool leased_pin_free_begin(struct leased_pin *pin);
void leased_pin_free_end(struct leased_pin *pin);

#else

static inline void
longterm_pin_owner_init(struct longterm_pin_owner *owner,
			const struct longterm_pin_owner_ops *ops,
			struct file *file)
{
	kref_init(&owner->ref);
	owner->ops = ops;
}

static inline void longterm_pin_owner_detach(struct longterm_pin_owner *owner)
{
}

static inline void longterm_pin_owner_put(struct longterm_pin_owner *owner)
{
	/* without leased pins the context's own reference is the only one */
	owner->ops->free(owner);
}

static inline void longterm_pin_scope_begin(struct longterm_pin_scope *scope,
					    struct longterm_pin_owner *owner)
{
}

static inline struct leased_pin *
longterm_pin_scope_end(struct longterm_pin_scope *scope)
{
	return NULL;
}

static inline void leased_pin_live(struct leased_pin *pin, void *priv) { }
static inline void leased_pin_release_begin(struct leased_pin *pin) { }
static inline void leased_pin_release_cancel(struct leased_pin *pin) { }
static inline void leased_pin_put(struct leased_pin *pin) { }

static inline bool leased_pin_free_begin(struct leased_pin *pin)
{
	return false;
}

static inline void leased_pin_free_end(struct leased_pin *pin) { }

static inline bool leased_pin_revoked(struct leased_pin *pin)
{
	return false;
}

static inline int leased_pin_describe(struct leased_pin *pin,
				      leased_piece_fn tell, void *data)
{
	return 0;
}

#endif /* CONFIG_LAYOUT_LEASE */
#endif /* _LINUX_LONGTERM_PIN_H */
