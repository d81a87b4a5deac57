/* SPDX-License-Identifier: GPL-2.0 */
/* Commands of flayout(1).  Each gets its own argv and returns an exit status. */
#ifndef FLAYOUT_TOOL_H
#define FLAYOUT_TOOL_H

/*
 * Exit statuses: this is the one list; flayout(1) explains it.  Commands whose
 * status is an answer, or that of another program, fail with EXIT_NO_ANSWER, as
 * env(1) and timeout(1) do; the others with EXIT_FAILURE.
 */
enum {
	/* why: a truncate would ... */
	WHY_FREE = 0,		/* ... just happen */
	WHY_BREAKS = 1,		/* ... break leases, and may have to wait */
	WHY_REFUSED = 2,	/* ... fail */

	/* check: the worst that was found */
	CHECK_FIT = 0,
	CHECK_WARNING = 1,
	CHECK_PROBLEM = 2,

	/* hold: if none of these, that of the command */
	HOLD_BROKEN = 124,	/* a break ended the command, as --on-break asked */
	EXIT_NO_ANSWER = 125,	/* flayout failed; the command did not run */
	HOLD_CANNOT_RUN = 126,	/* the command is there but cannot be executed */
	HOLD_NOT_FOUND = 127,	/* there is no such command */
	HOLD_SIGNALLED = 128,	/* plus the signal that killed the command */
};

/* What the running command exits with if it fails. */
extern int exit_failure;

int check_main(int argc, char **argv);
int hold_main(int argc, char **argv);
int list_main(int argc, char **argv);
int revoke_main(int argc, char **argv);
int show_main(int argc, char **argv);
int watch_main(int argc, char **argv);
int why_main(int argc, char **argv);

#endif
