// SPDX-License-Identifier: GPL-2.0
/*
 * The ground moves below leases and pins: the file's name goes, the file system
 * is unmounted, shut down or frozen, its memory is removed or fails.  Pins end,
 * or something visible keeps what they need: nothing hangs, nothing is used that
 * is gone.  See docs/ground.md.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/statfs.h>
#include <sys/swap.h>

#include "kselftest_harness.h"
#include "lib/ground.h"
#include "lib/holder.h"
#include "lib/rig.h"
#include "lib/traffic.h"

/* XFS's number, which ext4 has taken over with its flags: ask for the meanest. */
#define GOING_DOWN		_IOR('X', 125, __u32)
#define GOING_WITHOUT_LOG	2

FIXTURE(ground)
{
	struct rig rig;
	struct traffic traffic;
	struct ibv_mr *mr;
	char *map;
	int fd;
};

FIXTURE_VARIANT(ground)
{
	const char *type;
};

FIXTURE_VARIANT_ADD(ground, ext4) { .type = "ext4" };
FIXTURE_VARIANT_ADD(ground, xfs) { .type = "xfs" };

FIXTURE_SETUP(ground)
{
	ASSERT_EQ(0, ground_make(variant->type));
	ASSERT_EQ(0, rig_open(&self->rig, GROUND_DIR));
	self->fd = self->rig.fd;
	self->map = file_map(self->fd, RIG_SIZE);
	ASSERT_NE(NULL, self->map);
	ASSERT_EQ(0, traffic_open(&self->traffic));
	ASSERT_EQ(0, lease_take(self->fd, 0, 0, 0, self->rig.event));
	ASSERT_EQ(0, mr_reg(&self->traffic.server, self->map, RIG_SIZE, MR_SERVER, &self->mr));
	ASSERT_EQ(0, traffic_write(&self->traffic, self->mr, PAGE, 0));
}

static void unmap(FIXTURE_DATA(ground) *self)
{
	if (self->map)
		munmap(self->map, RIG_SIZE);
	self->map = NULL;
}

static void close_buffer(FIXTURE_DATA(ground) *self)
{
	unmap(self);
	close(self->fd);
	self->rig.fd = -1;
}

FIXTURE_TEARDOWN(ground)
{
	if (self->mr)
		ibv_dereg_mr(self->mr);
	traffic_close(&self->traffic);
	unmap(self);
	rig_close(&self->rig);
	ASSERT_EQ(0, ground_restore());
}

static int peer_writes(FIXTURE_DATA(ground) *self)
{
	return traffic_write(&self->traffic, self->mr, PAGE, MIB);
}

/* The pins are as alive as they were. */
static bool all_goes_on(FIXTURE_DATA(ground) *self)
{
	struct layout_lease lease = lease_see(self->fd);

	return lease.state == LAYOUT_ACTIVE && lease.pins == 1 && !peer_writes(self);
}

static int deregister(FIXTURE_DATA(ground) *self)
{
	int ret = ibv_dereg_mr(self->mr);

	self->mr = NULL;
	return ret;
}

static long free_blocks(void)
{
	struct statfs st;

	return statfs(GROUND_DIR, &st) ? -errno : (long)st.f_bfree;
}

/*
 * Names and mounts
 */

TEST_F_TIMEOUT(ground, an_unlinked_file_keeps_its_blocks_until_its_last_close, 60)
{
	long before;

	ASSERT_EQ(0, unlink(self->rig.path));
	EXPECT_TRUE(all_goes_on(self));
	sync();
	before = free_blocks();
	close_buffer(self);
	EXPECT_LT(0, peer_writes(self));
	sync();
	for (int i = 0; i < 200 && free_blocks() < before + RIG_SIZE / PAGE; i++)
		usleep(env_ms(10) * 1000);
	EXPECT_LE(before + RIG_SIZE / PAGE, free_blocks());
	EXPECT_EQ(0, ground_unmount(0));
}

