// SPDX-License-Identifier: GPL-2.0
/*
 * demo-keeper: a process that has nothing but a context file, which
 * demo-server sent to it.  It registers memory of its own through it, without
 * libibverbs, which has no way to adopt a context of soft-RoCE.
 *
 *   demo-keeper SOCKET
 *
 * Commands: "receive" (waits for it), "register"; see talk.h.
 */
#include <err.h>
#include <errno.h>
#include <rdma/ib_user_ioctl_cmds.h>
#include <rdma/ib_user_ioctl_verbs.h>
#include <rdma/ib_user_verbs.h>
#include <rdma/rdma_user_ioctl_cmds.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../tests/guest/lib/peer.h"
#include "talk.h"

static int listen_fd;
static int context_fd = -1;
static uint32_t pd_handle;

static void receive(const char *args)
{
	int sock = accept(listen_fd, NULL, NULL);
	int ret = sock < 0 ? -errno : fd_receive(sock);

	(void)args;
	context_fd = ret;
	if (ret >= 0)
		ret = recv(sock, &pd_handle, sizeof(pd_handle), MSG_WAITALL) ==
			sizeof(pd_handle) ? 0 : -EPIPE;
	if (sock >= 0)
		close(sock);
	say_result("received", ret, 0);
}

/* Up to eight bytes of input stand in the place of their address. */
static uint64_t in_line(const void *in, size_t len)
{
	uint64_t data = (unsigned long)in;

	if (len <= sizeof(data)) {
		data = 0;
		memcpy(&data, in, len);
	}
	return data;
}

/*
 * A command of the write() interface, by ioctl(): write() itself is refused to
 * a process with other credentials than the one that opened the context.
 */
static int invoke(uint32_t command, void *in, size_t in_len, void *out, size_t out_len)
{
	struct {
		struct ib_uverbs_ioctl_hdr header;
		struct ib_uverbs_attr attrs[3];
	} request = {
		.header = {
			.length = sizeof(request),
			.object_id = UVERBS_OBJECT_DEVICE,
			.method_id = UVERBS_METHOD_INVOKE_WRITE,
			.num_attrs = 3,
			.driver_id = RDMA_DRIVER_RXE,
		},
		.attrs = {
			{ .attr_id = UVERBS_ATTR_CORE_IN, .len = in_len,
			  .flags = UVERBS_ATTR_F_MANDATORY, .data = in_line(in, in_len) },
			{ .attr_id = UVERBS_ATTR_CORE_OUT, .len = out_len,
			  .flags = UVERBS_ATTR_F_MANDATORY, .data = (unsigned long)out },
			{ .attr_id = UVERBS_ATTR_WRITE_CMD, .len = sizeof(uint64_t),
			  .flags = UVERBS_ATTR_F_MANDATORY, .data = command },
		},
	};

	return ioctl(context_fd, RDMA_VERBS_IOCTL, &request.header) ? -errno : 0;
}

static int deregister(uint32_t handle)
{
	struct ib_uverbs_dereg_mr dereg = { .mr_handle = handle };

	return invoke(IB_USER_VERBS_CMD_DEREG_MR, &dereg, sizeof(dereg), NULL, 0);
}

static int register_page(void)
{
	static char page[4096] __attribute__((aligned(4096)));
	struct ib_uverbs_reg_mr_resp resp;
	struct ib_uverbs_reg_mr reg = {
		.response = (unsigned long)&resp,
		.start = (unsigned long)page,
		.length = sizeof(page),
		.hca_va = (unsigned long)page,
		.pd_handle = pd_handle,
		.access_flags = IBV_ACCESS_LOCAL_WRITE,
	};
	int ret = invoke(IB_USER_VERBS_CMD_REG_MR, &reg, sizeof(reg), &resp, sizeof(resp));

	return ret ? ret : deregister(resp.mr_handle);
}

static void try_register(const char *args)
{
	uint64_t start = now_us();
	int ret = context_fd < 0 ? -EBADF : register_page();

	(void)args;
	say_result("registered", ret, now_us() - start);
}

static const struct talk_command commands[] = {
	{ "receive", receive },
	{ "register", try_register },
	{ }
};

int main(int argc, char **argv)
{
	if (argc != 2)
		errx(EXIT_FAILURE, "usage: demo-keeper SOCKET");
	listen_fd = talk_listen(argv[1]);
	if (listen_fd < 0)
		errx(EXIT_FAILURE, "%s: %s", argv[1], strerror(-listen_fd));
	say("listening");
	talk(commands, NULL, 0);
	return EXIT_SUCCESS;
}
