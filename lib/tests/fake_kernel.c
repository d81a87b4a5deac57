// SPDX-License-Identifier: GPL-2.0
/* See fake_kernel.h. */
#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define _FCNTL_H	/* whose fcntl() has another prototype by another name */
#include <asm/fcntl.h>
#define _LINUX_FCNTL_H
#include <linux/layout_lease.h>
#include <linux/stat.h>

int statx(int dirfd, const char *path, int flags, unsigned int mask, struct statx *st);

#include "fake_kernel.h"

#define EOF_END		UINT64_MAX
#define DAX_ENTRY	(2ULL << 20)
#define MAX_PINS	64

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;

static struct kernel {
	bool dax;
	int refuse;
	unsigned int state;
	uint64_t start, end;
	bool unbreak;
	int event_fd;
	uint64_t denied, id;
	bool operation;			/* one is under way, or waits */
	uint64_t break_start, break_end;
	struct fake_mr *pins[MAX_PINS];
	void (*before_take)(void);
	void (*after_drop)(void);
} kernel;

static bool overlap(uint64_t a, uint64_t a_end, uint64_t b, uint64_t b_end)
{
	return a < b_end && b < a_end;
}

static uint64_t end_of(uint64_t start, uint64_t len)
{
	return len ? start + len : EOF_END;
}

static uint64_t len_of(uint64_t start, uint64_t end)
{
	return end == EOF_END ? 0 : end - start;
}

static bool pinned_outside(uint64_t start, uint64_t end)
{
	for (int i = 0; i < MAX_PINS; i++) {
		const struct fake_mr *mr = kernel.pins[i];

		if (mr && (mr->start < start || mr->start + mr->len > end))
			return true;
	}
	return false;
}

static unsigned int nr_pins(void)
{
	unsigned int nr = 0;

	for (int i = 0; i < MAX_PINS; i++)
		nr += kernel.pins[i] != NULL;
	return nr;
}

static void signal_event(void)
{
	static const uint64_t one = 1;

	if (kernel.event_fd >= 0)
		(void)!write(kernel.event_fd, &one, sizeof(one));
}

/* Of a DAX file. */
static void round_out(uint64_t *start, uint64_t *end)
{
	*start &= ~(DAX_ENTRY - 1);
	if (*end != EOF_END)
		*end = (*end + DAX_ENTRY - 1) & ~(DAX_ENTRY - 1);
}

static int take(const struct layout_lease *lease)
{
	uint64_t start = lease->start, end = end_of(start, lease->len);

	round_out(&start, &end);
	if (kernel.refuse)
		return kernel.refuse;
	if (kernel.state == LAYOUT_REVOKED)
		kernel.state = LAYOUT_NONE;
	if (kernel.operation && overlap(start, end, kernel.break_start, kernel.break_end))
		return EAGAIN;
	if (pinned_outside(start, end))
		return EBUSY;
	if (kernel.state == LAYOUT_NONE)
		kernel.id++;
	kernel.state = LAYOUT_ACTIVE;
	kernel.start = start;
	kernel.end = end;
	kernel.unbreak = lease->flags & LAYOUT_LEASE_UNBREAK;
	kernel.event_fd = lease->event_fd;
	kernel.denied = 0;
	return 0;
}

static int drop(int fd)
{
	bool nonblock = syscall(SYS_fcntl, fd, F_GETFL, 0) & O_NONBLOCK;

	if (kernel.state == LAYOUT_NONE || kernel.state == LAYOUT_REVOKED)
		return ENOENT;
	if (nr_pins() && nonblock)
		return EAGAIN;
	while (nr_pins())
		pthread_cond_wait(&changed, &lock);
	if (kernel.state != LAYOUT_REVOKED)
		kernel.state = LAYOUT_NONE;
	return 0;
}

static int get(struct layout_lease *lease)
{
	unsigned int size = lease->size;

	memset(lease, 0, sizeof(*lease));
	lease->size = size;
	lease->state = kernel.state;
	if (kernel.state == LAYOUT_NONE)
		return 0;
	lease->flags = kernel.unbreak ? LAYOUT_LEASE_UNBREAK : 0;
	lease->start = kernel.start;
	lease->len = len_of(kernel.start, kernel.end);
	lease->pins = nr_pins();
	lease->denied = kernel.denied;
	lease->id = kernel.id;
	if (kernel.state == LAYOUT_BREAKING) {
		lease->break_start = kernel.break_start;
		lease->break_len = len_of(kernel.break_start, kernel.break_end);
		lease->break_msecs = 1234;
	}
	return 0;
}

