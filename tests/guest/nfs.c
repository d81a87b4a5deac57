// SPDX-License-Identifier: GPL-2.0
/*
 * Layout leases of local processes and the clients of an NFS server: what
 * clients do meets them, what clients are told, and pNFS layouts beside them.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "kselftest_harness.h"
#include "lib/nfs.h"
#include "lib/operation.h"
#include "lib/rig.h"

#define CUT	(4 * MIB)
#define BUFFER	NFS_MOUNT "/buffer"	/* the rig's file as the client sees it */
#define OTHER	NFS_MOUNT "/beside"

/* Not everything exists on every file system: a fixture for each choice. */
#define SERVED(name, ON_THESE)						\
	FIXTURE(name)							\
	{								\
		struct rig rig;						\
	};								\
	ON_THESE(name);							\
	FIXTURE_SETUP(name)						\
	{								\
		ASSERT_EQ(0, rig_open(&self->rig, variant->dir));	\
		ASSERT_EQ(0, nfs_serve(variant->dir, false));		\
	}								\
	FIXTURE_TEARDOWN(name)						\
	{								\
		rig_close(&self->rig);					\
	}

SERVED(nfs, ON_ALL)
SERVED(nfs_of_xfs, ON_XFS)

/*
 * A client comes again after 0.1 s, and after twice as long each time: it may
 * sleep for as long as it has waited when the way becomes free.
 */
#define AFTER(seconds)	((seconds) * 2000 + QUICK)

/* What begins a break. */
static const struct {
	const char *name;
	peer_fn fn;
} cuts[] = {
	{ "truncate", do_truncate },		/* SETATTR */
	{ "ftruncate", do_ftruncate },		/* OPEN, SETATTR through it */
	{ "open with O_TRUNC", do_open_trunc },	/* OPEN, SETATTR */
	{ "punch hole", do_punch },		/* DEALLOCATE */
};

/* The other process does it as a client. */
static long by_client(struct rig *rig, peer_fn fn, __u64 start, __u64 len)
{
	struct cut cut = cut_of(BUFFER, start, len);

	return peer_call(&rig->other, fn, &cut, sizeof(cut), -1);
}

static int start_client(struct rig *rig, peer_fn fn, __u64 start, __u64 len)
{
	struct cut cut = cut_of(BUFFER, start, len);

	return peer_start(&rig->other, fn, &cut, sizeof(cut), -1);
}

TEST_F_TIMEOUT(nfs, a_file_of_a_client_has_no_leases, 120)
{
	int fd = file_open(BUFFER, O_RDWR);

	ASSERT_LE(0, fd);
	EXPECT_EQ(-EOPNOTSUPP, lease_take_all(fd));
	EXPECT_EQ(-EOPNOTSUPP, fcntl(fd, F_SETLEASE, F_LAYOUT) ? -errno : 0);
	close(fd);
}

TEST_F_TIMEOUT(nfs, a_clients_cut_ends_a_deaf_lease, 120)
{
	unsigned int i;

	ASSERT_EQ(0, break_time_set(1));
	for (i = 0; i < ARRAY_SIZE(cuts); i++) {
		ASSERT_EQ(0, rig_anew(&self->rig));
		ASSERT_EQ(0, lease_take(self->rig.fd, 0, 0, 0, self->rig.event));
		EXPECT_EQ(0, by_client(&self->rig, cuts[i].fn, CUT, MIB))
			TH_LOG("%s", cuts[i].name);
		EXPECT_LE(900, self->rig.other.ms);
		EXPECT_GT(AFTER(1), self->rig.other.ms);
		EXPECT_EQ(LAYOUT_REVOKED, lease_see(self->rig.fd).state);
		EXPECT_EQ(2, lease_events(self->rig.event, QUICK));	/* begun, revoked */
		EXPECT_EQ(0, lease_see(self->rig.fd).denied);
		EXPECT_FALSE(rig_untouched(&self->rig));
	}
}

