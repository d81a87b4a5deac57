// SPDX-License-Identifier: GPL-2.0
/*
 * A worker draws an action, does it, and says whether the answer is one that
 * there may be.  It ends after a while, in order or just so; or it is killed.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/time.h>

#include "../lib/failure.h"
#include "stress.h"

#define DESCS	5
#define MAPS	4
#define STRAYS	3		/* foreign contexts it was given */
#define STEPS	400		/* of one life, at most */
#define OK	1		/* ends a list of errors */

struct desc {
	int fd;
	int file;
	int flags;
	int event;
};

static struct desc descs[DESCS];
static struct map maps[MAPS];
static int strays[STRAYS];
static int me, place;
static bool child;
static bool alone;		/* this life passes nothing on */
static bool shared;		/* others may have what is ours */
static volatile sig_atomic_t news;

/*
 * Signals: news of a break, and what cuts a long wait short
 */

static void on_news(int signo)
{
	news = 1;
}

static void on_alarm(int signo)
{
}

static void alarm_every(unsigned int ms)
{
	struct itimerval timer = {
		.it_interval.tv_usec = ms * 1000,
		.it_value.tv_usec = ms * 1000,
	};

	setitimer(ITIMER_REAL, &timer, NULL);
}

/*
 * Descriptions and mappings
 */

static struct desc *some_desc(struct random *rnd)
{
	struct desc *desc = &descs[pick(rnd, DESCS)];

	return desc->fd >= 0 ? desc : NULL;
}

static struct desc *free_desc(void)
{
	int i;

	for (i = 0; i < DESCS; i++)
		if (descs[i].fd < 0)
			return &descs[i];
	return NULL;
}

static void put_desc(struct desc *desc, int fd, int file, int flags)
{
	desc->fd = fd;
	desc->file = file;
	desc->flags = flags;
	desc->event = -1;
}

static int act_open(struct random *rnd)
{
	struct desc *desc = free_desc();
	int file = pick(rnd, FILES);
	int flags = chance(rnd, 85) ? O_RDWR : O_RDONLY;
	int fd;

	if (!desc)
		return SKIPPED;
	if (chance(rnd, 20))
		flags |= O_NONBLOCK;
	fd = file_open(stress->files[file].path, flags);
	if (fd < 0)
		return fd;
	put_desc(desc, fd, file, flags);
	return 0;
}

static int act_close(struct random *rnd)
{
	struct desc *desc = some_desc(rnd);

	if (!desc)
		return SKIPPED;
	if (desc->event >= 0)
		close(desc->event);
	close(desc->fd);
	put_desc(desc, -1, -1, 0);
	return 0;
}

static int act_map(struct random *rnd)
{
	struct desc *desc = some_desc(rnd);
	struct map *map = &maps[pick(rnd, MAPS)];
	int prot = PROT_READ;
	char *addr;

	if (!desc || map->addr)
		return SKIPPED;
	if ((desc->flags & O_ACCMODE) == O_RDWR && chance(rnd, 90))
		prot |= PROT_WRITE;
	map->pos = chance(rnd, 60) ? 0 : pick(rnd, FILE_MAX / PAGE) * PAGE;
	map->len = FILE_MAX - map->pos;
	addr = mmap(NULL, map->len, prot, MAP_SHARED, desc->fd, map->pos);
	if (addr == MAP_FAILED)
		return -errno;
	map->addr = addr;
	map->file = desc->file;
	map->writable = prot & PROT_WRITE;
	return 0;
}

static int act_unmap(struct random *rnd)
{
	struct map *map = &maps[pick(rnd, MAPS)];

	if (!map->addr)
		return SKIPPED;
	munmap(map->addr, map->len);
	map->addr = NULL;
	return 0;
}

/*
 * Leases
 */

static int act_take(struct random *rnd)
{
	struct desc *desc = some_desc(rnd);
	__u64 start = 0, len = 0;
	unsigned int flags = chance(rnd, 15) ? LAYOUT_LEASE_UNBREAK : 0;

	if (!desc)
		return SKIPPED;
	if (chance(rnd, 60)) {
		start = pick(rnd, FILE_MAX);
		len = chance(rnd, 80) ? 1 + pick(rnd, FILE_MAX) : 0;
	}
	if (desc->event < 0 && chance(rnd, 50))
		desc->event = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	return lease_take(desc->fd, flags, start, len, chance(rnd, 70) ? desc->event : -1);
}

/* A part of what it has: lets go of the rest, of a breaker too. */
static int act_shrink(struct random *rnd)
{
	struct desc *desc = some_desc(rnd);
	struct layout_lease lease;

	if (!desc)
		return SKIPPED;
	lease = lease_see(desc->fd);
	if (lease.state != LAYOUT_ACTIVE && lease.state != LAYOUT_BREAKING)
		return SKIPPED;
	return lease_take(desc->fd, lease.flags, lease.start + pick(rnd, 2) * ENV_DAX_ENTRY,
			  ENV_DAX_ENTRY, -1);
}

