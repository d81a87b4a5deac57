// SPDX-License-Identifier: GPL-2.0
/*
 * What is stacked on a leased file: an overlay of file systems, and a loop
 * device.  Both come with locks of their own held, so they do not wait.  And the
 * file systems that have no layout leases.
 */
#include <errno.h>
#include <linux/fs.h>
#include <sched.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "kselftest_harness.h"
#include "lib/loop.h"
#include "lib/rig.h"

#define CUT	(4 * MIB)

static int short_form(int fd)
{
	return fcntl(fd, F_SETLEASE, F_LAYOUT) ? -errno : 0;
}

/* What both forms of the call say to a new file, if it is the same. */
static int refusal(int fd)
{
	int ret = fd < 0 ? fd : lease_take_all(fd);

	if (ret == short_form(fd) && lease_see(fd).state == LAYOUT_NONE)
		return ret;
	return -EPROTO;
}

/*
 * Overlays
 */

struct overlay {
	struct rig rig;			/* its file is in the upper directory */
	char top[FILE_PATH];
	char lower[FILE_PATH + 16];	/* a file in the lower directory */
	char merged[FILE_PATH + 16];	/* the mount point */
	char path[FILE_PATH];		/* the rig's file through the overlay */
	int low;			/* O_RDWR, of the lower file */
};

/* The mount is seen by this process and its peers only, and goes with them. */
static int private_mounts(void)
{
	if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL))
		return -errno;
	return 0;
}

static const char *const parts[] = { "", "/lower", "/upper", "/work", "/merged" };

static int make_directories(const char *top)
{
	char path[FILE_PATH + 16];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(parts); i++) {
		snprintf(path, sizeof(path), "%s%s", top, parts[i]);
		if (mkdir(path, 0755) && errno != EEXIST)
			return -errno;
	}
	return 0;
}

static int overlay_mount(const char *top, const char *merged)
{
	char options[4 * FILE_PATH];

	snprintf(options, sizeof(options), "lowerdir=%s/lower,upperdir=%s/upper,workdir=%s/work",
		 top, top, top);
	return mount("overlay", merged, "overlay", 0, options) ? -errno : 0;
}

static int overlay_open(struct overlay *overlay, const char *dir)
{
	char upper[FILE_PATH + 16];
	int ret;

	overlay->low = -1;
	snprintf(overlay->top, sizeof(overlay->top), "%s/overlay", dir);
	snprintf(upper, sizeof(upper), "%s/upper", overlay->top);
	snprintf(overlay->lower, sizeof(overlay->lower), "%s/lower/low", overlay->top);
	snprintf(overlay->merged, sizeof(overlay->merged), "%s/merged", overlay->top);
	snprintf(overlay->path, sizeof(overlay->path), "%s/overlay/merged/buffer", dir);
	ret = private_mounts();
	if (!ret)
		ret = make_directories(overlay->top);
	if (!ret)
		ret = rig_open(&overlay->rig, upper);
	if (ret)
		return ret;
	overlay->low = file_make(overlay->lower, RIG_SIZE, RIG_FILL);
	if (overlay->low < 0)
		return overlay->low;
	return overlay_mount(overlay->top, overlay->merged);
}

static int overlay_close(struct overlay *overlay)
{
	char command[FILE_PATH + 16];

	if (overlay->low >= 0)
		close(overlay->low);
	rig_close(&overlay->rig);
	umount2(overlay->merged, MNT_DETACH);
	snprintf(command, sizeof(command), "rm -rf %s", overlay->top);
	return system(command);
}

FIXTURE(overlay)
{
	struct overlay o;
};

ON_ALL(overlay);

FIXTURE_SETUP(overlay)
{
	ASSERT_EQ(0, overlay_open(&self->o, variant->dir));
}

FIXTURE_TEARDOWN(overlay)
{
	EXPECT_EQ(0, overlay_close(&self->o));
}

