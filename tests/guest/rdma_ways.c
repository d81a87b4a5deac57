// SPDX-License-Identifier: GPL-2.0
/*
 * Every way to register memory with an RDMA device: none is a way around the
 * lease, each pin is attributed and counted, and can be taken back.
 */
#include <errno.h>
#include <linux/capability.h>
#include <rdma/ib_user_ioctl_cmds.h>
#include <rdma/ib_user_ioctl_verbs.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "kselftest_harness.h"
#include "lib/rig.h"
#include "lib/traffic.h"
#include "lib/uverbs.h"

#define ON_DEMAND	IBV_ACCESS_ON_DEMAND

FIXTURE(way)
{
	struct rig rig;
	struct nic nic;
	int fd;
	char *map;
};

FIXTURE_VARIANT(way)
{
	const char *dir, *device;
};

#define WAY(name, mount, nic)				\
	FIXTURE_VARIANT_ADD(way, name)			\
	{						\
		.dir = mount,				\
		.device = nic,				\
	}

WAY(ext4_rxe, ENV_EXT4, ENV_RXE);
WAY(xfs_rxe, ENV_XFS, ENV_RXE);
WAY(ext4_siw, ENV_EXT4, ENV_SIW);
WAY(xfs_siw, ENV_XFS, ENV_SIW);

FIXTURE_SETUP(way)
{
	ASSERT_EQ(0, rig_open(&self->rig, variant->dir));
	self->fd = self->rig.fd;
	self->map = file_map(self->fd, RIG_SIZE);
	ASSERT_NE(NULL, self->map);
	ASSERT_EQ(0, nic_open(&self->nic, variant->device));
}

FIXTURE_TEARDOWN(way)
{
	nic_close(&self->nic);
	rig_close(&self->rig);
}

static bool counts(int fd, __u64 pins, __u64 pages)
{
	struct layout_lease lease = lease_see(fd);

	return lease.pins == pins && lease.pinned_pages == pages;
}

static void *anonymous(size_t len)
{
	void *map = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return map == MAP_FAILED ? NULL : map;
}

/*
 * By write(2), as before there were ioctls
 */

static int raw_try(FIXTURE_DATA(way) *self, size_t at, size_t len)
{
	struct raw_mr mr;
	int ret = raw_reg(self->nic.pd, self->map + at, len, (unsigned long)self->map + at,
			  MR_SERVER, &mr);

	return ret ? ret : raw_dereg(self->nic.ctx, mr.handle);
}

TEST_F(way, write_system_call_needs_the_lease_too)
{
	EXPECT_EQ(-EOPNOTSUPP, raw_try(self, 0, PAGE));
	ASSERT_EQ(0, lease_take(self->fd, 0, 0, 2 * MIB, LEASE_NO_EVENT));
	EXPECT_EQ(0, raw_try(self, 0, PAGE));
	EXPECT_EQ(-EOPNOTSUPP, raw_try(self, 2 * MIB, PAGE));
	EXPECT_TRUE(counts(self->fd, 0, 0));
}

TEST_F(way, write_system_call_is_counted_and_revoked)
{
	struct raw_mr mr;

	ASSERT_EQ(0, lease_take_all(self->fd));
	ASSERT_EQ(0, raw_reg(self->nic.pd, self->map, MIB, (unsigned long)self->map, MR_SERVER, &mr));
	EXPECT_TRUE(counts(self->fd, 1, MIB / PAGE));
	ASSERT_EQ(0, lease_revoke(self->fd, 0));
	EXPECT_TRUE(counts(self->fd, 0, 0));
	EXPECT_EQ(0, raw_dereg(self->nic.ctx, mr.handle));
	EXPECT_EQ(-ENOENT, raw_dereg(self->nic.ctx, mr.handle));
}