/* With pins of others it would wait as long as they like. */
static int drop(int fd)
{
	int ret;

	alarm_every(200);
	ret = lease_drop(fd);
	alarm_every(0);
	return ret;
}

static int act_drop(struct random *rnd)
{
	struct desc *desc = some_desc(rnd);

	return desc ? drop(desc->fd) : SKIPPED;
}

/* What a good holder does when it is told of a break. */
static int act_let_go(struct random *rnd)
{
	int i, ret;

	for (i = 0; i < DESCS; i++) {
		if (descs[i].fd < 0 || lease_see(descs[i].fd).state != LAYOUT_BREAKING)
			continue;
		regions_end_of_file(rnd, descs[i].file);
		if (!child)
			ring_end_of_file(descs[i].file);
		ret = drop(descs[i].fd);
		if (ret != -EINTR)
			return ret;
	}
	return SKIPPED;
}

static int act_ask(struct random *rnd)
{
	struct desc *desc = some_desc(rnd);
	struct layout_lease lease;
	int ret;

	if (!desc)
		return SKIPPED;
	ret = lease_get(desc->fd, &lease);
	if (!ret && !lease.pins && lease.pinned_pages)
		stress_fail(CHECK_SUMS, "%s: %llu pages pinned, but nobody pins",
			    stress->files[desc->file].path, lease.pinned_pages);
	return ret;
}

static int act_revoke(struct random *rnd)
{
	struct desc *desc = some_desc(rnd);

	if (!desc)
		return SKIPPED;
	return lease_revoke(desc->fd, chance(rnd, 50) ? lease_see(desc->fd).id : 0);
}

/*
 * Regions, see rdma.c
 */

static int act_register(struct random *rnd)
{
	struct map *map = &maps[pick(rnd, MAPS)];

	return map->addr ? region_register(rnd, map) : SKIPPED;
}

static int act_register_two(struct random *rnd)
{
	struct desc *a = some_desc(rnd), *b = some_desc(rnd);

	return a && b ? region_register_two(rnd, a->fd, b->fd) : SKIPPED;
}

/* What a server does: a file, mapped, leased, registered, and a client that writes. */
static int act_serve(struct random *rnd)
{
	struct desc *desc = free_desc();
	struct map *map = &maps[pick(rnd, MAPS)];
	int ret, file = pick(rnd, FILES);
	bool all = chance(rnd, 50);

	if (!desc || map->addr || !stress->files[file].dax)
		return SKIPPED;
	ret = file_open(stress->files[file].path, O_RDWR);
	if (ret < 0)
		return ret;
	put_desc(desc, ret, file, O_RDWR);
	if (chance(rnd, 80) && fallocate(desc->fd, 0, 0, FILE_MAX))
		return -errno;
	map->addr = file_map(desc->fd, FILE_MAX);
	if (!map->addr)
		return -errno;
	map->pos = 0;
	map->len = FILE_MAX;
	map->file = file;
	map->writable = true;
	ret = lease_take(desc->fd, 0, 0, all ? 0 : FILE_MAX / 2, -1);
	return ret ? ret : region_serve(rnd, map);
}

/*
 * Fixed buffers, see ring.c
 */

static int act_register_buffer(struct random *rnd)
{
	struct map *map = &maps[pick(rnd, MAPS)];

	return map->addr ? ring_register(rnd, map) : SKIPPED;
}

static int act_keep(struct random *rnd)
{
	struct desc *desc = some_desc(rnd);

	return desc ? ring_keep(desc->fd) : SKIPPED;
}

/*
 * Files
 */

static int act_break(struct random *rnd)
{
	struct desc *desc = chance(rnd, 40) ? some_desc(rnd) : NULL;
	bool hurry = chance(rnd, 15);
	int ret;

	if (hurry)
		alarm_every(300);
	if (desc)
		ret = breaker_act(rnd, me, desc->file, desc->fd);
	else
		ret = breaker_act(rnd, me, pick(rnd, FILES), -1);
	if (hurry)
		alarm_every(0);
	return ret;
}

static int act_write(struct random *rnd)
{
	return breaker_write(rnd, pick(rnd, FILES));
}

static int act_sync(struct random *rnd)
{
	struct map *map = &maps[pick(rnd, MAPS)];
	struct desc *desc = some_desc(rnd);

	if (map->addr && chance(rnd, 50))
		return msync(map->addr, map->len, MS_SYNC) ? -errno : 0;
	if (!desc)
		return SKIPPED;
	return fsync(desc->fd) ? -errno : 0;
}

