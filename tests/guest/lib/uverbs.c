// SPDX-License-Identifier: GPL-2.0
/* Commands to a context file without the library; see uverbs.h. */
#include <errno.h>
#include <rdma/ib_user_ioctl_cmds.h>
#include <rdma/ib_user_ioctl_verbs.h>
#include <rdma/rdma_user_ioctl_cmds.h>
#include <rdma/siw-abi.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "../env.h"
#include "uverbs.h"

#define COMMAND_MAX	256
#define ATTRS_MAX	12

int uverbs_write(struct ibv_context *ctx, __u32 command, void *in, size_t in_size, void *out,
		 size_t out_size)
{
	struct {
		struct ib_uverbs_cmd_hdr hdr;
		char in[COMMAND_MAX];
	} call = { .hdr = {
		.command = command,
		.in_words = (sizeof(call.hdr) + in_size) / 4,
		.out_words = out_size / 4,
	} };
	ssize_t size = sizeof(call.hdr) + in_size;

	if (in_size > COMMAND_MAX)
		return -EINVAL;
	if (out)
		*(__u64 *)in = (unsigned long)out;
	memcpy(call.in, in, in_size);
	return write(ctx->cmd_fd, &call, size) == size ? 0 : -errno;
}

static __u32 driver_of(struct ibv_context *ctx)
{
	return strcmp(ibv_get_device_name(ctx->device), ENV_RXE) ? RDMA_DRIVER_SIW : RDMA_DRIVER_RXE;
}

int uverbs_ioctl(struct ibv_context *ctx, __u16 object, __u16 method,
		 const struct uverbs_attr *attrs, unsigned int nr)
{
	struct {
		struct ib_uverbs_ioctl_hdr hdr;
		struct ib_uverbs_attr attrs[ATTRS_MAX];
	} call = { .hdr = {
		.length = sizeof(call.hdr) + nr * sizeof(call.attrs[0]),
		.object_id = object,
		.method_id = method,
		.num_attrs = nr,
		.driver_id = driver_of(ctx),
	} };
	unsigned int i;

	if (nr > ATTRS_MAX)
		return -EINVAL;
	for (i = 0; i < nr; i++)
		call.attrs[i] = (struct ib_uverbs_attr){
			.attr_id = attrs[i].id,
			.len = attrs[i].len,
			.flags = UVERBS_ATTR_F_MANDATORY,
			.data = attrs[i].data ? (unsigned long)attrs[i].data : attrs[i].value,
		};
	return ioctl(ctx->cmd_fd, RDMA_VERBS_IOCTL, &call) ? -errno : 0;
}

/* siw wants, and tells, something of its own; rxe does not mind. */
int raw_reg(struct ibv_pd *pd, void *addr, size_t len, __u64 iova, int access,
	    struct raw_mr *mr)
{
	struct {
		struct ib_uverbs_reg_mr cmd;
		struct siw_ureq_reg_mr siw;
	} in = { .cmd = {
		.start = (unsigned long)addr,
		.length = len,
		.hca_va = iova,
		.pd_handle = pd->handle,
		.access_flags = access,
	} };
	struct {
		struct ib_uverbs_reg_mr_resp resp;
		struct siw_uresp_reg_mr siw;
	} out = {};
	int ret = uverbs_write(pd->context, IB_USER_VERBS_CMD_REG_MR, &in, sizeof(in), &out,
			       sizeof(out));

	mr->handle = out.resp.mr_handle;
	mr->lkey = out.resp.lkey;
	mr->rkey = out.resp.rkey;
	return ret;
}

int raw_rereg(struct ibv_pd *pd, __u32 handle, int flags, void *addr, size_t len, int access)
{
	struct ib_uverbs_rereg_mr in = {
		.mr_handle = handle,
		.flags = flags,
		.start = (unsigned long)addr,
		.length = len,
		.hca_va = (unsigned long)addr,
		.pd_handle = pd->handle,
		.access_flags = access,
	};
	struct ib_uverbs_rereg_mr_resp out;

	return uverbs_write(pd->context, IB_USER_VERBS_CMD_REREG_MR, &in, sizeof(in), &out,
			    sizeof(out));
}

int raw_dereg(struct ibv_context *ctx, __u32 handle)
{
	struct ib_uverbs_dereg_mr in = { .mr_handle = handle };

	return uverbs_write(ctx, IB_USER_VERBS_CMD_DEREG_MR, &in, sizeof(in), NULL, 0);
}

int raw_query(struct ibv_context *ctx, __u32 handle, struct raw_mr *mr, __u64 *len)
{
	const struct uverbs_attr attrs[] = {
		{ UVERBS_ATTR_QUERY_MR_HANDLE, 0, NULL, handle },
		{ UVERBS_ATTR_QUERY_MR_RESP_LKEY, sizeof(mr->lkey), &mr->lkey, 0 },
		{ UVERBS_ATTR_QUERY_MR_RESP_RKEY, sizeof(mr->rkey), &mr->rkey, 0 },
		{ UVERBS_ATTR_QUERY_MR_RESP_LENGTH, sizeof(*len), len, 0 },
	};

	mr->handle = handle;
	return uverbs_ioctl(ctx, UVERBS_OBJECT_MR, UVERBS_METHOD_QUERY_MR, attrs, 4);
}
