// SPDX-License-Identifier: GPL-2.0
/*
 * The stress: starts everybody, kills workers at random and starts them again,
 * sees that nobody hangs, and that nothing is left when all are gone.
 *
 * FLAYOUT_SEED	the sequence; printed, so that a failure can be played again
 * FLAYOUT_SECONDS	how long
 * FLAYOUT_FAIL	percent of allocations in the code of leases that are made to fail
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#include "../lib/failure.h"
#include "kselftest.h"
#include "stress.h"

#define RARE		3		/* actions that need more than a short run */
#define KILL_MS		1000		/* from one kill to the next, at most */
#define BALLAST_STEP	(16 * MIB)
#define ROOM		(80 * MIB)	/* left free, so that freed blocks are used soon */

const char *worker_action(unsigned int i);

static struct random rnd;
static long pinned_before;
static char resources_before[REPORT_LINE];

static const char *const check_names[CHECKS] = {
	[CHECK_TIME] = "every operation ends in bounded time",
	[CHECK_DEATH] = "who is killed is gone in bounded time",
	[CHECK_ANSWER] = "nobody gets an error that he should not get",
	[CHECK_SUMS] = "the records of pins add up to the counters of their lease",
	[CHECK_RANGE] = "each pinned range lies in its lease",
	[CHECK_LAYOUT] = "blocks stay where they are while they are pinned",
	[CHECK_OWNER] = "pinned blocks are neither free nor another file's",
	[CHECK_CONTENT] = "a file holds nothing of another file",
	[CHECK_GRABBED] = "nobody writes to blocks that were freed",
	[CHECK_VMPIN] = "who has deregistered all has nothing pinned",
};

/*
 * Before
 */

static __u64 number_of(const char *name, __u64 otherwise)
{
	const char *value = getenv(name);

	return value && *value ? strtoull(value, NULL, 0) : otherwise;
}

/* Contexts, regions, connections of all devices, as rdma(8) counts them. */
static void resources(char *text)
{
	FILE *pipe = popen("rdma resource show", "r");
	size_t got = pipe ? fread(text, 1, REPORT_LINE - 1, pipe) : 0;

	text[got] = 0;
	if (pipe)
		pclose(pipe);
}

static int make_file(int i, const char *dir, bool dax, bool xfs)
{
	struct stress_file *file = &stress->files[i];
	char path[FILE_PATH];
	struct stat st;
	int fd, w;

	snprintf(file->path, sizeof(file->path), "%s/stress.%d", dir, i);
	file->dir = dir;
	file->dax = dax;
	file->xfs = xfs;
	file->letter = 'A' + i;
	fd = file_make(file->path, FILE_MAX, file->letter);
	if (fd < 0 || fstat(fd, &st))
		return fd < 0 ? fd : -errno;
	close(fd);
	file->dev = st.st_dev;
	file->ino = st.st_ino;
	for (w = 0; w < WORKERS; w++) {
		link_path(path, w, i);
		if (link(file->path, path))
			return -errno;
	}
	return ring_make_source(i);
}

static int make_files(void)
{
	static const struct {
		const char *dir;
		bool dax, xfs;
	} where[FILES] = {
		{ ENV_EXT4, true, false }, { ENV_EXT4, true, false }, { ENV_EXT4, true, false },
		{ ENV_XFS, true, true }, { ENV_XFS, true, true }, { ENV_XFS, true, true },
		{ ENV_EXT4_NODAX, false, false }, { ENV_XFS_NODAX, false, true },
	};
	int i, ret = 0;

	for (i = 0; i < FILES && !ret; i++)
		ret = make_file(i, where[i].dir, where[i].dax, where[i].xfs);
	return ret;
}

/* One large file takes the room that would keep freed blocks from being used. */
static int fill_up(const char *dir)
{
	char path[FILE_PATH];
	__u64 size = 0;
	int fd, ret = 0;

	snprintf(path, sizeof(path), "%s/ballast", dir);
	fd = file_open(path, O_RDWR | O_CREAT);
	if (fd < 0)
		return fd;
	while (!fallocate(fd, 0, size, BALLAST_STEP))
		size += BALLAST_STEP;
	if (errno != ENOSPC)
		ret = -errno;
	else if (size > ROOM && ftruncate(fd, size - ROOM))
		ret = -errno;
	close(fd);
	return ret;
}

