/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A model of layout leases: leases, pins, breaks, closes.
 *
 * Names are those of the code, and what is one section under flc_lock or
 * pin->lock there is one atomic step here, not more.  Which step is what:
 *
 *   file       stands for
 *   lease.pml  fs/layout_lease.c: layout_take(), layout_drop(), layout_unlink(),
 *              layout_revoke_claim(), layout_revoke_done(), layout_lease_close()
 *   break.pml  fs/layout_break.c: layout_meet(), layout_refused(),
 *              layout_break_met(), layout_wait_met(), layout_check_pass()
 *   pin.pml    fs/leased_pin.c: leased_pin_stand(), _attach(), _claim(),
 *              _revoke(), _gone(), _release_begin(), layout_revoke_pins();
 *              mm/longterm_pin.c: walk_batch(), longterm_pin_release();
 *              uverbs_lease.c: uverbs_revoke_pin(), uverbs_mr_free()
 *   tasks.pml  who calls them:
 *     Holder     fcntl(F_SETLAYOUT), and the last close: __fput()
 *     Program    ib_uverbs_reg_mr() with longterm_pin_user_pages(), its
 *                dereg_mr, and what claims a region and lets go of it again:
 *                rereg_mr, or a dereg_mr that the driver refuses
 *     Breaker    truncate_break_layout() and ext4_break_layouts(); with its own
 *                lease, without one, or without a first step (nfsd)
 *     Timer      layout_expire()
 *     Admin      fcntl_revokelayout()
 *     Closer     ib_uverbs_close()
 *     Teardown   uverbs_teardown()
 *
 * A task is unfair where it is user space: at each choice it may stop for ever,
 * and loops as often as it likes.  Where it is in the kernel its bit in "busy"
 * is set, and with weak fairness that must end.
 *
 * What exists is chosen by LEASES, PINS, PIECES (mappings that a registration
 * crosses), BREAKERS, and what the tasks may do by TAKE_AGAIN, DROP, CLOSE,
 * CLOSE_CONTEXT, REVOKE, CHANGE, OWN, ONCE.  Each BUG_ puts one in; the model
 * must fail then.  tests/host/model has all the combinations that are checked.
 */

#ifndef LEASES
#define LEASES 1	/* a description each, the pieces of a pin spread on them */
#endif
#ifndef PINS
#define PINS 1
#endif
#ifndef PIECES
#define PIECES 2
#endif
#ifndef BREAKERS
#define BREAKERS 1
#endif

mtype:phase = {
	LEASE_NONE, LEASE_GRANTING, LEASE_GRANTED, LEASE_REVOKING,
	LEASE_REVOKED, LEASE_GONE
};

mtype:state = {
	PIN_NONE, PIN_REGISTERING, PIN_ATTACHING, PIN_LIVE, PIN_REVOKING,
	PIN_RELEASING, PIN_GONE
};

#define HANDLE_NONE		0
#define HANDLE_NEW		1
#define HANDLE_COMMITTED	2

typedef file_layout {
	mtype:phase phase = LEASE_NONE;
	bit breaking;
	bit draining;
	bit cancelled;
	bit armed;		/* expiry is pending */
	bit running;		/* expiry runs */
	byte nr_pins;
	byte ref;		/* references of who neither owns nor pins it */
	short wait;		/* who sleeps */
	bit drops;		/* a DROP is in progress, */
	bit signal;		/* and a signal comes */
};

typedef leased_pin {
	mtype:state state = PIN_NONE;
	bit killed;
	bit batch;
	bit wanted;		/* a revoker waits for the claim */
	byte on[2];		/* the stake of each piece: its lease + 1 */
	bit counted[2];
	byte ref;		/* references of revokers */
	short wait;
	byte pages;		/* pinned: a bit for each piece */
	bit device;		/* can reach them */
	bit hw;			/* the driver's region exists */
	byte handle;		/* the uobject */
};

typedef context {
	byte commands;		/* in progress */
	bit closed;		/* the last descriptor is gone */
	bit dead;		/* somebody is about to kill it, */
	bit killed;		/* and has */
	bit hw_destroy;		/* hw_destroy_rwsem, for writing */
};

file_layout lease[LEASES];
leased_pin pin[2];
context owner;
byte breaks;			/* operations that are registered */
bit fs_locked;			/* i_rwsem and invalidate_lock, for writing */
byte mapped;			/* the page tables have it: a bit for each piece */

#define stands(p, l)	(pin[p].on[0] == l + 1 || pin[p].on[1] == l + 1)
#define PINNED(l)	(stands(0, l) || stands(1, l))
#define LISTED(l)	(lease[l].phase != LEASE_NONE && \
			 lease[l].phase != LEASE_GONE)