/* One registers in one way, deregisters and asks in the other. */
TEST_F(way, write_and_ioctl_speak_of_the_same_regions)
{
	struct raw_mr mr, seen = {};
	__u64 len = 0;

	ASSERT_EQ(0, lease_take_all(self->fd));
	ASSERT_EQ(0, raw_reg(self->nic.pd, self->map, MIB, (unsigned long)self->map, MR_SERVER, &mr));
	EXPECT_EQ(0, raw_query(self->nic.ctx, mr.handle, &seen, &len));
	EXPECT_EQ(mr.lkey, seen.lkey);
	EXPECT_EQ(mr.rkey, seen.rkey);
	EXPECT_EQ(MIB, len);
	EXPECT_EQ(0, raw_dereg(self->nic.ctx, mr.handle));
	EXPECT_TRUE(counts(self->fd, 0, 0));
	EXPECT_EQ(-ENOENT, raw_query(self->nic.ctx, mr.handle, &seen, &len));
}

TEST_F(way, keys_are_told_until_the_region_is_freed)
{
	struct raw_mr seen = {};
	struct ibv_mr *mr;
	__u64 len = 0;

	ASSERT_EQ(0, lease_take_all(self->fd));
	ASSERT_EQ(0, mr_reg(&self->nic, self->map, MIB, MR_SERVER, &mr));
	ASSERT_EQ(0, lease_revoke(self->fd, 0));
	EXPECT_EQ(0, raw_query(self->nic.ctx, mr->handle, &seen, &len));
	EXPECT_EQ(mr->lkey, seen.lkey);
	EXPECT_EQ(MIB, len);
	EXPECT_EQ(0, ibv_dereg_mr(mr));
}

/*
 * Where the region begins, and what the peer calls it
 */

TEST_F(way, iova_of_its_own_changes_nothing_for_the_lease)
{
	struct ibv_mr *mr;

	EXPECT_EQ(NULL, ibv_reg_mr_iova(self->nic.pd, self->map, MIB, 0x10000000, MR_SERVER));
	EXPECT_EQ(EOPNOTSUPP, errno);
	ASSERT_EQ(0, lease_take_all(self->fd));
	mr = ibv_reg_mr_iova(self->nic.pd, self->map + MIB, MIB, 0x10000000, MR_SERVER);
	ASSERT_NE(NULL, mr);
	EXPECT_TRUE(counts(self->fd, 1, MIB / PAGE));
	ASSERT_EQ(0, lease_revoke(self->fd, 0));
	EXPECT_TRUE(counts(self->fd, 0, 0));
	EXPECT_EQ(0, ibv_dereg_mr(mr));
}

/* The file is mapped by 2 MiB where that is possible; a region begins anywhere. */
TEST_F(way, region_across_the_border_of_huge_pages)
{
	char *border = self->map + 4 * MIB;
	struct ibv_mr *a, *b;

	ASSERT_EQ(0, (unsigned long)self->map % (2 * MIB));
	for (size_t i = 0; i < RIG_SIZE; i += PAGE)
		((volatile char *)self->map)[i] = RIG_FILL;
	ASSERT_EQ(0, lease_take_all(self->fd));
	ASSERT_EQ(0, mr_reg(&self->nic, border - PAGE, 2 * PAGE, MR_SERVER, &a));
	EXPECT_TRUE(counts(self->fd, 1, 2));
	ASSERT_EQ(0, mr_reg(&self->nic, border - 3 * MIB + 1, 4 * MIB, MR_SERVER, &b));
	EXPECT_TRUE(counts(self->fd, 2, 2 + 4 * MIB / PAGE + 1));
	ASSERT_EQ(0, lease_revoke(self->fd, 0));
	EXPECT_TRUE(counts(self->fd, 0, 0));
	EXPECT_EQ(0, ibv_dereg_mr(a));
	EXPECT_EQ(0, ibv_dereg_mr(b));
}

