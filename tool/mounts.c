// SPDX-License-Identifier: GPL-2.0
/* Mounted file systems, from /proc/self/mountinfo; see proc_pid_mountinfo(5). */
#include "mounts.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "layout_table.h"
#include "system.h"

#define NR_WORDS	6	/* before the optional fields */

static char *next_word(char **rest)
{
	return strsep(rest, " \n");
}

static char *unescaped(const char *word)
{
	char *copy = format_text("%s", word ?: "");

	layout_table_unescape(copy);
	return copy;
}

/* ID PARENT MAJ:MIN ROOT POINT OPTIONS [OPTIONAL]... - TYPE SOURCE OPTIONS */
static bool parse_line(char *line, uint64_t id, const char *device,
		       struct mount *mount)
{
	char *words[NR_WORDS], *word, *more;

	for (int i = 0; i < NR_WORDS; i++) {
		words[i] = next_word(&line);
		if (!words[i])
			return false;
	}
	if (strcmp(words[2], device) || (id && strtoull(words[0], NULL, 10) != id))
		return false;
	while ((word = next_word(&line)) && strcmp(word, "-"))
		;
	mount->point = unescaped(words[4]);
	mount->type = unescaped(next_word(&line));
	mount->source = unescaped(next_word(&line));
	more = next_word(&line);
	mount->options = format_text("%s,%s", words[5], more ?: "");
	return true;
}

/* @id 0: any mount of the device */
static bool find(struct mount *mount, uint64_t id, const char *device)
{
	FILE *file = system_open("/proc/self/mountinfo");
	bool found = false;
	size_t size = 0;
	char *line = NULL;

	while (file && !found && getline(&line, &size, file) > 0)
		found = parse_line(line, id, device, mount);
	if (file)
		fclose(file);
	free(line);
	return found;
}

bool mount_find(struct mount *mount, uint64_t id, uint64_t dev_major,
		uint64_t dev_minor)
{
	char *device = format_text("%" PRIu64 ":%" PRIu64, dev_major, dev_minor);
	bool found = find(mount, id, device) || (id && find(mount, 0, device));

	free(device);
	return found;
}

void mount_free(struct mount *mount)
{
	free(mount->point);
	free(mount->type);
	free(mount->source);
	free(mount->options);
	memset(mount, 0, sizeof(*mount));
}

char *mount_point_of(uint64_t dev_major, uint64_t dev_minor)
{
	struct mount mount;
	char *point;

	if (!mount_find(&mount, 0, dev_major, dev_minor))
		return NULL;
	point = mount.point;
	mount.point = NULL;
	mount_free(&mount);
	return point;
}

bool mount_has_option(const struct mount *mount, const char *option)
{
	size_t len = strlen(option);
	const char *at = mount->options;

	while ((at = strstr(at, option))) {
		if ((at == mount->options || at[-1] == ',') &&
		    (!at[len] || at[len] == ','))
			return true;
		at += len;
	}
	return false;
}
