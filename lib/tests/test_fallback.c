// SPDX-License-Identifier: GPL-2.0
/*
 * Files, mappings and fallbacks on a kernel, or a file system, without layout
 * leases; what is refused, and in what words.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

#define SIZE		(64 * KIB)
#define RW		(PROT_READ | PROT_WRITE)

static bool says(struct flayout *fl, const char *words)
{
	return CHECK(strstr(flayout_message(fl), words) != NULL);
}

static struct flayout *bounce(size_t size, char **map)
{
	struct flayout *fl = open_file(size);
	void *addr = NULL;

	SAME(0, flayout_lease(fl, 0, 0, FLAYOUT_FALLBACK_BOUNCE));
	SAME(FLAYOUT_MODE_BOUNCE, flayout_mode(fl));
	SAME(0, flayout_map(fl, 0, SIZE, RW, &addr));
	*map = addr;
	return fl;
}

static void a_file_is_opened_once(void)
{
	struct flayout *fl;

	SAME(0, flayout_new(&fl));
	CHECK(!*flayout_message(fl));
	SAME(-EBADF, flayout_file(fl));
	SAME(-EBADF, flayout_lease(fl, 0, 0, 0));
	says(fl, "flayout_open() first");
	SAME(-ENOENT, flayout_open(fl, AT_FDCWD, "/nonexistent/file", O_RDWR, 0));
	says(fl, "No such file");
	SAME(-EINVAL, flayout_open(fl, AT_FDCWD, "/", O_RDONLY, 0));
	says(fl, "regular file");
	SAME(-EINVAL, flayout_open(fl, AT_FDCWD, NULL, O_RDONLY, 0));
	SAME(-EBADF, flayout_open_fd(fl, -1));
	SAME(0, flayout_open(fl, AT_FDCWD, "/etc/passwd", O_RDONLY, 0));
	CHECK(fcntl(flayout_file(fl), F_GETFD) & FD_CLOEXEC);
	SAME(-EBUSY, flayout_open(fl, AT_FDCWD, "/etc/passwd", O_RDONLY, 0));
	flayout_close(fl);
}

static void a_file_that_is_only_appended_to_is_refused(void)
{
	char name[] = "/tmp/flayout-test.XXXXXX";
	int fd = mkostemp(name, O_APPEND | O_CLOEXEC);
	struct flayout *fl;

	SAME(0, flayout_new(&fl));
	SAME(-EINVAL, flayout_open_fd(fl, fd));
	says(fl, "O_APPEND");
	SAME(0, unlink(name));
	SAME(-EINVAL, flayout_open(fl, AT_FDCWD, name, O_RDWR | O_CREAT | O_APPEND, 0600));
	says(fl, "O_APPEND");
	SAME(-1, access(name, F_OK));
	SAME(-EBADF, flayout_file(fl));
	SAME(0, fcntl(fd, F_SETFL, 0));
	SAME(0, flayout_open_fd(fl, fd));
	flayout_close(fl);
	close(fd);
}

static void a_path_is_relative_to_a_directory(void)
{
	int dir = open("/etc", O_PATH | O_DIRECTORY);
	struct flayout *fl;

	SAME(0, flayout_new(&fl));
	SAME(0, flayout_open(fl, dir, "passwd", O_RDONLY, 0));
	flayout_close(fl);
	close(dir);
}

static void the_callers_descriptor_stays_his(void)
{
	struct flayout *fl = open_file(SIZE);
	int fd = dup(flayout_file(fl));

	flayout_close(fl);
	SAME(0, flayout_new(&fl));
	SAME(0, flayout_open_fd(fl, fd));
	CHECK(flayout_file(fl) != fd);
	flayout_close(fl);
	CHECK(fcntl(fd, F_GETFD) >= 0);
	close(fd);
}

static void without_a_handle_nothing_works(void)
{
	struct flayout_status status;
	struct flayout_event event;
	void *addr;

	SAME(-EINVAL, flayout_new(NULL));
	SAME(-EINVAL, flayout_open(NULL, AT_FDCWD, "/", O_RDONLY, 0));
	SAME(-EINVAL, flayout_open_fd(NULL, 0));
	SAME(-EINVAL, flayout_lease(NULL, 0, 0, 0));
	SAME(-EINVAL, flayout_drop(NULL, 0));
	SAME(-EINVAL, flayout_let_go(NULL));
	SAME(-EINVAL, flayout_retake(NULL, 0));
	SAME(-EINVAL, flayout_status(NULL, &status, sizeof(status)));
	SAME(-EINVAL, flayout_map(NULL, 0, SIZE, RW, &addr));
	SAME(-EINVAL, flayout_unmap(NULL, &event));
	SAME(-EINVAL, flayout_sync_to_file(NULL, &event, 1));
	SAME(-EINVAL, flayout_sync_from_file(NULL, &event, 1));
	SAME(-EINVAL, flayout_next_event(NULL, &event, sizeof(event)));
	SAME(-EINVAL, flayout_set_callbacks(NULL, NULL, 0, NULL));
	SAME(-EINVAL, flayout_dispatch(NULL));
	SAME(-EINVAL, flayout_fd(NULL));
	SAME(-EINVAL, flayout_mode(NULL));
	CHECK(*flayout_message(NULL));
	flayout_detach(NULL);
	flayout_close(NULL);
}

static void an_error_is_the_default(void)
{
	struct flayout *fl = open_file(SIZE);
	void *addr;

	SAME(-EOPNOTSUPP, flayout_lease(fl, 0, 0, FLAYOUT_FALLBACK_ERROR));
	CHECK(strstr(flayout_message(fl), "no layout leases") ||
	      strstr(flayout_message(fl), "does not honour layout leases"));
	SAME(FLAYOUT_MODE_NONE, flayout_mode(fl));
	SAME(-EINVAL, flayout_map(fl, 0, SIZE, RW, &addr));
	says(fl, "lease first");
	SAME(-EINVAL, flayout_retake(fl, 0));
	flayout_close(fl);
}

static void bad_requests_are_refused(void)
{
	const unsigned int both = FLAYOUT_FALLBACK_ODP | FLAYOUT_FALLBACK_BOUNCE;
	struct flayout *fl = open_file(SIZE);

	SAME(-EINVAL, flayout_lease(fl, 0, 0, 0x80));
	SAME(-EINVAL, flayout_lease(fl, 0, 0, both));
	says(fl, "flayout_lease_for_pd");
	SAME(-EINVAL, flayout_lease(fl, 0, 0, FLAYOUT_FORCE_FALLBACK));
	SAME(-EINVAL, flayout_lease(fl, 1ULL << 63, 0, FLAYOUT_FALLBACK_ODP));
	SAME(-EINVAL, flayout_lease(fl, 4096, 1ULL << 63, FLAYOUT_FALLBACK_ODP));
	says(fl, "largest offset");
	SAME(0, flayout_lease(fl, 4096, (1ULL << 63) - 4096, FLAYOUT_FALLBACK_ODP));
	SAME(-EINVAL, flayout_drop(fl, 0x80));
	flayout_close(fl);
}

static void on_demand_maps_the_file(void)
{
	struct flayout *fl = open_file(SIZE);
	void *addr;

	SAME(0, flayout_lease(fl, 0, 0, FLAYOUT_FALLBACK_ODP));
	SAME(FLAYOUT_MODE_ODP, flayout_mode(fl));
	SAME(0, flayout_map(fl, 4096, SIZE - 4096, RW, &addr));
	memset(addr, 'm', 10);
	CHECK(file_has(fl, 4096, 10, 'm'));
	SAME(0, flayout_sync_to_file(fl, (char *)addr + 5, 3));
	SAME(0, flayout_sync_from_file(fl, addr, 3));
	SAME(0, flayout_unmap(fl, addr));
	flayout_close(fl);
}

static void a_copy_goes_to_the_file_when_told(void)
{
	char *map;
	struct flayout *fl = bounce(SIZE, &map);

	CHECK(all_are(map, SIZE, 'f'));
	memset(map, 'm', SIZE);
	CHECK(file_has(fl, 0, SIZE, 'f'));
	SAME(0, flayout_sync_to_file(fl, map + 100, 200));
	CHECK(file_has(fl, 0, 100, 'f'));
	CHECK(file_has(fl, 100, 200, 'm'));
	CHECK(file_has(fl, 300, SIZE - 300, 'f'));
	flayout_close(fl);
}

static void a_copy_comes_from_the_file_when_told(void)
{
	char *map;
	struct flayout *fl = bounce(SIZE, &map);

	SAME(3, pwrite(flayout_file(fl), "new", 3, 10));
	CHECK(all_are(map, SIZE, 'f'));
	SAME(0, flayout_sync_from_file(fl, map + 10, 3));
	CHECK(!memcmp(map + 8, "ffnewff", 7));
	flayout_close(fl);
}

static void a_copy_never_makes_the_file_longer(void)
{
	char *map;
	struct flayout *fl = bounce(SIZE / 2, &map);
	struct stat st;

	CHECK(all_are(map + SIZE / 2, SIZE / 2, 0));
	memset(map, 'm', SIZE);
	SAME(0, flayout_sync_to_file(fl, map, SIZE));
	CHECK(file_has(fl, 0, SIZE / 2, 'm'));
	SAME(0, flayout_sync_to_file(fl, map + SIZE / 2, 10));
	SAME(0, flayout_sync_to_file(fl, map + SIZE / 2 + 10, 10));
	SAME(0, fstat(flayout_file(fl), &st));
	SAME((long long)SIZE / 2, st.st_size);
	SAME(0, flayout_sync_from_file(fl, map, SIZE));
	CHECK(all_are(map + SIZE / 2, SIZE / 2, 0));
	flayout_close(fl);
}

static void a_copy_mapped_for_reading_is_not_written_back(void)
{
	struct flayout *fl = open_file(SIZE);
	void *addr;

	SAME(0, flayout_lease(fl, 0, 0, FLAYOUT_FALLBACK_BOUNCE));
	SAME(0, flayout_map(fl, 0, SIZE, PROT_READ, &addr));
	SAME(-EACCES, flayout_sync_to_file(fl, addr, 1));
	SAME(0, flayout_sync_from_file(fl, addr, 1));
	flayout_close(fl);
}

static void memory_is_checked(void)
{
	char *map;
	struct flayout *fl = bounce(SIZE, &map);
	void *addr;

	SAME(-EINVAL, flayout_map(fl, 1, SIZE, RW, &addr));
	SAME(-EINVAL, flayout_map(fl, 0, 0, RW, &addr));
	SAME(-EINVAL, flayout_map(fl, 0, SIZE, PROT_WRITE, &addr));
	SAME(-EINVAL, flayout_map(fl, 0, SIZE, RW | PROT_EXEC, &addr));
	SAME(-EINVAL, flayout_map(fl, 0, SIZE, RW, NULL));
	CHECK(flayout_map(fl, 0, 1ULL << 60, RW, &addr) < 0);
	SAME(-EINVAL, flayout_sync_to_file(fl, map + 1, SIZE));
	SAME(-EINVAL, flayout_sync_from_file(fl, map - 1, 2));
	SAME(-EINVAL, flayout_sync_to_file(fl, map + SIZE, 0));
	SAME(0, flayout_sync_to_file(fl, map, 0));
	SAME(-EINVAL, flayout_unmap(fl, map + 1));
	SAME(0, flayout_unmap(fl, map));
	SAME(-EINVAL, flayout_unmap(fl, map));
	flayout_close(fl);
}

static void what_is_mapped_stays_what_it_is(void)
{
	char *map;
	struct flayout *fl = bounce(SIZE, &map);

	SAME(-EBUSY, flayout_lease(fl, 0, 0, FLAYOUT_FALLBACK_ODP));
	says(fl, "unmap first");
	SAME(FLAYOUT_MODE_BOUNCE, flayout_mode(fl));
	SAME(0, flayout_lease(fl, 0, 0, FLAYOUT_FALLBACK_BOUNCE));
	SAME(0, flayout_unmap(fl, map));
	SAME(0, flayout_lease(fl, 0, 0, FLAYOUT_FALLBACK_ODP | FLAYOUT_FORCE_FALLBACK));
	SAME(FLAYOUT_MODE_ODP, flayout_mode(fl));
	flayout_close(fl);
}

static void a_fallback_has_no_events(void)
{
	static const struct flayout_callbacks none;
	struct flayout_status status;
	struct flayout_event event;
	char *map;
	struct flayout *fl = bounce(SIZE, &map);

	SAME(-EINVAL, flayout_dispatch(fl));
	SAME(0, flayout_set_callbacks(fl, &none, sizeof(none), NULL));
	CHECK(!readable(fl, 20));
	SAME(0, flayout_next_event(fl, &event, sizeof(event)));
	SAME(0, flayout_dispatch(fl));
	SAME(0, flayout_let_go(fl));
	SAME(0, flayout_drop(fl, 0));
	SAME(0, flayout_retake(fl, -1));
	SAME(0, flayout_status(fl, &status, sizeof(status)));
	SAME(FLAYOUT_MODE_BOUNCE, status.mode);
	SAME(FLAYOUT_STATE_NONE, status.state);
	SAME(-EINVAL, flayout_status(fl, NULL, 0));
	SAME(-EINVAL, flayout_next_event(fl, NULL, 0));
	SAME(0, flayout_set_callbacks(fl, NULL, 0, NULL));
	flayout_close(fl);
}

/* A program of the first version asks a later library, and the other way round. */
static void a_shorter_or_longer_struct_is_served(void)
{
	struct {
		struct flayout_status status;
		char more[64];
	} big;
	struct flayout *fl = open_file(SIZE);

	SAME(0, flayout_lease(fl, 0, 0, FLAYOUT_FALLBACK_ODP));
	memset(&big, 'x', sizeof(big));
	SAME(0, flayout_status(fl, &big.status, 4));
	SAME(FLAYOUT_MODE_ODP, big.status.mode);
	CHECK(all_are((char *)&big + 4, sizeof(big) - 4, 'x'));
	SAME(0, flayout_status(fl, &big.status, sizeof(big)));
	CHECK(all_are(big.more, sizeof(big.more), 0));
	flayout_close(fl);
}

