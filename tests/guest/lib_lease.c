// SPDX-License-Identifier: GPL-2.0
/*
 * libflayout on DAX files: clients write into leased memory, each event arrives,
 * and a break ends what it must and nothing else.
 */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "lib/rig.h"
#include "lib/served.h"

FIXTURE(lib)
{
	struct rig rig;
	struct served s;
};

ON_DAX(lib);

FIXTURE_SETUP(lib)
{
	ASSERT_EQ(0, rig_open(&self->rig, variant->dir));
	ASSERT_EQ(0, served_open(&self->s, self->rig.path, 0));
}

FIXTURE_TEARDOWN(lib)
{
	served_close(&self->s);
	rig_close(&self->rig);
}

static int state(FIXTURE_DATA(lib) *self)
{
	return served_state(&self->s);
}

TEST_F(lib, what_a_client_writes_is_in_the_file)
{
	struct flayout_status status;

	ASSERT_EQ(FLAYOUT_MODE_LEASE, flayout_mode(self->s.fl));
	EXPECT_EQ(0, served_write(&self->s, self->s.low, 'a'));
	EXPECT_EQ(0, served_write(&self->s, self->s.high, 'b'));
	EXPECT_EQ(0, flayout_sync_to_file(self->s.fl, self->s.map, RIG_SIZE));
	EXPECT_TRUE(file_is(self->rig.path, 0, SERVED_PART, 'a'));
	EXPECT_TRUE(file_is(self->rig.path, SERVED_HIGH, SERVED_PART, 'b'));
	ASSERT_EQ(0, flayout_status(self->s.fl, &status, sizeof(status)));
	EXPECT_EQ(FLAYOUT_STATE_ACTIVE, status.state);
	EXPECT_EQ(2, status.pins);
	EXPECT_EQ(2 * SERVED_PART / PAGE, status.pinned_pages);
	EXPECT_EQ(0, served_event(&self->s, 0).type);
}

TEST_F(lib, a_truncation_is_told_and_completes_when_we_let_go)
{
	struct flayout_event event;

	rig_start(&self->rig, do_truncate, 0, 0);
	event = served_event(&self->s, QUICK);
	EXPECT_EQ(FLAYOUT_EVENT_BREAK, event.type);
	EXPECT_EQ(0, event.start);
	EXPECT_EQ(0, event.len);
	EXPECT_GT(event.msecs, 1000);
	EXPECT_EQ(FLAYOUT_STATE_BREAKING, state(self));
	EXPECT_TRUE(peer_busy(&self->rig.other, 100));
	EXPECT_EQ(0, flayout_let_go(self->s.fl));
	EXPECT_EQ(0, peer_result(&self->rig.other, QUICK));
	EXPECT_EQ(NULL, flayout_mr_ibv(self->s.low));
	EXPECT_EQ(FLAYOUT_STATE_NONE, state(self));
}

TEST_F(lib, what_lies_before_a_truncation_is_served_on)
{
	struct flayout_status status;
	struct ibv_mr *before = flayout_mr_ibv(self->s.low);

	rig_start(&self->rig, do_truncate, SERVED_HIGH + MIB, 0);
	ASSERT_EQ(FLAYOUT_EVENT_BREAK, served_event(&self->s, QUICK).type);
	ASSERT_EQ(0, flayout_let_go(self->s.fl));
	ASSERT_EQ(0, peer_result(&self->rig.other, QUICK));
	EXPECT_EQ(before, flayout_mr_ibv(self->s.low));
	EXPECT_EQ(NULL, flayout_mr_ibv(self->s.high));
	EXPECT_EQ(0, served_write(&self->s, self->s.low, 'l'));
	ASSERT_EQ(0, flayout_status(self->s.fl, &status, sizeof(status)));
	EXPECT_EQ(FLAYOUT_STATE_ACTIVE, status.state);
	EXPECT_EQ(SERVED_HIGH, status.len);
	/* Half of the high part is no longer in the file. */
	EXPECT_EQ(1, flayout_retake(self->s.fl, QUICK));
	EXPECT_EQ(NULL, flayout_mr_ibv(self->s.high));
	EXPECT_EQ(0, ftruncate(self->rig.fd, RIG_SIZE));
	EXPECT_EQ(0, flayout_retake(self->s.fl, 0));
	EXPECT_EQ(0, served_write(&self->s, self->s.high, 'h'));
	EXPECT_TRUE(file_is(self->rig.path, SERVED_HIGH, SERVED_PART, 'h'));
}

