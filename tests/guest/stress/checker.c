// SPDX-License-Identifier: GPL-2.0
/*
 * The checker compares, all the time and from outside: what the kernel reports
 * with itself, the blocks under a pin with where they were, the owner that the
 * file system names for them, the contents of files with what may be in them.
 */
#include <errno.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <linux/fsmap.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/sysmacros.h>

#include "stress.h"

#define LEASES		128
#define PINS		512
#define PAGES		(FILE_MAX / PAGE)
#define TO_EOF		(~0ULL)
/* Counters of a record are not read at one moment: what is wrong stays wrong. */
#define LOOKS		12

struct lease_record {
	unsigned long long id, start, end, pins, pages, ino;
	unsigned int major, minor;
};

struct pin_record {
	unsigned long long lease, start, end, pages;
	int pid;
};

struct report {
	unsigned int leases, pins;
	struct lease_record lease[LEASES];
	struct pin_record pin[PINS];
};

static struct random rnd;

/*
 * /proc/layout_leases
 */

static unsigned long long end_of(const char *text)
{
	return strcmp(text, "EOF") ? strtoull(text, NULL, 10) : TO_EOF;
}

static void parse_lease(struct report *report, const char *line)
{
	struct lease_record *lease = &report->lease[report->leases];
	char end[24];

	if (report->leases == LEASES ||
	    sscanf(line, "lease id=%llu dev=%u:%u ino=%llu start=%llu end=%23s mode=%*s state=%*s pins=%llu pages=%llu",
		   &lease->id, &lease->major, &lease->minor, &lease->ino, &lease->start, end,
		   &lease->pins, &lease->pages) != 8)
		return;
	lease->end = end_of(end);
	report->leases++;
}

static void parse_pin(struct report *report, const char *line)
{
	struct pin_record *pin = &report->pin[report->pins];
	char end[24];

	if (report->pins == PINS ||
	    sscanf(line, "pin lease=%llu kind=%*s start=%llu end=%23s pages=%llu write=%*d pid=%d",
		   &pin->lease, &pin->start, end, &pin->pages, &pin->pid) != 5)
		return;
	pin->end = end_of(end);
	report->pins++;
}

static bool read_report(struct report *report)
{
	FILE *file = fopen(REPORT_LEASES, "r");
	char line[REPORT_LINE];

	report->leases = report->pins = 0;
	if (!file)
		return false;
	while (fgets(line, sizeof(line), file)) {
		parse_lease(report, line);
		parse_pin(report, line);
	}
	fclose(file);
	return true;
}

/* NULL, or what is wrong with one lease and its pins. */
static const char *wrong(const struct report *report, const struct lease_record *lease,
			 enum check *check)
{
	unsigned long long pins = 0, pages = 0;
	unsigned int i;

	*check = CHECK_SUMS;
	for (i = 0; i < report->pins; i++) {
		const struct pin_record *pin = &report->pin[i];

		if (pin->lease != lease->id)
			continue;
		pins++;
		pages += pin->pages;
		if (pin->start < lease->start || pin->end > lease->end) {
			*check = CHECK_RANGE;
			return "a pin reaches out of its lease";
		}
	}
	if (pins != lease->pins)
		return "pins= is not the number of records";
	return pages == lease->pages ? NULL : "pages= is not the sum of the records";
}

/* Look again at what looks wrong; the lease may be gone by then. */
static const char *still_wrong(struct report *again, unsigned long long id, enum check *check)
{
	const char *what = NULL;
	unsigned int i, look;

	for (look = 0; look < LOOKS; look++) {
		usleep(500);
		if (!read_report(again))
			return NULL;
		for (i = 0; i < again->leases && again->lease[i].id != id; i++)
			;
		what = i < again->leases ? wrong(again, &again->lease[i], check) : NULL;
		if (!what)
			return NULL;
	}
	return what;
}

static void check_report(void)
{
	static struct report report, again;
	enum check check;
	const char *what;
	unsigned int i;

	if (!read_report(&report)) {
		stress_fail(CHECK_SUMS, "%s cannot be read: %m", REPORT_LEASES);
		return;
	}
	for (i = 0; i < report.leases; i++) {
		stress_count(&stress->looked[CHECK_SUMS]);
		stress_count(&stress->looked[CHECK_RANGE]);
		if (!wrong(&report, &report.lease[i], &check))
			continue;
		what = still_wrong(&again, report.lease[i].id, &check);
		if (what)
			stress_fail(check, "lease %llu: %s", report.lease[i].id, what);
	}
}

