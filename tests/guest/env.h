/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the guest's init has set up for every guest program, in one place:
 * mount points, RDMA devices, and how slow the running kernel is.
 */
#ifndef FLAYOUT_TESTS_ENV_H
#define FLAYOUT_TESTS_ENV_H

#include <stdlib.h>
#include <unistd.h>

#define ENV_EXT4	"/mnt/ext4"		/* on pmem, dax=always */
#define ENV_XFS		"/mnt/xfs"		/* on pmem, dax=always, reflink=1 */
#define ENV_EXT4_NODAX	"/mnt/ext4-nodax"	/* through the page cache */
#define ENV_XFS_NODAX	"/mnt/xfs-nodax"	/* through the page cache, reflink=1 */

#define ENV_RXE		"rxe0"			/* soft-RoCE */
#define ENV_RXE_ADDR	"10.77.0.1"
#define ENV_SIW		"siw0"			/* soft-iWARP */
#define ENV_SIW_ADDR	"10.78.0.1"

#define ENV_NOBODY	65534			/* uid and gid of an ordinary user */

#define ENV_TRACING	"/sys/kernel/tracing"

#define KIB		1024ULL
#define MIB		(1024ULL * 1024)

/* What a DAX mapping is made of at most; leases are rounded out to it. */
#define ENV_DAX_ENTRY	(2 * MIB)

/**
 * env_ms - a time limit, stretched on slow kernels
 * @ms: milliseconds a release kernel needs at most
 *
 * The debug kernel (KASAN, lockdep) sets FLAYOUT_SLOW=1.
 */
static inline unsigned int env_ms(unsigned int ms)
{
	const char *slow = getenv("FLAYOUT_SLOW");

	return slow && atoi(slow) ? ms * 4 : ms;
}

#endif
