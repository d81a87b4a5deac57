/* SPDX-License-Identifier: GPL-2.0 */
/* JSON where it is no table: libsmartcols makes that of "flayout list". */
#ifndef FLAYOUT_JSON_H
#define FLAYOUT_JSON_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stdint.h>

#include "layout_table.h"

/* Add a member; a NULL or empty string is null. */
void json_add(struct json_object *to, const char *key, struct json_object *value);
void json_add_number(struct json_object *to, const char *key, uint64_t value);
void json_add_string(struct json_object *to, const char *key, const char *value);
void json_add_bool(struct json_object *to, const char *key, bool value);

/* START and END; an open end is null. */
void json_add_range(struct json_object *to, uint64_t start, uint64_t end);

/* A process; null without one. */
void json_add_process(struct json_object *to, uint64_t pid, const char *comm);

/* A lease without its pins, or a pin; keys as of "flayout list --json". */
struct json_object *json_of_record(const struct layout_record *r);

/* A lease of the table, with "pin_list". */
struct json_object *json_of_lease(const struct layout_table *table,
				  const struct layout_record *lease);

/* Print, on one line or several, and free. */
void json_print(struct json_object *object, bool one_line);

#endif
