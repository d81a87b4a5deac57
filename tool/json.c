// SPDX-License-Identifier: GPL-2.0
/* JSON where it is no table. */
#include "json.h"

#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "flayout.h"
#include "leases.h"
#include "printable.h"
#include "system.h"

void json_add(struct json_object *to, const char *key, struct json_object *value)
{
	if (json_object_object_add(to, key, value))
		err(exit_failure, "cannot allocate");
}

void json_add_number(struct json_object *to, const char *key, uint64_t value)
{
	json_add(to, key, json_object_new_uint64(value));
}

void json_add_string(struct json_object *to, const char *key, const char *value)
{
	char *copy;

	if (!value || !*value) {
		json_add(to, key, NULL);
		return;
	}
	copy = printable(value, true);
	json_add(to, key, json_object_new_string(copy));
	free(copy);
}

void json_add_bool(struct json_object *to, const char *key, bool value)
{
	json_add(to, key, json_object_new_boolean(value));
}

void json_add_range(struct json_object *to, uint64_t start, uint64_t end)
{
	json_add_number(to, "start", start);
	if (end == LAYOUT_TABLE_EOF)
		json_add(to, "end", NULL);
	else
		json_add_number(to, "end", end);
}

void json_add_process(struct json_object *to, uint64_t pid, const char *comm)
{
	json_add_string(to, "command", comm);
	if (pid)
		json_add_number(to, "pid", pid);
	else
		json_add(to, "pid", NULL);
}

static void add_lease(struct json_object *to, const struct layout_record *r)
{
	char *device = format_text("%ju:%ju", (uintmax_t)r->dev_major,
				   (uintmax_t)r->dev_minor);

	json_add_string(to, "mode", r->mode);
	json_add_string(to, "state", r->state);
	json_add_number(to, "pins", r->pins);
	json_add_number(to, "denied", r->denied);
	json_add_string(to, "maj:min", device);
	json_add_number(to, "inode", r->ino);
	free(device);
}

struct json_object *json_of_record(const struct layout_record *r)
{
	struct json_object *object = json_object_new_object();

	json_add_string(object, "type", is_lease(r) ? "lease" : r->kind);
	json_add_number(object, "id", r->lease);
	json_add_range(object, r->start, r->end);
	if (is_lease(r))
		add_lease(object, r);
	else
		json_add_bool(object, "write", r->write);
	json_add_number(object, "pages", r->pages);
	json_add_number(object, "bytes", r->pages * sysconf(_SC_PAGESIZE));
	json_add_process(object, r->pid, r->comm);
	json_add_string(object, "path", r->path);
	return object;
}

struct json_object *json_of_lease(const struct layout_table *table,
				  const struct layout_record *lease)
{
	struct json_object *object = json_of_record(lease);
	struct json_object *pins = json_object_new_array();

	for (size_t i = 0; i < table->nr; i++) {
		if (is_pin_of(&table->records[i], lease))
			json_object_array_add(pins, json_of_record(&table->records[i]));
	}
	json_add(object, "pin_list", pins);
	return object;
}

void json_print(struct json_object *object, bool one_line)
{
	int flags = JSON_C_TO_STRING_NOSLASHESCAPE |
		(one_line ? JSON_C_TO_STRING_PLAIN :
		 JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED);

	puts(json_object_to_json_string_ext(object, flags));
	json_object_put(object);
}
