// SPDX-License-Identifier: GPL-2.0
/* The callback form, in a loop that polls, against the kernel of fake_kernel.h. */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "check.h"
#include "fake_kernel.h"

#define SIZE	(8 * MIB)

/* What the callbacks have seen. */
static struct seen {
	int quiesced, resumed, denied, revoked, lost;
	int failed;			/* of the last resumed */
	int error;			/* of the last lost */
	int answer;			/* what quiesce returns */
	int nested;			/* what a dispatch in a callback returned */
	bool registered;		/* while it was asked to be quiet */
	struct flayout_event event;
} seen;

static struct flayout *fl;
static struct fake_mr mr;
static struct flayout_registration *reg;

static int on_quiesce(struct flayout *handle, const struct flayout_event *event, void *arg)
{
	struct seen *s = arg;

	s->quiesced++;
	s->event = *event;
	s->registered = mr.pinned;
	s->nested = flayout_dispatch(handle);
	return s->answer;
}

static void on_resumed(struct flayout *handle, int failed, void *arg)
{
	(void)handle;
	((struct seen *)arg)->resumed++;
	((struct seen *)arg)->failed = failed;
}

static void on_denied(struct flayout *handle, const struct flayout_event *event, void *arg)
{
	(void)handle;
	((struct seen *)arg)->denied += event->count;
}

static void on_revoked(struct flayout *handle, const struct flayout_event *event, void *arg)
{
	(void)handle;
	(void)event;
	((struct seen *)arg)->revoked++;
}

static void on_lost(struct flayout *handle, int error, void *arg)
{
	(void)handle;
	((struct seen *)arg)->lost++;
	((struct seen *)arg)->error = error;
}

static const struct flayout_callbacks callbacks = {
	.quiesce = on_quiesce,
	.resumed = on_resumed,
	.denied = on_denied,
	.revoked = on_revoked,
	.lost = on_lost,
};

static void begin(void)
{
	void *map = NULL;

	fake_begin();
	seen = (struct seen){ 0 };
	mr = (struct fake_mr){ .start = 0, .len = MIB };
	fl = open_file(SIZE);
	SAME(0, flayout_lease(fl, 0, 0, 0));
	SAME(0, flayout_map(fl, 0, SIZE, PROT_READ | PROT_WRITE, &map));
	SAME(0, flayout_attach(fl, map, MIB, &fake_device, &mr, &reg));
	SAME(0, flayout_set_callbacks(fl, &callbacks, sizeof(callbacks), &seen));
}

static void finish(void)
{
	flayout_detach(reg);
	flayout_close(fl);
}

/* An event loop that ends when nothing was due for a while. */
static void loop(void)
{
	while (readable(fl, 100))
		SAME(0, flayout_dispatch(fl));
}

/* An event loop until a counter of seen has reached @n. */
static void loop_until(const int *counter, int n)
{
	while (*counter < n && CHECK(readable(fl, 3000)))
		SAME(0, flayout_dispatch(fl));
}

/* An event loop until the memory is registered again. */
static void loop_until_pinned(void)
{
	while (!mr.pinned && CHECK(readable(fl, 3000)))
		SAME(0, flayout_dispatch(fl));
}

static void a_break_is_handled_from_end_to_end(void)
{
	begin();
	fake_break(0, 0);
	loop_until(&seen.quiesced, 1);
	CHECK(seen.registered);
	SAME(-EBUSY, seen.nested);
	SAME(FLAYOUT_EVENT_BREAK, seen.event.type);
	CHECK(!mr.pinned);
	SAME(FLAYOUT_STATE_NONE, fake_state());
	SAME(0, seen.resumed);
	fake_break_done();
	loop_until(&seen.resumed, 1);
	SAME(0, seen.failed);
	CHECK(mr.pinned);
	loop();
	SAME(1, seen.quiesced + seen.lost + seen.denied + seen.revoked);
	finish();
}

static void who_does_not_wait_for_us_has_a_moment_to_come_again(void)
{
	begin();
	fake_break(0, 0);
	loop_until(&seen.quiesced, 1);
	fake_break_done();
	CHECK(!readable(fl, 500));
	SAME(FLAYOUT_STATE_NONE, fake_state());
	fake_break(0, 0);
	fake_break_done();
	loop_until(&seen.resumed, 1);
	SAME(1, seen.quiesced);
	CHECK(mr.pinned);
	finish();
}

static void who_may_not_take_any_more_lets_go_and_is_told(void)
{
	struct fake_mr other = { .start = 6 * MIB, .len = MIB };

	begin();
	SAME(0, fake_pin(&other));
	fake_refuse(EACCES);
	fake_break(4 * MIB, 0);
	loop_until(&seen.quiesced, 1);
	CHECK(!mr.pinned);
	fake_unpin(&other);
	loop_until(&seen.lost, 1);
	SAME(-EACCES, seen.error);
	SAME(FLAYOUT_STATE_NONE, fake_state());
	SAME(0, seen.revoked + seen.resumed);
	finish();
}