TEST_F_TIMEOUT(nfs, a_clients_cut_goes_through_when_the_holder_lets_go, 120)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(cuts); i++) {
		ASSERT_EQ(0, rig_anew(&self->rig));
		ASSERT_EQ(0, lease_take(self->rig.fd, 0, 0, 0, self->rig.event));
		ASSERT_EQ(0, start_client(&self->rig, cuts[i].fn, CUT, MIB));
		EXPECT_EQ(1, lease_events(self->rig.event, QUICK))
			TH_LOG("%s", cuts[i].name);
		EXPECT_EQ(LAYOUT_BREAKING, lease_see(self->rig.fd).state);
		EXPECT_TRUE(peer_busy(&self->rig.other, 300));
		EXPECT_TRUE(rig_untouched(&self->rig));
		EXPECT_EQ(0, lease_events(self->rig.event, 0));
		ASSERT_EQ(0, lease_drop(self->rig.fd));
		EXPECT_EQ(0, peer_result(&self->rig.other, AFTER(1)))
			TH_LOG("%s", cuts[i].name);
		EXPECT_FALSE(rig_untouched(&self->rig));
	}
}

static long look_at(void *arg, int fd)
{
	struct cut *cut = arg;

	return file_is(cut->path, 0, PAGE, 'b') ? 0 : -EIO;
}

/* It has one thread: if that slept, nobody would be served. */
TEST_F_TIMEOUT(nfs, the_server_goes_on_while_a_client_is_put_off, 120)
{
	struct cut other = cut_of(OTHER, 0, 0);
	const unsigned int seconds = env_ms(3000) / 1000;
	char path[FILE_PATH];
	int fd, i;

	snprintf(path, sizeof(path), "%s/beside", variant->dir);
	fd = file_make(path, PAGE, 'b');
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, break_time_set(seconds));
	ASSERT_EQ(0, lease_take(self->rig.fd, 0, 0, 0, self->rig.event));
	ASSERT_EQ(0, start_client(&self->rig, do_truncate, CUT, 0));
	ASSERT_EQ(1, lease_events(self->rig.event, QUICK));
	for (i = 0; i < 10; i++) {
		EXPECT_EQ(0, peer_call(&self->rig.third, look_at, &other, sizeof(other), -1));
		EXPECT_GT(env_ms(1000), self->rig.third.ms);
		usleep(100000);
	}
	EXPECT_EQ(LAYOUT_BREAKING, lease_see(self->rig.fd).state);
	EXPECT_TRUE(peer_busy(&self->rig.other, 0));
	EXPECT_EQ(0, peer_result(&self->rig.other, AFTER(seconds)));
	EXPECT_EQ(CUT, file_size(self->rig.path));
	close(fd);
	unlink(path);
}

TEST_F_TIMEOUT(nfs, an_unbreakable_lease_is_eacces_for_a_client, 120)
{
	unsigned int i;

	ASSERT_EQ(0, lease_take(self->rig.fd, LAYOUT_LEASE_UNBREAK, 0, 0, self->rig.event));
	for (i = 0; i < ARRAY_SIZE(cuts); i++) {
		EXPECT_EQ(-EACCES, by_client(&self->rig, cuts[i].fn, CUT, MIB))
			TH_LOG("%s", cuts[i].name);
		EXPECT_GT(QUICK, self->rig.other.ms);
		EXPECT_EQ(i + 1, lease_see(self->rig.fd).denied)
			TH_LOG("%s", cuts[i].name);
		EXPECT_EQ(1, lease_events(self->rig.event, QUICK));
		EXPECT_TRUE(rig_untouched(&self->rig));
	}
	EXPECT_EQ(LAYOUT_ACTIVE, lease_see(self->rig.fd).state);
}

