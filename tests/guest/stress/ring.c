// SPDX-License-Identifier: GPL-2.0
/*
 * A worker's ring, whose fixed buffers lie in leased files.
 *
 * What is read into a buffer comes from a source with the letter of the buffer's
 * file, so that the checker knows what is foreign there.  What is written from it
 * goes to a sink, which may hold nothing but what that file may.
 */
#include <errno.h>
#include <liburing.h>
#include <stdio.h>
#include <string.h>

#include "stress.h"

#define DEPTH		8
#define REQUEST_MAX	(64 * KIB)
#define NOTE(slot)	(REGIONS + (slot))	/* notes of regions come first */

struct buffer {
	char *addr;		/* NULL: none */
	size_t len;
	int file;
};

static struct io_uring ring = { .ring_fd = -1 };
static struct buffer buffers[RING_BUFFERS];
static unsigned int under_way;		/* requests submitted, whose end was not seen */
static bool dead;			/* the last user of a file it had pinned is gone */
static int me;

void ring_begin(int worker)
{
	me = worker;
}

/*
 * Sources and sinks
 */

static void source_path(char *path, int file)
{
	snprintf(path, FILE_PATH, ENV_EXT4_NODAX "/stress.source.%d", file);
}

static void sink_path(char *path, int worker, int file)
{
	snprintf(path, FILE_PATH, ENV_XFS_NODAX "/stress.sink.%d.%d", worker, file);
}

int ring_make_source(int file)
{
	char path[FILE_PATH];
	int fd;

	source_path(path, file);
	fd = file_make(path, REQUEST_MAX, stress->files[file].letter);
	if (fd < 0)
		return fd;
	close(fd);
	return 0;
}

void ring_unlink(int worker, int file)
{
	char path[FILE_PATH];

	source_path(path, file);
	unlink(path);
	sink_path(path, worker, file);
	unlink(path);
}

/* Nobody but this worker writes to its sink, and nothing is under way. */
static void check_sink(int file)
{
	static char buf[REQUEST_MAX];
	char path[FILE_PATH];
	ssize_t got, at;
	int fd;

	sink_path(path, me, file);
	fd = file_open(path, O_RDONLY);
	if (fd < 0)
		return;
	got = pread(fd, buf, sizeof(buf), 0);
	close(fd);
	stress_count(&stress->looked[CHECK_CONTENT]);
	at = stress_foreign(&stress->files[file], buf, got);
	if (at >= 0)
		stress_fail(CHECK_CONTENT, "%s: '%c' (%#x) at %zd", path, buf[at], buf[at], at);
}

/*
 * The ring
 */

static int close_ring(void)
{
	int i;

	for (i = 0; i < RING_BUFFERS; i++) {
		if (buffers[i].addr)
			stress_note_end(me, NOTE(i));
		buffers[i].addr = NULL;
	}
	io_uring_queue_exit(&ring);
	ring.ring_fd = -1;
	under_way = 0;
	dead = false;
	return 0;
}

int act_close_ring(struct random *rnd)
{
	return ring.ring_fd < 0 ? SKIPPED : close_ring();
}

int act_open_ring(struct random *rnd)
{
	struct io_uring_params params = { 0 };
	int ret;

	if (dead)
		close_ring();
	if (ring.ring_fd >= 0)
		return SKIPPED;
	if (chance(rnd, 20)) {
		params.flags = IORING_SETUP_SQPOLL;
		params.sq_thread_idle = 20;
	}
	ret = io_uring_queue_init_params(DEPTH, &ring, &params);
	if (ret) {
		ring.ring_fd = -1;
		return ret;
	}
	ret = io_uring_register_buffers_sparse(&ring, RING_BUFFERS);
	if (!ret)
		ret = io_uring_register_files_sparse(&ring, 1);
	if (ret)
		close_ring();
	return ret;
}

/* What a call to the ring has said, which may be that it is dead. */
static int said(int ret)
{
	dead |= ret == -EIO;
	return ret < 0 ? ret : 0;
}

/*
 * Buffers
 */

static int update(int slot, char *addr, size_t len)
{
	struct iovec iov = { .iov_base = addr, .iov_len = len };
	__u64 tag = 0;

	return said(io_uring_register_buffers_update_tag(&ring, slot, &iov, &tag, 1));
}