TEST_F_TIMEOUT(ground, a_file_system_with_pins_is_busy, 60)
{
	EXPECT_EQ(-EBUSY, ground_unmount(0));
	EXPECT_EQ(-EBUSY, ground_unmount(MNT_FORCE));
	close(self->fd);
	self->rig.fd = -1;
	EXPECT_EQ(-EBUSY, ground_unmount(0));	/* for the mapping */
	EXPECT_EQ(0, peer_writes(self));
	unmap(self);
	EXPECT_EQ(0, ground_unmount(0));
	EXPECT_LT(0, peer_writes(self));
	EXPECT_EQ(0, ground_released(QUICK));
}

TEST_F_TIMEOUT(ground, a_context_alone_keeps_no_file_system_busy, 60)
{
	ASSERT_EQ(0, lease_revoke(self->fd, 0));
	close_buffer(self);
	EXPECT_EQ(0, ground_unmount(0));
	EXPECT_EQ(0, ground_released(QUICK));
	EXPECT_EQ(0, deregister(self));
}

TEST_F_TIMEOUT(ground, unmounted_lazily_it_lives_as_long_as_the_buffer, 60)
{
	ASSERT_EQ(0, ground_unmount(MNT_DETACH));
	EXPECT_TRUE(all_goes_on(self));
	EXPECT_EQ(0, mr_try(&self->traffic.server, self->map, PAGE, MR_SERVER));
	EXPECT_EQ(-ETIME, ground_released(100));
	close_buffer(self);
	EXPECT_LT(0, peer_writes(self));
	EXPECT_EQ(0, ground_released(QUICK));
}

/* From now on another process has file and context, and this one neither. */
static int pass_to_holder(FIXTURE_DATA(ground) *self, struct holder *holder)
{
	struct holder_plan plan = { .files = { BUFFER, CONTEXT }, .way = BY_EXIT };

	close_buffer(self);
	strcpy(plan.path, self->rig.path);
	return holder_start(holder, &plan);
}

TEST_F_TIMEOUT(ground, unmounted_lazily_it_goes_with_a_killed_holder, 60)
{
	struct holder holder;
	char line[REPORT_LINE];

	ASSERT_EQ(0, pass_to_holder(self, &holder));
	ASSERT_EQ(0, ground_unmount(MNT_DETACH));
	EXPECT_EQ(1, report_find(REPORT_LEASES, "pin ", "", line));
	EXPECT_EQ(0, holder_end(&holder));
	EXPECT_EQ(0, report_find(REPORT_LEASES, "", "", line));
	EXPECT_EQ(0, ground_released(QUICK));
}

/*
 * Shutdown: the memory is there, the file system answers no more
 */

static int shut_down(FIXTURE_DATA(ground) *self)
{
	__u32 how = GOING_WITHOUT_LOG;

	return ioctl(self->fd, GOING_DOWN, &how) ? -errno : 0;
}

TEST_F_TIMEOUT(ground, after_a_shutdown_pins_go_on_and_can_be_let_go, 60)
{
	ASSERT_EQ(0, shut_down(self));
	EXPECT_TRUE(all_goes_on(self));
	EXPECT_EQ(0, deregister(self));
	EXPECT_EQ(0, lease_drop(self->fd));
	close_buffer(self);
	EXPECT_EQ(0, ground_unmount(0));
	EXPECT_EQ(0, ground_released(QUICK));
}

TEST_F_TIMEOUT(ground, after_a_shutdown_pins_can_be_taken_away, 60)
{
	ASSERT_EQ(0, shut_down(self));
	EXPECT_EQ(0, lease_revoke(self->fd, 0));
	EXPECT_EQ(LAYOUT_REVOKED, lease_see(self->fd).state);
	EXPECT_LT(0, peer_writes(self));
	EXPECT_EQ(0, deregister(self));
}

TEST_F_TIMEOUT(ground, after_a_shutdown_a_breaker_fails_in_time, 60)
{
	ASSERT_EQ(0, break_time_set(1));
	ASSERT_EQ(0, shut_down(self));
	EXPECT_GT(0, rig_other(&self->rig, do_truncate, 0, 0));
	EXPECT_GT(1000 + QUICK, self->rig.other.ms);
}

