/* SPDX-License-Identifier: GPL-2.0 */
/*
 * File systems made for one test, with features that those of the guest do not
 * have: on a loop device over a file in memory, or on the guest's third piece of
 * persistent memory (see ground.h) where DAX is wanted.
 */
#ifndef FLAYOUT_TESTS_FORMAT_H
#define FLAYOUT_TESTS_FORMAT_H

#include <stdbool.h>

#define FORMAT_DIR	"/mnt/format"	/* where it is mounted */

struct format {
	const char *type;	/* "ext4" or "xfs" */
	const char *mkfs;	/* options of mkfs.TYPE */
	const char *mount;	/* options of mount, or NULL */
	const char *rt;		/* mkfs's options of a realtime device, or NULL: none */
	bool pmem;		/* persistent memory holds it; with @rt, its realtime device */
};

/** format_mount - make it and mount it; 0 or a negative errno */
int format_mount(const struct format *format);

/** format_unmount - unmount it, and free what it was on; 0 or a negative errno */
int format_unmount(void);

#endif
