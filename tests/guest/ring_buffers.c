// SPDX-License-Identifier: GPL-2.0
/*
 * Fixed buffers of io_uring in a leased file: who may register them, what can be
 * done with them, and that they can be taken back at any time.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <netinet/in.h>
#include <pthread.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "kselftest_harness.h"
#include "lib/heldreg.h"
#include "lib/nfs.h"
#include "lib/rig.h"
#include "lib/uring.h"

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

TEST_F(ring, without_a_lease_is_refused)
{
	EXPECT_EQ(-EOPNOTSUPP, uring_register(&self->ring, self->map, MIB));
}

TEST_F(ring, with_a_lease_works_and_is_counted)
{
	char line[REPORT_LINE];
	__u64 id;

	ASSERT_EQ(0, lease_take_all(self->fd));
	id = lease_see(self->fd).id;
	ASSERT_EQ(0, uring_register(&self->ring, self->map + PAGE - 1, MIB));
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

/* Memory of @len bytes and as much of @fd in a row, in either order. */
static char *map_both(int fd, size_t len, bool file_first)
{
	const int prot = PROT_READ | PROT_WRITE;
	char *area = mmap(NULL, 2 * len, prot, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (area == MAP_FAILED || mmap(file_first ? area : area + len, len, prot,
				       MAP_SHARED | MAP_FIXED, fd, 0) == MAP_FAILED)
		return NULL;
	return area;
}

TEST_F(ring, a_buffer_may_be_partly_memory)
{
	for (int first = 0; first < 2; first++) {
		char *area = map_both(self->fd, MIB, first);

		ASSERT_NE(NULL, area);
		EXPECT_GT(0, uring_register(&self->ring, area, 2 * MIB));
		ASSERT_EQ(0, lease_take_all(self->fd));
		EXPECT_EQ(0, uring_register(&self->ring, area, 2 * MIB)) TH_LOG("%d", first);
		EXPECT_EQ(1, lease_see(self->fd).pins);
		EXPECT_EQ(MIB / PAGE, lease_see(self->fd).pinned_pages);
		EXPECT_EQ(0, io_uring_unregister_buffers(&self->ring));
		ASSERT_EQ(0, lease_drop(self->fd));
	}
}

TEST_F(ring, no_memory_at_all_stays_a_fault)
{
	char *area = map_both(self->fd, MIB, true);

	ASSERT_NE(NULL, area);
	munmap(area + MIB, MIB);
	ASSERT_EQ(0, lease_take_all(self->fd));
	EXPECT_EQ(-EFAULT, uring_register(&self->ring, area, 2 * MIB));
	EXPECT_EQ(-EFAULT, uring_register(&self->ring, area + MIB, MIB));
	EXPECT_EQ(0, lease_see(self->fd).pins);
}

TEST_F(ring, file_pins_and_fdinfo_show_it)
{
	char path[64], line[REPORT_LINE];

	ASSERT_EQ(0, lease_take_all(self->fd));
	ASSERT_EQ(0, uring_register(&self->ring, self->map, MIB));
	snprintf(path, sizeof(path), "ctx %d io_uring ", self->ring.ring_fd);
	EXPECT_EQ(1, report_find("/proc/self/file_pins", path, "", line));
	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", self->ring.ring_fd);
	EXPECT_EQ(1, report_find(path, "layout_pin:", "", line));
}

TEST_F_TIMEOUT(ring, reads_and_writes_go_through_it, 120)
{
	ASSERT_EQ(0, lease_take_all(self->fd));
	ASSERT_EQ(0, uring_register(&self->ring, self->map, RIG_SIZE));
	for (unsigned int i = 0; i < URING_TARGETS; i++) {
		const struct uring_target *t = &uring_targets[i];
		char *at = self->map + (i % 3) * 2 * MIB;
		__u64 offset = at - self->map;
		int fd = uring_target_make(t, 'a' + i);

		ASSERT_LE(0, fd);
		EXPECT_EQ(MIB, uring_read(&self->ring, fd, at + PAGE, MIB, PAGE, t->sqe_flags))
			TH_LOG("target %u", i);
		EXPECT_TRUE(file_is(self->rig.path, offset + PAGE, MIB, 'a' + i))
			TH_LOG("target %u", i);
		memset(at, 'A' + i, MIB);
		EXPECT_EQ(MIB, uring_write(&self->ring, fd, at, MIB, MIB, t->sqe_flags))
			TH_LOG("target %u", i);
		EXPECT_TRUE(file_is(t->path, MIB, MIB, 'A' + i)) TH_LOG("target %u", i);
		EXPECT_TRUE(file_is(t->path, 0, MIB, 'a' + i)) TH_LOG("target %u", i);
		/* beyond the end: what there is */
		EXPECT_EQ(PAGE, uring_read(&self->ring, fd, at, MIB, URING_TARGET_SIZE - PAGE,
					   t->sqe_flags)) TH_LOG("target %u", i);
		EXPECT_EQ(0, uring_read(&self->ring, fd, at, 0, 0, t->sqe_flags));
		EXPECT_EQ(0, uring_write(&self->ring, fd, at, 0, 0, t->sqe_flags));
		close(fd);
		unlink(t->path);
	}
	EXPECT_EQ(1, lease_see(self->fd).pins);
}

/*
 * A file system that takes and drops a reference to each page of what it is given:
 * a client of NFS, without its page cache.
 */
TEST_F_TIMEOUT(ring, so_they_do_over_the_network, 120)
{
	int fd;

	ASSERT_EQ(0, nfs_serve(ENV_EXT4_NODAX, false));
	fd = file_make(NFS_MOUNT "/target", URING_TARGET_SIZE, 'n');
	ASSERT_LE(0, fd);
	close(fd);
	fd = file_open(NFS_MOUNT "/target", O_RDWR | O_DIRECT);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, lease_take_all(self->fd));
	ASSERT_EQ(0, uring_register(&self->ring, self->map, MIB));
	for (int i = 0; i < 10; i++) {
		EXPECT_EQ(MIB, uring_read(&self->ring, fd, self->map, MIB, MIB, 0));
		EXPECT_TRUE(file_is(self->rig.path, 0, MIB, i ? 'a' + i - 1 : 'n'));
		memset(self->map, 'a' + i, MIB);
		EXPECT_EQ(MIB, uring_write(&self->ring, fd, self->map, MIB, MIB, 0));
	}
	close(fd);
	unlink(NFS_MOUNT "/target");
}

