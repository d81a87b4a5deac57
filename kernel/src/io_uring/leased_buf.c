// SPDX-License-Identifier: GPL-2.0
/*
 * Fixed buffers that stand on layout leases.
 *
 * A fixed buffer may lie in a file on FS-DAX, if the file's user holds a layout
 * lease.  Its pages can be taken back at any time; the slot stays, and requests
 * that use it fail with EFAULT from then on.
 *
 * A revocation waits for the requests that are on the pages, so none may be there
 * for longer than kernel code runs and block devices need, in particular not
 * while it waits for user space.  Hence there are two ways to the pages:
 *
 * - A request that does not block, to a file on ext4 or XFS or with direct IO to a
 *   block device, is on them from its issue to ki_complete().
 * - All others work on a copy.  What may block, for a lock that is held in a page
 *   fault or for a frozen file system, then has none of the pages.  So has what
 *   takes IOCB_NOWAIT less seriously: drivers and other file systems do.
 *
 * Where something may keep pages for as long as a peer or user space likes, such
 * buffers are refused: zero copy sends, passthrough commands, rings whose
 * completions must be polled for (IORING_SETUP_IOPOLL), rings that share buffers.
 */
#include <linux/fs.h>
#include <linux/io_uring.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/uio.h>

#include "io_uring.h"
#include "leased_buf.h"
#include "rsrc.h"
#include "rw.h"

/* Bytes copied at a time: a longer request is several reads or writes. */
#define COPY_MAX	SZ_256K

/* How often a dead ring is looked after until all its requests have ended. */
#define SHUT_INTERVAL	(HZ / 20)
#define SHUT_INTERVAL_MAX	HZ

static struct workqueue_struct *io_leased_wq;

/**
 * struct io_pin_owner - a ring as the owner of leased pins
 * @owner: what the pins know; has a life of its own
 * @lock: for @ctx
 * @ctx: the ring, until its file is closed
 * @shut: shuts @shut_ctx
 * @shut_ctx: the ring, referenced, until it is shut or closed
 * @interval: jiffies until @shut looks again
 */
struct io_pin_owner {
	struct longterm_pin_owner owner;
	spinlock_t lock;	/* for @ctx */
	struct io_ring_ctx *ctx;
	struct delayed_work shut;
	struct io_ring_ctx *shut_ctx;
	unsigned long interval;
};

/*
 * Being on the pages
 */

static bool io_leased_enter(struct io_leased_buf *lb)
{
	return !READ_ONCE(lb->revoked) && refcount_inc_not_zero(&lb->users);
}

static void io_leased_exit(struct io_leased_buf *lb)
{
	if (refcount_dec_and_test(&lb->users))
		complete(&lb->idle);
}

/*
 * The ring as an owner
 */

static void io_leased_revoke_pin(struct leased_pin *pin, void *priv)
{
	struct io_leased_buf *lb = priv;

	WRITE_ONCE(lb->revoked, true);
	if (!refcount_dec_and_test(&lb->users))
		wait_for_completion(&lb->idle);
	longterm_pin_drop(&lb->pin, true);
}

/* Pairs with the gets in io_leased_invalidate(). */
static void io_leased_shut_end(struct io_pin_owner *o)
{
	percpu_ref_put(&o->shut_ctx->refs);
	longterm_pin_owner_put(&o->owner);
}

static bool io_leased_shut_again(struct io_pin_owner *o)
{
	bool again;

	spin_lock(&o->lock);
	/* its close does the rest, and waits for us */
	again = o->ctx;
	if (again)
		queue_delayed_work(io_leased_wq, &o->shut, o->interval);
	spin_unlock(&o->lock);
	o->interval = min(o->interval * 2, SHUT_INTERVAL_MAX);
	return again;
}

static void io_leased_shut(struct work_struct *work)
{
	struct io_pin_owner *o = container_of(work, struct io_pin_owner,
					      shut.work);

	if (percpu_ref_is_dying(&o->shut_ctx->refs) ||
	    io_ring_ctx_shut(o->shut_ctx) || !io_leased_shut_again(o))
		io_leased_shut_end(o);
}

static void io_leased_invalidate(struct longterm_pin_owner *owner)
{
	struct io_pin_owner *o = container_of(owner, struct io_pin_owner, owner);
	struct io_ring_ctx *ctx;

	spin_lock(&o->lock);
	ctx = o->ctx;
	if (ctx && !percpu_ref_tryget(&ctx->refs))
		ctx = NULL;
	spin_unlock(&o->lock);
	if (!ctx)
		return;		/* it is being closed already */
	set_bit(IO_CHECK_CQ_DEAD_BIT, &ctx->check_cq);
	kref_get(&owner->ref);
	o->shut_ctx = ctx;
	queue_delayed_work(io_leased_wq, &o->shut, 0);
}

