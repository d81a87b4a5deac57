// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests of the lease core: what needs no device, no DAX and no pinned
 * page.  Leases are taken on a scratch inode of our own.
 */
#include <kunit/test.h>
#include <linux/anon_inodes.h>
#include <linux/delay.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/scatterlist.h>
#include <linux/slab.h>

#include "layout_lease_internal.h"

static const struct file_operations leasable_fops = {
	.fop_flags = FOP_LAYOUT_LEASE,
};

/* A context whose registrations can be taken back. */
struct fake_context {
	struct longterm_pin_owner owner;
	struct completion revoke_may_end;
	unsigned int revoked;
	unsigned int invalidated;
	bool freed;
};

static struct fake_context *fake(struct longterm_pin_owner *owner)
{
	return container_of(owner, struct fake_context, owner);
}

static void fake_revoke(struct leased_pin *pin, void *priv)
{
	struct fake_context *ctx = fake(leased_pin_owner(pin));

	wait_for_completion(&ctx->revoke_may_end);
	ctx->revoked++;
}

static void fake_invalidate(struct longterm_pin_owner *owner)
{
	fake(owner)->invalidated++;
}

static void fake_free(struct longterm_pin_owner *owner)
{
	fake(owner)->freed = true;
}

static const struct longterm_pin_owner_ops fake_ops = {
	.kind		= "fake",
	.revoke_pin	= fake_revoke,
	.invalidate	= fake_invalidate,
	.free		= fake_free,
};

static void fake_drop(struct longterm_pin *host, bool dirty)
{
	host->table = NULL;
}

struct fixture {
	struct file *file;
	struct fake_context ctx;
	struct sg_append_table table;
	struct longterm_pin host;
	struct leased_pin *pin;
};

static struct file *open_scratch(struct kunit *test)
{
	struct file *file;

	file = anon_inode_create_getfile("[layout_lease_test]", &leasable_fops,
					 NULL, O_RDWR, NULL);
	KUNIT_ASSERT_FALSE(test, IS_ERR(file));
	/* an inode of its own, so that it may pass for a regular file */
	file_inode(file)->i_mode = S_IFREG | 0600;
	file_inode(file)->i_uid = current_fsuid();
	file->f_mode |= FMODE_OPENED;
	return file;
}

static int fixture_init(struct kunit *test)
{
	struct fixture *f = kunit_kzalloc(test, sizeof(*f), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, f);
	test->priv = f;
	f->file = open_scratch(test);
	init_completion(&f->ctx.revoke_may_end);
	complete_all(&f->ctx.revoke_may_end);
	longterm_pin_owner_init(&f->ctx.owner, &fake_ops, f->file);
	return 0;
}

static void fixture_exit(struct kunit *test)
{
	struct fixture *f = test->priv;

	if (f->file)
		__fput_sync(f->file);
	longterm_pin_owner_detach(&f->ctx.owner);
	longterm_pin_owner_put(&f->ctx.owner);
	KUNIT_EXPECT_TRUE(test, f->ctx.freed);
}

static void close_file(struct fixture *f)
{
	__fput_sync(f->file);
	f->file = NULL;
}

static void register_pin(struct kunit *test, u64 start, u64 end)
{
	struct fixture *f = test->priv;

	f->host.table = &f->table;
	f->pin = leased_pin_create(&f->ctx.owner, &f->host, fake_drop);
	KUNIT_ASSERT_NOT_NULL(test, f->pin);
	KUNIT_ASSERT_EQ(test, leased_pin_stand(f->pin, f->file, start, end), 0);
	KUNIT_ASSERT_EQ(test, leased_pin_batch_begin(f->pin), 0);
	leased_pin_batch_end(f->pin, file_inode(f->file), start,
			     (end - start) >> PAGE_SHIFT);
}

static void make_live(struct kunit *test)
{
	struct fixture *f = test->priv;

	KUNIT_ASSERT_EQ(test, leased_pin_attach(f->pin), 0);
	leased_pin_live(f->pin, NULL);
}

static void release_pin(struct fixture *f)
{
	leased_pin_release_begin(f->pin);
	if (leased_pin_free_begin(f->pin))
		leased_pin_free_end(f->pin);
	leased_pin_put(f->pin);
}

static struct file_layout *the_lease(struct fixture *f)
{
	struct file_layout *lease;

	lease = layout_next(file_inode(f->file), 0, 0, LAYOUT_EOF);
	if (lease)
		layout_put(lease);	/* stays on the list */
	return lease;
}

