// SPDX-License-Identifier: GPL-2.0
/*
 * The matrix of ends: every way a buffer file or its context file can end,
 * crossed with which of the two ends, in which order, with what is going on then,
 * and with what the context is: one of an RDMA device, or a ring of io_uring.  In
 * each cell a process comes into that plight, the end comes, and everything is
 * checked from outside within a bound:
 *
 * - no pin is left; no lease, unless only the context has ended; then the lease
 *   stays with who holds the buffer file
 * - a context whose buffer file has ended with pins is dead
 * - a breaker comes through, a DROP returns
 * - no process is left
 * - the file can be truncated at once, leased and registered again
 *
 * All cells are possible, and are run, but for two kinds:
 *
 * - A ring is not passed on: sockets and rings do not take one (net/core/scm.c,
 *   io_uring/rsrc.c).
 * - With a registration in progress a ring's process does not come to execute
 *   another program, leased files or not: io_uring_task_cancel() waits for the
 *   ring's lock.  It can be killed, which is an end of its own.
 *
 * In those that are run:
 *
 * - A system call in progress holds the file it works on.  If it is all that
 *   does (a DROP of a buffer file that ends alone, a registration in a context
 *   that ends alone), the end comes with its return: the DROP is interrupted,
 *   the fault answered, before anything is checked.
 * - A DROP of a frozen holder has been interrupted by the freezer; so has one of
 *   a holder that executes another program, by the end of its thread.
 *
 * usage: ends [NAME]: only the cells whose names contain NAME
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "lib/holder.h"
#include "lib/letgo.h"
#include "lib/rig.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof(*(a)))

/* One end, as seen from outside.  The act returns 0 when it has come. */
struct end {
	const char *name;
	int (*act)(struct holder *holder);
	enum holder_way way;
	int (*letgo)(int fd);
	bool later;		/* the kernel drops the last reference by itself */
	bool passes_on;		/* to a socket, or a ring */
};

struct cell {
	const struct end *end;
	const char *fs;
	enum holder_plight plight;
	const enum holder_file *files;
	bool ring;
	struct holder holder;
	struct holder_report report;
};

static struct peer breaker, other;

static char why[256];

/* For "return fail(...)": what went wrong in the cell. */
__attribute__((format(printf, 1, 2)))
static bool fail(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(why, sizeof(why), format, args);
	va_end(args);
	return false;
}

/* How many lines of the report begin so; the first goes to @line. */
static int lines(const char *start, const char *part, char *line)
{
	return report_find(REPORT_LEASES, start, part, line);
}

static bool appears(const char *start, const char *part, unsigned int ms)
{
	unsigned long end = now_ms() + ms;
	char line[REPORT_LINE];

	while (lines(start, part, line) <= 0) {
		if (now_ms() > end)
			return fail("no line \"%s ... %s\"", start, part);
		usleep(1000);
	}
	return true;
}

static bool vanishes(const char *start, unsigned int ms)
{
	unsigned long end = now_ms() + ms;
	char line[REPORT_LINE];

	while (lines(start, "", line) > 0) {
		if (now_ms() > end)
			return fail("left: %s", line);
		usleep(1000);
	}
	return true;
}

/*
 * The ends
 */

static int goes(struct holder *holder)
{
	struct holder_report report;
	int ret = holder_go(holder);

	return ret ? ret : holder_ask(holder, &report);
}

static int exits(struct holder *holder)
{
	int ret = holder_go(holder);

	return ret ? ret : holder_reap(holder);
}

/* Its socket is close-on-exec, too. */
static int executes(struct holder *holder)
{
	int ret = goes(holder);

	return ret == -EPIPE ? 0 : ret ? ret : -EBUSY;
}

static int is_killed(struct holder *holder)
{
	kill(holder->pid, SIGKILL);
	return holder_reap(holder);
}

static int still_held(void)
{
	char line[REPORT_LINE];

	return lines("lease ", "", line) == 1 ? 0 : -ENOLCK;
}

