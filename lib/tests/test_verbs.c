// SPDX-License-Identifier: GPL-2.0
/*
 * Memory regions, with a device that exists in this file only and a kernel that
 * exists in fake_kernel.c only.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <flayout-verbs.h>

#include "check.h"
#include "fake_kernel.h"

#define SIZE	(8 * MIB)
#define RW	(PROT_READ | PROT_WRITE)

/*
 * The device
 */

static struct device {
	bool odp;		/* registers on demand */
	int refuse;		/* an errno of registrations that are not on demand */
	int dereg_error;
	int access;		/* of the last registration */
	unsigned int regions;
	uint32_t keys;
	char *map;		/* where the file begins in memory */
} device;

struct region {
	struct ibv_mr ibv;
	struct fake_mr pin;
};

static struct verbs_context context;
static struct ibv_pd pd = { .context = &context.context };

static int query_device(struct ibv_context *ctx, const struct ibv_query_device_ex_input *input,
			struct ibv_device_attr_ex *attr, size_t size)
{
	(void)ctx;
	(void)input;
	memset(attr, 0, size);
	if (device.odp) {
		attr->odp_caps.general_caps = IBV_ODP_SUPPORT;
		attr->odp_caps.per_transport_caps.rc_odp_caps =
			IBV_ODP_SUPPORT_WRITE | IBV_ODP_SUPPORT_READ;
	}
	return 0;
}

static int pin_region(struct region *region, char *addr, size_t len, int access)
{
	if (access & IBV_ACCESS_ON_DEMAND)
		return device.odp ? 0 : -EOPNOTSUPP;
	if (device.refuse)
		return -device.refuse;
	if (!device.map || fake_state() == FLAYOUT_STATE_NONE)
		return 0;
	region->pin = (struct fake_mr){ .start = addr - device.map, .len = len };
	return fake_pin(&region->pin);
}

static struct ibv_mr *register_region(struct ibv_pd *domain, void *addr, size_t len, int access)
{
	struct region *region = calloc(1, sizeof(*region));
	int ret = pin_region(region, addr, len, access);

	device.access = access;
	if (ret) {
		free(region);
		errno = -ret;
		return NULL;
	}
	region->ibv.pd = domain;
	region->ibv.addr = addr;
	region->ibv.length = len;
	region->ibv.rkey = ++device.keys;
	device.regions++;
	return &region->ibv;
}

#undef ibv_reg_mr
struct ibv_mr *ibv_reg_mr(struct ibv_pd *domain, void *addr, size_t len, int access)
{
	return register_region(domain, addr, len, access);
}

struct ibv_mr *ibv_reg_mr_iova2(struct ibv_pd *domain, void *addr, size_t len, uint64_t iova,
				unsigned int access)
{
	(void)iova;
	return register_region(domain, addr, len, access);
}

int ibv_dereg_mr(struct ibv_mr *mr)
{
	struct region *region = (struct region *)mr;

	if (region->pin.pinned)
		fake_unpin(&region->pin);
	free(region);
	device.regions--;
	return device.dereg_error;
}

/*
 * The tests
 */

static struct flayout *begin(void)
{
	fake_begin();
	fake_dax(true);
	device = (struct device){ 0 };
	context.context.abi_compat = __VERBS_ABI_IS_EXTENDED;
	context.sz = sizeof(context);
	context.query_device_ex = query_device;
	return open_file(SIZE);
}

static char *map_all(struct flayout *fl)
{
	void *addr = NULL;

	SAME(0, flayout_map(fl, 0, SIZE, RW, &addr));
	device.map = addr;
	return addr;
}

static void a_region_stands_on_the_lease(void)
{
	struct flayout *fl = begin();
	struct flayout_mr *mr, *other;
	char *map;

	SAME(0, flayout_lease_for_pd(fl, &pd, 0, 0, 0));
	SAME(FLAYOUT_MODE_LEASE, flayout_mode(fl));
	SAME(0, device.regions);
	map = map_all(fl);
	SAME(0, flayout_reg_mr(fl, &pd, map, MIB, IBV_ACCESS_REMOTE_WRITE, &mr));
	CHECK(flayout_mr_ibv(mr)->addr == map);
	SAME(IBV_ACCESS_REMOTE_WRITE, device.access);
	fake_break(0, 0);
	SAME(-EAGAIN, flayout_reg_mr(fl, &pd, map, MIB, 0, &other));
	CHECK(strstr(flayout_message(fl), "being broken"));
	flayout_dereg_mr(mr);
	SAME(0, device.regions);
	flayout_close(fl);
}

static void a_break_ends_it_and_makes_another(void)
{
	struct flayout *fl = begin();
	struct flayout_mr *mr;
	uint32_t key;

	SAME(0, flayout_lease_for_pd(fl, &pd, 0, 0, 0));
	SAME(0, flayout_reg_mr(fl, &pd, map_all(fl), MIB, 0, &mr));
	key = flayout_mr_ibv(mr)->rkey;
	fake_break(0, 0);
	SAME(0, flayout_let_go(fl));
	CHECK(!flayout_mr_ibv(mr));
	fake_break_done();
	SAME(0, flayout_retake(fl, 0));
	CHECK(flayout_mr_ibv(mr) && flayout_mr_ibv(mr)->rkey != key);
	flayout_close(fl);
	CHECK(!flayout_mr_ibv(mr));
	SAME(0, device.regions);
	flayout_dereg_mr(mr);
}

