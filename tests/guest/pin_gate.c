// SPDX-License-Identifier: GPL-2.0
/*
 * Who may pin what: a registration of FS-DAX memory needs a lease that covers
 * it, on the mapping's own description or on one the process holds; all other
 * memory needs none.  And what a pin is counted as, and what does not end it.
 */
#include <errno.h>
#include <linux/falloc.h>
#include <stdio.h>
#include <string.h>

#include "kselftest_harness.h"
#include "lib/rig.h"

FIXTURE(pin)
{
	struct rig rig;
	struct nic nic;
	int fd;
	char *map;
};

ON_DAX(pin);

FIXTURE_SETUP(pin)
{
	ASSERT_EQ(0, rig_open(&self->rig, variant->dir));
	self->fd = self->rig.fd;
	self->map = file_map(self->fd, RIG_SIZE);
	ASSERT_NE(NULL, self->map);
	ASSERT_EQ(0, nic_open(&self->nic, ENV_RXE));
}

FIXTURE_TEARDOWN(pin)
{
	nic_close(&self->nic);
	rig_close(&self->rig);
}

TEST_F(pin, without_a_lease_is_refused)
{
	EXPECT_EQ(-EOPNOTSUPP, mr_try(&self->nic, self->map, 4 * PAGE, MR_SERVER));
	EXPECT_EQ(-EOPNOTSUPP, mr_try(&self->nic, self->map, 4 * PAGE, MR_READER));
}

TEST_F(pin, with_a_lease_works_and_is_counted_exactly)
{
	struct ibv_mr *a, *b;

	ASSERT_EQ(0, lease_take_all(self->fd));
	ASSERT_EQ(0, mr_reg(&self->nic, self->map, MIB, MR_SERVER, &a));
	EXPECT_EQ(1, lease_see(self->fd).pins);
	EXPECT_EQ(MIB / PAGE, lease_see(self->fd).pinned_pages);
	ASSERT_EQ(0, mr_reg(&self->nic, self->map + 2 * MIB, 3 * PAGE, MR_READER, &b));
	EXPECT_EQ(2, lease_see(self->fd).pins);
	EXPECT_EQ(MIB / PAGE + 3, lease_see(self->fd).pinned_pages);
	EXPECT_EQ(0, ibv_dereg_mr(a));
	EXPECT_EQ(1, lease_see(self->fd).pins);
	EXPECT_EQ(3, lease_see(self->fd).pinned_pages);
	EXPECT_EQ(0, ibv_dereg_mr(b));
	EXPECT_EQ(0, lease_see(self->fd).pins);
	EXPECT_EQ(0, lease_see(self->fd).pinned_pages);
}

TEST_F(pin, odd_byte_ranges_count_whole_pages)
{
	struct ibv_mr *mr;

	ASSERT_EQ(0, lease_take_all(self->fd));
	ASSERT_EQ(0, mr_reg(&self->nic, self->map + PAGE - 1, 2, MR_SERVER, &mr));
	EXPECT_EQ(2, lease_see(self->fd).pinned_pages);
	EXPECT_EQ(0, ibv_dereg_mr(mr));
}

TEST_F(pin, whole_file_in_one_region)
{
	struct ibv_mr *mr;

	ASSERT_EQ(0, lease_take_all(self->fd));
	ASSERT_EQ(0, mr_reg(&self->nic, self->map, RIG_SIZE, MR_SERVER, &mr));
	EXPECT_EQ(RIG_SIZE / PAGE, lease_see(self->fd).pinned_pages);
	EXPECT_EQ(0, ibv_dereg_mr(mr));
}

TEST_F(pin, without_the_lease_again_is_refused_again)
{
	ASSERT_EQ(0, lease_take_all(self->fd));
	EXPECT_EQ(0, mr_try(&self->nic, self->map, PAGE, MR_SERVER));
	ASSERT_EQ(0, lease_drop(self->fd));
	EXPECT_EQ(-EOPNOTSUPP, mr_try(&self->nic, self->map, PAGE, MR_SERVER));
}

