// SPDX-License-Identifier: GPL-2.0
/*
 * Revocation: a lease ends without its holder's help.  Its registrations are
 * dead for both sides of the wire, the rest of the context lives on, and what
 * becomes of the freed blocks is none of the peer's business.
 */
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/stat.h>

#include "kselftest_harness.h"
#include "lib/rig.h"
#include "lib/traffic.h"

FIXTURE(revoke)
{
	struct rig rig;
	int fd;
};

ON_ALL(revoke);

FIXTURE_SETUP(revoke)
{
	ASSERT_EQ(0, rig_open(&self->rig, variant->dir));
	self->fd = self->rig.fd;
}

FIXTURE_TEARDOWN(revoke)
{
	rig_close(&self->rig);
}

TEST_F(revoke, of_nothing_is_success)
{
	EXPECT_EQ(0, lease_revoke(self->fd, 0));
	EXPECT_EQ(LAYOUT_NONE, lease_see(self->fd).state);
}

TEST_F(revoke, of_an_unknown_number_is_enoent)
{
	ASSERT_EQ(0, lease_take_all(self->fd));
	EXPECT_EQ(-ENOENT, lease_revoke(self->fd, lease_see(self->fd).id + 1000000));
	EXPECT_EQ(LAYOUT_ACTIVE, lease_see(self->fd).state);
}

TEST_F(revoke, by_number_ends_that_lease_alone)
{
	int fd = file_open(self->rig.path, O_RDWR);

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, lease_take_all(self->fd));
	ASSERT_EQ(0, lease_take_all(fd));
	EXPECT_EQ(0, lease_revoke(fd, lease_see(self->fd).id));
	EXPECT_EQ(LAYOUT_REVOKED, lease_see(self->fd).state);
	EXPECT_EQ(LAYOUT_ACTIVE, lease_see(fd).state);
	close(fd);
}

TEST_F(revoke, of_all_spares_no_unbreakable_one)
{
	int fd = file_open(self->rig.path, O_RDWR);

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, lease_take(self->fd, LAYOUT_LEASE_UNBREAK, 0, 0, self->rig.event));
	ASSERT_EQ(0, lease_take_all(fd));
	EXPECT_EQ(0, lease_revoke(fd, 0));
	EXPECT_EQ(LAYOUT_REVOKED, lease_see(self->fd).state);
	EXPECT_EQ(LAYOUT_REVOKED, lease_see(fd).state);
	EXPECT_EQ(1, lease_events(self->rig.event, QUICK));
	EXPECT_EQ(0, rig_other(&self->rig, do_truncate, 0, 0));
	close(fd);
}

TEST_F(revoke, of_another_files_lease_is_enoent)
{
	int fd = file_open(variant->dir, O_TMPFILE | O_RDWR);

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, lease_take_all(self->fd));
	EXPECT_EQ(-ENOENT, lease_revoke(fd, lease_see(self->fd).id));
	EXPECT_EQ(LAYOUT_ACTIVE, lease_see(self->fd).state);
	close(fd);
}

static long nobody_revokes(void *arg, int fd)
{
	if (setgid(ENV_NOBODY) || setuid(ENV_NOBODY))
		return -errno;
	return lease_revoke(fd, 0);
}

TEST_F(revoke, by_a_stranger_is_eacces)
{
	ASSERT_EQ(0, lease_take_all(self->fd));
	EXPECT_EQ(-EACCES, peer_call(&self->rig.other, nobody_revokes, NULL, 0, self->fd));
	EXPECT_EQ(LAYOUT_ACTIVE, lease_see(self->fd).state);
}

TEST_F(revoke, a_new_owner_can_evict_the_old_one)
{
	ASSERT_EQ(0, lease_take_unbreak(self->fd));
	ASSERT_EQ(0, fchown(self->fd, ENV_NOBODY, ENV_NOBODY));
	EXPECT_EQ(0, peer_call(&self->rig.other, nobody_revokes, NULL, 0, self->fd));
	EXPECT_EQ(LAYOUT_REVOKED, lease_see(self->fd).state);
}

TEST_F(revoke, is_told_until_the_next_take)
{
	ASSERT_EQ(0, lease_take_all(self->fd));
	ASSERT_EQ(0, lease_revoke(self->fd, 0));
	EXPECT_EQ(LAYOUT_REVOKED, lease_see(self->fd).state);
	EXPECT_EQ(LAYOUT_REVOKED, lease_see(self->fd).state);
	EXPECT_EQ(F_UNLCK, fcntl(self->fd, F_GETLEASE));
	EXPECT_EQ(-ENOENT, lease_drop(self->fd));
	EXPECT_EQ(0, lease_take_all(self->fd));
	EXPECT_EQ(LAYOUT_ACTIVE, lease_see(self->fd).state);
}

TEST_F(revoke, lets_a_waiting_breaker_through)
{
	ASSERT_EQ(0, lease_take(self->fd, 0, 0, 0, self->rig.event));
	ASSERT_EQ(0, rig_start(&self->rig, do_truncate, MIB, 0));
	ASSERT_EQ(1, lease_events(self->rig.event, QUICK));
	EXPECT_EQ(0, lease_revoke(self->fd, 0));
	EXPECT_EQ(0, peer_result(&self->rig.other, QUICK));
	EXPECT_EQ(MIB, file_size(self->rig.path));
}