/* Both exits, one after the other; after the first nothing has ended. */
static int two_exits(struct holder *holder, int (*first)(struct holder *holder))
{
	int ret = first(holder);

	if (!ret)
		ret = still_held();
	if (!ret)
		ret = holder_go(holder);
	return ret;
}

static int parent_reports(struct holder *holder)
{
	int ret = goes(holder);

	return ret ? ret : holder_reap(holder);
}

/* An orphan becomes our child. */
static int any_child_ends(void)
{
	unsigned long end = now_ms() + env_ms(5000);
	pid_t pid;

	while (!(pid = waitpid(-1, NULL, WNOHANG))) {
		if (now_ms() > end)
			return -ETIME;
		usleep(1000);
	}
	return pid > 0 ? 0 : -errno;
}

static int parent_then_child_exit(struct holder *holder)
{
	int ret = two_exits(holder, parent_reports);

	return ret ? ret : any_child_ends();
}

static int child_then_parent_exit(struct holder *holder)
{
	int ret = two_exits(holder, goes);

	return ret ? ret : holder_reap(holder);
}

/* In another process, which receives descriptors. */
static int received[2] = { -1, -1 };

static long keep(void *arg, int fd)
{
	received[received[0] >= 0] = fd;
	return 0;
}

static long close_received(void *arg, int fd)
{
	int i;

	for (i = 0; i < 2; i++) {
		if (received[i] >= 0)
			close(received[i]);
		received[i] = -1;
	}
	return 0;
}

static int pass_on(struct holder *holder)
{
	int fd = fd_receive(holder->sock);
	int ret = fd < 0 ? fd : peer_call(&other, keep, NULL, 0, fd);

	if (fd >= 0)
		close(fd);
	return ret;
}

/* One file, or both: then the holder has kept none of them for us. */
static int receiver_closes(struct holder *holder)
{
	struct holder_report report;
	int ret = holder_go(holder);

	if (!ret)
		ret = pass_on(holder);
	if (!ret && holder->kept < 0)
		ret = pass_on(holder);
	if (!ret)
		ret = holder_ask(holder, &report);
	if (!ret)
		ret = still_held();
	return ret ? ret : peer_call(&other, close_received, NULL, 0, -1);
}

static int is_killed_when_stopped(struct holder *holder)
{
	int status;

	if (ptrace(PTRACE_SEIZE, holder->pid, NULL, NULL) ||
	    ptrace(PTRACE_INTERRUPT, holder->pid, NULL, NULL))
		return -errno;
	if (waitpid(holder->pid, &status, __WALL) != holder->pid || !WIFSTOPPED(status))
		return -ECHILD;
	return is_killed(holder);
}

/* A control group inside of ours. */
static const char *cgroup(const char *file)
{
	static char path[256];
	char own[128] = "";
	FILE *in = fopen("/proc/self/cgroup", "re");

	if (in && fgets(own, sizeof(own), in))
		own[strcspn(own, "\n")] = 0;
	if (in)
		fclose(in);
	snprintf(path, sizeof(path), "/sys/fs/cgroup%s/ends%s",
		 strcmp(own, "0::/") ? own + 3 : "", file);
	return path;
}

/* A thread in a fault does not freeze: then the others are, after a while. */
static int freeze(void)
{
	char line[REPORT_LINE];
	int i, ret = report_write(cgroup("/cgroup.freeze"), "1");

	for (i = 0; !ret && i < 50; i++) {
		if (report_find(cgroup("/cgroup.events"), "frozen 1", "", line) == 1)
			break;
		usleep(1000);
	}
	return ret;
}

static int is_killed_when_frozen(struct holder *holder)
{
	char pid[16];
	int ret;

	snprintf(pid, sizeof(pid), "%d", holder->pid);
	if (mkdir(cgroup(""), 0755))
		return -errno;
	ret = report_write(cgroup("/cgroup.procs"), pid);
	if (!ret)
		ret = freeze();
	if (!ret)
		ret = report_write(cgroup("/cgroup.kill"), "1");
	if (!ret)
		ret = holder_reap(holder);
	return rmdir(cgroup("")) && !ret ? -errno : ret;
}