TEST_F(way, same_memory_in_several_regions)
{
	struct ibv_mr *mr[8];
	int i;

	ASSERT_EQ(0, lease_take_all(self->fd));
	for (i = 0; i < 8; i++)
		ASSERT_EQ(0, mr_reg(&self->nic, self->map, MIB, i % 2 ? MR_SERVER : MR_READER, &mr[i]));
	EXPECT_TRUE(counts(self->fd, 8, 8 * MIB / PAGE));
	EXPECT_EQ(0, ibv_dereg_mr(mr[0]));
	EXPECT_TRUE(counts(self->fd, 7, 7 * MIB / PAGE));
	ASSERT_EQ(0, lease_revoke(self->fd, 0));
	EXPECT_TRUE(counts(self->fd, 0, 0));
	for (i = 1; i < 8; i++)
		EXPECT_EQ(0, ibv_dereg_mr(mr[i]));
}

/* Two files with a page of ordinary memory between them. */
struct patchwork {
	char *area;
	int fd;			/* of the second file */
	struct ibv_mr *mr;
};

#define PATCHWORK	(2 * MIB + PAGE)

static int patchwork_map(struct patchwork *work, FIXTURE_DATA(way) *self, const char *dir)
{
	const int prot = PROT_READ | PROT_WRITE, flags = MAP_SHARED | MAP_FIXED;
	char path[FILE_PATH];

	snprintf(path, sizeof(path), "%s/second", dir);
	work->fd = file_make(path, MIB, '2');
	unlink(path);
	work->area = anonymous(PATCHWORK);
	if (work->fd < 0 || !work->area)
		return -ENOMEM;
	if (mmap(work->area, MIB, prot, flags, self->fd, 4 * MIB) == MAP_FAILED ||
	    mmap(work->area + MIB + PAGE, MIB, prot, flags, work->fd, 0) == MAP_FAILED)
		return -errno;
	return 0;
}

TEST_F(way, patchwork_is_counted_on_each_lease)
{
	struct patchwork work;

	ASSERT_EQ(0, patchwork_map(&work, self, variant->dir));
	EXPECT_EQ(-EOPNOTSUPP, mr_try(&self->nic, work.area, PATCHWORK, MR_SERVER));
	ASSERT_EQ(0, lease_take_all(self->fd));
	EXPECT_EQ(-EOPNOTSUPP, mr_try(&self->nic, work.area, PATCHWORK, MR_SERVER));
	EXPECT_TRUE(counts(self->fd, 0, 0));
	ASSERT_EQ(0, lease_take_all(work.fd));
	ASSERT_EQ(0, mr_reg(&self->nic, work.area, PATCHWORK, MR_SERVER, &work.mr));
	EXPECT_TRUE(counts(self->fd, 1, MIB / PAGE));
	EXPECT_TRUE(counts(work.fd, 1, MIB / PAGE));
	EXPECT_EQ(0, ibv_dereg_mr(work.mr));
	EXPECT_TRUE(counts(self->fd, 0, 0));
	EXPECT_TRUE(counts(work.fd, 0, 0));
	close(work.fd);
}

TEST_F(way, patchwork_dies_with_either_file)
{
	struct patchwork work;
	int i;

	ASSERT_EQ(0, patchwork_map(&work, self, variant->dir));
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, lease_take_all(self->fd));
		ASSERT_EQ(0, lease_take_all(work.fd));
		ASSERT_EQ(0, mr_reg(&self->nic, work.area, PATCHWORK, MR_SERVER, &work.mr));
		ASSERT_EQ(0, lease_revoke(i ? work.fd : self->fd, 0));
		EXPECT_TRUE(counts(self->fd, 0, 0));
		EXPECT_TRUE(counts(work.fd, 0, 0));
		EXPECT_EQ(LAYOUT_ACTIVE, lease_see(i ? self->fd : work.fd).state);
		EXPECT_EQ(0, ibv_dereg_mr(work.mr));
	}
	close(work.fd);
}

/*
 * Changing a region
 */