TEST_F(lib, what_lies_behind_a_hole_is_served_on)
{
	rig_start(&self->rig, do_punch, 0, SERVED_PART);
	ASSERT_EQ(FLAYOUT_EVENT_BREAK, served_event(&self->s, QUICK).type);
	ASSERT_EQ(0, flayout_let_go(self->s.fl));
	ASSERT_EQ(0, peer_result(&self->rig.other, QUICK));
	EXPECT_EQ(0, served_write(&self->s, self->s.high, 'h'));
	EXPECT_EQ(0, flayout_retake(self->s.fl, QUICK));
	EXPECT_EQ(0, served_write(&self->s, self->s.low, 'l'));
}

/* To shrink is to take; to drop is always allowed. */
TEST_F(lib, who_may_not_take_any_more_lets_go_of_all)
{
	rig_start(&self->rig, do_truncate, SERVED_HIGH + MIB, 0);
	ASSERT_EQ(FLAYOUT_EVENT_BREAK, served_event(&self->s, QUICK).type);
	ASSERT_EQ(0, sysctl_write("fs/leases-enable", 0));
	EXPECT_EQ(0, flayout_let_go(self->s.fl));
	EXPECT_EQ(0, sysctl_write("fs/leases-enable", 1));
	EXPECT_EQ(0, peer_result(&self->rig.other, QUICK));
	EXPECT_EQ(NULL, flayout_mr_ibv(self->s.low));
	EXPECT_EQ(FLAYOUT_STATE_NONE, state(self));
}

TEST_F(lib, retaking_waits_for_the_operation)
{
	rig_start(&self->rig, do_truncate, 0, 0);
	ASSERT_EQ(FLAYOUT_EVENT_BREAK, served_event(&self->s, QUICK).type);
	EXPECT_EQ(-EAGAIN, flayout_retake(self->s.fl, 50));
	ASSERT_EQ(0, flayout_let_go(self->s.fl));
	EXPECT_EQ(2, flayout_retake(self->s.fl, QUICK));
	EXPECT_EQ(FLAYOUT_STATE_ACTIVE, state(self));
	EXPECT_EQ(0, peer_result(&self->rig.other, QUICK));
}

TEST_F(lib, an_unbreakable_lease_refuses_and_tells)
{
	struct flayout_event event;

	ASSERT_EQ(0, flayout_lease(self->s.fl, 0, 0, FLAYOUT_UNBREAK));
	EXPECT_EQ(-ETXTBSY, rig_other(&self->rig, do_truncate, 0, 0));
	EXPECT_EQ(-ETXTBSY, rig_other(&self->rig, do_punch, 0, MIB));
	event = served_event(&self->s, QUICK);
	EXPECT_EQ(FLAYOUT_EVENT_DENIED, event.type);
	EXPECT_EQ(2, event.count);
	EXPECT_EQ(0, served_write(&self->s, self->s.low, 'u'));
	EXPECT_EQ(0, flayout_let_go(self->s.fl));
	EXPECT_EQ(FLAYOUT_STATE_ACTIVE, state(self));
}

