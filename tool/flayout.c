// SPDX-License-Identifier: GPL-2.0
/* flayout: show and end layout leases, and run programs under them.  See flayout(1). */
#include "flayout.h"

#include <err.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "system.h"

struct command {
	const char *name;
	int (*main)(int argc, char **argv);
	int failure;
	const char *help;
};

static const struct command commands[] = {
	{ "list", list_main, EXIT_FAILURE,
	  "show layout leases and the pins that stand on them" },
	{ "show", show_main, EXIT_FAILURE, "tell everything of one file" },
	{ "watch", watch_main, EXIT_FAILURE, "print what happens to leases, live" },
	{ "hold", hold_main, EXIT_NO_ANSWER,
	  "run a command while holding leases on files" },
	{ "revoke", revoke_main, EXIT_FAILURE, "take leases away from their holders" },
	{ "why", why_main, EXIT_NO_ANSWER,
	  "explain what would happen to a truncate of a file now" },
	{ "check", check_main, EXIT_NO_ANSWER,
	  "find out whether a file and its system are fit for leases" },
};

#define NR_COMMANDS	(sizeof(commands) / sizeof(commands[0]))

int exit_failure = EXIT_FAILURE;

static int help(void)
{
	puts("Usage: flayout [--sysroot DIR] COMMAND [OPTIONS] ...\n"
	     "\n"
	     "Layout leases let RDMA and its like pin the memory of files.\n"
	     "\n"
	     "Commands:");
	for (size_t i = 0; i < NR_COMMANDS; i++)
		printf("  %-10s %s\n", commands[i].name, commands[i].help);
	puts("\n"
	     "Options:\n"
	     "      --sysroot DIR  DIR is the root of what is read of /proc and /sys\n"
	     "  -h, --help         this text; flayout COMMAND --help tells more\n"
	     "  -V, --version      the version");
	return EXIT_SUCCESS;
}

static int run(const struct command *command, int argc, char **argv)
{
	int status;

	exit_failure = command->failure;
	status = command->main(argc, argv);
	if (fflush(stdout) || ferror(stdout))
		err(exit_failure, "cannot write");
	return status;
}

/* Before COMMAND; returns how many arguments were taken. */
static int global_options(int argc, char **argv)
{
	if (argc < 2 || strcmp(argv[1], "--sysroot"))
		return 0;
	if (argc < 3)
		errx(EXIT_FAILURE, "--sysroot wants a directory");
	system_set_root(argv[2]);
	return 2;
}

/*
 * Of those that are closed, so that no file of ours gets their numbers: "hold"
 * leaves them to the command, which would write into a leased file.  They are
 * opened the wrong way round, so that using them fails as before.
 */
static void open_standard_files(void)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
		if (fcntl(fd, F_GETFD) < 0 &&
		    open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY) != fd)
			exit(EXIT_NO_ANSWER);	/* with no place for a message */
	}
}

int main(int argc, char **argv)
{
	int taken;

	open_standard_files();
	taken = global_options(argc, argv);
	argc -= taken;
	argv += taken;
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
