// SPDX-License-Identifier: GPL-2.0
/*
 * Fixed buffers of io_uring in a leased file: who may register them, what can be
 * done with them, that they can be taken back at any time, and what becomes of
 * the ring when the file's last user is gone.
 */
#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <linux/fs.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "kselftest_harness.h"
#include "lib/heldreg.h"
#include "lib/rig.h"

#define TARGET_SIZE	(2 * MIB)

/* What is read into buffers, and written from them. */
struct target {
	const char *path;
	int flags;
	unsigned int sqe_flags;
};

static const struct target targets[] = {
	{ ENV_EXT4_NODAX "/target", O_DIRECT, 0 },
	{ ENV_EXT4_NODAX "/target", 0, 0 },
	{ ENV_XFS_NODAX "/target", O_DIRECT, 0 },
	{ ENV_XFS_NODAX "/target", O_DIRECT, IOSQE_ASYNC },
	{ ENV_XFS_NODAX "/target", 0, 0 },
	{ ENV_EXT4 "/target", 0, 0 },
	{ "/tmp/target", 0, 0 },
};

FIXTURE(ring)
{
	struct rig rig;
	struct io_uring ring;
	int fd;
	char *map;
};

ON_DAX(ring);

FIXTURE_SETUP(ring)
{
	ASSERT_EQ(0, rig_open(&self->rig, variant->dir));
	self->fd = self->rig.fd;
	self->map = file_map(self->fd, RIG_SIZE);
	ASSERT_NE(NULL, self->map);
	ASSERT_EQ(0, io_uring_queue_init(8, &self->ring, 0));
}

FIXTURE_TEARDOWN(ring)
{
	if (self->ring.ring_fd >= 0)
		io_uring_queue_exit(&self->ring);
	rig_close(&self->rig);
}

static int register_at(struct io_uring *ring, void *at, size_t len)
{
	struct iovec iov = { .iov_base = at, .iov_len = len };

	return io_uring_register_buffers(ring, &iov, 1);
}

/* What one request says. */
static int result_of(struct io_uring *ring)
{
	struct io_uring_cqe *cqe;
	int ret = io_uring_submit_and_wait(ring, 1);
	bool told;

	if (ret < 0)
		return ret;
	do {
		ret = io_uring_wait_cqe(ring, &cqe);
		if (ret)
			return ret;
		told = cqe->flags & IORING_CQE_F_NOTIF;	/* of a zero copy send before */
		ret = cqe->res;
		io_uring_cqe_seen(ring, cqe);
	} while (told);
	return ret;
}

static int read_fixed(struct io_uring *ring, int fd, void *at, size_t len, __u64 from,
		      unsigned int flags)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(ring);

	io_uring_prep_read_fixed(sqe, fd, at, len, from, 0);
	sqe->flags |= flags;
	return result_of(ring);
}

static int write_fixed(struct io_uring *ring, int fd, void *at, size_t len, __u64 to,
		       unsigned int flags)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(ring);

	io_uring_prep_write_fixed(sqe, fd, at, len, to, 0);
	sqe->flags |= flags;
	return result_of(ring);
}

static int target_make(const struct target *target, char fill)
{
	int fd = file_make(target->path, TARGET_SIZE, fill);

	if (fd < 0)
		return fd;
	close(fd);
	return file_open(target->path, O_RDWR | target->flags);
}

static int close_buffer(FIXTURE_DATA(ring) *self)
{
	int ret = munmap(self->map, RIG_SIZE) || close(self->fd) ? -errno : 0;

	self->rig.fd = -1;
	return ret;
}

TEST_F(ring, without_a_lease_is_refused)
{
	EXPECT_EQ(-EOPNOTSUPP, register_at(&self->ring, self->map, MIB));
}

TEST_F(ring, with_a_lease_works_and_is_counted)
{
	char line[REPORT_LINE];
	__u64 id;

	ASSERT_EQ(0, lease_take_all(self->fd));
	id = lease_see(self->fd).id;
	ASSERT_EQ(0, register_at(&self->ring, self->map + PAGE - 1, MIB));
	EXPECT_EQ(1, lease_see(self->fd).pins);
	EXPECT_EQ(MIB / PAGE + 1, lease_see(self->fd).pinned_pages);
	EXPECT_EQ(1, report_pins(id, line));
	EXPECT_STREQ("io_uring", report_key(line, "kind"));
	EXPECT_EQ(getpid(), report_number(line, "pid"));
	EXPECT_NE(NULL, strstr(line, "path=anon_inode:[io_uring]"));
	EXPECT_EQ(0, io_uring_unregister_buffers(&self->ring));
	EXPECT_EQ(0, lease_see(self->fd).pins);
	EXPECT_EQ(0, lease_see(self->fd).pinned_pages);
	EXPECT_EQ(0, lease_drop(self->fd));
}

