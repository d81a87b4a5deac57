// SPDX-License-Identifier: GPL-2.0
/*
 * A process that holds a lease and registrations in a known way, for the tests
 * of flayout: it prints "held PID [CHILD]" and stays until it is killed.  It does
 * not listen to breaks.
 *
 *	held_file [-u | -n] [-p PINS] [-c] [-d] [-f] FILE
 *
 *	-u  unbreakable			-n  takes no lease: there is another
 *	-p  registers so many pieces of 1 MiB
 *	-c  closes FILE, maps it only	-d  deletes FILE
 *	-f  forks a child, which holds all of it too
 */
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <signal.h>

#include "env.h"
#include "lib/lease.h"
#include "lib/rdma.h"

struct wanted {
	const char *path;
	unsigned int flags;	/* LAYOUT_LEASE_* */
	unsigned int pins;
	bool no_lease, close, delete, fork;
};

static struct nic nic;

static void parse(struct wanted *wanted, int argc, char **argv)
{
	int c;

	while ((c = getopt(argc, argv, "ucdfnp:")) != -1) {
		wanted->flags |= c == 'u' ? LAYOUT_LEASE_UNBREAK : 0;
		wanted->no_lease |= c == 'n';
		wanted->close |= c == 'c';
		wanted->delete |= c == 'd';
		wanted->fork |= c == 'f';
		if (c == 'p')
			wanted->pins = atoi(optarg);
		if (c == '?')
			exit(2);
	}
	wanted->path = argv[optind];
	if (!wanted->path)
		errx(2, "a FILE is missing");
}

static void pin(char *map, unsigned int pins)
{
	struct ibv_mr *mr;
	unsigned int i;

	if (nic_open(&nic, ENV_RXE))
		errx(2, "cannot open " ENV_RXE);
	for (i = 0; i < pins; i++) {
		if (mr_reg(&nic, map + i * MIB, MIB, MR_SERVER, &mr))
			errx(2, "cannot register");
	}
}

static void hold(const struct wanted *wanted)
{
	int fd = open(wanted->path, O_RDWR), event = eventfd(0, 0), ret = 0;
	struct stat st;
	char *map;

	if (fd < 0 || fstat(fd, &st))
		err(2, "%s", wanted->path);
	if (!wanted->no_lease)
		ret = lease_take(fd, wanted->flags, 0, 0, event);
	if (ret)
		errx(2, "cannot lease: %s", strerror(-ret));
	map = mmap(NULL, st.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED)
		err(2, "mmap");
	if (wanted->pins)
		pin(map, wanted->pins);
	if (wanted->close)
		close(fd);
	if (wanted->delete && unlink(wanted->path))
		err(2, "unlink");
}

int main(int argc, char **argv)
{
	struct wanted wanted = { };
	pid_t child = 0, parent = getpid();

	parse(&wanted, argc, argv);
	hold(&wanted);
	if (wanted.fork)
		child = fork();
	if (wanted.fork && !child) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != parent)
			return 0;
		prctl(PR_SET_NAME, "held_child");
	} else {
		printf("held %d %d\n", parent, child);
		fflush(stdout);
	}
	for (;;)
		pause();
}