/*
 * The same with a server (a context with the file registered) and a client
 * (a context with ordinary memory), connected when the device allows it.
 */
FIXTURE(server)
{
	struct rig rig;
	struct traffic traffic;
	struct ibv_mr *mr;
	char *map;
	int fd;
};

ON_DAX(server);

FIXTURE_SETUP(server)
{
	ASSERT_EQ(0, rig_open(&self->rig, variant->dir));
	self->fd = self->rig.fd;
	self->map = file_map(self->fd, RIG_SIZE);
	ASSERT_NE(NULL, self->map);
	ASSERT_EQ(0, traffic_open(&self->traffic));
	ASSERT_EQ(0, lease_take(self->fd, 0, 0, 0, self->rig.event));
	ASSERT_EQ(0, mr_reg(&self->traffic.server, self->map, RIG_SIZE, MR_SERVER, &self->mr));
}

FIXTURE_TEARDOWN(server)
{
	if (self->mr)
		ibv_dereg_mr(self->mr);
	traffic_close(&self->traffic);
	rig_close(&self->rig);
}

static int client_writes(FIXTURE_DATA(server) *self, size_t len, __u64 at)
{
	return traffic_write(&self->traffic, self->mr, len, at);
}

TEST_F(server, peer_gets_a_remote_access_error)
{
	ASSERT_EQ(0, client_writes(self, PAGE, 0));
	ASSERT_EQ(0, lease_revoke(self->fd, 0));
	EXPECT_EQ(IBV_WC_REM_ACCESS_ERR, client_writes(self, PAGE, 2 * MIB));
	EXPECT_TRUE(file_is(self->rig.path, 2 * MIB, PAGE, RIG_FILL));
	EXPECT_TRUE(file_is(self->rig.path, 0, PAGE, 'x'));
}

TEST_F(server, peers_read_fails_alike)
{
	ASSERT_EQ(0, lease_revoke(self->fd, 0));
	EXPECT_EQ(IBV_WC_REM_ACCESS_ERR,
		  wire_read(&self->traffic.far, self->traffic.local, PAGE, (unsigned long)self->map,
			    self->mr->rkey));
	EXPECT_EQ('x', self->traffic.buf[0]);
}

TEST_F(server, local_use_of_the_region_is_a_local_error)
{
	int status;

	ASSERT_EQ(0, lease_revoke(self->fd, 0));
	status = wire_write(&self->traffic.near, self->mr, PAGE, (unsigned long)self->traffic.buf,
			    self->traffic.local->rkey);
	/* which error is the driver's: rxe flushes the queue for local ones */
	EXPECT_NE(IBV_WC_SUCCESS, status);
	EXPECT_EQ('x', self->traffic.buf[0]);
}

TEST_F(server, the_region_can_still_be_deregistered)
{
	ASSERT_EQ(0, lease_revoke(self->fd, 0));
	EXPECT_EQ(0, lease_see(self->fd).pins);
	EXPECT_EQ(0, lease_see(self->fd).pinned_pages);
	EXPECT_EQ(0, ibv_dereg_mr(self->mr));
	self->mr = NULL;
}

TEST_F(server, the_rest_of_the_context_goes_on)
{
	char *memory = mmap(NULL, MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct ibv_mr *mr;

	ASSERT_NE(MAP_FAILED, memory);
	ASSERT_EQ(0, mr_reg(&self->traffic.server, memory, MIB, MR_SERVER, &mr));
	ASSERT_EQ(0, lease_revoke(self->fd, 0));
	EXPECT_EQ(0, wire_write(&self->traffic.far, self->traffic.local, PAGE, (unsigned long)memory, mr->rkey));
	EXPECT_EQ('x', memory[0]);
	EXPECT_EQ(0, mr_try(&self->traffic.server, memory, MIB, MR_SERVER));
	EXPECT_EQ(-EOPNOTSUPP, mr_try(&self->traffic.server, self->map, PAGE, MR_SERVER));
	EXPECT_EQ(IBV_WC_REM_ACCESS_ERR, client_writes(self, PAGE, 0));
	EXPECT_EQ(0, traffic_reconnect(&self->traffic));
	EXPECT_EQ(0, wire_write(&self->traffic.far, self->traffic.local, PAGE, (unsigned long)memory, mr->rkey));
	EXPECT_EQ(0, ibv_dereg_mr(mr));
}

TEST_F(server, leases_on_other_files_keep_their_pins)
{
	int fd = file_open(variant->dir, O_TMPFILE | O_RDWR);
	struct ibv_mr *mr;
	char *map;

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, ftruncate(fd, MIB));
	map = file_map(fd, MIB);
	ASSERT_EQ(0, lease_take_all(fd));
	ASSERT_EQ(0, mr_reg(&self->traffic.server, map, MIB, MR_SERVER, &mr));
	ASSERT_EQ(0, lease_revoke(self->fd, 0));
	EXPECT_EQ(1, lease_see(fd).pins);
	EXPECT_EQ(LAYOUT_ACTIVE, lease_see(fd).state);
	EXPECT_EQ(0, wire_write(&self->traffic.far, self->traffic.local, PAGE, (unsigned long)map, mr->rkey));
	EXPECT_EQ('x', map[0]);
	EXPECT_EQ(0, ibv_dereg_mr(mr));
	close(fd);
}

