/* SPDX-License-Identifier: GPL-2.0 */
/*
 * How the parts of the demo talk: commands, one a line, on standard input;
 * answers of the form "word key=value ..." on standard output, the last key
 * (text=) taking the rest of the line; and unix sockets among themselves.
 */
#ifndef FLAYOUT_DEMO_TALK_H
#define FLAYOUT_DEMO_TALK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../tests/guest/lib/rdma.h"

/* A command: @run gets the text behind its name, "" if there is none. */
struct talk_command {
	const char *name;
	void (*run)(const char *args);
};

/* Another descriptor to watch; @ready is called when it can be read. */
struct talk_source {
	int fd;			/* -1: not in use */
	void (*ready)(void);
};

/* What server and client tell each other when they connect. */
struct greeting {
	struct wire_address address;
	uint64_t addr;		/* of the server's memory region, in its memory */
	uint64_t len;		/* bytes */
	uint32_t rkey;
};

#define TALK_SOURCES	4	/* at most */

/**
 * talk - obey @commands, which end with a nameless one, and watch @nr @sources
 *
 * Returns at the end of standard input or at the command "quit".
 */
void talk(const struct talk_command *commands, struct talk_source *sources, size_t nr);

/** say - print one line of an answer at once */
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/** say_result - "WORD errno=N usec=N text=..."; @ret is 0 or a negative errno */
void say_result(const char *word, int ret, uint64_t usec);

/** now_us - microseconds of the monotonic clock */
uint64_t now_us(void);

/** talk_listen - a listening unix socket at @path, replacing what is there; or -errno */
int talk_listen(const char *path);

/** talk_connect - connect to it; a socket or -errno */
int talk_connect(const char *path);

/** talk_swap - send our greeting and receive the other side's; 0 or -errno */
int talk_swap(int sock, const struct greeting *ours, struct greeting *theirs);

#endif
