// SPDX-License-Identifier: GPL-2.0
/*
 * What a server does when somebody wants to change the layout of its file:
 *
 *	SERVING --break--> QUIESCING --clients quiet--> AWAY --lease taken--> SERVING
 *	   |                                             ^
 *	   +--------------------revoked------------------+
 *
 * The kernel gives fs.lease-break-time seconds for all of it.  A server that is
 * late is not asked any more: the lease is revoked, and clients get errors.
 */
#include <errno.h>

#include "server.h"

/*
 * For breakers that do not wait: truncate(1), say, opens files with O_NONBLOCK,
 * fails, and tries again.  Whoever takes the lease back at once starves them.
 */
#define AWAY_MS		1000
#define AGAIN_MS	100

static void enter(struct server *server, enum phase phase, uint64_t ms)
{
	server->phase = phase;
	server->since = now_ms();
	server->until = server->since + ms;
}

static void on_break(struct server *server, const struct flayout_event *event)
{
	say("break: somebody is about to change the file from byte %llu on; %u ms are left",
	    (unsigned long long)event->start, event->msecs);
	if (server->ignore_breaks) {
		say("break: ignored, as I was told");
		return;
	}
	/* It can grow while we wait for clients: they are quiet for all of the file. */
	if (server->phase == QUIESCING)
		return;
	say("break: clients that are asked to stop: %u", clients_quiesce(&server->clients));
	/* Who does not answer in half of the time gets errors instead. */
	enter(server, QUIESCING, event->msecs / 2);
}

static void on_revoked(struct server *server)
{
	say("revoked: the kernel has taken the memory back");
	enter(server, AWAY, AWAY_MS);
}

void breaks_event(struct server *server)
{
	struct flayout_event event;

	while (flayout_next_event(server->export.fl, &event, sizeof(event)) > 0) {
		if (event.type == FLAYOUT_EVENT_BREAK)
			on_break(server, &event);
		else if (event.type == FLAYOUT_EVENT_REVOKED)
			on_revoked(server);
	}
}

static int let_go(struct server *server)
{
	bool quiet = clients_quiet(&server->clients);
	int ret;

	if (!quiet && now_ms() < server->until)
		return 0;
	ret = export_let_go(&server->export);
	if (ret == -EAGAIN)
		return 0;
	if (ret)
		return ret;
	say("break: %s after %llu ms; deregistered, and let go of the lease",
	    quiet ? "clients are quiet" : "not all clients have answered",
	    (unsigned long long)(now_ms() - server->since));
	enter(server, AWAY, AWAY_MS);
	return 0;
}

static int retake(struct server *server)
{
	int ret;

	if (now_ms() < server->until)
		return 0;
	ret = export_retake(&server->export);
	if (ret == -EAGAIN) {
		server->until = now_ms() + AGAIN_MS;
		return 0;
	}
	if (ret)
		return ret;
	enter(server, SERVING, 0);
	say("the lease is back");
	say_served(server);
	clients_tell(&server->clients, export_region(&server->export));
	return 0;
}

int breaks_tick(struct server *server)
{
	switch (server->phase) {
	case QUIESCING:
		return let_go(server);
	case AWAY:
		return retake(server);
	case SERVING:
		break;
	}
	return 0;
}

int breaks_timeout(const struct server *server)
{
	uint64_t now = now_ms();

	if (server->phase == SERVING)
		return -1;
	/* Quiet, but not let go: the break has grown; once more, but not in a hurry. */
	if (server->phase == QUIESCING && clients_quiet(&server->clients))
		return AGAIN_MS;
	return server->until > now ? server->until - now : 0;
}
