// SPDX-License-Identifier: GPL-2.0
/*
 * Each allocation, and each copy from or to user space, on the paths of leases
 * and pins is made to fail, one after the other.  A call that fails says ENOMEM
 * or EFAULT, has changed nothing and leaked nothing, and works when it is made
 * again.  For kernels with fault injection.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "kselftest_harness.h"
#include "lib/failure.h"
#include "lib/rig.h"

#define POINTS		400	/* more there are not in any call */
#define HELD		3	/* leases the other process holds */
#define REGION		(64 * KIB)
#define TEXT		8192

FIXTURE(nth)
{
	struct rig rig;
	struct nic nic;
	struct ibv_device **devices;
	struct ibv_context *ctx;
	struct ibv_mr *mr;
	char *map, *two;
	char expected[TEXT];
	char path[64];			/* of a report */
	int fd, second;
	int want;			/* what the call returns when all goes well */
	unsigned int points;		/* that were made to fail */
};

ON_DAX(nth);

typedef FIXTURE_DATA(nth) nth;

FIXTURE_SETUP(nth)
{
	self->second = -1;
	ASSERT_EQ(0, failure_prepare());
	ASSERT_EQ(0, rig_open(&self->rig, variant->dir));
	self->fd = self->rig.fd;
	self->map = file_map(self->fd, RIG_SIZE);
	ASSERT_NE(NULL, self->map);
	ASSERT_EQ(0, nic_open(&self->nic, ENV_RXE));
}

FIXTURE_TEARDOWN(nth)
{
	if (self->mr)
		ibv_dereg_mr(self->mr);
	nic_close(&self->nic);
	rig_close(&self->rig);
}

/*
 * What may not change
 */

struct seen {
	char leases[TEXT];
	long vm_pinned, pages;
};

/* A whole file, read as a reader without buffers would; 0 or a negative errno. */
static int read_all(const char *path, char *text)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), ret = 0;
	ssize_t got, all = 0;

	if (fd < 0)
		return -errno;
	do {
		got = read(fd, text + all, TEXT - 1 - all);
		if (got < 0)
			ret = -errno;
		else
			all += got;
	} while (got > 0);
	text[all] = 0;
	close(fd);
	return ret;
}

static void see(struct seen *seen)
{
	memset(seen, 0, sizeof(*seen));
	read_all(REPORT_LEASES, seen->leases);
	seen->vm_pinned = report_vm_pinned();
	seen->pages = report_pinned_pages();
}

static const char *changed(const struct seen *before)
{
	struct seen now;

	see(&now);
	if (strcmp(now.leases, before->leases))
		return "leases";
	if (now.vm_pinned != before->vm_pinned)
		return "VmPin";
	return now.pages == before->pages ? "" : "pinned pages";
}

/*
 * One call chain: brought about, swept, undone
 */
struct chain {
	int (*prepare)(nth *self);
	int (*call)(void *self);
	int (*undo)(nth *self);
};

static int nothing(nth *self)
{
	return 0;
}

/* Returns false when there is no such point, or something is wrong. */
static bool fail_at(struct __test_metadata *_metadata, nth *self, const struct chain *chain,
		    unsigned int n)
{
	struct seen before;
	int hit, ret = -1;

	EXPECT_EQ(0, chain->prepare(self));
	see(&before);
	hit = failure_nth(n, chain->call, self, &ret);
	EXPECT_LE(0, hit);
	if (hit <= 0 || ret == self->want) {
		EXPECT_EQ(self->want, ret)
			TH_LOG("point %u, hit %d", n, hit);
	} else {
		EXPECT_TRUE(ret == -ENOMEM || ret == -EFAULT)
			TH_LOG("point %u: %s", n, strerror(-ret));
		EXPECT_STREQ("", changed(&before))
			TH_LOG("point %u: %s", n, strerror(-ret));
		EXPECT_EQ(self->want, chain->call(self))
			TH_LOG("point %u, again", n);
	}
	EXPECT_EQ(0, chain->undo(self));
	self->points += hit > 0;
	return hit > 0 && _metadata->exit_code != KSFT_FAIL;
}

