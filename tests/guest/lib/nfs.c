// SPDX-License-Identifier: GPL-2.0
/* The kernel's NFS server and client without their helpers; see nfs.h. */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "../env.h"
#include "file.h"
#include "nfs.h"
#include "report.h"

#define NFSD		"/proc/fs/nfsd/"
#define CACHES		"/proc/net/rpc/"
#define PIPES		"/run/rpc_pipefs"
#define FOREVER		"2147483647"	/* when an entry of a cache expires */

/* NFSEXP_*: of <linux/nfsd/export.h>, which is not for C library programs */
#define INSECURE_PORT	0x2
#define NOSUBTREECHECK	0x400
#define FSID		0x2000
#define PNFS		0x20000

static int mount_at(const char *type, const char *dir)
{
	if (mkdir(dir, 0755) && errno != EEXIST)
		return -errno;
	return mount(type, dir, type, 0, NULL) && errno != EBUSY ? -errno : 0;
}

static bool client_is_mounted(void)
{
	struct statfs fs;

	return !statfs(NFS_MOUNT, &fs) && fs.f_type == NFS_SUPER_MAGIC;
}

static bool served(const char *dir, bool pnfs)
{
	char line[REPORT_LINE], start[FILE_PATH];

	snprintf(start, sizeof(start), "%s\t", dir);
	return client_is_mounted() && report_find(NFSD "exports", start, "", line) == 1 &&
	       pnfs == !!strstr(line, "pnfs");
}

/* Port first, so that no thread ever looks for rpcbind. */
static int start_server(void)
{
	int ret = mount_at("nfsd", NFSD);

	if (!ret)
		ret = report_write(NFSD "versions", "-2 -3 +4 +4.1 +4.2\n");
	if (!ret)
		ret = report_write(NFSD "nfsv4gracetime", "10\n");	/* the least there is */
	if (!ret)
		ret = report_write(NFSD "portlist", "tcp 2049\n");
	return ret ? ret : report_write(NFSD "threads", "1\n");
}

/* This machine is the domain "lo", for which @dir is all there is. */
static int export(const char *dir, bool pnfs)
{
	unsigned int flags = INSECURE_PORT | NOSUBTREECHECK | FSID | (pnfs ? PNFS : 0);
	char line[REPORT_LINE];
	int ret;

	ret = report_write(CACHES "auth.unix.ip/channel", "nfsd 127.0.0.1 " FOREVER " lo\n");
	if (ret)
		return ret;
	snprintf(line, sizeof(line), "lo %s " FOREVER " %u %d %d 0\n", dir, flags, ENV_NOBODY,
		 ENV_NOBODY);
	ret = report_write(CACHES "nfsd.export/channel", line);
	if (ret)
		return ret;
	snprintf(line, sizeof(line), "lo 1 \\x00000000 " FOREVER " %s\n", dir);
	return report_write(CACHES "nfsd.fh/channel", line);
}

/* Nothing is remembered that the server might know better. */
static int mount_client(void)
{
	if (mkdir(NFS_MOUNT, 0755) && errno != EEXIST)
		return -errno;
	return mount("127.0.0.1:/", NFS_MOUNT, "nfs4", 0,
		     "vers=4.2,addr=127.0.0.1,clientaddr=127.0.0.1,actimeo=0,lookupcache=none") ?
	       -errno : 0;
}

/* Until then the server opens no file. */
static int await_end_of_grace(void)
{
	unsigned long end = now_ms() + env_ms(20000);
	char line[REPORT_LINE];

	while (report_find(NFSD "v4_end_grace", "Y", "", line) != 1) {
		if (now_ms() > end)
			return -ETIMEDOUT;
		usleep(100000);
	}
	return 0;
}

int nfs_serve(const char *dir, bool pnfs)
{
	int ret;

	if (served(dir, pnfs))
		return 0;
	nfs_stop();
	ret = pnfs ? mount_at("rpc_pipefs", PIPES) : 0;
	if (!ret)
		ret = start_server();
	if (!ret)
		ret = export(dir, pnfs);
	if (!ret)
		ret = mount_client();
	return ret ? ret : await_end_of_grace();
}

/* To stop a server that does not run would start it first. */
void nfs_stop(void)
{
	char line[REPORT_LINE];

	if (client_is_mounted() && umount(NFS_MOUNT))
		umount2(NFS_MOUNT, MNT_DETACH);
	if (report_find(NFSD "threads", "", "", line) == 1 && strcmp(line, "0"))
		report_write(NFSD "threads", "0\n");
}

/*
 * The client sends a description of the volume that it looks for; whatever it
 * says, there is only one.  The answer is a struct bl_dev_msg.
 */
static int pipe_fd = -1;

static long open_pipe(void *arg, int fd)
{
	pipe_fd = file_open(PIPES "/nfs/blocklayout", O_RDWR);
	return pipe_fd < 0 ? pipe_fd : 0;
}

static long answer(void *arg, int fd)
{
	const struct {
		__s32 status;
		__u32 major, minor;
	} found = { 1, major(*(dev_t *)arg), minor(*(dev_t *)arg) };
	struct pollfd pfd = { .fd = pipe_fd, .events = POLLIN };
	char question[4096];

	while (poll(&pfd, 1, -1) == 1)
		if (read(pipe_fd, question, sizeof(question)) > 0 &&
		    write(pipe_fd, &found, sizeof(found)) != sizeof(found))
			return -errno;
	return -errno;
}

int nfs_answer(struct peer *peer, const char *dir)
{
	struct stat st;
	long ret;

	if (stat(dir, &st))
		return -errno;
	ret = peer_spawn(peer);
	if (!ret)
		ret = peer_call(peer, open_pipe, NULL, 0, -1);
	return ret ? ret : peer_start(peer, answer, &st.st_dev, sizeof(st.st_dev), -1);
}

static pid_t program;

/* Not for the processes it has forked. */
static void stop_at_exit(void)
{
	if (getpid() == program)
		nfs_stop();
}

void nfs_stop_at_exit(void)
{
	program = getpid();
	atexit(stop_at_exit);
}
