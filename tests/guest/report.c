// SPDX-License-Identifier: GPL-2.0
/*
 * What an administrator sees: /proc/locks, /proc/layout_leases, file_pins and
 * fdinfo of processes, tracepoints; formats to the letter.
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "kselftest_harness.h"
#include "lib/rig.h"

#define EXPECTED	(2 * REPORT_LINE)

static void comm_of(pid_t pid, char *comm)
{
	char path[64];
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/comm", pid);
	file = fopen(path, "r");
	*comm = 0;
	if (!file)
		return;
	if (fgets(comm, 32, file))
		comm[strcspn(comm, "\n")] = 0;
	fclose(file);
}

/* One line of /proc/locks that speaks of this inode, split at blanks. */
#define LOCK_FIELDS	16

static int lock_fields(int fd, char line[REPORT_LINE], char *field[LOCK_FIELDS])
{
	struct stat st;
	char part[64];
	int count = 0;

	fstat(fd, &st);
	snprintf(part, sizeof(part), "%02x:%02x:%lu", major(st.st_dev), minor(st.st_dev),
		 st.st_ino);
	if (report_find("/proc/locks", "", part, line) != 1)
		return -1;
	for (char *at = strtok(line, " "); at && count < LOCK_FIELDS; at = strtok(NULL, " "))
		field[count++] = at;
	return count;
}

FIXTURE(locks)
{
	struct rig rig;
	int fd;
};

ON_ALL(locks);

FIXTURE_SETUP(locks)
{
	ASSERT_EQ(0, rig_open(&self->rig, variant->dir));
	self->fd = self->rig.fd;
}

FIXTURE_TEARDOWN(locks)
{
	rig_close(&self->rig);
}

TEST_F(locks, shows_eight_fields)
{
	char line[REPORT_LINE], *field[LOCK_FIELDS];

	ASSERT_EQ(0, lease_take_all(self->fd));
	ASSERT_EQ(8, lock_fields(self->fd, line, field));
	EXPECT_STREQ("LAYOUT", field[1]);
	EXPECT_STREQ("ACTIVE", field[2]);
	EXPECT_STREQ("READ", field[3]);
	EXPECT_EQ(getpid(), atoi(field[4]));
	EXPECT_STREQ("0", field[6]);
	EXPECT_STREQ("EOF", field[7]);
}

TEST_F(locks, shows_range_and_unbreak)
{
	char line[REPORT_LINE], *field[LOCK_FIELDS];

	ASSERT_EQ(0, lease_take(self->fd, LAYOUT_LEASE_UNBREAK, 2 * MIB, 4 * MIB, -1));
	ASSERT_EQ(8, lock_fields(self->fd, line, field));
	EXPECT_STREQ("UNBREAK", field[2]);
	EXPECT_STREQ("2097152", field[6]);
	EXPECT_STREQ("6291455", field[7]);
}

TEST_F(locks, shows_breaking)
{
	char line[REPORT_LINE], *field[LOCK_FIELDS];

	ASSERT_EQ(0, lease_take(self->fd, 0, 0, 0, self->rig.event));
	ASSERT_EQ(0, rig_start(&self->rig, do_truncate, 0, 0));
	ASSERT_EQ(1, lease_events(self->rig.event, QUICK));
	ASSERT_EQ(8, lock_fields(self->fd, line, field));
	EXPECT_STREQ("BREAKING", field[2]);
	EXPECT_EQ(0, lease_drop(self->fd));
	EXPECT_EQ(0, peer_result(&self->rig.other, QUICK));
}

TEST_F(locks, forgets_a_dropped_lease)
{
	char line[REPORT_LINE], *field[LOCK_FIELDS];

	ASSERT_EQ(0, lease_take_all(self->fd));
	ASSERT_EQ(0, lease_drop(self->fd));
	EXPECT_EQ(-1, lock_fields(self->fd, line, field));
}

