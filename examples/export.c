// SPDX-License-Identifier: GPL-2.0
/* A file as memory that an RDMA device may reach; see export.h. */
#include "export.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

static const int all_access = IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_REMOTE_READ |
			      IBV_ACCESS_REMOTE_WRITE | IBV_ACCESS_REMOTE_ATOMIC;

static int complain(const struct export *export, const char *what, int ret)
{
	fprintf(stderr, "%s: cannot %s it: %s (%s)\n", export->path, what,
		flayout_message(export->fl), strerror(-ret));
	return ret;
}

/* As it is now: others may truncate it whenever they have broken the lease. */
static int64_t file_size(const struct export *export)
{
	struct stat st;

	return fstat(flayout_file(export->fl), &st) ? -errno : st.st_size;
}

static void unmap(struct export *export)
{
	flayout_dereg_mr(export->mr);
	export->mr = NULL;
	if (export->addr)
		flayout_unmap(export->fl, export->addr);
	export->addr = NULL;
	export->len = 0;
}

static int map(struct export *export, size_t len)
{
	int ret;

	/* Nothing of an empty file can be mapped.  That is no error. */
	if (!len)
		return 0;
	ret = flayout_map(export->fl, 0, len, PROT_READ | PROT_WRITE, &export->addr);
	if (ret)
		return complain(export, "map", ret);
	export->len = len;
	/* Holes get blocks here, as by any write: this may take a while. */
	ret = flayout_reg_mr(export->fl, export->pd, export->addr, len, all_access, &export->mr);
	return ret ? complain(export, "register", ret) : 0;
}

/*
 * A registration made anew by flayout_retake() has the old length.  If the file
 * has another one, start from the mapping.
 */
static int renew(struct export *export)
{
	int64_t size = file_size(export);

	if (size < 0)
		return complain(export, "look at", size);
	if ((size_t)size == export->len && (!size || flayout_mr_ibv(export->mr)))
		return 0;
	unmap(export);
	return map(export, size);
}

int export_open(struct export *export, struct ibv_pd *pd, const char *path)
{
	int ret = flayout_new(&export->fl);

	export->path = path;
	export->pd = pd;
	if (ret)
		return ret;
	ret = flayout_open(export->fl, AT_FDCWD, path, O_RDWR, 0);
	if (ret)
		return complain(export, "open", ret);
	/* The whole file, however long it becomes.  There is no way without a lease. */
	ret = flayout_lease_for_pd(export->fl, pd, 0, 0, FLAYOUT_FALLBACK_ERROR);
	return ret ? complain(export, "lease", ret) : renew(export);
}

int export_let_go(struct export *export)
{
	int ret = flayout_let_go(export->fl);

	return ret && ret != -EAGAIN ? complain(export, "let go of", ret) : ret;
}

int export_retake(struct export *export)
{
	int ret = flayout_retake(export->fl, 0);

	if (ret == -EAGAIN)
		return ret;
	if (ret < 0)
		return complain(export, "lease", ret);
	return renew(export);
}

struct message export_region(const struct export *export)
{
	struct ibv_mr *mr = flayout_mr_ibv(export->mr);

	if (!mr)
		return (struct message){ .type = MSG_REGION };
	return (struct message){
		.type = MSG_REGION,
		.rkey = mr->rkey,
		.addr = (uintptr_t)mr->addr,
		.len = mr->length,
	};
}

int export_sync(struct export *export, uint64_t addr, uint64_t len)
{
	uint64_t offset = addr - (uintptr_t)export->addr;

	/* It comes from a stranger. */
	if (!export->addr || offset > export->len || len > export->len - offset)
		return -EINVAL;
	return flayout_sync_to_file(export->fl, (char *)export->addr + offset, len);
}

void export_close(struct export *export)
{
	unmap(export);
	flayout_close(export->fl);
	export->fl = NULL;
}