/* Breakable or not: sharing is refused, and breaks nothing. */
TEST_F_TIMEOUT(nfs_of_xfs, a_clients_clone_is_eacces, 120)
{
	static const char *const clones[] = { "FICLONE into it", "FICLONE from it" };
	unsigned int i;

	ASSERT_EQ(0, lease_take(self->rig.fd, 0, 0, 0, self->rig.event));
	for (i = 0; i < ARRAY_SIZE(clones); i++) {
		EXPECT_EQ(-EACCES, by_client(&self->rig, operation_named(clones[i])->fn, 0, 0))
			TH_LOG("%s", clones[i]);
		EXPECT_EQ(i + 1, lease_see(self->rig.fd).denied)
			TH_LOG("%s", clones[i]);
		EXPECT_EQ(1, lease_events(self->rig.event, QUICK));
	}
	EXPECT_TRUE(rig_untouched(&self->rig));
	EXPECT_EQ(LAYOUT_ACTIVE, lease_see(self->rig.fd).state);
	ASSERT_EQ(0, lease_drop(self->rig.fd));
	EXPECT_EQ(0, by_client(&self->rig, operation_named(clones[0])->fn, 0, 0));
}

/* A server-side copy of a MiB to or from a file beside it. */
static long copy(const char *from, const char *to)
{
	int in = file_open(from, O_RDONLY), out = file_open(to, O_RDWR | O_CREAT);
	loff_t at = 0, there = 0;
	long ret;

	if (in < 0 || out < 0)
		return in < 0 ? in : out;
	ret = copy_file_range(in, &at, out, &there, MIB, 0);
	if (ret < 0)
		ret = -errno;
	close(in);
	close(out);
	return ret;
}

static long copy_from(void *arg, int fd)
{
	struct cut *cut = arg;

	return copy(cut->path, OTHER);
}

static long copy_into(void *arg, int fd)
{
	struct cut *cut = arg;

	return copy(OTHER, cut->path);
}

TEST_F_TIMEOUT(nfs, what_a_client_adds_is_free, 120)
{
	char path[FILE_PATH];

	snprintf(path, sizeof(path), "%s/beside", variant->dir);
	ASSERT_EQ(0, lease_take(self->rig.fd, LAYOUT_LEASE_UNBREAK, 0, 0, self->rig.event));
	EXPECT_EQ(MIB, by_client(&self->rig, copy_from, 0, 0));
	EXPECT_TRUE(file_is(path, 0, MIB, RIG_FILL));
	EXPECT_EQ(MIB, by_client(&self->rig, copy_into, 0, 0));
	EXPECT_TRUE(rig_untouched(&self->rig));
	EXPECT_EQ(0, by_client(&self->rig, do_write, CUT, MIB));
	EXPECT_TRUE(file_is(self->rig.path, CUT, MIB, 'w'));
	EXPECT_EQ(0, by_client(&self->rig, do_allocate, RIG_SIZE, MIB));
	EXPECT_EQ(RIG_SIZE + MIB, file_size(self->rig.path));
	EXPECT_EQ(0, by_client(&self->rig, do_truncate, 2 * RIG_SIZE, 0));
	EXPECT_EQ(2 * RIG_SIZE, file_size(self->rig.path));
	EXPECT_TRUE(rig_undisturbed(&self->rig));
	unlink(path);
}

/* Without a lease clients do it all; else the tests above prove nothing. */
TEST_F_TIMEOUT(nfs, without_a_lease_a_client_cuts_at_once, 120)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(cuts); i++) {
		ASSERT_EQ(0, rig_anew(&self->rig));
		EXPECT_EQ(0, by_client(&self->rig, cuts[i].fn, CUT, MIB))
			TH_LOG("%s", cuts[i].name);
		EXPECT_GT(QUICK, self->rig.other.ms);
		EXPECT_FALSE(rig_untouched(&self->rig));
	}
}

/*
 * pNFS: the client writes to the server's block device itself, as long as it
 * has a layout.  In /proc/locks that is a LEASE, ours is a LAYOUT.
 */

