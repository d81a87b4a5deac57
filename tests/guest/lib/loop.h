/* SPDX-License-Identifier: GPL-2.0 */
/* Loop devices over files. */
#ifndef FLAYOUT_TESTS_LOOP_H
#define FLAYOUT_TESTS_LOOP_H

#define LOOP_PATH	32

/**
 * loop_attach - make a loop device over a file
 * @path: the file; the device opens a description of its own
 * @device: out: the device's path (LOOP_PATH bytes)
 *
 * Return: a descriptor of the device, O_RDWR, or a negative errno.  The device
 * goes when it is closed for the last time.
 */
int loop_attach(const char *path, char *device);

#endif