TEST_F(ring, file_pins_and_fdinfo_show_it)
{
	char path[64], line[REPORT_LINE];

	ASSERT_EQ(0, lease_take_all(self->fd));
	ASSERT_EQ(0, register_at(&self->ring, self->map, MIB));
	snprintf(path, sizeof(path), "ctx %d io_uring ", self->ring.ring_fd);
	EXPECT_EQ(1, report_find("/proc/self/file_pins", path, "", line));
	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", self->ring.ring_fd);
	EXPECT_EQ(1, report_find(path, "layout_pin:", "", line));
}

TEST_F_TIMEOUT(ring, reads_and_writes_go_through_it, 120)
{
	ASSERT_EQ(0, lease_take_all(self->fd));
	ASSERT_EQ(0, register_at(&self->ring, self->map, RIG_SIZE));
	for (unsigned int i = 0; i < ARRAY_SIZE(targets); i++) {
		const struct target *t = &targets[i];
		char *at = self->map + (i % 3) * 2 * MIB;
		__u64 offset = at - self->map;
		int fd = target_make(t, 'a' + i);

		ASSERT_LE(0, fd);
		EXPECT_EQ(MIB, read_fixed(&self->ring, fd, at + PAGE, MIB, PAGE, t->sqe_flags))
			TH_LOG("target %u", i);
		EXPECT_TRUE(file_is(self->rig.path, offset + PAGE, MIB, 'a' + i))
			TH_LOG("target %u", i);
		memset(at, 'A' + i, MIB);
		EXPECT_EQ(MIB, write_fixed(&self->ring, fd, at, MIB, MIB, t->sqe_flags))
			TH_LOG("target %u", i);
		EXPECT_TRUE(file_is(t->path, MIB, MIB, 'A' + i)) TH_LOG("target %u", i);
		EXPECT_TRUE(file_is(t->path, 0, MIB, 'a' + i)) TH_LOG("target %u", i);
		/* beyond the end: what there is */
		EXPECT_EQ(PAGE, read_fixed(&self->ring, fd, at, MIB, TARGET_SIZE - PAGE,
					   t->sqe_flags)) TH_LOG("target %u", i);
		close(fd);
		unlink(t->path);
	}
	EXPECT_EQ(1, lease_see(self->fd).pins);
}

/* From one part of a leased file into another one. */
TEST_F(ring, the_leased_file_itself_can_be_the_target)
{
	ASSERT_EQ(0, lease_take_all(self->fd));
	ASSERT_EQ(0, register_at(&self->ring, self->map, MIB));
	memset(self->map, 's', MIB);
	EXPECT_EQ(MIB, write_fixed(&self->ring, self->fd, self->map, MIB, 4 * MIB, 0));
	EXPECT_TRUE(file_is(self->rig.path, 4 * MIB, MIB, 's'));
}

/* Two ends of a connection that can send without copying; 0 or a negative errno. */
static int tcp_pair(int ends[2])
{
	struct sockaddr_in at = { .sin_family = AF_INET };
	socklen_t len = sizeof(at);
	int door = socket(AF_INET, SOCK_STREAM, 0);

	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	ends[0] = socket(AF_INET, SOCK_STREAM, 0);
	if (door < 0 || ends[0] < 0 || bind(door, (struct sockaddr *)&at, sizeof(at)) ||
	    listen(door, 1) || getsockname(door, (struct sockaddr *)&at, &len) ||
	    connect(ends[0], (struct sockaddr *)&at, sizeof(at)))
		return -errno;
	ends[1] = accept(door, NULL, NULL);
	close(door);
	return ends[1] < 0 ? -errno : 0;
}

static int send_fixed(struct io_uring *ring, int sock, void *at, unsigned int index)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(ring);

	io_uring_prep_send_zc_fixed(sqe, sock, at, PAGE, 0, 0, index);
	return result_of(ring);
}

/*
 * A command that has such a buffer, on which a socket does nothing:
 * SOCKET_URING_OP_SIOCINQ with IORING_URING_CMD_FIXED.
 */
static int command_fixed(struct io_uring *ring, int sock, unsigned int index)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(ring);

	io_uring_prep_rw(IORING_OP_URING_CMD, sqe, sock, NULL, 0, 0);
	sqe->rw_flags = 1;
	sqe->buf_index = index;
	return result_of(ring);
}

