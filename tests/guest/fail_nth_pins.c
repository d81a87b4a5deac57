// SPDX-License-Identifier: GPL-2.0
/* Registering, revoking, closing and reporting while memory fails; see nth.h. */
#include <fcntl.h>
#include <sys/mman.h>

#include "nth.h"

/*
 * Regions
 */

static int call_register(void *arg)
{
	nth *self = arg;

	return mr_reg(&self->nic, self->map, REGION, MR_SERVER, &self->mr);
}

static int deregister(nth *self)
{
	int ret = ibv_dereg_mr(self->mr);

	self->mr = NULL;
	return -ret;
}

static int take_and_register(nth *self)
{
	int ret = take(self);

	return ret ? ret : call_register(self);
}

static int deregister_and_drop(nth *self)
{
	int ret = deregister(self);

	return ret ? ret : drop(self);
}

TEST_F(nth, registration)
{
	sweep(_metadata, self, &(struct chain){ take, call_register, deregister_and_drop });
}

/* The page tables are empty: each page has to be faulted in. */
static int take_and_forget(nth *self)
{
	if (madvise(self->map, RIG_SIZE, MADV_DONTNEED))
		return -errno;
	return take(self);
}

TEST_F(nth, registration_that_faults)
{
	sweep(_metadata, self, &(struct chain){ take_and_forget, call_register,
						deregister_and_drop });
}

static int call_register_two(void *arg)
{
	nth *self = arg;

	return mr_reg(&self->nic, self->two, 3 * REGION, MR_SERVER, &self->mr);
}

static int take_two(nth *self)
{
	int ret = take(self);

	return ret ? ret : lease_take_all(self->second);
}

static int drop_two(nth *self)
{
	int ret = deregister_and_drop(self);

	return ret ? ret : lease_drop(self->second);
}

TEST_F(nth, registration_over_two_files_and_other_memory)
{
	const int prot = PROT_READ | PROT_WRITE;
	char path[FILE_PATH + 8];

	snprintf(path, sizeof(path), "%s.second", self->rig.path);
	self->second = file_make(path, REGION, RIG_FILL);
	ASSERT_LE(0, self->second);
	self->two = mmap(NULL, 3 * REGION, prot, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->two);
	ASSERT_NE(MAP_FAILED, mmap(self->two, REGION, prot, MAP_SHARED | MAP_FIXED, self->fd, 0));
	ASSERT_NE(MAP_FAILED, mmap(self->two + REGION, REGION, prot, MAP_SHARED | MAP_FIXED,
				   self->second, 0));
	sweep(_metadata, self, &(struct chain){ take_two, call_register_two, drop_two });
	close(self->second);
	munmap(self->two, 3 * REGION);
	unlink(path);
}

static int call_deregister(void *self)
{
	return deregister(self);
}

/* A region that could not be deregistered is still there. */
static int call_deregister_kept(void *arg)
{
	nth *self = arg;
	struct ibv_mr *mr = self->mr;
	int ret = call_deregister(arg);

	if (ret)
		self->mr = mr;
	return ret;
}

TEST_F(nth, deregistration)
{
	sweep(_metadata, self, &(struct chain){ take_and_register, call_deregister_kept, drop });
}

TEST_F(nth, operation_over_own_pins)
{
	self->want = -EDEADLK;
	sweep(_metadata, self, &(struct chain){ take_and_register, call_cut,
						deregister_and_drop });
}

static int take_register_and_ask(nth *self)
{
	int ret = take_and_register(self);

	self->id = lease_see(self->fd).id;
	return ret;
}

static int call_revoke(void *arg)
{
	nth *self = arg;

	return fcntl(self->fd, F_REVOKELAYOUT, &self->id) ? -errno : 0;
}

static int take_register_and_revoke(nth *self)
{
	int ret = take_and_register(self);

	return ret ? ret : lease_revoke(self->fd, 0);
}

static int is_revoked(nth *self)
{
	struct layout_lease lease = lease_see(self->fd);

	if (lease.state != LAYOUT_REVOKED || lease.pins || lease.pinned_pages)
		return -EBADMSG;
	return deregister(self);
}

TEST_F(nth, revocation_needs_no_memory)
{
	sweep_nothing(_metadata, self, &(struct chain){ take_register_and_ask, call_revoke,
							is_revoked });
}

TEST_F(nth, deregistration_after_revocation)
{
	sweep(_metadata, self, &(struct chain){ take_register_and_revoke, call_deregister_kept,
						nothing });
}

/*
 * Contexts, and the end of a buffer file
 */

static int open_served(nth *self)
{
	char *map;
	int ret;

	self->second = file_open(self->rig.path, O_RDWR);
	map = self->second < 0 ? NULL : file_map(self->second, REGION);
	if (!map)
		return -errno;
	ret = lease_take_all(self->second);
	if (!ret)
		ret = mr_reg(&self->nic, map, REGION, MR_SERVER, &self->mr);
	munmap(map, REGION);
	return ret;
}