static void take_and_drop(struct kunit *test)
{
	struct fixture *f = test->priv;

	KUNIT_EXPECT_EQ(test, layout_lease_get(f->file), F_UNLCK);
	KUNIT_EXPECT_EQ(test, layout_lease_set(0, f->file, F_UNLCK | F_LAYOUT),
			-EAGAIN);
	KUNIT_EXPECT_EQ(test, layout_lease_set(0, f->file, F_LAYOUT), 0);
	KUNIT_EXPECT_EQ(test, layout_lease_get(f->file), F_LAYOUT);
	KUNIT_EXPECT_EQ(test,
			layout_lease_set(0, f->file, F_LAYOUT | F_UNBREAK), 0);
	KUNIT_EXPECT_EQ(test, layout_lease_get(f->file), F_LAYOUT | F_UNBREAK);
	KUNIT_EXPECT_EQ(test, layout_lease_set(0, f->file, F_UNLCK | F_LAYOUT),
			0);
	KUNIT_EXPECT_EQ(test, layout_lease_get(f->file), F_UNLCK);
	KUNIT_EXPECT_PTR_EQ(test, the_lease(f), NULL);
}

static void pins_are_counted(struct kunit *test)
{
	struct fixture *f = test->priv;
	struct file_layout *lease;

	KUNIT_ASSERT_EQ(test, layout_lease_set(0, f->file, F_LAYOUT), 0);
	lease = the_lease(f);
	KUNIT_ASSERT_NOT_NULL(test, lease);
	register_pin(test, 0, 4 * PAGE_SIZE);
	make_live(test);
	KUNIT_EXPECT_EQ(test, lease->nr_pins, 1);
	KUNIT_EXPECT_EQ(test, lease->nr_pages, 4);
	release_pin(f);
	KUNIT_EXPECT_EQ(test, lease->nr_pins, 0);
	KUNIT_EXPECT_EQ(test, lease->nr_pages, 0);
	KUNIT_EXPECT_EQ(test, f->ctx.revoked, 0);
}

static void no_lease_no_pin(struct kunit *test)
{
	struct fixture *f = test->priv;
	struct leased_pin *pin;

	f->host.table = &f->table;
	pin = leased_pin_create(&f->ctx.owner, &f->host, fake_drop);
	KUNIT_ASSERT_NOT_NULL(test, pin);
	KUNIT_EXPECT_EQ(test, leased_pin_stand(pin, f->file, 0, PAGE_SIZE),
			-EOPNOTSUPP);
	leased_pin_put(pin);
}

static void close_revokes_and_invalidates(struct kunit *test)
{
	struct fixture *f = test->priv;

	KUNIT_ASSERT_EQ(test, layout_lease_set(0, f->file, F_LAYOUT), 0);
	register_pin(test, 0, PAGE_SIZE);
	make_live(test);
	longterm_pin_owner_detach(&f->ctx.owner);
	close_file(f);
	KUNIT_EXPECT_EQ(test, f->ctx.revoked, 1);
	KUNIT_EXPECT_EQ(test, f->ctx.invalidated, 1);
	KUNIT_EXPECT_TRUE(test, leased_pin_revoked(f->pin));
	release_pin(f);
}

static void registration_is_killed(struct kunit *test)
{
	struct fixture *f = test->priv;

	KUNIT_ASSERT_EQ(test, layout_lease_set(0, f->file, F_LAYOUT), 0);
	register_pin(test, 0, PAGE_SIZE);
	longterm_pin_owner_detach(&f->ctx.owner);
	close_file(f);
	KUNIT_EXPECT_EQ(test, f->ctx.revoked, 0);
	KUNIT_EXPECT_PTR_EQ(test, f->host.table, NULL);
	KUNIT_EXPECT_EQ(test, leased_pin_batch_begin(f->pin), -EAGAIN);
	KUNIT_EXPECT_EQ(test, leased_pin_attach(f->pin), -EAGAIN);
	release_pin(f);
}

struct slow_close {
	struct work_struct work;
	struct fixture *f;
};

static void slow_close_work(struct work_struct *work)
{
	close_file(container_of(work, struct slow_close, work)->f);
}

/* The release must not return while a revocation works on the registration. */
static void release_waits_for_revoke(struct kunit *test)
{
	struct fixture *f = test->priv;
	struct slow_close closer = { .f = f };

	reinit_completion(&f->ctx.revoke_may_end);
	KUNIT_ASSERT_EQ(test, layout_lease_set(0, f->file, F_LAYOUT), 0);
	register_pin(test, 0, PAGE_SIZE);
	make_live(test);
	longterm_pin_owner_detach(&f->ctx.owner);
	INIT_WORK_ONSTACK(&closer.work, slow_close_work);
	queue_work(system_unbound_wq, &closer.work);
	while (!leased_pin_revoked(f->pin))
		msleep(20);
	KUNIT_EXPECT_EQ(test, f->ctx.revoked, 0);
	complete_all(&f->ctx.revoke_may_end);
	release_pin(f);
	KUNIT_EXPECT_EQ(test, f->ctx.revoked, 1);
	flush_work(&closer.work);
	destroy_work_on_stack(&closer.work);
}

