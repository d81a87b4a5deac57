// SPDX-License-Identifier: GPL-2.0
/* A file system of the test's own; see ground.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../env.h"
#include "file.h"
#include "ground.h"
#include "peer.h"
#include "report.h"

#define DRIVER	"/sys/bus/nd/drivers/nd_pmem"

int run(const char *format, ...)
{
	char command[512];
	va_list args;

	va_start(args, format);
	vsnprintf(command, sizeof(command), format, args);
	va_end(args);
	return system(command) ? -ECHILD : 0;
}

int ground_make(const char *type)
{
	/* mkfs.xfs thinks it too small, outside of tests */
	int ret = strcmp(type, "xfs") ?
		run("mkfs.ext4 -q -F -b 4096 " GROUND_DEVICE) :
		run("mkfs.xfs -q -f --unsupported -m reflink=1,rmapbt=1 " GROUND_DEVICE " >/dev/null");

	if (ret)
		return ret;
	mkdir(GROUND_DIR, 0755);
	return mount(GROUND_DEVICE, GROUND_DIR, type, 0, "dax=always") ? -errno : 0;
}

int ground_unmount(int flags)
{
	return umount2(GROUND_DIR, flags) ? -errno : 0;
}

int ground_released(unsigned int ms)
{
	unsigned long end = now_ms() + ms;
	int fd;

	while ((fd = file_open(GROUND_DEVICE, O_RDONLY | O_EXCL)) == -EBUSY) {
		if (now_ms() > end)
			return -ETIME;
		usleep(10000);
	}
	if (fd < 0)
		return fd;
	close(fd);
	return 0;
}

long ground_remove(void *arg, int fd)
{
	(void)arg;
	(void)fd;
	return report_write(DRIVER "/unbind", GROUND_NAMESPACE);
}

/* New pages are made for the memory each time it is bound to the driver. */
int ground_restore(void)
{
	int ret;

	run("fsfreeze -u " GROUND_DIR " 2>/dev/null");
	while (!ground_unmount(MNT_DETACH))
		;
	rmdir(GROUND_DIR);
	ground_remove(NULL, -1);
	ret = report_write(DRIVER "/bind", GROUND_NAMESPACE);
	return ret ? ret : ground_released(env_ms(5000));
}
