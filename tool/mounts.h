/* SPDX-License-Identifier: GPL-2.0 */
/* Mounted file systems, from /proc/self/mountinfo. */
#ifndef FLAYOUT_MOUNTS_H
#define FLAYOUT_MOUNTS_H

#include <stdbool.h>
#include <stdint.h>

struct mount {
	char *point;
	char *type;		/* ext4 */
	char *source;		/* /dev/pmem0 */
	char *options;		/* of mount and super block, separated by commas */
};

/*
 * The mount of that number (STATX_MNT_ID) if it is one of the device, else the
 * first one of the device; for mount_free().  false: not mounted here.
 */
bool mount_find(struct mount *mount, uint64_t id, uint64_t dev_major,
		uint64_t dev_minor);
void mount_free(struct mount *mount);

/* Its mount point, to be freed, or NULL. */
char *mount_point_of(uint64_t dev_major, uint64_t dev_minor);

/* Does @option ("ro", "dax=always") stand among the options? */
bool mount_has_option(const struct mount *mount, const char *option);

#endif