static int prepare(void)
{
	int ret = make_files();

	if (!ret)
		ret = fill_up(ENV_EXT4);
	if (!ret)
		ret = fill_up(ENV_XFS);
	if (!ret && socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0,
			       stress->market))
		ret = -errno;
	if (!ret && stress->failing)
		ret = failure_prepare_some();
	pinned_before = report_pinned_pages();
	resources(resources_before);
	return ret;
}

/*
 * While it runs
 */

static void start(int place, void (*run)(int), int index)
{
	struct place *at = &stress->at[place];
	pid_t parent = getpid(), pid;

	at->doing = NULL;
	at->life++;
	fflush(stdout);
	pid = fork();
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != parent)
			_exit(1);
		at->pid = getpid();
		run(index);
	}
	at->pid = pid;
}

static void run_checker(int unused)
{
	checker_run();
}

static void start_worker(int worker)
{
	int i;

	/* what the one before had registered went with it */
	for (i = 0; i < NOTES; i++)
		stress->notes[worker][i].live = false;
	stress_count(&stress->lives);
	start(AT_WORKER + worker, worker_run, worker);
}

static void start_all(void)
{
	int i;

	for (i = 0; i < stress->workers; i++) {
		start(AT_WRITER + i, writer_run, i);
		start_worker(i);
	}
	for (i = 0; i < GRABBERS; i++)
		start(AT_GRABBER + i, grabber_run, i);
	start(AT_CHECKER, run_checker, 0);
}

/* Wait for a child that must end soon. */
static bool gone(pid_t pid)
{
	unsigned long end = now_ms() + stress_bound();
	struct progress progress = { 0 };
	int status;

	while (waitpid(pid, &status, WNOHANG) == 0) {
		if (now_ms() > end && stress_stuck(pid, &progress, now_ms() - end))
			return false;
		usleep(1000);
	}
	return true;
}

static bool kill_place(int place)
{
	struct place *at = &stress->at[place];

	if (!at->pid)
		return true;
	kill(at->pid, SIGKILL);
	stress_count(&stress->looked[CHECK_DEATH]);
	if (!gone(at->pid)) {
		stress_fail(CHECK_DEATH, "process %d (place %d, \"%s\") does not die", at->pid,
			    place, at->doing ? at->doing : "nothing");
		return false;
	}
	at->doing = NULL;
	at->pid = 0;
	return true;
}

static void judge_end(int place, int status)
{
	if (WIFSIGNALED(status) && WTERMSIG(status) != SIGKILL)
		stress_fail(CHECK_ANSWER, "place %d, life %u: signal %d", place,
			    stress->at[place].life, WTERMSIG(status));
	else if (WIFEXITED(status) && WEXITSTATUS(status))
		stress_fail(CHECK_ANSWER, "place %d, life %u: exit status %d", place,
			    stress->at[place].life, WEXITSTATUS(status));
}

/* Those that have ended by themselves; children of workers have become ours. */
static void reap(void)
{
	int status, i;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		for (i = 0; i < PLACES && stress->at[i].pid != pid; i++)
			;
		if (i == PLACES)
			continue;
		judge_end(i, status);
		stress->at[i].doing = NULL;
		stress->at[i].pid = 0;
	}
}

static bool kill_some_worker(void)
{
	int worker = pick(&rnd, stress->workers);

	if (!stress->at[AT_WORKER + worker].pid)
		return true;
	stress_count(&stress->killed);
	return kill_place(AT_WORKER + worker);
}

/* What does not depend on one worker, but on all. */
static void set_the_stage(void)
{
	break_time_set(chance(&rnd, 60));
	if (stress->failing && failure_some(stress->failing, pick(&rnd, FAILURE_WHERE)))
		stress_fail(CHECK_ANSWER, "cannot make allocations fail");
}

