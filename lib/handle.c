// SPDX-License-Identifier: LGPL-2.1-or-later
/* Handles: their making, their file, their messages, their end. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "private.h"

/*
 * Messages are literals.  So the one that is returned stays valid whatever
 * other threads do, and none has to be allocated when memory has run out.
 */
int flayout_fail(struct flayout *fl, int error, const char *message)
{
	if (fl)
		atomic_store(&fl->message, message);
	return -error;
}

int fl_errno(struct flayout *fl, int error)
{
	const char *words = strerrordesc_np(error);

	return flayout_fail(fl, error, words ? words : "an error the C library has no words for");
}

const char *flayout_message(const struct flayout *fl)
{
	return fl ? atomic_load(&fl->message) : "there is no handle";
}

int fl_check_open(struct flayout *fl)
{
	if (!fl)
		return -EINVAL;
	if (fl->fd < 0)
		return flayout_fail(fl, EBADF, "the handle has no file: call flayout_open() first");
	return 0;
}

/* A caller built against another version has a shorter or longer struct. */
void fl_copy_out(void *to, size_t to_size, const void *from, size_t from_size)
{
	size_t size = to_size < from_size ? to_size : from_size;

	memcpy(to, from, size);
	memset((char *)to + size, 0, to_size - size);
}

static void close_fd(int fd)
{
	if (fd >= 0)
		close(fd);
}

static int open_poll(struct flayout *fl)
{
	struct epoll_event event = { .events = EPOLLIN };

	fl->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (fl->event_fd < 0)
		return -errno;
	fl->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (fl->epoll_fd < 0)
		return -errno;
	return epoll_ctl(fl->epoll_fd, EPOLL_CTL_ADD, fl->event_fd, &event) ? -errno : 0;
}

static void free_handle(struct flayout *fl)
{
	close_fd(fl->fd);
	close_fd(fl->epoll_fd);
	close_fd(fl->event_fd);
	close_fd(fl->timer_fd);
	pthread_mutex_destroy(&fl->lock);
	pthread_mutex_destroy(&fl->reg_lock);
	free(fl);
}

int flayout_new(struct flayout **out)
{
	struct flayout *fl;
	int ret;

	if (!out)
		return -EINVAL;
	*out = NULL;
	fl = calloc(1, sizeof(*fl));
	if (!fl)
		return -ENOMEM;
	pthread_mutex_init(&fl->reg_lock, NULL);
	pthread_mutex_init(&fl->lock, NULL);
	atomic_init(&fl->message, "");
	atomic_init(&fl->mode, FLAYOUT_MODE_NONE);
	atomic_init(&fl->fd, -1);
	fl->epoll_fd = fl->event_fd = fl->timer_fd = -1;
	LIST_INIT(&fl->mappings);
	LIST_INIT(&fl->registrations);
	ret = open_poll(fl);
	if (ret)
		free_handle(fl);
	else
		*out = fl;
	return ret;
}

void flayout_close(struct flayout *fl)
{
	if (!fl)
		return;
	pthread_mutex_lock(&fl->reg_lock);
	fl_orphan_registrations(fl);
	pthread_mutex_lock(&fl->lock);
	/* Other descriptors of the description may keep the lease: end it here. */
	if (fl->leased && fl->pid == getpid())
		fl_drop_now(fl);
	fl_unmap_all(fl);
	pthread_mutex_unlock(&fl->lock);
	pthread_mutex_unlock(&fl->reg_lock);
	free_handle(fl);
}

/* A copy could not be written back to its place: pwrite() would append it. */
static int fail_append(struct flayout *fl)
{
	return flayout_fail(fl, EINVAL, "O_APPEND: all that is written back would go to the end of the file");
}

/* Takes over @fd. */
static int adopt_file(struct flayout *fl, int fd)
{
	int flags = fcntl(fd, F_GETFL);
	struct stat st;
	int ret = 0;

	pthread_mutex_lock(&fl->lock);
	if (fl->fd >= 0)
		ret = flayout_fail(fl, EBUSY, "the handle has a file already");
	else if (flags < 0 || fstat(fd, &st))
		ret = fl_errno(fl, errno);
	else if (!S_ISREG(st.st_mode))
		ret = flayout_fail(fl, EINVAL, "only a regular file has a layout to lease");
	else if (flags & O_APPEND)
		ret = fail_append(fl);
	else
		fl->fd = fd;
	pthread_mutex_unlock(&fl->lock);
	if (ret)
		close(fd);
	return ret;
}

int flayout_open(struct flayout *fl, int dirfd, const char *path, int oflags, mode_t mode)
{
	int fd;

	if (!fl)
		return -EINVAL;
	if (!path)
		return flayout_fail(fl, EINVAL, "a path is missing");
	/* Before anything is created or truncated. */
	if (oflags & O_APPEND)
		return fail_append(fl);
	fd = openat(dirfd, path, oflags | O_CLOEXEC, mode);
	return fd < 0 ? fl_errno(fl, errno) : adopt_file(fl, fd);
}

int flayout_open_fd(struct flayout *fl, int fd)
{
	int copy;

	if (!fl)
		return -EINVAL;
	copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	return copy < 0 ? fl_errno(fl, errno) : adopt_file(fl, copy);
}

int flayout_file(const struct flayout *fl)
{
	return fl && fl->fd >= 0 ? fl->fd : -EBADF;
}

int flayout_fd(const struct flayout *fl)
{
	return fl ? fl->epoll_fd : -EINVAL;
}

int flayout_mode(const struct flayout *fl)
{
	return fl ? atomic_load(&fl->mode) : -EINVAL;
}
