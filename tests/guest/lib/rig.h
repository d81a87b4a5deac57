/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What nearly every test starts from: a file of 8 MiB on one of the file
 * systems, an eventfd, and two other processes (which hold none of it).
 *
 * A fixture that contains a struct rig uses one of the ON_* lines for its
 * variants and calls rig_open() and rig_close().
 */
#ifndef FLAYOUT_TESTS_RIG_H
#define FLAYOUT_TESTS_RIG_H

#include <stdbool.h>

#include "../env.h"
#include "file.h"
#include "lease.h"
#include "peer.h"
#include "rdma.h"
#include "report.h"

#define RIG_SIZE	(8 * MIB)
#define RIG_FILL	'.'
#define PAGE		4096ULL

struct rig {
	char path[FILE_PATH];
	int fd;			/* O_RDWR; takes the lease in most tests */
	int event;		/* nonblocking eventfd */
	struct peer other;	/* the breaker, as a rule */
	struct peer third;
};

/** rig_open - make all of it below @dir; lease-break-time is the default */
int rig_open(struct rig *rig, const char *dir);

/** rig_close - undo all of it; may find descriptors closed (-1) */
void rig_close(struct rig *rig);

/** rig_anew - a new file in the place of the old one, with nothing of an earlier round */
int rig_anew(struct rig *rig);

/** rig_start - the other process begins @fn on the file */
int rig_start(struct rig *rig, peer_fn fn, __u64 start, __u64 len);

/** rig_other - the other process does @fn on the file; its result */
long rig_other(struct rig *rig, peer_fn fn, __u64 start, __u64 len);

/** peer_take - @peer opens the file and takes a lease on all of it; LAYOUT_LEASE_* in @flags */
long peer_take(struct peer *peer, struct rig *rig, unsigned int flags);

/** peer_lease_state - LAYOUT_* of the lease peer_take() took */
long peer_lease_state(struct peer *peer);

/** peer_lease_drop - drop it and close the description */
long peer_lease_drop(struct peer *peer);

/** rig_untouched - true if size and content are as made */
bool rig_untouched(struct rig *rig);

/** rig_undisturbed - true if the lease is ACTIVE, and nothing was denied nor told by eventfd */
bool rig_undisturbed(struct rig *rig);

/* A long time is longer than any break the tests wait for to its end. */
#define QUICK		env_ms(3000)
#define LONG		env_ms(20000)

#define ON(fixture, variant, mount, is_dax, is_xfs)			\
	FIXTURE_VARIANT_ADD(fixture, variant)				\
	{								\
		.dir = mount,						\
		.dax = is_dax,						\
		.xfs = is_xfs,						\
	}

#define ON_WHICH(fixture)						\
	FIXTURE_VARIANT(fixture)					\
	{								\
		const char *dir;					\
		bool dax, xfs;						\
	}

#define ON_ONE_EXT4_DAX(fixture)	ON(fixture, ext4, ENV_EXT4, true, false)
#define ON_ONE_XFS_DAX(fixture)		ON(fixture, xfs, ENV_XFS, true, true)
#define ON_ONE_EXT4_NODAX(fixture)	ON(fixture, ext4_nodax, ENV_EXT4_NODAX, false, false)
#define ON_ONE_XFS_NODAX(fixture)	ON(fixture, xfs_nodax, ENV_XFS_NODAX, false, true)

#define ON_DAX(fixture)							\
	ON_WHICH(fixture);						\
	ON_ONE_EXT4_DAX(fixture);					\
	ON_ONE_XFS_DAX(fixture)

#define ON_NODAX(fixture)						\
	ON_WHICH(fixture);						\
	ON_ONE_EXT4_NODAX(fixture);					\
	ON_ONE_XFS_NODAX(fixture)

#define ON_ALL(fixture)							\
	ON_DAX(fixture);						\
	ON_ONE_EXT4_NODAX(fixture);					\
	ON_ONE_XFS_NODAX(fixture)

#define ON_EXT4(fixture)						\
	ON_WHICH(fixture);						\
	ON_ONE_EXT4_DAX(fixture);					\
	ON_ONE_EXT4_NODAX(fixture)

#define ON_XFS(fixture)							\
	ON_WHICH(fixture);						\
	ON_ONE_XFS_DAX(fixture);					\
	ON_ONE_XFS_NODAX(fixture)

#define ON_XFS_DAX(fixture)						\
	ON_WHICH(fixture);						\
	ON_ONE_XFS_DAX(fixture)

#define ON_EXT4_NODAX(fixture)						\
	ON_WHICH(fixture);						\
	ON_ONE_EXT4_NODAX(fixture)

#define ON_XFS_NODAX(fixture)						\
	ON_WHICH(fixture);						\
	ON_ONE_XFS_NODAX(fixture)

#endif
