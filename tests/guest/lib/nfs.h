/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The kernel's NFS server for one of the file systems, and this machine as its
 * client.  No helper programs: the caches that mountd would fill are filled
 * once, for ever.
 */
#ifndef FLAYOUT_TESTS_NFS_H
#define FLAYOUT_TESTS_NFS_H

#include <stdbool.h>

#include "peer.h"

/* Where the client mounts what is served: not below /mnt, which is emptied. */
#define NFS_MOUNT	"/run/nfs"

/**
 * nfs_serve - serve a file system and mount it as a client (NFS 4.2)
 * @dir: its mount point
 * @pnfs: with block layouts
 *
 * By one thread: were it to sleep for a lease, all of the server would.  Does
 * nothing if it is so already; else it takes 11 s, most of them the server's
 * grace period.
 *
 * Return: 0 or a negative errno.
 */
int nfs_serve(const char *dir, bool pnfs);

/** nfs_stop - unmount and stop what nfs_serve() or a dead program has begun */
void nfs_stop(void);

/** nfs_stop_at_exit - the same when this process ends; its tests are processes of their own */
void nfs_stop_at_exit(void);

/**
 * nfs_answer - stand for blkmapd(8): tell the client where its blocks are
 * @peer: out: does nothing else; for peer_end()
 * @dir: what nfs_serve() serves
 *
 * Before the client's first I/O.
 *
 * Return: 0 or a negative errno.
 */
int nfs_answer(struct peer *peer, const char *dir);

#endif