TEST_F(ring, what_may_keep_pages_is_refused)
{
	static char memory[PAGE];
	struct iovec iov[2] = {
		{ .iov_base = self->map, .iov_len = MIB },
		{ .iov_base = memory, .iov_len = PAGE },
	};
	struct io_uring poll;
	int pipes[2], ends[2];

	ASSERT_EQ(0, lease_take_all(self->fd));
	ASSERT_EQ(0, io_uring_queue_init(4, &poll, IORING_SETUP_IOPOLL));
	EXPECT_EQ(-EOPNOTSUPP, register_at(&poll, self->map, MIB));
	io_uring_queue_exit(&poll);

	ASSERT_EQ(0, io_uring_register_buffers(&self->ring, iov, 2));
	ASSERT_EQ(0, pipe(pipes));
	EXPECT_EQ(-EINVAL, write_fixed(&self->ring, pipes[1], self->map, PAGE, 0, 0));
	EXPECT_EQ(PAGE, write(pipes[1], self->map, PAGE));
	EXPECT_EQ(-EINVAL, read_fixed(&self->ring, pipes[0], self->map, PAGE, 0, 0));

	ASSERT_EQ(0, tcp_pair(ends));
	EXPECT_EQ(-EOPNOTSUPP, send_fixed(&self->ring, ends[0], self->map, 0));
	EXPECT_EQ(PAGE, send_fixed(&self->ring, ends[0], memory, 1));
	EXPECT_EQ(-EOPNOTSUPP, command_fixed(&self->ring, ends[0], 0));
	EXPECT_EQ(0, command_fixed(&self->ring, ends[0], 1));
}

/* IORING_REGISTER_CLONE_BUFFERS, which the library of Debian 12 does not know */
#define CLONE_BUFFERS	30

TEST_F(ring, no_other_ring_shares_it)
{
	struct {
		__u32 src_fd, flags, pad[6];
	} clone = { .src_fd = self->ring.ring_fd };
	struct io_uring other;

	ASSERT_EQ(0, io_uring_queue_init(4, &other, 0));
	ASSERT_EQ(0, lease_take_all(self->fd));
	ASSERT_EQ(0, register_at(&self->ring, self->map, MIB));
	EXPECT_EQ(-1, syscall(SYS_io_uring_register, other.ring_fd, CLONE_BUFFERS, &clone, 1));
	EXPECT_EQ(EOPNOTSUPP, errno);
	io_uring_queue_exit(&other);
	EXPECT_EQ(1, lease_see(self->fd).pins);
}

TEST_F(ring, a_slot_that_is_filled_anew_gives_the_pages_back)
{
	static char memory[2 * PAGE];
	struct iovec iov = { .iov_base = memory, .iov_len = sizeof(memory) };
	__u64 tag = 0;

	ASSERT_EQ(0, lease_take_all(self->fd));
	ASSERT_EQ(0, register_at(&self->ring, self->map, MIB));
	EXPECT_EQ(1, io_uring_register_buffers_update_tag(&self->ring, 0, &iov, &tag, 1));
	EXPECT_EQ(0, lease_see(self->fd).pins);
	iov.iov_base = self->map;
	iov.iov_len = PAGE;
	EXPECT_EQ(1, io_uring_register_buffers_update_tag(&self->ring, 0, &iov, &tag, 1));
	EXPECT_EQ(1, lease_see(self->fd).pins);
}

TEST_F(ring, after_revocation_requests_fail_and_the_rest_works)
{
	static char memory[PAGE];
	struct iovec iov[2] = {
		{ .iov_base = self->map, .iov_len = MIB },
		{ .iov_base = memory, .iov_len = PAGE },
	};
	struct io_uring_sqe *sqe;
	int fd = target_make(&targets[0], 'x');

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, lease_take_all(self->fd));
	ASSERT_EQ(0, io_uring_register_buffers(&self->ring, iov, 2));
	ASSERT_EQ(0, lease_revoke(self->fd, 0));
	EXPECT_EQ(-EFAULT, read_fixed(&self->ring, fd, self->map, PAGE, 0, 0));
	EXPECT_EQ(-EFAULT, write_fixed(&self->ring, fd, self->map, PAGE, 0, 0));
	EXPECT_EQ(-EFAULT, read_fixed(&self->ring, fd, self->map, PAGE, 0, IOSQE_ASYNC));
	EXPECT_EQ(-EFAULT, write_fixed(&self->ring, fd, self->map, PAGE, 0, IOSQE_ASYNC));
	EXPECT_TRUE(file_is(self->rig.path, 0, MIB, RIG_FILL));
	EXPECT_TRUE(file_is(targets[0].path, 0, TARGET_SIZE, 'x'));
	close(fd);
	fd = file_open(targets[0].path, O_RDONLY);
	sqe = io_uring_get_sqe(&self->ring);
	io_uring_prep_read_fixed(sqe, fd, memory, PAGE, 0, 1);
	EXPECT_EQ(PAGE, result_of(&self->ring));
	EXPECT_EQ('x', memory[PAGE - 1]);
	EXPECT_EQ(0, io_uring_unregister_buffers(&self->ring));
	ASSERT_EQ(0, lease_take_all(self->fd));
	EXPECT_EQ(0, register_at(&self->ring, self->map, MIB));
	close(fd);
	unlink(targets[0].path);
}