static void io_leased_owner_free(struct longterm_pin_owner *owner)
{
	kfree(container_of(owner, struct io_pin_owner, owner));
}

static const struct longterm_pin_owner_ops io_leased_owner_ops = {
	.kind		= "io_uring",
	.revoke_pin	= io_leased_revoke_pin,
	.invalidate	= io_leased_invalidate,
	.free		= io_leased_owner_free,
};

/* Rings without such buffers have no owner. */
static struct longterm_pin_owner *io_leased_owner(struct io_ring_ctx *ctx)
{
	struct io_pin_owner *o = ctx->pin_owner;

	lockdep_assert_held(&ctx->uring_lock);
	if (o)
		return &o->owner;
	o = kzalloc(sizeof(*o), GFP_KERNEL_ACCOUNT);
	if (!o)
		return NULL;
	spin_lock_init(&o->lock);
	INIT_DELAYED_WORK(&o->shut, io_leased_shut);
	o->interval = SHUT_INTERVAL;
	o->ctx = ctx;
	longterm_pin_owner_init(&o->owner, &io_leased_owner_ops,
				ctx->ring_file);
	ctx->pin_owner = o;
	return &o->owner;
}

/**
 * io_leased_ring_close - the ring's file is being closed
 * @ctx: the ring, on which nothing is registered any more
 *
 * Its buffers stay pinned, and revocable, until its last request has ended.
 *
 * Context: process context.
 */
void io_leased_ring_close(struct io_ring_ctx *ctx)
{
	struct io_pin_owner *o = ctx->pin_owner;

	if (!o)
		return;
	ctx->pin_owner = NULL;
	spin_lock(&o->lock);
	o->ctx = NULL;
	spin_unlock(&o->lock);
	if (cancel_delayed_work(&o->shut))
		io_leased_shut_end(o);
	longterm_pin_owner_detach(&o->owner);
	longterm_pin_owner_put(&o->owner);
}

/*
 * Registration
 */

/**
 * io_leased_wanted - is a buffer that GUP has refused one for a layout lease?
 * @iov: the buffer
 * @error: what GUP has said
 *
 * GUP says EOPNOTSUPP of memory in a file on FS-DAX, but not if it has pinned
 * other memory before that.
 *
 * Context: process context; takes mmap_lock.
 */
bool io_leased_wanted(const struct iovec *iov, int error)
{
	unsigned long addr = (unsigned long)iov->iov_base;
	struct vm_area_struct *vma;
	bool found = false;

	if (error != -EFAULT)
		return error == -EOPNOTSUPP;
	mmap_read_lock(current->mm);
	VMA_ITERATOR(vmi, current->mm, addr);
	for_each_vma_range(vmi, vma, addr + iov->iov_len)
		found |= vma_is_fsdax(vma);
	mmap_read_unlock(current->mm);
	return found;
}

static int io_leased_pin(struct io_leased_buf *lb,
			 struct longterm_pin_owner *owner, unsigned long addr,
			 unsigned long npages)
{
	struct longterm_pin_scope scope;
	int ret;

	longterm_pin_scope_begin(&scope, owner);
	ret = longterm_pin_user_pages(&lb->pin, &lb->table, addr, npages, true,
				      UINT_MAX & PAGE_MASK);
	lb->leased = longterm_pin_scope_end(&scope);
	/* the memory was mapped anew since io_pin_pages() has refused it */
	if (!ret && !lb->leased)
		ret = -EAGAIN;
	return ret;
}

static void io_leased_fill(struct io_mapped_ubuf *imu, const struct iovec *iov,
			   struct io_leased_buf *lb)
{
	unsigned long off = offset_in_page(iov->iov_base);
	size_t size = iov->iov_len;
	struct sg_page_iter piter;
	unsigned int i = 0;

	for_each_sgtable_page(&lb->table.sgt, &piter, 0) {
		size_t len = min_t(size_t, size, PAGE_SIZE - off);

		bvec_set_page(&imu->bvec[i++], sg_page_iter_page(&piter), len,
			      off);
		off = 0;
		size -= len;
	}
}

/**
 * io_leased_buf_register - pin a fixed buffer under a layout lease
 * @ctx: the ring
 * @iov: the buffer; GUP has refused to pin it
 * @pimu: out: the buffer
 *
 * Context: process context, uring_lock held; may fault user memory in.
 * Return: 0; else what longterm_pin_user_pages() says, ENOMEM beyond
 * RLIMIT_MEMLOCK too, or EOPNOTSUPP: not in a ring that polls for completions.
 */