TEST_F_TIMEOUT(ground, a_shutdown_ends_the_wait_of_a_breaker_no_later, 60)
{
	ASSERT_EQ(0, break_time_set(1));
	ASSERT_EQ(0, rig_start(&self->rig, do_truncate, 0, 0));
	ASSERT_EQ(0, lease_wait_state(self->fd, LAYOUT_BREAKING, QUICK));
	ASSERT_EQ(0, shut_down(self));
	EXPECT_GT(0, peer_result(&self->rig.other, 1000 + QUICK));
	EXPECT_EQ(LAYOUT_REVOKED, lease_see(self->fd).state);
	EXPECT_LT(0, peer_writes(self));
}

TEST_F_TIMEOUT(ground, after_a_shutdown_the_last_close_ends_the_pins, 60)
{
	ASSERT_EQ(0, shut_down(self));
	close_buffer(self);
	EXPECT_LT(0, peer_writes(self));
	EXPECT_EQ(0, ground_unmount(0));
	EXPECT_EQ(0, ground_released(QUICK));
}

/*
 * Freeze
 */

static long freeze(void *arg, int fd)
{
	int ret = ioctl(fd, FIFREEZE, 0) ? -errno : 0;

	close(fd);
	return ret;
}

static long thaw(void *arg, int fd)
{
	int ret = ioctl(fd, FITHAW, 0) ? -errno : 0;

	close(fd);
	return ret;
}

/* By another process, so that a freeze that hangs is seen as such. */
static int freezing(FIXTURE_DATA(ground) *self, peer_fn fn)
{
	int ret = peer_start(&self->rig.third, fn, NULL, 0, self->fd);

	return ret ? ret : peer_result(&self->rig.third, QUICK);
}

TEST_F_TIMEOUT(ground, a_holder_may_freeze_and_let_go_while_a_breaker_waits, 60)
{
	ASSERT_EQ(0, rig_start(&self->rig, do_truncate, 0, 0));
	ASSERT_EQ(0, lease_wait_state(self->fd, LAYOUT_BREAKING, QUICK));
	ASSERT_EQ(0, freezing(self, freeze));
	EXPECT_EQ(0, peer_writes(self));
	EXPECT_EQ(0, deregister(self));
	EXPECT_EQ(0, lease_drop(self->fd));
	EXPECT_TRUE(peer_busy(&self->rig.other, 200));
	EXPECT_EQ(RIG_SIZE, file_size(self->rig.path));
	ASSERT_EQ(0, freezing(self, thaw));
	EXPECT_EQ(0, peer_result(&self->rig.other, QUICK));
	EXPECT_EQ(0, file_size(self->rig.path));
}

TEST_F_TIMEOUT(ground, pins_of_a_frozen_file_system_are_revoked_in_time, 60)
{
	ASSERT_EQ(0, break_time_set(1));
	ASSERT_EQ(0, rig_start(&self->rig, do_truncate, 0, 0));
	ASSERT_EQ(0, lease_wait_state(self->fd, LAYOUT_BREAKING, QUICK));
	ASSERT_EQ(0, freezing(self, freeze));
	EXPECT_EQ(0, lease_wait_state(self->fd, LAYOUT_REVOKED, 1000 + QUICK));
	EXPECT_LT(0, peer_writes(self));
	ASSERT_EQ(0, freezing(self, thaw));
	EXPECT_EQ(0, peer_result(&self->rig.other, QUICK));
}

TEST_F_TIMEOUT(ground, pins_of_a_frozen_file_system_end_with_the_last_close, 60)
{
	int dir = file_open(GROUND_DIR, O_RDONLY);

	ASSERT_LE(0, dir);
	ASSERT_EQ(0, freezing(self, freeze));
	close_buffer(self);
	EXPECT_LT(0, peer_writes(self));
	ASSERT_EQ(0, ioctl(dir, FITHAW, 0));
	close(dir);
}

