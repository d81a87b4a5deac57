// SPDX-License-Identifier: GPL-2.0
/*
 * An operation that a layout lease turns away changes no quota: the usage of the
 * file's owner and group is as before, as quotactl(2) tells it.
 */
#include <errno.h>
#include <sys/mman.h>
#include <sys/quota.h>
#include <sys/syscall.h>

#include "kselftest_harness.h"
#include "lib/format.h"
#include "lib/operation.h"
#include "lib/rig.h"

#define CUT	(4 * MIB)

#define EXT4(options)							\
	.type = "ext4",							\
	.mkfs = "-F -b 4096 -O quota -E quotatype=usrquota:grpquota",	\
	.mount = "usrquota,grpquota" options
#define XFS(options)							\
	.type = "xfs",							\
	.mkfs = "-f --unsupported -m reflink=1,rmapbt=1",		\
	.mount = "uquota,gquota" options

/* The file is nobody's, and the only one of his. */
#define QUOTA(name)							\
	FIXTURE(name)							\
	{								\
		struct rig rig;						\
		struct usage before;					\
	};								\
	FIXTURE_VARIANT(name)						\
	{								\
		struct format format;					\
		bool xfs, dax;						\
	};								\
	FIXTURE_SETUP(name)						\
	{								\
		ASSERT_EQ(0, format_mount(&variant->format));		\
		ASSERT_EQ(0, rig_open(&self->rig, FORMAT_DIR));		\
		ASSERT_EQ(0, fchown(self->rig.fd, ENV_NOBODY, ENV_NOBODY));	\
		ASSERT_EQ(0, usage_see(self->rig.fd, &self->before));	\
		ASSERT_LE(RIG_SIZE, self->before.space[USRQUOTA]);	\
		ASSERT_LE(RIG_SIZE, self->before.space[GRPQUOTA]);	\
	}								\
	FIXTURE_TEARDOWN(name)						\
	{								\
		rig_close(&self->rig);					\
		EXPECT_EQ(0, format_unmount());				\
	}

struct usage {
	__u64 space[MAXQUOTAS], files[MAXQUOTAS];	/* bytes; inodes */
};

/* The C library does not know quotactl_fd(2). */
static int ask(int fd, int type, struct usage *usage)
{
	struct dqblk quota;

	if (syscall(SYS_quotactl_fd, fd, QCMD(Q_GETQUOTA, type), ENV_NOBODY, &quota))
		return -errno;
	usage->space[type] = quota.dqb_curspace;
	usage->files[type] = quota.dqb_curinodes;
	return 0;
}

static int usage_see(int fd, struct usage *usage)
{
	int ret;

	memset(usage, 0, sizeof(*usage));
	/* what is reserved for delayed allocation counts, too */
	sync();
	ret = ask(fd, USRQUOTA, usage);
	return ret ? ret : ask(fd, GRPQUOTA, usage);
}

static bool usage_same(int fd, const struct usage *before)
{
	struct usage now;

	return !usage_see(fd, &now) && !memcmp(&now, before, sizeof(now));
}

QUOTA(quota)

FIXTURE_VARIANT_ADD(quota, ext4)
{
	.format = { EXT4(",dax=always"), .pmem = true },
	.dax = true,
};

FIXTURE_VARIANT_ADD(quota, xfs)
{
	.format = { XFS(",dax=always"), .pmem = true },
	.dax = true,
	.xfs = true,
};

FIXTURE_VARIANT_ADD(quota, ext4_nodax)
{
	.format = { EXT4("") },
};

FIXTURE_VARIANT_ADD(quota, xfs_nodax)
{
	.format = { XFS("") },
	.xfs = true,
};

/* Else the tests below prove nothing. */
TEST_F_TIMEOUT(quota, what_is_cut_counts_no_more, 120)
{
	struct usage now;
	int type;

	EXPECT_EQ(0, rig_other(&self->rig, do_truncate, CUT, 0));
	ASSERT_EQ(0, usage_see(self->rig.fd, &now));
	for (type = USRQUOTA; type <= GRPQUOTA; type++) {
		EXPECT_EQ(self->before.space[type] - (RIG_SIZE - CUT), now.space[type]);
		EXPECT_EQ(1, now.files[type]);
	}
}