/* A client on a context of its own writes into the file, and reads from it. */
TEST_F(pin, rdma_reaches_the_file)
{
	struct wire client, server;
	struct ibv_mr *mr, *local;
	char buf[2 * PAGE];
	struct nic nic;

	ASSERT_EQ(0, lease_take_all(self->fd));
	ASSERT_EQ(0, nic_open(&nic, ENV_RXE));
	ASSERT_EQ(0, wire_pair(&client, &nic, &server, &self->nic));
	ASSERT_EQ(0, mr_reg(&self->nic, self->map, RIG_SIZE, MR_SERVER, &mr));
	memset(buf, 'x', sizeof(buf));
	ASSERT_EQ(0, mr_reg(&nic, buf, sizeof(buf), MR_SERVER, &local));
	EXPECT_EQ(0, wire_write(&client, local, sizeof(buf), (unsigned long)self->map + MIB,
				mr->rkey));
	EXPECT_TRUE(file_is(self->rig.path, MIB, sizeof(buf), 'x'));
	EXPECT_TRUE(file_is(self->rig.path, 0, MIB, RIG_FILL));
	EXPECT_EQ(0, wire_read(&client, local, PAGE, (unsigned long)self->map, mr->rkey));
	EXPECT_EQ(RIG_FILL, buf[0]);
	EXPECT_EQ('x', buf[PAGE]);
	EXPECT_EQ(0, ibv_dereg_mr(mr));
	EXPECT_EQ(0, ibv_dereg_mr(local));
	wire_close(&client);
	wire_close(&server);
	nic_close(&nic);
}

TEST_F(pin, siw_registers_under_a_lease_too)
{
	struct ibv_mr *mr;
	struct nic siw;

	ASSERT_EQ(0, nic_open(&siw, ENV_SIW));
	EXPECT_EQ(-EOPNOTSUPP, mr_try(&siw, self->map, PAGE, MR_SERVER));
	ASSERT_EQ(0, lease_take_all(self->fd));
	ASSERT_EQ(0, mr_reg(&siw, self->map, MIB, MR_SERVER, &mr));
	EXPECT_EQ(1, lease_see(self->fd).pins);
	EXPECT_EQ(MIB / PAGE, lease_see(self->fd).pinned_pages);
	EXPECT_EQ(0, ibv_dereg_mr(mr));
	EXPECT_EQ(0, lease_see(self->fd).pins);
	nic_close(&siw);
}

TEST_F(pin, range_outside_the_lease_is_refused)
{
	ASSERT_EQ(0, lease_take(self->fd, 0, 0, 2 * MIB, LEASE_NO_EVENT));
	EXPECT_EQ(0, mr_try(&self->nic, self->map, 2 * MIB, MR_SERVER));
	EXPECT_EQ(-EOPNOTSUPP, mr_try(&self->nic, self->map + 2 * MIB, PAGE, MR_SERVER));
	EXPECT_EQ(-EOPNOTSUPP, mr_try(&self->nic, self->map + MIB, 2 * MIB, MR_SERVER));
	EXPECT_EQ(0, lease_see(self->fd).pins);
	EXPECT_EQ(0, lease_see(self->fd).pinned_pages);
}

TEST_F(pin, changing_a_lease_off_a_pin_is_ebusy)
{
	struct ibv_mr *mr;

	ASSERT_EQ(0, lease_take_all(self->fd));
	ASSERT_EQ(0, mr_reg(&self->nic, self->map + 4 * MIB, PAGE, MR_SERVER, &mr));
	EXPECT_EQ(-EBUSY, lease_take(self->fd, 0, 0, 2 * MIB, LEASE_NO_EVENT));
	EXPECT_EQ(0, lease_see(self->fd).len);
	EXPECT_EQ(0, lease_take(self->fd, LAYOUT_LEASE_UNBREAK, 4 * MIB, 2 * MIB,
				LEASE_NO_EVENT));
	EXPECT_EQ(1, lease_see(self->fd).pins);
	EXPECT_EQ(4 * MIB, lease_see(self->fd).start);
	EXPECT_EQ(0, ibv_dereg_mr(mr));
}

/* perftest maps the file through a description it closes. */
TEST_F(pin, a_held_lease_serves_a_mapping_of_another_description)
{
	int fd = file_open(self->rig.path, O_RDWR);
	struct ibv_mr *mr;
	char *map;

	ASSERT_LE(0, fd);
	map = file_map(fd, RIG_SIZE);
	ASSERT_NE(NULL, map);
	close(fd);
	EXPECT_EQ(-EOPNOTSUPP, mr_try(&self->nic, map, PAGE, MR_SERVER));
	ASSERT_EQ(0, lease_take_all(self->fd));
	ASSERT_EQ(0, mr_reg(&self->nic, map, PAGE, MR_SERVER, &mr));
	EXPECT_EQ(1, lease_see(self->fd).pins);
	EXPECT_EQ(0, ibv_dereg_mr(mr));
}