/* The whole record of a lease of this process, as /proc/layout_leases prints it. */
static void lease_record(char *out, int fd, const char *path, const char *mode,
			 const char *state, const char *range, __u64 pins, __u64 pages)
{
	struct layout_lease lease = lease_see(fd);
	struct stat st;
	char comm[32];

	fstat(fd, &st);
	comm_of(getpid(), comm);
	snprintf(out, EXPECTED,
		 "lease id=%llu dev=%u:%u ino=%lu %s mode=%s state=%s pins=%llu pages=%llu denied=%llu pid=%d comm=%s path=%s",
		 lease.id, major(st.st_dev), minor(st.st_dev), st.st_ino, range, mode, state,
		 pins, pages, lease.denied, getpid(), comm, path);
}

TEST_F(locks, layout_leases_shows_the_record)
{
	char want[EXPECTED], line[REPORT_LINE];

	ASSERT_EQ(0, lease_take_all(self->fd));
	ASSERT_EQ(1, report_lease(lease_see(self->fd).id, line));
	lease_record(want, self->fd, self->rig.path, "shared", "active", "start=0 end=EOF", 0, 0);
	EXPECT_STREQ(want, line);
}

TEST_F(locks, layout_leases_shows_range_and_denied)
{
	char want[EXPECTED], line[REPORT_LINE];

	ASSERT_EQ(0, lease_take(self->fd, LAYOUT_LEASE_UNBREAK, 2 * MIB, 2 * MIB,
				self->rig.event));
	EXPECT_EQ(-ETXTBSY, rig_other(&self->rig, do_truncate, 0, 0));
	ASSERT_EQ(1, report_lease(lease_see(self->fd).id, line));
	EXPECT_EQ(1, report_number(line, "denied"));
	lease_record(want, self->fd, self->rig.path, "unbreak", "active",
		     "start=2097152 end=4194304", 0, 0);
	EXPECT_STREQ(want, line);
}

TEST_F(locks, layout_leases_shows_breaking)
{
	char line[REPORT_LINE];

	ASSERT_EQ(0, lease_take(self->fd, 0, 0, 0, self->rig.event));
	ASSERT_EQ(0, rig_start(&self->rig, do_truncate, 0, 0));
	ASSERT_EQ(1, lease_events(self->rig.event, QUICK));
	ASSERT_EQ(1, report_lease(lease_see(self->fd).id, line));
	EXPECT_STREQ("breaking", report_key(line, "state"));
	EXPECT_EQ(0, lease_drop(self->fd));
	EXPECT_EQ(0, peer_result(&self->rig.other, QUICK));
}

TEST_F(locks, layout_leases_is_for_root_only)
{
	struct stat st;

	ASSERT_EQ(0, stat(REPORT_LEASES, &st));
	EXPECT_EQ(0400, st.st_mode & 07777);
	EXPECT_EQ(0, st.st_uid);
}

TEST_F(locks, paths_are_escaped)
{
	char path[FILE_PATH], want[FILE_PATH + 32], line[REPORT_LINE];
	int fd;

	snprintf(path, sizeof(path), "%s/a b\tc\nd\\e", variant->dir);
	snprintf(want, sizeof(want), "%s/a\\040b\\011c\\012d\\134e", variant->dir);
	fd = file_make(path, PAGE, '.');
	ASSERT_LE(0, fd);
	EXPECT_EQ(0, lease_take_all(fd));
	EXPECT_EQ(1, report_lease(lease_see(fd).id, line));
	EXPECT_STREQ(want, report_key(line, "path"));
	unlink(path);
	strcat(want, "\\040(deleted)");
	EXPECT_EQ(1, report_lease(lease_see(fd).id, line));
	EXPECT_STREQ(want, report_key(line, "path"));
	close(fd);
}

