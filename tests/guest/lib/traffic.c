// SPDX-License-Identifier: GPL-2.0
/* A server and a client in one process; see traffic.h. */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "../env.h"
#include "traffic.h"

int traffic_open(struct traffic *traffic)
{
	int ret;

	memset(traffic, 0, sizeof(*traffic));
	traffic->buf = mmap(NULL, TRAFFIC_SIZE, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (traffic->buf == MAP_FAILED)
		return -errno;
	memset(traffic->buf, TRAFFIC_FILL, TRAFFIC_SIZE);
	ret = nic_open(&traffic->server, ENV_RXE);
	if (!ret)
		ret = nic_open(&traffic->client, ENV_RXE);
	if (!ret)
		ret = wire_pair(&traffic->far, &traffic->client, &traffic->near, &traffic->server);
	return ret ? ret : mr_reg(&traffic->client, traffic->buf, TRAFFIC_SIZE, MR_SERVER,
				  &traffic->local);
}

int traffic_reconnect(struct traffic *traffic)
{
	wire_close(&traffic->far);
	wire_close(&traffic->near);
	return wire_pair(&traffic->far, &traffic->client, &traffic->near, &traffic->server);
}

int traffic_write(struct traffic *traffic, struct ibv_mr *mr, size_t len, __u64 at)
{
	return wire_write(&traffic->far, traffic->local, len, (unsigned long)mr->addr + at,
			  mr->rkey);
}

void traffic_close(struct traffic *traffic)
{
	wire_close(&traffic->far);
	wire_close(&traffic->near);
	if (traffic->local)
		ibv_dereg_mr(traffic->local);
	nic_close(&traffic->server);
	nic_close(&traffic->client);
	munmap(traffic->buf, TRAFFIC_SIZE);
}