static void sweep(struct __test_metadata *_metadata, nth *self, const struct chain *chain)
{
	unsigned int n = 1;

	while (n < POINTS && fail_at(_metadata, self, chain, n))
		n++;
	EXPECT_GT(POINTS, n);
	EXPECT_LT(0, self->points);
	TH_LOG("%u points", self->points);
}

/*
 * Taking and dropping
 */

static int take(nth *self)
{
	return lease_take_all(self->fd);
}

static int take_part(nth *self)
{
	return lease_take(self->fd, 0, 0, 2 * MIB, LEASE_NO_EVENT);
}

static int drop(nth *self)
{
	return lease_drop(self->fd);
}

static int call_take(void *self)
{
	return take(self);
}

static int call_drop(void *self)
{
	return drop(self);
}

static int call_take_told(void *arg)
{
	nth *self = arg;

	return lease_take(self->fd, LAYOUT_LEASE_UNBREAK, 0, 0, self->rig.event);
}

static int call_short_form(void *arg)
{
	nth *self = arg;

	return fcntl(self->fd, F_SETLEASE, F_LAYOUT) ? -errno : 0;
}

static int call_get(void *arg)
{
	nth *self = arg;
	struct layout_lease lease;

	return lease_get(self->fd, &lease);
}

/* A file nobody has ever taken a lease on. */
static int fresh_file(nth *self)
{
	close(self->fd);
	self->fd = self->rig.fd = file_make(self->rig.path, REGION, RIG_FILL);
	return self->fd < 0 ? self->fd : 0;
}

TEST_F(nth, first_take)
{
	sweep(_metadata, self, &(struct chain){ fresh_file, call_take, drop });
}

TEST_F(nth, take_in_the_short_form)
{
	sweep(_metadata, self, &(struct chain){ nothing, call_short_form, drop });
}

TEST_F(nth, take_with_an_eventfd)
{
	sweep(_metadata, self, &(struct chain){ nothing, call_take_told, drop });
}

TEST_F(nth, take_that_grows_a_lease)
{
	sweep(_metadata, self, &(struct chain){ take_part, call_take, drop });
}

static int call_shrink(void *self)
{
	return take_part(self);
}

TEST_F(nth, take_that_shrinks_a_lease)
{
	sweep(_metadata, self, &(struct chain){ take, call_shrink, drop });
}

/* Unsharing under the lease is the file system's: it may need what it likes. */
TEST_F(nth, drop)
{
	sweep(_metadata, self, &(struct chain){ take, call_drop, nothing });
}

TEST_F(nth, get)
{
	sweep(_metadata, self, &(struct chain){ take, call_get, drop });
}

/*
 * Breaking
 */

static int held[HELD];

static long hold(void *arg, int fd)
{
	struct cut *cut = arg;
	int i, ret = 0;

	for (i = 0; i < HELD && !ret; i++) {
		held[i] = file_open(cut->path, O_RDWR);
		ret = held[i] < 0 ? held[i] : lease_take(held[i], cut->flags, 0, 0, -1);
	}
	return ret;
}

static long let_go(void *arg, int fd)
{
	int i;

	for (i = 0; i < HELD; i++)
		close(held[i]);
	return 0;
}

static int hold_flags(nth *self, int flags)
{
	struct cut cut = cut_of(self->rig.path, 0, 0);

	cut.flags = flags;
	return peer_call(&self->rig.third, hold, &cut, sizeof(cut), -1);
}

static int others_hold(nth *self)
{
	return hold_flags(self, 0);
}

static int others_hold_fast(nth *self)
{
	return hold_flags(self, LAYOUT_LEASE_UNBREAK);
}

static int others_let_go(nth *self)
{
	return peer_call(&self->rig.third, let_go, NULL, 0, -1);
}

/* With O_NONBLOCK it has begun the break when it returns. */
static int call_cut(void *arg)
{
	nth *self = arg;

	return ftruncate(self->fd, 0) ? -errno : 0;
}

static int call_clone(void *arg)
{
	nth *self = arg;

	return ioctl(self->second, FICLONE, self->fd) ? -errno : 0;
}