/* What the device cannot do, or not with a lease, is refused alike. */
TEST_F(way, region_is_not_moved_onto_leased_memory)
{
	char *memory = anonymous(MIB);
	struct ibv_mr *mr;

	ASSERT_NE(NULL, memory);
	ASSERT_EQ(0, lease_take_all(self->fd));
	ASSERT_EQ(0, mr_reg(&self->nic, memory, MIB, MR_SERVER, &mr));
	EXPECT_EQ(-EOPNOTSUPP, raw_rereg(self->nic.pd, mr->handle, IBV_REREG_MR_CHANGE_TRANSLATION,
					 self->map, MIB, 0));
	EXPECT_TRUE(counts(self->fd, 0, 0));
	EXPECT_EQ(0, ibv_dereg_mr(mr));
}

TEST_F(way, region_is_not_moved_off_leased_memory)
{
	char *memory = anonymous(MIB);
	struct ibv_mr *mr;

	ASSERT_NE(NULL, memory);
	ASSERT_EQ(0, lease_take_all(self->fd));
	ASSERT_EQ(0, mr_reg(&self->nic, self->map, MIB, MR_SERVER, &mr));
	EXPECT_EQ(-EOPNOTSUPP, raw_rereg(self->nic.pd, mr->handle, IBV_REREG_MR_CHANGE_TRANSLATION,
					 memory, MIB, 0));
	EXPECT_EQ(-EOPNOTSUPP, raw_rereg(self->nic.pd, mr->handle, IBV_REREG_MR_CHANGE_TRANSLATION,
					 self->map + MIB, MIB, 0));
	EXPECT_TRUE(counts(self->fd, 1, MIB / PAGE));
	ASSERT_EQ(0, lease_revoke(self->fd, 0));
	EXPECT_EQ(0, ibv_dereg_mr(mr));
}

/* rxe can change the rest in place; siw changes nothing at all. */
static int changes(const char *device)
{
	return strcmp(device, ENV_RXE) ? -EOPNOTSUPP : 0;
}

TEST_F(way, change_of_access_keeps_the_pin)
{
	struct ibv_mr *mr;

	ASSERT_EQ(0, lease_take_all(self->fd));
	ASSERT_EQ(0, mr_reg(&self->nic, self->map, MIB, MR_SERVER, &mr));
	EXPECT_EQ(changes(variant->device),
		  raw_rereg(self->nic.pd, mr->handle, IBV_REREG_MR_CHANGE_ACCESS, NULL, 0,
			    IBV_ACCESS_LOCAL_WRITE));
	EXPECT_TRUE(counts(self->fd, 1, MIB / PAGE));
	ASSERT_EQ(0, lease_revoke(self->fd, 0));
	EXPECT_TRUE(counts(self->fd, 0, 0));
	EXPECT_EQ(0, ibv_dereg_mr(mr));
}

/* A pin for reading does not become one for writing: fsync relies on it. */
TEST_F(way, change_of_access_does_not_make_a_reader_write)
{
	struct ibv_mr *mr;

	ASSERT_EQ(0, lease_take_all(self->fd));
	ASSERT_EQ(0, mr_reg(&self->nic, self->map, MIB, MR_READER, &mr));
	EXPECT_GT(0, raw_rereg(self->nic.pd, mr->handle, IBV_REREG_MR_CHANGE_ACCESS, NULL, 0,
			       MR_SERVER));
	EXPECT_EQ(0, ibv_dereg_mr(mr));
}

TEST_F(way, change_of_protection_domain_keeps_the_pin)
{
	struct ibv_pd *pd = ibv_alloc_pd(self->nic.ctx);
	struct ibv_mr *mr;

	ASSERT_NE(NULL, pd);
	ASSERT_EQ(0, lease_take_all(self->fd));
	ASSERT_EQ(0, mr_reg(&self->nic, self->map, MIB, MR_SERVER, &mr));
	EXPECT_EQ(changes(variant->device),
		  raw_rereg(pd, mr->handle, IBV_REREG_MR_CHANGE_PD, NULL, 0, 0));
	EXPECT_TRUE(counts(self->fd, 1, MIB / PAGE));
	ASSERT_EQ(0, lease_revoke(self->fd, 0));
	EXPECT_TRUE(counts(self->fd, 0, 0));
	EXPECT_EQ(0, ibv_dereg_mr(mr));
	EXPECT_EQ(0, ibv_dealloc_pd(pd));
}

