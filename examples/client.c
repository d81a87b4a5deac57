// SPDX-License-Identifier: GPL-2.0
/*
 * dax-rdma-client: reads and writes the file of a dax-rdma-server.
 *
 *   dax-rdma-client [-p PORT] ADDRESS COMMAND [ARGUMENT...]
 *
 * Start reading in remote.c: how a client deals with a server that has to let go
 * of its file now and then.
 */
#include <err.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "loop.h"
#include "remote.h"

static void __attribute__((noreturn)) usage(int status)
{
	fprintf(status ? stderr : stdout,
		"usage: dax-rdma-client [-p PORT] ADDRESS COMMAND\n\n"
		"  read OFFSET LENGTH         bytes of the file, to standard output\n"
		"  write OFFSET               standard input, into the file\n"
		"  flush OFFSET LENGTH        make it durable\n"
		"  atomic-write OFFSET VALUE  8 bytes at once, in the order of this machine\n"
		"  loop [SECONDS]             write on and on, and say what happens\n\n"
		"OFFSET, LENGTH and SECONDS are numbers as in C.  The file never becomes longer.\n"
		"Exit status: 0; 1: something failed; 2: a remote access error, which is what\n"
		"a client gets when the server's memory was revoked.\n");
	exit(status);
}

static uint64_t number(const char *text)
{
	char *end;
	uint64_t value;

	errno = 0;
	value = strtoull(text, &end, 0);
	if (errno || end == text || *end)
		errx(EXIT_FAILURE, "not a number: %s", text);
	return value;
}

static size_t at_most_buffer(uint64_t len)
{
	return len < REMOTE_BUFFER ? len : REMOTE_BUFFER;
}

static int read_file(struct remote *remote, char **args)
{
	uint64_t offset = number(args[0]), len = number(args[1]);
	int ret = 0;

	while (len && !ret) {
		size_t part = at_most_buffer(len);

		ret = remote_read(remote, offset, part);
		if (!ret && fwrite(remote->buffer, part, 1, stdout) != 1)
			ret = -EIO;
		offset += part;
		len -= part;
	}
	return !ret && fflush(stdout) ? -errno : ret;
}

static int write_file(struct remote *remote, char **args)
{
	uint64_t offset = number(args[0]);
	size_t part;
	int ret = 0;

	while (!ret && (part = fread(remote->buffer, 1, REMOTE_BUFFER, stdin)) > 0) {
		ret = remote_write(remote, offset, part);
		offset += part;
	}
	return !ret && ferror(stdin) ? -EIO : ret;
}

static int flush_file(struct remote *remote, char **args)
{
	fprintf(stderr, "This libibverbs has no RDMA FLUSH: "
		"reading back, then asking the server to sync the file.\n");
	return remote_flush(remote, number(args[0]), number(args[1]));
}

static int atomic_write_file(struct remote *remote, char **args)
{
	return remote_atomic_write(remote, number(args[0]), number(args[1]));
}

static const struct command {
	const char *name;
	int args;
	int (*run)(struct remote *remote, char **args);
} commands[] = {
	{ "read", 2, read_file },
	{ "write", 1, write_file },
	{ "flush", 2, flush_file },
	{ "atomic-write", 2, atomic_write_file },
	{ }
};

static const struct command *find_command(const char *name, int args)
{
	for (const struct command *command = commands; command->name; command++) {
		if (!strcmp(command->name, name) && command->args == args)
			return command;
	}
	usage(EXIT_FAILURE);
}

static int run(const struct command *command, const char *address, const char *port, char **args)
{
	struct remote remote = { };
	int ret = remote_connect(&remote, address, port);

	if (ret)
		warnx("cannot connect to %s: %s", address, strerror(-ret));
	else
		ret = command->run(&remote, args);
	if (ret)
		warnx("%s: %s", command->name, remote_text(ret));
	remote_close(&remote);
	if (ret == IBV_WC_REM_ACCESS_ERR)
		return 2;
	return ret ? EXIT_FAILURE : EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	const char *port = PROTOCOL_PORT;
	char **args;
	int option;

	while ((option = getopt(argc, argv, "+hp:")) != -1) {
		switch (option) {
		case 'h':
			usage(EXIT_SUCCESS);
		case 'p':
			port = optarg;
			break;
		default:
			usage(EXIT_FAILURE);
		}
	}
	args = argv + optind;
	argc -= optind;
	if (argc < 2)
		usage(EXIT_FAILURE);
	if (!strcmp(args[1], "loop") && argc <= 3)
		return loop(args[0], port, argc == 3 ? number(args[2]) : 0);
	return run(find_command(args[1], argc - 2), args[0], port, args + 2);
}
