/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Tests of the library that need no kernel support, as TAP: a table of
 * sentences and functions, each of which runs with a time limit.
 */
#ifndef FLAYOUT_TESTS_CHECK_H
#define FLAYOUT_TESTS_CHECK_H

#include <stdbool.h>
#include <stddef.h>

#include <flayout.h>

struct test {
	const char *sentence;
	void (*run)(void);
};

#define TEST(function)	{ #function, function }

/* run_tests - the exit status of main() */
int run_tests(const struct test *tests, size_t count);

/* check - note a failure of the running test unless @ok; for the macros */
bool check(bool ok, const char *file, int line, const char *what, long long got);

#define CHECK(condition)	check(condition, __FILE__, __LINE__, #condition, 0)
#define SAME(wanted, expression)						\
	({									\
		long long got_ = (expression);					\
		check(got_ == (wanted), __FILE__, __LINE__, #expression " is " #wanted, got_);	\
	})

#define KIB		1024ULL
#define MIB		(1024ULL * 1024)

/* open_file - a handle on a new file of @size bytes 'f', without a name; never fails */
struct flayout *open_file(size_t size);

/* file_has - true if [@at, @at+@len) of the handle's file holds only @byte */
bool file_has(struct flayout *fl, size_t at, size_t len, char byte);

/* all_are - true if @len bytes at @mem are @byte */
bool all_are(const char *mem, size_t len, char byte);

/* readable - true if the handle's descriptor is, within @ms */
bool readable(struct flayout *fl, int ms);

#endif
