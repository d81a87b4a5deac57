// SPDX-License-Identifier: GPL-2.0
/*
 * A driver whose device writes into memory that user space has registered,
 * files on FS-DAX under a layout lease included: the driver of
 * docs/integrator-guide.md.
 *
 * Each open of /dev/leased_buffer is a context with one registration at most.
 * What is written to the context's file at some offset, the device puts at that
 * offset of the registered memory.  The device is a memcpy() here; all the rest
 * is as it would be for one of silicon, save that memory is not accounted to
 * RLIMIT_MEMLOCK.
 */
#include <linux/fs.h>
#include <linux/longterm_pin.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/workqueue.h>

#include "leased_buffer.h"

#define LB_MAX_PAGES	(SZ_1G >> PAGE_SHIFT)

/**
 * struct lb_context - an open file of the device: it owns pins
 * @owner: what layout leases know of it; its last reference frees the context
 * @pin: the registered memory
 * @table: its physical ranges
 * @leased: set if some of it stands on a lease
 * @registered: there is a registration
 * @dead: no new ones
 * @teardown: ends the registration of a dead context
 * @command: protects all of the above.  Held while user memory is faulted in,
 *	for ever perhaps: no revoker takes it
 * @device: held by the device while it touches memory
 * @running: the device may touch memory; under @device
 */
struct lb_context {
	struct longterm_pin_owner owner;
	struct longterm_pin pin;
	struct sg_append_table table;
	struct leased_pin *leased;
	bool registered;
	bool dead;
	struct work_struct teardown;
	struct mutex command;	/* see above */
	struct mutex device;	/* see above */
	bool running;
};

/*
 * The device
 */

static void lb_switch_device(struct lb_context *ctx, bool running)
{
	mutex_lock(&ctx->device);
	ctx->running = running;
	mutex_unlock(&ctx->device);
}

static ssize_t lb_device_writes(struct lb_context *ctx, const void *data,
				size_t len, loff_t pos)
{
	struct sg_table *sgt = &ctx->table.sgt;
	ssize_t ret = -EIO;

	mutex_lock(&ctx->device);
	if (ctx->running)
		ret = sg_pcopy_from_buffer(sgt->sgl, sgt->nents, data, len,
					   pos) ?: -ENOSPC;
	mutex_unlock(&ctx->device);
	return ret;
}

/*
 * Registrations
 */

static int lb_register(struct lb_context *ctx,
		       const struct leased_buffer_range *range)
{
	struct longterm_pin_scope scope;
	int error;

	longterm_pin_scope_begin(&scope, &ctx->owner);
	error = longterm_pin_user_pages(&ctx->pin, &ctx->table, range->addr,
					range->npages, true, UINT_MAX);
	ctx->leased = longterm_pin_scope_end(&scope);
	if (error) {
		longterm_pin_release(&ctx->pin, false);
		leased_pin_put(ctx->leased);
		ctx->leased = NULL;
		return error;
	}
	lb_switch_device(ctx, true);
	ctx->registered = true;
	if (ctx->leased)
		leased_pin_live(ctx->leased, ctx);
	return 0;
}

static void lb_unregister(struct lb_context *ctx)
{
	if (!ctx->registered)
		return;
	if (ctx->leased)
		leased_pin_release_begin(ctx->leased);
	lb_switch_device(ctx, false);
	longterm_pin_release(&ctx->pin, true);
	leased_pin_put(ctx->leased);
	ctx->leased = NULL;
	ctx->registered = false;
}

/*
 * What layout leases ask for
 */

static void lb_revoke_pin(struct leased_pin *pin, void *priv)
{
	struct lb_context *ctx = priv;

	lb_switch_device(ctx, false);
	longterm_pin_drop(&ctx->pin, true);
}

static void lb_teardown(struct work_struct *work)
{
	struct lb_context *ctx = container_of(work, struct lb_context,
					      teardown);

	mutex_lock(&ctx->command);
	lb_unregister(ctx);
	mutex_unlock(&ctx->command);
	/* Pairs with the get in lb_invalidate() */
	longterm_pin_owner_put(&ctx->owner);
}

