/* SPDX-License-Identifier: GPL-2.0 */
/*
 * dax-rdma-server inside.  One thread, one poll(): connections (clients.c),
 * breaks of the lease (breaks.c), and the time.
 */
#ifndef EXAMPLES_SERVER_H
#define EXAMPLES_SERVER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "export.h"
#include "link.h"
#include "program.h"

struct client {
	LIST_ENTRY(client) entry;
	unsigned int number;	/* for people */
	struct link link;
	bool established;
	bool busy;		/* was asked to be quiet and has not answered */
};

struct clients {
	struct rdma_event_channel *channel;
	struct rdma_cm_id *listener;
	struct ibv_comp_channel *completions;
	struct ibv_pd *pd;
	LIST_HEAD(, client) list;
	unsigned int seen;
};

enum phase {
	SERVING,	/* the file is registered */
	QUIESCING,	/* the lease is being broken: we wait for clients */
	AWAY,		/* without a lease: it is the breaker's turn */
};

struct server {
	struct export export;
	struct clients clients;
	enum phase phase;
	uint64_t since;		/* when the phase began, milliseconds */
	uint64_t until;		/* when its time is over; not for SERVING */
	bool ignore_breaks;
};

/* clients.c */

/** clients_open - listen at @address, which decides for a device; 0 or a negative errno */
int clients_open(struct clients *clients, const char *address, const char *port);

/** clients_event - a connection was asked for, made, or lost */
void clients_event(struct server *server);

/** clients_news - messages have come */
void clients_news(struct server *server);

/** clients_tell - send a message to all */
void clients_tell(struct clients *clients, struct message message);

/** clients_quiesce - ask all to be quiet; returns how many there are */
unsigned int clients_quiesce(struct clients *clients);

/** clients_quiet - have all of them answered? */
bool clients_quiet(const struct clients *clients);

void clients_close(struct clients *clients);

/* breaks.c */

/** breaks_event - flayout_fd() is readable */
void breaks_event(struct server *server);

/** breaks_tick - do what is due; 0, or a negative errno if the file cannot be served any more */
int breaks_tick(struct server *server);

/** breaks_timeout - until when to sleep, as for poll(2) */
int breaks_timeout(const struct server *server);

/* server.c */

/** say_served - what there is to be had now */
void say_served(const struct server *server);

#endif
