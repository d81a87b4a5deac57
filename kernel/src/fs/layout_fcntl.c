// SPDX-License-Identifier: GPL-2.0
/*
 * Layout leases: what user space calls, F_SETLEASE with F_LAYOUT, F_SETLAYOUT,
 * F_GETLAYOUT and F_REVOKELAYOUT.
 */
#include <linux/capability.h>
#include <linux/cred.h>
#include <linux/fcntl.h>
#include <linux/fs.h>
#include <linux/uaccess.h>

#include "internal.h"
#include "layout_lease_internal.h"

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
