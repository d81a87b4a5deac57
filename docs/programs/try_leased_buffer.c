// SPDX-License-Identifier: GPL-2.0
/*
 * Walks a registration of /dev/leased_buffer, the driver of
 * docs/integrator-guide.md, through all its ends, and says what it sees.
 *
 *	./try_leased_buffer FILE
 */
#define _GNU_SOURCE
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/layout_lease.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "leased_buffer.h"

#define PAGES	16
#define SIZE	(PAGES * 4096)

static int device, fd;
static char *map;

static void say(const char *what, int ret)
{
	printf("%s: %s\n", what, ret < 0 ? strerror(errno) : "success");
}

static int register_pages(void *addr)
{
	struct leased_buffer_range range = {
		.addr = (uintptr_t)addr,
		.npages = PAGES,
	};

	return ioctl(device, LEASED_BUFFER_REGISTER, &range);
}

static int take_lease(void)
{
	return fcntl(fd, F_SETLEASE, F_LAYOUT);
}

static int revoke_all(void)
{
	__u64 all = 0;

	return fcntl(fd, F_REVOKELAYOUT, &all);
}

static int device_writes(const char *text)
{
	return pwrite(device, text, strlen(text), 0);
}

static void *anonymous(void)
{
	return mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

int main(int argc, char **argv)
{
	char text[6] = "";

	if (argc != 2)
		errx(EXIT_FAILURE, "usage: try_leased_buffer FILE");
	device = open("/dev/leased_buffer", O_RDWR);
	fd = open(argv[1], O_RDWR);
	if (device < 0 || fd < 0)
		err(EXIT_FAILURE, "open");
	map = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED)
		err(EXIT_FAILURE, "mmap");

	say("register without a lease", register_pages(map));
	say("take a lease", take_lease());
	say("register", register_pages(map));
	say("the device writes", device_writes("hello"));
	if (pread(fd, text, 5, 0) != 5)
		err(EXIT_FAILURE, "pread");
	printf("the file begins with: %s\n", text);

	say("revoke", revoke_all());
	say("the device writes", device_writes("HELLO"));
	say("unregister", ioctl(device, LEASED_BUFFER_UNREGISTER));
	say("take a lease", take_lease());
	say("register", register_pages(map));

	munmap(map, SIZE);
	close(fd);
	puts("the buffer file is closed");
	say("the device writes", device_writes("HELLO"));
	say("register other memory", register_pages(anonymous()));
	return 0;
}