TEST_F(pin, a_lease_of_another_process_does_not_count)
{
	ASSERT_EQ(0, peer_take(&self->rig.other, &self->rig, 0));
	EXPECT_EQ(-EOPNOTSUPP, mr_try(&self->nic, self->map, PAGE, MR_SERVER));
}

/* The other process: registers the file by name with no lease but the one it is sent. */
static long register_with_sent_lease(void *arg, int fd)
{
	struct cut *cut = arg;
	struct nic nic;
	char *map;
	long ret;

	int own = file_open(cut->path, O_RDWR);

	if (own < 0)
		return own;
	map = file_map(own, PAGE);
	close(own);
	ret = nic_open(&nic, ENV_RXE);
	if (ret || !map)
		return ret ? ret : -ENOMEM;
	ret = mr_try(&nic, map, PAGE, MR_SERVER);
	if (!ret)
		close(fd);
	ret = ret ? ret : mr_try(&nic, map, PAGE, MR_SERVER);
	munmap(map, PAGE);
	nic_close(&nic);
	return ret;
}

/* It works with the descriptor, and no longer once that is closed. */
TEST_F(pin, a_sent_lease_counts_while_it_is_open)
{
	struct cut cut = cut_of(self->rig.path, 0, 0);

	ASSERT_EQ(0, lease_take_all(self->fd));
	EXPECT_EQ(-EOPNOTSUPP, peer_call(&self->rig.other, register_with_sent_lease, &cut,
					 sizeof(cut), self->fd));
	EXPECT_EQ(LAYOUT_ACTIVE, lease_see(self->fd).state);
	EXPECT_EQ(0, lease_see(self->fd).pins);
}

TEST_F(pin, the_taker_may_close_and_pin_through_its_mapping)
{
	char line[REPORT_LINE];
	struct ibv_mr *mr;
	__u64 id;

	ASSERT_EQ(0, lease_take_all(self->fd));
	id = lease_see(self->fd).id;
	close(self->fd);
	self->rig.fd = -1;
	ASSERT_EQ(0, mr_reg(&self->nic, self->map, PAGE, MR_SERVER, &mr));
	EXPECT_EQ(1, report_lease(id, line));
	EXPECT_EQ(1, report_number(line, "pins"));
	EXPECT_EQ(0, ibv_dereg_mr(mr));
}

TEST_F(pin, a_private_mapping_is_refused)
{
	char *map = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, self->fd, 0);

	ASSERT_NE(MAP_FAILED, map);
	ASSERT_EQ(0, lease_take_all(self->fd));
	EXPECT_EQ(-EOPNOTSUPP, mr_try(&self->nic, map, PAGE, MR_READER));
	EXPECT_EQ(0, lease_see(self->fd).pins);
}

TEST_F(pin, read_only_mapping_of_written_blocks)
{
	char *map = mmap(NULL, RIG_SIZE, PROT_READ, MAP_SHARED, self->fd, 0);

	ASSERT_NE(MAP_FAILED, map);
	ASSERT_EQ(0, lease_take_all(self->fd));
	EXPECT_EQ(0, mr_try(&self->nic, map, RIG_SIZE, MR_READER));
	EXPECT_EQ(-EFAULT, mr_try(&self->nic, map, PAGE, MR_SERVER));
	EXPECT_EQ(0, lease_see(self->fd).pins);
}

static int punch(int fd, __u64 start, __u64 len)
{
	return fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, start, len) ? -errno : 0;
}

TEST_F(pin, read_only_mapping_of_a_hole_is_enxio)
{
	char *map = mmap(NULL, RIG_SIZE, PROT_READ, MAP_SHARED, self->fd, 0);

	ASSERT_NE(MAP_FAILED, map);
	ASSERT_EQ(0, punch(self->fd, 2 * MIB, 2 * MIB));
	ASSERT_EQ(0, lease_take_all(self->fd));
	EXPECT_EQ(-ENXIO, mr_try(&self->nic, map + 2 * MIB, PAGE, MR_READER));
	EXPECT_EQ(-ENXIO, mr_try(&self->nic, map + 2 * MIB - PAGE, 2 * PAGE, MR_READER));
	EXPECT_EQ(0, mr_try(&self->nic, map, 2 * MIB, MR_READER));
	EXPECT_EQ(0, lease_see(self->fd).pins);
	EXPECT_EQ(0, lease_see(self->fd).pinned_pages);
}

