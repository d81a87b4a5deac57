// SPDX-License-Identifier: GPL-2.0
/* What all processes of the stress share, and see of each other. */
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "stress.h"

/* More of the same tells nothing new. */
#define SAID	8

/* How many bounds somebody who gets on may take. */
#define PATIENCE	6

struct stress *stress;

int stress_table(__u64 seed, unsigned int failing)
{
	stress = mmap(NULL, sizeof(*stress), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		      -1, 0);
	if (stress == MAP_FAILED)
		return -errno;
	stress->seed = seed;
	stress->workers = env_ms(1) == 1 ? WORKERS : WORKERS / 2;
	stress->failing = failing;
	return 0;
}

/* One write() a line: many processes have the same output. */
static void say(const char *format, va_list args)
{
	char line[1024];
	int len = snprintf(line, sizeof(line), "# ");

	len += vsnprintf(line + len, sizeof(line) - len - 1, format, args);
	if (len > (int)sizeof(line) - 2)
		len = sizeof(line) - 2;
	line[len++] = '\n';
	if (write(STDOUT_FILENO, line, len) < 0)
		_exit(1);
}

void stress_fail(enum check check, const char *format, ...)
{
	va_list args;

	if (__atomic_fetch_add(&stress->failed[check], 1, __ATOMIC_SEQ_CST) >= SAID)
		return;
	va_start(args, format);
	say(format, args);
	va_end(args);
}

void stress_count(unsigned long *counter)
{
	__atomic_fetch_add(counter, 1, __ATOMIC_RELAXED);
}

unsigned int stress_bound(void)
{
	return 1000 + env_ms(10000);
}

void stress_begin(int place, const char *doing, unsigned int bound)
{
	struct place *at = &stress->at[place];

	at->since = now_ms();
	at->bound = bound ? bound : stress_bound();
	__atomic_store_n(&at->doing, doing, __ATOMIC_RELEASE);
}

void stress_end(int place)
{
	__atomic_store_n(&stress->at[place].doing, NULL, __ATOMIC_RELEASE);
}

/* What the kernel says of a process that hangs. */
static void explain(pid_t pid)
{
	static const char *const files[] = { "status", "stack", "wchan" };
	char path[64], line[256];
	unsigned int i;
	FILE *file;

	for (i = 0; i < sizeof(files) / sizeof(*files); i++) {
		snprintf(path, sizeof(path), "/proc/%d/%s", pid, files[i]);
		file = fopen(path, "r");
		while (file && fgets(line, sizeof(line), file))
			if (i || !strncmp(line, "State", 5))
				printf("#   %s", line);
		if (file)
			fclose(file);
	}
	printf("#\n");
	fflush(stdout);
}

/* Grows whenever the process runs; 0 if it is on a run queue just now, or gone. */
static unsigned long mark_of(pid_t pid)
{
	char path[64], line[REPORT_LINE];
	unsigned long mark = 1;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	if (report_find(path, "State:\tR", "", line) != 0)
		return 0;
	if (report_find(path, "voluntary_ctxt_switches:", "", line) == 1)
		mark += atol(strchr(line, ':') + 1);
	if (report_find(path, "nonvoluntary_ctxt_switches:", "", line) == 1)
		mark += atol(strchr(line, ':') + 1);
	return mark;
}

bool stress_stuck(pid_t pid, struct progress *progress, unsigned long over)
{
	unsigned long mark = mark_of(pid);

	if (!mark || mark != progress->mark) {
		progress->mark = mark;
		progress->since = now_ms();
		return over > PATIENCE * stress_bound();
	}
	return now_ms() - progress->since > env_ms(5000);
}

static bool watch(int place)
{
	struct place *at = &stress->at[place];
	const char *doing = __atomic_load_n(&at->doing, __ATOMIC_ACQUIRE);
	unsigned long since = at->since;
	pid_t pid = at->pid;

	if (!doing || !pid || now_ms() < since + at->bound)
		return false;
	if (!stress_stuck(pid, &at->progress, now_ms() - since - at->bound))
		return false;
	/* it may have ended, or gone on to the next, while we looked */
	if (kill(pid, 0) || since != at->since || doing != at->doing)
		return false;
	stress_fail(CHECK_TIME, "process %d (place %d, life %u): \"%s\" takes %lu ms", pid, place,
		    at->life, doing, now_ms() - since);
	explain(pid);
	return true;
}

bool stress_watch(void)
{
	bool found = false;
	int i;

	stress_count(&stress->looked[CHECK_TIME]);
	for (i = 0; i < PLACES; i++)
		found |= watch(i);
	return found;
}

int stress_file_of(int fd)
{
	struct stat st;
	int i;

	if (fstat(fd, &st))
		return -1;
	for (i = 0; i < FILES; i++)
		if (stress->files[i].ino == st.st_ino && stress->files[i].dev == st.st_dev)
			return i;
	return -1;
}

void stress_note_end(int worker, int slot)
{
	struct region_note *note = &stress->notes[worker][slot];

	__atomic_store_n(&note->live, false, __ATOMIC_SEQ_CST);
	__atomic_fetch_add(&note->gen, 1, __ATOMIC_SEQ_CST);
}

void stress_note_begin(int worker, int slot, int file, __u64 start, __u64 len)
{
	struct region_note *note = &stress->notes[worker][slot];

	note->pid = getpid();
	note->file = file;
	note->start = start;
	note->len = len;
	__atomic_fetch_add(&note->gen, 1, __ATOMIC_SEQ_CST);
	__atomic_store_n(&note->live, true, __ATOMIC_SEQ_CST);
}

ssize_t stress_foreign(const struct stress_file *file, const char *buf, ssize_t len)
{
	ssize_t i;

	for (i = 0; i < len; i++)
		if (buf[i] && buf[i] != file->letter && buf[i] != DONOR_FILL)
			return i;
	return -1;
}

/* Steele, Lea, Flood: SplitMix64 */
static __u64 next(struct random *rnd)
{
	__u64 z = rnd->state += 0x9e3779b97f4a7c15ULL;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
	return z ^ (z >> 31);
}

void random_start(struct random *rnd, int place, unsigned int life)
{
	rnd->state = stress->seed;
	rnd->state = next(rnd) ^ ((__u64)place << 32 | life);
}

unsigned int pick(struct random *rnd, unsigned int n)
{
	return (next(rnd) >> 32) % n;
}

bool chance(struct random *rnd, unsigned int percent)
{
	return pick(rnd, 100) < percent;
}