/* What there was in the slot goes with success. */
int ring_register(struct random *rnd, const struct map *map)
{
	size_t pages = map->len / PAGE, from = pick(rnd, pages), len;
	int slot = pick(rnd, RING_BUFFERS), ret;
	struct buffer *buffer = &buffers[slot];

	if (ring.ring_fd < 0)
		return SKIPPED;
	len = 1 + pick(rnd, chance(rnd, 80) ? 64 : pages);
	if (len > pages - from)
		len = pages - from;
	stress_note_end(me, NOTE(slot));
	ret = update(slot, map->addr + from * PAGE, len * PAGE);
	/* what was there before may be gone, or not: nobody shall look after it */
	buffer->addr = NULL;
	if (ret)
		return ret;
	buffer->addr = map->addr + from * PAGE;
	buffer->len = len * PAGE;
	buffer->file = map->file;
	stress_note_begin(me, NOTE(slot), map->file, map->pos + from * PAGE, len * PAGE);
	return 0;
}

static int give_back(int slot)
{
	stress_note_end(me, NOTE(slot));
	buffers[slot].addr = NULL;
	return update(slot, NULL, 0);
}

int act_unregister_buffer(struct random *rnd)
{
	int slot = pick(rnd, RING_BUFFERS);

	return buffers[slot].addr ? give_back(slot) : SKIPPED;
}

void ring_end_of_file(int file)
{
	int i;

	for (i = 0; i < RING_BUFFERS; i++)
		if (buffers[i].addr && buffers[i].file == file)
			give_back(i);
}

/* The ring keeps a description, and so perhaps the lease its own buffers stand on. */
int ring_keep(int fd)
{
	if (ring.ring_fd < 0)
		return SKIPPED;
	return said(io_uring_register_files_update(&ring, 0, &fd, 1));
}

/*
 * Requests
 */

static int prepare(struct random *rnd, int slot)
{
	const struct buffer *buffer = &buffers[slot];
	size_t pages = buffer->len / PAGE, from = pick(rnd, pages);
	size_t len = (1 + pick(rnd, REQUEST_MAX / PAGE)) * PAGE;
	int flags = chance(rnd, 60) ? O_DIRECT : 0, fd;
	bool read = chance(rnd, 60);
	struct io_uring_sqe *sqe;
	char path[FILE_PATH];

	if (len > buffer->len - from * PAGE)
		len = buffer->len - from * PAGE;
	if (read)
		source_path(path, buffer->file);
	else
		sink_path(path, me, buffer->file);
	fd = file_open(path, flags | (read ? O_RDONLY : O_RDWR | O_CREAT));
	if (fd < 0)
		return fd;
	sqe = io_uring_get_sqe(&ring);
	if (!sqe) {
		close(fd);
		return -EBUSY;
	}
	if (read)
		io_uring_prep_read_fixed(sqe, fd, buffer->addr + from * PAGE, len, 0, slot);
	else
		io_uring_prep_write_fixed(sqe, fd, buffer->addr + from * PAGE, len, 0, slot);
	sqe->flags |= chance(rnd, 30) ? IOSQE_ASYNC : 0;
	return fd;
}

static void judge(const struct io_uring_cqe *cqe)
{
	if (cqe->res >= 0 || cqe->res == -EFAULT || (stress->failing && cqe->res == -ENOMEM))
		stress_count(cqe->res >= 0 ? &stress->ring_good : &stress->ring_bad);
	else
		stress_fail(CHECK_ANSWER, "worker %d: a request said %s", me, strerror(-cqe->res));
}

static int reap(void)
{
	struct io_uring_cqe *cqe;
	int ret;

	while (under_way) {
		ret = io_uring_wait_cqe(&ring, &cqe);
		if (ret == -EINTR)
			continue;
		if (ret)
			return said(ret);
		judge(cqe);
		io_uring_cqe_seen(&ring, cqe);
		under_way--;
	}
	return 0;
}

/* What was not taken would be later, when its descriptor is another file's. */
static int submit(void)
{
	int ret = io_uring_submit(&ring);

	if (ret == 1)
		under_way++;
	else
		dead = true;
	return ret < 0 ? ret : 0;
}

/* A few requests, whose end is seen now or with those of the next time. */
int act_use_buffer(struct random *rnd)
{
	int slot = pick(rnd, RING_BUFFERS), ret = 0, fd, i;
	int file = buffers[slot].file;

	if (!buffers[slot].addr || dead)
		return SKIPPED;
	for (i = 1 + pick(rnd, 3); i && under_way < DEPTH && !ret; i--) {
		fd = prepare(rnd, slot);
		if (fd < 0)
			return fd;
		ret = submit();
		/* an idle thread of the kernel may look only later for the descriptor */
		if (!ret && ring.flags & IORING_SETUP_SQPOLL)
			ret = reap();
		close(fd);
	}
	if (ret || chance(rnd, 30))
		return ret;
	ret = reap();
	if (!ret)
		check_sink(file);
	return ret;
}

void ring_end(void)
{
	if (ring.ring_fd >= 0)
		close_ring();
}
