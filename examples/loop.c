// SPDX-License-Identifier: GPL-2.0
/*
 * A client that writes all the time, and says once a second what it sees.  It
 * stops when it is asked to, and comes back after every error.
 */
#include "loop.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "program.h"
#include "remote.h"

#define BLOCK		(64UL << 10)	/* bytes of one write at most */
#define AGAIN_US	200000		/* between two tries to connect */
#define PATIENCE_MS	60000		/* until it gives up */

static struct {
	uint64_t writes;	/* in all */
	uint64_t told;		/* of them in earlier lines */
	unsigned int stops;	/* we were asked for */
	unsigned int errors;
	unsigned int wrong;	/* blocks that were not read back as written */
} seen;

/* The last write, for reading back. */
static struct {
	uint64_t offset;
	size_t len;		/* 0: the file may have changed since */
	uint64_t number;
} last;

static void told(const struct message *message)
{
	if (message->type == MSG_REGION)
		last.len = 0;
	if (message->type == MSG_QUIESCE) {
		seen.stops++;
		say("the server asks me to stop");
	} else if (message->type == MSG_REGION && message->len) {
		say("the file is there: %llu bytes, key %#x", (unsigned long long)message->len,
		    message->rkey);
	} else if (message->type == MSG_REGION) {
		say("the file is empty");
	}
}

/* A server that retakes its lease may be late. */
static int connect_again(struct remote *remote, const char *address, const char *port)
{
	uint64_t until = now_ms() + PATIENCE_MS;
	int ret = -EINTR;

	while (!stop) {
		remote_close(remote);
		ret = remote_connect(remote, address, port);
		if (!ret || now_ms() > until)
			break;
		usleep(AGAIN_US);
	}
	return ret;
}

/* Each block is unlike the one before. */
static void fill(char *block, uint64_t number)
{
	for (size_t i = 0; i < BLOCK; i += sizeof(number))
		memcpy(block + i, &number, sizeof(number));
}

static bool is_filled(const char *block, size_t len, uint64_t number)
{
	size_t first = len < sizeof(number) ? len : sizeof(number);

	return !memcmp(block, &number, first) && !memcmp(block, block + first, len - first);
}

/* Block after block, round and round; all of a file that is smaller than one. */
static void choose_place(const struct remote *remote)
{
	uint64_t blocks = remote->region.len / BLOCK;

	last.number = seen.writes;
	last.offset = blocks ? last.number % blocks * BLOCK : 0;
	last.len = blocks ? BLOCK : remote->region.len;
}

static int write_one(struct remote *remote)
{
	int ret = remote_ready(remote);

	if (ret)
		return ret;
	choose_place(remote);
	fill(remote->buffer, last.number);
	ret = remote_write(remote, last.offset, last.len);
	if (!ret)
		seen.writes++;
	return ret;
}

/* The server may tell of another file while we read: then it proves nothing. */
static int read_back(struct remote *remote)
{
	size_t len = last.len;
	int ret = remote_read(remote, last.offset, len);

	if (ret || !last.len || is_filled(remote->buffer, len, last.number))
		return ret;
	seen.wrong++;
	say("NOT read back as it was written");
	return 0;
}

static int report(struct remote *remote)
{
	say("%llu writes in the last second",
	    (unsigned long long)(seen.writes - seen.told));
	seen.told = seen.writes;
	return remote->usable && last.len ? read_back(remote) : 0;
}

/* Until something fails, or the time is over. */
static int write_on(struct remote *remote, uint64_t end)
{
	uint64_t next = now_ms() + 1000, now;
	int ret = 0;

	while (!stop && !ret) {
		now = now_ms();
		if (end && now >= end)
			break;
		if (now >= next) {
			ret = report(remote);
			next = now + 1000;
		}
		if (!ret)
			ret = write_one(remote);
		/* It has become shorter since we looked. */
		if (ret == -ERANGE)
			ret = 0;
	}
	return ret;
}

/* True if it is worth another connection. */
static bool survive(int result)
{
	if (result == -EINTR || stop)
		return false;
	seen.errors++;
	say("%s", remote_text(result));
	return result > 0 || result == -ENOTCONN;
}

int loop(const char *address, const char *port, unsigned int seconds)
{
	uint64_t end = seconds ? now_ms() + seconds * 1000ULL : 0;
	struct remote remote = { .told = told };
	int ret;

	catch_signals();
	do {
		ret = connect_again(&remote, address, port);
		if (ret)
			break;
		say("connected to %s", address);
		ret = write_on(&remote, end);
	} while (ret && survive(ret));
	remote_close(&remote);
	say("%llu writes; stops: %u; errors: %u; not as written: %u",
	    (unsigned long long)seen.writes, seen.stops, seen.errors, seen.wrong);
	return (ret && !stop) || seen.wrong ? EXIT_FAILURE : EXIT_SUCCESS;
}
