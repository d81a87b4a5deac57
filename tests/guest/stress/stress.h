/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The stress: many processes that do at random what leases, pins and breakers
 * allow, and others that watch them from outside.
 *
 *   worker    takes and drops leases, registers with devices and rings, cuts files,
 *             forks, exits
 *   child     of a worker: does some of that with what it inherited
 *   writer    one for each worker: writes by RDMA to the worker's regions, on
 *             and on, also when the worker has been killed
 *   grabber   makes new files of freed blocks and watches what is in them
 *   checker   compares what the kernel reports, the layout and the contents
 *   main      kills and restarts workers, and sees that nobody hangs
 *
 * All share one table.  A file holds nothing but its own letter, zeros, and the
 * filling of donors; a file of a grabber nothing but the grabber's pattern.
 *
 * Each life of a worker draws from a sequence of its own, which the seed of the
 * run, the worker's place and the number of its life determine.
 */
#ifndef FLAYOUT_TESTS_STRESS_H
#define FLAYOUT_TESTS_STRESS_H

#include <stdbool.h>
#include <sys/types.h>

#include "../lib/file.h"
#include "../lib/lease.h"
#include "../lib/peer.h"
#include "../lib/rdma.h"
#include "../lib/rig.h"

#define WORKERS		6		/* at most */
#define GRABBERS	2
#define FILES		8
#define REGIONS		4		/* of one worker */
#define RING_BUFFERS	2		/* of one worker */
#define NOTES		(REGIONS + RING_BUFFERS)
#define FILE_MAX	RIG_SIZE	/* files are cut and grown, seldom beyond this */
#define DONOR_FILL	'd'		/* as lib/operation.c fills them */
#define SKIPPED		1		/* an action found nothing to work on */

/* Places in the table, one for each process there can be. */
enum {
	AT_WORKER = 0,
	AT_CHILD = AT_WORKER + WORKERS,
	AT_WRITER = AT_CHILD + WORKERS,
	AT_GRABBER = AT_WRITER + WORKERS,
	AT_CHECKER = AT_GRABBER + GRABBERS,
	PLACES,
};

/* What is checked all the time; each is a test of its own in the end. */
enum check {
	CHECK_TIME,		/* every operation ends in bounded time */
	CHECK_DEATH,		/* who is killed is gone in bounded time */
	CHECK_ANSWER,		/* no error that nobody should see */
	CHECK_SUMS,		/* pin records add up to the counters of their lease */
	CHECK_RANGE,		/* a pinned range lies in its lease */
	CHECK_LAYOUT,		/* blocks do not move under a pin */
	CHECK_OWNER,		/* a pinned block is neither free nor another file's */
	CHECK_CONTENT,		/* a file holds nothing of another file */
	CHECK_GRABBED,		/* nobody writes to blocks that were freed */
	CHECK_VMPIN,		/* who has deregistered all has nothing pinned */
	CHECKS,
};

struct random {
	__u64 state;
};

/* Whether a process gets on; main's. */
struct progress {
	unsigned long mark;	/* grows whenever it runs */
	unsigned long since;	/* now_ms() when that was new */
};

/* What one process does, and since when; written by it alone. */
struct place {
	pid_t pid;
	unsigned int life;	/* how often it was started */
	const char *doing;	/* NULL: nothing that takes time */
	unsigned long since;	/* now_ms() */
	__u64 bound;		/* milliseconds it may take */
	struct progress progress;
};

/* A region or fixed buffer some worker has registered: [start, start+len) of a file. */
struct region_note {
	unsigned int gen;	/* changes with each registration and each end of one */
	bool live;
	pid_t pid;
	int file;
	__u64 start, len;
};

/* Between a worker and its writer. */
struct line {
	unsigned int asked, answered;		/* connections: wanted and made */
	bool up;				/* the last one still works */
	struct wire_address server, client;
	unsigned int seq;			/* odd while the target changes */
	struct line_target {
		__u64 addr;
		__u32 rkey, len;		/* 0: no target */
		char fill;
	} target;
	unsigned long written, refused;		/* RDMA writes */
};

struct stress_file {
	char path[FILE_PATH];
	const char *dir;
	dev_t dev;
	ino_t ino;
	bool dax, xfs;
	char letter;
};

#define ACTIONS	64

struct stress {
	__u64 seed;
	bool stop;
	int workers;				/* that there are: fewer on slow kernels */
	unsigned int failing;			/* percent of allocations that are made to fail */
	unsigned int failed[CHECKS];
	unsigned long looked[CHECKS];		/* how often something was checked */
	struct { unsigned long good, bad; } done[ACTIONS];
	unsigned long lives, killed, grabbed;
	unsigned long ring_good, ring_bad;	/* requests to rings */
	struct stress_file files[FILES];
	struct place at[PLACES];
	struct region_note notes[WORKERS][NOTES];
	struct line lines[WORKERS];
	int market[2];				/* descriptors passed from anybody to anybody */
};