int io_leased_buf_register(struct io_ring_ctx *ctx, const struct iovec *iov,
			   struct io_mapped_ubuf **pimu)
{
	unsigned long addr = (unsigned long)iov->iov_base & PAGE_MASK;
	unsigned long npages;
	struct longterm_pin_owner *owner;
	struct io_mapped_ubuf *imu;
	struct io_leased_buf *lb;
	int ret = -ENOMEM;

	if (ctx->flags & IORING_SETUP_IOPOLL)
		return -EOPNOTSUPP;
	owner = io_leased_owner(ctx);
	if (!owner)
		return -ENOMEM;
	npages = DIV_ROUND_UP(offset_in_page(iov->iov_base) + iov->iov_len,
			      PAGE_SIZE);
	imu = kvzalloc(struct_size(imu, bvec, npages), GFP_KERNEL_ACCOUNT);
	lb = kzalloc(sizeof(*lb), GFP_KERNEL_ACCOUNT);
	if (!imu || !lb)
		goto free;
	refcount_set(&lb->users, 1);
	init_completion(&lb->idle);
	ret = io_account_mem(ctx, npages);
	if (ret)
		goto free;
	ret = io_leased_pin(lb, owner, addr, npages);
	if (ret)
		goto release;
	imu->ubuf = (unsigned long)iov->iov_base;
	imu->len = iov->iov_len;
	imu->nr_bvecs = npages;
	imu->folio_shift = PAGE_SHIFT;
	imu->acct_pages = npages;
	imu->leased = lb;
	refcount_set(&imu->refs, 1);
	io_leased_fill(imu, iov, lb);
	leased_pin_live(lb->leased, lb);
	*pimu = imu;
	return 0;

release:
	longterm_pin_release(&lb->pin, false);
	leased_pin_put(lb->leased);
	io_unaccount_mem(ctx, npages);
free:
	kfree(lb);
	kvfree(imu);
	return ret;
}

/**
 * io_leased_buf_free - the end of such a buffer
 * @lb: the buffer; no request uses it
 *
 * Context: process context; waits for a revocation, which takes no lock of the
 * ring.
 */
void io_leased_buf_free(struct io_leased_buf *lb)
{
	longterm_pin_release(&lb->pin, true);
	leased_pin_put(lb->leased);
	kfree(lb);
}

/*
 * Requests
 */

/**
 * io_leased_file - can such buffers be read into or written from this file?
 * @file: the file
 */
bool io_leased_file(const struct file *file)
{
	umode_t mode = file_inode(file)->i_mode;

	return S_ISREG(mode) || S_ISBLK(mode);
}

/*
 * Does it take a device alone to complete this, once it was issued?  It may not
 * wait for an inode's lock, whose owner can sit in a page fault.  File systems
 * that take part in layout leases try their locks; block devices do for direct IO
 * alone, and set times in the file system that has the node.
 */
static bool io_leased_on_device(const struct kiocb *kiocb)
{
	const struct file *file = kiocb->ki_filp;
	const struct inode *inode = file_inode(file);

	if (!(kiocb->ki_flags & IOCB_NOWAIT) || !(file->f_mode & FMODE_NOWAIT))
		return false;
	if (S_ISBLK(inode->i_mode))
		return kiocb->ki_flags & IOCB_DIRECT && !inode->i_sb->s_bdev;
	return file->f_op->fop_flags & FOP_LAYOUT_LEASE;
}

static ssize_t io_leased_call(struct kiocb *kiocb, struct iov_iter *iter,
			      int ddir)
{
	const struct file_operations *f_op = kiocb->ki_filp->f_op;

	if (ddir == READ)
		return f_op->read_iter ? f_op->read_iter(kiocb, iter) : -EINVAL;
	return f_op->write_iter ? f_op->write_iter(kiocb, iter) : -EINVAL;
}

/**
 * io_leased_done - a request has left the pages
 * @req: a request with such a buffer; may not be on them at all
 *
 * Context: any.
 */
void io_leased_done(struct io_kiocb *req)
{
	struct io_async_rw *io = req->async_data;

	if (!io->on_leased)
		return;
	io->on_leased = false;
	io_leased_exit(req->imu->leased);
}

static ssize_t io_leased_direct(struct io_kiocb *req, struct kiocb *kiocb,
				struct iov_iter *iter, int ddir)
{
	struct io_async_rw *io = req->async_data;
	ssize_t ret;

	if (!io_leased_enter(req->imu->leased))
		return -EFAULT;
	io->on_leased = true;
	ret = io_leased_call(kiocb, iter, ddir);
	/* else ki_complete() leaves the pages, or has, and the request may be gone */
	if (ret != -EIOCBQUEUED)
		io_leased_done(req);
	return ret;
}

