// SPDX-License-Identifier: GPL-2.0
/*
 * fcntl() of a kernel that grants and revokes every layout lease, for tests of
 * flayout on any kernel; to be preloaded.
 *   FAKE_ERRNO  the errno that taking a lease fails with
 *   FAKE_STATE  LAYOUT_*: an event comes half a second after the lease was
 *               taken, and this is what F_GETLAYOUT says then
 *   FAKE_DAX    if it is 1, every file is DAX
 *   FAKE_REVOKED  a file: the number of the lease, and that of the inode it was
 *               revoked on, are added to it
 */
#include <dlfcn.h>
#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define _FCNTL_H	/* whose fcntl() has another prototype by another name */
#define F_LINUX_SPECIFIC_BASE	1024
#define _LINUX_FCNTL_H
#include <linux/layout_lease.h>

int fcntl64(int fd, int command, ...);
int fcntl(int fd, int command, ...);

static int env(const char *name)
{
	const char *value = getenv(name);

	return value ? atoi(value) : 0;
}

static int take(const struct layout_lease *lease)
{
	uint64_t one = 1;

	if (lease->flags & LAYOUT_LEASE_DROP)
		return 0;
	errno = env("FAKE_ERRNO");
	if (errno)
		return -1;
	if (env("FAKE_STATE") && !fork()) {
		usleep(500000);
		_exit(write(lease->event_fd, &one, sizeof(one)) != sizeof(one));
	}
	return 0;
}

static int get(struct layout_lease *lease)
{
	lease->state = env("FAKE_STATE");
	lease->denied = lease->state == LAYOUT_ACTIVE;
	lease->break_start = 4096;
	lease->break_len = 0;
	lease->break_msecs = 1234;
	return 0;
}

static int take_away(int fd, const __u64 *id)
{
	const char *path = getenv("FAKE_REVOKED");
	FILE *file = path ? fopen(path, "a") : NULL;
	struct stat st;

	errno = env("FAKE_ERRNO");
	if (errno)
		return -1;
	if (file && !fstat(fd, &st))
		fprintf(file, "%llu %llu\n", (unsigned long long)*id,
			(unsigned long long)st.st_ino);
	return file ? fclose(file) : 0;
}

int fcntl64(int fd, int command, ...)
{
	int (*real)(int fd, int command, ...) = dlsym(RTLD_NEXT, "fcntl64");
	va_list ap;
	void *arg;

	va_start(ap, command);
	arg = va_arg(ap, void *);
	va_end(ap);
	if (command == F_SETLAYOUT)
		return take(arg);
	if (command == F_GETLAYOUT)
		return get(arg);
	if (command == F_REVOKELAYOUT)
		return take_away(fd, arg);
	return real(fd, command, arg);
}

int statx(int dir, const char *path, int flags, unsigned int mask, struct statx *stx)
{
	int (*real)(int dir, const char *path, int flags, unsigned int mask,
		    struct statx *stx) = dlsym(RTLD_NEXT, "statx");
	int ret = real(dir, path, flags, mask, stx);

	if (env("FAKE_DAX"))
		stx->stx_attributes |= STATX_ATTR_DAX;
	return ret;
}

int fcntl(int fd, int command, ...)
	__attribute__((alias("fcntl64")));