static void a_device_that_refuses_leases_gets_the_fallback(void)
{
	struct flayout *fl = begin();
	struct flayout_mr *mr;

	device.refuse = EOPNOTSUPP;
	SAME(-EOPNOTSUPP, flayout_lease_for_pd(fl, &pd, 0, 0, 0));
	CHECK(strstr(flayout_message(fl), "no leased memory"));
	SAME(FLAYOUT_STATE_NONE, fake_state());
	SAME(0, flayout_lease_for_pd(fl, &pd, 0, 0, FLAYOUT_FALLBACK_BOUNCE));
	SAME(FLAYOUT_MODE_BOUNCE, flayout_mode(fl));
	device.refuse = 0;
	SAME(0, flayout_reg_mr(fl, &pd, map_all(fl), MIB, 0, &mr));
	flayout_dereg_mr(mr);
	flayout_close(fl);
}

static int lease_with_both(struct flayout *fl)
{
	return flayout_lease_for_pd(fl, &pd, 0, 0, FLAYOUT_FALLBACK_ODP | FLAYOUT_FALLBACK_BOUNCE);
}

static void of_two_fallbacks_the_device_chooses(void)
{
	struct flayout *fl = begin();
	struct flayout_mr *mr;

	fake_refuse(EOPNOTSUPP);
	SAME(0, flayout_odp_supported(&context.context));
	SAME(0, lease_with_both(fl));
	SAME(FLAYOUT_MODE_BOUNCE, flayout_mode(fl));
	device.odp = true;
	SAME(1, flayout_odp_supported(&context.context));
	SAME(0, lease_with_both(fl));
	SAME(FLAYOUT_MODE_ODP, flayout_mode(fl));
	SAME(0, flayout_reg_mr(fl, &pd, map_all(fl), MIB, IBV_ACCESS_LOCAL_WRITE, &mr));
	SAME(IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_ON_DEMAND, device.access);
	flayout_dereg_mr(mr);
	flayout_close(fl);
}

static void a_device_without_registration_on_demand_says_so(void)
{
	const unsigned int odp = FLAYOUT_FALLBACK_ODP;
	struct flayout *fl = begin();
	struct flayout_mr *mr;

	SAME(-EOPNOTSUPP, flayout_lease_for_pd(fl, &pd, 0, 0, odp | FLAYOUT_FORCE_FALLBACK));
	CHECK(strstr(flayout_message(fl), "on demand"));
	SAME(0, flayout_lease(fl, 0, 0, odp | FLAYOUT_FORCE_FALLBACK));
	SAME(-EOPNOTSUPP, flayout_reg_mr(fl, &pd, map_all(fl), MIB, 0, &mr));
	CHECK(strstr(flayout_message(fl), "on demand"));
	CHECK(!mr);
	flayout_close(fl);
}

static int reg_fails_with(int error)
{
	struct flayout *fl = begin();
	struct flayout_mr *mr;
	char *map;
	int ret;

	SAME(0, flayout_lease(fl, 0, 0, 0));
	map = map_all(fl);
	device.refuse = error;
	ret = flayout_reg_mr(fl, &pd, map, MIB, 0, &mr);
	CHECK(*flayout_message(fl));
	flayout_close(fl);
	return ret;
}

static void each_refusal_has_its_words(void)
{
	static const int errors[] = { EAGAIN, EIO, EFAULT, ENXIO, EOPNOTSUPP, ENOMEM };

	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++)
		SAME(-errors[i], reg_fails_with(errors[i]));
}

static void bad_requests_are_refused(void)
{
	struct flayout *fl = begin();
	struct flayout_mr *mr;
	char *map;

	SAME(-EINVAL, flayout_lease_for_pd(NULL, &pd, 0, 0, 0));
	SAME(-EINVAL, flayout_lease_for_pd(fl, NULL, 0, 0, 0));
	SAME(0, flayout_lease_for_pd(fl, &pd, 0, 0, 0));
	map = map_all(fl);
	SAME(-EINVAL, flayout_reg_mr(NULL, &pd, map, MIB, 0, &mr));
	SAME(-EINVAL, flayout_reg_mr(fl, NULL, map, MIB, 0, &mr));
	SAME(-EINVAL, flayout_reg_mr(fl, &pd, map, MIB, 0, NULL));
	SAME(-EINVAL, flayout_reg_mr(fl, &pd, map, SIZE + 1, 0, &mr));
	SAME(-EINVAL, flayout_odp_supported(NULL));
	CHECK(!flayout_mr_ibv(NULL));
	flayout_dereg_mr(NULL);
	flayout_close(fl);
}

static void a_context_that_is_dead_keeps_nobody_from_closing(void)
{
	struct flayout *fl = begin();
	struct flayout_mr *mr;

	SAME(0, flayout_lease_for_pd(fl, &pd, 0, 0, 0));
	SAME(0, flayout_reg_mr(fl, &pd, map_all(fl), MIB, 0, &mr));
	device.dereg_error = EIO;
	SAME(0, flayout_drop(fl, 0));
	CHECK(strstr(flayout_message(fl), "ibv_dereg_mr"));
	flayout_dereg_mr(mr);
	flayout_close(fl);
}

static const struct test tests[] = {
	TEST(a_region_stands_on_the_lease),
	TEST(a_break_ends_it_and_makes_another),
	TEST(a_device_that_refuses_leases_gets_the_fallback),
	TEST(of_two_fallbacks_the_device_chooses),
	TEST(a_device_without_registration_on_demand_says_so),
	TEST(each_refusal_has_its_words),
	TEST(bad_requests_are_refused),
	TEST(a_context_that_is_dead_keeps_nobody_from_closing),
};

int main(void)
{
	return run_tests(tests, sizeof(tests) / sizeof(tests[0]));
}
