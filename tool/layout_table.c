// SPDX-License-Identifier: GPL-2.0
/*
 * Parser of /proc/layout_leases.  The table of fields below is the format; the
 * rest is a loop over lines, and over the fields of a line.
 */
#include "layout_table.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

#define IN_LEASE	(1U << LAYOUT_RECORD_LEASE)
#define IN_PIN		(1U << LAYOUT_RECORD_PIN)

/* A converter stores @text at @where and returns 0, -EBADMSG or -ENOMEM. */
typedef int (*convert_fn)(const char *text, void *where);

struct field {
	const char *key;
	unsigned int records;	/* IN_*: the kinds of record that must have it */
	convert_fn convert;
	size_t offset;
};

static int convert_number(const char *text, void *where)
{
	char *end;

	if (*text < '0' || *text > '9')
		return -EBADMSG;
	errno = 0;
	*(uint64_t *)where = strtoull(text, &end, 10);
	return errno || *end ? -EBADMSG : 0;
}

static int convert_end(const char *text, void *where)
{
	if (strcmp(text, "EOF"))
		return convert_number(text, where);
	*(uint64_t *)where = LAYOUT_TABLE_EOF;
	return 0;
}

static int convert_bool(const char *text, void *where)
{
	if (strcmp(text, "0") && strcmp(text, "1"))
		return -EBADMSG;
	*(bool *)where = *text == '1';
	return 0;
}

/* No live process may be known; the kernel then has no number to print. */
static int convert_pid(const char *text, void *where)
{
	if (!strcmp(text, "-")) {
		*(uint64_t *)where = 0;
		return 0;
	}
	return convert_number(text, where);
}

static bool is_octal(char c)
{
	return c >= '0' && c <= '7';
}

/* As in /proc/mounts: blanks, newlines and backslashes are \ooo. */
void layout_table_unescape(char *text)
{
	char *to = text;

	while (*text) {
		if (text[0] == '\\' && is_octal(text[1]) &&
		    is_octal(text[2]) && is_octal(text[3])) {
			*to++ = (text[1] - '0') << 6 | (text[2] - '0') << 3 |
				(text[3] - '0');
			text += 4;
		} else {
			*to++ = *text++;
		}
	}
	*to = '\0';
}

static int convert_string(const char *text, void *where)
{
	char **string = where;

	free(*string);
	*string = strdup(text);
	if (!*string)
		return -ENOMEM;
	layout_table_unescape(*string);
	return 0;
}

static int convert_dev(const char *text, void *where)
{
	struct layout_record *record = where;
	const char *colon = strchr(text, ':');
	char major[24];

	if (!colon || (size_t)(colon - text) >= sizeof(major))
		return -EBADMSG;
	memcpy(major, text, colon - text);
	major[colon - text] = '\0';
	return convert_number(major, &record->dev_major) ?:
		convert_number(colon + 1, &record->dev_minor);
}

#define FIELD(key, records, convert, member) \
	{ key, records, convert, offsetof(struct layout_record, member) }

static const struct field fields[] = {
	FIELD("id", IN_LEASE, convert_number, lease),
	FIELD("lease", IN_PIN, convert_number, lease),
	{ "dev", IN_LEASE, convert_dev, 0 },
	FIELD("ino", IN_LEASE, convert_number, ino),
	FIELD("kind", IN_PIN, convert_string, kind),
	FIELD("start", IN_LEASE | IN_PIN, convert_number, start),
	FIELD("end", IN_LEASE | IN_PIN, convert_end, end),
	FIELD("mode", IN_LEASE, convert_string, mode),
	FIELD("state", IN_LEASE, convert_string, state),
	FIELD("pins", IN_LEASE, convert_number, pins),
	FIELD("pages", IN_LEASE | IN_PIN, convert_number, pages),
	FIELD("denied", IN_LEASE, convert_number, denied),
	FIELD("write", IN_PIN, convert_bool, write),
	FIELD("pid", IN_LEASE | IN_PIN, convert_pid, pid),
	FIELD("comm", IN_LEASE | IN_PIN, convert_string, comm),
	FIELD("path", IN_LEASE | IN_PIN, convert_string, path),
};

#define NR_FIELDS	(sizeof(fields) / sizeof(fields[0]))

static void record_free(struct layout_record *record)
{
	free(record->comm);
	free(record->path);
	free(record->mode);
	free(record->state);
	free(record->kind);
}

