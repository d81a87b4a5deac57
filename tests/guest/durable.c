// SPDX-License-Identifier: GPL-2.0
/*
 * What a device wrote below a lease is durable when fsync(2) or one of its kin
 * returns: each time the very lines are flushed from the processor's caches.
 * Counted where the kernel flushes, by a probe, in the physical address of the
 * page; a device leaves no trace in page tables that could be trusted instead.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "kselftest_harness.h"
#include "lib/rig.h"
#include "lib/traffic.h"

#define PROBE_EVENTS	ENV_TRACING "/kprobe_events"
#define PROBE		ENV_TRACING "/events/kprobes/flayout_flush/enable"
/* addresses of the kernel's linear map and of physical memory agree in these bits */
#define ADDRESS_MASK	((1ULL << 36) - 1)

#define AT		(5 * PAGE)	/* where the client writes, in the file */

static int probe_begin(void)
{
	int ret = report_write(PROBE_EVENTS,
			       "p:flayout_flush arch_wb_cache_pmem addr=%di size=%si");

	return ret ? ret : report_write(PROBE, "1");
}

static void probe_end(void)
{
	report_write(PROBE, "0");
	report_write(PROBE_EVENTS, "-:flayout_flush");
}

FIXTURE(durable)
{
	struct rig rig;
	struct traffic traffic;
	struct ibv_mr *mr;
	char *map;
	int fd;
};

ON_DAX(durable);

FIXTURE_SETUP(durable)
{
	ASSERT_EQ(0, probe_begin());
	ASSERT_EQ(0, rig_open(&self->rig, variant->dir));
	self->fd = self->rig.fd;
	self->map = file_map(self->fd, RIG_SIZE);
	ASSERT_NE(NULL, self->map);
	ASSERT_EQ(0, traffic_open(&self->traffic));
	ASSERT_EQ(0, lease_take_all(self->fd));
	ASSERT_EQ(0, mr_reg(&self->traffic.server, self->map, RIG_SIZE, MR_SERVER, &self->mr));
}

FIXTURE_TEARDOWN(durable)
{
	probe_end();
	if (self->mr)
		ibv_dereg_mr(self->mr);
	traffic_close(&self->traffic);
	rig_close(&self->rig);
}

/* The physical address of a mapped page, or 0. */
static __u64 physical(const char *addr)
{
	int fd = file_open("/proc/self/pagemap", O_RDONLY);
	__u64 entry = 0;

	if (fd < 0)
		return 0;
	if (pread(fd, &entry, sizeof(entry), (unsigned long)addr / PAGE * 8) != sizeof(entry))
		entry = 0;
	close(fd);
	return (entry & ((1ULL << 55) - 1)) * PAGE;
}

/* How often the page at a physical address was flushed since last asked. */
static int flushes(__u64 page)
{
	FILE *trace = fopen(ENV_TRACING "/trace", "r");
	char line[REPORT_LINE];
	int found = 0;

	if (!trace)
		return -errno;
	while (fgets(line, sizeof(line), trace)) {
		const char *addr = strstr(line, "addr=0x"), *size = strstr(line, "size=0x");
		__u64 start, end;

		if (!addr || !size || !strstr(line, "flayout_flush"))
			continue;
		start = strtoull(addr + 5, NULL, 16) & ADDRESS_MASK;
		end = start + strtoull(size + 5, NULL, 16);
		found += start <= (page & ADDRESS_MASK) && (page & ADDRESS_MASK) + PAGE <= end;
	}
	fclose(trace);
	report_write(ENV_TRACING "/trace", "");
	return found;
}

static int by_fsync(FIXTURE_DATA(durable) *self)
{
	return fsync(self->fd) ? -errno : 0;
}

static int by_fdatasync(FIXTURE_DATA(durable) *self)
{
	return fdatasync(self->fd) ? -errno : 0;
}

static int by_msync(FIXTURE_DATA(durable) *self)
{
	return msync(self->map + AT, PAGE, MS_SYNC) ? -errno : 0;
}

static int by_sync_file_range(FIXTURE_DATA(durable) *self)
{
	return sync_file_range(self->fd, AT, PAGE, SYNC_FILE_RANGE_WRITE_AND_WAIT) ? -errno : 0;
}

static int by_syncfs(FIXTURE_DATA(durable) *self)
{
	return syncfs(self->fd) ? -errno : 0;
}

static int by_freezing(FIXTURE_DATA(durable) *self)
{
	if (ioctl(self->fd, FIFREEZE, 0))
		return -errno;
	return ioctl(self->fd, FITHAW, 0) ? -errno : 0;
}

/* Another process, which neither maps the file nor knows of the lease. */
static long fsync_by_name(void *arg, int fd)
{
	struct cut *cut = arg;
	int ret;

	fd = file_open(cut->path, O_RDONLY);
	if (fd < 0)
		return fd;
	ret = fsync(fd) ? -errno : 0;
	close(fd);
	return ret;
}

static int by_another(FIXTURE_DATA(durable) *self)
{
	return rig_other(&self->rig, fsync_by_name, 0, 0);
}

