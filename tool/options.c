// SPDX-License-Identifier: GPL-2.0
/* Arguments that several commands take. */
#include "options.h"

#include <ctype.h>
#include <err.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "flayout.h"

#define DAY_SECONDS	86400

uint64_t option_number(const char *arg, const char *what)
{
	unsigned long long value;
	char *end;

	errno = 0;
	value = strtoull(arg, &end, 10);
	if (errno || !isdigit((unsigned char)*arg) || *end || !value)
		errx(exit_failure, "'%s' is no %s number", arg, what);
	return value;
}

unsigned int option_seconds(const char *arg)
{
	char *end;
	double value = strtod(arg, &end);

	if (end == arg || *end || !(value >= 0 && value <= DAY_SECONDS))
		errx(exit_failure, "'%s' is no number of seconds up to %d", arg,
		     DAY_SECONDS);
	return value * 1000;
}

static bool scale(uint64_t *value, char unit)
{
	static const char units[] = "KMGT";
	const char *found = strchr(units, toupper((unsigned char)unit));
	unsigned int shift;

	if (!unit || !found)
		return false;
	shift = 10 * (found - units + 1);
	if (*value > UINT64_MAX >> shift)
		return false;
	*value <<= shift;
	return true;
}

uint64_t option_bytes(const char *arg, const char **end)
{
	uint64_t value;
	char *rest;

	errno = 0;
	value = strtoull(arg, &rest, 10);
	if (errno || !isdigit((unsigned char)*arg))
		errx(exit_failure, "'%s' is no number of bytes", arg);
	if (isalpha((unsigned char)*rest) && !scale(&value, *rest++))
		errx(exit_failure, "'%s' is no number of bytes; K, M, G, T may follow it",
		     arg);
	*end = rest;
	return value;
}

struct byte_range option_range(const char *arg)
{
	struct byte_range range = { };
	const char *end;

	range.start = option_bytes(arg, &end);
	if (*end == ':')
		range.len = option_bytes(end + 1, &end);
	else
		end = arg;	/* not a range */
	if (*end || range.start > INT64_MAX || range.len > INT64_MAX - range.start)
		errx(exit_failure, "'%s' is no range; START:LEN is wanted, in bytes, LEN 0 for all the rest",
		     arg);
	return range;
}

int option_signal(const char *arg)
{
	char *end;
	long number = strtol(arg, &end, 10);

	if (end != arg && !*end && number > 0 && number < NSIG)
		return number;
	if (!strncasecmp(arg, "SIG", 3))
		arg += 3;
	for (int i = 1; i < NSIG; i++) {
		if (sigabbrev_np(i) && !strcasecmp(sigabbrev_np(i), arg))
			return i;
	}
	errx(exit_failure, "'%s' is no signal; 'kill -l' names them", arg);
}