/* Another process does it to a file of the overlay. */
static long through(struct peer *peer, const char *path, peer_fn fn, __u64 start, __u64 len)
{
	struct cut cut = cut_of(path, start, len);

	return peer_call(peer, fn, &cut, sizeof(cut), -1);
}

TEST_F(overlay, its_files_have_no_leases)
{
	int fd = file_open(self->o.path, O_RDWR);

	ASSERT_LE(0, fd);
	EXPECT_EQ(-EOPNOTSUPP, refusal(fd));
	close(fd);
}

/* Locks of the overlay are held by a cut below it: nobody waits with them. */
TEST_F_TIMEOUT(overlay, a_cut_begins_a_break_and_leaves, 60)
{
	static const peer_fn cuts[] = { do_punch, do_truncate, do_ftruncate, do_open_trunc };
	struct cut write = cut_of(self->o.path, CUT, MIB);
	unsigned long began;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(cuts); i++) {
		ASSERT_EQ(0, lease_take(self->o.rig.fd, 0, 0, 0, self->o.rig.event));
		EXPECT_EQ(-EWOULDBLOCK, through(&self->o.rig.other, self->o.path, cuts[i], CUT, MIB))
			TH_LOG("cut %u", i);
		EXPECT_GT(QUICK, self->o.rig.other.ms);
		EXPECT_EQ(LAYOUT_BREAKING, lease_see(self->o.rig.fd).state);
		EXPECT_EQ(1, lease_events(self->o.rig.event, QUICK));
		EXPECT_EQ(RIG_SIZE, file_size(self->o.rig.path));
		EXPECT_TRUE(file_is(self->o.rig.path, 0, CUT, RIG_FILL));
		began = now_ms();
		EXPECT_EQ(0, do_write(&write, -1));
		EXPECT_GT(QUICK, now_ms() - began);
		ASSERT_EQ(0, lease_drop(self->o.rig.fd));
	}
}

TEST_F_TIMEOUT(overlay, after_the_drop_a_cut_works, 60)
{
	ASSERT_EQ(0, lease_take_all(self->o.rig.fd));
	ASSERT_EQ(-EWOULDBLOCK, through(&self->o.rig.other, self->o.path, do_punch, CUT, MIB));
	ASSERT_EQ(0, lease_drop(self->o.rig.fd));
	EXPECT_EQ(0, through(&self->o.rig.other, self->o.path, do_punch, CUT, MIB));
	EXPECT_TRUE(file_is(self->o.rig.path, CUT, MIB, 0));
	EXPECT_EQ(0, through(&self->o.rig.other, self->o.path, do_truncate, CUT, 0));
	EXPECT_EQ(CUT, file_size(self->o.rig.path));
}

TEST_F_TIMEOUT(overlay, after_the_revocation_a_cut_works, 60)
{
	ASSERT_EQ(0, break_time_set(1));
	ASSERT_EQ(0, lease_take(self->o.rig.fd, 0, 0, 0, self->o.rig.event));
	ASSERT_EQ(-EWOULDBLOCK, through(&self->o.rig.other, self->o.path, do_punch, CUT, MIB));
	EXPECT_EQ(0, lease_wait_state(self->o.rig.fd, LAYOUT_REVOKED, 1000 + QUICK));
	EXPECT_EQ(2, lease_events(self->o.rig.event, QUICK));	/* begun, revoked */
	EXPECT_EQ(0, through(&self->o.rig.other, self->o.path, do_punch, CUT, MIB));
	EXPECT_TRUE(file_is(self->o.rig.path, CUT, MIB, 0));

	ASSERT_EQ(0, lease_take_all(self->o.rig.fd));
	ASSERT_EQ(-EWOULDBLOCK, through(&self->o.rig.other, self->o.path, do_truncate, CUT, 0));
	EXPECT_EQ(RIG_SIZE, file_size(self->o.rig.path));
	EXPECT_EQ(0, lease_wait_state(self->o.rig.fd, LAYOUT_REVOKED, 1000 + QUICK));
	EXPECT_EQ(0, through(&self->o.rig.other, self->o.path, do_truncate, CUT, 0));
	EXPECT_EQ(CUT, file_size(self->o.rig.path));
}