TEST_F(ring, a_breaker_takes_it_when_the_time_is_over)
{
	ASSERT_EQ(0, break_time_set(1));
	ASSERT_EQ(0, lease_take(self->fd, 0, 0, 0, self->rig.event));
	ASSERT_EQ(0, register_at(&self->ring, self->map, MIB));
	EXPECT_EQ(0, rig_other(&self->rig, do_truncate, 0, 0));
	EXPECT_EQ(0, file_size(self->rig.path));
	EXPECT_EQ(LAYOUT_REVOKED, lease_see(self->fd).state);
	EXPECT_EQ(2, lease_events(self->rig.event, QUICK));
	EXPECT_EQ(0, io_uring_unregister_buffers(&self->ring));
}

/* The freed blocks are another file's, and many requests are on their way. */
TEST_F_TIMEOUT(ring, freed_blocks_are_not_touched_by_requests_in_flight, 180)
{
	int fd = target_make(&targets[2], 'x');

	ASSERT_LE(0, fd);
	for (int round = 0; round < 20; round++) {
		unsigned int flags = round % 3 ? 0 : IOSQE_ASYNC;
		struct extents before;
		char path[FILE_PATH];
		struct io_uring ring;
		__u64 at, len;

		ASSERT_EQ(0, rig_anew(&self->rig));
		munmap(self->map, RIG_SIZE);
		self->map = file_map(self->rig.fd, RIG_SIZE);
		ASSERT_NE(NULL, self->map);
		ASSERT_EQ(0, lease_take_all(self->rig.fd));
		ASSERT_EQ(0, io_uring_queue_init(64, &ring, 0));
		ASSERT_EQ(0, register_at(&ring, self->map, MIB));
		ASSERT_EQ(0, file_extents(self->rig.fd, &before));
		for (int i = 0; i < 64; i++) {
			struct io_uring_sqe *sqe = io_uring_get_sqe(&ring);

			io_uring_prep_read_fixed(sqe, fd, self->map, MIB, 0, 0);
			sqe->flags |= flags;
		}
		ASSERT_EQ(64, io_uring_submit(&ring));
		ASSERT_EQ(0, lease_revoke(self->rig.fd, 0));
		ASSERT_EQ(0, rig_other(&self->rig, do_truncate, 0, 0));
		ASSERT_EQ(0, file_grab_blocks(variant->dir, &before, 'n', path, &at, &len));
		for (int i = 0; i < 64; i++) {
			struct io_uring_cqe *cqe;

			ASSERT_EQ(0, io_uring_wait_cqe(&ring, &cqe));
			EXPECT_TRUE(cqe->res == MIB || cqe->res == -EFAULT || cqe->res > 0)
				TH_LOG("request %d: %d", i, cqe->res);
			io_uring_cqe_seen(&ring, cqe);
		}
		EXPECT_TRUE(file_is(path, at, len, 'n'));
		unlink(path);
		io_uring_queue_exit(&ring);
	}
	close(fd);
	unlink(targets[2].path);
}

struct reader {
	struct io_uring *ring;
	int fd;
	char *map;
};

static void *read_target(void *arg)
{
	struct reader *reader = arg;

	return (void *)(long)read_fixed(reader->ring, reader->fd, reader->map, RIG_SIZE, 0, 0);
}

/* A request that is on the pages is waited for: it would come to the last ones later. */
TEST_F_TIMEOUT(ring, after_revocation_nothing_is_written, 120)
{
	struct reader reader = { .ring = &self->ring, .map = self->map };
	const size_t last = RIG_SIZE - 64 * KIB;

	close(file_make(targets[2].path, RIG_SIZE, 'x'));
	reader.fd = file_open(targets[2].path, O_RDWR | O_DIRECT);
	ASSERT_LE(0, reader.fd);
	for (int round = 0; round < 60; round++) {
		pthread_t thread;
		void *ret;

		ASSERT_EQ(0, lease_take_all(self->fd));
		ASSERT_EQ(0, register_at(&self->ring, self->map, RIG_SIZE));
		ASSERT_EQ(0, pthread_create(&thread, NULL, read_target, &reader));
		usleep(round * 50);
		ASSERT_EQ(0, lease_revoke(self->fd, 0));
		memset(self->map + last, 'n', RIG_SIZE - last);
		ASSERT_EQ(0, pthread_join(thread, &ret));
		EXPECT_TRUE((long)ret == RIG_SIZE || (long)ret == -EFAULT)
			TH_LOG("%ld", (long)ret);
		EXPECT_TRUE(file_is(self->rig.path, last, RIG_SIZE - last, 'n'))
			TH_LOG("round %d", round);
		ASSERT_EQ(0, io_uring_unregister_buffers(&self->ring));
	}
	close(reader.fd);
	unlink(targets[2].path);
}

