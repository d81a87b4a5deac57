// SPDX-License-Identifier: GPL-2.0
/*
 * Leases, events and registrations, against a kernel that grants leases (see
 * fake_kernel.h).
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "fake_kernel.h"

#define SIZE	(16 * MIB)
#define RW	(PROT_READ | PROT_WRITE)

/* A leased and mapped file with two registrations. */
static struct flayout *fl;
static char *map;
static struct fake_mr low, high;
static struct flayout_registration *low_reg, *high_reg;

static void open_leased(uint64_t start, uint64_t len, unsigned int flags)
{
	void *addr = NULL;

	fake_begin();
	fl = open_file(SIZE);
	SAME(0, flayout_lease(fl, start, len, flags));
	SAME(FLAYOUT_MODE_LEASE, flayout_mode(fl));
	SAME(0, flayout_map(fl, 0, SIZE, RW, &addr));
	map = addr;
}

static struct flayout_registration *attach(struct fake_mr *mr, uint64_t start, uint64_t len)
{
	struct flayout_registration *reg;

	*mr = (struct fake_mr){ .start = start, .len = len };
	SAME(0, flayout_attach(fl, map + start, len, &fake_device, mr, &reg));
	return reg;
}

static void open_registered(void)
{
	open_leased(0, 0, 0);
	low_reg = attach(&low, 0, 2 * MIB);
	high_reg = attach(&high, 12 * MIB, 2 * MIB);
}

static void end_registered(void)
{
	flayout_detach(low_reg);
	flayout_detach(high_reg);
	flayout_close(fl);
}

static struct flayout_event next(void)
{
	struct flayout_event event = { 0 };
	int ret = flayout_next_event(fl, &event, sizeof(event));

	SAME(1, ret);
	return event;
}

static void no_event(void)
{
	struct flayout_event event;

	CHECK(!readable(fl, 0));
	SAME(0, flayout_next_event(fl, &event, sizeof(event)));
	CHECK(!readable(fl, 0));
}

/*
 * Leases
 */

static void a_lease_is_taken_changed_and_dropped(void)
{
	struct flayout_status status;

	open_leased(3 * MIB, MIB, FLAYOUT_UNBREAK);
	SAME(0, flayout_status(fl, &status, sizeof(status)));
	SAME(FLAYOUT_STATE_ACTIVE, status.state);
	SAME(FLAYOUT_MODE_LEASE, status.mode);
	SAME(1, status.unbreak);
	SAME((long long)(2 * MIB), status.start);
	SAME((long long)(2 * MIB), status.len);
	SAME(0, flayout_lease(fl, 0, 0, 0));
	SAME(0, flayout_status(fl, &status, sizeof(status)));
	SAME(0, status.start + status.len + status.unbreak);
	no_event();
	SAME(0, flayout_drop(fl, 0));
	SAME(FLAYOUT_STATE_NONE, fake_state());
	SAME(0, flayout_drop(fl, 0));
	flayout_close(fl);
}

static void closing_ends_the_lease_of_a_shared_description(void)
{
	int fd;

	open_leased(0, 0, 0);
	fd = dup(flayout_file(fl));
	flayout_close(fl);
	SAME(FLAYOUT_STATE_NONE, fake_state());
	close(fd);
}

static void a_child_leaves_lease_and_registrations_alone(void)
{
	int status;
	pid_t pid;

	open_registered();
	pid = fork();
	if (!pid) {
		flayout_close(fl);
		flayout_detach(low_reg);
		flayout_detach(high_reg);
		_exit(fake_state() != FLAYOUT_STATE_ACTIVE || !low.pinned);
	}
	SAME(pid, waitpid(pid, &status, 0));
	SAME(0, status);
	end_registered();
}

static void a_child_leaves_a_lease_without_registrations_alone(void)
{
	int status;
	pid_t pid;

	open_leased(0, 0, 0);
	pid = fork();
	if (!pid) {
		flayout_close(fl);
		_exit(fake_state() != FLAYOUT_STATE_ACTIVE);
	}
	SAME(pid, waitpid(pid, &status, 0));
	SAME(0, status);
	flayout_close(fl);
}