/*
 * Blocks under a pin
 */

/* The physical address of each page of a range; 0: none. */
static int physical(int fd, __u64 start, __u64 len, __u64 *at)
{
	struct {
		struct fiemap head;
		struct fiemap_extent extent[FILE_EXTENTS];
	} ask;
	__u64 page, end = start + len;
	unsigned int i;

	memset(at, 0, len / PAGE * sizeof(*at));
	for (__u64 from = start; from < end;) {
		memset(&ask, 0, sizeof(ask));
		ask.head.fm_start = from;
		ask.head.fm_length = end - from;
		ask.head.fm_extent_count = FILE_EXTENTS;
		if (ioctl(fd, FS_IOC_FIEMAP, &ask.head))
			return -errno;
		for (i = 0; i < ask.head.fm_mapped_extents; i++) {
			const struct fiemap_extent *e = &ask.extent[i];

			for (page = e->fe_logical; page < e->fe_logical + e->fe_length; page += PAGE)
				if (page >= start && page < end)
					at[(page - start) / PAGE] = e->fe_physical + page - e->fe_logical;
			from = e->fe_logical + e->fe_length;
		}
		if (!i || (ask.extent[i - 1].fe_flags & FIEMAP_EXTENT_LAST))
			break;
	}
	return 0;
}

/* Does the file system say that somebody else owns these bytes, or nobody? */
static const char *foreign_owner(int fd, const struct stress_file *file, __u64 at, __u64 len)
{
	unsigned int minor = minor(file->dev), major = major(file->dev), i;
	struct {
		struct fsmap_head head;
		struct fsmap rec[16];
	} ask = { .head = { .fmh_count = 16 } };
	struct fsmap *keys = ask.head.fmh_keys;

	keys[0].fmr_device = (minor & 0xff) | major << 8 | (minor & ~0xffU) << 12;
	keys[1] = keys[0];
	keys[0].fmr_physical = at;
	keys[1].fmr_physical = at + len - 1;
	keys[1].fmr_owner = keys[1].fmr_offset = ~0ULL;
	keys[1].fmr_flags = ~0U;
	if (ioctl(fd, FS_IOC_GETFSMAP, &ask.head))
		return "cannot be asked";
	for (i = 0; i < ask.head.fmh_entries; i++) {
		const struct fsmap *rec = &ask.rec[i];
		bool special = rec->fmr_flags & FMR_OF_SPECIAL_OWNER;

		if (special && rec->fmr_owner == FMR_OWN_FREE)
			return "free";
		if (special && rec->fmr_owner == FMR_OWN_METADATA)
			return "metadata";
		if (file->xfs && !special && rec->fmr_owner != file->ino)
			return "another file's";
	}
	return NULL;
}

static const char *foreign_owners(int fd, const struct stress_file *file, const __u64 *at,
				  unsigned int pages)
{
	const char *what;
	unsigned int i, from = 0;

	for (i = 1; i <= pages; i++) {
		if (i < pages && at[i] == at[i - 1] + PAGE)
			continue;
		what = at[from] ? foreign_owner(fd, file, at[from], (i - from) * PAGE) : "a hole";
		if (what)
			return what;
		from = i;
	}
	return NULL;
}

/* The lease that a noted region stands on: 0 if its record is not there. */
static unsigned long long lease_of(const struct report *report, const struct region_note *note)
{
	const struct stress_file *file = &stress->files[note->file];
	unsigned int i, j;

	for (i = 0; i < report->pins; i++) {
		const struct pin_record *pin = &report->pin[i];

		if (pin->pid != note->pid || pin->start != note->start ||
		    pin->end != note->start + note->len)
			continue;
		for (j = 0; j < report->leases; j++)
			if (report->lease[j].id == pin->lease &&
			    report->lease[j].ino == file->ino &&
			    report->lease[j].major == major(file->dev) &&
			    report->lease[j].minor == minor(file->dev))
				return pin->lease;
	}
	return 0;
}