/*
 * The memory goes
 */

/* By another process: a removal that hangs is seen as such. */
static long remove_memory(struct peer *peer)
{
	int ret = peer_start(peer, ground_remove, NULL, 0, -1);

	return ret ? ret : peer_result(peer, LONG);
}

TEST_F_TIMEOUT(ground, removed_memory_is_no_longer_pinned, 120)
{
	unmap(self);				/* XFS kills who maps it */
	ASSERT_EQ(0, remove_memory(&self->rig.third));
	EXPECT_EQ(LAYOUT_REVOKED, lease_see(self->fd).state);
	EXPECT_EQ(0, lease_see(self->fd).pins);
	EXPECT_EQ(1, lease_events(self->rig.event, 0));
	EXPECT_LT(0, peer_writes(self));
	EXPECT_EQ(-EIO, lease_take_all(self->fd));
	EXPECT_EQ(0, deregister(self));
	close_buffer(self);
	EXPECT_EQ(0, ground_unmount(0));
}

TEST_F_TIMEOUT(ground, removed_memory_lets_a_breaker_through, 120)
{
	unmap(self);
	ASSERT_EQ(0, rig_start(&self->rig, do_truncate, 0, 0));
	ASSERT_EQ(0, lease_wait_state(self->fd, LAYOUT_BREAKING, QUICK));
	ASSERT_EQ(0, remove_memory(&self->rig.third));
	EXPECT_NE(-ETIME, peer_result(&self->rig.other, QUICK));
	EXPECT_EQ(LAYOUT_REVOKED, lease_see(self->fd).state);
}

/* The holder, who maps it, is killed or not; nothing is left either way. */
TEST_F_TIMEOUT(ground, memory_can_be_removed_from_under_a_mapping, 120)
{
	struct holder holder;
	char line[REPORT_LINE];

	ASSERT_EQ(0, pass_to_holder(self, &holder));
	EXPECT_EQ(0, remove_memory(&self->rig.third));
	EXPECT_EQ(0, report_find(REPORT_LEASES, "pin ", "", line));
	EXPECT_EQ(0, holder_end(&holder));
	EXPECT_EQ(0, report_find(REPORT_LEASES, "", "", line));
	EXPECT_EQ(0, ground_unmount(0));
}

static char *mapped;

static long map_sent(void *arg, int fd)
{
	mapped = file_map(fd, RIG_SIZE);
	close(fd);
	if (!mapped)
		return -errno;
	*mapped = 'm';
	return 0;
}

static long touch(void *arg, int fd)
{
	return *mapped;
}

/* XFS kills those who map it, with ext4 they die when they touch it. */
TEST_F_TIMEOUT(ground, removed_memory_is_no_longer_mapped, 120)
{
	ASSERT_EQ(0, peer_call(&self->rig.third, map_sent, NULL, 0, self->fd));
	unmap(self);
	ASSERT_EQ(0, remove_memory(&self->rig.other));
	EXPECT_EQ(-EPIPE, peer_call(&self->rig.third, touch, NULL, 0, -1));
}

/*
 * The memory fails
 */

static volatile sig_atomic_t failures;

static void on_failure(int signo, siginfo_t *info, void *context)
{
	failures += info->si_code == BUS_MCEERR_AR || info->si_code == BUS_MCEERR_AO;
}

static int poison(char *page)
{
	struct sigaction action = { .sa_sigaction = on_failure, .sa_flags = SA_SIGINFO };

	sigaction(SIGBUS, &action, NULL);
	return madvise(page, PAGE, MADV_HWPOISON) ? -errno : 0;
}

