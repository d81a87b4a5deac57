// SPDX-License-Identifier: GPL-2.0
/*
 * rdma(8), as Debian ships it, names the lease and the file behind a memory
 * region.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "kselftest_harness.h"
#include "lib/rig.h"

#define OUTPUT		(256 * KIB)
#define RDMA		"timeout 20 rdma"
/* not busybox's, which the shell would take */
#define AS_NOBODY	"/usr/bin/setpriv --reuid 65534 --regid 65534 --clear-groups"

FIXTURE(resource)
{
	struct rig rig;
	struct nic nic;
	int fd;
	char *map;
	const char *device;
	char out[OUTPUT];
};

FIXTURE_VARIANT(resource)
{
	const char *dir, *device;
};

#define RESOURCE(name, mount, nic)			\
	FIXTURE_VARIANT_ADD(resource, name)		\
	{						\
		.dir = mount,				\
		.device = nic,				\
	}

RESOURCE(ext4_rxe, ENV_EXT4, ENV_RXE);
RESOURCE(xfs_rxe, ENV_XFS, ENV_RXE);
RESOURCE(ext4_siw, ENV_EXT4, ENV_SIW);
RESOURCE(xfs_siw, ENV_XFS, ENV_SIW);

FIXTURE_SETUP(resource)
{
	ASSERT_EQ(0, rig_open(&self->rig, variant->dir));
	self->fd = self->rig.fd;
	self->map = file_map(self->fd, RIG_SIZE);
	ASSERT_NE(NULL, self->map);
	ASSERT_EQ(0, nic_open(&self->nic, variant->device));
	ASSERT_EQ(0, lease_take_all(self->fd));
	self->device = variant->device;
}

FIXTURE_TEARDOWN(resource)
{
	nic_close(&self->nic);
	rig_close(&self->rig);
}

/* What a command prints, and the status it exits with or a negative errno. */
static int output_of(const char *command, char *out)
{
	FILE *pipe = popen(command, "r");
	size_t len;
	int status;

	*out = 0;
	if (!pipe)
		return -errno;
	len = fread(out, 1, OUTPUT - 1, pipe);
	out[len] = 0;
	status = pclose(pipe);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -EINTR;
}

/* "rdma OPTIONS resource show mr" into self->out, with words before and behind. */
static int show(FIXTURE_DATA(resource) *self, const char *before, const char *options)
{
	char command[256];

	snprintf(command, sizeof(command), "%s " RDMA " %s resource show mr dev %s 2>&1", before,
		 options, self->device);
	return output_of(command, self->out);
}

static unsigned int times(const char *text, const char *part)
{
	unsigned int count = 0;

	for (text = strstr(text, part); text; text = strstr(text + 1, part))
		count++;
	return count;
}

static void path_of(FIXTURE_DATA(resource) *self, char *text, size_t size, const char *format)
{
	snprintf(text, size, format, (unsigned long long)lease_see(self->fd).id, self->rig.path);
}

TEST_F(resource, of_ordinary_memory_has_no_lease)
{
	char memory[PAGE];
	struct ibv_mr *mr;

	ASSERT_EQ(0, mr_reg(&self->nic, memory, sizeof(memory), MR_SERVER, &mr));
	ASSERT_EQ(0, show(self, "", "-dd"));
	EXPECT_EQ(1, times(self->out, "mrlen 4096"));
	EXPECT_EQ(0, times(self->out, "lease"));
	EXPECT_EQ(0, times(self->out, "file"));
	EXPECT_EQ(0, ibv_dereg_mr(mr));
}

TEST_F(resource, names_lease_file_and_range)
{
	char expected[512];
	struct ibv_mr *mr;

	ASSERT_EQ(0, mr_reg(&self->nic, self->map + MIB, 2 * MIB, MR_SERVER, &mr));
	ASSERT_EQ(0, show(self, "", "-dd"));
	path_of(self, expected, sizeof(expected), "drv_lease %llu drv_file %s drv_range 1048576-3145728 ");
	EXPECT_EQ(1, times(self->out, expected))
		TH_LOG("%s", self->out);
	EXPECT_EQ(1, times(self->out, "mrlen 2097152"));
	EXPECT_EQ(0, ibv_dereg_mr(mr));
}

TEST_F(resource, names_them_in_json_too)
{
	char expected[512];
	struct ibv_mr *mr;

	ASSERT_EQ(0, mr_reg(&self->nic, self->map, MIB, MR_SERVER, &mr));
	ASSERT_EQ(0, show(self, "", "-dd -j"));
	path_of(self, expected, sizeof(expected),
		"\"drv_lease\":%llu,\"drv_file\":\"%s\",\"drv_range\":\"0-1048576\"");
	EXPECT_EQ(1, times(self->out, expected))
		TH_LOG("%s", self->out);
	EXPECT_EQ(0, ibv_dereg_mr(mr));
}