/*
 * Passing on
 */

static int act_send(struct random *rnd)
{
	struct desc *desc = some_desc(rnd);
	int fd = chance(rnd, 30) ? context_fd(rnd) : desc ? desc->fd : -1;

	if (fd < 0 || alone)
		return SKIPPED;
	shared = true;
	return fd_send(stress->market[0], fd);
}

static void keep_stray(struct random *rnd, int fd)
{
	int *stray = &strays[pick(rnd, STRAYS)];

	if (*stray >= 0)
		close(*stray);
	*stray = fd;
}

static int act_receive(struct random *rnd)
{
	struct desc *desc = free_desc();
	int fd, file;

	if (!desc)
		return SKIPPED;
	fd = fd_receive(stress->market[1]);
	if (fd < 0)
		return fd;
	file = stress_file_of(fd);
	if (file < 0)
		keep_stray(rnd, fd);
	else
		put_desc(desc, fd, file, fcntl(fd, F_GETFL));
	return 0;
}

static int act_close_stray(struct random *rnd)
{
	int *stray = &strays[pick(rnd, STRAYS)];

	if (*stray < 0)
		return SKIPPED;
	close(*stray);
	*stray = -1;
	return 0;
}

static int act_fork(struct random *rnd);

/*
 * What may be answered.  Files have no list: see breaker_strange().
 */
struct action {
	const char *name;
	int (*fn)(struct random *rnd);
	unsigned int weight;
	bool for_child;
	const int *fine;
};

#define FINE(...) (const int[]){ 0, ##__VA_ARGS__, OK }

static const struct action actions[] = {
	{ "open", act_open, 10, true, FINE() },
	{ "close", act_close, 4, true, FINE() },
	{ "mmap", act_map, 10, true, FINE(-ENODEV) },
	{ "munmap", act_unmap, 3, true, FINE() },
	{ "take a lease", act_take, 16, true,
	  FINE(-EAGAIN, -EBUSY, -EPERM, -ENOSPC) },
	{ "shrink a lease", act_shrink, 3, true, FINE(-EAGAIN, -EBUSY, -EPERM, -ENOSPC) },
	{ "drop a lease", act_drop, 3, true, FINE(-EAGAIN, -ENOENT, -EINTR) },
	{ "let go", act_let_go, 6, true, FINE(-EAGAIN, -ENOENT, -EINTR) },
	{ "ask", act_ask, 3, true, FINE() },
	{ "revoke", act_revoke, 1, true, FINE(-ENOENT) },
	{ "open a context", act_open_context, 8, false, FINE() },
	{ "close a context", act_close_context, 1, false, FINE() },
	{ "register", act_register, 30, false,
	  FINE(-EOPNOTSUPP, -EAGAIN, -EIO, -EFAULT, -ENXIO) },
	{ "serve", act_serve, 24, false,
	  FINE(-EOPNOTSUPP, -EAGAIN, -EBUSY, -EIO, -EFAULT, -ENOSPC, -EINVAL, -ETIMEDOUT) },
	{ "register over two files", act_register_two, 5, false,
	  FINE(-EOPNOTSUPP, -EAGAIN, -EIO, -EFAULT, -ENXIO, -EACCES, -EBADF) },
	/* a child may have deregistered it; the context may be dead */
	{ "deregister", act_deregister, 8, true, FINE(-EIO, -EINVAL, -ENOENT, -EBUSY) },
	{ "reregister", act_rereg, 2, false, FINE() },
	{ "connect", act_connect, 6, false, FINE(-EIO, -EINVAL, -ETIMEDOUT) },
	{ "aim", act_aim, 12, false, FINE() },
	{ "open a ring", act_open_ring, 6, false, FINE() },
	{ "close a ring", act_close_ring, 1, false, FINE() },
	{ "register a buffer", act_register_buffer, 16, false,
	  FINE(-EOPNOTSUPP, -EAGAIN, -EIO, -EFAULT) },
	{ "unregister a buffer", act_unregister_buffer, 2, false, FINE(-EIO) },
	{ "use a buffer", act_use_buffer, 16, false, FINE(-EIO, -EBUSY) },
	{ "let a ring keep a file", act_keep, 2, false, FINE(-EIO) },
	{ "change a file", act_break, 9, true, NULL },
	{ "write", act_write, 5, true, NULL },
	{ "fsync", act_sync, 4, true, NULL },
	{ "send", act_send, 3, true, FINE(-EAGAIN) },
	{ "receive", act_receive, 3, true, FINE(-EAGAIN) },
	{ "close what it was given", act_close_stray, 1, true, FINE() },
	{ "fork", act_fork, 2, false, FINE(-EAGAIN) },
};

#define COUNT	(sizeof(actions) / sizeof(*actions))

