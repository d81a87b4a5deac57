// SPDX-License-Identifier: GPL-2.0
/* Names that anybody may have chosen, made fit to be printed. */
#include "printable.h"

#include <err.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "flayout.h"

#define ESCAPE_SIZE	4	/* \ooo */

/* How long the character is that begins with @byte; 0: none does. */
static size_t length_by(unsigned char byte)
{
	if (byte < 0x80)
		return 1;
	if (byte < 0xc0 || byte > 0xf4)
		return 0;
	return byte < 0xe0 ? 2 : byte < 0xf0 ? 3 : 4;
}

/*
 * The character @text begins with, and its length: 0 if that is no UTF-8, be it
 * for bytes that are missing, a longer form than needed, half of a surrogate
 * pair, or a number beyond Unicode.
 */
static uint32_t decode(const char *text, size_t *len)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	unsigned char first = *text;
	size_t wanted = length_by(first);
	uint32_t c = wanted > 1 ? first & (0x7f >> wanted) : first;

	*len = 0;
	for (size_t i = 1; i < wanted; i++) {
		if ((text[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (text[i] & 0x3f);
	}
	if (!wanted || c < least[wanted] || c > 0x10ffff ||
	    (c >= 0xd800 && c < 0xe000))
		return 0;
	*len = wanted;
	return c;
}

/* Some terminals obey those above ASCII as well. */
static bool is_control(uint32_t c)
{
	return c < 0x20 || (c >= 0x7f && c < 0xa0);
}

/* The length of the character @text begins with; 0 if its first byte is to be escaped. */
static size_t plain_length(const char *text, bool json)
{
	size_t len;
	uint32_t c = decode(text, &len);

	return len && !json && is_control(c) ? 0 : len;
}

char *printable(const char *text, bool json)
{
	char *copy = malloc(strlen(text) * ESCAPE_SIZE + 1), *to = copy;

	if (!copy)
		err(exit_failure, "cannot allocate");
	while (*text) {
		size_t len = plain_length(text, json);

		if (len)
			to = mempcpy(to, text, len);
		else
			to += sprintf(to, "\\%03o", (unsigned char)*text);
		text += len ?: 1;
	}
	*to = '\0';
	return copy;
}

void print_name(const char *name)
{
	char *copy = printable(name, false);

	fputs(copy, stdout);
	free(copy);
}
