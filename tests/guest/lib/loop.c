// SPDX-License-Identifier: GPL-2.0
/* Loop devices over files; see loop.h. */
#include <errno.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "file.h"
#include "loop.h"

static int free_number(void)
{
	int control = file_open("/dev/loop-control", O_RDWR), ret;

	if (control < 0)
		return control;
	ret = ioctl(control, LOOP_CTL_GET_FREE);
	if (ret < 0)
		ret = -errno;
	close(control);
	return ret;
}

/* Detached by its last close, so that no test leaves one behind. */
static int configure(int device, const char *path)
{
	struct loop_config config = { .info.lo_flags = LO_FLAGS_AUTOCLEAR };
	int fd = file_open(path, O_RDWR), ret;

	if (fd < 0)
		return fd;
	config.fd = fd;
	ret = ioctl(device, LOOP_CONFIGURE, &config) ? -errno : 0;
	close(fd);
	return ret;
}

int loop_attach(const char *path, char *device)
{
	int number = free_number(), fd, ret;

	if (number < 0)
		return number;
	snprintf(device, LOOP_PATH, "/dev/loop%d", number);
	fd = file_open(device, O_RDWR);
	if (fd < 0)
		return fd;
	ret = configure(fd, path);
	if (ret)
		close(fd);
	return ret ? ret : fd;
}