const char *worker_action(unsigned int i)
{
	return i < COUNT ? actions[i].name : NULL;
}

static bool is_fine(const struct action *action, int ret)
{
	const int *fine;

	/* ENODEV is what libibverbs makes of it when a context is opened */
	if (stress->failing && (ret == -ENOMEM || ret == -EFAULT || ret == -ENODEV))
		return true;
	if (!action->fine)
		return !breaker_strange(ret);
	for (fine = action->fine; *fine != OK; fine++)
		if (ret == *fine)
			return true;
	return false;
}

static const struct action *draw(struct random *rnd)
{
	unsigned int i, sum = 0, at;

	for (i = 0; i < COUNT; i++)
		sum += actions[i].weight;
	at = pick(rnd, sum);
	for (i = 0; at >= actions[i].weight; i++)
		at -= actions[i].weight;
	return &actions[i];
}

static void step(struct random *rnd)
{
	const struct action *action = draw(rnd);
	int ret;

	if (news && chance(rnd, 60)) {
		news = 0;
		action = &actions[7];
	}
	if (child && !action->for_child)
		return;
	stress_begin(place, action->name, 0);
	ret = action->fn(rnd);
	stress_end(place);
	if (ret == SKIPPED)
		return;
	stress_count(&stress->looked[CHECK_ANSWER]);
	if (ret)
		stress_count(&stress->done[action - actions].bad);
	else
		stress_count(&stress->done[action - actions].good);
	if (!is_fine(action, ret))
		stress_fail(CHECK_ANSWER, "worker %d, life %u: \"%s\" said %s", me,
			    stress->at[place].life, action->name, strerror(-ret));
}

static void live(struct random *rnd, unsigned int steps)
{
	while (steps-- && !stress->stop)
		step(rnd);
}

/* One child of each worker at a time; it ends by itself. */
static int act_fork(struct random *rnd)
{
	struct place *at = &stress->at[AT_CHILD + me];
	struct random own = { ((__u64)pick(rnd, ~0u) << 32) + pick(rnd, ~0u) };
	pid_t pid;

	if (alone || (at->pid && !kill(at->pid, 0)))
		return SKIPPED;
	at->doing = NULL;
	shared = true;
	pid = fork();
	if (pid)
		return pid < 0 ? -errno : 0;
	place = AT_CHILD + me;
	child = true;
	at->pid = getpid();
	at->life++;
	rdma_begin(me, false);
	live(&own, 5 + pick(&own, 40));
	stress_begin(place, "exit", 0);
	_exit(0);
}

/* Everything is given back, in some order: then nothing is pinned. */
static void end_in_order(struct random *rnd)
{
	int i;

	stress_begin(place, "end in order", 3 * stress_bound());
	for (i = 0; i < 8; i++) {
		act_close(rnd);
		act_unmap(rnd);
		act_deregister(rnd);
	}
	contexts_end(rnd);
	ring_end();
	if (!shared) {
		stress_count(&stress->looked[CHECK_VMPIN]);
		/* a dead context is torn down by and by */
		for (i = 0; i < 100 && report_vm_pinned(); i++)
			usleep(env_ms(20) * 1000);
		if (i == 100)
			stress_fail(CHECK_VMPIN, "worker %d, life %u: VmPin is %ld kB", me,
				    stress->at[place].life, report_vm_pinned());
	}
	stress_end(place);
}

static void prepare(void)
{
	struct sigaction restart = { .sa_handler = on_news, .sa_flags = SA_RESTART };
	struct sigaction interrupt = { .sa_handler = on_alarm };
	int i;

	for (i = 0; i < DESCS; i++)
		descs[i].fd = descs[i].event = -1;
	for (i = 0; i < STRAYS; i++)
		strays[i] = -1;
	sigaction(SIGIO, &restart, NULL);
	sigaction(SIGALRM, &interrupt, NULL);
	signal(SIGCHLD, SIG_IGN);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	/* the library shall forget what a dead context has lost */
	setenv("RDMAV_ALLOW_DISASSOC_DESTROY", "1", 1);
}

void worker_run(int worker)
{
	struct random rnd;

	me = worker;
	place = AT_WORKER + worker;
	stress->at[place].pid = getpid();
	random_start(&rnd, place, stress->at[place].life);
	prepare();
	if (stress->failing && failure_for_me())
		stress_fail(CHECK_ANSWER, "worker %d cannot make its allocations fail", me);
	/* the first is always one of those whose pins can be counted in the end */
	alone = chance(&rnd, 30) || !worker;
	rdma_begin(worker, alone);
	ring_begin(worker);
	live(&rnd, 20 + pick(&rnd, STEPS));
	if (alone || chance(&rnd, 50))
		end_in_order(&rnd);
	stress_begin(place, "exit", 0);
	_exit(0);
}