/* Without the lock: it is another thread's doing. */
static void run_once(void (**meanwhile)(void))
{
	void (*run)(void) = *meanwhile;

	*meanwhile = NULL;
	if (run)
		run();
}

static int command(int fd, int what, struct layout_lease *lease)
{
	int error;

	if (what == F_SETLAYOUT && lease->flags & LAYOUT_LEASE_TAKE)
		run_once(&kernel.before_take);
	pthread_mutex_lock(&lock);
	if (what == F_GETLAYOUT)
		error = get(lease);
	else if (lease->flags & LAYOUT_LEASE_DROP)
		error = drop(fd);
	else
		error = take(lease);
	pthread_mutex_unlock(&lock);
	if (what == F_SETLAYOUT && lease->flags & LAYOUT_LEASE_DROP)
		run_once(&kernel.after_drop);
	errno = error;
	return error ? -1 : 0;
}

int fcntl64(int fd, int what, ...);
int fcntl(int fd, int what, ...) __attribute__((alias("fcntl64")));

int fcntl64(int fd, int what, ...)
{
	va_list ap;
	void *arg;

	va_start(ap, what);
	arg = va_arg(ap, void *);
	va_end(ap);
	if (what == F_SETLAYOUT || what == F_GETLAYOUT)
		return command(fd, what, arg);
	return syscall(SYS_fcntl, fd, what, arg);
}

int statx(int dirfd, const char *path, int flags, unsigned int mask, struct statx *st)
{
	int ret = syscall(SYS_statx, dirfd, path, flags, mask, st);

	if (!ret && kernel.dax)
		st->stx_attributes |= STATX_ATTR_DAX;
	return ret;
}

void fake_begin(void)
{
	kernel = (struct kernel){ .event_fd = -1, .id = kernel.id };
}

void fake_dax(bool dax)
{
	kernel.dax = dax;
}

void fake_refuse(int error)
{
	kernel.refuse = error;
}

void fake_before_take(void (*run)(void))
{
	kernel.before_take = run;
}

void fake_after_drop(void (*run)(void))
{
	kernel.after_drop = run;
}

void fake_break(uint64_t start, uint64_t len)
{
	pthread_mutex_lock(&lock);
	kernel.operation = true;
	kernel.break_start = start;
	kernel.break_end = end_of(start, len);
	if (kernel.state == LAYOUT_ACTIVE || kernel.state == LAYOUT_BREAKING) {
		kernel.state = LAYOUT_BREAKING;
		signal_event();
	}
	pthread_mutex_unlock(&lock);
}

void fake_break_done(void)
{
	kernel.operation = false;
}

void fake_deny(void)
{
	pthread_mutex_lock(&lock);
	kernel.denied++;
	signal_event();
	pthread_mutex_unlock(&lock);
}

void fake_take(void)
{
	kernel.denied = 0;
}

void fake_revoke(void)
{
	pthread_mutex_lock(&lock);
	kernel.state = LAYOUT_REVOKED;
	memset(kernel.pins, 0, sizeof(kernel.pins));
	signal_event();
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&lock);
}

unsigned int fake_state(void)
{
	return kernel.state;
}

uint64_t fake_start(void)
{
	return kernel.start;
}

uint64_t fake_len(void)
{
	return len_of(kernel.start, kernel.end);
}

static int pin(struct fake_mr *mr)
{
	uint64_t end = mr->start + mr->len;

	if (mr->refuse)
		return -mr->refuse;
	if (kernel.state == LAYOUT_BREAKING)
		return -EAGAIN;
	if (kernel.state != LAYOUT_ACTIVE || mr->start < kernel.start || end > kernel.end)
		return -EOPNOTSUPP;
	for (int i = 0; i < MAX_PINS; i++) {
		if (!kernel.pins[i]) {
			kernel.pins[i] = mr;
			return 0;
		}
	}
	return -ENOSPC;
}

int fake_pin(struct fake_mr *mr)
{
	int ret;

	pthread_mutex_lock(&lock);
	ret = pin(mr);
	if (!ret) {
		mr->pinned = true;
		mr->made++;
	}
	pthread_mutex_unlock(&lock);
	return ret;
}

void fake_unpin(struct fake_mr *mr)
{
	pthread_mutex_lock(&lock);
	for (int i = 0; i < MAX_PINS; i++) {
		if (kernel.pins[i] == mr)
			kernel.pins[i] = NULL;
	}
	mr->pinned = false;
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&lock);
}

static int make(void *arg)
{
	return fake_pin(arg);
}

static void end(void *arg)
{
	fake_unpin(arg);
}

const struct flayout_registration_ops fake_device = { .make = make, .end = end };