static void lb_invalidate(struct longterm_pin_owner *owner)
{
	struct lb_context *ctx = container_of(owner, struct lb_context, owner);

	WRITE_ONCE(ctx->dead, true);
	kref_get(&owner->ref);
	queue_work(system_unbound_wq, &ctx->teardown);
}

static void lb_free(struct longterm_pin_owner *owner)
{
	kfree(container_of(owner, struct lb_context, owner));
	/* Pairs with the get in lb_open() */
	module_put(THIS_MODULE);
}

static const struct longterm_pin_owner_ops lb_owner_ops = {
	.kind		= "leased_buffer",
	.revoke_pin	= lb_revoke_pin,
	.invalidate	= lb_invalidate,
	.free		= lb_free,
};

/*
 * The context file
 */

static int lb_open(struct inode *inode, struct file *file)
{
	struct lb_context *ctx = kzalloc(sizeof(*ctx), GFP_KERNEL);

	if (!ctx)
		return -ENOMEM;
	mutex_init(&ctx->command);
	mutex_init(&ctx->device);
	INIT_WORK(&ctx->teardown, lb_teardown);
	/* the owner, and this code with it, may outlive the file */
	__module_get(THIS_MODULE);
	longterm_pin_owner_init(&ctx->owner, &lb_owner_ops, file);
	file->private_data = ctx;
	return 0;
}

static int lb_release(struct inode *inode, struct file *file)
{
	struct lb_context *ctx = file->private_data;

	mutex_lock(&ctx->command);
	lb_unregister(ctx);
	mutex_unlock(&ctx->command);
	longterm_pin_owner_detach(&ctx->owner);
	longterm_pin_owner_put(&ctx->owner);
	return 0;
}

static long lb_ioctl_register(struct lb_context *ctx, void __user *arg)
{
	struct leased_buffer_range range;

	if (copy_from_user(&range, arg, sizeof(range)))
		return -EFAULT;
	if (!range.npages || range.npages > LB_MAX_PAGES ||
	    !PAGE_ALIGNED(range.addr))
		return -EINVAL;
	if (READ_ONCE(ctx->dead))
		return -EIO;
	if (ctx->registered)
		return -EBUSY;
	return lb_register(ctx, &range);
}

static long lb_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct lb_context *ctx = file->private_data;
	long ret = -ENOTTY;

	if (mutex_lock_interruptible(&ctx->command))
		return -ERESTARTSYS;
	if (cmd == LEASED_BUFFER_REGISTER) {
		ret = lb_ioctl_register(ctx, (void __user *)arg);
	} else if (cmd == LEASED_BUFFER_UNREGISTER) {
		ret = ctx->registered ? 0 : -ENOENT;
		lb_unregister(ctx);
	}
	mutex_unlock(&ctx->command);
	return ret;
}

/* User memory is read before the device's lock is taken: it may fault. */
static ssize_t lb_write(struct file *file, const char __user *from, size_t len,
			loff_t *pos)
{
	void *data;
	ssize_t ret;

	len = min(len, PAGE_SIZE);
	data = memdup_user(from, len);
	if (IS_ERR(data))
		return PTR_ERR(data);
	ret = lb_device_writes(file->private_data, data, len, *pos);
	kfree(data);
	if (ret > 0)
		*pos += ret;
	return ret;
}

static const struct file_operations lb_fops = {
	.owner		= THIS_MODULE,
	.open		= lb_open,
	.release	= lb_release,
	.unlocked_ioctl	= lb_ioctl,
	.write		= lb_write,
	.llseek		= default_llseek,
};

static struct miscdevice lb_device = {
	.minor	= MISC_DYNAMIC_MINOR,
	.name	= "leased_buffer",
	.fops	= &lb_fops,
};
module_misc_device(lb_device);

MODULE_DESCRIPTION("A device that writes into registered memory");
MODULE_LICENSE("GPL");