static void break_of_own_lease(struct kunit *test)
{
	struct fixture *f = test->priv;
	struct inode *inode = file_inode(f->file);
	struct layout_break brk = { };

	KUNIT_ASSERT_EQ(test, layout_lease_set(0, f->file, F_LAYOUT), 0);
	register_pin(test, 0, PAGE_SIZE);
	make_live(test);
	KUNIT_EXPECT_EQ(test, layout_break_begin(&brk, f->file, inode, 0,
						 LAYOUT_EOF), -EDEADLK);
	KUNIT_ASSERT_EQ(test, layout_break_begin(&brk, f->file, inode,
						 16 * SZ_2M, LAYOUT_EOF), 0);
	KUNIT_EXPECT_EQ(test, layout_break_check(inode, 16 * SZ_2M,
						 LAYOUT_EOF), 0);
	KUNIT_EXPECT_FALSE(test, layout_break_end(&brk));
	release_pin(f);
}

/* While an operation is under way its range takes no lease and no pin. */
static void break_keeps_others_out(struct kunit *test)
{
	struct fixture *f = test->priv;
	struct inode *inode = file_inode(f->file);
	struct layout_break brk = { };
	struct leased_pin *pin;

	KUNIT_ASSERT_EQ(test, layout_lease_set(0, f->file, F_LAYOUT), 0);
	KUNIT_ASSERT_EQ(test, layout_break_begin(&brk, f->file, inode, 0,
						 SZ_2M), 0);
	pin = leased_pin_create(&f->ctx.owner, &f->host, fake_drop);
	KUNIT_ASSERT_NOT_NULL(test, pin);
	KUNIT_EXPECT_EQ(test, leased_pin_stand(pin, f->file, 0, PAGE_SIZE),
			-EAGAIN);
	KUNIT_EXPECT_EQ(test, leased_pin_stand(pin, f->file, SZ_2M,
					       SZ_2M + PAGE_SIZE), 0);
	KUNIT_EXPECT_EQ(test,
			layout_lease_set(0, f->file, F_LAYOUT | F_UNBREAK),
			-EAGAIN);
	KUNIT_EXPECT_FALSE(test, layout_break_end(&brk));
	if (leased_pin_free_begin(pin))
		leased_pin_free_end(pin);
	leased_pin_put(pin);
}

/* The check under the file system's locks sees what came behind step one. */
static void check_sees_a_late_lease(struct kunit *test)
{
	struct fixture *f = test->priv;
	struct inode *inode = file_inode(f->file);
	struct layout_break brk = { };

	KUNIT_ASSERT_EQ(test, layout_break_begin(&brk, NULL, inode, 0,
						 LAYOUT_EOF), 0);
	KUNIT_ASSERT_EQ(test, layout_lease_set(0, f->file, F_LAYOUT), 0);
	KUNIT_EXPECT_EQ(test, layout_break_check(inode, 0, LAYOUT_EOF),
			-EWOULDBLOCK);
	KUNIT_EXPECT_TRUE(test, layout_break_end(&brk));
	/* and without a step one it begins the break, or is refused */
	KUNIT_ASSERT_EQ(test, layout_lease_set(0, f->file, F_LAYOUT |
					       F_UNBREAK), 0);
	KUNIT_EXPECT_EQ(test, layout_break_check(inode, 0, LAYOUT_EOF),
			-ETXTBSY);
	KUNIT_EXPECT_EQ(test, the_lease(f)->denied, 1);
	KUNIT_ASSERT_EQ(test, layout_lease_set(0, f->file, F_LAYOUT), 0);
	KUNIT_EXPECT_EQ(test, layout_break_check(inode, SZ_2M, LAYOUT_EOF),
			-EWOULDBLOCK);
	KUNIT_EXPECT_EQ(test, layout_state(the_lease(f)), LAYOUT_BREAKING);
	KUNIT_EXPECT_EQ(test, layout_lease_get(f->file), F_UNLCK);
}

static struct kunit_case layout_lease_cases[] = {
	KUNIT_CASE(take_and_drop),
	KUNIT_CASE(pins_are_counted),
	KUNIT_CASE(no_lease_no_pin),
	KUNIT_CASE(close_revokes_and_invalidates),
	KUNIT_CASE(registration_is_killed),
	KUNIT_CASE(release_waits_for_revoke),
	KUNIT_CASE(break_of_own_lease),
	KUNIT_CASE(break_keeps_others_out),
	KUNIT_CASE(check_sees_a_late_lease),
	{}
};

static struct kunit_suite layout_lease_suite = {
	.name		= "layout_lease",
	.init		= fixture_init,
	.exit		= fixture_exit,
	.test_cases	= layout_lease_cases,
};

kunit_test_suite(layout_lease_suite);

MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("KUnit tests of layout leases");