/* The taker exits; the record names the one who has the file now. */
TEST_F(locks, names_a_living_holder)
{
	char line[REPORT_LINE];
	int status;
	pid_t pid = fork();

	if (!pid)
		_exit(lease_take_all(self->fd) ? 1 : 0);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	ASSERT_EQ(0, status);
	ASSERT_EQ(1, report_lease(lease_see(self->fd).id, line));
	EXPECT_EQ(getpid(), report_number(line, "pid"));
}

static int kept = -1;

static long keep(void *arg, int fd)
{
	kept = fd;
	return lease_see(fd).id;
}

TEST_F(locks, names_who_received_the_file)
{
	char line[REPORT_LINE];
	long id;

	ASSERT_EQ(0, lease_take_all(self->fd));
	id = peer_call(&self->rig.other, keep, NULL, 0, self->fd);
	close(self->fd);
	self->rig.fd = -1;
	ASSERT_EQ(1, report_lease(id, line));
	EXPECT_EQ(self->rig.other.pid, report_number(line, "pid"));
}

TEST_F(locks, fdinfo_shows_the_lease)
{
	char path[64], line[REPORT_LINE];

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", self->fd);
	EXPECT_EQ(0, report_find(path, "", "LAYOUT", line));
	ASSERT_EQ(0, lease_take_all(self->fd));
	EXPECT_LE(1, report_find(path, "lock:", "LAYOUT", line));
}

FIXTURE(pins)
{
	struct rig rig;
	struct nic nic;
	struct ibv_mr *mr;
	char context[FILE_PATH];
	char *map;
	int fd;
};

ON_DAX(pins);

FIXTURE_SETUP(pins)
{
	char link[64];
	ssize_t len;

	ASSERT_EQ(0, rig_open(&self->rig, variant->dir));
	self->fd = self->rig.fd;
	self->map = file_map(self->fd, RIG_SIZE);
	ASSERT_NE(NULL, self->map);
	ASSERT_EQ(0, nic_open(&self->nic, ENV_RXE));
	snprintf(link, sizeof(link), "/proc/self/fd/%d", self->nic.ctx->cmd_fd);
	len = readlink(link, self->context, sizeof(self->context) - 1);
	ASSERT_LT(0, len);
	ASSERT_EQ(0, lease_take(self->fd, 0, 0, 0, self->rig.event));
	ASSERT_EQ(0, mr_reg(&self->nic, self->map + MIB, MIB, MR_SERVER, &self->mr));
}

FIXTURE_TEARDOWN(pins)
{
	if (self->mr)
		ibv_dereg_mr(self->mr);
	nic_close(&self->nic);
	rig_close(&self->rig);
}

TEST_F(pins, layout_leases_shows_lease_and_pin)
{
	char want[EXPECTED], line[REPORT_LINE], comm[32];
	__u64 id = lease_see(self->fd).id;

	ASSERT_EQ(1, report_lease(id, line));
	lease_record(want, self->fd, self->rig.path, "shared", "active", "start=0 end=EOF", 1,
		     MIB / PAGE);
	EXPECT_STREQ(want, line);
	comm_of(getpid(), comm);
	snprintf(want, sizeof(want),
		 "pin lease=%llu kind=rdma start=1048576 end=2097152 pages=256 write=1 pid=%d comm=%s path=%s",
		 id, getpid(), comm, self->context);
	ASSERT_EQ(1, report_pins(id, line));
	EXPECT_STREQ(want, line);
}

TEST_F(pins, layout_leases_shows_each_pin)
{
	__u64 id = lease_see(self->fd).id;
	char line[REPORT_LINE];
	struct ibv_mr *mr;

	ASSERT_EQ(0, mr_reg(&self->nic, self->map, PAGE, MR_READER, &mr));
	EXPECT_EQ(2, report_pins(id, line));
	ASSERT_EQ(0, ibv_dereg_mr(mr));
	EXPECT_EQ(1, report_pins(id, line));
	ASSERT_EQ(0, ibv_dereg_mr(self->mr));
	self->mr = NULL;
	EXPECT_EQ(0, report_pins(id, line));
}

