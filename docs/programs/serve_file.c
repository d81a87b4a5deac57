// SPDX-License-Identifier: GPL-2.0
/*
 * Lets an RDMA device reach a file, and steps aside whenever somebody else has
 * to change the layout of the file: the program of docs/user-guide.md.
 *
 *	cc -o serve_file serve_file.c $(pkg-config --cflags --libs libflayout-verbs)
 *	./serve_file rxe0 /mnt/ext4/data
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <flayout-verbs.h>

#define ACCESS (IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_REMOTE_WRITE | IBV_ACCESS_REMOTE_READ)

struct server {
	struct flayout *fl;
	struct ibv_pd *pd;
	struct flayout_mr *mr;	/* NULL: nothing is registered */
	void *addr;
	size_t mapped;
};

static const char * const modes[] = {
	[FLAYOUT_MODE_LEASE] = "under a layout lease",
	[FLAYOUT_MODE_ODP] = "on demand",
	[FLAYOUT_MODE_BOUNCE] = "of a copy",
};

/* Failures that nothing can be done about end the program. */
static void must(struct server *s, int ret, const char *what)
{
	if (ret < 0)
		errx(EXIT_FAILURE, "%s: %s: %s", what, flayout_message(s->fl), strerror(-ret));
}

static size_t file_size(struct server *s)
{
	struct stat st;

	if (fstat(flayout_file(s->fl), &st))
		err(EXIT_FAILURE, "fstat");
	return st.st_size;
}

/* All that the file has now: it may have become shorter. */
static void register_file(struct server *s)
{
	size_t len = file_size(s);
	int ret;

	if (len > s->mapped)
		len = s->mapped;
	flayout_dereg_mr(s->mr);
	s->mr = NULL;
	if (!len) {
		puts("nothing to register");
		return;
	}
	ret = flayout_reg_mr(s->fl, s->pd, s->addr, len, ACCESS, &s->mr);
	if (ret == -EAGAIN)
		return;		/* broken again already: resumed() will come again */
	must(s, ret, "cannot register the file");
	printf("registered %zu bytes %s, rkey %#x\n", len, modes[flayout_mode(s->fl)],
	       flayout_mr_ibv(s->mr)->rkey);
}

static int quiesce(struct flayout *fl, const struct flayout_event *event, void *arg)
{
	printf("break: bytes from %llu are about to change\n", (unsigned long long)event->start);
	return 0;	/* but first tell the clients, in real life */
}

static void resumed(struct flayout *fl, int failed, void *arg)
{
	puts("the lease is back");
	register_file(arg);
}

static void denied(struct flayout *fl, const struct flayout_event *event, void *arg)
{
	printf("refused: %llu operations of others\n", (unsigned long long)event->count);
}

static void revoked(struct flayout *fl, const struct flayout_event *event, void *arg)
{
	puts("revoked: too late, the device was cut off");
}

static void lost(struct flayout *fl, int error, void *arg)
{
	errx(EXIT_FAILURE, "the lease does not come back: %s", strerror(-error));
}

static const struct flayout_callbacks callbacks = {
	.quiesce = quiesce,
	.resumed = resumed,
	.denied = denied,
	.revoked = revoked,
	.lost = lost,
};

static struct ibv_context *open_device(const char *name)
{
	struct ibv_device **list = ibv_get_device_list(NULL);
	struct ibv_context *context = NULL;

	for (int i = 0; list && list[i] && !context; i++) {
		if (!strcmp(ibv_get_device_name(list[i]), name))
			context = ibv_open_device(list[i]);
	}
	if (!context)
		errx(EXIT_FAILURE, "%s: cannot open this device", name);
	ibv_free_device_list(list);
	return context;
}

static void begin(struct server *s, const char *device, const char *path)
{
	s->pd = ibv_alloc_pd(open_device(device));
	if (!s->pd || flayout_new(&s->fl))
		errx(EXIT_FAILURE, "cannot begin");
	must(s, flayout_open(s->fl, AT_FDCWD, path, O_RDWR, 0), path);
	must(s, flayout_lease_for_pd(s->fl, s->pd, 0, 0, FLAYOUT_FALLBACK_BOUNCE), path);
	s->mapped = file_size(s);
	must(s, flayout_map(s->fl, 0, s->mapped, PROT_READ | PROT_WRITE, &s->addr), path);
	must(s, flayout_set_callbacks(s->fl, &callbacks, sizeof(callbacks), s), path);
	register_file(s);
}

int main(int argc, char **argv)
{
	struct server server = { };
	struct pollfd wait = { .events = POLLIN };

	if (argc != 3)
		errx(EXIT_FAILURE, "usage: serve_file DEVICE FILE");
	setlinebuf(stdout);
	begin(&server, argv[1], argv[2]);
	wait.fd = flayout_fd(server.fl);
	while (poll(&wait, 1, -1) == 1)
		must(&server, flayout_dispatch(server.fl), "cannot give way");
	err(EXIT_FAILURE, "poll");
}