TEST_F_TIMEOUT(overlay, an_unbreakable_lease_refuses_a_cut, 60)
{
	static const peer_fn cuts[] = { do_punch, do_truncate, do_ftruncate, do_open_trunc };
	unsigned int i;

	ASSERT_EQ(0, lease_take(self->o.rig.fd, LAYOUT_LEASE_UNBREAK, 0, 0, self->o.rig.event));
	for (i = 0; i < ARRAY_SIZE(cuts); i++) {
		EXPECT_EQ(-ETXTBSY, through(&self->o.rig.other, self->o.path, cuts[i], CUT, MIB))
			TH_LOG("cut %u", i);
		EXPECT_EQ(i + 1, lease_see(self->o.rig.fd).denied)
			TH_LOG("cut %u", i);
	}
	EXPECT_EQ(ARRAY_SIZE(cuts), lease_events(self->o.rig.event, QUICK));
	EXPECT_TRUE(rig_untouched(&self->o.rig));
	EXPECT_EQ(LAYOUT_ACTIVE, lease_see(self->o.rig.fd).state);
}

TEST_F(overlay, writing_through_it_is_free)
{
	ASSERT_EQ(0, lease_take(self->o.rig.fd, LAYOUT_LEASE_UNBREAK, 0, 0, self->o.rig.event));
	EXPECT_EQ(0, through(&self->o.rig.other, self->o.path, do_write, CUT, MIB));
	EXPECT_EQ(0, through(&self->o.rig.other, self->o.path, do_write, RIG_SIZE, MIB));
	EXPECT_EQ(0, through(&self->o.rig.other, self->o.path, do_allocate, 2 * RIG_SIZE, MIB));
	EXPECT_EQ(0, through(&self->o.rig.other, self->o.path, do_truncate, 4 * RIG_SIZE, 0));
	EXPECT_TRUE(rig_undisturbed(&self->o.rig));
	EXPECT_EQ(4 * RIG_SIZE, file_size(self->o.rig.path));
}

/* He has the lease, but what he cuts is another inode. */
TEST_F(overlay, a_holder_who_truncates_through_it_is_not_known)
{
	struct cut cut = cut_of(self->o.path, CUT, MIB);

	ASSERT_EQ(0, lease_take(self->o.rig.fd, 0, 0, 0, self->o.rig.event));
	EXPECT_EQ(-EWOULDBLOCK, do_truncate(&cut, -1));
	EXPECT_EQ(LAYOUT_BREAKING, lease_see(self->o.rig.fd).state);
	EXPECT_EQ(1, lease_events(self->o.rig.event, QUICK));
	EXPECT_TRUE(rig_untouched(&self->o.rig));
}

static long append(void *arg, int fd)
{
	struct cut *cut = arg;
	int ret;

	fd = file_open(cut->path, O_WRONLY | O_APPEND);
	if (fd < 0)
		return fd;
	ret = write(fd, "more", 4) == 4 ? 0 : -errno;
	close(fd);
	return ret;
}

static long append_to_copy(struct rig *rig, const char *path)
{
	return through(&rig->other, path, append, 0, 0);
}

