/* SPDX-License-Identifier: GPL-2.0 */
#ifndef IOU_LEASED_BUF_H
#define IOU_LEASED_BUF_H

#include <linux/completion.h>
#include <linux/io_uring_types.h>
#include <linux/longterm_pin.h>
#include <linux/refcount.h>

/**
 * struct io_leased_buf - the pages of a fixed buffer that stands on a lease
 * @pin: the pages
 * @table: their ranges
 * @leased: the pin's lease side; a reference
 * @users: requests on the pages now, and 1 until revoked
 * @idle: the last of @users has left
 * @revoked: the pages are gone, or about to go
 */
struct io_leased_buf {
	struct longterm_pin pin;
	struct sg_append_table table;
	struct leased_pin *leased;
	refcount_t users;
	struct completion idle;
	bool revoked;
};

#ifdef CONFIG_LAYOUT_LEASE

bool io_leased_wanted(const struct iovec *iov, int error);
int io_leased_buf_register(struct io_ring_ctx *ctx, const struct iovec *iov,
			   struct io_mapped_ubuf **pimu);
void io_leased_buf_free(struct io_leased_buf *lb);
void io_leased_ring_close(struct io_ring_ctx *ctx);

bool io_leased_file(const struct file *file);
ssize_t io_leased_rw(struct io_kiocb *req, struct kiocb *kiocb,
		     struct iov_iter *iter, int ddir);
void io_leased_done(struct io_kiocb *req);

#else

static inline bool io_leased_wanted(const struct iovec *iov, int error)
{
	return false;
}

static inline int io_leased_buf_register(struct io_ring_ctx *ctx,
					 const struct iovec *iov,
					 struct io_mapped_ubuf **pimu)
{
	return -EOPNOTSUPP;
}

static inline void io_leased_buf_free(struct io_leased_buf *lb) { }
static inline void io_leased_ring_close(struct io_ring_ctx *ctx) { }

static inline bool io_leased_file(const struct file *file)
{
	return true;
}

static inline ssize_t io_leased_rw(struct io_kiocb *req, struct kiocb *kiocb,
				   struct iov_iter *iter, int ddir)
{
	return -EINVAL;
}

static inline void io_leased_done(struct io_kiocb *req) { }

#endif /* CONFIG_LAYOUT_LEASE */
#endif
