/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A file system of the test's own, on persistent memory that may be taken away:
 * the guest's third piece, which nobody else uses.
 */
#ifndef FLAYOUT_TESTS_GROUND_H
#define FLAYOUT_TESTS_GROUND_H

#include <stdbool.h>

#define GROUND_DEVICE		"/dev/pmem2"
#define GROUND_NAMESPACE	"namespace2.0"
#define GROUND_DIR		"/mnt/ground"

/** run - run a shell command; 0, or a negative errno if it fails */
int run(const char *format, ...) __attribute__((format(printf, 1, 2)));

/** ground_make - a new file system ("ext4" or "xfs"), mounted with DAX; 0 or a negative errno */
int ground_make(const char *type);

/** ground_unmount - umount2(2) with MNT_* flags; 0 or a negative errno */
int ground_unmount(int flags);

/** ground_released - 0 once no file system uses the device; -ETIME after @ms */
int ground_released(unsigned int ms);

/** ground_remove - unbind the memory from its driver, as if unplugged; a peer_fn */
long ground_remove(void *arg, int fd);

/** ground_restore - undo everything: unmounted, the memory there and unpoisoned */
int ground_restore(void);

#endif
