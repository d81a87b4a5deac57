// SPDX-License-Identifier: GPL-2.0
/*
 * The end of a buffer file: when its last descriptor and mapping go, so does
 * every registration, together with the context that owns it, in whatever
 * process that context is open.  And the other way round.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>

#include "kselftest_harness.h"
#include "lib/rig.h"

FIXTURE(end)
{
	struct rig rig;
	struct nic server, client;
	struct wire near, far;
	struct ibv_mr *mr, *local;
	char *map, *buf;
	int fd;
};

ON_DAX(end);

FIXTURE_SETUP(end)
{
	ASSERT_EQ(0, rig_open(&self->rig, variant->dir));
	self->fd = self->rig.fd;
	self->map = file_map(self->fd, RIG_SIZE);
	ASSERT_NE(NULL, self->map);
	self->buf = mmap(NULL, MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->buf);
	memset(self->buf, 'x', MIB);
	ASSERT_EQ(0, nic_open(&self->server, ENV_RXE));
	ASSERT_EQ(0, nic_open(&self->client, ENV_RXE));
	ASSERT_EQ(0, wire_pair(&self->far, &self->client, &self->near, &self->server));
	ASSERT_EQ(0, mr_reg(&self->client, self->buf, MIB, MR_SERVER, &self->local));
	ASSERT_EQ(0, lease_take_all(self->fd));
	ASSERT_EQ(0, mr_reg(&self->server, self->map, RIG_SIZE, MR_SERVER, &self->mr));
}

/* The server's context may be dead; the process ends anyway. */
FIXTURE_TEARDOWN(end)
{
	wire_close(&self->far);
	if (self->local)
		ibv_dereg_mr(self->local);
	nic_close(&self->client);
	rig_close(&self->rig);
}

static int close_buffer(FIXTURE_DATA(end) *self)
{
	int ret = munmap(self->map, RIG_SIZE) || close(self->fd) ? -errno : 0;

	self->rig.fd = -1;
	return ret;
}

static int client_writes(FIXTURE_DATA(end) *self, size_t len, __u64 at)
{
	return wire_write(&self->far, self->local, len, (unsigned long)self->map + at,
			  self->mr->rkey);
}

static bool is_dead(struct nic *nic, void *memory)
{
	return mr_try(nic, memory, PAGE, MR_SERVER) == -EIO;
}

TEST_F(end, the_context_is_dead)
{
	int state;

	EXPECT_EQ(0, mr_try(&self->server, self->buf, PAGE, MR_SERVER));
	ASSERT_EQ(0, close_buffer(self));
	EXPECT_EQ(-EIO, mr_try(&self->server, self->buf, PAGE, MR_SERVER));
	EXPECT_NULL(ibv_alloc_pd(self->server.ctx));
	EXPECT_EQ(EIO, errno);
	state = wire_state(&self->near);
	EXPECT_TRUE(state == -EIO || state == IBV_QPS_ERR)
		TH_LOG("queue pair state %d", state);
}

TEST_F(end, the_peer_cannot_write_any_more)
{
	ASSERT_EQ(0, client_writes(self, PAGE, 0));
	ASSERT_EQ(0, close_buffer(self));
	EXPECT_LT(0, client_writes(self, PAGE, MIB));
	EXPECT_TRUE(file_is(self->rig.path, MIB, PAGE, RIG_FILL));
}

TEST_F(end, nothing_is_left_in_the_reports)
{
	__u64 id = lease_see(self->fd).id;
	char line[REPORT_LINE];

	EXPECT_EQ(1, report_lease(id, line));
	EXPECT_EQ(1, report_pins(id, line));
	ASSERT_EQ(0, close_buffer(self));
	EXPECT_EQ(0, report_lease(id, line));
	EXPECT_EQ(0, report_pins(id, line));
}

/* The close has returned: from then on the blocks may belong to anybody. */
TEST_F_TIMEOUT(end, freed_blocks_of_another_file_are_not_touched, 120)
{
	struct extents before;
	char path[FILE_PATH];
	__u64 at, len;

	ASSERT_EQ(0, client_writes(self, MIB, 0));
	ASSERT_EQ(0, file_extents(self->fd, &before));
	ASSERT_EQ(0, unlink(self->rig.path));
	ASSERT_EQ(0, close_buffer(self));
	EXPECT_LT(0, client_writes(self, MIB, 0));
	ASSERT_EQ(0, file_grab_blocks(variant->dir, &before, 'n', path, &at, &len));
	EXPECT_LT(0, client_writes(self, MIB, 0));
	EXPECT_TRUE(file_is(path, at, len, 'n'));
	unlink(path);
}

TEST_F(end, a_mapping_keeps_it_open)
{
	close(self->fd);
	self->rig.fd = -1;
	EXPECT_EQ(0, mr_try(&self->server, self->buf, PAGE, MR_SERVER));
	EXPECT_EQ(0, client_writes(self, PAGE, 0));
	EXPECT_EQ('x', self->map[0]);
	ASSERT_EQ(0, munmap(self->map, RIG_SIZE));
	EXPECT_EQ(-EIO, mr_try(&self->server, self->buf, PAGE, MR_SERVER));
	EXPECT_LT(0, client_writes(self, PAGE, 0));
}

