// SPDX-License-Identifier: GPL-2.0
/* A program of a user: built and run with what "make install" has installed, and nothing else. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include <flayout-verbs.h>

int main(int argc, char **argv)
{
	struct flayout *fl;
	void *addr;
	int ret = flayout_new(&fl);

	if (!ret)
		ret = flayout_open(fl, AT_FDCWD, argv[argc - 1], O_RDWR, 0);
	if (!ret)
		ret = flayout_lease(fl, 0, 0, FLAYOUT_FALLBACK_BOUNCE);
	if (!ret)
		ret = flayout_map(fl, 0, 4096, PROT_READ | PROT_WRITE, &addr);
	if (!ret) {
		memcpy(addr, "HELLO", 5);
		ret = flayout_sync_to_file(fl, addr, 5);
	}
	if (!ret && flayout_odp_supported(NULL) >= 0)
		ret = 1;
	if (ret)
		fprintf(stderr, "%s: %s\n", strerror(-ret), flayout_message(fl));
	flayout_close(fl);
	return ret != 0;
}