/* A single page: it is not mapped as a large hole is. */
TEST_F(pin, so_is_a_small_hole)
{
	char *map = mmap(NULL, RIG_SIZE, PROT_READ, MAP_SHARED, self->fd, 0);
	const __u64 at = 2 * MIB + PAGE;

	ASSERT_NE(MAP_FAILED, map);
	ASSERT_EQ(0, punch(self->fd, at, PAGE));
	ASSERT_EQ(0, lease_take_all(self->fd));
	EXPECT_EQ(-ENXIO, mr_try(&self->nic, map + at, PAGE, MR_READER));
	EXPECT_EQ(-ENXIO, mr_try(&self->nic, map, RIG_SIZE, MR_READER));
	EXPECT_EQ(0, mr_try(&self->nic, map, at, MR_READER));
	EXPECT_EQ(0, mr_try(&self->nic, map + at + PAGE, PAGE, MR_READER));
	EXPECT_EQ(0, lease_see(self->fd).pins);
}

/* Who may only read the file may let devices read it, too. */
TEST_F(pin, through_a_description_for_reading)
{
	int fd = file_open(self->rig.path, O_RDONLY);
	char *map;

	ASSERT_LE(0, fd);
	map = mmap(NULL, RIG_SIZE, PROT_READ, MAP_SHARED, fd, 0);
	ASSERT_NE(MAP_FAILED, map);
	EXPECT_EQ(-EOPNOTSUPP, mr_try(&self->nic, map, RIG_SIZE, MR_READER));
	ASSERT_EQ(0, lease_take_all(fd));
	EXPECT_EQ(0, mr_try(&self->nic, map, RIG_SIZE, MR_READER));
	EXPECT_EQ(-EFAULT, mr_try(&self->nic, map, PAGE, MR_SERVER));
	ASSERT_EQ(0, punch(self->fd, 2 * MIB, PAGE));
	EXPECT_EQ(-ENXIO, mr_try(&self->nic, map + 2 * MIB, PAGE, MR_READER));
	close(fd);
}

TEST_F(pin, read_only_mapping_of_an_unwritten_extent_is_enxio)
{
	char *map = mmap(NULL, RIG_SIZE + 2 * MIB, PROT_READ, MAP_SHARED, self->fd, 0);

	ASSERT_NE(MAP_FAILED, map);
	ASSERT_EQ(0, fallocate(self->fd, 0, RIG_SIZE, 2 * MIB));
	ASSERT_EQ(0, lease_take_all(self->fd));
	EXPECT_EQ(-ENXIO, mr_try(&self->nic, map + RIG_SIZE, PAGE, MR_READER));
	EXPECT_EQ(0, lease_see(self->fd).pins);
}

TEST_F(pin, a_hole_that_was_read_before_is_a_hole_still)
{
	char *map = mmap(NULL, RIG_SIZE, PROT_READ, MAP_SHARED, self->fd, 0);

	ASSERT_NE(MAP_FAILED, map);
	ASSERT_EQ(0, punch(self->fd, 2 * MIB, 2 * MIB));
	ASSERT_EQ(0, lease_take_all(self->fd));
	EXPECT_EQ(0, map[2 * MIB]);
	EXPECT_EQ(-ENXIO, mr_try(&self->nic, map + 2 * MIB, PAGE, MR_READER));
}

TEST_F(pin, writable_mapping_fills_its_holes)
{
	const int access[] = { MR_SERVER, MR_READER };
	unsigned int i;

	for (i = 0; i < 2; i++) {
		struct extents map;
		struct ibv_mr *mr;

		ASSERT_EQ(0, punch(self->fd, 0, RIG_SIZE));
		ASSERT_EQ(0, file_extents(self->fd, &map));
		ASSERT_EQ(0, map.count);
		/* A read leaves a zero page in the page tables. */
		EXPECT_EQ(0, self->map[2 * MIB]);
		ASSERT_EQ(0, lease_take_all(self->fd));
		ASSERT_EQ(0, mr_reg(&self->nic, self->map + 2 * MIB, MIB, access[i], &mr));
		EXPECT_EQ(MIB / PAGE, lease_see(self->fd).pinned_pages);
		ASSERT_EQ(0, file_extents(self->fd, &map));
		EXPECT_LT(0, map.count);
		EXPECT_LE(MIB / 512, file_blocks(self->fd));
		EXPECT_EQ(0, self->map[2 * MIB]);
		EXPECT_EQ(0, ibv_dereg_mr(mr));
		ASSERT_EQ(0, lease_drop(self->fd));
	}
}

