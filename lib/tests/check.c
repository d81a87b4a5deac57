// SPDX-License-Identifier: GPL-2.0
/* See check.h. */
#include <err.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "check.h"

#define SECONDS		60	/* for each test; valgrind is slow */

static bool failed;

bool check(bool ok, const char *file, int line, const char *what, long long got)
{
	if (ok)
		return true;
	failed = true;
	printf("# %s:%d: not so: %s (%lld)\n", file, line, what, got);
	return false;
}

int run_tests(const struct test *tests, size_t count)
{
	int bad = 0;

	setvbuf(stdout, NULL, _IOLBF, 0);
	for (size_t i = 0; i < count; i++) {
		failed = false;
		alarm(SECONDS);
		tests[i].run();
		alarm(0);
		printf("%sok %zu %s\n", failed ? "not " : "", i + 1, tests[i].sentence);
		bad += failed;
	}
	printf("1..%zu\n", count);
	return bad ? EXIT_FAILURE : EXIT_SUCCESS;
}

static int make_file(size_t size)
{
	int fd = memfd_create("file", MFD_CLOEXEC);
	char *bytes = malloc(size + 1);

	if (fd < 0 || !bytes)
		err(1, "cannot make a file");
	memset(bytes, 'f', size);
	if (pwrite(fd, bytes, size, 0) != (ssize_t)size)
		err(1, "cannot write the file");
	free(bytes);
	return fd;
}

struct flayout *open_file(size_t size)
{
	int fd = make_file(size);
	struct flayout *fl;

	if (flayout_new(&fl) || flayout_open_fd(fl, fd))
		errx(1, "cannot open the file");
	close(fd);
	return fl;
}

bool all_are(const char *mem, size_t len, char byte)
{
	while (len && *mem == byte) {
		mem++;
		len--;
	}
	return !len;
}

bool file_has(struct flayout *fl, size_t at, size_t len, char byte)
{
	char *bytes = malloc(len);
	bool has = pread(flayout_file(fl), bytes, len, at) == (ssize_t)len &&
		   all_are(bytes, len, byte);

	free(bytes);
	return has;
}

bool readable(struct flayout *fl, int ms)
{
	struct pollfd pfd = { .fd = flayout_fd(fl), .events = POLLIN };

	return poll(&pfd, 1, ms) == 1;
}