/* A leased file is never shared: it is copied, and its holder not bothered. */
TEST_F_TIMEOUT(overlay, a_leased_lower_file_is_copied_up_in_peace, 60)
{
	char copy[FILE_PATH], upper[FILE_PATH];

	snprintf(copy, sizeof(copy), "%s/overlay/merged/low", variant->dir);
	snprintf(upper, sizeof(upper), "%s/overlay/upper/low", variant->dir);
	ASSERT_EQ(0, lease_take(self->o.low, LAYOUT_LEASE_UNBREAK, 0, 0, self->o.rig.event));
	EXPECT_EQ(-ENOENT, file_size(upper));
	EXPECT_EQ(0, append_to_copy(&self->o.rig, copy));
	EXPECT_EQ(0, lease_see(self->o.low).denied);
	EXPECT_EQ(0, lease_events(self->o.rig.event, 0));
	EXPECT_EQ(LAYOUT_ACTIVE, lease_see(self->o.low).state);
	EXPECT_EQ(RIG_SIZE + 4, file_size(upper));
	EXPECT_EQ(RIG_SIZE + 4, file_size(copy));
	EXPECT_TRUE(file_is(copy, 0, RIG_SIZE, RIG_FILL));
	EXPECT_TRUE(file_is(self->o.lower, 0, RIG_SIZE, RIG_FILL));
	EXPECT_EQ(RIG_SIZE, file_size(self->o.lower));
}

TEST_F_TIMEOUT(overlay, a_cut_of_a_leased_lower_file_meets_no_lease, 60)
{
	char copy[FILE_PATH];

	snprintf(copy, sizeof(copy), "%s/overlay/merged/low", variant->dir);
	ASSERT_EQ(0, lease_take(self->o.low, 0, 0, 0, self->o.rig.event));
	EXPECT_EQ(0, through(&self->o.rig.other, copy, do_truncate, CUT, 0));
	EXPECT_EQ(CUT, file_size(copy));
	EXPECT_EQ(0, through(&self->o.rig.other, copy, do_punch, 0, MIB));
	EXPECT_TRUE(file_is(copy, 0, MIB, 0));
	EXPECT_EQ(RIG_SIZE, file_size(self->o.lower));
	EXPECT_TRUE(file_is(self->o.lower, 0, RIG_SIZE, RIG_FILL));
	EXPECT_EQ(0, lease_events(self->o.rig.event, 0));
	EXPECT_EQ(LAYOUT_ACTIVE, lease_see(self->o.low).state);
}

/*
 * With pins, which need DAX
 */

FIXTURE(overlay_and_pins)
{
	struct overlay o;
	struct nic nic;
	char *map;			/* of the rig's file, through the overlay */
	int fd;
};

ON_DAX(overlay_and_pins);

FIXTURE_SETUP(overlay_and_pins)
{
	ASSERT_EQ(0, overlay_open(&self->o, variant->dir));
	ASSERT_EQ(0, nic_open(&self->nic, ENV_RXE));
	self->fd = file_open(self->o.path, O_RDWR);
	ASSERT_LE(0, self->fd);
	self->map = file_map(self->fd, RIG_SIZE);
	ASSERT_NE(NULL, self->map);
}

FIXTURE_TEARDOWN(overlay_and_pins)
{
	if (self->map)
		munmap(self->map, RIG_SIZE);
	close(self->fd);
	nic_close(&self->nic);
	EXPECT_EQ(0, overlay_close(&self->o));
}

/* What is mapped is the file below, whose lease counts for who holds it. */
TEST_F(overlay_and_pins, a_mapping_is_registered_under_a_lease_on_the_file_below)
{
	EXPECT_EQ(-EOPNOTSUPP, mr_try(&self->nic, self->map, RIG_SIZE, MR_SERVER));
	ASSERT_EQ(0, peer_take(&self->o.rig.third, &self->o.rig, 0));	/* a stranger's */
	EXPECT_EQ(-EOPNOTSUPP, mr_try(&self->nic, self->map, RIG_SIZE, MR_SERVER));
	ASSERT_EQ(0, lease_take_all(self->o.rig.fd));
	EXPECT_EQ(0, mr_try(&self->nic, self->map, RIG_SIZE, MR_SERVER));
	ASSERT_EQ(0, lease_drop(self->o.rig.fd));
	EXPECT_EQ(-EOPNOTSUPP, mr_try(&self->nic, self->map, RIG_SIZE, MR_SERVER));
}