TEST_F(nth, begin_of_a_break_of_three_leases)
{
	ASSERT_EQ(0, fcntl(self->fd, F_SETFL, O_NONBLOCK));
	self->want = -EWOULDBLOCK;
	sweep(_metadata, self, &(struct chain){ others_hold, call_cut, others_let_go });
	EXPECT_TRUE(rig_untouched(&self->rig));
}

TEST_F(nth, operation_that_three_leases_refuse)
{
	self->want = -ETXTBSY;
	sweep(_metadata, self, &(struct chain){ others_hold_fast, call_cut, others_let_go });
	EXPECT_TRUE(rig_untouched(&self->rig));
}

TEST_F(nth, sharing_that_three_leases_refuse)
{
	char path[FILE_PATH + 8];

	if (!variant->xfs)
		return;
	snprintf(path, sizeof(path), "%s.clone", self->rig.path);
	self->second = file_open(path, O_RDWR | O_CREAT);
	ASSERT_LE(0, self->second);
	self->want = -ETXTBSY;
	sweep(_metadata, self, &(struct chain){ others_hold, call_clone, others_let_go });
	close(self->second);
	unlink(path);
}

/*
 * Regions
 */

static int call_register(void *arg)
{
	nth *self = arg;

	return mr_reg(&self->nic, self->map, REGION, MR_SERVER, &self->mr);
}

static int deregister(nth *self)
{
	int ret = ibv_dereg_mr(self->mr);

	self->mr = NULL;
	return -ret;
}

static int take_and_register(nth *self)
{
	int ret = take(self);

	return ret ? ret : call_register(self);
}

static int deregister_and_drop(nth *self)
{
	int ret = deregister(self);

	return ret ? ret : drop(self);
}

TEST_F(nth, registration)
{
	sweep(_metadata, self, &(struct chain){ take, call_register, deregister_and_drop });
}

/* The page tables are empty: each page has to be faulted in. */
static int take_and_forget(nth *self)
{
	if (madvise(self->map, RIG_SIZE, MADV_DONTNEED))
		return -errno;
	return take(self);
}

TEST_F(nth, registration_that_faults)
{
	sweep(_metadata, self, &(struct chain){ take_and_forget, call_register,
						deregister_and_drop });
}

static int call_register_two(void *arg)
{
	nth *self = arg;

	return mr_reg(&self->nic, self->two, 3 * REGION, MR_SERVER, &self->mr);
}

static int take_two(nth *self)
{
	int ret = take(self);

	return ret ? ret : lease_take_all(self->second);
}

static int drop_two(nth *self)
{
	int ret = deregister_and_drop(self);

	return ret ? ret : lease_drop(self->second);
}

TEST_F(nth, registration_over_two_files_and_other_memory)
{
	const int prot = PROT_READ | PROT_WRITE;
	char path[FILE_PATH + 8];

	snprintf(path, sizeof(path), "%s.second", self->rig.path);
	self->second = file_make(path, REGION, RIG_FILL);
	ASSERT_LE(0, self->second);
	self->two = mmap(NULL, 3 * REGION, prot, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->two);
	ASSERT_NE(MAP_FAILED, mmap(self->two, REGION, prot, MAP_SHARED | MAP_FIXED, self->fd, 0));
	ASSERT_NE(MAP_FAILED, mmap(self->two + REGION, REGION, prot, MAP_SHARED | MAP_FIXED,
				   self->second, 0));
	sweep(_metadata, self, &(struct chain){ take_two, call_register_two, drop_two });
	close(self->second);
	munmap(self->two, 3 * REGION);
	unlink(path);
}

static int call_deregister(void *self)
{
	return deregister(self);
}

/* A region that could not be deregistered is still there. */
static int call_deregister_kept(void *arg)
{
	nth *self = arg;
	struct ibv_mr *mr = self->mr;
	int ret = call_deregister(arg);

	if (ret)
		self->mr = mr;
	return ret;
}

TEST_F(nth, deregistration)
{
	sweep(_metadata, self, &(struct chain){ take_and_register, call_deregister_kept, drop });
}

static int call_own_cut(void *arg)
{
	return call_cut(arg);
}

TEST_F(nth, operation_over_own_pins)
{
	self->want = -EDEADLK;
	sweep(_metadata, self, &(struct chain){ take_and_register, call_own_cut,
						deregister_and_drop });
}

