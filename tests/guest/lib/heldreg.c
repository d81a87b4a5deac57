// SPDX-License-Identifier: GPL-2.0
/* Registrations held in a fault; see heldreg.h. */
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../env.h"
#include "heldreg.h"

#define PAGE	4096

static int map_area(struct heldreg *reg, int fd, size_t len, bool pages_first)
{
	const int prot = PROT_READ | PROT_WRITE;
	char *file;

	reg->len = len + PAGE;
	reg->area = mmap(NULL, reg->len, prot, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (reg->area == MAP_FAILED) {
		reg->area = NULL;
		return -errno;
	}
	reg->hole = pages_first ? reg->area + len : reg->area;
	file = pages_first ? reg->area : reg->area + PAGE;
	if (mmap(file, len, prot, MAP_SHARED | MAP_FIXED, fd, 0) == MAP_FAILED)
		return -errno;
	return 0;
}

static int watch_hole(struct heldreg *reg)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register watch = {
		.range = { .start = (unsigned long)reg->hole, .len = PAGE },
		.mode = UFFDIO_REGISTER_MODE_MISSING,
	};

	reg->uffd = syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
	if (reg->uffd < 0 || ioctl(reg->uffd, UFFDIO_API, &api) ||
	    ioctl(reg->uffd, UFFDIO_REGISTER, &watch))
		return -errno;
	return 0;
}

static int register_region(struct heldreg *reg)
{
	return mr_reg(reg->arg, reg->area, reg->len, MR_SERVER, &reg->mr);
}

static void *run(void *arg)
{
	struct heldreg *reg = arg;

	reg->ret = reg->call(reg);
	return NULL;
}

static int wait_fault(struct heldreg *reg)
{
	struct pollfd pfd = { .fd = reg->uffd, .events = POLLIN };
	struct uffd_msg msg;

	if (poll(&pfd, 1, env_ms(10000)) <= 0)
		return -ETIME;
	return read(reg->uffd, &msg, sizeof(msg)) == sizeof(msg) ? 0 : -EIO;
}

int heldreg_start_call(struct heldreg *reg, heldreg_fn call, void *arg, int fd, size_t len,
		       bool pages_first)
{
	int ret;

	memset(reg, 0, sizeof(*reg));
	reg->call = call;
	reg->arg = arg;
	reg->uffd = -1;
	ret = map_area(reg, fd, len, pages_first);
	if (!ret)
		ret = watch_hole(reg);
	if (!ret)
		ret = -pthread_create(&reg->thread, NULL, run, reg);
	if (ret)
		return ret;
	reg->running = true;
	return wait_fault(reg);
}

int heldreg_start(struct heldreg *reg, struct nic *nic, int fd, size_t len, bool pages_first)
{
	return heldreg_start_call(reg, register_region, nic, fd, len, pages_first);
}

int heldreg_leave_file(struct heldreg *reg)
{
	char *file = reg->hole == reg->area ? reg->area + PAGE : reg->area;

	if (mmap(file, reg->len - PAGE, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED)
		return -errno;
	return 0;
}

int heldreg_finish(struct heldreg *reg)
{
	struct uffdio_zeropage zero = {
		.range = { .start = (unsigned long)reg->hole, .len = PAGE },
	};

	if (!reg->running)
		return reg->ret;
	ioctl(reg->uffd, UFFDIO_ZEROPAGE, &zero);
	pthread_join(reg->thread, NULL);
	reg->running = false;
	return reg->ret;
}

void heldreg_end(struct heldreg *reg)
{
	heldreg_finish(reg);
	if (reg->mr)
		ibv_dereg_mr(reg->mr);
	if (reg->uffd >= 0)
		close(reg->uffd);
	if (reg->area)
		munmap(reg->area, reg->len);
	memset(reg, 0, sizeof(*reg));
	reg->uffd = -1;
}