TEST_F_TIMEOUT(lib, who_does_not_let_go_is_revoked_and_told, 60)
{
	struct ibv_mr *before = flayout_mr_ibv(self->s.low);

	ASSERT_EQ(0, break_time_set(1));
	rig_start(&self->rig, do_truncate, 0, 0);
	ASSERT_EQ(FLAYOUT_EVENT_BREAK, served_event(&self->s, QUICK).type);
	ASSERT_EQ(FLAYOUT_EVENT_REVOKED, served_event(&self->s, 1000 + QUICK).type);
	EXPECT_EQ(0, peer_result(&self->rig.other, QUICK));
	EXPECT_NE(0, served_write(&self->s, self->s.low, 'r'));
	EXPECT_EQ(before, flayout_mr_ibv(self->s.low));
	/* Now everything begins again. */
	ASSERT_EQ(0, ftruncate(self->rig.fd, RIG_SIZE));
	EXPECT_EQ(0, flayout_retake(self->s.fl, QUICK));
	ASSERT_EQ(0, served_reconnect(&self->s));
	EXPECT_EQ(0, served_write(&self->s, self->s.low, 'r'));
	EXPECT_TRUE(file_is(self->rig.path, 0, SERVED_PART, 'r'));
}

TEST_F(lib, regions_outside_the_library_are_waited_for_or_not)
{
	struct ibv_mr *mr;

	ASSERT_EQ(0, mr_reg(&self->s.server, self->s.map + SERVED_PART, PAGE, MR_SERVER, &mr));
	EXPECT_EQ(-EAGAIN, flayout_drop(self->s.fl, FLAYOUT_NONBLOCK));
	EXPECT_EQ(0, fcntl(flayout_file(self->s.fl), F_GETFL) & O_NONBLOCK);
	EXPECT_EQ(0, flayout_retake(self->s.fl, 0));
	EXPECT_EQ(0, served_write(&self->s, self->s.low, 'o'));
	EXPECT_EQ(0, ibv_dereg_mr(mr));
	EXPECT_EQ(0, flayout_drop(self->s.fl, 0));
	EXPECT_EQ(FLAYOUT_STATE_NONE, state(self));
}

TEST_F(lib, closing_the_handle_leaves_the_context_alive)
{
	flayout_close(self->s.fl);
	self->s.fl = NULL;
	EXPECT_EQ(0, mr_try(&self->s.server, self->s.buf, PAGE, MR_SERVER));
	EXPECT_EQ(0, rig_other(&self->rig, do_truncate, 0, 0));
}

TEST_F(lib, a_lease_on_the_callers_description_ends_with_the_handle)
{
	struct flayout *fl;

	ASSERT_EQ(0, flayout_new(&fl));
	ASSERT_EQ(0, flayout_open_fd(fl, self->rig.fd));
	ASSERT_EQ(0, flayout_lease(fl, 0, 0, 0));
	EXPECT_EQ(LAYOUT_ACTIVE, lease_see(self->rig.fd).state);
	flayout_close(fl);
	EXPECT_EQ(LAYOUT_NONE, lease_see(self->rig.fd).state);
}

TEST_F(lib, an_exited_child_leaves_the_parents_lease)
{
	int status;
	pid_t pid = fork();

	if (!pid) {
		flayout_close(self->s.fl);
		_exit(0);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	EXPECT_EQ(FLAYOUT_STATE_ACTIVE, state(self));
	EXPECT_EQ(0, served_write(&self->s, self->s.high, 'p'));
}

TEST_F(lib, leases_of_a_range_cover_that_range_only)
{
	struct flayout_mr *mr;

	ASSERT_EQ(-EBUSY, flayout_lease(self->s.fl, 0, SERVED_PART, 0));
	flayout_dereg_mr(self->s.high);
	self->s.high = NULL;
	ASSERT_EQ(0, flayout_lease(self->s.fl, 0, SERVED_PART, 0));
	EXPECT_EQ(-EOPNOTSUPP, flayout_reg_mr(self->s.fl, self->s.server.pd,
					      self->s.map + SERVED_HIGH, PAGE, MR_SERVER, &mr));
	EXPECT_EQ(0, rig_other(&self->rig, do_truncate, SERVED_PART, 0));
	EXPECT_EQ(0, served_event(&self->s, 0).type);
}

TEST_HARNESS_MAIN