static const struct {
	const char *name;
	int (*fn)(FIXTURE_DATA(durable) *self);
} ways[] = {
	{ "fsync", by_fsync },
	{ "fdatasync", by_fdatasync },
	{ "msync", by_msync },
	{ "sync_file_range", by_sync_file_range },
	{ "syncfs", by_syncfs },
	{ "freezing the file system", by_freezing },
	{ "fsync by another process", by_another },
};

TEST_F_TIMEOUT(durable, each_write_of_a_device_is_flushed_every_time, 120)
{
	__u64 page = physical(self->map + AT);
	unsigned int i, round;

	ASSERT_NE(0, page);
	for (i = 0; i < ARRAY_SIZE(ways); i++) {
		for (round = 0; round < 3; round++) {
			ASSERT_EQ(0, traffic_write(&self->traffic, self->mr, PAGE, AT));
			ASSERT_LE(0, flushes(page));
			ASSERT_EQ(0, ways[i].fn(self))
				TH_LOG("%s", ways[i].name);
			EXPECT_LE(1, flushes(page))
				TH_LOG("%s, round %u", ways[i].name, round);
		}
	}
	EXPECT_EQ(TRAFFIC_FILL, self->map[AT]);
}

TEST_F(durable, when_the_pin_is_gone_a_clean_page_is_left_alone)
{
	__u64 page = physical(self->map + AT);

	ASSERT_EQ(0, traffic_write(&self->traffic, self->mr, PAGE, AT));
	ASSERT_EQ(0, ibv_dereg_mr(self->mr));
	self->mr = NULL;
	ASSERT_LE(0, flushes(page));
	EXPECT_EQ(0, fsync(self->fd));
	EXPECT_LE(1, flushes(page));		/* what the device wrote last */
	EXPECT_EQ(0, fsync(self->fd));
	EXPECT_EQ(0, flushes(page));
}

TEST_F(durable, a_revoked_pin_leaves_its_last_write_to_flush)
{
	__u64 page = physical(self->map + AT);

	ASSERT_EQ(0, traffic_write(&self->traffic, self->mr, PAGE, AT));
	ASSERT_EQ(0, lease_revoke(self->fd, 0));
	ASSERT_LE(0, flushes(page));
	EXPECT_EQ(0, fsync(self->fd));
	EXPECT_LE(1, flushes(page));
	EXPECT_EQ(0, fsync(self->fd));
	EXPECT_EQ(0, flushes(page));
}

/* Only what a device may write to is flushed again. */
TEST_F(durable, a_device_that_reads_costs_nothing)
{
	__u64 page = physical(self->map + AT);

	ASSERT_EQ(0, ibv_dereg_mr(self->mr));
	ASSERT_EQ(0, mr_reg(&self->traffic.server, self->map, RIG_SIZE, MR_READER, &self->mr));
	ASSERT_EQ(0, fsync(self->fd));
	ASSERT_LE(0, flushes(page));
	EXPECT_EQ(0, fsync(self->fd));
	EXPECT_EQ(0, flushes(page));
	self->map[AT] = 'p';			/* by the processor: as ever */
	EXPECT_EQ(0, fsync(self->fd));
	EXPECT_LE(1, flushes(page));
}

TEST_F(durable, pages_beside_the_pin_cost_nothing)
{
	__u64 beside = physical(self->map + 6 * MIB);

	ASSERT_EQ(0, ibv_dereg_mr(self->mr));
	ASSERT_EQ(0, mr_reg(&self->traffic.server, self->map, 2 * MIB, MR_SERVER, &self->mr));
	self->map[6 * MIB] = RIG_FILL;
	ASSERT_EQ(0, fsync(self->fd));
	ASSERT_LE(0, flushes(beside));
	EXPECT_EQ(0, fsync(self->fd));
	EXPECT_EQ(0, flushes(beside));
	EXPECT_LE(0, flushes(physical(self->map)));
}

FIXTURE(shared)
{
	struct rig rig;
	char clone[FILE_PATH + 8];
};

ON_XFS_DAX(shared);

FIXTURE_SETUP(shared)
{
	int fd;

	ASSERT_EQ(0, probe_begin());
	ASSERT_EQ(0, rig_open(&self->rig, variant->dir));
	snprintf(self->clone, sizeof(self->clone), "%s.clone", self->rig.path);
	ASSERT_EQ(0, fsync(self->rig.fd));
	fd = file_open(self->clone, O_RDWR | O_CREAT);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, ioctl(fd, FICLONE, self->rig.fd));
	ASSERT_EQ(0, fsync(fd));
	close(fd);
}

FIXTURE_TEARDOWN(shared)
{
	probe_end();
	unlink(self->clone);
	rig_close(&self->rig);
}

/* A lease moves shared blocks.  What was durable in the old place is so in the new one. */
TEST_F(shared, what_a_lease_moves_stays_durable)
{
	char *map = file_map(self->rig.fd, RIG_SIZE);

	ASSERT_NE(NULL, map);
	ASSERT_LE(0, flushes(0));
	ASSERT_EQ(0, lease_take_all(self->rig.fd));
	EXPECT_EQ(RIG_FILL, *(volatile char *)(map + AT));
	EXPECT_LE(1, flushes(physical(map + AT)));
}

TEST_HARNESS_MAIN