static bool note_is(const struct region_note *note, const struct region_note *seen)
{
	return __atomic_load_n(&note->live, __ATOMIC_SEQ_CST) &&
	       __atomic_load_n(&note->gen, __ATOMIC_SEQ_CST) == seen->gen;
}

/*
 * A pin is looked at twice.  If it was there all the time, which its record and
 * its worker's note say afterwards, nothing may have changed.
 */
static void check_pin(const struct region_note *note, int fd)
{
	static __u64 before[PAGES], after[PAGES];
	static struct report report;
	const struct region_note seen = *note;
	const struct stress_file *file = &stress->files[seen.file];
	unsigned int i, pages = seen.len / PAGE;
	unsigned long long lease;
	const char *owner;

	if (!note_is(note, &seen) || !read_report(&report))
		return;
	lease = lease_of(&report, &seen);
	if (!lease || physical(fd, seen.start, seen.len, before))
		return;
	owner = foreign_owners(fd, file, before, pages);
	usleep(pick(&rnd, 8000));
	if (physical(fd, seen.start, seen.len, after) || !read_report(&report) ||
	    lease_of(&report, &seen) != lease || !note_is(note, &seen))
		return;
	stress_count(&stress->looked[CHECK_LAYOUT]);
	stress_count(&stress->looked[CHECK_OWNER]);
	for (i = 0; i < pages && before[i] && before[i] == after[i]; i++)
		;
	if (i < pages)
		stress_fail(CHECK_LAYOUT, "%s, byte %llu, pinned under lease %llu: was at %llu, is at %llu",
			    file->path, seen.start + i * PAGE, lease, before[i], after[i]);
	if (owner)
		stress_fail(CHECK_OWNER, "%s, [%llu, +%llu), pinned under lease %llu: is %s",
			    file->path, seen.start, seen.len, lease, owner);
}

static void check_note(const struct region_note *note)
{
	int fd, file = note->file;

	if (!note->live || file < 0 || file >= FILES)
		return;
	fd = file_open(stress->files[file].path, O_RDONLY);
	if (fd < 0)
		return;
	check_pin(note, fd);
	close(fd);
}

static void check_pins(void)
{
	int i;

	for (i = 0; i < WORKERS * NOTES; i++)
		check_note(&stress->notes[i / NOTES][i % NOTES]);
}

/*
 * Contents
 */

/* Where a device was told to write, now or a while ago, or anywhere. */
static const struct stress_file *some_place(__u64 *at)
{
	const struct region_note *note = &stress->notes[pick(&rnd, WORKERS)][pick(&rnd, NOTES)];

	*at = pick(&rnd, 2 * FILE_MAX / PAGE) * PAGE;
	if (!note->len || chance(&rnd, 30))
		return &stress->files[pick(&rnd, FILES)];
	*at = note->start;
	return &stress->files[note->file];
}

static void check_content(void)
{
	static char buf[256 * KIB];
	__u64 at;
	const struct stress_file *file = some_place(&at);
	int fd = file_open(file->path, O_RDONLY);
	ssize_t i, got;

	if (fd < 0)
		return;
	got = pread(fd, buf, sizeof(buf), at);
	i = stress_foreign(file, buf, got);
	if (i >= 0)
		stress_fail(CHECK_CONTENT, "%s: '%c' (%#x) at %llu", file->path, buf[i], buf[i],
			    at + i);
	stress_count(&stress->looked[CHECK_CONTENT]);
	close(fd);
}

/* Reports that are only read: nobody may stumble over them. */
static void read_reports(void)
{
	static const char *const names[] = { "file_pins", "maps", "status" };
	char path[64], line[REPORT_LINE];
	pid_t pid = stress->at[pick(&rnd, PLACES)].pid;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, names[pick(&rnd, 3)]);
	report_find(path, "no such line", "", line);
	report_find("/proc/locks", "no such line", "", line);
	snprintf(path, sizeof(path), "/proc/%d/fdinfo/%d", pid, pick(&rnd, 24));
	report_find(path, "no such line", "", line);
}

void checker_run(void)
{
	random_start(&rnd, AT_CHECKER, 0);
	while (!stress->stop) {
		stress_begin(AT_CHECKER, "check", 3 * stress_bound());
		check_report();
		check_pins();
		check_content();
		read_reports();
		stress_end(AT_CHECKER);
		usleep(2000);
	}
	_exit(0);
}