/* From one part of a leased file into another one. */
TEST_F(ring, the_leased_file_itself_can_be_the_target)
{
	ASSERT_EQ(0, lease_take_all(self->fd));
	ASSERT_EQ(0, uring_register(&self->ring, self->map, MIB));
	memset(self->map, 's', MIB);
	EXPECT_EQ(MIB, uring_write(&self->ring, self->fd, self->map, MIB, 4 * MIB, 0));
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
	return uring_result(ring);
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
	return uring_result(ring);
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
	EXPECT_EQ(-EOPNOTSUPP, uring_register(&poll, self->map, MIB));
	io_uring_queue_exit(&poll);

	ASSERT_EQ(0, io_uring_register_buffers(&self->ring, iov, 2));
	ASSERT_EQ(0, pipe(pipes));
	EXPECT_EQ(-EINVAL, uring_write(&self->ring, pipes[1], self->map, PAGE, 0, 0));
	EXPECT_EQ(PAGE, write(pipes[1], self->map, PAGE));
	EXPECT_EQ(-EINVAL, uring_read(&self->ring, pipes[0], self->map, PAGE, 0, 0));

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
	ASSERT_EQ(0, uring_register(&self->ring, self->map, MIB));
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
	ASSERT_EQ(0, uring_register(&self->ring, self->map, MIB));
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
	int fd = uring_target_make(&uring_targets[0], 'x');

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, lease_take_all(self->fd));
	ASSERT_EQ(0, io_uring_register_buffers(&self->ring, iov, 2));
	ASSERT_EQ(0, lease_revoke(self->fd, 0));
	EXPECT_EQ(-EFAULT, uring_read(&self->ring, fd, self->map, PAGE, 0, 0));
	EXPECT_EQ(-EFAULT, uring_write(&self->ring, fd, self->map, PAGE, 0, 0));
	EXPECT_EQ(-EFAULT, uring_read(&self->ring, fd, self->map, PAGE, 0, IOSQE_ASYNC));
	EXPECT_EQ(-EFAULT, uring_write(&self->ring, fd, self->map, PAGE, 0, IOSQE_ASYNC));
	EXPECT_TRUE(file_is(self->rig.path, 0, MIB, RIG_FILL));
	EXPECT_TRUE(file_is(uring_targets[0].path, 0, URING_TARGET_SIZE, 'x'));
	close(fd);
	fd = file_open(uring_targets[0].path, O_RDONLY);
	sqe = io_uring_get_sqe(&self->ring);
	io_uring_prep_read_fixed(sqe, fd, memory, PAGE, 0, 1);
	EXPECT_EQ(PAGE, uring_result(&self->ring));
	EXPECT_EQ('x', memory[PAGE - 1]);
	EXPECT_EQ(0, io_uring_unregister_buffers(&self->ring));
	ASSERT_EQ(0, lease_take_all(self->fd));
	EXPECT_EQ(0, uring_register(&self->ring, self->map, MIB));
	close(fd);
	unlink(uring_targets[0].path);
}