/* A request that user space holds up is not waited for. */
TEST_F_TIMEOUT(ring, a_frozen_target_does_not_hold_revocation_up, 60)
{
	struct io_uring_sqe *sqe;
	struct io_uring_cqe *cqe;
	int fd = target_make(&targets[1], 'x');
	int top = open(ENV_EXT4_NODAX, O_RDONLY | O_DIRECTORY);

	ASSERT_LE(0, fd);
	ASSERT_LE(0, top);
	ASSERT_EQ(0, lease_take_all(self->fd));
	ASSERT_EQ(0, register_at(&self->ring, self->map, MIB));
	ASSERT_EQ(0, ioctl(top, FIFREEZE, 0));
	sqe = io_uring_get_sqe(&self->ring);
	io_uring_prep_write_fixed(sqe, fd, self->map, MIB, 0, 0);
	sqe->flags |= IOSQE_ASYNC;
	EXPECT_EQ(1, io_uring_submit(&self->ring));
	usleep(env_ms(200) * 1000);
	EXPECT_EQ(-EAGAIN, io_uring_peek_cqe(&self->ring, &cqe));
	EXPECT_EQ(0, lease_revoke(self->fd, 0));
	EXPECT_EQ(0, rig_other(&self->rig, do_truncate, 0, 0));
	EXPECT_EQ(0, ioctl(top, FITHAW, 0));
	ASSERT_EQ(0, io_uring_wait_cqe(&self->ring, &cqe));
	EXPECT_EQ(-EFAULT, cqe->res);
	io_uring_cqe_seen(&self->ring, cqe);
	close(top);
	close(fd);
	EXPECT_TRUE(file_is(targets[1].path, 0, TARGET_SIZE, 'x'));
	unlink(targets[1].path);
}

static int write_held(struct heldreg *reg)
{
	ssize_t ret = pwrite(*(int *)reg->arg, reg->hole, PAGE, 0);

	return ret < 0 ? -errno : 0;
}

/* Nor is one that waits for a lock whose owner sits in a page fault. */
TEST_F_TIMEOUT(ring, a_target_somebody_sits_on_does_not_hold_revocation_up, 120)
{
	ASSERT_EQ(0, lease_take_all(self->fd));
	for (unsigned int i = 0; i < ARRAY_SIZE(targets); i++) {
		struct heldreg held;
		struct io_uring_sqe *sqe;
		struct io_uring_cqe *cqe;
		int fd = target_make(&targets[i], 'x');
		int sitting = file_open(targets[i].path, O_RDWR);

		ASSERT_LE(0, fd);
		ASSERT_LE(0, sitting);
		ASSERT_EQ(0, register_at(&self->ring, self->map, MIB));
		ASSERT_EQ(0, heldreg_start_call(&held, write_held, &sitting, sitting, PAGE, true));
		sqe = io_uring_get_sqe(&self->ring);
		io_uring_prep_write_fixed(sqe, fd, self->map, MIB, MIB, 0);
		EXPECT_EQ(1, io_uring_submit(&self->ring));
		usleep(env_ms(50) * 1000);
		EXPECT_EQ(0, lease_revoke(self->fd, 0)) TH_LOG("target %u", i);
		EXPECT_EQ(0, heldreg_finish(&held)) TH_LOG("target %u", i);
		ASSERT_EQ(0, io_uring_wait_cqe(&self->ring, &cqe));
		EXPECT_TRUE(cqe->res == MIB || cqe->res == -EFAULT || cqe->res % (256 * KIB) == 0)
			TH_LOG("target %u: %d", i, cqe->res);
		io_uring_cqe_seen(&self->ring, cqe);
		heldreg_end(&held);
		ASSERT_EQ(0, io_uring_unregister_buffers(&self->ring));
		ASSERT_EQ(0, lease_take_all(self->fd));
		close(sitting);
		close(fd);
		unlink(targets[i].path);
	}
}

static int register_held(struct heldreg *reg)
{
	return register_at(reg->arg, reg->area, reg->len);
}

/* A registration in progress is killed where it stands. */
TEST_F_TIMEOUT(ring, revocation_does_not_wait_for_a_registration, 60)
{
	struct heldreg held;

	ASSERT_EQ(0, lease_take_all(self->fd));
	ASSERT_EQ(0, heldreg_start_call(&held, register_held, &self->ring, self->fd, MIB, true));
	EXPECT_EQ(1, lease_see(self->fd).pins);
	EXPECT_EQ(0, lease_revoke(self->fd, 0));
	EXPECT_EQ(0, lease_see(self->fd).pins);
	EXPECT_EQ(0, rig_other(&self->rig, do_truncate, 0, 0));
	EXPECT_EQ(-EAGAIN, heldreg_finish(&held));
	heldreg_end(&held);
}

/* Has nobody the other end any more? */
static bool tag_shows(int pipe_end, unsigned int ms)
{
	char byte;

	for (unsigned int i = 0; i < ms; i += 10) {
		if (!read(pipe_end, &byte, 1))
			return true;
		usleep(10 * 1000);
	}
	return false;
}