static unsigned int never_succeeded(void)
{
	unsigned int i, never = 0;

	for (i = 0; worker_action(i); i++)
		never += !stress->done[i].good;
	return never;
}

static unsigned long rdma_writes(void)
{
	unsigned long written = 0;
	int i;

	for (i = 0; i < WORKERS; i++)
		written += stress->lines[i].written;
	return written;
}

static bool did_a_bit_of_all(void)
{
	int i;

	for (i = 0; i < CHECKS; i++)
		if (!stress->looked[i] && i != CHECK_VMPIN)
			return false;
	return rdma_writes() && stress->ring_good && stress->grabbed && stress->killed && never_succeeded() <= RARE;
}

/* On a machine that is very busy little gets done: some more time then. */
static void run_for(unsigned long seconds)
{
	unsigned long end = now_ms() + seconds * 1000, next_kill = 0;
	bool well = true;
	int i;

	while (well && (now_ms() < end || !did_a_bit_of_all()) &&
	       now_ms() < end + 2 * seconds * 1000) {
		usleep(10000);
		reap();
		well = !stress_watch();
		if (now_ms() > next_kill) {
			well &= kill_some_worker();
			set_the_stage();
			next_kill = now_ms() + pick(&rnd, env_ms(KILL_MS));
		}
		for (i = 0; i < stress->workers; i++)
			if (!stress->at[AT_WORKER + i].pid)
				start_worker(i);
	}
}

/*
 * After
 */

/* Who is doing something must finish it by himself. */
static void stop_all(void)
{
	unsigned long end = now_ms() + 8 * stress_bound();
	int i, busy = 1;

	stress->stop = true;
	while (busy && now_ms() < end) {
		usleep(10000);
		reap();
		if (stress_watch())
			break;
		for (i = 0, busy = 0; i < PLACES; i++)
			busy += stress->at[i].pid && !kill(stress->at[i].pid, 0);
	}
	for (i = 0; i < PLACES; i++)
		kill_place(i);
	close(stress->market[0]);
	close(stress->market[1]);
}

/* True as soon as it is; things end in workqueues. */
static bool soon(bool (*fn)(void))
{
	unsigned long end = now_ms() + 3 * stress_bound();

	while (!fn()) {
		if (now_ms() > end)
			return false;
		usleep(20000);
	}
	return true;
}

static bool no_lease(void)
{
	char line[REPORT_LINE];

	return report_find(REPORT_LEASES, "", "", line) == 0;
}

static bool no_lock(void)
{
	char line[REPORT_LINE];

	return report_find("/proc/locks", "", "LAYOUT", line) == 0;
}

static bool no_pin(void)
{
	return report_pinned_pages() == pinned_before;
}

static bool no_context(void)
{
	char now[REPORT_LINE];

	resources(now);
	return now[0] && !strcmp(now, resources_before);
}

static bool files_are_free(void)
{
	unsigned long start = now_ms();
	bool free = true;
	char path[FILE_PATH];
	int i, w;

	for (i = 0; i < FILES; i++) {
		if (truncate(stress->files[i].path, 0))
			free = false;
		for (w = 0; w < WORKERS; w++) {
			link_path(path, w, i);
			unlink(path);
			ring_unlink(w, i);
		}
		unlink(stress->files[i].path);
	}
	return free && now_ms() - start < stress_bound();
}

/*
 * Without mounts in the way of anybody, the file systems can be looked at as a
 * whole.  Debian's xfs_repair does not know the exchange of ranges.
 */
static bool ext4_is_consistent(void)
{
	return !system("umount " ENV_EXT4 " && e2fsck -fn /dev/pmem0 >/tmp/fsck 2>&1; status=$?; "
		       "[ $status = 0 ] || sed 's/^/# /' /tmp/fsck; "
		       "mount -t ext4 -o dax=always /dev/pmem0 " ENV_EXT4 " && exit $status");
}