TEST_F(pin, beyond_the_end_is_efault)
{
	char *map = file_map(self->fd, RIG_SIZE + 4 * MIB);

	ASSERT_NE(NULL, map);
	ASSERT_EQ(0, lease_take_all(self->fd));
	EXPECT_EQ(-EFAULT, mr_try(&self->nic, map + RIG_SIZE + 2 * MIB, PAGE, MR_SERVER));
	EXPECT_EQ(-EFAULT, mr_try(&self->nic, map + RIG_SIZE - PAGE, 2 * PAGE, MR_SERVER));
	EXPECT_EQ(0, lease_see(self->fd).pins);
	EXPECT_EQ(0, lease_see(self->fd).pinned_pages);
}

TEST_F(pin, two_files_in_one_region_stand_on_two_leases)
{
	char path[FILE_PATH + 2];
	struct ibv_mr *mr;
	char *area;
	int fd;

	snprintf(path, sizeof(path), "%s.2", self->rig.path);
	fd = file_make(path, MIB, '2');
	ASSERT_LE(0, fd);
	unlink(path);
	area = mmap(NULL, 2 * MIB, PROT_READ | PROT_WRITE, MAP_SHARED, self->fd, 0);
	ASSERT_NE(MAP_FAILED, area);
	ASSERT_NE(MAP_FAILED, mmap(area + MIB, MIB, PROT_READ | PROT_WRITE,
				   MAP_SHARED | MAP_FIXED, fd, 0));
	ASSERT_EQ(0, lease_take_all(self->fd));
	EXPECT_EQ(-EOPNOTSUPP, mr_try(&self->nic, area, 2 * MIB, MR_SERVER));
	ASSERT_EQ(0, lease_take_all(fd));
	ASSERT_EQ(0, mr_reg(&self->nic, area, 2 * MIB, MR_SERVER, &mr));
	EXPECT_EQ(1, lease_see(self->fd).pins);
	EXPECT_EQ(MIB / PAGE, lease_see(self->fd).pinned_pages);
	EXPECT_EQ(1, lease_see(fd).pins);
	EXPECT_EQ(MIB / PAGE, lease_see(fd).pinned_pages);
	EXPECT_EQ(0, ibv_dereg_mr(mr));
	EXPECT_EQ(0, lease_see(self->fd).pins);
	EXPECT_EQ(0, lease_see(fd).pins);
	close(fd);
}

TEST_F(pin, file_and_anonymous_memory_in_one_region)
{
	char *area = mmap(NULL, 2 * MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			  -1, 0);
	struct ibv_mr *mr;

	ASSERT_NE(MAP_FAILED, area);
	ASSERT_NE(MAP_FAILED, mmap(area + MIB, MIB, PROT_READ | PROT_WRITE,
				   MAP_SHARED | MAP_FIXED, self->fd, 0));
	EXPECT_EQ(-EOPNOTSUPP, mr_try(&self->nic, area, 2 * MIB, MR_SERVER));
	ASSERT_EQ(0, lease_take_all(self->fd));
	ASSERT_EQ(0, mr_reg(&self->nic, area, 2 * MIB, MR_SERVER, &mr));
	EXPECT_EQ(1, lease_see(self->fd).pins);
	EXPECT_EQ(MIB / PAGE, lease_see(self->fd).pinned_pages);
	EXPECT_EQ(0, ibv_dereg_mr(mr));
}

TEST_F(pin, two_contexts_pin_the_same_pages)
{
	struct ibv_mr *a, *b;
	struct nic nic;

	ASSERT_EQ(0, nic_open(&nic, ENV_RXE));
	ASSERT_EQ(0, lease_take_all(self->fd));
	ASSERT_EQ(0, mr_reg(&self->nic, self->map, MIB, MR_SERVER, &a));
	ASSERT_EQ(0, mr_reg(&nic, self->map, MIB, MR_SERVER, &b));
	EXPECT_EQ(2, lease_see(self->fd).pins);
	EXPECT_EQ(2 * MIB / PAGE, lease_see(self->fd).pinned_pages);
	EXPECT_EQ(0, ibv_dereg_mr(a));
	EXPECT_EQ(0, ibv_dereg_mr(b));
	nic_close(&nic);
}