TEST_F(resource, without_details_says_what_it_always_did)
{
	struct ibv_mr *mr;

	ASSERT_EQ(0, mr_reg(&self->nic, self->map, MIB, MR_SERVER, &mr));
	ASSERT_EQ(0, show(self, "", ""));
	EXPECT_EQ(1, times(self->out, "mrlen 1048576"));
	EXPECT_EQ(0, times(self->out, "lease"));
	EXPECT_EQ(0, ibv_dereg_mr(mr));
}

TEST_F(resource, of_one_number_is_described_alike)
{
	char expected[512], command[256];
	struct ibv_mr *mr;
	unsigned int mrn;

	ASSERT_EQ(0, mr_reg(&self->nic, self->map, MIB, MR_SERVER, &mr));
	ASSERT_EQ(0, show(self, "", "-dd"));
	ASSERT_EQ(1, sscanf(strstr(self->out, "mrn "), "mrn %u", &mrn));
	snprintf(command, sizeof(command), RDMA " -dd resource show mr mrn %u", mrn);
	ASSERT_EQ(0, output_of(command, self->out));
	path_of(self, expected, sizeof(expected), "drv_lease %llu drv_file %s drv_range 0-1048576 ");
	EXPECT_LE(1, times(self->out, expected))
		TH_LOG("%s", self->out);
	EXPECT_EQ(0, ibv_dereg_mr(mr));
}

TEST_F(resource, does_not_name_the_file_to_others_than_administrators)
{
	struct ibv_mr *mr;

	ASSERT_EQ(0, mr_reg(&self->nic, self->map, MIB, MR_SERVER, &mr));
	ASSERT_EQ(0, show(self, AS_NOBODY, "-dd"));
	EXPECT_EQ(1, times(self->out, "mrlen 1048576"));
	EXPECT_EQ(0, times(self->out, "lease"));
	EXPECT_EQ(0, times(self->out, self->rig.path));
	EXPECT_EQ(0, ibv_dereg_mr(mr));
}

TEST_F(resource, escapes_the_path)
{
	char path[FILE_PATH], expected[FILE_PATH];
	struct ibv_mr *mr;

	snprintf(path, sizeof(path), "%s/a b\tc\\d\ne\"f", variant->dir);
	ASSERT_EQ(0, rename(self->rig.path, path));
	ASSERT_EQ(0, mr_reg(&self->nic, self->map, MIB, MR_SERVER, &mr));
	ASSERT_EQ(0, show(self, "", "-dd"));
	snprintf(expected, sizeof(expected), "drv_file %s/a\\040b\\011c\\134d\\012e\"f drv_range", variant->dir);
	EXPECT_EQ(1, times(self->out, expected))
		TH_LOG("%s", self->out);
	EXPECT_EQ(0, ibv_dereg_mr(mr));
	unlink(path);
}

TEST_F(resource, says_that_the_file_is_deleted)
{
	char expected[FILE_PATH + 64];
	struct ibv_mr *mr;

	ASSERT_EQ(0, unlink(self->rig.path));
	ASSERT_EQ(0, mr_reg(&self->nic, self->map, MIB, MR_SERVER, &mr));
	ASSERT_EQ(0, show(self, "", "-dd"));
	snprintf(expected, sizeof(expected), "drv_file %s\\040(deleted) drv_range", self->rig.path);
	EXPECT_EQ(1, times(self->out, expected))
		TH_LOG("%s", self->out);
	EXPECT_EQ(0, ibv_dereg_mr(mr));
}

/* Directories, each of 200 bytes, until the path is longer than a message may say. */
#define LEVELS	8

static int deep_dir(char *path, size_t size, const char *dir, int level)
{
	size_t len = snprintf(path, size, "%s", dir);

	for (; level; level--) {
		len += snprintf(path + len, size - len, "/%0200d", level);
		if (mkdir(path, 0755) && errno != EEXIST)
			return -errno;
	}
	return 0;
}

TEST_F(resource, shortens_a_long_path_at_its_beginning)
{
	char dir[4096], path[4200], expected[512];
	struct ibv_mr *mr;
	int level;

	ASSERT_EQ(0, deep_dir(dir, sizeof(dir), variant->dir, LEVELS));
	snprintf(path, sizeof(path), "%s/buffer", dir);
	ASSERT_EQ(0, rename(self->rig.path, path));
	ASSERT_EQ(0, mr_reg(&self->nic, self->map, MIB, MR_SERVER, &mr));
	ASSERT_EQ(0, show(self, "", "-dd"));
	EXPECT_EQ(1, times(self->out, "drv_file .../"));
	snprintf(expected, sizeof(expected), "/%0200d/buffer drv_range 0-1048576", 1);
	EXPECT_EQ(1, times(self->out, expected))
		TH_LOG("%s", self->out);
	EXPECT_EQ(0, ibv_dereg_mr(mr));
	unlink(path);
	for (level = LEVELS; level; level--) {
		*strrchr(path, '/') = 0;
		rmdir(path);
	}
}