#define XFS_FEATURES(op) \
	"f=$(xfs_db -c 'sb 0' -c 'print features_incompat' /dev/pmem1 2>/dev/null) && " \
	"xfs_db -x -c 'sb 0' -c \"write -d features_incompat $((${f##* } " op "))\" /dev/pmem1 >/dev/null 2>&1; "

static bool xfs_is_consistent(void)
{
	return !system("umount " ENV_XFS " || exit; " XFS_FEATURES("& ~0x40")
		       "xfs_repair -n /dev/pmem1 >/tmp/fsck 2>&1; status=$?; "
		       "[ $status = 0 ] || sed 's/^/# /' /tmp/fsck; " XFS_FEATURES("| 0x40")
		       "mount -t xfs -o dax=always /dev/pmem1 " ENV_XFS " && exit $status");
}

static void report_work(void)
{
	unsigned long refused = 0;
	const char *name;
	int i;

	for (i = 0; (name = worker_action(i)); i++)
		ksft_print_msg("%-24s %6lu good %6lu refused\n", name, stress->done[i].good,
			       stress->done[i].bad);
	for (i = 0; i < WORKERS; i++)
		refused += stress->lines[i].refused;
	ksft_print_msg("%-24s %6lu good %6lu refused\n", "RDMA write", rdma_writes(), refused);
	ksft_print_msg("%-24s %6lu good %6lu refused\n", "request to a ring", stress->ring_good,
		       stress->ring_bad);
	ksft_print_msg("%lu lives, %lu killed, %lu new files\n", stress->lives, stress->killed,
		       stress->grabbed);
	for (i = 0; i < CHECKS; i++)
		ksft_print_msg("looked %7lu times: %s\n", stress->looked[i], check_names[i]);
	ksft_test_result(rdma_writes() && stress->ring_good && stress->grabbed && stress->killed,
			 "there were kills, RDMA writes, requests to rings and new files\n");
	ksft_test_result(never_succeeded() <= RARE,
			 "all actions but %d at most have succeeded\n", RARE);
}

static void report_checks(void)
{
	int i;

	for (i = 0; i < CHECKS; i++)
		ksft_test_result(!stress->failed[i] && stress->looked[i], "%s\n", check_names[i]);
}

static void report_rest(void)
{
	char now[REPORT_LINE];

	ksft_test_result(soon(no_lease), "no lease is left\n");
	ksft_test_result(soon(no_lock), "no lease is left in /proc/locks\n");
	ksft_test_result(soon(no_pin), "no page is left pinned\n");
	if (!soon(no_context)) {
		resources(now);
		ksft_print_msg("before: %s", resources_before);
		ksft_print_msg("now: %s", now);
	}
	ksft_test_result(no_context(), "no context, region or connection is left\n");
	ksft_test_result(files_are_free(), "all files can be truncated at once\n");
	unlink(ENV_EXT4 "/ballast");
	unlink(ENV_XFS "/ballast");
	ksft_test_result(ext4_is_consistent(), "ext4 is consistent\n");
	ksft_test_result(xfs_is_consistent(), "XFS is consistent\n");
}

int main(void)
{
	__u64 seed = number_of("FLAYOUT_SEED", time(NULL));
	unsigned long seconds = number_of("FLAYOUT_SECONDS", env_ms(20));
	int ret;

	ksft_print_header();
	ksft_set_plan(2 + CHECKS + 7);
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	ret = stress_table(seed, number_of("FLAYOUT_FAIL", 0));
	if (!ret)
		ret = prepare();
	if (ret)
		ksft_exit_fail_msg("cannot begin: %s\n", strerror(-ret));
	printf("# FLAYOUT_SEED=%llu FLAYOUT_SECONDS=%lu FLAYOUT_FAIL=%u\n", seed, seconds,
	       stress->failing);
	random_start(&rnd, PLACES, 0);
	start_all();
	run_for(seconds);
	if (stress->failing)
		failure_some(0, 0);
	stop_all();
	break_time_set(BREAK_TIME_DEFAULT);
	report_work();
	report_checks();
	report_rest();
	ksft_finished();
}