static int call_revoke(void *arg)
{
	nth *self = arg;

	return lease_revoke(self->fd, lease_see(self->fd).id);
}

/* Nothing on this path may fail but finding out what is wanted. */
static int call_revoke_all(void *arg)
{
	nth *self = arg;
	__u64 all = 0;
	int ret = fcntl(self->fd, F_REVOKELAYOUT, &all) ? -errno : 0;

	return ret ? ret : lease_see(self->fd).pins ? -EBADMSG : 0;
}

TEST_F(nth, revocation)
{
	sweep(_metadata, self, &(struct chain){ take_and_register, call_revoke, deregister });
}

TEST_F(nth, revocation_of_all)
{
	sweep(_metadata, self, &(struct chain){ take_and_register, call_revoke_all, deregister });
}

/*
 * Contexts, and the end of a buffer file
 */

static int open_served(nth *self)
{
	char *map;
	int ret;

	self->second = file_open(self->rig.path, O_RDWR);
	map = self->second < 0 ? NULL : file_map(self->second, REGION);
	if (!map)
		return -errno;
	ret = lease_take_all(self->second);
	if (!ret)
		ret = mr_reg(&self->nic, map, REGION, MR_SERVER, &self->mr);
	munmap(map, REGION);
	return ret;
}

/* A close always succeeds; what it has to end has ended when it returns. */
static int call_close(void *arg)
{
	nth *self = arg;

	close(self->second);
	self->second = -1;
	return 0;
}

static int context_is_dead(nth *self)
{
	char line[REPORT_LINE], page[PAGE];
	struct ibv_mr *mr;

	if (report_find(REPORT_LEASES, "", "", line) != 0)
		return -EBUSY;
	if (mr_reg(&self->nic, page, sizeof(page), MR_SERVER, &mr) != -EIO)
		return -EBADMSG;
	ibv_dereg_mr(self->mr);
	self->mr = NULL;
	nic_close(&self->nic);
	return nic_open(&self->nic, ENV_RXE);
}

TEST_F(nth, close_of_a_file_with_pins)
{
	sweep(_metadata, self, &(struct chain){ open_served, call_close, context_is_dead });
}

static int call_open_context(void *arg)
{
	nth *self = arg;
	int i;

	for (i = 0; strcmp(ibv_get_device_name(self->devices[i]), ENV_RXE); i++)
		;
	errno = ENOMEM;
	self->ctx = ibv_open_device(self->devices[i]);
	return self->ctx ? 0 : -ENOMEM;		/* the library has its own reasons */
}

static int close_context(nth *self)
{
	return -ibv_close_device(self->ctx);
}

TEST_F(nth, open_of_a_context)
{
	self->devices = ibv_get_device_list(NULL);
	ASSERT_NE(NULL, self->devices);
	sweep(_metadata, self, &(struct chain){ nothing, call_open_context, close_context });
	ibv_free_device_list(self->devices);
}

/*
 * Reports say all, or that they cannot
 */

static int call_report(void *arg)
{
	nth *self = arg;
	char text[TEXT];
	int ret = read_all(self->path, text);

	if (ret)
		return ret;
	return strcmp(text, self->expected) ? -EBADMSG : 0;
}

static void sweep_report(struct __test_metadata *_metadata, nth *self, const char *path)
{
	snprintf(self->path, sizeof(self->path), "%s", path);
	ASSERT_EQ(0, take_and_register(self));
	ASSERT_EQ(0, read_all(self->path, self->expected));
	sweep(_metadata, self, &(struct chain){ nothing, call_report, nothing });
	EXPECT_EQ(0, deregister_and_drop(self));
}

TEST_F(nth, layout_leases)
{
	sweep_report(_metadata, self, REPORT_LEASES);
}

TEST_F(nth, file_pins)
{
	sweep_report(_metadata, self, "/proc/self/file_pins");
}

TEST_F(nth, locks)
{
	sweep_report(_metadata, self, "/proc/locks");
}

TEST_F(nth, fdinfo_of_a_context)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", self->nic.ctx->cmd_fd);
	sweep_report(_metadata, self, path);
}

TEST_HARNESS_MAIN
