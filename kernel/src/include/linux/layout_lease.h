/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Layout leases, as the VFS and file systems see them.
 *
 * A subtractive operation (one that removes, moves or shares mapped blocks)
 * meets layout leases in two steps:
 *
 * 1. layout_break_begin(), in the VFS entry point, before any file system lock
 *    and before freeze protection: refuses, or tells the holders, waits for
 *    them and revokes.  From its success to layout_break_end() no lease and no
 *    pin can newly appear in the range.
 * 2. layout_break_check(), under the file system's own locks (i_rwsem and
 *    invalidate_lock), after the range was unmapped and before DAX busy pages
 *    are waited for.  It never sleeps.  It makes the first step airtight
 *    against leases taken meanwhile, and is the only step for callers that came
 *    another way (nfsd, overlayfs, kernel threads).
 *
 * Ranges here are [start, end): byte offsets, the end exclusive, LAYOUT_EOF for
 * "to the largest offset".
 */
#ifndef _LINUX_LAYOUT_LEASE_H
#define _LINUX_LAYOUT_LEASE_H

#include <linux/fcntl.h>
#include <linux/filelock.h>
#include <linux/list.h>
#include <linux/types.h>
#include <uapi/linux/layout_lease.h>

struct file;
struct inode;
struct layout_lease;
struct seq_file;
struct super_block;
struct task_struct;

#define LAYOUT_EOF	((u64)LLONG_MAX)

/**
 * struct layout_break - one subtractive operation on one inode
 * @inode: what it changes; the caller of layout_break_begin() keeps it alive
 * @start: first byte it changes
 * @end: behind the last byte, or LAYOUT_EOF
 * @entry: on the inode's list of breaks while registered
 * @outer: the operation this one runs inside of, in the same task
 * @registered: the inode had layout leases: they have all been settled
 * @again: layout_break_check() met a lease that had not been settled
 *
 * Lives on the stack of the operation, between layout_break_begin() and
 * layout_break_end(), where current->layout_break leads to it.
 */
struct layout_break {
	struct inode *inode;
	u64 start;
	u64 end;
	struct list_head entry;
	struct layout_break *outer;
	bool registered;
	bool again;
};

struct file_lock_context *locks_get_lock_context(struct inode *inode, int type);

#ifdef CONFIG_LAYOUT_LEASE

/**
 * layout_leases_present - may there be layout leases on the inode?
 * @inode: any inode
 *
 * Context: any; lockless, so only a hint unless the caller's locks keep leases
 * and pins from being used (see layout_break_check()).
 */
static inline bool layout_leases_present(const struct inode *inode)
{
	struct file_lock_context *ctx = locks_inode_context(inode);

	return ctx && !list_empty_careful(&ctx->flc_layout);
}

/* fcntl(2) */
int fcntl_setlayout(unsigned int fd, struct file *filp,
		    struct layout_lease __user *arg);
int fcntl_getlayout(struct file *filp, struct layout_lease __user *arg);
int fcntl_revokelayout(struct file *filp, const u64 __user *arg);
int layout_lease_set(unsigned int fd, struct file *filp, int arg);
int layout_lease_get(struct file *filp);

/* the end of a buffer file, from __fput() and fput(), or of its device */
void layout_lease_close(struct file *filp);
bool layout_lease_defer_fput(struct file *filp);
void layout_lease_revoke_sb(struct super_block *sb);

bool layout_lease_held(struct file *filp);
bool layout_written_by_device(struct inode *inode, u64 start, u64 end);

/* subtractive operations */
void layout_break_none(struct layout_break *brk, struct inode *inode);
int layout_break_begin(struct layout_break *brk, struct file *filp,
		       struct inode *inode, u64 start, u64 end);
bool layout_break_end(struct layout_break *brk);
int layout_break_check(struct inode *inode, u64 start, u64 end);
bool layout_leased(struct inode *inode, u64 start, u64 end);
int layout_lease_refuse(struct inode *inode, struct file *filp, u64 start,
			u64 end);
int layout_lease_refuse_two(struct file *file1, u64 start1, u64 end1,
			    struct file *file2, u64 start2, u64 end2);

/* reports */
void layout_lease_show_lock(struct seq_file *m, struct file_lock_core *flc,
			    unsigned int pid);
int layout_lease_show_file_pins(struct seq_file *m, struct task_struct *task);
int layout_lease_show_fdinfo(struct seq_file *m, struct file *filp);

/* fs/locks.c for the lease core */
void locks_show_layout(struct file_lock_core *flc,
		       struct file_lock_context *ctx);
void locks_hide_layout(struct file_lock_core *flc,
		       struct file_lock_context *ctx);
bool locks_leases_enabled(void);
int locks_lease_break_time(void);

#else

static inline bool layout_leases_present(const struct inode *inode)
{
	return false;
}

static inline int fcntl_setlayout(unsigned int fd, struct file *filp,
				  struct layout_lease __user *arg)
{
	return -EINVAL;
}

static inline int fcntl_getlayout(struct file *filp,
				  struct layout_lease __user *arg)
{
	return -EINVAL;
}

static inline int fcntl_revokelayout(struct file *filp, const u64 __user *arg)
{
	return -EINVAL;
}

static inline int layout_lease_set(unsigned int fd, struct file *filp, int arg)
{
	return -EINVAL;
}

static inline int layout_lease_get(struct file *filp)
{
	return F_UNLCK;
}

static inline void layout_lease_close(struct file *filp) { }

static inline bool layout_lease_defer_fput(struct file *filp)
{
	return false;
}

static inline void layout_lease_revoke_sb(struct super_block *sb) { }

static inline bool layout_lease_held(struct file *filp)
{
	return false;
}

static inline bool layout_written_by_device(struct inode *inode, u64 start,
					    u64 end)
{
	return false;
}

static inline void layout_break_none(struct layout_break *brk,
				     struct inode *inode)
{
}

static inline int layout_break_begin(struct layout_break *brk,
				     struct file *filp, struct inode *inode,
				     u64 start, u64 end)
{
	return 0;
}

static inline bool layout_break_end(struct layout_break *brk)
{
	return false;
}

static inline int layout_break_check(struct inode *inode, u64 start, u64 end)
{
	return 0;
}

static inline bool layout_leased(struct inode *inode, u64 start, u64 end)
{
	return false;
}

static inline int layout_lease_refuse(struct inode *inode, struct file *filp,
				      u64 start, u64 end)
{
	return 0;
}

static inline int layout_lease_refuse_two(struct file *file1, u64 start1,
					  u64 end1, struct file *file2,
					  u64 start2, u64 end2)
{
	return 0;
}

static inline void layout_lease_show_lock(struct seq_file *m,
					  struct file_lock_core *flc,
					  unsigned int pid)
{
}

static inline int layout_lease_show_fdinfo(struct seq_file *m,
					   struct file *filp)
{
	return 0;
}

#endif /* CONFIG_LAYOUT_LEASE */
#endif /* _LINUX_LAYOUT_LEASE_H */