TEST_F_TIMEOUT(quota, is_as_before_after_etxtbsy, 240)
{
	const struct operation *op;

	ASSERT_EQ(0, lease_take(self->rig.fd, LAYOUT_LEASE_UNBREAK, 0, 0, self->rig.event));
	EXPECT_TRUE(usage_same(self->rig.fd, &self->before));
	for_each_operation(op, variant, 0, 0) {
		long ret = rig_other(&self->rig, op->fn, 0, CUT);

		/* the file system lacks a feature for it: see layout_formats.c */
		EXPECT_TRUE(ret == -ETXTBSY || (ret == -EOPNOTSUPP && strstr(op->name, "_RANGE")))
			TH_LOG("%s: %ld", op->name, ret);
		EXPECT_TRUE(usage_same(self->rig.fd, &self->before))
			TH_LOG("%s", op->name);
	}
}

TEST_F_TIMEOUT(quota, is_as_before_after_ewouldblock, 120)
{
	static const peer_fn cuts[] = { do_ftruncate, do_open_trunc, do_punch, do_zero, do_collapse,
					do_insert };
	struct cut cut = cut_of(self->rig.path, 0, CUT);
	unsigned int i;

	cut.flags = O_RDWR | O_NONBLOCK;
	for (i = 0; i < ARRAY_SIZE(cuts); i++) {
		ASSERT_EQ(0, lease_take(self->rig.fd, 0, 0, 0, self->rig.event));
		EXPECT_EQ(-EWOULDBLOCK,
			  peer_call(&self->rig.other, cuts[i], &cut, sizeof(cut), -1))
			TH_LOG("cut %u", i);
		EXPECT_EQ(LAYOUT_BREAKING, lease_see(self->rig.fd).state);
		EXPECT_TRUE(usage_same(self->rig.fd, &self->before))
			TH_LOG("cut %u", i);
		ASSERT_EQ(0, lease_drop(self->rig.fd));
		EXPECT_TRUE(usage_same(self->rig.fd, &self->before))
			TH_LOG("cut %u", i);
	}
}

TEST_F_TIMEOUT(quota, is_as_before_after_eintr, 240)
{
	const struct operation *op;

	for_each_operation(op, variant, 0, OP_REFUSED) {
		ASSERT_EQ(0, lease_take(self->rig.fd, 0, 0, 0, self->rig.event));
		ASSERT_EQ(0, rig_start(&self->rig, op->fn, 0, CUT));
		EXPECT_EQ(1, lease_events(self->rig.event, QUICK))
			TH_LOG("%s", op->name);
		EXPECT_TRUE(peer_busy(&self->rig.other, 100));
		EXPECT_TRUE(usage_same(self->rig.fd, &self->before))
			TH_LOG("%s", op->name);
		peer_interrupt(&self->rig.other);
		EXPECT_EQ(-EINTR, peer_result(&self->rig.other, QUICK))
			TH_LOG("%s", op->name);
		ASSERT_EQ(0, lease_drop(self->rig.fd));
		EXPECT_TRUE(usage_same(self->rig.fd, &self->before))
			TH_LOG("%s", op->name);
	}
}

/*
 * EDEADLK is over one's own pins, which need DAX.
 */

QUOTA(quota_and_pins)

FIXTURE_VARIANT_ADD(quota_and_pins, ext4)
{
	.format = { EXT4(",dax=always"), .pmem = true },
	.dax = true,
};

FIXTURE_VARIANT_ADD(quota_and_pins, xfs)
{
	.format = { XFS(",dax=always"), .pmem = true },
	.dax = true,
	.xfs = true,
};

TEST_F_TIMEOUT(quota_and_pins, it_is_as_before_after_edeadlk, 120)
{
	struct cut cut = cut_of(self->rig.path, 0, CUT);
	const struct operation *op;
	struct ibv_mr *mr;
	struct nic nic;
	char *map;

	ASSERT_EQ(0, nic_open(&nic, ENV_RXE));
	ASSERT_EQ(0, lease_take(self->rig.fd, 0, 0, 0, self->rig.event));
	map = file_map(self->rig.fd, RIG_SIZE);
	ASSERT_NE(NULL, map);
	ASSERT_EQ(0, mr_reg(&nic, map, RIG_SIZE, MR_SERVER, &mr));
	for_each_operation(op, variant, 0, OP_REFUSED) {
		EXPECT_EQ(-EDEADLK, op->fn(&cut, -1))
			TH_LOG("%s", op->name);
		EXPECT_TRUE(usage_same(self->rig.fd, &self->before))
			TH_LOG("%s", op->name);
	}
	EXPECT_TRUE(rig_untouched(&self->rig));
	EXPECT_EQ(0, ibv_dereg_mr(mr));
	munmap(map, RIG_SIZE);
	nic_close(&nic);
}

TEST_HARNESS_MAIN