TEST_F(pin, closing_the_context_releases_its_pins)
{
	struct ibv_mr *mr;
	struct nic nic;

	ASSERT_EQ(0, nic_open(&nic, ENV_RXE));
	ASSERT_EQ(0, lease_take_all(self->fd));
	ASSERT_EQ(0, mr_reg(&nic, self->map, MIB, MR_SERVER, &mr));
	EXPECT_EQ(1, lease_see(self->fd).pins);
	/* What exit() would do: the descriptor goes with everything in it. */
	close(nic.ctx->cmd_fd);
	EXPECT_EQ(0, lease_see(self->fd).pins);
	EXPECT_EQ(0, lease_see(self->fd).pinned_pages);
	EXPECT_EQ(LAYOUT_ACTIVE, lease_see(self->fd).state);
}

TEST_F(pin, munmap_fork_and_other_closes_change_nothing)
{
	int other = file_open(self->rig.path, O_RDWR), status;
	struct ibv_mr *mr;
	pid_t pid;

	ASSERT_LE(0, other);
	ASSERT_EQ(0, lease_take_all(self->fd));
	ASSERT_EQ(0, mr_reg(&self->nic, self->map, MIB, MR_SERVER, &mr));
	close(other);
	EXPECT_EQ(0, munmap(self->map, RIG_SIZE));
	pid = fork();
	if (!pid)
		_exit(0);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(1, lease_see(self->fd).pins);
	EXPECT_EQ(MIB / PAGE, lease_see(self->fd).pinned_pages);
	EXPECT_EQ(LAYOUT_ACTIVE, lease_see(self->fd).state);
	EXPECT_EQ(0, ibv_dereg_mr(mr));
}

static long o_direct_read(const char *path, char *into, size_t len)
{
	int fd = file_open(path, O_RDONLY | O_DIRECT);
	long ret;

	if (fd < 0)
		return fd;
	ret = read(fd, into, len);
	ret = ret < 0 ? -errno : ret;
	close(fd);
	return ret;
}

/* Through the block layer, which pins the mapping for the time of the transfer. */
TEST_F(pin, o_direct_into_a_mapping_needs_no_lease)
{
	const char path[] = ENV_EXT4_NODAX "/source";
	int fd = file_make(path, MIB, 'd');

	ASSERT_LE(0, fd);
	close(fd);
	EXPECT_EQ(MIB, o_direct_read(path, self->map, MIB));
	EXPECT_TRUE(file_is(self->rig.path, 0, MIB, 'd'));
	unlink(path);
}

FIXTURE(other_memory)
{
	struct nic nic;
};

FIXTURE_SETUP(other_memory)
{
	ASSERT_EQ(0, nic_open(&self->nic, ENV_RXE));
}

FIXTURE_TEARDOWN(other_memory)
{
	nic_close(&self->nic);
	sysctl_write("vm/nr_hugepages", 0);
}

TEST_F(other_memory, anonymous_needs_no_lease)
{
	char *map = mmap(NULL, MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	ASSERT_NE(MAP_FAILED, map);
	EXPECT_EQ(0, mr_try(&self->nic, map, MIB, MR_SERVER));
}

TEST_F(other_memory, shmem_needs_no_lease)
{
	int fd = memfd_create("shmem", 0);
	char *map;

	ASSERT_EQ(0, ftruncate(fd, MIB));
	map = file_map(fd, MIB);
	ASSERT_NE(NULL, map);
	EXPECT_EQ(0, mr_try(&self->nic, map, MIB, MR_SERVER));
}

TEST_F(other_memory, hugetlb_needs_no_lease)
{
	char *map;

	ASSERT_EQ(0, sysctl_write("vm/nr_hugepages", 2));
	map = mmap(NULL, 2 * MIB, PROT_READ | PROT_WRITE,
		   MAP_SHARED | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0);
	ASSERT_NE(MAP_FAILED, map);
	EXPECT_EQ(0, mr_try(&self->nic, map, 2 * MIB, MR_SERVER));
	munmap(map, 2 * MIB);
}

/* Page cache of an ordinary file system: read-only pins are fine, writable ones never were. */
TEST_F(other_memory, page_cache_is_as_before)
{
	const char path[] = ENV_EXT4_NODAX "/cached";
	int fd = file_make(path, MIB, 'c');
	char *map;

	ASSERT_LE(0, fd);
	map = file_map(fd, MIB);
	ASSERT_NE(NULL, map);
	EXPECT_EQ(-EFAULT, mr_try(&self->nic, map, MIB, MR_SERVER));
	ASSERT_EQ(0, lease_take_all(fd));
	EXPECT_EQ(-EFAULT, mr_try(&self->nic, map, MIB, MR_SERVER));
	EXPECT_EQ(0, lease_see(fd).pins);
	close(fd);
	unlink(path);
}

TEST_HARNESS_MAIN
