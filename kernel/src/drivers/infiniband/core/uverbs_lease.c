// SPDX-License-Identifier: GPL-2.0
/*
 * uverbs contexts that own pins under layout leases.
 *
 * Memory regions may cover files on FS-DAX, if the file's user holds a layout
 * lease and the device's driver says leased_mr.  The pin behind such a region
 * can end in two ways, and whoever claims it first, with the leased pin's
 * state, keeps the other waiting:
 *
 * - the region is deregistered: uverbs_mr_free();
 * - the pin is revoked: uverbs_revoke_pin().  The driver takes the pages from
 *   the region, or else the region is destroyed and its handle kept, as after
 *   the removal of a device; the object is ERR_PTR(-EIO) then.
 *
 * The claim is all that keeps an object of the hardware alive in a revocation,
 * which takes neither hw_destroy_rwsem nor the lock of the uobject: commands
 * hold those while they wait for user space.  Teardown and close, which end in
 * uverbs_mr_free() for each region, wait for the claim, so context and device
 * are there as long.
 *
 * When the last user of a leased file is gone, the contexts that still have
 * pins under the lease are invalidated: new commands fail with EIO, and when
 * the last command in progress has ended, the context is torn down as it is when
 * its device is removed.  Nobody waits for that.
 */
#include <linux/delay.h>
#include <linux/module.h>
#include <linux/spinlock.h>

#include <rdma/uverbs_ioctl.h>

#include "rdma_core.h"
#include "uverbs.h"

/* How often, and how long in all, a device may refuse to give pages back. */
#define REVOKE_TRIES	10	/* 1 + 2 + 4 ... ms: a second */

static struct workqueue_struct *uverbs_teardown_wq;

/* A region's object, against uverbs_revoke_pin() that takes it away. */
static DEFINE_SPINLOCK(uverbs_mr_lock);

/*
 * The end of a context
 */

static void uverbs_teardown(struct work_struct *work)
{
	struct ib_uverbs_file *ufile =
		container_of(work, struct ib_uverbs_file, teardown);

	uverbs_destroy_ufile_hw(ufile, RDMA_REMOVE_DRIVER_REMOVE);
	/* Pairs with the get in uverbs_invalidate() */
	kref_put(&ufile->ref, ib_uverbs_release_file);
}

/* The context is dead, and no command is in progress.  Any context. */
static void uverbs_commands_gone(struct percpu_ref *ref)
{
	struct ib_uverbs_file *ufile =
		container_of(ref, struct ib_uverbs_file, commands);

	queue_work(uverbs_teardown_wq, &ufile->teardown);
}

static void uverbs_invalidate(struct longterm_pin_owner *owner)
{
	struct ib_uverbs_file *ufile =
		container_of(owner, struct ib_uverbs_file, pin_owner);

	kref_get(&ufile->ref);
	percpu_ref_kill(&ufile->commands);
}

static void uverbs_owner_free(struct longterm_pin_owner *owner)
{
	struct ib_uverbs_file *ufile =
		container_of(owner, struct ib_uverbs_file, pin_owner);

	/* Pair with the gets in uverbs_owner_init() */
	kref_put(&ufile->ref, ib_uverbs_release_file);
	module_put(THIS_MODULE);
}

/*
 * Revocation
 */

static void uverbs_set_mr(struct ib_umr_object *umr, struct ib_mr *mr)
{
	spin_lock(&uverbs_mr_lock);
	umr->uobject.object = mr;
	spin_unlock(&uverbs_mr_lock);
}

/* Destroy the hardware's object, keep the handle. */
static int uverbs_destroy_mr(struct ib_umr_object *umr, struct ib_mr *mr)
{
	struct uverbs_attr_bundle attrs = {
		.ufile = umr->uobject.ufile,
		.context = umr->uobject.context,
	};
	int ret;

	uverbs_set_mr(umr, ERR_PTR(-EIO));
	ret = ib_dereg_mr_user(mr, &attrs.driver_udata);
	if (ret)
		uverbs_set_mr(umr, mr);
	return ret;
}