static int take_with(int error)
{
	int ret;

	fake_begin();
	fl = open_file(SIZE);
	fake_refuse(error);
	ret = flayout_lease(fl, 0, 0, 0);
	CHECK(*flayout_message(fl));
	flayout_close(fl);
	return ret;
}

static void each_refusal_has_its_words(void)
{
	static const int errors[] = { EACCES, EPERM, EAGAIN, EBUSY, ENOSPC, EDQUOT, EIO, EOPNOTSUPP };

	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++)
		SAME(-errors[i], take_with(errors[i]));
	SAME(-EOPNOTSUPP, take_with(EINVAL));
}

static void a_fallback_is_for_want_of_leases_only(void)
{
	fake_begin();
	fake_dax(true);
	fl = open_file(SIZE);
	fake_refuse(EACCES);
	SAME(-EACCES, flayout_lease(fl, 0, 0, FLAYOUT_FALLBACK_BOUNCE));
	SAME(FLAYOUT_MODE_NONE, flayout_mode(fl));
	fake_refuse(EINVAL);
	SAME(-EOPNOTSUPP, flayout_lease(fl, 0, 0, 0));
	CHECK(strstr(flayout_message(fl), "fs.leases-enable"));
	SAME(0, flayout_lease(fl, 0, 0, FLAYOUT_FALLBACK_BOUNCE));
	SAME(FLAYOUT_MODE_BOUNCE, flayout_mode(fl));
	fake_refuse(0);
	SAME(0, flayout_lease(fl, 0, 0, FLAYOUT_FALLBACK_BOUNCE));
	SAME(FLAYOUT_MODE_LEASE, flayout_mode(fl));
	flayout_close(fl);
}

static void a_file_without_dax_takes_the_fallback(void)
{
	fake_begin();
	fl = open_file(SIZE);
	SAME(0, flayout_lease(fl, 0, 0, FLAYOUT_FALLBACK_BOUNCE));
	SAME(FLAYOUT_MODE_BOUNCE, flayout_mode(fl));
	SAME(FLAYOUT_STATE_NONE, fake_state());
	flayout_close(fl);
}

static void a_lease_can_be_given_up_for_a_fallback(void)
{
	open_leased(0, 0, 0);
	SAME(-EBUSY, flayout_lease(fl, 0, 0, FLAYOUT_FALLBACK_BOUNCE | FLAYOUT_FORCE_FALLBACK));
	SAME(FLAYOUT_STATE_ACTIVE, fake_state());
	SAME(0, flayout_unmap(fl, map));
	SAME(0, flayout_lease(fl, 0, 0, FLAYOUT_FALLBACK_BOUNCE | FLAYOUT_FORCE_FALLBACK));
	SAME(FLAYOUT_STATE_NONE, fake_state());
	flayout_close(fl);
}

static void a_lease_that_cannot_be_given_up_stays_with_its_events(void)
{
	const unsigned int fallback = FLAYOUT_FALLBACK_BOUNCE | FLAYOUT_FORCE_FALLBACK;
	struct fake_mr other = { .start = 0, .len = MIB };

	open_leased(0, 0, 0);
	SAME(0, flayout_unmap(fl, map));
	SAME(0, fake_pin(&other));
	SAME(-EAGAIN, flayout_lease(fl, 0, 0, fallback));
	SAME(FLAYOUT_MODE_LEASE, flayout_mode(fl));
	fake_break(0, 0);
	SAME(FLAYOUT_EVENT_BREAK, next().type);
	fake_unpin(&other);
	SAME(0, flayout_let_go(fl));
	SAME(FLAYOUT_STATE_NONE, fake_state());
	SAME(0, flayout_lease(fl, 0, 0, fallback));
	SAME(FLAYOUT_MODE_BOUNCE, flayout_mode(fl));
	flayout_close(fl);
}

static void *drop_waiting(void *arg)
{
	return (void *)(long)flayout_drop(arg, 0);
}

static void dropping_waits_for_pins_of_others_or_does_not(void)
{
	struct fake_mr other = { .start = 0, .len = MIB };
	pthread_t thread;
	void *ret;

	open_leased(0, 0, 0);
	SAME(0, fake_pin(&other));
	SAME(-EAGAIN, flayout_drop(fl, FLAYOUT_NONBLOCK));
	CHECK(!(fcntl(flayout_file(fl), F_GETFL) & O_NONBLOCK));
	SAME(0, pthread_create(&thread, NULL, drop_waiting, fl));
	while (flayout_drop(fl, FLAYOUT_NONBLOCK) != -EAGAIN ||
	       !strstr(flayout_message(fl), "another thread"))
		usleep(1000);
	fake_unpin(&other);
	SAME(0, pthread_join(thread, &ret));
	SAME(0, (long)ret);
	SAME(FLAYOUT_STATE_NONE, fake_state());
	flayout_close(fl);
}

