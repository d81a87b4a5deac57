/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A process that holds a layout lease and has a registration under it, in one
 * of several plights, until it ends or is told to let go of its files.
 */
#ifndef FLAYOUT_TESTS_HOLDER_H
#define FLAYOUT_TESTS_HOLDER_H

#include <stdbool.h>
#include <sys/types.h>

#include "file.h"

#define HOLDER_SIZE	(1024 * 1024UL)		/* bytes it registers */

enum holder_file {
	NO_FILE,
	BUFFER,			/* the leased file: its description, and a mapping */
	CONTEXT,		/* the RDMA device's file, or the ring's */
};

enum holder_plight {
	PINS,			/* a registration is complete */
	COMMAND,		/* one is in progress: it sits in a fault nobody answers */
	BREAKER,		/* complete, and somebody else breaks the lease */
	DROP,			/* complete, and a thread of the holder waits in DROP */
};

/* What a holder does when it is told to go. */
enum holder_way {
	BY_LETGO,		/* lets go of its files, one after the other */
	BY_UNMAPPING,		/* the same: the last reference is a mapping */
	BY_SENDING,		/* sends them to who has started it */
	BY_EXIT,
	BY_EXEC,		/* of HOLDER_LINGER; all is close-on-exec */
	BY_PARENTS_EXIT,	/* forks and exits; the child reports, and exits when told again */
	BY_CHILDS_EXIT,		/* forks; the child exits; reports, and exits when told again */
};

/* The argument that makes /proc/self/exe of the test do nothing but wait. */
#define HOLDER_LINGER	"linger"

struct holder_plan {
	char path[FILE_PATH];		/* the buffer file; at least HOLDER_SIZE long */
	/*
	 * The files it lets go of, in this order, which is the order of their
	 * descriptors too.  If only one is listed, the other one is kept by who
	 * has started the holder.
	 */
	enum holder_file files[2];
	bool ring;			/* it registers with io_uring, not with an RDMA device */
	enum holder_plight plight;
	enum holder_way way;
	int (*letgo)(int fd);		/* for BY_LETGO, see letgo.h */
};

struct holder {
	pid_t pid;
	int sock;
	int kept;		/* the file that does not end, or -1 */
};

/* What it tells when it has let go. */
struct holder_report {
	int ret;		/* 0, or the negative errno of what failed */
	int stays;		/* descriptor of the file that does not end, if there is one */
	int command;		/* after holder_settle(): what the registration in progress returned */
	int drop;		/* ... what DROP returned */
};

/** holder_start - fork one; 0 once it is in its plight, or a negative errno */
int holder_start(struct holder *holder, const struct holder_plan *plan);

/** holder_go - tell it to let go, or to end; does not wait */
int holder_go(struct holder *holder);

/** holder_ask - wait for its report; -ETIME, or -EPIPE if it is gone */
int holder_ask(struct holder *holder, struct holder_report *report);

/**
 * holder_settle - end its system calls in progress, after it has let go
 *
 * The fault is answered.  A DROP ends by itself if the context goes; otherwise
 * it is interrupted.
 */
int holder_settle(struct holder *holder, struct holder_report *report);

/** holder_reap - wait for its end; 0 or -ETIME */
int holder_reap(struct holder *holder);

/** holder_end - kill what is left of it; 0 or -ETIME */
int holder_end(struct holder *holder);

#endif