static void a_child_may_close_what_it_inherits(void)
{
	char *map;
	struct flayout *fl = bounce(SIZE, &map);
	pid_t pid = fork();
	int status;

	if (!pid) {
		flayout_close(fl);
		_exit(0);
	}
	SAME(pid, waitpid(pid, &status, 0));
	SAME(0, status);
	map[0] = 'p';
	SAME(0, flayout_sync_to_file(fl, map, 1));
	CHECK(file_has(fl, 0, 1, 'p'));
	flayout_close(fl);
}

static void without_descriptors_there_is_no_handle(void)
{
	struct rlimit old, none;
	struct flayout *fl = (void *)1;

	getrlimit(RLIMIT_NOFILE, &old);
	none = old;
	none.rlim_cur = 0;
	setrlimit(RLIMIT_NOFILE, &none);
	SAME(-EMFILE, flayout_new(&fl));
	CHECK(!fl);
	setrlimit(RLIMIT_NOFILE, &old);
}

static void *use_a_lot(void *arg)
{
	struct flayout *fl = arg;
	struct flayout_status status;
	void *addr;

	for (int i = 0; i < 50; i++) {
		SAME(0, flayout_map(fl, 0, SIZE, RW, &addr));
		SAME(0, flayout_sync_to_file(fl, addr, SIZE));
		SAME(0, flayout_sync_from_file(fl, addr, SIZE));
		SAME(0, flayout_status(fl, &status, sizeof(status)));
		SAME(-EINVAL, flayout_unmap(fl, NULL));
		CHECK(*flayout_message(fl));
		SAME(0, flayout_unmap(fl, addr));
	}
	return NULL;
}