/* The array of descriptors is where nobody answers; it holds the ring's lock. */
static int update_files_held(struct heldreg *reg)
{
	struct io_uring_files_update update = { .fds = (unsigned long)reg->hole };

	return syscall(SYS_io_uring_register, ((struct io_uring *)reg->arg)->ring_fd,
		       IORING_REGISTER_FILES_UPDATE, &update, 1) < 0 ? -errno : 0;
}

/* The same for the whole table. */
static int register_files_held(struct heldreg *reg)
{
	return syscall(SYS_io_uring_register, ((struct io_uring *)reg->arg)->ring_fd,
		       IORING_REGISTER_FILES, reg->hole, 1) ? -errno : 0;
}

/* The ring dies behind a command in progress. */
TEST_F_TIMEOUT(ring, the_end_of_the_file_does_not_wait_for_a_command, 60)
{
	int other = file_make("/tmp/other", MIB, 'o');
	char line[REPORT_LINE];
	struct heldreg held;
	int files[2];

	ASSERT_LE(0, other);
	ASSERT_EQ(0, pipe2(files, O_NONBLOCK));
	ASSERT_EQ(0, io_uring_register_files(&self->ring, &files[1], 1));
	close(files[1]);
	ASSERT_EQ(0, lease_take_all(self->fd));
	ASSERT_EQ(0, register_at(&self->ring, self->map, MIB));
	ASSERT_EQ(0, heldreg_start_call(&held, update_files_held, &self->ring, other, PAGE, true));
	ASSERT_EQ(0, close_buffer(self));
	EXPECT_EQ(0, report_find(REPORT_LEASES, "", "", line));
	EXPECT_FALSE(tag_shows(files[0], 200));
	heldreg_finish(&held);
	EXPECT_TRUE(tag_shows(files[0], LONG));
	EXPECT_EQ(-EIO, io_uring_unregister_files(&self->ring));
	heldreg_end(&held);
	close(other);
	unlink("/tmp/other");
}

TEST_F(ring, with_the_ring_go_its_pins)
{
	ASSERT_EQ(0, lease_take_all(self->fd));
	ASSERT_EQ(0, register_at(&self->ring, self->map, MIB));
	io_uring_queue_exit(&self->ring);
	self->ring.ring_fd = -1;
	EXPECT_EQ(0, lease_drop(self->fd));
}

TEST_F(ring, when_the_file_ends_the_ring_is_dead)
{
	struct io_uring_sqe *sqe;
	int pipes[2];

	ASSERT_EQ(0, pipe(pipes));
	ASSERT_EQ(0, lease_take_all(self->fd));
	ASSERT_EQ(0, register_at(&self->ring, self->map, MIB));
	ASSERT_EQ(0, close_buffer(self));
	sqe = io_uring_get_sqe(&self->ring);
	io_uring_prep_nop(sqe);
	EXPECT_EQ(-EIO, io_uring_submit(&self->ring));
	EXPECT_EQ(-EIO, io_uring_register_files(&self->ring, pipes, 2));
	EXPECT_EQ(-EIO, io_uring_unregister_buffers(&self->ring));
}

/* A child that has the ring, but not the file.  What the ring says to it, as an exit status. */
static int child_enters(FIXTURE_DATA(ring) *self, int sock)
{
	char byte = 0;

	if (close_buffer(self) || write(sock, &byte, 1) != 1 || read(sock, &byte, 1) != 1)
		return EPIPE;
	return syscall(SYS_io_uring_enter, self->ring.ring_fd, 0, 0, 0, NULL, 0) ? errno : 0;
}

TEST_F(ring, it_is_dead_in_every_process)
{
	int sv[2], status;
	char byte;
	pid_t pid;

	ASSERT_EQ(0, lease_take_all(self->fd));
	ASSERT_EQ(0, register_at(&self->ring, self->map, MIB));
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, sv));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid)
		_exit(child_enters(self, sv[1]));
	ASSERT_EQ(1, read(sv[0], &byte, 1));
	EXPECT_EQ(1, lease_see(self->fd).pins);
	ASSERT_EQ(0, close_buffer(self));
	ASSERT_EQ(1, write(sv[0], &byte, 1));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(EIO, WEXITSTATUS(status));
}

static void *wait_for_cqe(void *arg)
{
	struct io_uring *ring = arg;
	long ret = syscall(SYS_io_uring_enter, ring->ring_fd, 0, 1, IORING_ENTER_GETEVENTS, NULL,
			   0);

	return (void *)(ret < 0 ? -(long)errno : ret);
}