/* What a thread gets that comes while another one drops. */
static int came_meanwhile;

static void lease_meanwhile(void)
{
	came_meanwhile = flayout_lease(fl, 0, 0, 0);
}

static void retake_meanwhile(void)
{
	came_meanwhile = flayout_retake(fl, 0);
}

static void fall_back_meanwhile(void)
{
	came_meanwhile = flayout_lease(fl, 0, 0, FLAYOUT_FALLBACK_BOUNCE | FLAYOUT_FORCE_FALLBACK);
}

static void no_lease_is_taken_before_another_threads_drop_has_returned(void)
{
	static void (*const meanwhile[])(void) = {
		lease_meanwhile, retake_meanwhile, fall_back_meanwhile,
	};

	for (size_t i = 0; i < sizeof(meanwhile) / sizeof(meanwhile[0]); i++) {
		open_leased(0, 0, 0);
		SAME(0, flayout_unmap(fl, map));
		fake_after_drop(meanwhile[i]);
		SAME(0, flayout_drop(fl, 0));
		SAME(-EAGAIN, came_meanwhile);
		CHECK(strstr(flayout_message(fl), "another thread"));
		SAME(FLAYOUT_MODE_LEASE, flayout_mode(fl));
		SAME(0, flayout_lease(fl, 0, 0, 0));
		SAME(0, flayout_drop(fl, 0));
		SAME(FLAYOUT_STATE_NONE, fake_state());
		flayout_close(fl);
	}
}

/*
 * Events
 */

static void a_break_is_told_once_and_again_when_it_grows(void)
{
	struct flayout_event event;

	open_leased(0, 0, 0);
	no_event();
	fake_break(8 * MIB, 4096);
	CHECK(readable(fl, 1000));
	event = next();
	SAME(FLAYOUT_EVENT_BREAK, event.type);
	SAME((long long)(8 * MIB), event.start);
	SAME(4096, event.len);
	SAME(1234, event.msecs);
	no_event();
	fake_break(8 * MIB, 4096);
	SAME(0, flayout_next_event(fl, &event, sizeof(event)));
	fake_break(4 * MIB, 0);
	event = next();
	SAME((long long)(4 * MIB), event.start);
	SAME(0, event.len);
	no_event();
	flayout_close(fl);
}

static void events_that_come_together_are_all_told(void)
{
	struct flayout_event event;

	open_leased(0, 0, 0);
	fake_deny();
	fake_deny();
	fake_break(0, 0);
	SAME(FLAYOUT_EVENT_BREAK, next().type);
	CHECK(readable(fl, 0));
	event = next();
	SAME(FLAYOUT_EVENT_DENIED, event.type);
	SAME(2, event.count);
	no_event();
	fake_deny();
	SAME(1, next().count);
	fake_revoke();
	SAME(FLAYOUT_EVENT_REVOKED, next().type);
	no_event();
	flayout_close(fl);
}

static void a_break_that_is_over_is_not_told(void)
{
	open_leased(0, 0, 0);
	fake_break(0, 0);
	SAME(0, flayout_let_go(fl));
	fake_break_done();
	SAME(0, flayout_retake(fl, 0));
	CHECK(readable(fl, 0));		/* it was signalled */
	SAME(0, flayout_next_event(fl, &(struct flayout_event){ 0 }, sizeof(struct flayout_event)));
	no_event();
	fake_break(0, 0);		/* the same range, another break */
	SAME(FLAYOUT_EVENT_BREAK, next().type);
	flayout_close(fl);
}

static void denials_before_a_change_of_the_lease_are_told(void)
{
	open_leased(0, 0, FLAYOUT_UNBREAK);
	fake_deny();
	SAME(0, flayout_lease(fl, 0, 0, 0));
	fake_deny();
	SAME(2, next().count);
	no_event();
	flayout_close(fl);
}