static void threads_share_a_handle(void)
{
	char *map;
	struct flayout *fl = bounce(SIZE, &map);
	pthread_t threads[4];

	for (int i = 0; i < 4; i++)
		SAME(0, pthread_create(&threads[i], NULL, use_a_lot, fl));
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	flayout_close(fl);
}

static const struct test tests[] = {
	TEST(a_file_is_opened_once),
	TEST(a_file_that_is_only_appended_to_is_refused),
	TEST(a_path_is_relative_to_a_directory),
	TEST(the_callers_descriptor_stays_his),
	TEST(without_a_handle_nothing_works),
	TEST(an_error_is_the_default),
	TEST(bad_requests_are_refused),
	TEST(on_demand_maps_the_file),
	TEST(a_copy_goes_to_the_file_when_told),
	TEST(a_copy_comes_from_the_file_when_told),
	TEST(a_copy_never_makes_the_file_longer),
	TEST(a_copy_mapped_for_reading_is_not_written_back),
	TEST(memory_is_checked),
	TEST(what_is_mapped_stays_what_it_is),
	TEST(a_fallback_has_no_events),
	TEST(a_shorter_or_longer_struct_is_served),
	TEST(a_child_may_close_what_it_inherits),
	TEST(without_descriptors_there_is_no_handle),
	TEST(threads_share_a_handle),
};

int main(void)
{
	return run_tests(tests, sizeof(tests) / sizeof(tests[0]));
}