#define IN_PROCESS(name, fn, passed) \
	{ name, goes, BY_LETGO, .letgo = fn, .later = passed, .passes_on = passed }
#define OF_PROCESS(name, act, way, is_later) \
	{ name, act, way, .letgo = NULL, .later = is_later }

static const struct end ends[] = {
	IN_PROCESS("close", letgo_close, false),
	IN_PROCESS("close_of_a_duplicate", letgo_dup, false),
	IN_PROCESS("socket_closed_with_it_in_flight", letgo_in_flight, true),
	IN_PROCESS("socket_in_flight_collected", letgo_garbage, true),
	IN_PROCESS("ring_closed", letgo_ring, true),
	OF_PROCESS("munmap", goes, BY_UNMAPPING, false),
	OF_PROCESS("close_by_its_receiver", receiver_closes, BY_SENDING, false),
	OF_PROCESS("exit", exits, BY_EXIT, false),
	OF_PROCESS("exec", executes, BY_EXEC, true),
	OF_PROCESS("parents_exit_then_childs", parent_then_child_exit, BY_PARENTS_EXIT, false),
	OF_PROCESS("childs_exit_then_parents", child_then_parent_exit, BY_CHILDS_EXIT, false),
	OF_PROCESS("SIGKILL", is_killed, BY_EXIT, false),
	OF_PROCESS("SIGKILL_when_ptraced", is_killed_when_stopped, BY_EXIT, false),
	OF_PROCESS("SIGKILL_when_frozen", is_killed_when_frozen, BY_EXIT, false),
};

static const enum holder_file files[][2] = {
	{ BUFFER, NO_FILE },
	{ CONTEXT, NO_FILE },
	{ BUFFER, CONTEXT },
	{ CONTEXT, BUFFER },
};

static const char *const file_names[] = {
	"buffer",
	"context",
	"buffer_and_context",
	"context_and_buffer",
};

static const char *const plight_names[] = {
	[PINS] = "pinned",
	[COMMAND] = "command",
	[BREAKER] = "breaker",
	[DROP] = "drop",
};

static const char *const systems[] = { ENV_EXT4, ENV_XFS };

/*
 * A cell
 */

static bool ends_with(const struct cell *cell, enum holder_file file)
{
	return cell->files[0] == file || cell->files[1] == file;
}

/* The process lives on, and so do its threads. */
static bool lives_on(const struct cell *cell)
{
	enum holder_way way = cell->end->way;

	return way == BY_LETGO || way == BY_UNMAPPING || way == BY_SENDING;
}

/* The kernel ends rings by itself. */
static bool ends_later(const struct cell *cell)
{
	return cell->end->later || (cell->ring && ends_with(cell, CONTEXT));
}

static bool impossible(const struct cell *cell)
{
	bool passes_on = cell->end->way == BY_SENDING || cell->end->passes_on;

	if (!cell->ring)
		return false;
	return (passes_on && ends_with(cell, CONTEXT)) ||
	       (cell->end->way == BY_EXEC && cell->plight == COMMAND);
}

/* All that holds the file that ends is a system call in progress. */
static bool held_by_call(const struct cell *cell)
{
	return lives_on(cell) && (cell->plight == DROP ||
				  (cell->plight == COMMAND && !ends_with(cell, BUFFER)));
}

static void file_name(const struct cell *cell, char *path)
{
	snprintf(path, FILE_PATH, "%s/ends", cell->fs);
}

