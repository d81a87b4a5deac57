// SPDX-License-Identifier: GPL-2.0
/* flayout: show layout leases, and run programs under them.  See flayout(1). */
#include "flayout.h"

#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct command {
	const char *name;
	int (*main)(int argc, char **argv);
	const char *help;
};

static const struct command commands[] = {
	{ "list", list_main, "show layout leases and the pins that stand on them" },
	{ "hold", hold_main, "run a command while holding leases on files" },
};

#define NR_COMMANDS	(sizeof(commands) / sizeof(commands[0]))

static int help(void)
{
	puts("Usage: flayout COMMAND [OPTIONS] ...\n"
	     "\n"
	     "Layout leases let RDMA and its like pin the memory of files.\n"
	     "\n"
	     "Commands:");
	for (size_t i = 0; i < NR_COMMANDS; i++)
		printf("  %-10s %s\n", commands[i].name, commands[i].help);
	puts("\n"
	     "Options:\n"
	     "  -h, --help     this text; flayout COMMAND --help tells more\n"
	     "  -V, --version  the version");
	return EXIT_SUCCESS;
}

static int run(const struct command *command, int argc, char **argv)
{
	int status = command->main(argc, argv);

	if (fflush(stdout) || ferror(stdout)) {
		warn("cannot write");
		return EXIT_FAILURE;
	}
	return status;
}

int main(int argc, char **argv)
{
	if (argc < 2)
		errx(EXIT_FAILURE, "a command is missing; try 'flayout --help'");
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h"))
		return help();
	if (!strcmp(argv[1], "--version") || !strcmp(argv[1], "-V"))
		return puts("flayout " FLAYOUT_VERSION) < 0;
	for (size_t i = 0; i < NR_COMMANDS; i++) {
		if (!strcmp(argv[1], commands[i].name))
			return run(&commands[i], argc - 1, argv + 1);
	}
	errx(EXIT_FAILURE, "'%s' is no command; try 'flayout --help'", argv[1]);
}
