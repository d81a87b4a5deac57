// SPDX-License-Identifier: GPL-2.0
/*
 * demo-truncate: truncate(1) that says how long it took and how it ended, in
 * the words of talk.h.  Exit status 0 even if the truncate was refused.
 *
 *   demo-truncate FILE SIZE
 */
#include <err.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "talk.h"

int main(int argc, char **argv)
{
	uint64_t start;
	int ret;

	if (argc != 3)
		errx(EXIT_FAILURE, "usage: demo-truncate FILE SIZE");
	start = now_us();
	ret = truncate(argv[1], strtoll(argv[2], NULL, 0)) ? -errno : 0;
	say_result("truncated", ret, now_us() - start);
	return EXIT_SUCCESS;
}