/* Copy between the pages, which @iter is on, and @page. */
static int io_leased_copy(struct io_leased_buf *lb, struct iov_iter *iter,
			  struct page *page, size_t len, int ddir)
{
	void *buf = page_address(page);
	size_t copied;

	if (!io_leased_enter(lb))
		return -EFAULT;
	if (ddir == READ)
		copied = copy_to_iter(buf, len, iter);
	else
		copied = copy_from_iter(buf, len, iter);
	io_leased_exit(lb);
	return copied == len ? 0 : -EFAULT;
}

/* Read one piece by way of a copy.  Returns bytes that got through. */
static ssize_t io_leased_read(struct io_leased_buf *lb, struct kiocb *kiocb,
			      struct iov_iter *iter, const struct bio_vec *copy)
{
	struct iov_iter there;
	ssize_t ret;
	int error;

	iov_iter_bvec(&there, ITER_DEST, copy, 1, copy->bv_len);
	ret = io_leased_call(kiocb, &there, READ);
	if (ret <= 0)
		return ret;
	error = io_leased_copy(lb, iter, copy->bv_page, ret, READ);
	if (!error)
		return ret;
	kiocb->ki_pos -= ret;
	return error;
}

static ssize_t io_leased_write(struct io_leased_buf *lb, struct kiocb *kiocb,
			       struct iov_iter *iter,
			       const struct bio_vec *copy)
{
	struct iov_iter there;
	ssize_t ret;

	ret = io_leased_copy(lb, iter, copy->bv_page, copy->bv_len, WRITE);
	if (ret)
		return ret;
	iov_iter_bvec(&there, ITER_SOURCE, copy, 1, copy->bv_len);
	ret = io_leased_call(kiocb, &there, WRITE);
	iov_iter_revert(iter, copy->bv_len - max(ret, 0));
	return ret;
}

/*
 * Pages in one piece, as many as there are, for up to @len bytes.  Compound ones:
 * whom they are given to may take references to any of them.
 */
static struct page *io_leased_alloc(size_t len, unsigned int *order)
{
	const gfp_t gfp = GFP_KERNEL_ACCOUNT | __GFP_COMP | __GFP_NORETRY |
			  __GFP_NOWARN;
	struct page *page;

	for (*order = get_order(len); *order; (*order)--) {
		page = alloc_pages(gfp, *order);
		if (page)
			return page;
	}
	return alloc_page(GFP_KERNEL_ACCOUNT);
}

static ssize_t io_leased_copied(struct io_kiocb *req, struct kiocb *kiocb,
				struct iov_iter *iter, int ddir)
{
	struct io_leased_buf *lb = req->imu->leased;
	struct kiocb sync = *kiocb;
	ssize_t done = 0, ret = 0;
	struct bio_vec copy;
	unsigned int order;
	struct page *page;

	if (!iov_iter_count(iter))
		return 0;
	page = io_leased_alloc(min(iov_iter_count(iter), COPY_MAX), &order);
	if (!page)
		return -ENOMEM;
	sync.ki_complete = NULL;
	sync.ki_flags &= ~(IOCB_ALLOC_CACHE | IOCB_DIO_CALLER_COMP | IOCB_WAITQ);
	while (iov_iter_count(iter)) {
		bvec_set_page(&copy, page, min(iov_iter_count(iter),
					       PAGE_SIZE << order), 0);
		if (ddir == READ)
			ret = io_leased_read(lb, &sync, iter, &copy);
		else
			ret = io_leased_write(lb, &sync, iter, &copy);
		if (ret <= 0)
			break;
		done += ret;
		if (ret < copy.bv_len)
			break;
	}
	kiocb->ki_pos = sync.ki_pos;
	__free_pages(page, order);
	return done ?: ret;
}

/**
 * io_leased_rw - read or write with such a buffer
 * @req: the request
 * @kiocb: its kiocb
 * @iter: on the buffer
 * @ddir: READ or WRITE
 *
 * Context: process context.
 * Return: as ->read_iter() and ->write_iter(); EFAULT: the pages are gone.
 */
ssize_t io_leased_rw(struct io_kiocb *req, struct kiocb *kiocb,
		     struct iov_iter *iter, int ddir)
{
	if (io_leased_on_device(kiocb))
		return io_leased_direct(req, kiocb, iter, ddir);
	/* in a worker, please */
	if (kiocb->ki_flags & IOCB_NOWAIT)
		return -EAGAIN;
	return io_leased_copied(req, kiocb, iter, ddir);
}

static int __init io_leased_init(void)
{
	io_leased_wq = alloc_workqueue("io_uring_leased", WQ_UNBOUND, 0);
	if (!io_leased_wq)
		panic("io_uring: no workqueue for leased buffers");
	return 0;
}
fs_initcall(io_leased_init);