/* Who maps it is told as ever, and may end the pin; the lease has nothing to do with it. */
TEST_F_TIMEOUT(ground, a_failing_page_is_told_to_who_maps_it_and_stays_pinned, 60)
{
	ASSERT_EQ(0, poison(self->map + MIB));
	EXPECT_EQ(1, failures);
	EXPECT_EQ(LAYOUT_ACTIVE, lease_see(self->fd).state);
	EXPECT_EQ(1, lease_see(self->fd).pins);
	EXPECT_EQ(0, traffic_write(&self->traffic, self->mr, PAGE, 0));
	EXPECT_EQ(0, deregister(self));
	EXPECT_EQ(0, mr_try(&self->traffic.server, self->map, RIG_SIZE, MR_SERVER));
	EXPECT_EQ(0, lease_drop(self->fd));
	EXPECT_EQ(0, rig_other(&self->rig, do_truncate, 0, 0));
}

TEST_F_TIMEOUT(ground, a_failing_page_does_not_stop_a_revocation, 60)
{
	ASSERT_EQ(0, break_time_set(0));
	ASSERT_EQ(0, poison(self->map + MIB));
	EXPECT_EQ(0, rig_other(&self->rig, do_punch, 0, RIG_SIZE));
	EXPECT_EQ(LAYOUT_REVOKED, lease_see(self->fd).state);
	EXPECT_LT(0, peer_writes(self));
	EXPECT_EQ(0, deregister(self));
}

static long poison_and_wait(void *arg, int fd)
{
	char *map = file_map(fd, RIG_SIZE);

	signal(SIGBUS, SIG_DFL);
	return madvise(map + MIB, PAGE, MADV_HWPOISON) ? -errno : 0;
}

/* Told or not: who does not listen dies, and others' pins stay theirs. */
TEST_F_TIMEOUT(ground, a_failing_page_kills_who_maps_it_and_not_the_pins_of_others, 60)
{
	unmap(self);
	ASSERT_EQ(0, peer_start(&self->rig.third, poison_and_wait, NULL, 0, self->fd));
	EXPECT_EQ(-EPIPE, peer_result(&self->rig.third, QUICK));
	EXPECT_EQ(1, lease_see(self->fd).pins);
	EXPECT_EQ(0, deregister(self));
	EXPECT_EQ(0, lease_drop(self->fd));
}

TEST_F_TIMEOUT(ground, a_dax_file_is_no_swap_file_leased_or_not, 60)
{
	ASSERT_EQ(0, run("mkswap %s >/dev/null 2>&1", self->rig.path));
	EXPECT_EQ(-1, swapon(self->rig.path, 0));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_TRUE(all_goes_on(self));
	EXPECT_EQ(0, deregister(self));
	EXPECT_EQ(0, lease_drop(self->fd));
	EXPECT_EQ(-1, swapon(self->rig.path, 0));
	EXPECT_EQ(EINVAL, errno);
}

/*
 * The RDMA device goes.  rxe waits for who has its context files open, with and
 * without leases; what matters is that the file does not wait along.
 */

#define OWN_RXE		"rxe-own"
#define OWN_NETDEV	"eth-own"

FIXTURE(device)
{
	struct rig rig;
	struct nic nic;
	struct ibv_mr *mr;
	char *map;
	int fd;
};

FIXTURE_VARIANT(device)
{
	const char *removal;
};

FIXTURE_VARIANT_ADD(device, rdma) { .removal = "rdma link delete " OWN_RXE };
FIXTURE_VARIANT_ADD(device, net) { .removal = "ip link delete " OWN_NETDEV };

FIXTURE_SETUP(device)
{
	ASSERT_EQ(0, rig_open(&self->rig, ENV_EXT4));
	self->fd = self->rig.fd;
	self->map = file_map(self->fd, RIG_SIZE);
	ASSERT_NE(NULL, self->map);
	ASSERT_EQ(0, run("ip link add " OWN_NETDEV " type dummy && "
			 "ip addr add 10.79.0.1/24 dev " OWN_NETDEV " && "
			 "ip link set " OWN_NETDEV " up && "
			 "rdma link add " OWN_RXE " type rxe netdev " OWN_NETDEV));
	ASSERT_EQ(0, nic_open(&self->nic, OWN_RXE));
	ASSERT_EQ(0, lease_take_all(self->fd));
	ASSERT_EQ(0, mr_reg(&self->nic, self->map, RIG_SIZE, MR_SERVER, &self->mr));
	/* it has begun, and waits, when its node is gone */
	ASSERT_EQ(0, run("%s & while [ -e %s ]; do sleep 0.01; done", variant->removal,
			 self->nic.ctx->device->dev_path));
}