static bool begin(struct cell *cell)
{
	struct holder_plan plan = {
		.files = { cell->files[0], cell->files[1] },
		.plight = cell->plight,
		.way = cell->end->way,
		.letgo = cell->end->letgo,
		.ring = cell->ring,
	};
	struct cut cut;
	int ret;

	file_name(cell, plan.path);
	ret = file_make(plan.path, 0, 0);
	if (ret < 0)
		return fail("cannot make the file: %d", ret);
	ftruncate(ret, HOLDER_SIZE);
	close(ret);
	ret = holder_start(&cell->holder, &plan);
	if (ret)
		return fail("cannot start the holder: %d", ret);
	if (cell->plight == DROP)
		return appears("lease ", "state=draining", QUICK);
	if (cell->plight != BREAKER)
		return true;
	cut = cut_of(plan.path, 0, 0);
	peer_start(&breaker, do_truncate, &cut, sizeof(cut), -1);
	return appears("lease ", "state=breaking", QUICK);
}

static bool settle(struct cell *cell)
{
	int ret;

	if (!lives_on(cell))
		return true;
	ret = holder_settle(&cell->holder, &cell->report);
	if (ret)
		return fail("its calls do not return: %d", ret);
	if (cell->plight == COMMAND && !!cell->report.command != ends_with(cell, BUFFER))
		return fail("the registration returned %d", cell->report.command);
	if (cell->plight == DROP &&
	    cell->report.drop != (ends_with(cell, CONTEXT) ? 0 : -EINTR))
		return fail("DROP returned %d", cell->report.drop);
	return true;
}

static int ring_works(int ring)
{
	return syscall(SYS_io_uring_enter, ring, 0, 0, 0, NULL, 0) ? -errno : 0;
}

static int nic_works(int context)
{
	struct nic nic = { 0 };
	int ret = nic_adopt(&nic, ENV_RXE, dup(context));

	nic_close(&nic);
	return ret;
}

/* 0: it works; -EIO: it is dead */
static int context_works(const struct cell *cell)
{
	return cell->ring ? ring_works(cell->holder.kept) : nic_works(cell->holder.kept);
}

/*
 * A context dies with a buffer file it has pins on.  A process that ends takes
 * its registration in progress along before its files go.
 */
static bool context_is_right(struct cell *cell, unsigned int ms)
{
	int want = cell->plight == COMMAND && !lives_on(cell) ? 0 : -EIO;
	unsigned long end = now_ms() + ms;
	int ret;

	do {
		ret = context_works(cell);
	} while (ret != want && now_ms() < end);
	return ret == want ? true : fail("its context: %d, not %d", ret, want);
}

/* What has to be true as soon as the end has come. */
static bool ended(struct cell *cell)
{
	unsigned int ms = ends_later(cell) ? QUICK : 0;

	if (!vanishes("pin ", ms))
		return false;
	if (!ends_with(cell, BUFFER))
		return cell->plight == DROP || appears("lease ", "pins=0 pages=0", 0);
	if (!vanishes("lease ", ms))
		return false;
	return cell->holder.kept < 0 || context_is_right(cell, ms);
}

static bool breaker_is_through(struct cell *cell)
{
	long ret;

	if (cell->plight != BREAKER)
		return true;
	if (!ends_with(cell, BUFFER)) {
		if (!peer_busy(&breaker, 0))
			return fail("the breaker did not wait for the lease");
		holder_end(&cell->holder);
	}
	ret = peer_result(&breaker, QUICK);
	return ret ? fail("the breaker got %ld", ret) : true;
}

static int children(void)
{
	FILE *in = fopen("/proc/thread-self/children", "re");
	int pid, n = 0;

	while (in && fscanf(in, "%d", &pid) == 1)
		n++;
	if (in)
		fclose(in);
	return n;
}

static bool nothing_is_left(struct cell *cell)
{
	int ret = holder_end(&cell->holder);

	if (ret)
		return fail("the holder does not die: %d", ret);
	if (children() != 2)
		return fail("%d processes are left", children() - 2);
	return vanishes("", 0);
}

