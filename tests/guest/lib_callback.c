// SPDX-License-Identifier: GPL-2.0
/*
 * libflayout's callback form on DAX files: a server that only polls one
 * descriptor gives way to every operation and goes on serving.
 */
#include <errno.h>
#include <poll.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "lib/rig.h"
#include "lib/served.h"

#define ROUNDS	4

struct seen {
	int quiesced, resumed, denied, revoked, lost;
	int failed;	/* of the last resumed */
	int answer;	/* what quiesce returns */
};

FIXTURE(callback)
{
	struct rig rig;
	struct served s;
	struct seen seen;
};

ON_DAX(callback);

static int on_quiesce(struct flayout *fl, const struct flayout_event *event, void *arg)
{
	struct seen *seen = arg;

	seen->quiesced++;
	return seen->answer;
}

static void on_resumed(struct flayout *fl, int failed, void *arg)
{
	struct seen *seen = arg;

	seen->resumed++;
	seen->failed = failed;
}

static void on_denied(struct flayout *fl, const struct flayout_event *event, void *arg)
{
	((struct seen *)arg)->denied += event->count;
}

static void on_revoked(struct flayout *fl, const struct flayout_event *event, void *arg)
{
	((struct seen *)arg)->revoked++;
}

static void on_lost(struct flayout *fl, int error, void *arg)
{
	((struct seen *)arg)->lost = error;
}

static const struct flayout_callbacks callbacks = {
	.quiesce = on_quiesce,
	.resumed = on_resumed,
	.denied = on_denied,
	.revoked = on_revoked,
	.lost = on_lost,
};

FIXTURE_SETUP(callback)
{
	ASSERT_EQ(0, rig_open(&self->rig, variant->dir));
	ASSERT_EQ(0, served_open(&self->s, self->rig.path, 0));
	memset(&self->seen, 0, sizeof(self->seen));
	ASSERT_EQ(0, flayout_set_callbacks(self->s.fl, &callbacks, sizeof(callbacks), &self->seen));
}

FIXTURE_TEARDOWN(callback)
{
	served_close(&self->s);
	rig_close(&self->rig);
}

/* The server's loop, until a counter has reached @n; 0, -ETIME, or what dispatching returned. */
static int serve(FIXTURE_DATA(callback) *self, const int *counter, int n)
{
	struct pollfd pfd = { .fd = flayout_fd(self->s.fl), .events = POLLIN };
	int ret = 0;

	while (!ret && *counter < n) {
		if (poll(&pfd, 1, LONG) != 1)
			return -ETIME;
		ret = flayout_dispatch(self->s.fl);
	}
	return ret;
}

TEST_F_TIMEOUT(callback, a_truncation_completes_and_serving_goes_on, 60)
{
	rig_start(&self->rig, do_truncate, MIB, 0);
	EXPECT_EQ(0, serve(self, &self->seen.resumed, 1));
	EXPECT_EQ(0, peer_result(&self->rig.other, QUICK));
	EXPECT_EQ(1, self->seen.quiesced);
	EXPECT_EQ(0, self->seen.lost);
	/* Both regions lie, at least in part, where the file has ended. */
	EXPECT_EQ(2, self->seen.failed);
	EXPECT_EQ(MIB, file_size(self->rig.path));
	ASSERT_EQ(0, ftruncate(self->rig.fd, RIG_SIZE));
	EXPECT_EQ(0, flayout_retake(self->s.fl, 0));
	EXPECT_EQ(0, served_write(&self->s, self->s.low, 'c'));
	EXPECT_TRUE(file_is(self->rig.path, 0, SERVED_PART, 'c'));
}

TEST_F_TIMEOUT(callback, hole_after_hole_the_server_gives_way, 120)
{
	int i;

	for (i = 1; i <= ROUNDS; i++) {
		rig_start(&self->rig, do_punch, SERVED_HIGH, SERVED_PART);
		EXPECT_EQ(0, serve(self, &self->seen.resumed, i));
		EXPECT_EQ(0, peer_result(&self->rig.other, QUICK));
		EXPECT_EQ(0, self->seen.failed);
		EXPECT_TRUE(file_is(self->rig.path, SERVED_HIGH, SERVED_PART, 0));
		EXPECT_EQ(0, served_write(&self->s, self->s.high, 'a' + i));
		EXPECT_EQ(0, served_write(&self->s, self->s.low, 'a' + i));
	}
	EXPECT_EQ(ROUNDS, self->seen.quiesced);
	EXPECT_EQ(0, self->seen.revoked);
	EXPECT_TRUE(file_is(self->rig.path, SERVED_HIGH, SERVED_PART, 'a' + ROUNDS));
}

TEST_F_TIMEOUT(callback, a_server_may_take_its_time, 60)
{
	self->seen.answer = FLAYOUT_LATER;
	rig_start(&self->rig, do_punch, 0, SERVED_PART);
	EXPECT_EQ(0, serve(self, &self->seen.quiesced, 1));
	EXPECT_TRUE(peer_busy(&self->rig.other, 300));
	EXPECT_EQ(0, served_write(&self->s, self->s.low, 'l'));
	EXPECT_EQ(0, flayout_let_go(self->s.fl));
	EXPECT_EQ(0, serve(self, &self->seen.resumed, 1));
	EXPECT_EQ(0, peer_result(&self->rig.other, QUICK));
	EXPECT_EQ(0, self->seen.failed);
}

TEST_F_TIMEOUT(callback, who_stays_is_revoked_and_serves_again, 60)
{
	self->seen.answer = -1;
	ASSERT_EQ(0, break_time_set(1));
	rig_start(&self->rig, do_punch, 0, SERVED_PART);
	EXPECT_EQ(0, serve(self, &self->seen.resumed, 1));
	EXPECT_EQ(0, peer_result(&self->rig.other, QUICK));
	EXPECT_EQ(1, self->seen.revoked);
	EXPECT_EQ(0, self->seen.failed);
	EXPECT_EQ(0, served_write(&self->s, self->s.low, 's'));
	EXPECT_EQ(0, served_write(&self->s, self->s.high, 's'));
}

TEST_F(callback, a_refused_operation_is_counted)
{
	ASSERT_EQ(0, flayout_lease(self->s.fl, 0, 0, FLAYOUT_UNBREAK));
	EXPECT_EQ(-ETXTBSY, rig_other(&self->rig, do_truncate, 0, 0));
	EXPECT_EQ(0, serve(self, &self->seen.denied, 1));
	EXPECT_EQ(0, self->seen.quiesced);
	EXPECT_EQ(0, served_write(&self->s, self->s.low, 'd'));
}

/* Registered behind the library's back: letting go is tried again. */
TEST_F_TIMEOUT(callback, a_stranger_that_goes_late_is_waited_for, 60)
{
	struct ibv_mr *mr;

	ASSERT_EQ(0, mr_reg(&self->s.server, self->s.map + SERVED_PART, PAGE, MR_SERVER, &mr));
	rig_start(&self->rig, do_punch, 0, RIG_SIZE);
	EXPECT_EQ(0, serve(self, &self->seen.quiesced, 1));
	EXPECT_TRUE(peer_busy(&self->rig.other, 100));
	EXPECT_EQ(0, ibv_dereg_mr(mr));
	EXPECT_EQ(0, serve(self, &self->seen.resumed, 1));
	EXPECT_EQ(0, peer_result(&self->rig.other, QUICK));
}

TEST_HARNESS_MAIN
