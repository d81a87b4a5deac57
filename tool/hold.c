// SPDX-License-Identifier: GPL-2.0
/* flayout hold: its options.  hold_run.c does the work. */
#include "hold.h"

#include <err.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "flayout.h"

static void help(void)
{
	puts("Usage: flayout hold [OPTIONS] FILE... -- COMMAND [ARG...]\n"
	     "\n"
	     "Run COMMAND while holding layout leases on FILEs, so that it can register\n"
	     "mappings of them (RDMA and its like) though it knows nothing of leases.\n"
	     "\n"
	     "Options:\n"
	     "  -u, --unbreak        truncation and its like by others fail with ETXTBSY\n"
	     "                       instead of breaking the lease\n"
	     "      --on-break=WHAT  what happens when a lease is broken:\n"
	     "                       wait: nothing, the kernel revokes the lease in the end\n"
	     "                       signal[=SIG]: COMMAND gets SIG, TERM by default\n"
	     "                       kill: COMMAND gets SIGKILL\n"
	     "                       drop: the lease is let go as soon as nothing is\n"
	     "                       registered under it; COMMAND runs on without\n"
	     "  -R, --range START:LEN  the bytes to lease (K, M, G, T may follow), LEN 0:\n"
	     "                       to the end; all by default\n"
	     "  -s, --signal SIG     name or number; means --on-break=signal=SIG\n"
	     "  -q, --quiet          do not tell of breaks on stderr\n"
	     "  -h, --help           this text\n"
	     "\n"
	     "Exit status: that of COMMAND; 128+N if signal N killed it; 124 if it died of\n"
	     "the signal --on-break sent; 125 if flayout itself failed, 126 if COMMAND cannot\n"
	     "be executed, 127 if it is not found.");
}

static void set_on_break(struct hold *hold, const char *arg)
{
	hold->drop = !strcmp(arg, "drop");
	if (!strcmp(arg, "wait") || hold->drop)
		hold->break_signal = 0;
	else if (!strcmp(arg, "kill"))
		hold->break_signal = SIGKILL;
	else if (!strncmp(arg, "signal=", 7))
		hold->break_signal = option_signal(arg + 7);
	else if (!strcmp(arg, "signal"))
		/* keeps what an earlier --signal has chosen */
		hold->break_signal = hold->break_signal ?: SIGTERM;
	else
		errx(exit_failure, "--on-break wants wait, signal, signal=SIG, kill or drop, not '%s'",
		     arg);
}

enum { OPTION_ON_BREAK = 256 };

static const struct option long_options[] = {
	{ "help", no_argument, NULL, 'h' },
	{ "on-break", required_argument, NULL, OPTION_ON_BREAK },
	{ "quiet", no_argument, NULL, 'q' },
	{ "range", required_argument, NULL, 'R' },
	{ "signal", required_argument, NULL, 's' },
	{ "unbreak", no_argument, NULL, 'u' },
	{ }
};

static void set_option(struct hold *hold, int c)
{
	switch (c) {
	case 'q':
		hold->quiet = true;
		break;
	case 'R':
		hold->range = option_range(optarg);
		break;
	case 's':
		hold->break_signal = option_signal(optarg);
		hold->drop = false;
		break;
	case 'u':
		hold->unbreak = true;
		break;
	case OPTION_ON_BREAK:
		set_on_break(hold, optarg);
		break;
	case 'h':
		help();
		exit(EXIT_SUCCESS);
	default:
		errx(exit_failure, "try 'flayout hold --help'");
	}
}

/* FILE... -- COMMAND [ARG...] */
static void parse_operands(struct hold *hold, char **operands)
{
	int nr = 0;

	while (operands[nr] && strcmp(operands[nr], "--"))
		nr++;
	if (!nr)
		errx(exit_failure, "a FILE to lease is missing");
	if (!operands[nr] || !operands[nr + 1])
		errx(exit_failure, "'-- COMMAND' is missing after the files");
	hold->files = calloc(nr, sizeof(*hold->files));
	if (!hold->files)
		err(exit_failure, "cannot allocate");
	for (int i = 0; i < nr; i++)
		hold->files[i].path = operands[i];
	hold->nr_files = nr;
	hold->command = &operands[nr + 1];
}

int hold_main(int argc, char **argv)
{
	struct hold options = { };
	int c;

	/* '+': options end at the first FILE; COMMAND has its own. */
	while ((c = getopt_long(argc, argv, "+hqR:s:u", long_options, NULL)) != -1)
		set_option(&options, c);
	parse_operands(&options, argv + optind);
	return hold_run(&options);
}
