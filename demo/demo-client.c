// SPDX-License-Identifier: GPL-2.0
/*
 * demo-client: writes the bytes of a file of its own into the memory of
 * demo-server, by RDMA.
 *
 *   demo-client SOCKET DATAFILE
 *
 * Commands: "connect" (again, after an error: a queue pair does not survive
 * one), "write OFFSET LENGTH"; see talk.h.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../tests/guest/env.h"
#include "talk.h"

#define CHUNK	(4UL << 20)	/* one RDMA write; devices limit its length */

static struct client {
	const char *socket_path;
	char *data;		/* a private copy of the data file */
	size_t size;
	struct nic nic;
	struct wire wire;
	struct greeting server;
} client;

static int open_wire(int sock)
{
	struct greeting ours = { };
	int ret = wire_open(&client.wire, &client.nic);
	char done;

	if (ret)
		return ret;
	ours.address = wire_address(&client.wire, &client.nic);
	ret = talk_swap(sock, &ours, &client.server);
	if (!ret)
		ret = wire_connect(&client.wire, &client.nic, &client.server.address);
	if (!ret && recv(sock, &done, 1, 0) != 1)
		ret = -ECONNREFUSED;
	return ret;
}

static void connect_server(const char *args)
{
	int sock = talk_connect(client.socket_path);
	int ret = sock;

	(void)args;
	wire_close(&client.wire);
	if (sock >= 0) {
		ret = open_wire(sock);
		close(sock);
	}
	say_result("connected", ret, 0);
}

/* Returns a completion status (0: success) or a negative errno. */
static int write_chunk(size_t offset, size_t len)
{
	struct ibv_mr *mr;
	int ret = mr_reg(&client.nic, client.data + offset, len, MR_READER, &mr);

	if (ret)
		return ret;
	ret = wire_write(&client.wire, mr, len, client.server.addr + offset,
			 client.server.rkey);
	ibv_dereg_mr(mr);
	return ret;
}

static int write_range(size_t offset, size_t len)
{
	int ret = 0;

	while (len && !ret) {
		size_t part = len < CHUNK ? len : CHUNK;

		ret = write_chunk(offset, part);
		offset += part;
		len -= part;
	}
	return ret;
}

static void write_server(const char *args)
{
	uint64_t start = now_us();
	size_t offset, len;
	int ret;

	if (sscanf(args, "%zu %zu", &offset, &len) != 2 || offset > client.size ||
	    len > client.size - offset) {
		say_result("wrote", -EINVAL, 0);
		return;
	}
	ret = write_range(offset, len);
	say("wrote status=%d bytes=%zu usec=%llu text=%s", ret, len,
	    (unsigned long long)(now_us() - start),
	    ret < 0 ? strerror(-ret) : ibv_wc_status_str(ret));
}

static void load(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st))
		err(EXIT_FAILURE, "%s", path);
	client.size = st.st_size;
	client.data = mmap(NULL, client.size, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (client.data == MAP_FAILED)
		err(EXIT_FAILURE, "cannot allocate %zu bytes", client.size);
	for (size_t done = 0; done < client.size;) {
		ssize_t got = read(fd, client.data + done, client.size - done);

		if (got <= 0)
			err(EXIT_FAILURE, "%s", path);
		done += got;
	}
	close(fd);
}

static const struct talk_command commands[] = {
	{ "connect", connect_server },
	{ "write", write_server },
	{ }
};

int main(int argc, char **argv)
{
	int ret;

	if (argc != 3)
		errx(EXIT_FAILURE, "usage: demo-client SOCKET DATAFILE");
	client.socket_path = argv[1];
	load(argv[2]);
	ret = nic_open(&client.nic, ENV_RXE);
	if (ret)
		errx(EXIT_FAILURE, "%s: %s", ENV_RXE, strerror(-ret));
	connect_server("");
	talk(commands, NULL, 0);
	return EXIT_SUCCESS;
}
