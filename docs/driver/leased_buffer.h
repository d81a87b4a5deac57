/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/* The ioctls of /dev/leased_buffer, the driver of docs/integrator-guide.md. */
#ifndef LEASED_BUFFER_H
#define LEASED_BUFFER_H

#include <linux/ioctl.h>
#include <linux/types.h>

/**
 * struct leased_buffer_range - memory to register
 * @addr: first address, of the calling process; a multiple of the page size
 * @npages: pages
 */
struct leased_buffer_range {
	__u64 addr;
	__u64 npages;
};

/*
 * EOPNOTSUPP, EAGAIN, ENXIO, EFAULT: as for any registration, layout_lease(7)
 * EBUSY: there is a registration; EIO: the context is dead
 */
#define LEASED_BUFFER_REGISTER		_IOW('L', 1, struct leased_buffer_range)
/* ENOENT: there is no registration */
#define LEASED_BUFFER_UNREGISTER	_IO('L', 2)

#endif