TEST_F(way, revoked_region_is_not_changed)
{
	struct ibv_mr *mr;
	int flags, error;

	ASSERT_EQ(0, lease_take_all(self->fd));
	ASSERT_EQ(0, mr_reg(&self->nic, self->map, MIB, MR_SERVER, &mr));
	ASSERT_EQ(0, lease_revoke(self->fd, 0));
	ASSERT_EQ(0, lease_take_all(self->fd));
	for (flags = 1; flags <= IBV_REREG_MR_FLAGS_SUPPORTED; flags++) {
		error = raw_rereg(self->nic.pd, mr->handle, flags, self->map, MIB, MR_SERVER);
		EXPECT_TRUE(error == -EIO || error == -EOPNOTSUPP);
	}
	EXPECT_TRUE(counts(self->fd, 0, 0));
	EXPECT_EQ(0, ibv_dereg_mr(mr));
}

/*
 * What these devices do not have is no way around
 */

TEST_F(way, on_demand_paging_is_refused)
{
	EXPECT_EQ(-EOPNOTSUPP, mr_try(&self->nic, self->map, PAGE, MR_SERVER | ON_DEMAND));
	ASSERT_EQ(0, lease_take_all(self->fd));
	EXPECT_EQ(-EOPNOTSUPP, mr_try(&self->nic, self->map, PAGE, MR_SERVER | ON_DEMAND));
	EXPECT_EQ(NULL, ibv_reg_mr(self->nic.pd, NULL, SIZE_MAX, ON_DEMAND));
	EXPECT_TRUE(counts(self->fd, 0, 0));
}

TEST_F(way, advice_is_refused)
{
	struct ibv_sge sge = { .addr = (unsigned long)self->map, .length = PAGE };
	struct uverbs_attr attrs[] = {
		{ UVERBS_ATTR_ADVISE_MR_PD_HANDLE, 0, NULL, self->nic.pd->handle },
		{ UVERBS_ATTR_ADVISE_MR_ADVICE, 8, NULL, IBV_ADVISE_MR_ADVICE_PREFETCH_WRITE },
		{ UVERBS_ATTR_ADVISE_MR_FLAGS, 4, NULL, 0 },
		{ UVERBS_ATTR_ADVISE_MR_SGE_LIST, sizeof(sge), &sge, 0 },
	};
	struct ibv_mr *mr;

	ASSERT_EQ(0, lease_take_all(self->fd));
	ASSERT_EQ(0, mr_reg(&self->nic, self->map, PAGE, MR_SERVER, &mr));
	sge.lkey = mr->lkey;
	EXPECT_EQ(-EOPNOTSUPP, uverbs_ioctl(self->nic.ctx, UVERBS_OBJECT_MR,
					    UVERBS_METHOD_ADVISE_MR, attrs, 4));
	EXPECT_TRUE(counts(self->fd, 1, 1));
	EXPECT_EQ(0, ibv_dereg_mr(mr));
}