void layout_table_free(struct layout_table *table)
{
	for (size_t i = 0; i < table->nr; i++)
		record_free(&table->records[i]);
	free(table->records);
	table->records = NULL;
	table->nr = 0;
}

static const struct field *find_field(const char *key, unsigned int in)
{
	for (size_t i = 0; i < NR_FIELDS; i++) {
		if (fields[i].records & in && !strcmp(fields[i].key, key))
			return &fields[i];
	}
	return NULL;
}

/* Cut the next key=value off *@rest; the path takes all that is left. */
static int next_pair(char **rest, char **key, char **value)
{
	char *equals = strchr(*rest, '=');
	char *end;

	if (!equals)
		return -EBADMSG;
	*equals = '\0';
	*key = *rest;
	*value = equals + 1;
	end = strcmp(*key, "path") ? strchr(*value, ' ') : NULL;
	if (end)
		*end++ = '\0';
	else
		end = *value + strlen(*value);
	*rest = end;
	return 0;
}

static int store_pairs(struct layout_record *record, char *rest,
		       unsigned int *seen, const char **culprit)
{
	while (*rest) {
		const struct field *field;
		char *key, *value;
		int ret;

		*culprit = rest;
		if (next_pair(&rest, &key, &value))
			return -EBADMSG;
		field = find_field(key, 1U << record->type);
		if (!field)
			continue;
		*culprit = field->key;
		ret = field->convert(value, (char *)record + field->offset);
		if (ret)
			return ret;
		*seen |= 1U << (field - fields);
	}
	return 0;
}

static int check_complete(const struct layout_record *record,
			  unsigned int seen, const char **culprit)
{
	for (size_t i = 0; i < NR_FIELDS; i++) {
		if (fields[i].records & 1U << record->type &&
		    !(seen & 1U << i)) {
			*culprit = fields[i].key;
			return -EBADMSG;
		}
	}
	return 0;
}

/* The first word of a line; -ENOENT for a kind of record not known here. */
static int record_type(const char *word, enum layout_record_type *type)
{
	if (!strcmp(word, "lease"))
		*type = LAYOUT_RECORD_LEASE;
	else if (!strcmp(word, "pin"))
		*type = LAYOUT_RECORD_PIN;
	else
		return -ENOENT;
	return 0;
}

static int parse_line(struct layout_record *record, char *line,
		      const char **culprit)
{
	unsigned int seen = 0;
	char *rest = strchr(line, ' ');
	int ret;

	*culprit = "fields";
	if (!rest)
		return -EBADMSG;
	*rest++ = '\0';
	if (record_type(line, &record->type))
		return -ENOENT;
	ret = store_pairs(record, rest, &seen, culprit);
	if (ret)
		return ret;
	/* Without a process its name is "-", which could be somebody's. */
	if (!record->pid && record->comm)
		*record->comm = '\0';
	return check_complete(record, seen, culprit);
}

static int append(struct layout_table *table,
		  const struct layout_record *record)
{
	struct layout_record *records;

	records = reallocarray(table->records, table->nr + 1, sizeof(*records));
	if (!records)
		return -ENOMEM;
	table->records = records;
	records[table->nr++] = *record;
	return 0;
}

static int add_line(struct layout_table *table, char *line, size_t number)
{
	struct layout_record record = { };
	const char *culprit;
	int ret;

	ret = parse_line(&record, line, &culprit);
	if (ret == -EBADMSG)
		snprintf(table->error, sizeof(table->error),
			 "line %zu: bad or missing '%.40s'", number, culprit);
	if (!ret)
		ret = append(table, &record);
	if (ret)
		record_free(&record);
	return ret == -ENOENT ? 0 : ret;
}

int layout_table_read(struct layout_table *table, FILE *file)
{
	size_t size = 0, number = 0;
	char *line = NULL;
	ssize_t len;
	int ret = 0;

	memset(table, 0, sizeof(*table));
	errno = 0;
	while (!ret && (len = getline(&line, &size, file)) > 0) {
		if (line[len - 1] == '\n')
			line[len - 1] = '\0';
		number++;
		if (*line)
			ret = add_line(table, line, number);
	}
	if (!ret && ferror(file))
		ret = -(errno ?: EIO);
	free(line);
	if (ret)
		layout_table_free(table);
	return ret;
}