TEST_F(ring, a_breaker_takes_it_when_the_time_is_over)
{
	ASSERT_EQ(0, break_time_set(1));
	ASSERT_EQ(0, lease_take(self->fd, 0, 0, 0, self->rig.event));
	ASSERT_EQ(0, uring_register(&self->ring, self->map, MIB));
	EXPECT_EQ(0, rig_other(&self->rig, do_truncate, 0, 0));
	EXPECT_EQ(0, file_size(self->rig.path));
	EXPECT_EQ(LAYOUT_REVOKED, lease_see(self->fd).state);
	EXPECT_EQ(2, lease_events(self->rig.event, QUICK));
	EXPECT_EQ(0, io_uring_unregister_buffers(&self->ring));
}

/* The freed blocks are another file's, and many requests are on their way. */
TEST_F_TIMEOUT(ring, freed_blocks_are_not_touched_by_requests_in_flight, 180)
{
	int fd = uring_target_make(&uring_targets[2], 'x');

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
		ASSERT_EQ(0, uring_register(&ring, self->map, MIB));
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
	unlink(uring_targets[2].path);
}

struct reader {
	struct io_uring *ring;
	int fd;
	char *map;
};

static void *read_target(void *arg)
{
	struct reader *reader = arg;

	return (void *)(long)uring_read(reader->ring, reader->fd, reader->map, RIG_SIZE, 0, 0);
}