static int uverbs_revoke_mr(struct ib_umr_object *umr)
{
	struct ib_mr *mr = umr->uobject.object;
	int ret = -EOPNOTSUPP;

	/* the device has refused to destroy it, and its context is gone */
	if (!mr)
		return -EIO;
	if (mr->device->ops.revoke_user_mr)
		ret = mr->device->ops.revoke_user_mr(mr);
	if (ret == -EOPNOTSUPP)
		ret = uverbs_destroy_mr(umr, mr);
	return ret;
}

static void uverbs_revoke_pin(struct leased_pin *pin, void *priv)
{
	struct ib_umr_object *umr = priv;
	int ret = uverbs_revoke_mr(umr);
	unsigned int i;

	for (i = 0; ret && i < REVOKE_TRIES; i++) {
		msleep(1 << i);
		ret = uverbs_revoke_mr(umr);
	}
	/* The device may still reach the pages: they stay pinned. */
	WARN(ret, "user_verbs: memory region is not given back, error %d\n",
	     ret);
}

static const struct longterm_pin_owner_ops uverbs_owner_ops = {
	.kind		= "rdma",
	.revoke_pin	= uverbs_revoke_pin,
	.invalidate	= uverbs_invalidate,
	.free		= uverbs_owner_free,
};

/*
 * Contexts
 */

/**
 * uverbs_owner_init - a context may own leased pins
 * @ufile: the context, new
 * @filp: its file
 *
 * The owner has a reference to the context, and to this module, whose code its
 * last put runs.
 *
 * Context: process context; uverbs_owner_close() pairs with it.
 * Return: 0 or ENOMEM.
 */
int uverbs_owner_init(struct ib_uverbs_file *ufile, struct file *filp)
{
	int ret;

	ret = percpu_ref_init(&ufile->commands, uverbs_commands_gone, 0,
			      GFP_KERNEL);
	if (ret)
		return ret;
	INIT_WORK(&ufile->teardown, uverbs_teardown);
	__module_get(THIS_MODULE);
	kref_get(&ufile->ref);
	longterm_pin_owner_init(&ufile->pin_owner, &uverbs_owner_ops, filp);
	return 0;
}

/**
 * uverbs_owner_close - the context's file is being closed
 * @ufile: the context; its regions are gone
 *
 * Context: process context.
 */
void uverbs_owner_close(struct ib_uverbs_file *ufile)
{
	longterm_pin_owner_detach(&ufile->pin_owner);
	longterm_pin_owner_put(&ufile->pin_owner);
}

/**
 * uverbs_owner_destroy - the last reference to the context is gone
 * @ufile: the context
 *
 * Context: process context.
 */
void uverbs_owner_destroy(struct ib_uverbs_file *ufile)
{
	percpu_ref_exit(&ufile->commands);
}

/*
 * Memory regions
 */

/*
 * A device without revoke_user_mr gives pages back by dereg_mr(), which fails
 * while windows are bound.
 */
static bool uverbs_may_lease(struct ib_device *device, u32 access)
{
	if (!device->ops.leased_mr)
		return false;
	return device->ops.revoke_user_mr || !(access & IB_ACCESS_MW_BIND);
}

/**
 * uverbs_reg_user_mr - register user memory for a context
 * @umr: handle of the region to be; locked by the caller, as it is created
 * @pd: protection domain
 * @cmd: the command
 * @udata: for the driver
 *
 * If memory under a layout lease was registered, @umr->pin is set, and no user
 * memory may be touched until uverbs_mr_live().
 *
 * Context: process context.
 * Return: the region, or an error pointer.
 */
struct ib_mr *uverbs_reg_user_mr(struct ib_umr_object *umr, struct ib_pd *pd,
				 const struct ib_uverbs_reg_mr *cmd,
				 struct ib_udata *udata)
{
	struct ib_device *device = pd->device;
	struct longterm_pin_scope scope;
	struct leased_pin *pin = NULL;
	bool may_lease = uverbs_may_lease(device, cmd->access_flags);
	struct ib_mr *mr;