#define PNFS(name, ON_THESE)						\
	FIXTURE(name)							\
	{								\
		struct rig rig;						\
		struct peer answers;					\
		struct peer client;					\
		int fd;							\
	};								\
	ON_THESE(name);							\
	FIXTURE_SETUP(name)						\
	{								\
		ASSERT_EQ(0, rig_open(&self->rig, variant->dir));	\
		self->fd = self->rig.fd;				\
		ASSERT_EQ(0, peer_spawn(&self->client));		\
		ASSERT_EQ(0, nfs_serve(variant->dir, true));		\
		ASSERT_EQ(0, nfs_answer(&self->answers, variant->dir));	\
	}								\
	FIXTURE_TEARDOWN(name)						\
	{								\
		peer_end(&self->client);				\
		peer_end(&self->answers);				\
		rig_close(&self->rig);					\
	}

PNFS(pnfs, ON_XFS)
PNFS(pnfs_nodax, ON_XFS_NODAX)
PNFS(pnfs_dax, ON_XFS_DAX)

/* The client's file stays open: its last close returns the layout. */
static long write_direct(void *arg, int fd)
{
	static int file = -1;
	struct cut *cut = arg;
	void *buf;

	if (file < 0)
		file = file_open(cut->path, O_RDWR | O_DIRECT);
	if (file < 0)
		return file;
	if (posix_memalign(&buf, PAGE, cut->len))
		return -ENOMEM;
	memset(buf, 'c', cut->len);
	if (pwrite(file, buf, cut->len, cut->start) != cut->len || fsync(file))
		return -errno;
	free(buf);
	return 0;
}

static long client_writes(struct peer *client, __u64 start)
{
	struct cut cut = cut_of(BUFFER, start, 64 * KIB);

	return peer_call(client, write_direct, &cut, sizeof(cut), -1);
}

static int client_layouts(struct rig *rig)
{
	return report_locks(rig->fd, "LEASE");
}

TEST_F_TIMEOUT(pnfs, a_layout_and_a_lease_live_side_by_side, 120)
{
	ASSERT_EQ(0, client_writes(&self->client, 0));
	ASSERT_EQ(1, client_layouts(&self->rig));
	ASSERT_EQ(0, lease_take(self->fd, 0, 0, 0, self->rig.event));
	EXPECT_EQ(1, client_layouts(&self->rig));
	EXPECT_EQ(0, client_writes(&self->client, MIB));
	EXPECT_EQ(1, client_layouts(&self->rig));
	EXPECT_TRUE(rig_undisturbed(&self->rig));
	EXPECT_EQ(1, report_locks(self->fd, "LAYOUT"));
	EXPECT_TRUE(file_is(self->rig.path, MIB, 64 * KIB, 'c'));
	ASSERT_EQ(0, lease_drop(self->fd));
	EXPECT_EQ(1, client_layouts(&self->rig));
}

/* With DAX it gets none. */
TEST_F_TIMEOUT(pnfs_nodax, a_client_gets_a_layout_of_a_leased_file, 120)
{
	ASSERT_EQ(0, lease_take(self->fd, 0, 0, 0, self->rig.event));
	EXPECT_EQ(0, client_writes(&self->client, 0));
	EXPECT_EQ(1, client_layouts(&self->rig));
	EXPECT_TRUE(rig_undisturbed(&self->rig));
	EXPECT_EQ(1, report_locks(self->fd, "LAYOUT"));
	EXPECT_TRUE(file_is(self->rig.path, 0, 64 * KIB, 'c'));
}

