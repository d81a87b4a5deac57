// SPDX-License-Identifier: GPL-2.0
/* flayout check: questions about permission, settings, limits and RDMA devices. */
#include "check.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/capability.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "breaks.h"
#include "columns.h"
#include "flayout.h"
#include "system.h"

static bool has_capability(unsigned int number)
{
	FILE *file = system_open("/proc/self/status");
	uint64_t set = 0;
	char line[256];

	while (file && fgets(line, sizeof(line), file)) {
		if (sscanf(line, "CapEff: %" SCNx64, &set) == 1)
			break;
	}
	if (file)
		fclose(file);
	return set >> number & 1;
}

static void check_owner(struct check *check)
{
	if (check->facts.st.st_uid == geteuid())
		found(check, CHECK_FIT, "owner", NULL, "you own the file");
	else if (has_capability(CAP_LEASE))
		found(check, CHECK_FIT, "owner", NULL, "you have CAP_LEASE");
	else
		found(check, CHECK_PROBLEM, "owner",
		      "run as its owner, or with CAP_LEASE (setpriv --ambient-caps +lease)",
		      "the file is another user's: taking a lease fails with EACCES");
}

static void check_write(struct check *check)
{
	const struct file_facts *facts = &check->facts;

	if (!faccessat(AT_FDCWD, facts->path, W_OK, AT_EACCESS))
		found(check, CHECK_FIT, "write access", NULL, "you may write the file");
	else
		found(check, CHECK_WARNING, "write access",
		      errno == EROFS ? "remount it read-write" : "chmod u+w, or chattr -i, as the case is",
		      "you may not write the file (%s): devices may only read it, no lease of it "
		      "is unbreakable, and holes cannot be registered", strerror(errno));
}

void check_permission(struct check *check)
{
	check_owner(check);
	check_write(check);
}

void check_settings(struct check *check)
{
	uint64_t enable = 1, seconds = break_time();

	system_number(&enable, "/proc/sys/fs/leases-enable");
	if (enable)
		found(check, CHECK_FIT, "fs.leases-enable", NULL, "leases are enabled");
	else
		found(check, CHECK_PROBLEM, "fs.leases-enable",
		      "sysctl fs.leases-enable=1",
		      "it is 0: taking a lease fails with EINVAL");
	if (seconds)
		found(check, CHECK_FIT, "fs.lease-break-time", NULL,
		      "a holder has %" PRIu64 " s to let go", seconds);
	else
		found(check, CHECK_WARNING, "fs.lease-break-time",
		      "sysctl fs.lease-break-time=45",
		      "it is 0: holders are revoked without having time to let go");
}

void check_memlock(struct check *check)
{
	uint64_t size = check->facts.st.st_size;
	struct rlimit limit;
	char *allowed, *wanted;

	if (getrlimit(RLIMIT_MEMLOCK, &limit))
		return;
	if (has_capability(CAP_IPC_LOCK) || limit.rlim_cur == RLIM_INFINITY ||
	    limit.rlim_cur >= size) {
		found(check, CHECK_FIT, "RLIMIT_MEMLOCK", NULL,
		      "all of the file may be pinned");
		return;
	}
	allowed = human_size(limit.rlim_cur);
	wanted = human_size(size);
	found(check, CHECK_WARNING, "RLIMIT_MEMLOCK",
	      "raise it: ulimit -l, limits.conf(5) or LimitMEMLOCK= in systemd",
	      "%s may be pinned, the file has %s: registering all of it fails with ENOMEM",
	      allowed, wanted);
	free(allowed);
	free(wanted);
}

/*
 * RDMA devices, as sysfs knows them.  Whether one really registers the file only
 * a registration can tell.
 */

static const char * const known_drivers[] = {
	"mlx4_core", "mlx5_core", "bnxt_en", "mana",
};

static bool is_known(const char *driver)
{
	for (size_t i = 0; i < sizeof(known_drivers) / sizeof(known_drivers[0]); i++) {
		if (!strcmp(driver, known_drivers[i]))
			return true;
	}
	return false;
}

static void check_driver(struct check *check, const char *device)
{
	char *driver = system_link("/sys/class/infiniband/%s/device/driver", device);

	/* Without hardware it is rxe or siw, which take part. */
	if (!driver)
		found(check, CHECK_FIT, "RDMA driver", NULL,
		      "%s is a device in software", device);
	else if (is_known(driver))
		found(check, CHECK_FIT, "RDMA driver", NULL,
		      "%s is driven by %s, which takes part in leases", device, driver);
	else
		found(check, CHECK_WARNING, "RDMA driver",
		      "try: flayout hold FILE -- ib_write_bw -d DEV --mmap=FILE",
		      "%s is driven by %s, which may not take part in leases: registering would fail with EOPNOTSUPP",
		      device, driver);
	free(driver);
}

/* "4: ACTIVE" */
static void check_port(struct check *check, const char *device)
{
	char *state = system_line("/sys/class/infiniband/%s/ports/1/state", device);

	if (state && *state == '4')
		found(check, CHECK_FIT, "RDMA port", NULL, "port 1 of %s is active",
		      device);
	else
		found(check, CHECK_WARNING, "RDMA port",
		      "bring its network interface or its link up",
		      "port 1 of %s is not active (%s)", device, state ?: "unknown");
	free(state);
}

static bool device_exists(const char *device)
{
	bool exists;
	char *type;

	if (!*device || *device == '.' || strchr(device, '/'))
		return false;
	type = system_line("/sys/class/infiniband/%s/node_type", device);
	exists = type;
	free(type);
	return exists;
}

static char *any_device(void)
{
	char *path = system_path("/sys/class/infiniband");
	DIR *dir = opendir(path);
	struct dirent *entry;
	char *first = NULL;

	free(path);
	while (dir && (entry = readdir(dir))) {
		if (!device_exists(entry->d_name) ||
		    (first && strcmp(first, entry->d_name) < 0))
			continue;
		free(first);
		first = format_text("%s", entry->d_name);
	}
	if (dir)
		closedir(dir);
	return first;
}

void check_rdma(struct check *check)
{
	char *device = check->rdma ? format_text("%s", check->rdma) : any_device();

	if (!device) {
		found(check, CHECK_WARNING, "RDMA device",
		      "if RDMA is wanted, load a driver, or: rdma link add rxe0 type rxe netdev IFACE",
		      "there is none");
		return;
	}
	if (device_exists(device)) {
		check_driver(check, device);
		check_port(check, device);
	} else {
		found(check, CHECK_PROBLEM, "RDMA device", "'rdma dev' lists those there are",
		      "there is no device %s", device);
	}
	free(device);
}
