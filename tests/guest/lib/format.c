// SPDX-License-Identifier: GPL-2.0
/* File systems made for one test; see format.h. */
#include <errno.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../env.h"
#include "file.h"
#include "format.h"
#include "ground.h"
#include "loop.h"

#define DATA	"/tmp/format.data"	/* files in memory, as large as they are written */
#define RT	"/tmp/format.rt"
#define SIZE	"512M"

/*
 * A loop device over a new file, or the persistent memory.  Return: a descriptor
 * that keeps the device, or a negative errno.
 */
static int device(const char *path, bool pmem, char *name)
{
	int ret;

	if (pmem) {
		snprintf(name, LOOP_PATH, GROUND_DEVICE);
		return file_open(GROUND_DEVICE, 0);
	}
	unlink(path);
	ret = run("truncate -s " SIZE " %s", path);
	return ret ? ret : loop_attach(path, name);
}

static int make(const struct format *format, const char *data, const char *rt)
{
	if (!format->rt)
		return run("mkfs.%s -q %s %s >/dev/null", format->type, format->mkfs, data);
	return run("mkfs.%s -q %s -r rtdev=%s,%s %s >/dev/null", format->type, format->mkfs, rt,
		   format->rt, data);
}

static int mount_on(const struct format *format, const char *data, const char *rt)
{
	char options[128];

	snprintf(options, sizeof(options), "%s%s%s%s", format->mount ? format->mount : "",
		 format->mount && format->rt ? "," : "", format->rt ? "rtdev=" : "", rt);
	mkdir(FORMAT_DIR, 0755);
	return mount(data, FORMAT_DIR, format->type, 0, options) ? -errno : 0;
}

/* Once mounted, the file system keeps the devices, and they go with it. */
int format_mount(const struct format *format)
{
	char data[LOOP_PATH], rt[LOOP_PATH] = "";
	int fd, rt_fd = -1, ret = 0;

	fd = device(DATA, format->pmem && !format->rt, data);
	if (fd < 0)
		return fd;
	if (format->rt)
		ret = rt_fd = device(RT, format->pmem, rt);
	if (ret >= 0)
		ret = make(format, data, rt);
	if (!ret)
		ret = mount_on(format, data, rt);
	if (rt_fd >= 0)
		close(rt_fd);
	close(fd);
	return ret;
}

int format_unmount(void)
{
	int ret = umount2(FORMAT_DIR, 0) ? -errno : 0;

	if (ret)
		umount2(FORMAT_DIR, MNT_DETACH);
	unlink(DATA);
	unlink(RT);
	rmdir(FORMAT_DIR);
	return ret;
}
