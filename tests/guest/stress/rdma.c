// SPDX-License-Identifier: GPL-2.0
/* Contexts and regions of a worker, and the writer at the far end of its connection. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <signal.h>

#include "stress.h"

enum { RXE, SIW, NICS };

struct region {
	struct ibv_mr *mr;
	int nic;
	int file;
	char fill;		/* what may be written there; 0: nothing */
	char *area;		/* of its own, to be unmapped with it */
	size_t area_len;
};

static const char *const nic_names[NICS] = { ENV_RXE, ENV_SIW };

static struct nic nics[NICS];
static struct region regions[REGIONS];
static bool dead[NICS];		/* the last user of a file it had pinned is gone */
static struct wire wire;
static int me;			/* worker */
static bool tidy;		/* this life leaves no queue mapped, which keeps its context alive */
static bool child;		/* of that worker: may end things, begins nothing */

void rdma_begin(int worker, bool is_tidy)
{
	me = worker;
	tidy = is_tidy;
	child = stress->at[AT_WORKER + worker].pid != getpid();
}

/*
 * The target of the writer
 */

static void aim(const struct region *region, __u64 at, __u32 len)
{
	struct line *line = &stress->lines[me];

	__atomic_fetch_add(&line->seq, 1, __ATOMIC_SEQ_CST);
	memset(&line->target, 0, sizeof(line->target));
	if (region && region->mr) {
		line->target.addr = (unsigned long)region->mr->addr + at;
		line->target.rkey = region->mr->rkey;
		line->target.len = len;
		line->target.fill = region->fill;
	}
	__atomic_fetch_add(&line->seq, 1, __ATOMIC_SEQ_CST);
}

/* A target as it was at one moment; false if there is none. */
static bool target(const struct line *line, struct line_target *seen)
{
	unsigned int seq = __atomic_load_n(&line->seq, __ATOMIC_SEQ_CST);

	*seen = line->target;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return !(seq & 1) && seq == __atomic_load_n(&line->seq, __ATOMIC_SEQ_CST) && seen->len;
}

/*
 * Contexts
 */

static void forget_region(int slot)
{
	struct region *region = &regions[slot];

	if (region->area)
		munmap(region->area, region->area_len);
	memset(region, 0, sizeof(*region));
}

/* With regions and a connection on it or not: the kernel takes them all. */
static void close_context(struct random *rnd, int nic)
{
	int i;

	for (i = 0; i < REGIONS; i++) {
		if (!regions[i].mr || regions[i].nic != nic)
			continue;
		stress_note_end(me, i);
		if (chance(rnd, 30))
			ibv_dereg_mr(regions[i].mr);
		forget_region(i);
	}
	if (nic == RXE && (tidy || chance(rnd, 50)))
		wire_close(&wire);
	if (nic == RXE)
		memset(&wire, 0, sizeof(wire));
	nic_close(&nics[nic]);
	dead[nic] = false;
}

int act_close_context(struct random *rnd)
{
	int nic = pick(rnd, NICS);

	if (!nics[nic].ctx)
		return SKIPPED;
	close_context(rnd, nic);
	return 0;
}

int act_open_context(struct random *rnd)
{
	int i = pick(rnd, NICS);
	int ret;

	if (dead[i])
		close_context(rnd, i);
	if (nics[i].ctx)
		return SKIPPED;
	ret = nic_open(&nics[i], nic_names[i]);
	if (ret)
		memset(&nics[i], 0, sizeof(nics[i]));
	return ret;
}

int context_fd(struct random *rnd)
{
	struct nic *nic = &nics[pick(rnd, NICS)];

	return nic->ctx ? nic->ctx->cmd_fd : -1;
}

/* The writer answers within some milliseconds, unless the machine is very busy. */
static bool answered(const struct line *line, unsigned int asked)
{
	unsigned long end = now_ms() + 2000;

	while (__atomic_load_n(&line->answered, __ATOMIC_SEQ_CST) != asked) {
		if (now_ms() > end || stress->stop)
			return false;
		usleep(1000);
	}
	return true;
}