TEST_F(end, a_duplicate_keeps_it_open)
{
	int fd = dup(self->fd);

	ASSERT_EQ(0, close_buffer(self));
	EXPECT_EQ(1, lease_see(fd).pins);
	EXPECT_EQ(0, client_writes(self, PAGE, 0));
	close(fd);
	EXPECT_EQ(-EIO, mr_try(&self->server, self->buf, PAGE, MR_SERVER));
}

static int kept = -1;

static long keep(void *arg, int fd)
{
	kept = fd;
	return 0;
}

static long let_go(void *arg, int fd)
{
	return close(kept) ? -errno : 0;
}

TEST_F(end, another_process_keeps_it_open)
{
	ASSERT_EQ(0, peer_call(&self->rig.other, keep, NULL, 0, self->fd));
	ASSERT_EQ(0, close_buffer(self));
	EXPECT_EQ(0, client_writes(self, PAGE, 0));
	EXPECT_EQ(0, mr_try(&self->server, self->buf, PAGE, MR_SERVER));
	ASSERT_EQ(0, peer_call(&self->rig.other, let_go, NULL, 0, -1));
	EXPECT_EQ(-EIO, mr_try(&self->server, self->buf, PAGE, MR_SERVER));
	EXPECT_LT(0, client_writes(self, PAGE, 0));
}

TEST_F(end, a_descriptor_in_flight_keeps_it_open)
{
	int sv[2];

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_DGRAM, 0, sv));
	ASSERT_EQ(0, fd_send(sv[0], self->fd));
	ASSERT_EQ(0, close_buffer(self));
	EXPECT_EQ(0, client_writes(self, PAGE, 0));
	close(sv[0]);
	close(sv[1]);
	for (int i = 0; i < 100 && !is_dead(&self->server, self->buf); i++)
		usleep(env_ms(10) * 1000);
	EXPECT_TRUE(is_dead(&self->server, self->buf));
}

/* In a process that gets the context file by SCM_RIGHTS. */
static struct nic passed;

static long adopt_context(void *arg, int fd)
{
	return nic_adopt(&passed, ENV_RXE, fd);
}

static long try_passed(void *arg, int fd)
{
	static char memory[PAGE];

	return mr_try(&passed, memory, PAGE, MR_SERVER);
}

TEST_F(end, the_context_is_dead_in_another_process_too)
{
	ASSERT_EQ(0, peer_call(&self->rig.other, adopt_context, NULL, 0,
			       self->server.ctx->cmd_fd));
	ASSERT_EQ(0, peer_call(&self->rig.other, try_passed, NULL, 0, -1));
	ASSERT_EQ(0, close_buffer(self));
	EXPECT_EQ(-EIO, peer_call(&self->rig.other, try_passed, NULL, 0, -1));
}

/* In the child: let go of the buffer, say so, and look at the context when told. */
static int live_on(FIXTURE_DATA(end) *self, int sock)
{
	char byte = 0;

	if (close_buffer(self) || mr_try(&self->server, self->buf, PAGE, MR_SERVER))
		return 1;
	if (write(sock, &byte, 1) != 1 || read(sock, &byte, 1) != 1)
		return 2;
	return is_dead(&self->server, self->buf) ? 0 : 3;
}

TEST_F(end, the_context_is_dead_in_a_child_too)
{
	int status, sv[2];
	char byte = 0;
	pid_t pid;

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, sv));
	pid = fork();
	if (!pid) {
		close(sv[0]);
		_exit(live_on(self, sv[1]));
	}
	close(sv[1]);
	ASSERT_EQ(1, read(sv[0], &byte, 1));
	EXPECT_EQ(0, mr_try(&self->server, self->buf, PAGE, MR_SERVER));
	ASSERT_EQ(0, close_buffer(self));
	ASSERT_EQ(1, write(sv[0], &byte, 1));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
}

/* A server in another process on a context that we keep open. */
static long serve_on_passed(void *arg, int fd)
{
	struct cut *cut = arg;
	struct ibv_mr *mr;
	char *map;
	int ret = adopt_context(NULL, fd);

	if (ret)
		return ret;
	fd = file_open(cut->path, O_RDWR);
	map = file_map(fd, PAGE);
	if (fd < 0 || !map)
		return -errno;
	ret = lease_take_all(fd);
	return ret ? ret : mr_reg(&passed, map, PAGE, MR_SERVER, &mr);
}

static long exit_now(void *arg, int fd)
{
	_exit(0);
}

static int serve_elsewhere(FIXTURE_DATA(end) *self, struct nic *nic)
{
	struct cut cut = cut_of(self->rig.path, 0, 0);
	int ret = nic_open(nic, ENV_RXE);

	if (!ret)
		ret = peer_call(&self->rig.other, serve_on_passed, &cut, sizeof(cut),
				nic->ctx->cmd_fd);
	return ret ? ret : mr_try(nic, self->buf, PAGE, MR_SERVER);
}

