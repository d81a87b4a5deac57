// SPDX-License-Identifier: GPL-2.0
/*
 * demo-server: an RDMA server that lets its clients write into a file.
 *
 * Opens the file, leases its layout, maps it, registers the mapping.  When the
 * lease is being broken a cooperative server deregisters and drops the lease; a
 * deaf one (-d) goes on as if nothing had happened.
 *
 *   demo-server [-d] [-l none|shared|unbreak] FILE SOCKET
 *
 * Commands on standard input are in the table at the end; see talk.h.
 */
#include <err.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../tests/guest/env.h"
#include "../tests/guest/lib/lease.h"
#include "../tests/guest/lib/peer.h"
#include "talk.h"

#define MAX_CLIENTS	8

enum lease_mode { LEASE_NONE, LEASE_SHARED, LEASE_UNBREAK };

static struct server {
	enum lease_mode mode;
	bool deaf;
	const char *path;
	int fd;
	int event_fd;
	int listen_fd;
	size_t size;		/* of the mapping */
	void *map;
	struct nic nic;
	struct ibv_mr *mr;
	struct greeting greeting;	/* names the last region, alive or not */
	struct wire wires[MAX_CLIENTS];
	unsigned int nr_wires;
} server;

static const char *state_name(unsigned int state)
{
	static const char *const names[] = {
		[LAYOUT_NONE] = "none", [LAYOUT_ACTIVE] = "active",
		[LAYOUT_BREAKING] = "breaking", [LAYOUT_DRAINING] = "draining",
		[LAYOUT_REVOKED] = "revoked",
	};

	return state <= LAYOUT_REVOKED ? names[state] : "unknown";
}

static void take_lease(const char *args)
{
	unsigned int flags = server.mode == LEASE_UNBREAK ? LAYOUT_LEASE_UNBREAK : 0;
	uint64_t start = now_us();
	int ret;

	(void)args;
	ret = lease_take(server.fd, flags, 0, 0, server.event_fd);
	say_result("leased", ret, now_us() - start);
}

/* As much of the mapping as the file has now. */
static size_t file_bytes(void)
{
	struct stat st;

	if (fstat(server.fd, &st))
		return 0;
	return (size_t)st.st_size < server.size ? (size_t)st.st_size : server.size;
}

static void register_file(const char *args)
{
	size_t len = file_bytes();
	uint64_t start = now_us();
	int ret;

	(void)args;
	ret = mr_reg(&server.nic, server.map, len, MR_SERVER, &server.mr);
	if (!ret) {
		server.greeting.addr = (unsigned long)server.map;
		server.greeting.len = len;
		server.greeting.rkey = server.mr->rkey;
	}
	say_result("registered", ret, now_us() - start);
}

static void deregister(const char *args)
{
	uint64_t start = now_us();
	int ret = server.mr ? -ibv_dereg_mr(server.mr) : -ENOENT;

	(void)args;
	server.mr = NULL;
	say_result("deregistered", ret, now_us() - start);
}

/* Would memory that has nothing to do with files still be registered? */
static void probe(const char *args)
{
	static char page[4096] __attribute__((aligned(4096)));

	(void)args;
	say_result("probed", mr_try(&server.nic, page, sizeof(page), MR_SERVER), 0);
}

static void show_state(const char *args)
{
	struct layout_lease lease = lease_see(server.fd);

	(void)args;
	say("lease state=%s pins=%llu pages=%llu denied=%llu", state_name(lease.state),
	    lease.pins, lease.pinned_pages, lease.denied);
}

/* The last references to the buffer file: its mapping and its descriptor. */
static void close_file(const char *args)
{
	uint64_t start = now_us();
	int ret = munmap(server.map, server.size) ? -errno : 0;

	(void)args;
	if (!ret && close(server.fd))
		ret = -errno;
	server.fd = -1;
	say_result("closed", ret, now_us() - start);
}

/* Give the context file, and the number of our protection domain, to @path. */
static void pass_context(const char *path)
{
	uint32_t pd = server.nic.pd->handle;
	int sock = talk_connect(path);
	int ret = sock < 0 ? sock : fd_send(sock, server.nic.ctx->cmd_fd);

	if (!ret && send(sock, &pd, sizeof(pd), MSG_NOSIGNAL) != sizeof(pd))
		ret = -EPIPE;
	if (sock >= 0)
		close(sock);
	say_result("passed", ret, 0);
}

