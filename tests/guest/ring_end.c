// SPDX-License-Identifier: GPL-2.0
/*
 * What becomes of a ring when the last user of the leased file is gone that a
 * fixed buffer of it lies in: as if it had been closed.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "kselftest_harness.h"
#include "lib/heldreg.h"
#include "lib/loop.h"
#include "lib/rig.h"
#include "lib/uring.h"

/* IORING_MSG_SEND_FD, which the library of Debian 12 does not know */
#define MSG_SEND_FD	1

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

static int close_buffer(FIXTURE_DATA(ring) *self)
{
	int ret = munmap(self->map, RIG_SIZE) || close(self->fd) ? -errno : 0;

	self->rig.fd = -1;
	return ret;
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
	ASSERT_EQ(0, uring_register(&self->ring, self->map, MIB));
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
	ASSERT_EQ(0, uring_register(&self->ring, self->map, MIB));
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
	ASSERT_EQ(0, uring_register(&self->ring, self->map, MIB));
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
	ASSERT_EQ(0, uring_register(&self->ring, self->map, MIB));
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
	ASSERT_EQ(0, uring_register(&self->ring, self->map, MIB));
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
	ASSERT_EQ(0, uring_register(&ring, self->map, MIB));
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

/* Is there anything behind the loop device still? */
static bool loop_is_there(const char *device)
{
	char path[64];

	snprintf(path, sizeof(path), "/sys/block/%s/loop/backing_file", strrchr(device, '/') + 1);
	return !access(path, F_OK);
}

static bool loop_goes(const char *device, unsigned int ms)
{
	unsigned long end = now_ms() + ms;

	while (loop_is_there(device)) {
		if (now_ms() > end)
			return false;
		usleep(10 * 1000);
	}
	return true;
}

/* Such a ring, and a request that nothing can cancel: it keeps its file, but no longer. */
TEST_F_TIMEOUT(ring, so_do_requests_that_end_later, 60)
{
	char *memory = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int top = open(ENV_EXT4_NODAX, O_RDONLY | O_DIRECTORY);
	char device[LOOP_PATH];
	struct io_uring ring;
	struct io_uring_sqe *sqe;
	int fd, loop;

	close(file_make(ENV_EXT4_NODAX "/behind", MIB, 'x'));
	loop = loop_attach(ENV_EXT4_NODAX "/behind", device);
	ASSERT_LE(0, loop);
	fd = file_open(device, O_RDWR | O_DIRECT);
	ASSERT_LE(0, fd);
	close(loop);
	ASSERT_EQ(0, io_uring_queue_init(8, &ring, IORING_SETUP_SINGLE_ISSUER |
					 IORING_SETUP_DEFER_TASKRUN));
	ASSERT_EQ(0, lease_take_all(self->fd));
	ASSERT_EQ(0, uring_register(&ring, self->map, MIB));
	ASSERT_EQ(0, ioctl(top, FIFREEZE, 0));
	sqe = io_uring_get_sqe(&ring);
	io_uring_prep_write(sqe, fd, memory, PAGE, 0);
	EXPECT_EQ(1, io_uring_submit(&ring));
	close(fd);
	EXPECT_EQ(0, close_buffer(self));
	usleep(env_ms(300) * 1000);
	EXPECT_TRUE(loop_is_there(device));
	EXPECT_EQ(0, ioctl(top, FITHAW, 0));
	EXPECT_TRUE(loop_goes(device, LONG));
	io_uring_queue_exit(&ring);
	EXPECT_TRUE(loop_goes(device, LONG));
	close(top);
	unlink(ENV_EXT4_NODAX "/behind");
}

/* A ring that is known by its number in the thread can still be given up. */
TEST_F(ring, a_registered_ring_dies_too)
{
	struct io_uring ring;

	ASSERT_EQ(0, io_uring_queue_init(8, &ring, 0));
	ASSERT_EQ(1, io_uring_register_ring_fd(&ring));
	ASSERT_EQ(0, lease_take_all(self->fd));
	ASSERT_EQ(0, uring_register(&ring, self->map, MIB));
	ASSERT_EQ(0, close_buffer(self));
	io_uring_prep_nop(io_uring_get_sqe(&ring));
	EXPECT_EQ(-EIO, io_uring_submit(&ring));
	EXPECT_EQ(1, io_uring_unregister_ring_fd(&ring));
	io_uring_queue_exit(&ring);
}

/* Nor does another ring bring it files any more. */
TEST_F(ring, nothing_is_sent_to_it)
{
	struct io_uring other;
	struct io_uring_sqe *sqe;
	int files[2];

	ASSERT_EQ(0, pipe2(files, O_NONBLOCK));
	ASSERT_EQ(0, io_uring_queue_init(8, &other, 0));
	ASSERT_EQ(0, io_uring_register_files(&other, &files[1], 1));
	close(files[1]);
	ASSERT_EQ(0, io_uring_register_files_sparse(&self->ring, 1));
	ASSERT_EQ(0, lease_take_all(self->fd));
	ASSERT_EQ(0, uring_register(&self->ring, self->map, MIB));
	ASSERT_EQ(0, close_buffer(self));
	sqe = io_uring_get_sqe(&other);
	io_uring_prep_rw(IORING_OP_MSG_RING, sqe, self->ring.ring_fd, (void *)MSG_SEND_FD, 0, 0);
	sqe->addr3 = 0;
	sqe->file_index = 1;
	EXPECT_EQ(-EIO, uring_result(&other));
	io_uring_queue_exit(&other);
	EXPECT_TRUE(tag_shows(files[0], LONG));
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
	ASSERT_EQ(0, uring_register(&ring, self->map, MIB));
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
	ASSERT_EQ(0, uring_register(&ring, self->map, MIB));
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
/* The file ends while its ring works. */
TEST_F_TIMEOUT(ring, the_end_of_the_file_against_requests, 120)
{
	int fd = uring_target_make(&uring_targets[0], 'x');

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
		ASSERT_EQ(0, uring_register(&ring, map, MIB));
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
	unlink(uring_targets[0].path);
}

TEST_HARNESS_MAIN