static void denials_are_counted_anew_when_another_process_takes(void)
{
	open_leased(0, 0, FLAYOUT_UNBREAK);
	fake_deny();
	fake_deny();
	SAME(2, next().count);
	fake_take();
	fake_deny();
	SAME(1, next().count);
	flayout_close(fl);
}

static void a_revocation_is_told_even_if_the_lease_is_taken_again(void)
{
	open_leased(0, 0, 0);
	fake_revoke();
	SAME(0, flayout_drop(fl, 0));
	SAME(0, flayout_retake(fl, 0));
	SAME(FLAYOUT_STATE_ACTIVE, fake_state());
	SAME(FLAYOUT_EVENT_REVOKED, next().type);
	no_event();
	fake_revoke();
	SAME(FLAYOUT_EVENT_REVOKED, next().type);
	flayout_close(fl);
}

static void a_revocation_just_before_the_lease_is_changed_is_told(void)
{
	open_registered();
	fake_before_take(fake_revoke);
	SAME(0, flayout_lease(fl, 0, 0, FLAYOUT_UNBREAK));
	SAME(FLAYOUT_STATE_ACTIVE, fake_state());
	CHECK(readable(fl, 0));
	SAME(FLAYOUT_EVENT_REVOKED, next().type);
	no_event();
	SAME(0, flayout_retake(fl, 0));
	SAME(2, low.made);
	SAME(0, flayout_lease(fl, 0, 0, 0));
	no_event();
	end_registered();
}

static void a_revocation_just_before_a_take_that_fails_is_told(void)
{
	open_registered();
	fake_break(0, 0);
	SAME(FLAYOUT_EVENT_BREAK, next().type);
	fake_before_take(fake_revoke);
	SAME(-EAGAIN, flayout_retake(fl, 0));
	SAME(FLAYOUT_STATE_NONE, fake_state());
	SAME(FLAYOUT_EVENT_REVOKED, next().type);
	no_event();
	fake_break_done();
	SAME(0, flayout_retake(fl, 0));
	CHECK(low.pinned && high.pinned);
	SAME(2, low.made);
	no_event();
	end_registered();
}

static void a_revocation_just_before_the_lease_is_shrunk_is_told(void)
{
	open_registered();
	fake_break(5 * MIB, 0);
	SAME(FLAYOUT_EVENT_BREAK, next().type);
	fake_before_take(fake_revoke);
	SAME(0, flayout_let_go(fl));
	SAME(FLAYOUT_EVENT_REVOKED, next().type);
	no_event();
	fake_break_done();
	SAME(0, flayout_retake(fl, 0));
	SAME(2, low.made);
	no_event();
	end_registered();
}

/*
 * Letting go
 */

static void what_lies_before_a_truncation_stays_registered(void)
{
	open_registered();
	fake_break(5 * MIB, 0);
	SAME(0, flayout_let_go(fl));
	CHECK(low.pinned);
	CHECK(!high.pinned);
	SAME(FLAYOUT_STATE_ACTIVE, fake_state());
	SAME(0, fake_start());
	SAME((long long)(4 * MIB), fake_len());
	SAME(-EAGAIN, flayout_retake(fl, 0));
	fake_break_done();
	SAME(0, flayout_retake(fl, 0));
	CHECK(high.pinned);
	SAME(1, low.made);
	SAME(0, fake_len());
	end_registered();
}

static void what_lies_behind_a_hole_stays_if_nothing_is_before(void)
{
	open_registered();
	fake_break(0, 5 * MIB);
	SAME(0, flayout_let_go(fl));
	CHECK(!low.pinned);
	CHECK(high.pinned);
	SAME((long long)(6 * MIB), fake_start());
	end_registered();
}

static void of_both_sides_the_lower_one_stays(void)
{
	open_registered();
	fake_break(6 * MIB, MIB);
	SAME(0, flayout_let_go(fl));
	CHECK(low.pinned);
	CHECK(!high.pinned);
	fake_break_done();
	SAME(0, flayout_retake(fl, 0));
	CHECK(high.pinned);
	end_registered();
}

static void with_no_registration_left_the_lease_is_dropped(void)
{
	open_registered();
	fake_break(0, 0);
	SAME(0, flayout_let_go(fl));
	SAME(FLAYOUT_STATE_NONE, fake_state());
	CHECK(!low.pinned && !high.pinned);
	end_registered();
}

