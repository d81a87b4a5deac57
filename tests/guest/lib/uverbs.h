/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Commands to a context file without the library, which knows neither all of
 * them nor all the ways they can be given.  All return 0 or a negative errno.
 */
#ifndef FLAYOUT_TESTS_UVERBS_H
#define FLAYOUT_TESTS_UVERBS_H

#include <infiniband/verbs.h>
#include <rdma/ib_user_verbs.h>

/**
 * uverbs_write - a command by write(2), the oldest way
 * @ctx: the context
 * @command: IB_USER_VERBS_CMD_*
 * @in: its struct; a response's address is its first member, as always
 * @in_size: bytes, a multiple of 8
 * @out: the response, or NULL
 * @out_size: bytes, a multiple of 4
 */
int uverbs_write(struct ibv_context *ctx, __u32 command, void *in, size_t in_size, void *out,
		 size_t out_size);

/* One attribute of a command by ioctl(2). */
struct uverbs_attr {
	__u16 id;
	__u16 len;
	const void *data;	/* what @len bytes point to; NULL: @value itself */
	__u64 value;
};

/**
 * uverbs_ioctl - a command by ioctl(2)
 * @object: UVERBS_OBJECT_*
 * @method: UVERBS_METHOD_*
 * @attrs: its attributes, all mandatory
 * @nr: how many, at most 12
 */
int uverbs_ioctl(struct ibv_context *ctx, __u16 object, __u16 method,
		 const struct uverbs_attr *attrs, unsigned int nr);

/* A region as only its numbers tell. */
struct raw_mr {
	__u32 handle, lkey, rkey;
};

/** raw_reg - register by write(2), on any of our devices; @iova is what peers call @addr */
int raw_reg(struct ibv_pd *pd, void *addr, size_t len, __u64 iova, int access,
	    struct raw_mr *mr);

/** raw_rereg - change what @flags (IBV_REREG_MR_CHANGE_*) say */
int raw_rereg(struct ibv_pd *pd, __u32 handle, int flags, void *addr, size_t len, int access);

/** raw_dereg - deregister */
int raw_dereg(struct ibv_context *ctx, __u32 handle);

/** raw_query - the keys and the length as the kernel has them */
int raw_query(struct ibv_context *ctx, __u32 handle, struct raw_mr *mr, __u64 *len);

#endif