/* Who waits wakes up, what is in progress is cancelled, registered files are let go. */
TEST_F(ring, its_teardown_is_that_of_a_close)
{
	struct io_uring_sqe *sqe;
	int files[2], idle[2];
	pthread_t thread;
	void *ret;

	ASSERT_EQ(0, pipe2(files, O_NONBLOCK));
	ASSERT_EQ(0, pipe(idle));
	ASSERT_EQ(0, lease_take_all(self->fd));
	ASSERT_EQ(0, register_at(&self->ring, self->map, MIB));
	ASSERT_EQ(0, io_uring_register_files(&self->ring, &files[1], 1));
	close(files[1]);
	sqe = io_uring_get_sqe(&self->ring);
	io_uring_prep_poll_add(sqe, idle[0], POLLIN);
	ASSERT_EQ(1, io_uring_submit(&self->ring));
	ASSERT_EQ(0, pthread_create(&thread, NULL, wait_for_cqe, &self->ring));
	usleep(env_ms(100) * 1000);
	ASSERT_EQ(0, close_buffer(self));
	ASSERT_EQ(0, pthread_join(thread, &ret));
	/* the cancelled request's completion may be there first */
	EXPECT_TRUE((long)ret == -EIO || !ret) TH_LOG("%ld", (long)ret);
	EXPECT_TRUE(tag_shows(files[0], LONG));
}

/* The ring of a thread that alone may complete its requests, and does not come. */
TEST_F(ring, a_deferring_ring_dies_too)
{
	struct io_uring ring;
	struct io_uring_sqe *sqe;
	int files[2], idle[2];

	ASSERT_EQ(0, pipe(idle));
	ASSERT_EQ(0, pipe2(files, O_NONBLOCK));
	idle[1] = files[1];
	ASSERT_EQ(0, io_uring_queue_init(8, &ring, IORING_SETUP_SINGLE_ISSUER |
					 IORING_SETUP_DEFER_TASKRUN));
	ASSERT_EQ(0, lease_take_all(self->fd));
	ASSERT_EQ(0, register_at(&ring, self->map, MIB));
	ASSERT_EQ(0, io_uring_register_files(&ring, idle, 2));
	close(files[1]);
	sqe = io_uring_get_sqe(&ring);
	io_uring_prep_poll_add(sqe, 0, POLLPRI);
	sqe->flags |= IOSQE_FIXED_FILE;
	ASSERT_EQ(1, io_uring_submit(&ring));
	ASSERT_EQ(0, close_buffer(self));
	EXPECT_TRUE(tag_shows(files[0], LONG));
	EXPECT_EQ(-EIO, io_uring_submit_and_wait(&ring, 1));
	io_uring_queue_exit(&ring);
	close(files[0]);
}

/* A ring that is known by its number in the thread can still be given up. */
TEST_F(ring, a_registered_ring_dies_too)
{
	struct io_uring ring;

	ASSERT_EQ(0, io_uring_queue_init(8, &ring, 0));
	ASSERT_EQ(1, io_uring_register_ring_fd(&ring));
	ASSERT_EQ(0, lease_take_all(self->fd));
	ASSERT_EQ(0, register_at(&ring, self->map, MIB));
	ASSERT_EQ(0, close_buffer(self));
	io_uring_prep_nop(io_uring_get_sqe(&ring));
	EXPECT_EQ(-EIO, io_uring_submit(&ring));
	EXPECT_EQ(1, io_uring_unregister_ring_fd(&ring));
	io_uring_queue_exit(&ring);
}

static void *wait_for_room(void *arg)
{
	struct io_uring *ring = arg;
	long ret = syscall(SYS_io_uring_enter, ring->ring_fd, 0, 0, IORING_ENTER_SQ_WAIT, NULL, 0);

	return (void *)(ret < 0 ? -(long)errno : ret);
}