/* In another process. */
static long register_again(void *arg, int fd)
{
	static struct nic nic;
	struct cut *cut = arg;
	int ret = nic.ctx ? 0 : nic_open(&nic, ENV_RXE);
	char *map;

	fd = file_open(cut->path, O_RDWR);
	if (fd < 0 || ftruncate(fd, HOLDER_SIZE))
		return -errno;
	map = file_map(fd, HOLDER_SIZE);
	if (!ret)
		ret = lease_take_all(fd);
	if (!ret)
		ret = mr_try(&nic, map, HOLDER_SIZE, MR_SERVER);
	munmap(map, HOLDER_SIZE);
	close(fd);
	return ret;
}

static bool as_good_as_new(struct cell *cell)
{
	unsigned long start = now_ms();
	struct cut cut = { 0 };
	long ret;

	file_name(cell, cut.path);
	ret = do_truncate(&cut, -1);
	if (ret || now_ms() - start > env_ms(1000))
		return fail("truncate got %ld after %lu ms", ret, now_ms() - start);
	ret = peer_call(&other, register_again, &cut, sizeof(cut), -1);
	if (ret)
		return fail("cannot register again: %ld", ret);
	return vanishes("", 0);
}

static bool run(struct cell *cell)
{
	int ret;

	if (!begin(cell))
		return false;
	ret = cell->end->act(&cell->holder);
	if (ret)
		return fail("the end does not come: %d", ret);
	if (held_by_call(cell) && !settle(cell))
		return false;
	if (!ended(cell))
		return false;
	if (!held_by_call(cell) && !settle(cell))
		return false;
	return breaker_is_through(cell) && nothing_is_left(cell) && as_good_as_new(cell);
}

/* After a cell that failed: the next one begins with nothing left. */
static void sweep(struct cell *cell)
{
	peer_end(&breaker);
	peer_end(&other);
	holder_end(&cell->holder);
	report_write(cgroup("/cgroup.kill"), "1");
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
	rmdir(cgroup(""));
	peer_spawn(&breaker);
	peer_spawn(&other);
}

static void cell_at(unsigned int i, struct cell *cell, char *name, size_t size)
{
	unsigned int plight = i % ARRAY_SIZE(plight_names);
	unsigned int file = i / ARRAY_SIZE(plight_names) % ARRAY_SIZE(files);

	i /= ARRAY_SIZE(plight_names) * ARRAY_SIZE(files);
	*cell = (struct cell){
		.end = &ends[i % ARRAY_SIZE(ends)],
		.files = files[file],
		.plight = plight,
		.ring = i / ARRAY_SIZE(ends) % 2,
		.fs = systems[i / ARRAY_SIZE(ends) / 2],
		.holder = { .sock = -1, .kept = -1 },
	};
	snprintf(name, size, "%s.%s.%s.%s.%s", strrchr(cell->fs, '/') + 1,
		 cell->ring ? "io_uring" : "rdma", cell->end->name, file_names[file],
		 plight_names[plight]);
}

#define CELLS (ARRAY_SIZE(systems) * 2 * ARRAY_SIZE(ends) * ARRAY_SIZE(files) * \
	       ARRAY_SIZE(plight_names))

static unsigned int run_all(const char *only, bool count)
{
	unsigned int i, number = 0;
	struct cell cell;
	char name[128];

	for (i = 0; i < CELLS; i++) {
		cell_at(i, &cell, name, sizeof(name));
		if (impossible(&cell) || !strstr(name, only) || (++number && count))
			continue;
		if (run(&cell)) {
			printf("ok %u %s\n", number, name);
			continue;
		}
		printf("not ok %u %s # %s\n", number, name, why);
		sweep(&cell);
	}
	return number;
}

int main(int argc, char **argv)
{
	const char *only = argc > 1 ? argv[1] : "";

	if (!strcmp(only, HOLDER_LINGER))
		return pause();
	setvbuf(stdout, NULL, _IOLBF, 0);
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	/* the news of a break, which would end the holder */
	lease_block_signal(SIGIO);
	break_time_set(BREAK_TIME_DEFAULT);
	if (peer_spawn(&breaker) || peer_spawn(&other))
		return 1;
	printf("TAP version 13\n1..%u\n", run_all(only, true));
	run_all(only, false);
	return 0;
}
