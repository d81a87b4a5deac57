// SPDX-License-Identifier: GPL-2.0
/*
 * dax-rdma-server: lets remote programs read and write a file on a DAX file
 * system by RDMA, without a copy and without a thread that serves them.
 *
 *   dax-rdma-server [-i] [-p PORT] ADDRESS FILE
 *
 * Start reading in export.c: how a file becomes memory of the device.  breaks.c
 * is what makes a good neighbour of it: how to let go when others want to
 * truncate the file.  clients.c are the connections.
 */
#include <err.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "server.h"

void say_served(const struct server *server)
{
	struct message region = export_region(&server->export);

	say("serving %llu bytes of %s, key %#x", (unsigned long long)region.len,
	    server->export.path, region.rkey);
}

static int serve(struct server *server)
{
	struct pollfd fds[] = {
		{ .fd = server->clients.channel->fd, .events = POLLIN },
		{ .fd = server->clients.completions->fd, .events = POLLIN },
		{ .fd = flayout_fd(server->export.fl), .events = POLLIN },
	};
	int ret = 0;

	while (!stop && !ret) {
		if (poll(fds, 3, breaks_timeout(server)) < 0)
			continue;
		if (fds[0].revents)
			clients_event(server);
		if (fds[1].revents)
			clients_news(server);
		if (fds[2].revents)
			breaks_event(server);
		ret = breaks_tick(server);
	}
	return ret;
}

static void __attribute__((noreturn)) usage(int status)
{
	fprintf(status ? stderr : stdout,
		"usage: dax-rdma-server [-i] [-p PORT] ADDRESS FILE\n\n"
		"  -i        ignore breaks: the lease is revoked when its time is over\n"
		"  -p PORT   to listen at (%s)\n\n"
		"ADDRESS is that of an RDMA device of this host.\n", PROTOCOL_PORT);
	exit(status);
}

int main(int argc, char **argv)
{
	struct server server = { .phase = SERVING };
	const char *port = PROTOCOL_PORT;
	int option, ret;

	while ((option = getopt(argc, argv, "hip:")) != -1) {
		switch (option) {
		case 'h':
			usage(EXIT_SUCCESS);
		case 'i':
			server.ignore_breaks = true;
			break;
		case 'p':
			port = optarg;
			break;
		default:
			usage(EXIT_FAILURE);
		}
	}
	if (argc - optind != 2)
		usage(EXIT_FAILURE);
	catch_signals();
	ret = clients_open(&server.clients, argv[optind], port);
	if (ret)
		errx(EXIT_FAILURE, "cannot listen at %s: %s", argv[optind], strerror(-ret));
	ret = export_open(&server.export, server.clients.pd, argv[optind + 1]);
	if (!ret) {
		say_served(&server);
		ret = serve(&server);
	}
	/* The file first: it is registered in the domain that connections end with. */
	export_close(&server.export);
	clients_close(&server.clients);
	return ret ? EXIT_FAILURE : EXIT_SUCCESS;
}