int act_connect(struct random *rnd)
{
	struct line *line = &stress->lines[me];
	struct wire_address client;
	unsigned int asked;
	int ret;

	if (!nics[RXE].ctx || child)
		return SKIPPED;
	wire_close(&wire);
	ret = wire_open(&wire, &nics[RXE]);
	dead[RXE] |= ret == -EIO;
	if (ret)
		return ret;
	line->server = wire_address(&wire, &nics[RXE]);
	asked = __atomic_add_fetch(&line->asked, 1, __ATOMIC_SEQ_CST);
	if (!answered(line, asked))
		return SKIPPED;
	client = line->client;
	ret = wire_connect(&wire, &nics[RXE], &client);
	if (!ret)
		act_aim(rnd);
	return ret;
}

/* The writer is told where to write from now on, be it while all else happens. */
int act_aim(struct random *rnd)
{
	struct region *region = &regions[pick(rnd, REGIONS)];
	__u32 len;

	if (!region->mr || region->nic != RXE || !region->fill || child)
		return SKIPPED;
	len = region->mr->length < 256 * KIB ? region->mr->length : 256 * KIB;
	aim(region, pick(rnd, region->mr->length - len + 1), len);
	return 0;
}

/*
 * Regions
 */

static int free_slot(void)
{
	int i;

	for (i = 0; i < REGIONS; i++)
		if (!regions[i].mr)
			return i;
	return -1;
}

static struct nic *some_nic(struct random *rnd, int *index)
{
	*index = pick(rnd, NICS);
	return nics[*index].ctx ? &nics[*index] : NULL;
}

static int reg(int slot, struct nic *nic, int index, char *addr, size_t len, int access)
{
	struct region *region = &regions[slot];
	int ret = mr_reg(nic, addr, len, access, &region->mr);

	region->nic = index;
	dead[index] |= ret == -EIO;
	return ret;
}

int region_register(struct random *rnd, const struct map *map)
{
	size_t pages = map->len / PAGE, from = pick(rnd, pages), len;
	bool write = map->writable && chance(rnd, 80);
	int slot = free_slot(), index, ret;
	struct nic *nic = some_nic(rnd, &index);

	if (slot < 0 || !nic || child)
		return SKIPPED;
	len = 1 + pick(rnd, chance(rnd, 80) ? 64 : pages);
	if (len > pages - from)
		len = pages - from;
	ret = reg(slot, nic, index, map->addr + from * PAGE, len * PAGE,
		  write ? MR_SERVER : MR_READER);
	if (ret)
		return ret;
	regions[slot].file = map->file;
	regions[slot].fill = write ? stress->files[map->file].letter : 0;
	stress_note_begin(me, slot, map->file, map->pos + from * PAGE, len * PAGE);
	return 0;
}

int region_serve(struct random *rnd, const struct map *map)
{
	int i, ret;

	if (!nics[RXE].ctx || dead[RXE])
		return SKIPPED;
	ret = wire.qp && stress->lines[me].up ? 0 : act_connect(rnd);
	for (i = 0; i < 3 && ret >= 0; i++)
		ret = region_register(rnd, map);
	for (i = 0; i < REGIONS && ret >= 0; i++)
		ret = act_aim(rnd);
	return ret;
}