/* A request that is on the pages is waited for: it would come to the last ones later. */
TEST_F_TIMEOUT(ring, after_revocation_nothing_is_written, 120)
{
	struct reader reader = { .ring = &self->ring, .map = self->map };
	const size_t last = RIG_SIZE - 64 * KIB;

	close(file_make(uring_targets[2].path, RIG_SIZE, 'x'));
	reader.fd = file_open(uring_targets[2].path, O_RDWR | O_DIRECT);
	ASSERT_LE(0, reader.fd);
	for (int round = 0; round < 60; round++) {
		pthread_t thread;
		void *ret;

		ASSERT_EQ(0, lease_take_all(self->fd));
		ASSERT_EQ(0, uring_register(&self->ring, self->map, RIG_SIZE));
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
	unlink(uring_targets[2].path);
}

/* A request that user space holds up is not waited for. */
TEST_F_TIMEOUT(ring, a_frozen_target_does_not_hold_revocation_up, 60)
{
	struct io_uring_sqe *sqe;
	struct io_uring_cqe *cqe;
	int fd = uring_target_make(&uring_targets[1], 'x');
	int top = open(ENV_EXT4_NODAX, O_RDONLY | O_DIRECTORY);

	ASSERT_LE(0, fd);
	ASSERT_LE(0, top);
	ASSERT_EQ(0, lease_take_all(self->fd));
	ASSERT_EQ(0, uring_register(&self->ring, self->map, MIB));
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
	EXPECT_TRUE(file_is(uring_targets[1].path, 0, URING_TARGET_SIZE, 'x'));
	unlink(uring_targets[1].path);
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
	for (unsigned int i = 0; i < URING_TARGETS; i++) {
		struct heldreg held;
		struct io_uring_sqe *sqe;
		struct io_uring_cqe *cqe;
		int fd = uring_target_make(&uring_targets[i], 'x');
		int sitting = file_open(uring_targets[i].path, O_RDWR);

		ASSERT_LE(0, fd);
		ASSERT_LE(0, sitting);
		ASSERT_EQ(0, uring_register(&self->ring, self->map, MIB));
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
		unlink(uring_targets[i].path);
	}
}

/* All the room there is, to the last block. */
static int fill_up(const char *path)
{
	int fd = file_open(path, O_RDWR | O_CREAT);
	__u64 size = 0;

	if (fd < 0)
		return fd;
	for (__u64 step = 64 * MIB; step >= PAGE; step /= 4)
		while (!fallocate(fd, 0, size, step))
			size += step;
	return fd;
}

/* What is written last, so that XFS has taken room beyond the file's end. */
static int append(int fd)
{
	static char piece[64 * KIB];

	for (int i = 0; i < 32; i++)
		if (write(fd, piece, sizeof(piece)) != sizeof(piece))
			return -errno;
	return 0;
}

/* fs/xfs/libxfs/xfs_fs.h */
struct handle_request {
	__u32 fd;
	void *path;
	__u32 oflags;
	void *ihandle;
	__u32 ihandlen;
	void *ohandle;
	__u32 *ohandlen;
};

#define FD_TO_HANDLE	_IOWR('X', 106, struct handle_request)
#define OPEN_BY_HANDLE	_IOWR('X', 107, struct handle_request)

/* As a backup program opens files of XFS: writing leaves their times, and need not wait for that. */
static int open_without_times(int fd)
{
	char handle[64];
	__u32 len = sizeof(handle);
	struct handle_request req = { .fd = fd, .oflags = O_RDWR, .ohandle = handle,
				      .ohandlen = &len };
	int dir, ret;

	if (ioctl(fd, FD_TO_HANDLE, &req))
		return -errno;
	req.ihandle = handle;
	req.ihandlen = len;
	dir = open(ENV_XFS_NODAX, O_RDONLY | O_DIRECTORY);
	ret = ioctl(dir, OPEN_BY_HANDLE, &req);
	if (ret < 0)
		ret = -errno;
	close(dir);
	return ret;
}

/*
 * Nor is one that finds no room, while room could be made but for a file whose lock
 * somebody has who sits in a page fault.
 */
TEST_F_TIMEOUT(ring, a_full_target_does_not_hold_revocation_up, 120)
{
	int sitting = file_open(ENV_XFS_NODAX "/sitting", O_RDWR | O_CREAT | O_TRUNC);
	int file = file_open(ENV_XFS_NODAX "/target", O_RDWR | O_CREAT | O_TRUNC);
	int fd = open_without_times(file), filler;
	struct iovec iov = { .iov_base = self->map, .iov_len = 64 * KIB };
	struct io_uring_sqe *sqe;
	struct io_uring_cqe *cqe;
	struct heldreg held;

	ASSERT_LE(0, sitting);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, append(sitting));
	ASSERT_EQ(0, lease_take_all(self->fd));
	ASSERT_EQ(0, uring_register(&self->ring, self->map, MIB));
	ASSERT_EQ(0, heldreg_start_call(&held, write_held, &sitting, sitting, PAGE, true));
	filler = fill_up(ENV_XFS_NODAX "/filler");
	ASSERT_LE(0, filler);
	/* room for delayed allocation may be left */
	while (pwritev2(fd, &iov, 1, -1, RWF_NOWAIT) > 0)
		;
	EXPECT_EQ(EAGAIN, errno);
	sqe = io_uring_get_sqe(&self->ring);
	io_uring_prep_write_fixed(sqe, fd, self->map, MIB, 16 * MIB, 0);
	EXPECT_EQ(1, io_uring_submit(&self->ring));
	usleep(env_ms(100) * 1000);
	EXPECT_EQ(-EAGAIN, io_uring_peek_cqe(&self->ring, &cqe));
	EXPECT_EQ(0, lease_revoke(self->fd, 0));
	EXPECT_EQ(0, rig_other(&self->rig, do_truncate, 0, 0));
	EXPECT_EQ(0, heldreg_finish(&held));
	ASSERT_EQ(0, io_uring_wait_cqe(&self->ring, &cqe));
	EXPECT_TRUE(cqe->res == -ENOSPC || cqe->res == -EFAULT || cqe->res > 0)
		TH_LOG("%d", cqe->res);
	io_uring_cqe_seen(&self->ring, cqe);
	heldreg_end(&held);
	close(filler);
	close(sitting);
	close(fd);
	close(file);
	unlink(ENV_XFS_NODAX "/filler");
	unlink(ENV_XFS_NODAX "/sitting");
	unlink(ENV_XFS_NODAX "/target");
}

static int register_held(struct heldreg *reg)
{
	return uring_register(reg->arg, reg->area, reg->len);
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

/*
 * Races
 */

static void *register_again_and_again(void *arg)
{
	FIXTURE_DATA(ring) *self = arg;
	unsigned long done = 0;

	while (self->rig.fd >= 0 && done < 100000) {
		int ret = uring_register(&self->ring, self->map, MIB);

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

int main(int argc, char **argv)
{
	nfs_stop_at_exit();
	return test_harness_run(argc, argv);
}
