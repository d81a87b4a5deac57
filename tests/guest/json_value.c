// SPDX-License-Identifier: GPL-2.0
/*
 * json_value POINTER: the value at a JSON pointer (RFC 6901) in what is read
 * from stdin; strings bare.  Exit status 1 if it is no JSON, or more than that,
 * 2 if there is nothing at the pointer.  The guest has no jq.
 */
#include <json-c/json.h>
#include <json-c/json_pointer.h>
#include <err.h>
#include <stdio.h>

static char text[1 << 20];

int main(int argc, char **argv)
{
	struct json_tokener *tokener = json_tokener_new();
	struct json_object *all, *value;
	size_t len;

	if (argc != 2)
		errx(3, "a POINTER is missing");
	len = fread(text, 1, sizeof(text) - 1, stdin);
	json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
	all = json_tokener_parse_ex(tokener, text, len + 1);
	if (!all)
		errx(1, "no JSON: %s",
		     json_tokener_error_desc(json_tokener_get_error(tokener)));
	if (json_pointer_get(all, argv[1], &value))
		errx(2, "nothing at %s", argv[1]);
	puts(value ? json_object_get_string(value) : "null");
	return 0;
}