/* Every second page of the file, each a mapping of its own, as one region. */
static char *map_pieces(int fd, size_t pieces)
{
	char *area = mmap(NULL, pieces * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	size_t i;

	for (i = 0; i < pieces && area != MAP_FAILED; i++)
		if (mmap(area + i * PAGE, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
			 fd, 2 * i * PAGE) == MAP_FAILED)
			return NULL;
	return area == MAP_FAILED ? NULL : area;
}

TEST_F(pins, layout_leases_shows_each_piece_of_a_region)
{
	const size_t pieces = 40;
	__u64 id = lease_see(self->fd).id;
	char *area = map_pieces(self->fd, pieces);
	char line[REPORT_LINE];
	struct ibv_mr *mr;

	ASSERT_NE(NULL, area);
	ASSERT_EQ(0, mr_reg(&self->nic, area, pieces * PAGE, MR_SERVER, &mr));
	EXPECT_EQ(2, lease_see(self->fd).pins);
	EXPECT_EQ(1 + pieces, report_pins(id, line));
	ASSERT_EQ(0, ibv_dereg_mr(mr));
	munmap(area, pieces * PAGE);
}

static long drop_sent(void *arg, int fd)
{
	int ret = lease_drop(fd);

	close(fd);
	return ret;
}

TEST_F(pins, draining_is_shown)
{
	char line[REPORT_LINE], *field[LOCK_FIELDS];

	ASSERT_EQ(0, peer_start(&self->rig.other, drop_sent, NULL, 0, self->fd));
	ASSERT_EQ(0, lease_wait_state(self->fd, LAYOUT_DRAINING, QUICK));
	ASSERT_EQ(1, report_lease(lease_see(self->fd).id, line));
	EXPECT_STREQ("draining", report_key(line, "state"));
	ASSERT_EQ(8, lock_fields(self->fd, line, field));
	EXPECT_STREQ("DRAINING", field[2]);
	ASSERT_EQ(0, ibv_dereg_mr(self->mr));
	self->mr = NULL;
	EXPECT_EQ(0, peer_result(&self->rig.other, QUICK));
}

TEST_F(pins, file_pins_shows_contexts_and_leases)
{
	char want[EXPECTED], line[REPORT_LINE];

	snprintf(want, sizeof(want), "ctx %d rdma %s", self->nic.ctx->cmd_fd, self->context);
	EXPECT_EQ(1, report_find("/proc/self/file_pins", want, "", line));
	EXPECT_STREQ(want, line);
	snprintf(want, sizeof(want), "\t1048576-2097152 256 %s", self->rig.path);
	EXPECT_EQ(1, report_find("/proc/self/file_pins", want, "", line));
	EXPECT_STREQ(want, line);
	snprintf(want, sizeof(want), "lease %d shared active 256 %s", self->fd, self->rig.path);
	EXPECT_EQ(1, report_find("/proc/self/file_pins", want, "", line));
	EXPECT_STREQ(want, line);
}

TEST_F(pins, file_pins_shows_a_lease_that_is_only_mapped)
{
	char want[EXPECTED], line[REPORT_LINE];

	close(self->fd);
	self->rig.fd = -1;
	snprintf(want, sizeof(want), "lease - shared active 256 %s", self->rig.path);
	EXPECT_EQ(1, report_find("/proc/self/file_pins", want, "", line));
	EXPECT_STREQ(want, line);
}

TEST_F(pins, file_pins_of_a_bystander_is_empty)
{
	char path[64], line[REPORT_LINE];

	snprintf(path, sizeof(path), "/proc/%d/file_pins", self->rig.other.pid);
	EXPECT_EQ(0, report_find(path, "", "", line));
}

static long nobody_reads(void *arg, int fd)
{
	char path[64];

	if (setgid(ENV_NOBODY) || setuid(ENV_NOBODY))
		return -errno;
	snprintf(path, sizeof(path), "/proc/%d/file_pins", getppid());
	fd = file_open(path, O_RDONLY);
	if (fd < 0)
		return fd;
	return read(fd, path, 1) < 0 ? -errno : 0;
}

TEST_F(pins, file_pins_is_not_for_strangers)
{
	long ret = peer_call(&self->rig.other, nobody_reads, NULL, 0, -1);

	EXPECT_TRUE(ret == -EACCES || ret == -EPERM)
		TH_LOG("got %ld", ret);
}

TEST_F(pins, a_revoked_lease_is_no_lock_in_fdinfo)
{
	char path[64], line[REPORT_LINE];

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", self->fd);
	EXPECT_EQ(1, report_find(path, "lock:", "LAYOUT ACTIVE", line));
	ASSERT_EQ(0, lease_revoke(self->fd, 0));
	EXPECT_EQ(0, report_find(path, "lock:", "LAYOUT", line));
	EXPECT_EQ(0, report_find(path, "layout_lease:", "", line));
}

TEST_F(pins, fdinfo_of_the_context_shows_its_pin)
{
	char path[64], line[REPORT_LINE];

	int with, without;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", self->nic.ctx->cmd_fd);
	with = report_find(path, "", "", line);
	EXPECT_LE(1, report_find(path, "", "pin", line));
	ASSERT_EQ(0, ibv_dereg_mr(self->mr));
	self->mr = NULL;
	without = report_find(path, "", "", line);
	EXPECT_GT(with, without);
}

TEST_F(pins, a_reader_does_not_keep_the_file_open)
{
	FILE *leases = fopen(REPORT_LEASES, "r"), *pins = fopen("/proc/self/file_pins", "r");
	char line[REPORT_LINE];

	ASSERT_NE(NULL, leases);
	ASSERT_NE(NULL, pins);
	EXPECT_NE(NULL, fgets(line, sizeof(line), leases));
	EXPECT_NE(NULL, fgets(line, sizeof(line), pins));
	ASSERT_EQ(0, munmap(self->map, RIG_SIZE));
	close(self->fd);
	self->rig.fd = -1;
	EXPECT_EQ(-EIO, mr_try(&self->nic, line, sizeof(line), MR_SERVER));
	fclose(leases);
	fclose(pins);
}

/* True if a tracepoint "what" or "*_what" of our group has fired since tracing began. */
static bool traced(const char *what)
{
	char part[64], line[REPORT_LINE];
	bool found;

	snprintf(part, sizeof(part), "_%s:", what);
	found = report_find(ENV_TRACING "/trace", "", part, line) > 0;
	snprintf(part, sizeof(part), " %s:", what);
	return found || report_find(ENV_TRACING "/trace", "", part, line) > 0;
}

TEST_F_TIMEOUT(pins, tracepoints_fire, 60)
{
	static const char events[][8] = {
		"take", "drop", "break", "denied", "revoke", "pin", "unpin",
	};
	unsigned int i;

	ASSERT_EQ(0, report_write(ENV_TRACING "/trace", ""));
	ASSERT_EQ(0, report_write(ENV_TRACING "/events/layout_lease/enable", "1"));
	ASSERT_EQ(0, break_time_set(1));
	EXPECT_EQ(0, mr_try(&self->nic, self->map, PAGE, MR_SERVER));
	EXPECT_EQ(0, rig_other(&self->rig, do_truncate, 0, 0));
	EXPECT_EQ(0, lease_take_unbreak(self->fd));
	EXPECT_EQ(0, ftruncate(self->fd, RIG_SIZE));
	EXPECT_EQ(-ETXTBSY, rig_other(&self->rig, do_truncate, 0, 0));
	EXPECT_EQ(0, lease_drop(self->fd));
	report_write(ENV_TRACING "/events/layout_lease/enable", "0");
	for (i = 0; i < ARRAY_SIZE(events); i++)
		EXPECT_TRUE(traced(events[i]))
			TH_LOG("no event for %s", events[i]);
}

TEST_HARNESS_MAIN
