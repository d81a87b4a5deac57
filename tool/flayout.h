/* SPDX-License-Identifier: GPL-2.0 */
/* Commands of flayout(1).  Each gets its own argv and returns an exit status. */
#ifndef FLAYOUT_H
#define FLAYOUT_H

/* Exit statuses of "flayout hold", as env(1) and timeout(1) use them. */
enum {
	HOLD_BROKEN = 124,	/* a break ended the command, as --on-break asked */
	HOLD_FAILED = 125,	/* flayout itself failed; the command did not run */
	HOLD_CANNOT_RUN = 126,	/* the command is there but cannot be executed */
	HOLD_NOT_FOUND = 127,	/* there is no such command */
	HOLD_SIGNALLED = 128,	/* plus the signal that killed the command */
};

int list_main(int argc, char **argv);
int hold_main(int argc, char **argv);

#endif