TEST_F(resource, of_a_revoked_region_has_no_lease)
{
	struct ibv_mr *mr;

	ASSERT_EQ(0, mr_reg(&self->nic, self->map, MIB, MR_SERVER, &mr));
	ASSERT_EQ(0, lease_revoke(self->fd, 0));
	ASSERT_EQ(0, show(self, "", "-dd"));
	EXPECT_EQ(1, times(self->out, "mrlen 1048576"));
	EXPECT_EQ(0, times(self->out, "lease"));
	EXPECT_EQ(0, ibv_dereg_mr(mr));
	ASSERT_EQ(0, show(self, "", "-dd"));
	EXPECT_EQ(0, times(self->out, "mrlen 1048576"));
}

/* One region over pieces of many files, a page of each. */
#define FILES	40

static char *many_files(const char *dir, int fd[FILES])
{
	char *area = mmap(NULL, FILES * PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char path[FILE_PATH];
	int i;

	for (i = 0; i < FILES; i++) {
		snprintf(path, sizeof(path), "%s/piece%d", dir, i);
		fd[i] = file_make(path, PAGE, 'p');
		unlink(path);
		if (fd[i] < 0 || lease_take_all(fd[i]) ||
		    mmap(area + i * PAGE, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
			 fd[i], 0) == MAP_FAILED)
			return NULL;
	}
	return area;
}

TEST_F(resource, of_many_files_names_what_there_is_room_for)
{
	int fd[FILES], i;
	unsigned int told, more;
	struct ibv_mr *mr, *b;
	char *area = many_files(variant->dir, fd);

	ASSERT_NE(NULL, area);
	ASSERT_EQ(0, mr_reg(&self->nic, area, FILES * PAGE, MR_SERVER, &mr));
	ASSERT_EQ(0, mr_reg(&self->nic, area, FILES * PAGE, MR_SERVER, &b));
	ASSERT_EQ(0, show(self, "", "-dd"));
	told = times(self->out, "/piece");
	EXPECT_LE(2 * 8, told);
	EXPECT_EQ(2, times(self->out, " drv_file "));
	EXPECT_EQ(2, times(self->out, " drv_file2 "));
	EXPECT_EQ(2, times(self->out, " drv_more "));
	ASSERT_EQ(1, sscanf(strstr(self->out, " drv_more "), " drv_more %u", &more));
	EXPECT_EQ(FILES, told / 2 + more);
	EXPECT_EQ(2, times(self->out, "mrlen 163840"));
	EXPECT_EQ(0, ibv_dereg_mr(mr));
	EXPECT_EQ(0, ibv_dereg_mr(b));
	for (i = 0; i < FILES; i++)
		close(fd[i]);
}

/* A dump of many regions is one of many messages; it has each once, and an end. */
TEST_F_TIMEOUT(resource, of_many_regions_are_all_told, 60)
{
	struct ibv_mr *mr[200];
	char expected[512];
	int i;

	for (i = 0; i < 200; i++)
		ASSERT_EQ(0, mr_reg(&self->nic, self->map, PAGE, MR_SERVER, &mr[i]));
	ASSERT_EQ(0, show(self, "", "-dd"));
	path_of(self, expected, sizeof(expected), "drv_lease %llu drv_file %s drv_range 0-4096 ");
	EXPECT_EQ(200, times(self->out, expected));
	for (i = 0; i < 200; i++)
		EXPECT_EQ(0, ibv_dereg_mr(mr[i]));
}

#define DUMPS	10

static long dump_again_and_again(void *device, int fd)
{
	static char out[OUTPUT];
	char command[256];
	int i, ret = 0;

	snprintf(command, sizeof(command), RDMA " -dd resource show mr dev %s 2>&1",
		 (const char *)device);
	for (i = 0; i < DUMPS && !ret; i++)
		ret = output_of(command, out);
	return ret;
}

/* Leases are taken and revoked, and the regions freed, while somebody looks. */
TEST_F_TIMEOUT(resource, can_be_looked_at_while_it_goes, 120)
{
	struct ibv_mr *mr[16];
	int i, rounds = 0;

	ASSERT_EQ(0, peer_start(&self->rig.other, dump_again_and_again, self->device,
				strlen(self->device) + 1, -1));
	while (peer_busy(&self->rig.other, 1)) {
		ASSERT_EQ(0, lease_take_all(self->fd));
		for (i = 0; i < 16; i++)
			ASSERT_EQ(0, mr_reg(&self->nic, self->map + i * PAGE, PAGE, MR_SERVER, &mr[i]));
		if (rounds++ % 2)
			ASSERT_EQ(0, lease_revoke(self->fd, 0));
		for (i = 0; i < 16; i++)
			ASSERT_EQ(0, ibv_dereg_mr(mr[i]));
	}
	EXPECT_EQ(0, peer_result(&self->rig.other, QUICK));
	EXPECT_LT(2, rounds);
	EXPECT_EQ(0, lease_see(self->fd).pins);
}

TEST_HARNESS_MAIN
