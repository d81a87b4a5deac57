// SPDX-License-Identifier: LGPL-2.1-or-later
/* Parts of files.  The kernel and programs write "to the end" as length 0. */
#include "private.h"

/* The largest DAX entry.  Leases of DAX files are rounded out to it, others to less. */
#define UNIT		(2ULL << 20)
/* No file reaches further. */
#define OFFSET_MAX	((uint64_t)INT64_MAX)

struct range fl_range_of(uint64_t start, uint64_t len)
{
	return (struct range){ start, len ? start + len : RANGE_EOF };
}

uint64_t fl_range_len(struct range range)
{
	return range.end == RANGE_EOF ? 0 : range.end - range.start;
}

bool fl_range_empty(struct range range)
{
	return range.start >= range.end;
}

bool fl_range_within(struct range inner, struct range outer)
{
	return outer.start <= inner.start && inner.end <= outer.end;
}

bool fl_range_is_valid(uint64_t start, uint64_t len)
{
	return start <= OFFSET_MAX && len <= OFFSET_MAX + 1 - start;
}

struct range fl_range_round_out(struct range range)
{
	range.start &= ~(UNIT - 1);
	if (range.end > OFFSET_MAX - UNIT)
		range.end = RANGE_EOF;
	else
		range.end = (range.end + UNIT - 1) & ~(UNIT - 1);
	return range;
}
