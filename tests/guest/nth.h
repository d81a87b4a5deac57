/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Each allocation, and each copy from or to user space, on a path of leases and
 * pins is made to fail, one after the other.  A call that fails says ENOMEM or
 * EFAULT, has changed nothing and leaked nothing, and works when it is made
 * again.  For kernels with fault injection.
 */
#ifndef FLAYOUT_TESTS_NTH_H
#define FLAYOUT_TESTS_NTH_H

#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <stdio.h>
#include <string.h>

#include "kselftest_harness.h"
#include "lib/failure.h"
#include "lib/rig.h"

#define POINTS		400	/* more there are not in any call */
#define REGION		(64 * KIB)
#define TEXT		8192

FIXTURE(nth)
{
	struct rig rig;
	struct nic nic;
	struct ibv_device **devices;
	struct ibv_context *ctx;
	struct ibv_mr *mr;
	struct io_uring ring;
	char *map, *two;
	char expected[TEXT];
	char path[64];			/* of a report */
	int fd, second;
	__u64 id;			/* of the lease */
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
static inline int read_all(const char *path, char *text)
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

static inline void see(struct seen *seen)
{
	memset(seen, 0, sizeof(*seen));
	read_all(REPORT_LEASES, seen->leases);
	seen->vm_pinned = report_vm_pinned();
	seen->pages = report_pinned_pages();
}

static inline const char *changed(const struct seen *before)
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

/* Returns false when there is no such point, or something is wrong. */
static inline bool fail_at(struct __test_metadata *_metadata, nth *self, const struct chain *chain,
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

static inline void sweep_all(struct __test_metadata *_metadata, nth *self, const struct chain *chain)
{
	unsigned int n = 1;

	while (n < POINTS && fail_at(_metadata, self, chain, n))
		n++;
	EXPECT_GT(POINTS, n);
	TH_LOG("%u points", self->points);
}

static inline void sweep(struct __test_metadata *_metadata, nth *self, const struct chain *chain)
{
	sweep_all(_metadata, self, chain);
	EXPECT_LT(0, self->points);
}

/* What takes something back must not depend on memory. */
static inline void sweep_nothing(struct __test_metadata *_metadata, nth *self, const struct chain *chain)
{
	sweep_all(_metadata, self, chain);
	EXPECT_EQ(0, self->points);
}

/*
 * What both programs do
 */

static inline int nothing(nth *self)
{
	return 0;
}

static inline int take(nth *self)
{
	return lease_take_all(self->fd);
}

static inline int drop(nth *self)
{
	return lease_drop(self->fd);
}

/* With O_NONBLOCK it has begun the break when it returns. */
static inline int call_cut(void *arg)
{
	nth *self = arg;

	return ftruncate(self->fd, 0) ? -errno : 0;
}

#endif