static bool device_is_there(void)
{
	return !access("/sys/class/infiniband/" OWN_RXE, F_OK);
}

static bool device_goes(void)
{
	for (int i = 0; i < 200 && device_is_there(); i++)
		usleep(env_ms(10) * 1000);
	return !device_is_there();
}

/* All of it, with its queue of events; its region goes along. */
static void close_context(FIXTURE_DATA(device) *self)
{
	nic_close(&self->nic);
}

FIXTURE_TEARDOWN(device)
{
	close_context(self);
	EXPECT_TRUE(device_goes());
	run("ip link delete " OWN_NETDEV " 2>/dev/null");
	rig_close(&self->rig);
}

TEST_F_TIMEOUT(device, its_context_holds_it_and_leaves_the_lease, 60)
{
	struct nic other;

	EXPECT_TRUE(device_is_there());
	EXPECT_EQ(1, lease_see(self->fd).pins);
	close_context(self);
	EXPECT_EQ(0, lease_see(self->fd).pins);
	EXPECT_TRUE(device_goes());
	EXPECT_EQ(LAYOUT_ACTIVE, lease_see(self->fd).state);
	ASSERT_EQ(0, nic_open(&other, ENV_RXE));
	EXPECT_EQ(0, mr_try(&other, self->map, PAGE, MR_SERVER));
	nic_close(&other);
	EXPECT_EQ(0, lease_drop(self->fd));
}

TEST_F_TIMEOUT(device, who_deregisters_and_drops_does_not_wait, 60)
{
	EXPECT_EQ(0, ibv_dereg_mr(self->mr));
	EXPECT_EQ(0, lease_drop(self->fd));
	EXPECT_EQ(0, rig_other(&self->rig, do_truncate, 0, 0));
	EXPECT_GT(QUICK, self->rig.other.ms);
}

TEST_F_TIMEOUT(device, a_breaker_does_not_wait_for_it, 60)
{
	ASSERT_EQ(0, break_time_set(0));
	EXPECT_EQ(0, rig_other(&self->rig, do_truncate, 0, 0));
	EXPECT_GT(QUICK, self->rig.other.ms);
	EXPECT_EQ(LAYOUT_REVOKED, lease_see(self->fd).state);
	EXPECT_EQ(0, lease_see(self->fd).pins);
}

TEST_F_TIMEOUT(device, the_last_close_does_not_wait_for_it, 60)
{
	unsigned long start = now_ms();
	char line[REPORT_LINE];

	munmap(self->map, RIG_SIZE);
	close(self->fd);
	self->rig.fd = -1;
	EXPECT_GT(QUICK, now_ms() - start);
	EXPECT_EQ(0, report_find(REPORT_LEASES, "", "", line));
	EXPECT_EQ(0, rig_other(&self->rig, do_truncate, 0, 0));
	EXPECT_TRUE(device_is_there());
}

static long drop_sent(void *arg, int fd)
{
	int ret = lease_drop(fd);

	close(fd);
	return ret;
}

TEST_F_TIMEOUT(device, a_drop_returns_when_the_context_goes, 60)
{
	ASSERT_EQ(0, peer_start(&self->rig.other, drop_sent, NULL, 0, self->fd));
	ASSERT_EQ(0, lease_wait_state(self->fd, LAYOUT_DRAINING, QUICK));
	close_context(self);
	EXPECT_EQ(0, peer_result(&self->rig.other, QUICK));
	EXPECT_EQ(LAYOUT_NONE, lease_see(self->fd).state);
}

TEST_HARNESS_MAIN