TEST_F(end, a_killed_holder_takes_the_context_with_it)
{
	struct nic nic;

	ASSERT_EQ(0, serve_elsewhere(self, &nic));
	ASSERT_EQ(0, peer_kill(&self->rig.other, QUICK));
	EXPECT_EQ(-EIO, mr_try(&nic, self->buf, PAGE, MR_SERVER));
	EXPECT_EQ(0, mr_try(&self->server, self->buf, PAGE, MR_SERVER));
	EXPECT_EQ(1, lease_see(self->fd).pins);
}

TEST_F(end, an_exiting_holder_takes_the_context_with_it)
{
	struct nic nic;
	int status;

	ASSERT_EQ(0, serve_elsewhere(self, &nic));
	ASSERT_EQ(0, peer_start(&self->rig.other, exit_now, NULL, 0, -1));
	ASSERT_EQ(self->rig.other.pid, waitpid(self->rig.other.pid, &status, 0));
	self->rig.other.pid = 0;
	EXPECT_EQ(-EIO, mr_try(&nic, self->buf, PAGE, MR_SERVER));
}

TEST_F(end, every_context_that_pins_the_file_dies)
{
	struct ibv_mr *mr;
	struct nic second;

	ASSERT_EQ(0, nic_open(&second, ENV_RXE));
	ASSERT_EQ(0, mr_reg(&second, self->map, PAGE, MR_SERVER, &mr));
	ASSERT_EQ(0, close_buffer(self));
	EXPECT_EQ(-EIO, mr_try(&self->server, self->buf, PAGE, MR_SERVER));
	EXPECT_EQ(-EIO, mr_try(&second, self->buf, PAGE, MR_SERVER));
}

TEST_F(end, contexts_without_pins_live_on)
{
	struct nic fresh;

	ASSERT_EQ(0, close_buffer(self));
	EXPECT_EQ(0, mr_try(&self->client, self->buf, PAGE, MR_SERVER));
	ASSERT_EQ(0, nic_open(&fresh, ENV_RXE));
	EXPECT_EQ(0, mr_try(&fresh, self->buf, PAGE, MR_SERVER));
	nic_close(&fresh);
}

/* A dead context is torn down whole, as its close would: also pins on other files. */
TEST_F(end, pins_on_other_files_are_released)
{
	int fd = file_open(variant->dir, O_TMPFILE | O_RDWR), i;
	struct ibv_mr *mr;
	char *map;

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, ftruncate(fd, MIB));
	map = file_map(fd, MIB);
	ASSERT_NE(NULL, map);
	ASSERT_EQ(0, lease_take_all(fd));
	ASSERT_EQ(0, mr_reg(&self->server, map, MIB, MR_SERVER, &mr));
	ASSERT_EQ(0, close_buffer(self));
	for (i = 0; i < 200 && lease_see(fd).pins; i++)
		usleep(env_ms(10) * 1000);
	EXPECT_EQ(0, lease_see(fd).pins);
	EXPECT_EQ(0, lease_see(fd).pinned_pages);
	EXPECT_EQ(LAYOUT_ACTIVE, lease_see(fd).state);
	close(fd);
}

TEST_F(end, without_pins_the_context_lives_on)
{
	ASSERT_EQ(0, ibv_dereg_mr(self->mr));
	self->mr = NULL;
	ASSERT_EQ(0, close_buffer(self));
	EXPECT_EQ(0, mr_try(&self->server, self->buf, PAGE, MR_SERVER));
}

TEST_F(end, a_revoked_pin_no_longer_binds_the_context)
{
	ASSERT_EQ(0, lease_revoke(self->fd, 0));
	ASSERT_EQ(0, close_buffer(self));
	EXPECT_EQ(0, mr_try(&self->server, self->buf, PAGE, MR_SERVER));
	EXPECT_EQ(0, ibv_dereg_mr(self->mr));
}

TEST_F(end, a_closed_context_leaves_the_lease)
{
	/* The queues are mappings of the context file. */
	wire_close(&self->near);
	close(self->server.ctx->cmd_fd);
	for (int i = 0; i < 100 && lease_see(self->fd).pins; i++)
		usleep(env_ms(10) * 1000);
	EXPECT_EQ(LAYOUT_ACTIVE, lease_see(self->fd).state);
	EXPECT_EQ(0, lease_see(self->fd).pins);
	EXPECT_EQ(0, lease_drop(self->fd));
}

TEST_F(end, the_last_close_lets_a_waiting_breaker_through)
{
	ASSERT_EQ(0, rig_start(&self->rig, do_truncate, MIB, 0));
	ASSERT_EQ(0, lease_wait_state(self->fd, LAYOUT_BREAKING, QUICK));
	ASSERT_EQ(0, close_buffer(self));
	EXPECT_EQ(0, peer_result(&self->rig.other, QUICK));
	EXPECT_EQ(MIB, file_size(self->rig.path));
	EXPECT_EQ(-EIO, mr_try(&self->server, self->buf, PAGE, MR_SERVER));
}

TEST_HARNESS_MAIN