static void release(void)
{
	uint64_t start = now_us();
	int ret = server.mr ? -ibv_dereg_mr(server.mr) : 0;

	server.mr = NULL;
	if (!ret)
		ret = lease_drop(server.fd);
	say_result("released", ret, now_us() - start);
}

static void on_event(void)
{
	struct layout_lease lease;
	uint64_t events;

	if (read(server.event_fd, &events, sizeof(events)) != sizeof(events))
		return;
	lease = lease_see(server.fd);
	say("event state=%s start=%llu len=%llu msecs=%u denied=%llu", state_name(lease.state),
	    lease.break_start, lease.break_len, lease.break_msecs, lease.denied);
	if (lease.state == LAYOUT_BREAKING && !server.deaf)
		release();
}

static int serve_client(int sock)
{
	struct wire *wire = &server.wires[server.nr_wires];
	struct greeting theirs;
	int ret = server.nr_wires < MAX_CLIENTS ? wire_open(wire, &server.nic) : -EUSERS;

	if (ret)
		return ret;
	server.nr_wires++;
	server.greeting.address = wire_address(wire, &server.nic);
	ret = talk_swap(sock, &server.greeting, &theirs);
	return ret ? ret : wire_connect(wire, &server.nic, &theirs.address);
}

/* Hanging up without a word would leave the client waiting: it sees the end. */
static void on_client(void)
{
	int sock = accept(server.listen_fd, NULL, NULL);
	int ret = sock < 0 ? -errno : serve_client(sock);
	char done = 1;

	if (!ret && send(sock, &done, 1, MSG_NOSIGNAL) != 1)
		ret = -EPIPE;
	if (sock >= 0)
		close(sock);
	if (ret)
		warnx("client turned away: %s", strerror(-ret));
}

static void open_all(const char *path, const char *socket_path)
{
	int ret;

	server.path = path;
	server.fd = open(path, O_RDWR | O_CLOEXEC);
	if (server.fd < 0)
		err(EXIT_FAILURE, "%s", path);
	server.size = SIZE_MAX;
	server.size = file_bytes();
	server.map = mmap(NULL, server.size, PROT_READ | PROT_WRITE, MAP_SHARED, server.fd, 0);
	if (server.map == MAP_FAILED)
		err(EXIT_FAILURE, "%s: cannot map it", path);
	server.event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	server.listen_fd = talk_listen(socket_path);
	if (server.event_fd < 0 || server.listen_fd < 0)
		errx(EXIT_FAILURE, "cannot make an eventfd or listen at %s", socket_path);
	ret = nic_open(&server.nic, ENV_RXE);
	if (ret)
		errx(EXIT_FAILURE, "%s: %s", ENV_RXE, strerror(-ret));
}

static void usage(void)
{
	errx(EXIT_FAILURE, "usage: demo-server [-d] [-l none|shared|unbreak] FILE SOCKET");
}

static enum lease_mode parse_mode(const char *arg)
{
	if (!strcmp(arg, "none"))
		return LEASE_NONE;
	if (!strcmp(arg, "shared"))
		return LEASE_SHARED;
	if (strcmp(arg, "unbreak"))
		usage();
	return LEASE_UNBREAK;
}

static void parse_options(int argc, char **argv)
{
	int c;

	server.mode = LEASE_SHARED;
	while ((c = getopt(argc, argv, "dl:")) != -1) {
		if (c == 'd')
			server.deaf = true;
		else if (c == 'l')
			server.mode = parse_mode(optarg);
		else
			usage();
	}
	if (argc - optind != 2)
		usage();
}

static const struct talk_command commands[] = {
	{ "lease", take_lease },
	{ "register", register_file },
	{ "deregister", deregister },
	{ "probe", probe },
	{ "state", show_state },
	{ "close", close_file },
	{ "pass", pass_context },
	{ }
};

int main(int argc, char **argv)
{
	struct talk_source sources[] = { { -1, on_event }, { -1, on_client } };

	parse_options(argc, argv);
	open_all(argv[optind], argv[optind + 1]);
	if (server.mode != LEASE_NONE)
		take_lease("");
	register_file("");
	sources[0].fd = server.event_fd;
	sources[1].fd = server.listen_fd;
	talk(commands, sources, 2);
	return EXIT_SUCCESS;
}