TEST_F(way, dma_buffers_and_device_memory_are_refused)
{
	struct ibv_alloc_dm_attr dm = { .length = PAGE };
	__u32 lkey, rkey;
	struct uverbs_attr attrs[] = {
		{ UVERBS_ATTR_REG_DMABUF_MR_HANDLE, 0, NULL, 0 },
		{ UVERBS_ATTR_REG_DMABUF_MR_PD_HANDLE, 0, NULL, self->nic.pd->handle },
		{ UVERBS_ATTR_REG_DMABUF_MR_OFFSET, 8, NULL, 0 },
		{ UVERBS_ATTR_REG_DMABUF_MR_LENGTH, 8, NULL, PAGE },
		{ UVERBS_ATTR_REG_DMABUF_MR_IOVA, 8, NULL, 0 },
		{ UVERBS_ATTR_REG_DMABUF_MR_FD, 4, NULL, self->fd },
		{ UVERBS_ATTR_REG_DMABUF_MR_ACCESS_FLAGS, 4, NULL, MR_SERVER },
		{ UVERBS_ATTR_REG_DMABUF_MR_RESP_LKEY, 4, &lkey, 0 },
		{ UVERBS_ATTR_REG_DMABUF_MR_RESP_RKEY, 4, &rkey, 0 },
	};

	ASSERT_EQ(0, lease_take_all(self->fd));
	EXPECT_EQ(-EOPNOTSUPP, uverbs_ioctl(self->nic.ctx, UVERBS_OBJECT_MR,
					    UVERBS_METHOD_REG_DMABUF_MR, attrs, 9));
	EXPECT_EQ(NULL, ibv_alloc_dm(self->nic.ctx, &dm));
	EXPECT_TRUE(counts(self->fd, 0, 0));
}

/*
 * The limit of locked memory
 */

static int drop_ipc_lock(void)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2];

	if (syscall(SYS_capget, &head, data))
		return -errno;
	data[0].effective &= ~(1U << CAP_IPC_LOCK);
	return syscall(SYS_capset, &head, data) ? -errno : 0;
}

/* Kilobytes this process has pinned, by its own /proc entry. */
static long pinned_kib(void)
{
	char line[REPORT_LINE];
	long kib = -1;

	report_find("/proc/self/status", "VmPin:", "", line);
	sscanf(line, "VmPin: %ld kB", &kib);
	return kib;
}

static int limit_locked(rlim_t bytes)
{
	struct rlimit limit = { .rlim_cur = bytes, .rlim_max = bytes };

	return setrlimit(RLIMIT_MEMLOCK, &limit) ? -errno : drop_ipc_lock();
}

TEST_F(way, locked_memory_is_given_back_by_a_revocation)
{
	char *memory = anonymous(RIG_SIZE);
	struct ibv_mr *mr, *other;

	ASSERT_NE(NULL, memory);
	ASSERT_EQ(0, limit_locked(RIG_SIZE));
	ASSERT_EQ(0, lease_take_all(self->fd));
	ASSERT_EQ(0, mr_reg(&self->nic, self->map, RIG_SIZE, MR_SERVER, &mr));
	EXPECT_EQ(RIG_SIZE / KIB, pinned_kib());
	EXPECT_EQ(-ENOMEM, mr_try(&self->nic, memory, PAGE, MR_SERVER));
	ASSERT_EQ(0, lease_revoke(self->fd, 0));
	EXPECT_EQ(0, pinned_kib());
	ASSERT_EQ(0, mr_reg(&self->nic, memory, RIG_SIZE, MR_SERVER, &other));
	EXPECT_EQ(RIG_SIZE / KIB, pinned_kib());
	EXPECT_EQ(0, ibv_dereg_mr(mr));
	EXPECT_EQ(RIG_SIZE / KIB, pinned_kib());
	EXPECT_EQ(0, ibv_dereg_mr(other));
	EXPECT_EQ(0, pinned_kib());
}

TEST_F(way, refused_registrations_lock_nothing)
{
	struct patchwork work;

	ASSERT_EQ(0, patchwork_map(&work, self, variant->dir));
	EXPECT_EQ(-EOPNOTSUPP, mr_try(&self->nic, self->map, RIG_SIZE, MR_SERVER));
	ASSERT_EQ(0, lease_take_all(self->fd));
	EXPECT_EQ(-EOPNOTSUPP, mr_try(&self->nic, work.area, PATCHWORK, MR_SERVER));
	EXPECT_EQ(0, pinned_kib());
	EXPECT_TRUE(counts(self->fd, 0, 0));
	close(work.fd);
}