TEST_F(overlay_and_pins, a_cut_through_it_is_stopped)
{
	struct ibv_mr *mr;

	ASSERT_EQ(0, lease_take_unbreak(self->o.rig.fd));
	ASSERT_EQ(0, mr_reg(&self->nic, self->map, RIG_SIZE, MR_SERVER, &mr));
	EXPECT_EQ(-ETXTBSY, through(&self->o.rig.other, self->o.path, do_truncate, CUT, 0));
	EXPECT_EQ(-ETXTBSY, through(&self->o.rig.other, self->o.path, do_punch, CUT, MIB));
	EXPECT_TRUE(rig_untouched(&self->o.rig));
	EXPECT_EQ(1, lease_see(self->o.rig.fd).pins);
	EXPECT_EQ(0, ibv_dereg_mr(mr));
}

/*
 * A loop device
 */

FIXTURE(loop)
{
	struct rig rig;
	char path[LOOP_PATH];
	int fd, device;
};

ON_ALL(loop);

FIXTURE_SETUP(loop)
{
	self->device = -1;
	ASSERT_EQ(0, rig_open(&self->rig, variant->dir));
	self->fd = self->rig.fd;
	self->device = loop_attach(self->rig.path, self->path);
	ASSERT_LE(0, self->device);
}

FIXTURE_TEARDOWN(loop)
{
	if (self->device >= 0)
		close(self->device);
	rig_close(&self->rig);
}

static long discard(void *arg, int fd)
{
	struct cut *cut = arg;
	__u64 range[2] = { cut->start, cut->len };
	int ret;

	fd = file_open(cut->path, O_RDWR);
	if (fd < 0)
		return fd;
	ret = ioctl(fd, BLKDISCARD, range) ? -errno : 0;
	close(fd);
	return ret;
}

static long read_byte(void *arg, int fd)
{
	struct cut *cut = arg;
	char byte;
	int ret;

	fd = file_open(cut->path, O_RDONLY);
	ret = pread(fd, &byte, 1, cut->start) == 1 ? byte : -errno;
	close(fd);
	return ret;
}

TEST_F(loop, a_discard_begins_a_break_and_fails)
{
	ASSERT_EQ(0, lease_take(self->fd, 0, 0, 0, self->rig.event));
	EXPECT_EQ(-EIO, through(&self->rig.other, self->path, discard, CUT, MIB));
	EXPECT_GT(QUICK, self->rig.other.ms);
	EXPECT_EQ(LAYOUT_BREAKING, lease_see(self->fd).state);
	EXPECT_EQ(CUT, lease_see(self->fd).break_start);
	EXPECT_EQ(MIB, lease_see(self->fd).break_len);
	EXPECT_EQ(1, lease_events(self->rig.event, QUICK));
	EXPECT_TRUE(rig_untouched(&self->rig));
	/* the device goes on to work */
	EXPECT_EQ(RIG_FILL, through(&self->rig.other, self->path, read_byte, CUT, 0));
}

TEST_F_TIMEOUT(loop, after_the_deadline_a_discard_works, 60)
{
	ASSERT_EQ(0, break_time_set(1));
	ASSERT_EQ(0, lease_take(self->fd, 0, 0, 0, self->rig.event));
	EXPECT_EQ(-EIO, through(&self->rig.other, self->path, discard, CUT, MIB));
	EXPECT_EQ(0, lease_wait_state(self->fd, LAYOUT_REVOKED, 1000 + QUICK));
	EXPECT_EQ(2, lease_events(self->rig.event, QUICK));	/* begun, revoked */
	EXPECT_TRUE(rig_untouched(&self->rig));
	EXPECT_EQ(0, through(&self->rig.other, self->path, discard, CUT, MIB));
	EXPECT_TRUE(file_is(self->rig.path, CUT, MIB, 0));
	EXPECT_TRUE(file_is(self->rig.path, CUT + MIB, MIB, RIG_FILL));
}