TEST_F(server, a_new_lease_serves_new_registrations)
{
	struct ibv_mr *again;

	ASSERT_EQ(0, lease_revoke(self->fd, 0));
	ASSERT_EQ(0, lease_take_all(self->fd));
	ASSERT_EQ(0, mr_reg(&self->traffic.server, self->map, MIB, MR_SERVER, &again));
	EXPECT_NE(again->rkey, self->mr->rkey);
	EXPECT_EQ(0, wire_write(&self->traffic.far, self->traffic.local, PAGE, (unsigned long)self->map,
				again->rkey));
	EXPECT_TRUE(file_is(self->rig.path, 0, PAGE, 'x'));
	EXPECT_EQ(IBV_WC_REM_ACCESS_ERR, client_writes(self, PAGE, 0));
	EXPECT_EQ(0, ibv_dereg_mr(again));
}

TEST_F(server, every_region_under_the_lease_dies)
{
	struct ibv_mr *more[8];
	int i;

	for (i = 0; i < 8; i++)
		ASSERT_EQ(0, mr_reg(&self->traffic.server, self->map + i * 64 * KIB, 64 * KIB, MR_SERVER,
				    &more[i]));
	EXPECT_EQ(9, lease_see(self->fd).pins);
	ASSERT_EQ(0, lease_revoke(self->fd, 0));
	EXPECT_EQ(0, lease_see(self->fd).pins);
	for (i = 0; i < 8; i++) {
		EXPECT_EQ(IBV_WC_REM_ACCESS_ERR,
			  wire_write(&self->traffic.far, self->traffic.local, PAGE, (unsigned long)more[i]->addr,
				     more[i]->rkey));
		EXPECT_EQ(0, ibv_dereg_mr(more[i]));
		EXPECT_EQ(0, traffic_reconnect(&self->traffic));
	}
	EXPECT_TRUE(rig_untouched(&self->rig));
}

/* The whole point: what belongs to another file now stays that file's. */
TEST_F_TIMEOUT(server, freed_blocks_of_another_file_are_not_touched, 120)
{
	struct extents before;
	char path[FILE_PATH];
	__u64 at, len;

	ASSERT_EQ(0, client_writes(self, MIB, 0));
	ASSERT_EQ(0, file_extents(self->fd, &before));
	ASSERT_EQ(0, break_time_set(1));
	ASSERT_EQ(0, rig_other(&self->rig, do_truncate, 0, 0));
	ASSERT_EQ(0, file_grab_blocks(variant->dir, &before, 'n', path, &at, &len));
	for (__u64 off = 0; off < RIG_SIZE; off += MIB) {
		EXPECT_EQ(IBV_WC_REM_ACCESS_ERR, client_writes(self, MIB, off));
		EXPECT_EQ(0, traffic_reconnect(&self->traffic));
	}
	EXPECT_TRUE(file_is(path, at, len, 'n'));
	unlink(path);
}

struct writer {
	FIXTURE_DATA(server) *self;
	int writes, status;
};

static void *write_until_error(void *arg)
{
	struct writer *writer = arg;

	while (!(writer->status = client_writes(writer->self, MIB, 0)))
		__atomic_add_fetch(&writer->writes, 1, __ATOMIC_SEQ_CST);
	return NULL;
}

/* When F_REVOKELAYOUT returns, the device has let go, also of a write it was in. */
TEST_F_TIMEOUT(server, under_traffic_nothing_arrives_afterwards, 120)
{
	struct writer writer = { .self = self };
	pthread_t thread;

	ASSERT_EQ(0, pthread_create(&thread, NULL, write_until_error, &writer));
	while (__atomic_load_n(&writer.writes, __ATOMIC_SEQ_CST) < 3)
		usleep(100);
	ASSERT_EQ(0, lease_revoke(self->fd, 0));
	memset(self->map, 'h', MIB);
	pthread_join(thread, NULL);
	EXPECT_LT(0, writer.status);
	EXPECT_TRUE(file_is(self->rig.path, 0, MIB, 'h'));
}

TEST_F_TIMEOUT(server, a_deaf_servers_region_dies_with_the_break, 60)
{
	ASSERT_EQ(0, break_time_set(1));
	EXPECT_EQ(0, rig_other(&self->rig, do_punch, 0, 2 * MIB));
	EXPECT_LE(900, self->rig.other.ms);
	EXPECT_EQ(LAYOUT_REVOKED, lease_see(self->fd).state);
	EXPECT_EQ(IBV_WC_REM_ACCESS_ERR, client_writes(self, PAGE, 0));
	EXPECT_TRUE(file_is(self->rig.path, 0, 2 * MIB, 0));
}

TEST_HARNESS_MAIN