/* The limit is the process's that pins, whoever the lease belongs to. */
TEST_F(way, limit_counts_for_leased_memory_as_for_other)
{
	ASSERT_EQ(0, limit_locked(MIB));
	ASSERT_EQ(0, lease_take_all(self->fd));
	EXPECT_EQ(0, mr_try(&self->nic, self->map, MIB, MR_SERVER));
	EXPECT_EQ(-ENOMEM, mr_try(&self->nic, self->map, MIB + 1, MR_SERVER));
	EXPECT_TRUE(counts(self->fd, 0, 0));
}

/*
 * The same, seen by a peer
 */
FIXTURE(seen)
{
	struct rig rig;
	struct traffic traffic;
	char *map;
};

ON_DAX(seen);

FIXTURE_SETUP(seen)
{
	ASSERT_EQ(0, rig_open(&self->rig, variant->dir));
	self->map = file_map(self->rig.fd, RIG_SIZE);
	ASSERT_NE(NULL, self->map);
	ASSERT_EQ(0, traffic_open(&self->traffic));
	ASSERT_EQ(0, lease_take_all(self->rig.fd));
}

FIXTURE_TEARDOWN(seen)
{
	traffic_close(&self->traffic);
	rig_close(&self->rig);
}

static int client_writes(FIXTURE_DATA(seen) *self, size_t len, __u64 raddr, __u32 rkey)
{
	return wire_write(&self->traffic.far, self->traffic.local, len, raddr, rkey);
}

TEST_F(seen, region_registered_by_write_is_one_like_others)
{
	struct raw_mr mr;

	ASSERT_EQ(0, raw_reg(self->traffic.server.pd, self->map, MIB, 0x10000000, MR_SERVER, &mr));
	EXPECT_EQ(0, client_writes(self, PAGE, 0x10000000, mr.rkey));
	EXPECT_TRUE(file_is(self->rig.path, 0, PAGE, TRAFFIC_FILL));
	ASSERT_EQ(0, lease_revoke(self->rig.fd, 0));
	EXPECT_EQ(IBV_WC_REM_ACCESS_ERR, client_writes(self, PAGE, 0x10000000 + PAGE, mr.rkey));
	EXPECT_TRUE(file_is(self->rig.path, PAGE, PAGE, RIG_FILL));
	EXPECT_EQ(0, raw_dereg(self->traffic.server.ctx, mr.handle));
}

TEST_F(seen, write_across_the_border_of_huge_pages)
{
	__u64 border = 4 * MIB;
	struct ibv_mr *mr;

	ASSERT_EQ(0, mr_reg(&self->traffic.server, self->map + border - PAGE, 2 * PAGE, MR_SERVER, &mr));
	EXPECT_EQ(0, client_writes(self, 2 * PAGE, (unsigned long)mr->addr, mr->rkey));
	EXPECT_TRUE(file_is(self->rig.path, border - PAGE, 2 * PAGE, TRAFFIC_FILL));
	EXPECT_TRUE(file_is(self->rig.path, 0, border - PAGE, RIG_FILL));
	EXPECT_TRUE(file_is(self->rig.path, border + PAGE, 2 * MIB, RIG_FILL));
	EXPECT_EQ(0, ibv_dereg_mr(mr));
}

TEST_F(seen, change_of_access_is_obeyed)
{
	struct ibv_mr *mr;

	ASSERT_EQ(0, mr_reg(&self->traffic.server, self->map, MIB, MR_SERVER, &mr));
	ASSERT_EQ(0, client_writes(self, PAGE, (unsigned long)self->map, mr->rkey));
	ASSERT_EQ(0, raw_rereg(self->traffic.server.pd, mr->handle, IBV_REREG_MR_CHANGE_ACCESS,
			       NULL, 0, IBV_ACCESS_LOCAL_WRITE));
	EXPECT_EQ(IBV_WC_REM_ACCESS_ERR,
		  client_writes(self, PAGE, (unsigned long)self->map + PAGE, mr->rkey));
	EXPECT_TRUE(file_is(self->rig.path, PAGE, PAGE, RIG_FILL));
	EXPECT_EQ(0, ibv_dereg_mr(mr));
}

TEST_HARNESS_MAIN