static long cpu_ticks(pid_t tid)
{
	char path[64], line[REPORT_LINE];
	long user = 0, kernel = 0;
	char *end;

	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", tid);
	if (report_find(path, "", "", line) != 1)
		return -1;
	end = strrchr(line, ')');
	sscanf(end, ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %ld %ld", &user, &kernel);
	return user + kernel;
}

static pid_t thread_called(const char *name)
{
	char path[64], line[REPORT_LINE];

	for (pid_t tid = getpid() + 1; tid < getpid() + 1000; tid++) {
		snprintf(path, sizeof(path), "/proc/self/task/%d/comm", tid);
		if (report_find(path, name, "", line) == 1)
			return tid;
	}
	return -1;
}

/* Which of this process's threads polls a submission queue: it names itself when it runs. */
static pid_t polling_thread(void)
{
	pid_t tid = -1;

	for (unsigned int i = 0; i < 100 && tid < 0; i++) {
		usleep(env_ms(10) * 1000);
		tid = thread_called("iou-sqp");
	}
	return tid;
}

TEST_F(ring, a_polled_submission_queue_dies_too)
{
	struct io_uring_cqe *cqe;
	struct io_uring ring;
	struct __kernel_timespec ts = { .tv_nsec = 300 * 1000 * 1000 };
	struct io_uring_params params = { .flags = IORING_SETUP_SQPOLL, .sq_thread_idle = 50 };
	pid_t thread;
	long before;

	ASSERT_EQ(0, io_uring_queue_init_params(8, &ring, &params));
	ASSERT_EQ(0, lease_take_all(self->fd));
	ASSERT_EQ(0, register_at(&ring, self->map, MIB));
	thread = polling_thread();
	ASSERT_LT(0, thread);
	ASSERT_EQ(0, close_buffer(self));
	for (int i = 0; i < 8; i++)
		io_uring_prep_nop(io_uring_get_sqe(&ring));
	io_uring_submit(&ring);
	EXPECT_NE(0, io_uring_wait_cqe_timeout(&ring, &cqe, &ts));
	EXPECT_EQ(-EIO, (long)wait_for_room(&ring));
	before = cpu_ticks(thread);
	usleep(1000 * 1000);
	EXPECT_GT(before + 20, cpu_ticks(thread));
	io_uring_queue_exit(&ring);
}

/* The queue is full, and the thread that would empty it is busy. */
TEST_F_TIMEOUT(ring, who_waits_for_room_in_a_dead_ring_wakes_up, 60)
{
	struct io_uring_params params = { .flags = IORING_SETUP_SQPOLL, .sq_thread_idle = 5000 };
	struct io_uring ring;
	struct io_uring_sqe *sqe;
	struct heldreg held;
	pthread_t thread;
	void *ret;

	ASSERT_EQ(0, io_uring_queue_init_params(1, &ring, &params));
	ASSERT_EQ(0, lease_take_all(self->fd));
	ASSERT_EQ(0, register_at(&ring, self->map, MIB));
	ASSERT_EQ(0, heldreg_start_call(&held, register_files_held, &ring, self->fd, PAGE, true));
	sqe = io_uring_get_sqe(&ring);
	io_uring_prep_nop(sqe);
	io_uring_submit(&ring);
	ASSERT_EQ(0, pthread_create(&thread, NULL, wait_for_room, &ring));
	usleep(env_ms(200) * 1000);
	munmap(held.area, PAGE);
	ASSERT_EQ(0, close_buffer(self));
	ASSERT_EQ(0, pthread_join(thread, &ret));
	EXPECT_TRUE((long)ret == -EIO || (long)ret == 0) TH_LOG("%ld", (long)ret);
	heldreg_finish(&held);
	heldreg_end(&held);
	io_uring_queue_exit(&ring);
}

/*
 * Races
 */

static void *register_again_and_again(void *arg)
{
	FIXTURE_DATA(ring) *self = arg;
	unsigned long done = 0;

	while (self->rig.fd >= 0 && done < 100000) {
		int ret = register_at(&self->ring, self->map, MIB);

		if (!ret)
			io_uring_unregister_buffers(&self->ring);
		else if (ret != -EAGAIN && ret != -EOPNOTSUPP)
			return (void *)(long)ret;
		done++;
	}
	return NULL;
}

TEST_F_TIMEOUT(ring, revocation_against_registration, 60)
{
	pthread_t thread;
	void *ret;

	ASSERT_EQ(0, lease_take_all(self->fd));
	ASSERT_EQ(0, pthread_create(&thread, NULL, register_again_and_again, self));
	for (int i = 0; i < 300; i++) {
		EXPECT_EQ(0, lease_revoke(self->fd, 0));
		EXPECT_EQ(0, lease_see(self->fd).pins);
		ASSERT_EQ(0, lease_take_all(self->fd));
		usleep(i % 7 * 300);
	}
	self->rig.fd = -1;
	ASSERT_EQ(0, pthread_join(thread, &ret));
	EXPECT_EQ(NULL, ret) TH_LOG("%ld", (long)ret);
	self->rig.fd = self->fd;
	EXPECT_EQ(0, lease_drop(self->fd));
}

/* The file ends while its ring works. */
TEST_F_TIMEOUT(ring, the_end_of_the_file_against_requests, 120)
{
	int fd = target_make(&targets[0], 'x');

	ASSERT_LE(0, fd);
	for (int round = 0; round < 30; round++) {
		struct io_uring ring;
		char *map;
		int leased = file_open(self->rig.path, O_RDWR);

		ASSERT_LE(0, leased);
		map = file_map(leased, MIB);
		ASSERT_NE(NULL, map);
		ASSERT_EQ(0, lease_take_all(leased));
		ASSERT_EQ(0, io_uring_queue_init(16, &ring, 0));
		ASSERT_EQ(0, register_at(&ring, map, MIB));
		for (int i = 0; i < 16; i++) {
			struct io_uring_sqe *sqe = io_uring_get_sqe(&ring);

			io_uring_prep_read_fixed(sqe, fd, map, MIB, 0, 0);
			sqe->flags |= i & 1 ? IOSQE_ASYNC : 0;
		}
		ASSERT_EQ(16, io_uring_submit(&ring));
		munmap(map, MIB);
		close(leased);
		if (round & 1)
			usleep(1000 * round);
		io_uring_queue_exit(&ring);
	}
	close(fd);
	unlink(targets[0].path);
}

TEST_HARNESS_MAIN
