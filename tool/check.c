// SPDX-License-Identifier: GPL-2.0
/* flayout check: are a file and its system fit for leases, and what is to be changed? */
#include "check.h"

#include <err.h>
#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "flayout.h"
#include "json.h"
#include "printable.h"

struct finding {
	const char *name;
	const char *advice;
	char *text;
	int level;		/* CHECK_* */
};

static const char * const levels[] = {
	[CHECK_FIT] = "ok", [CHECK_WARNING] = "warning",
	[CHECK_PROBLEM] = "problem",
};

static void help(void)
{
	puts("Usage: flayout check [OPTIONS] FILE\n"
	     "\n"
	     "Find out whether FILE, its file system, the kernel, limits and RDMA devices are\n"
	     "fit for long-term pins under a layout lease, and what to change.  Asks as the\n"
	     "user who runs it; takes no lease.\n"
	     "\n"
	     "Options:\n"
	     "  -J, --json      JSON output\n"
	     "  -q, --quiet     only what is to be changed\n"
	     "      --rdma DEV  this RDMA device is to be used\n"
	     "  -h, --help      this text\n"
	     "\n"
	     "Exit status: 0 if all is well, 1 with warnings, 2 with problems, 125 if that\n"
	     "cannot be told.");
}

void found(struct check *check, int level, const char *name, const char *advice,
	   const char *format, ...)
{
	struct finding *finding;
	va_list ap;

	check->findings = reallocarray(check->findings, check->nr + 1,
				       sizeof(*check->findings));
	if (!check->findings)
		err(exit_failure, "cannot allocate");
	finding = &check->findings[check->nr++];
	*finding = (struct finding){ name, advice, NULL, level };
	va_start(ap, format);
	if (vasprintf(&finding->text, format, ap) < 0)
		err(exit_failure, "cannot allocate");
	va_end(ap);
}

static void ask_all(struct check *check)
{
	check_kernel(check);
	check_file_system(check);
	check_dax(check);
	check_blocks(check);
	check_permission(check);
	check_settings(check);
	check_memlock(check);
	check_rdma(check);
}

static int worst(const struct check *check)
{
	int level = CHECK_FIT;

	for (size_t i = 0; i < check->nr; i++) {
		if (check->findings[i].level > level)
			level = check->findings[i].level;
	}
	return level;
}

static void print_text(const struct check *check, bool quiet)
{
	for (size_t i = 0; i < check->nr; i++) {
		const struct finding *f = &check->findings[i];

		if (quiet && f->level == CHECK_FIT)
			continue;
		printf("%-8s %s: ", levels[f->level], f->name);
		print_name(f->text);
		putchar('\n');
		if (f->advice)
			printf("         %s\n", f->advice);
	}
}

static void print_json(const struct check *check)
{
	struct json_object *object = json_object_new_object();
	struct json_object *array = json_object_new_array();

	for (size_t i = 0; i < check->nr; i++) {
		const struct finding *f = &check->findings[i];
		struct json_object *finding = json_object_new_object();

		json_add_string(finding, "check", f->name);
		json_add_string(finding, "result", levels[f->level]);
		json_add_string(finding, "text", f->text);
		json_add_string(finding, "advice", f->advice);
		json_object_array_add(array, finding);
	}
	json_add_string(object, "path", check->facts.path);
	json_add_string(object, "result", levels[worst(check)]);
	json_add(object, "checks", array);
	json_print(object, false);
}

static void release(struct check *check)
{
	for (size_t i = 0; i < check->nr; i++)
		free(check->findings[i].text);
	free(check->findings);
	facts_free(&check->facts);
	if (check->fd >= 0)
		close(check->fd);
}

enum { OPTION_RDMA = 256 };

static const struct option long_options[] = {
	{ "help", no_argument, NULL, 'h' },
	{ "json", no_argument, NULL, 'J' },
	{ "quiet", no_argument, NULL, 'q' },
	{ "rdma", required_argument, NULL, OPTION_RDMA },
	{ }
};

static void find_out(struct check *check, const char *path)
{
	facts_find(&check->facts, path);
	if (!S_ISREG(check->facts.st.st_mode))
		errx(exit_failure, "%s: only regular files can be leased", path);
	check->fd = facts_open(&check->facts);
	check->fd_error = errno;
	ask_all(check);
}

int check_main(int argc, char **argv)
{
	struct check check = { };
	bool json = false, quiet = false;
	int c, status;

	while ((c = getopt_long(argc, argv, "hJq", long_options, NULL)) != -1) {
		if (c == 'h') {
			help();
			return EXIT_SUCCESS;
		}
		if (c == '?')
			errx(exit_failure, "try 'flayout check --help'");
		if (c == OPTION_RDMA)
			check.rdma = optarg;
		json |= c == 'J';
		quiet |= c == 'q';
	}
	if (argc - optind != 1)
		errx(exit_failure, "check wants one FILE");
	find_out(&check, argv[optind]);
	if (json)
		print_json(&check);
	else
		print_text(&check, quiet);
	status = worst(&check);
	release(&check);
	return status;
}