static void strangers_pins_keep_us_from_letting_go(void)
{
	struct fake_mr other = { .start = 8 * MIB, .len = MIB };

	open_registered();
	SAME(0, fake_pin(&other));
	fake_break(5 * MIB, 0);
	SAME(-EAGAIN, flayout_let_go(fl));
	CHECK(strstr(flayout_message(fl), "not attached"));
	CHECK(!high.pinned);
	fake_unpin(&other);
	SAME(0, flayout_let_go(fl));
	SAME((long long)(4 * MIB), fake_len());
	end_registered();
}

static void who_may_not_take_any_more_lets_go_of_all(void)
{
	static const int errors[] = { EACCES, EINVAL, ENOSPC };

	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		open_registered();
		fake_break(5 * MIB, 0);
		fake_refuse(errors[i]);
		SAME(0, flayout_let_go(fl));
		SAME(FLAYOUT_STATE_NONE, fake_state());
		CHECK(!low.pinned && !high.pinned);
		fake_break_done();
		fake_refuse(0);
		SAME(0, flayout_retake(fl, 0));
		CHECK(low.pinned && high.pinned);
		end_registered();
	}
}

static void strangers_pins_also_keep_one_who_may_not_take(void)
{
	struct fake_mr other = { .start = MIB, .len = MIB };

	open_registered();
	SAME(0, fake_pin(&other));
	fake_break(5 * MIB, 0);
	fake_refuse(EACCES);
	SAME(-EAGAIN, flayout_let_go(fl));
	CHECK(strstr(flayout_message(fl), "not attached"));
	fake_unpin(&other);
	SAME(0, flayout_let_go(fl));
	SAME(FLAYOUT_STATE_NONE, fake_state());
	end_registered();
}

static void letting_go_without_a_break_does_nothing(void)
{
	open_registered();
	SAME(0, flayout_let_go(fl));
	CHECK(low.pinned && high.pinned);
	SAME(FLAYOUT_STATE_ACTIVE, fake_state());
	end_registered();
}

static void retaking_gives_up_in_time(void)
{
	open_registered();
	fake_break(0, 0);
	SAME(-EAGAIN, flayout_retake(fl, 30));
	SAME(0, flayout_let_go(fl));
	SAME(-EAGAIN, flayout_retake(fl, 30));
	fake_break_done();
	high.refuse = EFAULT;
	SAME(1, flayout_retake(fl, 0));
	CHECK(low.pinned && !high.pinned);
	high.refuse = 0;
	SAME(0, flayout_retake(fl, 0));
	CHECK(high.pinned);
	fake_refuse(EACCES);
	SAME(0, flayout_drop(fl, FLAYOUT_NONBLOCK));
	SAME(-EACCES, flayout_retake(fl, -1));
	end_registered();
}

static void retaking_makes_anew_what_a_revocation_has_left(void)
{
	open_registered();
	fake_revoke();
	SAME(0, flayout_retake(fl, 0));
	CHECK(low.pinned && high.pinned);
	SAME(2, low.made);
	SAME(0, flayout_retake(fl, 0));
	SAME(2, low.made);
	end_registered();
}

/*
 * Registrations
 */

static void registrations_are_checked(void)
{
	struct flayout_registration *reg = (void *)1;
	struct fake_mr mr = { .len = MIB };
	const struct flayout_registration_ops half = { .make = fake_device.make };

	open_leased(0, 4 * MIB, 0);
	SAME(-EINVAL, flayout_attach(NULL, map, MIB, &fake_device, &mr, &reg));
	SAME(-EINVAL, flayout_attach(fl, map, MIB, NULL, &mr, &reg));
	SAME(-EINVAL, flayout_attach(fl, map, MIB, &half, &mr, &reg));
	SAME(-EINVAL, flayout_attach(fl, map, MIB, &fake_device, &mr, NULL));
	SAME(-EINVAL, flayout_attach(fl, map, 0, &fake_device, &mr, &reg));
	SAME(-EINVAL, flayout_attach(fl, map + SIZE, 1, &fake_device, &mr, &reg));
	SAME(-EINVAL, flayout_attach(fl, map, SIZE + 1, &fake_device, &mr, &reg));
	mr.start = 4 * MIB;
	SAME(-EOPNOTSUPP, flayout_attach(fl, map + 4 * MIB, MIB, &fake_device, &mr, &reg));
	CHECK(!reg);
	flayout_close(fl);
}

