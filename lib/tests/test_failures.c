// SPDX-License-Identifier: GPL-2.0
/*
 * A chain of calls that succeeds, with each allocation and each descriptor in it
 * failing in turn: the error is reported, nothing leaks, and the handle can be
 * used and closed afterwards.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "check.h"
#include "fake_kernel.h"

#define SIZE	(4 * MIB)

/* The linker puts these in the place of the library's calls (--wrap). */
void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);

static int allowed = -1;	/* allocations until one fails; negative: all succeed */

static bool fails(void)
{
	return allowed >= 0 && !allowed--;
}

void *__wrap_malloc(size_t size)
{
	return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t n, size_t size)
{
	return fails() ? NULL : __real_calloc(n, size);
}

static int attach(struct flayout *fl, struct flayout_registration **reg)
{
	static struct fake_mr mr;
	void *addr;
	int ret;

	mr = (struct fake_mr){ .len = MIB };
	ret = flayout_lease(fl, 0, 0, 0);
	if (!ret)
		ret = flayout_map(fl, 0, SIZE, PROT_READ | PROT_WRITE, &addr);
	if (!ret)
		ret = flayout_attach(fl, addr, MIB, &fake_device, &mr, reg);
	return ret;
}

static int use(struct flayout *fl, int fd, struct flayout_registration **reg)
{
	static const struct flayout_callbacks none;
	int ret = flayout_open_fd(fl, fd);

	if (!ret)
		ret = flayout_set_callbacks(fl, &none, sizeof(none), NULL);
	return ret ? ret : attach(fl, reg);
}

/* The whole chain, once. */
static int chain(int fd)
{
	struct flayout_registration *reg = NULL;
	struct flayout *fl;
	int ret;

	fake_begin();
	ret = flayout_new(&fl);
	if (!ret) {
		ret = use(fl, fd, &reg);
		if (ret)
			CHECK(*flayout_message(fl));
	}
	flayout_detach(reg);
	flayout_close(fl);
	SAME(FLAYOUT_STATE_NONE, fake_state());
	return ret;
}

static int any_file(void)
{
	int fd = memfd_create("file", MFD_CLOEXEC);

	SAME(0, ftruncate(fd, SIZE));
	return fd;
}

static void each_allocation_may_fail(void)
{
	int fd = any_file();
	int n = -1, ret;

	do {
		allowed = ++n;
		ret = chain(fd);
		if (ret)
			SAME(-ENOMEM, ret);
	} while (ret && n < 100);
	allowed = -1;
	SAME(3, n);	/* the handle, the mapping, the registration */
	close(fd);
}

static int open_descriptors(void)
{
	int n = 0;

	for (int fd = 0; fd < 100; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

static void each_descriptor_may_fail(void)
{
	int fd = any_file();
	int before = open_descriptors();
	struct rlimit old, few;
	int n = 0, ret;

	getrlimit(RLIMIT_NOFILE, &old);
	few = old;
	do {
		few.rlim_cur = fd + 1 + n;
		setrlimit(RLIMIT_NOFILE, &few);
		ret = chain(fd);
		if (ret)
			SAME(-EMFILE, ret);
		SAME(before, open_descriptors());
	} while (ret && ++n < 100);
	setrlimit(RLIMIT_NOFILE, &old);
	SAME(4, n);	/* eventfd, epoll, the file, the timer */
	close(fd);
}

static const struct test tests[] = {
	TEST(each_allocation_may_fail),
	TEST(each_descriptor_may_fail),
};

int main(void)
{
	return run_tests(tests, sizeof(tests) / sizeof(tests[0]));
}