extern struct stress *stress;

/* table.c */

/** stress_table - make the table, shared by all that are forked later; 0 or a negative errno */
int stress_table(__u64 seed, unsigned int failing);

/** stress_fail - a check has failed; says so at once, the first few times */
void stress_fail(enum check check, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/** stress_begin, stress_end - around what may take time; main watches the bound (0: the usual one) */
void stress_begin(int place, const char *doing, unsigned int bound);
void stress_end(int place);

/** stress_bound - milliseconds a breaker may take in all */
unsigned int stress_bound(void);

/**
 * stress_stuck - does a process neither run nor wait for its turn?
 * @over: milliseconds it is over its time
 *
 * On a machine that is very busy what takes long need not hang.  There is a limit to that, too.
 */
bool stress_stuck(pid_t pid, struct progress *progress, unsigned long over);

/** stress_watch - complain of everybody who takes too long; true if there is one */
bool stress_watch(void);

/** stress_file_of - index of the file that a descriptor belongs to, or -1 */
int stress_file_of(int fd);

/** stress_count - add one to a counter in the table */
void stress_count(unsigned long *counter);

/** stress_note_begin, stress_note_end - what the checker shall look after, in @slot (0 to NOTES - 1) */
void stress_note_begin(int worker, int slot, int file, __u64 start, __u64 len);
void stress_note_end(int worker, int slot);

/** stress_foreign - index of the first byte that may not be in a file; -1 if there is none */
ssize_t stress_foreign(const struct stress_file *file, const char *buf, ssize_t len);

/** random_start - begin the sequence of one life */
void random_start(struct random *rnd, int place, unsigned int life);

/** pick - a number below @n */
unsigned int pick(struct random *rnd, unsigned int n);

/** chance - true in @percent of all cases */
bool chance(struct random *rnd, unsigned int percent);

/* What the processes do; none of them returns. */
void worker_run(int worker);
void writer_run(int worker);
void grabber_run(int grabber);
void checker_run(void);

/* rdma.c: the part of a worker that has contexts and regions */

struct map {
	char *addr;
	size_t len;
	__u64 pos;		/* in the file */
	int file;
	bool writable;
};

int act_open_context(struct random *rnd);
int act_close_context(struct random *rnd);
int act_connect(struct random *rnd);
int act_aim(struct random *rnd);
int act_deregister(struct random *rnd);
int act_rereg(struct random *rnd);

/** region_register - register a random piece of a mapping */
int region_register(struct random *rnd, const struct map *map);

/** region_serve - register pieces of a mapping and have the writer write to one */
int region_serve(struct random *rnd, const struct map *map);

/** region_register_two - one region over two mappings of files, and anonymous memory behind them */
int region_register_two(struct random *rnd, int fd1, int fd2);

/** regions_end_of_file - deregister all that covers a file */
void regions_end_of_file(struct random *rnd, int file);

/** contexts_end - deregister and close all in order */
void contexts_end(struct random *rnd);

/** context_fd - descriptor of some context of this worker, or -1 */
int context_fd(struct random *rnd);

/** rdma_begin - this process is worker, or the child of worker, @worker; @tidy: closes all it opens */
void rdma_begin(int worker, bool tidy);

/* ring.c: the part of a worker that has fixed buffers */

int act_open_ring(struct random *rnd);
int act_close_ring(struct random *rnd);
int act_unregister_buffer(struct random *rnd);
int act_use_buffer(struct random *rnd);

/** ring_register - make a random piece of a mapping a fixed buffer */
int ring_register(struct random *rnd, const struct map *map);

/** ring_keep - register a descriptor with the ring, in the place of the one before */
int ring_keep(int fd);

/** ring_end_of_file - give up all buffers that lie in @file */
void ring_end_of_file(int file);

/** ring_end - close the ring, if there is one */
void ring_end(void);

/** ring_begin - this process is worker @worker */
void ring_begin(int worker);

/** ring_make_source - make the file that is read into buffers in @file; 0 or a negative errno */
int ring_make_source(int file);

/** ring_unlink - remove it, and what @worker has written to */
void ring_unlink(int worker, int file);

/* breaker.c: what changes files */

/** breaker_act - some operation on a file, by name or through @fd (-1) */
int breaker_act(struct random *rnd, int worker, int file, int fd);

/** breaker_write - write the letter of a file somewhere */
int breaker_write(struct random *rnd, int file);

/** breaker_strange - is this an errno no operation may have? */
bool breaker_strange(int error);

/** link_path - a worker's own name for a file, so that its donors are its own */
void link_path(char *path, int worker, int file);

#endif