int region_register_two(struct random *rnd, int fd1, int fd2)
{
	const int prot = PROT_READ | PROT_WRITE;
	size_t len = PAGE * (1 + pick(rnd, 32));
	int slot = free_slot(), index, ret;
	struct nic *nic = some_nic(rnd, &index);
	struct region *region = &regions[slot];
	char *area;

	if (slot < 0 || !nic || child)
		return SKIPPED;
	area = mmap(NULL, 3 * len, prot, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (area == MAP_FAILED)
		return -errno;
	ret = -EACCES;
	if (mmap(area, len, prot, MAP_SHARED | MAP_FIXED, fd1, 0) != MAP_FAILED &&
	    mmap(area + len, len, prot, MAP_SHARED | MAP_FIXED, fd2, 0) != MAP_FAILED)
		ret = reg(slot, nic, index, area, 3 * len, MR_SERVER);
	if (ret) {
		munmap(area, 3 * len);
		return ret;
	}
	region->file = stress_file_of(fd1);
	region->fill = 0;
	region->area = area;
	region->area_len = 3 * len;
	return 0;
}

static int deregister(struct random *rnd, int slot)
{
	int ret;

	/* a good server tells its client; ours does so half the time */
	if (stress->lines[me].target.rkey == regions[slot].mr->rkey && chance(rnd, 50))
		aim(NULL, 0, 0);
	stress_note_end(me, slot);
	ret = ibv_dereg_mr(regions[slot].mr);
	forget_region(slot);
	return ret > 0 ? -ret : ret ? -errno : 0;
}

int act_deregister(struct random *rnd)
{
	int slot = pick(rnd, REGIONS);

	return regions[slot].mr ? deregister(rnd, slot) : SKIPPED;
}

int act_rereg(struct random *rnd)
{
	struct region *region = &regions[pick(rnd, REGIONS)];

	if (!region->mr)
		return SKIPPED;
	/* its answers are the library's own, so none is strange */
	ibv_rereg_mr(region->mr, IBV_REREG_MR_CHANGE_ACCESS, NULL, NULL, 0,
		     region->fill ? MR_SERVER : MR_READER);
	return 0;
}

void regions_end_of_file(struct random *rnd, int file)
{
	int i;

	for (i = 0; i < REGIONS; i++)
		if (regions[i].mr && regions[i].file == file)
			deregister(rnd, i);
}

void contexts_end(struct random *rnd)
{
	int i;

	for (i = 0; i < REGIONS; i++)
		if (regions[i].mr)
			deregister(rnd, i);
	wire_close(&wire);
	for (i = 0; i < NICS; i++)
		if (nics[i].ctx)
			nic_close(&nics[i]);
}

/*
 * The writer
 */

#define WRITER_SIZE	(256 * KIB)

struct writer {
	struct nic nic;
	struct wire wire;
	struct ibv_mr *local;
	char *buf;
	unsigned int gen;	/* of the connection */
	bool connected;
	struct random rnd;
};

static int writer_open(struct writer *writer)
{
	int ret = nic_open(&writer->nic, ENV_RXE);

	writer->buf = mmap(NULL, WRITER_SIZE, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (writer->buf == MAP_FAILED)
		return -errno;
	return ret ? ret : mr_reg(&writer->nic, writer->buf, WRITER_SIZE, MR_SERVER,
				  &writer->local);
}

static void writer_connect(struct writer *writer, struct line *line, unsigned int asked)
{
	struct wire_address server = line->server;
	int ret;

	wire_close(&writer->wire);
	ret = wire_open(&writer->wire, &writer->nic);
	if (!ret) {
		line->client = wire_address(&writer->wire, &writer->nic);
		ret = wire_connect(&writer->wire, &writer->nic, &server);
	}
	writer->gen = asked;
	line->up = writer->connected = !ret;
	__atomic_store_n(&line->answered, asked, __ATOMIC_SEQ_CST);
}

static void writer_write(struct writer *writer, struct line *line, const struct line_target *at)
{
	__u32 from = pick(&writer->rnd, at->len);
	__u32 len = 1 + pick(&writer->rnd, at->len - from);
	int ret;

	/* the device reads this while it sends, but nothing is under way now */
	if (*writer->buf != at->fill)
		memset(writer->buf, at->fill, WRITER_SIZE);
	ret = wire_post_write(&writer->wire, writer->local, len, at->addr + from, at->rkey);
	if (!ret)
		ret = wire_wait(&writer->wire, env_ms(4000));
	if (!ret)
		stress_count(&line->written);
	else
		stress_count(&line->refused);
	/* an error is the end of a connection */
	line->up = writer->connected = !ret;
}

void writer_run(int worker)
{
	struct writer writer = { 0 };
	struct line *line = &stress->lines[worker];
	int place = AT_WRITER + worker;
	struct line_target at;
	unsigned int asked;

	random_start(&writer.rnd, place, 0);
	if (writer_open(&writer))
		stress_fail(CHECK_ANSWER, "writer %d cannot open its device", worker);
	while (!stress->stop && writer.local) {
		stress_begin(place, "write by RDMA", 0);
		asked = __atomic_load_n(&line->asked, __ATOMIC_SEQ_CST);
		if (asked != writer.gen)
			writer_connect(&writer, line, asked);
		else if (writer.connected && target(line, &at))
			writer_write(&writer, line, &at);
		stress_end(place);
		usleep(200);
	}
	_exit(0);
}