static void a_program_may_take_its_time_to_be_quiet(void)
{
	begin();
	seen.answer = FLAYOUT_LATER;
	fake_break(0, 0);
	loop();
	SAME(1, seen.quiesced);
	CHECK(mr.pinned);
	SAME(0, flayout_let_go(fl));
	CHECK(!mr.pinned);
	fake_break_done();
	loop_until(&seen.resumed, 1);
	CHECK(mr.pinned);
	finish();
}

static void who_stays_is_revoked_and_begins_again(void)
{
	begin();
	seen.answer = -1;
	fake_break(0, 0);
	loop();
	SAME(FLAYOUT_STATE_BREAKING, fake_state());
	fake_revoke();
	loop_until(&seen.revoked, 1);
	CHECK(!mr.pinned);
	fake_break_done();
	loop_until(&seen.resumed, 1);
	CHECK(mr.pinned);
	SAME(2, mr.made);
	finish();
}

static void letting_go_is_tried_again_while_strangers_hold_pins(void)
{
	struct fake_mr other = { .start = 2 * MIB, .len = MIB };

	begin();
	SAME(0, fake_pin(&other));
	fake_break(0, 0);
	loop_until(&seen.quiesced, 1);
	CHECK(!mr.pinned);
	SAME(FLAYOUT_STATE_BREAKING, fake_state());
	for (int i = 0; i < 3; i++) {
		CHECK(readable(fl, 500));
		SAME(0, flayout_dispatch(fl));
	}
	fake_unpin(&other);
	fake_break_done();
	loop_until(&seen.resumed, 1);
	CHECK(mr.pinned);
	finish();
}

static void denials_are_counted(void)
{
	begin();
	fake_deny();
	fake_deny();
	loop();
	SAME(2, seen.denied);
	SAME(0, seen.quiesced);
	CHECK(mr.pinned);
	finish();
}

static void what_cannot_be_had_again_is_lost(void)
{
	begin();
	fake_break(0, 0);
	loop_until(&seen.quiesced, 1);
	fake_refuse(EACCES);
	loop_until(&seen.lost, 1);
	SAME(-EACCES, seen.error);
	loop();
	SAME(1, seen.lost);
	SAME(0, seen.resumed);
	finish();
}

static void a_registration_that_does_not_fit_any_more_stays_ended(void)
{
	begin();
	fake_break(0, 0);
	loop_until(&seen.quiesced, 1);
	mr.refuse = EFAULT;
	fake_break_done();
	loop_until(&seen.resumed, 1);
	SAME(1, seen.failed);
	CHECK(!mr.pinned);
	finish();
}

static void without_callbacks_of_its_own_a_program_still_lets_go(void)
{
	static const struct flayout_callbacks none;

	begin();
	SAME(0, flayout_set_callbacks(fl, &none, sizeof(none), NULL));
	fake_break(0, 0);
	loop();
	CHECK(!mr.pinned);
	fake_break_done();
	loop_until_pinned();
	fake_deny();
	fake_revoke();
	loop();
	CHECK(!mr.pinned);
	loop_until_pinned();
	finish();
}

static void who_drops_the_lease_does_not_get_it_back(void)
{
	begin();
	fake_break(0, 0);
	loop_until(&seen.quiesced, 1);
	fake_break_done();
	SAME(0, flayout_drop(fl, 0));
	CHECK(!readable(fl, 1500));
	SAME(0, seen.resumed);
	SAME(FLAYOUT_STATE_NONE, fake_state());
	finish();
}

static void a_shorter_table_of_callbacks_is_served(void)
{
	begin();
	SAME(0, flayout_set_callbacks(fl, &callbacks, sizeof(callbacks.quiesce), &seen));
	fake_break(0, 0);
	loop_until(&seen.quiesced, 1);
	fake_break_done();
	loop_until_pinned();
	SAME(0, seen.resumed);
	finish();
}

static const struct test tests[] = {
	TEST(a_break_is_handled_from_end_to_end),
	TEST(who_does_not_wait_for_us_has_a_moment_to_come_again),
	TEST(who_may_not_take_any_more_lets_go_and_is_told),
	TEST(a_program_may_take_its_time_to_be_quiet),
	TEST(who_stays_is_revoked_and_begins_again),
	TEST(letting_go_is_tried_again_while_strangers_hold_pins),
	TEST(denials_are_counted),
	TEST(what_cannot_be_had_again_is_lost),
	TEST(a_registration_that_does_not_fit_any_more_stays_ended),
	TEST(without_callbacks_of_its_own_a_program_still_lets_go),
	TEST(who_drops_the_lease_does_not_get_it_back),
	TEST(a_shorter_table_of_callbacks_is_served),
};

int main(void)
{
	return run_tests(tests, sizeof(tests) / sizeof(tests[0]));
}