static void registered_memory_is_not_unmapped(void)
{
	open_registered();
	SAME(-EBUSY, flayout_unmap(fl, map));
	flayout_detach(low_reg);
	flayout_detach(high_reg);
	SAME(0, flayout_unmap(fl, map));
	flayout_close(fl);
}

static void closing_ends_registrations_that_are_detached_later(void)
{
	open_registered();
	flayout_close(fl);
	CHECK(!low.pinned && !high.pinned);
	flayout_detach(low_reg);
	flayout_detach(high_reg);
}

static void *attach_and_detach(void *arg)
{
	(void)arg;
	for (int i = 0; i < 200; i++) {
		struct flayout_registration *reg;
		struct fake_mr mr = { .start = 8 * MIB, .len = MIB };

		if (!flayout_attach(fl, map + 8 * MIB, MIB, &fake_device, &mr, &reg))
			flayout_detach(reg);
	}
	return NULL;
}

static void threads_register_while_breaks_come(void)
{
	struct flayout_event event;
	pthread_t threads[3];

	open_registered();
	for (int i = 0; i < 3; i++)
		SAME(0, pthread_create(&threads[i], NULL, attach_and_detach, NULL));
	for (int i = 0; i < 50; i++) {
		fake_break(4 * MIB, 0);
		while (flayout_next_event(fl, &event, sizeof(event)) > 0)
			SAME(FLAYOUT_EVENT_BREAK, event.type);
		SAME(0, flayout_let_go(fl));
		fake_break_done();
		SAME(0, flayout_retake(fl, 0));
	}
	for (int i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
	CHECK(low.pinned && high.pinned);
	SAME(1, low.made);
	end_registered();
}

static const struct test tests[] = {
	TEST(a_lease_is_taken_changed_and_dropped),
	TEST(closing_ends_the_lease_of_a_shared_description),
	TEST(a_child_leaves_lease_and_registrations_alone),
	TEST(a_child_leaves_a_lease_without_registrations_alone),
	TEST(each_refusal_has_its_words),
	TEST(a_fallback_is_for_want_of_leases_only),
	TEST(a_file_without_dax_takes_the_fallback),
	TEST(a_lease_can_be_given_up_for_a_fallback),
	TEST(a_lease_that_cannot_be_given_up_stays_with_its_events),
	TEST(dropping_waits_for_pins_of_others_or_does_not),
	TEST(no_lease_is_taken_before_another_threads_drop_has_returned),
	TEST(a_break_is_told_once_and_again_when_it_grows),
	TEST(events_that_come_together_are_all_told),
	TEST(a_break_that_is_over_is_not_told),
	TEST(denials_before_a_change_of_the_lease_are_told),
	TEST(denials_are_counted_anew_when_another_process_takes),
	TEST(a_revocation_is_told_even_if_the_lease_is_taken_again),
	TEST(a_revocation_just_before_the_lease_is_changed_is_told),
	TEST(a_revocation_just_before_a_take_that_fails_is_told),
	TEST(a_revocation_just_before_the_lease_is_shrunk_is_told),
	TEST(what_lies_before_a_truncation_stays_registered),
	TEST(what_lies_behind_a_hole_stays_if_nothing_is_before),
	TEST(of_both_sides_the_lower_one_stays),
	TEST(with_no_registration_left_the_lease_is_dropped),
	TEST(strangers_pins_keep_us_from_letting_go),
	TEST(who_may_not_take_any_more_lets_go_of_all),
	TEST(strangers_pins_also_keep_one_who_may_not_take),
	TEST(letting_go_without_a_break_does_nothing),
	TEST(retaking_gives_up_in_time),
	TEST(retaking_makes_anew_what_a_revocation_has_left),
	TEST(registrations_are_checked),
	TEST(registered_memory_is_not_unmapped),
	TEST(closing_ends_registrations_that_are_detached_later),
	TEST(threads_register_while_breaks_come),
};

int main(void)
{
	return run_tests(tests, sizeof(tests) / sizeof(tests[0]));
}
