/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A peer is another process that does what the test tells it to: the breaker,
 * a second holder, the far end of an RDMA connection.
 *
 * It is forked before the test opens anything, so that it holds none of the
 * test's descriptors, and runs functions of the same program on request.
 * Functions get a copy of their argument (at most PEER_ARG bytes) and a
 * descriptor that was sent with the request, or -1, which is theirs to close.
 * Between requests the peer keeps its own statics.
 */
#ifndef FLAYOUT_TESTS_PEER_H
#define FLAYOUT_TESTS_PEER_H

#include <stddef.h>
#include <sys/types.h>

#define PEER_ARG	512

typedef long (*peer_fn)(void *arg, int fd);

struct peer {
	pid_t pid;
	int sock;
	unsigned int ms;	/* how long the last function ran */
};

/** peer_spawn - fork a peer; it dies with the caller.  0 or a negative errno. */
int peer_spawn(struct peer *peer);

/** peer_start - have @fn run; returns at once.  @fd is sent along unless -1. */
int peer_start(struct peer *peer, peer_fn fn, const void *arg, size_t size, int fd);

/** peer_result - what the started function returned; -ETIME after @ms milliseconds */
long peer_result(struct peer *peer, unsigned int ms);

/** peer_busy - true if the started function has not returned within @ms milliseconds */
int peer_busy(struct peer *peer, unsigned int ms);

/** peer_call - start and wait, at most a minute (four on slow kernels) */
long peer_call(struct peer *peer, peer_fn fn, const void *arg, size_t size, int fd);

/** peer_interrupt - make a sleeping system call of the peer return EINTR */
void peer_interrupt(struct peer *peer);

/** peer_kill - SIGKILL; 0 once it is reaped, -ETIME if it is not within @ms */
int peer_kill(struct peer *peer, unsigned int ms);

/** peer_end - let the peer go, whatever it is doing */
void peer_end(struct peer *peer);

/** fd_send, fd_receive - pass a descriptor over a unix socket; 0, fd, or -errno */
int fd_send(int sock, int fd);
int fd_receive(int sock);

/** now_ms - milliseconds of the monotonic clock */
unsigned long now_ms(void);

#endif
