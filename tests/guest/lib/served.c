// SPDX-License-Identifier: GPL-2.0
/* See served.h. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>

#include "../env.h"
#include "served.h"

static int open_devices(struct served *s)
{
	int ret = nic_open(&s->server, ENV_RXE);

	if (!ret)
		ret = nic_open(&s->client, ENV_RXE);
	if (!ret)
		ret = wire_pair(&s->far, &s->client, &s->near, &s->server);
	if (ret)
		return ret;
	s->buf = mmap(NULL, SERVED_PART, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (s->buf == MAP_FAILED)
		return -errno;
	return mr_reg(&s->client, s->buf, SERVED_PART, MR_SERVER, &s->local);
}

static int open_file(struct served *s, const char *path, unsigned int flags)
{
	void *addr;
	int ret = flayout_new(&s->fl);

	if (!ret)
		ret = flayout_open(s->fl, AT_FDCWD, path, O_RDWR, 0);
	if (!ret)
		ret = flayout_lease_for_pd(s->fl, s->server.pd, 0, 0, flags);
	if (!ret)
		ret = flayout_map(s->fl, 0, SERVED_SIZE, PROT_READ | PROT_WRITE, &addr);
	if (!ret)
		s->map = addr;
	return ret;
}

int served_open(struct served *s, const char *path, unsigned int flags)
{
	int ret;

	memset(s, 0, sizeof(*s));
	ret = open_devices(s);
	if (!ret)
		ret = open_file(s, path, flags);
	if (!ret)
		ret = flayout_reg_mr(s->fl, s->server.pd, s->map, SERVED_PART, MR_SERVER, &s->low);
	if (!ret)
		ret = flayout_reg_mr(s->fl, s->server.pd, s->map + SERVED_HIGH, SERVED_PART,
				     MR_SERVER, &s->high);
	return ret;
}

void served_close(struct served *s)
{
	flayout_dereg_mr(s->low);
	flayout_dereg_mr(s->high);
	flayout_close(s->fl);
	wire_close(&s->near);
	wire_close(&s->far);
	if (s->local)
		ibv_dereg_mr(s->local);
	nic_close(&s->server);
	nic_close(&s->client);
	if (s->buf && s->buf != MAP_FAILED)
		munmap(s->buf, SERVED_PART);
	memset(s, 0, sizeof(*s));
}

int served_reconnect(struct served *s)
{
	wire_close(&s->near);
	wire_close(&s->far);
	return wire_pair(&s->far, &s->client, &s->near, &s->server);
}

int served_write(struct served *s, const struct flayout_mr *mr, char byte)
{
	struct ibv_mr *region = flayout_mr_ibv(mr);

	if (!region)
		return -ENOENT;
	memset(s->buf, byte, SERVED_PART);
	return wire_write(&s->far, s->local, SERVED_PART, (unsigned long)region->addr, region->rkey);
}

struct flayout_event served_event(struct served *s, unsigned int ms)
{
	struct pollfd pfd = { .fd = flayout_fd(s->fl), .events = POLLIN };
	struct flayout_event event = { 0 };

	if (poll(&pfd, 1, ms) == 1)
		flayout_next_event(s->fl, &event, sizeof(event));
	return event;
}

int served_state(struct served *s)
{
	struct flayout_status status;
	int ret = flayout_status(s->fl, &status, sizeof(status));

	return ret ? ret : (int)status.state;
}