#define IN_FORCE(l)	(lease[l].phase == LEASE_GRANTING || \
			 lease[l].phase == LEASE_GRANTED || \
			 lease[l].phase == LEASE_REVOKING)
#define PROMISED(l)	(lease[l].phase == LEASE_GRANTED || \
			 lease[l].phase == LEASE_REVOKING)
#define BREAKING(l)	(LISTED(l) && lease[l].breaking)
/* An object is used again when nobody knows the old lease any more. */
#define UNUSED(l)	(!LISTED(l) && !lease[l].ref && !PINNED(l) && \
			 !lease[l].armed && !lease[l].running)
#if LEASES == 1
#define LEASE_OF(i)	0
#define RANGE_IS_BROKEN	(breaks || BREAKING(0))
#define LEASES_PRESENT	LISTED(0)
#else
#define LEASE_OF(i)	i
#define RANGE_IS_BROKEN	(breaks || BREAKING(0) || BREAKING(1))
#define LEASES_PRESENT	(LISTED(0) || LISTED(1))
#endif

/*
 * Locks, sleeping, tasks
 */

#define flc_locked atomic
#define pin_locked atomic

#define ME (1 << me)
#define HOLDER(l) (l)
#define PROGRAM(p) (2 + p)
#define BREAKER(b) (4 + b)
#define TIMER(l) (6 + l)
#define ADMIN 8
#define CLOSER 9
#define TEARDOWN 10

/* Wake-ups that come too early, or not at all, are part of the model. */
inline wait_event(queue, condition)
{
	do
	:: atomic { (condition) -> break }
	:: atomic { !(condition) -> queue = queue | ME };
		!(queue & ME)
	od
}
#define wake_up_all(queue) queue = 0

#ifdef LIVE
short busy;			/* a bit for each task in the kernel */
#define ENTER_KERNEL	busy = busy | ME
#define LEAVE_KERNEL	busy = busy & ~ME
#else
#define ENTER_KERNEL	skip
#define LEAVE_KERNEL	skip
#endif

#include "pin.pml"
#include "lease.pml"
#include "break.pml"
#include "tasks.pml"

/*
 * What must hold.  More is asserted where it happens: see free_blocks(), the
 * ends of layout_lease_close(), layout_drop(), uverbs_mr_free() and
 * uverbs_destroy_ufile_hw().
 */

/* A lease counts the pins that stand on it, and goes when there are none. */
#define LEASE_IS_SAFE(l) \
	(lease[l].nr_pins == stands(0, l) + stands(1, l) && \
	 (PROMISED(l) || !PINNED(l)))

/* No page is pinned, none in reach of the device, without a lease. */
#define PIECE_IS_SAFE(p, i) \
	(!(pin[p].device || (pin[p].pages & (1 << i))) || \
	 (pin[p].on[i] && PROMISED(LEASE_OF(i))))

#if PIECES == 1
#define PIN_IS_SAFE(p)	PIECE_IS_SAFE(p, 0)
#else
#define PIN_IS_SAFE(p)	(PIECE_IS_SAFE(p, 0) && PIECE_IS_SAFE(p, 1))
#endif
#if LEASES == 1
#define LEASES_ARE_SAFE	LEASE_IS_SAFE(0)
#else
#define LEASES_ARE_SAFE	(LEASE_IS_SAFE(0) && LEASE_IS_SAFE(1))
#endif

#define SAFE (LEASES_ARE_SAFE && PIN_IS_SAFE(0) && PIN_IS_SAFE(1))

#ifndef LIVE
ltl holds { [] SAFE }
#else
/* Who is in the kernel leaves it; DROP may sleep until a signal, or the last pin. */
#define ENDS(task)	(<> !(busy & (1 << task)))
#define DROP_ENDS(l)	(<> !(lease[l].drops && \
			      (lease[l].signal || DRAINED(l))))
ltl holds { [] (SAFE && ENDS(HOLDER(0)) && DROP_ENDS(0) && ENDS(TIMER(0))
#if PINS > 0
		&& ENDS(PROGRAM(0))
#endif
#if PINS > 1
		&& ENDS(PROGRAM(1))
#endif
#if LEASES > 1
		&& ENDS(HOLDER(1)) && DROP_ENDS(1) && ENDS(TIMER(1))
#endif
#if BREAKERS > 0
		&& ENDS(BREAKER(0))
#endif
#if BREAKERS > 1
		&& ENDS(BREAKER(1))
#endif
#ifdef REVOKE
		&& ENDS(ADMIN)
#endif
#ifdef CLOSE_CONTEXT
		&& ENDS(CLOSER)
#endif
#ifdef CLOSE
		&& ENDS(TEARDOWN)
#endif
	       ) }
#endif