TEST_F(loop, an_unbreakable_lease_refuses_a_discard)
{
	ASSERT_EQ(0, lease_take(self->fd, LAYOUT_LEASE_UNBREAK, 0, 0, self->rig.event));
	EXPECT_EQ(-EIO, through(&self->rig.other, self->path, discard, CUT, MIB));
	EXPECT_GT(QUICK, self->rig.other.ms);
	EXPECT_EQ(1, lease_see(self->fd).denied);
	EXPECT_EQ(1, lease_events(self->rig.event, QUICK));
	EXPECT_TRUE(rig_untouched(&self->rig));
	EXPECT_EQ(LAYOUT_ACTIVE, lease_see(self->fd).state);
}

TEST_F(loop, writing_to_the_device_is_free)
{
	ASSERT_EQ(0, lease_take(self->fd, LAYOUT_LEASE_UNBREAK, 0, 0, self->rig.event));
	EXPECT_EQ(0, through(&self->rig.other, self->path, do_write, CUT, MIB));
	EXPECT_EQ(0, fsync(self->device));
	EXPECT_TRUE(file_is(self->rig.path, CUT, MIB, 'w'));
	EXPECT_TRUE(rig_undisturbed(&self->rig));
}

/*
 * File systems without layout leases.  An NFS client: nfs.c.
 */

static int refusal_of(const char *dir)
{
	char path[FILE_PATH];
	int fd, ret;

	snprintf(path, sizeof(path), "%s/file", dir);
	fd = file_open(path, O_RDWR | O_CREAT);
	ret = refusal(fd);
	close(fd);
	return ret;
}

TEST(file_systems_in_memory_have_none)
{
	char dir[] = "/tmp/ramfs";
	int huge = memfd_create("huge", MFD_HUGETLB);

	ASSERT_LE(0, huge);
	EXPECT_EQ(-EOPNOTSUPP, refusal(huge));
	EXPECT_EQ(-EOPNOTSUPP, refusal(memfd_create("memory", 0)));
	EXPECT_EQ(-EOPNOTSUPP, refusal_of("/dev/shm"));
	ASSERT_EQ(0, mkdir(dir, 0700));
	ASSERT_EQ(0, mount("ramfs", dir, "ramfs", 0, NULL));
	EXPECT_EQ(-EOPNOTSUPP, refusal_of(dir));
	EXPECT_EQ(0, umount2(dir, MNT_DETACH));
	unlink("/dev/shm/file");
	rmdir(dir);
}

TEST(ext2_has_none)
{
	const char *image = ENV_EXT4_NODAX "/image";
	char dir[] = "/tmp/ext2", device[LOOP_PATH], command[128];
	int fd = file_make(image, 8 * MIB, 0), loop, writer;

	ASSERT_LE(0, fd);
	writer = loop_attach(image, device);
	ASSERT_LE(0, writer);
	snprintf(command, sizeof(command), "mkfs.ext4 -q -t ext2 %s", device);
	ASSERT_EQ(0, system(command));
	/* what is open for writing cannot be mounted */
	loop = file_open(device, O_RDONLY);
	ASSERT_LE(0, loop);
	close(writer);
	ASSERT_EQ(0, mkdir(dir, 0700));
	EXPECT_EQ(0, mount(device, dir, "ext2", 0, NULL));
	EXPECT_EQ(-EOPNOTSUPP, refusal_of(dir));
	EXPECT_EQ(0, umount(dir));
	rmdir(dir);
	close(loop);
	close(fd);
	unlink(image);
}

TEST(what_is_no_regular_file_is_einval)
{
	int fd = file_open("/dev/zero", O_RDWR), sv[2];

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, sv));
	EXPECT_EQ(-EINVAL, lease_take_all(fd));
	EXPECT_EQ(-EINVAL, lease_take_all(sv[0]));
	close(fd);
	close(sv[0]);
	close(sv[1]);
}

TEST_HARNESS_MAIN
