// SPDX-License-Identifier: GPL-2.0
/*
 * bench-truncate: how long truncate(2) of a file to nothing takes that another
 * process maps: without a lease; with one, and a registration of the whole file,
 * whose holder lets go as soon as it is asked; and with one that does not, where
 * lease-break-time is 0, so that revocation is all that is waited for.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../tests/guest/env.h"
#include "../../tests/guest/lib/lease.h"
#include "../../tests/guest/lib/rdma.h"
#include "bench.h"

#define BYTES	(16 * MIB)

enum holder { HOLDER_NONE, HOLDER_COOPERATIVE, HOLDER_DEAF };

static const char *const names[] = {
	[HOLDER_NONE] = "unleased",
	[HOLDER_COOPERATIVE] = "cooperative",
	[HOLDER_DEAF] = "revoked",
};

static void let_go(int event_fd, int fd, struct ibv_mr *mr)
{
	struct pollfd event = { event_fd, POLLIN, 0 };

	poll(&event, 1, -1);
	ibv_dereg_mr(mr);
	lease_drop(fd);
}

/* The other process: never returns; it is killed in the end. */
static void hold(const char *path, enum holder holder, int ready_fd)
{
	int fd = bench_file(path, BYTES), event_fd = eventfd(0, EFD_CLOEXEC), ret = 0;
	void *map = bench_map(fd, BYTES);
	struct ibv_mr *mr = NULL;
	struct nic nic;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (holder != HOLDER_NONE)
		ret = nic_open(&nic, ENV_RXE) ?:
			lease_take(fd, 0, 0, 0, event_fd) ?:
			mr_reg(&nic, map, BYTES, MR_SERVER, &mr);
	if (ret)
		bench_fail("holder", ret);
	if (write(ready_fd, "r", 1) != 1)
		bench_fail("holder", -errno);
	if (holder == HOLDER_COOPERATIVE)
		let_go(event_fd, fd, mr);
	for (;;)
		pause();
}

static pid_t start_holder(const char *path, enum holder holder)
{
	int ready[2];
	char byte;
	pid_t pid;

	if (pipe(ready))
		bench_fail("pipe", -errno);
	pid = fork();
	if (pid < 0)
		bench_fail("fork", -errno);
	if (!pid)
		hold(path, holder, ready[1]);
	close(ready[1]);
	if (read(ready[0], &byte, 1) != 1)
		bench_fail("the holder is not ready", -ECHILD);
	close(ready[0]);
	return pid;
}

static uint64_t run_once(const char *path, enum holder holder)
{
	pid_t pid = start_holder(path, holder);
	uint64_t start = bench_now(), end;
	int ret = truncate(path, 0) ? -errno : 0;

	end = bench_now();
	if (ret)
		bench_fail("truncate", ret);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	return end - start;
}

static void measure(const char *fs, const char *path, enum holder holder)
{
	uint64_t ns[BENCH_RUNS];

	for (int i = 0; i < BENCH_RUNS; i++)
		ns[i] = run_once(path, holder);
	bench_figure("truncate", fs, names[holder], BYTES, bench_median(ns, BENCH_RUNS));
	unlink(path);
}

int main(void)
{
	for (enum holder holder = HOLDER_NONE; holder <= HOLDER_DEAF; holder++) {
		if (holder == HOLDER_DEAF)
			bench_sysctl("fs/lease-break-time", 0);
		measure("ext4", ENV_EXT4 "/bench", holder);
		measure("xfs", ENV_XFS "/bench", holder);
	}
	bench_sysctl("fs/lease-break-time", BREAK_TIME_DEFAULT);
	return EXIT_SUCCESS;
}
