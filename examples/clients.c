// SPDX-License-Identifier: GPL-2.0
/* The server's connections; see server.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "server.h"

#define BACKLOG	16

/*
 * Listening
 */

static int listen_at(struct clients *clients, const char *address, const char *port)
{
	struct rdma_addrinfo hints = { .ai_flags = RAI_PASSIVE, .ai_port_space = RDMA_PS_TCP };
	struct rdma_addrinfo *info;
	int ret = 0;

	if (rdma_getaddrinfo(address, port, &hints, &info))
		return -errno;
	if (rdma_create_id(clients->channel, &clients->listener, NULL, RDMA_PS_TCP) ||
	    rdma_bind_addr(clients->listener, info->ai_src_addr) ||
	    rdma_listen(clients->listener, BACKLOG))
		ret = -errno;
	rdma_freeaddrinfo(info);
	/* Only an address of a device has one; 0.0.0.0 has not. */
	return !ret && !clients->listener->verbs ? -ENODEV : ret;
}

/* Readable does not mean that there is something left to read. */
static int never_wait(int fd)
{
	return fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) ? -errno : 0;
}

int clients_open(struct clients *clients, const char *address, const char *port)
{
	int ret;

	LIST_INIT(&clients->list);
	clients->channel = rdma_create_event_channel();
	if (!clients->channel)
		return -errno;
	ret = listen_at(clients, address, port);
	if (ret)
		return ret;
	clients->pd = ibv_alloc_pd(clients->listener->verbs);
	clients->completions = ibv_create_comp_channel(clients->listener->verbs);
	if (!clients->pd || !clients->completions)
		return -errno;
	ret = never_wait(clients->channel->fd);
	return ret ? ret : never_wait(clients->completions->fd);
}

/*
 * One of them
 */

static void drop(struct client *client)
{
	struct rdma_cm_id *id = client->link.id;

	if (client->established)
		say("client %u is gone", client->number);
	LIST_REMOVE(client, entry);
	link_close(&client->link);
	rdma_destroy_id(id);
	free(client);
}

static void tell(struct client *client, const struct message *message)
{
	/* Its end is noticed by other ways than this. */
	if (client->established)
		link_send(&client->link, message);
}

static void accept_client(struct clients *clients, struct rdma_cm_id *id)
{
	struct rdma_conn_param param = {
		.responder_resources = 1,	/* it may read from us */
		.initiator_depth = 1,
		.rnr_retry_count = 7,		/* for ever */
	};
	struct client *client = calloc(1, sizeof(*client));

	if (!client) {
		rdma_reject(id, NULL, 0);
		rdma_destroy_id(id);
		return;
	}
	client->number = ++clients->seen;
	id->context = client;
	LIST_INSERT_HEAD(&clients->list, client, entry);
	if (link_open(&client->link, id, clients->pd, clients->completions, client, false) ||
	    rdma_accept(id, &param))
		drop(client);
}

static void greet(struct server *server, struct client *client)
{
	struct message region = export_region(&server->export);

	client->established = true;
	say("client %u is here", client->number);
	/* Else it learns of the file with all others. */
	if (server->phase == SERVING)
		tell(client, &region);
}

static void obey(struct server *server, struct client *client, const struct message *message)
{
	struct message answer = { .type = MSG_FLUSHED };

	switch (message->type) {
	case MSG_QUIESCED:
		client->busy = false;
		break;
	case MSG_FLUSH:
		answer.status = export_sync(&server->export, message->addr, message->len);
		tell(client, &answer);
		break;
	}
}

/*
 * Events
 */

/* An event names its connection, which can end only when the event is given back. */
void clients_event(struct server *server)
{
	struct rdma_cm_event *event;
	enum rdma_cm_event_type type;
	struct rdma_cm_id *id;

	if (rdma_get_cm_event(server->clients.channel, &event))
		return;
	type = event->event;
	id = event->id;
	rdma_ack_cm_event(event);
	switch (type) {
	case RDMA_CM_EVENT_CONNECT_REQUEST:
		accept_client(&server->clients, id);
		break;
	case RDMA_CM_EVENT_ESTABLISHED:
		greet(server, id->context);
		break;
	case RDMA_CM_EVENT_DISCONNECTED:
	case RDMA_CM_EVENT_CONNECT_ERROR:
	case RDMA_CM_EVENT_UNREACHABLE:
	case RDMA_CM_EVENT_REJECTED:
		drop(id->context);
		break;
	default:
		break;
	}
}

void clients_news(struct server *server)
{
	struct client *client;
	struct link_news news;
	struct ibv_cq *cq;
	void *context;

	if (ibv_get_cq_event(server->clients.completions, &cq, &context))
		return;
	ibv_ack_cq_events(cq, 1);
	client = context;
	while (link_next(&client->link, &news)) {
		/* After an error, a queue pair is good for nothing any more. */
		if (news.type == LINK_BROKEN) {
			drop(client);
			return;
		}
		if (news.type == LINK_MESSAGE)
			obey(server, client, &news.message);
	}
}

/*
 * All of them
 */

void clients_tell(struct clients *clients, struct message message)
{
	struct client *client;

	LIST_FOREACH(client, &clients->list, entry)
		tell(client, &message);
}

unsigned int clients_quiesce(struct clients *clients)
{
	struct message message = { .type = MSG_QUIESCE };
	struct client *client;
	unsigned int asked = 0;

	LIST_FOREACH(client, &clients->list, entry) {
		tell(client, &message);
		client->busy = client->established;
		asked += client->busy;
	}
	return asked;
}

bool clients_quiet(const struct clients *clients)
{
	struct client *client;

	LIST_FOREACH(client, &clients->list, entry) {
		if (client->busy)
			return false;
	}
	return true;
}

void clients_close(struct clients *clients)
{
	while (!LIST_EMPTY(&clients->list))
		drop(LIST_FIRST(&clients->list));
	if (clients->completions)
		ibv_destroy_comp_channel(clients->completions);
	if (clients->listener)
		rdma_destroy_id(clients->listener);
	if (clients->pd)
		ibv_dealloc_pd(clients->pd);
	if (clients->channel)
		rdma_destroy_event_channel(clients->channel);
}