	if (may_lease)
		longterm_pin_scope_begin(&scope,
					 &umr->uobject.ufile->pin_owner);
	mr = device->ops.reg_user_mr(pd, cmd->start, cmd->length, cmd->hca_va,
				     cmd->access_flags, udata);
	if (may_lease)
		pin = longterm_pin_scope_end(&scope);
	if (IS_ERR(mr)) {
		leased_pin_put(pin);
		return mr;
	}
	umr->pin = pin;
	mr->pin = pin;
	return mr;
}

/**
 * uverbs_mr_live - the region is complete; it may be revoked from here on
 * @umr: its handle
 *
 * Context: process context.
 */
void uverbs_mr_live(struct ib_umr_object *umr)
{
	if (umr->pin)
		leased_pin_live(umr->pin, umr);
}

/**
 * uverbs_mr_claim - keep revocation out while a region is changed in place
 * @umr: its handle, locked for writing
 * @rereg_flags: what is to be changed, IB_MR_REREG_*
 *
 * Until uverbs_mr_unclaim() no user memory may be touched.  A leased region
 * keeps its memory and its object.
 *
 * Context: process context.
 * Return: 0; EOPNOTSUPP: not with a leased region; EIO: it was revoked.
 */
int uverbs_mr_claim(struct ib_umr_object *umr, u32 rereg_flags)
{
	struct ib_device *device = umr->uobject.context->device;

	if (!umr->pin)
		return 0;
	if (!device->ops.revoke_user_mr || (rereg_flags & IB_MR_REREG_TRANS))
		return -EOPNOTSUPP;
	leased_pin_release_begin(umr->pin);
	return leased_pin_revoked(umr->pin) ? -EIO : 0;
}

/**
 * uverbs_mr_unclaim - the region may be revoked again
 * @umr: handle that uverbs_mr_claim() has succeeded for
 *
 * Context: process context.
 */
void uverbs_mr_unclaim(struct ib_umr_object *umr)
{
	if (umr->pin)
		leased_pin_release_cancel(umr->pin);
}

/**
 * uverbs_mr_ask - what user space may know about a region
 * @umr: its handle, locked for reading
 * @facts: out
 *
 * Context: process context.
 * Return: 0; EIO: it was revoked, and the device has forgotten it.
 */
int uverbs_mr_ask(struct ib_umr_object *umr, struct uverbs_mr_facts *facts)
{
	struct ib_mr *mr;

	spin_lock(&uverbs_mr_lock);
	mr = umr->uobject.object;
	if (!IS_ERR(mr)) {
		facts->lkey = mr->lkey;
		facts->rkey = mr->rkey;
		facts->length = mr->length;
		facts->iova = mr->iova;
	}
	spin_unlock(&uverbs_mr_lock);
	return PTR_ERR_OR_ZERO(mr);
}

/**
 * uverbs_mr_free - deregister a region
 * @umr: its handle, locked for writing
 * @udata: for the driver
 *
 * A revocation in progress is waited for.
 *
 * Context: process context; hw_destroy_rwsem is held.
 * Return: 0, or what the driver says; then the region is as it was.
 */
int uverbs_mr_free(struct ib_umr_object *umr, struct ib_udata *udata)
{
	struct ib_mr *mr;
	int ret = 0;

	if (umr->pin)
		leased_pin_release_begin(umr->pin);
	mr = umr->uobject.object;
	if (!IS_ERR(mr))
		ret = ib_dereg_mr_user(mr, udata);
	if (!umr->pin)
		return ret;
	if (ret) {
		leased_pin_release_cancel(umr->pin);
		return ret;
	}
	leased_pin_put(umr->pin);
	umr->pin = NULL;
	return 0;
}

/*
 * The module
 */

/**
 * uverbs_lease_init - prepare for the teardown of contexts
 *
 * Context: process context.
 * Return: 0 or ENOMEM.
 */
int uverbs_lease_init(void)
{
	uverbs_teardown_wq = alloc_workqueue("ib_uverbs_teardown", WQ_UNBOUND,
					     0);
	return uverbs_teardown_wq ? 0 : -ENOMEM;
}

/**
 * uverbs_lease_cleanup - the module goes, with no context left
 *
 * Context: process context.
 */
void uverbs_lease_cleanup(void)
{
	/* a reference's last callback queues a teardown */
	rcu_barrier();
	destroy_workqueue(uverbs_teardown_wq);
}