/* A close always succeeds; what it has to end has ended when it returns. */
static int call_close(void *arg)
{
	nth *self = arg;

	close(self->second);
	self->second = -1;
	return 0;
}

static int context_is_dead(nth *self)
{
	char line[REPORT_LINE], page[PAGE];
	struct ibv_mr *mr;

	if (report_find(REPORT_LEASES, "", "", line) != 0)
		return -EBUSY;
	if (mr_reg(&self->nic, page, sizeof(page), MR_SERVER, &mr) != -EIO)
		return -EBADMSG;
	ibv_dereg_mr(self->mr);
	self->mr = NULL;
	nic_close(&self->nic);
	return nic_open(&self->nic, ENV_RXE);
}

TEST_F(nth, close_of_a_file_with_pins_needs_no_memory)
{
	sweep_nothing(_metadata, self, &(struct chain){ open_served, call_close,
							context_is_dead });
}

static int call_open_context(void *arg)
{
	nth *self = arg;
	int i;

	for (i = 0; strcmp(ibv_get_device_name(self->devices[i]), ENV_RXE); i++)
		;
	errno = ENOMEM;
	self->ctx = ibv_open_device(self->devices[i]);
	return self->ctx ? 0 : -ENOMEM;		/* the library has its own reasons */
}

static int close_context(nth *self)
{
	return -ibv_close_device(self->ctx);
}

TEST_F(nth, open_of_a_context)
{
	self->devices = ibv_get_device_list(NULL);
	ASSERT_NE(NULL, self->devices);
	sweep(_metadata, self, &(struct chain){ nothing, call_open_context, close_context });
	ibv_free_device_list(self->devices);
}

/*
 * Rings
 */

static int open_ring(nth *self)
{
	int ret = io_uring_queue_init(4, &self->ring, 0);

	return ret ? ret : take(self);
}

static int call_register_buffer(void *arg)
{
	nth *self = arg;
	struct iovec iov = { .iov_base = self->map, .iov_len = REGION };

	return io_uring_register_buffers(&self->ring, &iov, 1);
}

static int close_ring(nth *self)
{
	int ret = io_uring_unregister_buffers(&self->ring);

	io_uring_queue_exit(&self->ring);
	return ret ? ret : drop(self);
}

TEST_F(nth, fixed_buffer)
{
	sweep(_metadata, self, &(struct chain){ open_ring, call_register_buffer, close_ring });
}

static int open_served_ring(nth *self)
{
	struct iovec iov = { .iov_len = REGION };
	int ret;

	self->second = file_open(self->rig.path, O_RDWR);
	iov.iov_base = self->second < 0 ? NULL : file_map(self->second, REGION);
	if (!iov.iov_base)
		return -errno;
	ret = lease_take_all(self->second);
	if (!ret)
		ret = io_uring_queue_init(4, &self->ring, 0);
	if (!ret)
		ret = io_uring_register_buffers(&self->ring, &iov, 1);
	munmap(iov.iov_base, REGION);
	return ret;
}

static int ring_is_dead(nth *self)
{
	char line[REPORT_LINE];
	int ret = io_uring_unregister_buffers(&self->ring);

	io_uring_queue_exit(&self->ring);
	if (report_find(REPORT_LEASES, "", "", line) != 0)
		return -EBUSY;
	return ret == -EIO ? 0 : -EBADMSG;
}

TEST_F(nth, close_of_a_file_with_a_ring_needs_no_memory)
{
	sweep_nothing(_metadata, self, &(struct chain){ open_served_ring, call_close,
							ring_is_dead });
}

/*
 * Reports say all, or that they cannot
 */

static int call_report(void *arg)
{
	nth *self = arg;
	char text[TEXT];
	int ret = read_all(self->path, text);

	if (ret)
		return ret;
	return strcmp(text, self->expected) ? -EBADMSG : 0;
}

static void sweep_report(struct __test_metadata *_metadata, nth *self, const char *path)
{
	snprintf(self->path, sizeof(self->path), "%s", path);
	ASSERT_EQ(0, take_and_register(self));
	ASSERT_EQ(0, read_all(self->path, self->expected));
	sweep(_metadata, self, &(struct chain){ nothing, call_report, nothing });
	EXPECT_EQ(0, deregister_and_drop(self));
}

TEST_F(nth, layout_leases)
{
	sweep_report(_metadata, self, REPORT_LEASES);
}

TEST_F(nth, file_pins)
{
	sweep_report(_metadata, self, "/proc/self/file_pins");
}

TEST_F(nth, locks)
{
	sweep_report(_metadata, self, "/proc/locks");
}

TEST_F(nth, fdinfo_of_a_context)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", self->nic.ctx->cmd_fd);
	sweep_report(_metadata, self, path);
}

TEST_HARNESS_MAIN