/* Pages that devices may use stay where they are, and what the server knows of them. */
TEST_F_TIMEOUT(pnfs_dax, a_client_gets_no_layout_of_a_leased_file, 120)
{
	struct ibv_mr *mr;
	struct nic nic;
	char *map;

	ASSERT_EQ(0, nic_open(&nic, ENV_RXE));
	ASSERT_EQ(0, lease_take(self->fd, 0, 0, 0, self->rig.event));
	map = file_map(self->fd, RIG_SIZE);
	ASSERT_NE(NULL, map);
	ASSERT_EQ(0, mr_reg(&nic, map, RIG_SIZE, MR_SERVER, &mr));
	EXPECT_EQ(0, client_writes(&self->client, 0));
	EXPECT_EQ(0, client_layouts(&self->rig));
	EXPECT_EQ('c', map[5]);
	EXPECT_TRUE(rig_undisturbed(&self->rig));
	EXPECT_EQ(1, report_locks(self->fd, "LAYOUT"));
	EXPECT_EQ(1, lease_see(self->fd).pins);
	EXPECT_EQ(0, ibv_dereg_mr(mr));
	munmap(map, RIG_SIZE);
	nic_close(&nic);
}

TEST_F_TIMEOUT(pnfs, a_truncate_asks_the_holder_and_recalls_the_layout, 120)
{
	ASSERT_EQ(0, client_writes(&self->client, 0));
	ASSERT_EQ(0, lease_take(self->fd, 0, 0, 0, self->rig.event));
	ASSERT_EQ(1, client_layouts(&self->rig));
	ASSERT_EQ(0, rig_start(&self->rig, do_truncate, CUT, 0));
	EXPECT_EQ(1, lease_events(self->rig.event, QUICK));
	EXPECT_TRUE(peer_busy(&self->rig.other, 300));
	EXPECT_EQ(LAYOUT_BREAKING, lease_see(self->fd).state);
	EXPECT_EQ(RIG_SIZE, file_size(self->rig.path));
	ASSERT_EQ(0, lease_drop(self->fd));
	EXPECT_EQ(0, peer_result(&self->rig.other, LONG));
	EXPECT_EQ(0, client_layouts(&self->rig));
	EXPECT_EQ(CUT, file_size(self->rig.path));
}

TEST_F_TIMEOUT(pnfs, a_refused_truncate_recalls_no_layout, 120)
{
	ASSERT_EQ(0, client_writes(&self->client, 0));
	ASSERT_EQ(0, lease_take_unbreak(self->fd));
	EXPECT_EQ(-ETXTBSY, rig_other(&self->rig, do_truncate, CUT, 0));
	EXPECT_EQ(-ETXTBSY, rig_other(&self->rig, do_punch, CUT, MIB));
	EXPECT_EQ(1, client_layouts(&self->rig));
	EXPECT_EQ(RIG_SIZE, file_size(self->rig.path));
}

TEST_F_TIMEOUT(pnfs, a_local_write_recalls_the_layout_and_leaves_the_lease, 120)
{
	ASSERT_EQ(0, client_writes(&self->client, 0));
	ASSERT_EQ(0, lease_take(self->fd, 0, 0, 0, self->rig.event));
	ASSERT_EQ(1, client_layouts(&self->rig));
	EXPECT_EQ(0, rig_other(&self->rig, do_write, CUT, MIB));
	EXPECT_EQ(0, client_layouts(&self->rig));
	EXPECT_TRUE(rig_undisturbed(&self->rig));
	EXPECT_EQ(1, report_locks(self->fd, "LAYOUT"));
}

TEST_F_TIMEOUT(pnfs, without_a_lease_layouts_are_recalled_as_ever, 120)
{
	static const peer_fn recalls[] = { do_write, do_punch, do_truncate };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(recalls); i++) {
		ASSERT_EQ(0, client_writes(&self->client, 0));
		ASSERT_EQ(1, client_layouts(&self->rig))
			TH_LOG("round %u", i);
		EXPECT_EQ(0, rig_other(&self->rig, recalls[i], CUT, MIB));
		EXPECT_EQ(0, client_layouts(&self->rig))
			TH_LOG("round %u", i);
	}
	EXPECT_EQ(CUT, file_size(self->rig.path));
}

int main(int argc, char **argv)
{
	nfs_stop_at_exit();
	return test_harness_run(argc, argv);
}
