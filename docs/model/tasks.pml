/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Who does what.  A branch that only stops is user space that is deaf.
 */

proctype Holder(byte me; byte l)
{
	mtype:state was = PIN_NONE;
	bit ok, mine;
	byte p;

	do
	:: break
#ifdef TAKE_AGAIN
	:: atomic { !LISTED(l) || lease[l].phase == LEASE_REVOKED ->
			ENTER_KERNEL };
#else
	:: atomic { lease[l].phase == LEASE_NONE -> ENTER_KERNEL };
#endif
		layout_take(l, ok);
		LEAVE_KERNEL
#ifdef DROP
	:: LISTED(l) -> layout_drop(l, ok)
#endif
#ifdef CLOSE
	:: atomic { LISTED(l) -> ENTER_KERNEL };
		layout_lease_close(l, ok, mine, p, was);
		LEAVE_KERNEL;
		break
#endif
	od
}

#define MAY_COMMAND (!owner.closed && !owner.killed)
#define HAS_REGION (MAY_COMMAND && pin[p].handle == HANDLE_COMMITTED)
#define MAY_REGISTER (MAY_COMMAND && !pin[p].handle && !pin[p].ref)

/* One region: it is registered, changed, deregistered, and so on. */
proctype Program(byte me; byte p)
{
	bit ok, hit;
	byte i, l;

user:
#ifdef ONCE
	if
	:: pin[p].state != PIN_NONE -> goto quiet
	:: else
	fi;
#endif
	if
	:: goto quiet
	:: atomic { MAY_REGISTER -> owner.commands++; ENTER_KERNEL };
		goto register
	:: atomic { HAS_REGION -> owner.commands++; ENTER_KERNEL };
		uverbs_mr_free(p, ok);
		goto command_exit
#ifdef CHANGE
	:: atomic { HAS_REGION -> owner.commands++; ENTER_KERNEL };
		leased_pin_release_begin(p);
		leased_pin_release_cancel(p);
		goto command_exit
#endif
	fi;

register:
	atomic {
		pin[p].state = PIN_REGISTERING;
		pin[p].killed = 0;
		pin[p].wanted = 0;
		pin[p].handle = HANDLE_NEW;
		ok = 1
	};
#ifdef BUG_PIN_BEFORE_LEASE
	walk_batch(p, 0, ok, hit);
#endif
	i = 0;
	do					/* walk_grab_leases() */
	:: ok && i < PIECES -> leased_pin_stand(p, i, l, ok); i++
	:: else -> break
	od;
	i = 0;
	do					/* walk_leased() */
	:: ok && i < PIECES ->
		hit = 0;
		walk_batch(p, i, ok, hit);
		if
		:: hit -> i++
		:: !hit && ok ->		/* walk_fault_in() */
			LEAVE_KERNEL;
			if
			:: goto stuck
			:: ENTER_KERNEL
			fi;
			atomic { !fs_locked -> mapped = mapped | (1 << i) }
		:: else
		fi
	:: else -> break
	od;
	leased_pin_attach(p, ok);
	if
	:: ok ->
		atomic { pin[p].hw = 1; pin[p].device = 1 };
		leased_pin_set_state(p, PIN_LIVE);
		LEAVE_KERNEL;			/* uverbs_response() */
		if
		:: goto stuck
		:: pin[p].handle = HANDLE_COMMITTED
		fi
	:: else ->
		longterm_pin_release(p, ok);
		atomic {
			assert(!pin[p].pages && !pin[p].on[0] && !pin[p].on[1]);
			pin[p].handle = HANDLE_NONE
		}
	fi;

command_exit:
	atomic { owner.commands--; LEAVE_KERNEL; ok = 0; hit = 0; i = 0; l = 0 };
	goto user;
stuck:
	false;
quiet:
	skip
}

mtype:kind = { OTHERS, OWNERS, STACKED };

proctype Breaker(byte me; byte b)
{
	mtype:kind kind = OTHERS;
	byte l, met, own;
	bit again, registered, deadlock, signal;

	if
	:: goto quiet
	:: ENTER_KERNEL
#ifdef OWN
	:: atomic { kind = OWNERS; own = 1; ENTER_KERNEL }
	:: atomic { kind = STACKED; ENTER_KERNEL }; goto lock
#endif
	fi;

begin:						/* layout_break_begin() */
	if
#ifndef BUG_RETRY_UNREGISTERED
	:: !LEASES_PRESENT && !again -> goto lock
#else
	:: !LEASES_PRESENT -> goto lock
#endif
	:: else
	fi;
	layout_break_register(b, registered);
	layout_meet(l, met);
	layout_refused(l, met, own, deadlock);
	if
	:: deadlock -> goto out
	:: else
	fi;
	layout_break_met(l, met, own);
	layout_wait_met(l, met, own, signal);
	layout_forget_met(l, met);
	if
	:: signal -> goto out
	:: else
	fi;

lock:						/* ext4_setattr() */
	atomic { !fs_locked -> fs_locked = 1 };
	mapped = 0;				/* dax_layout_busy_page_range() */
#ifndef BUG_NO_RECHECK
	if
	:: kind == STACKED -> layout_check_one(l, again)
	:: else -> layout_check_pass(l, registered, again)
	fi;
#endif
	if
	:: !again -> free_blocks(l, own)
	:: else
	fi;
	fs_locked = 0;
	if
	:: again && kind != STACKED -> layout_break_end(b, registered);
		goto begin
	:: else
	fi;

out:
	layout_forget_met(l, met);
	layout_break_end(b, registered);
	LEAVE_KERNEL;
quiet:
	skip
}

proctype Timer(byte me; byte l)
{
	mtype:state was = PIN_NONE;
	bit claimed, mine;
	byte p;

	do
	:: atomic { lease[l].armed ->
			lease[l].armed = 0; lease[l].running = 1; ENTER_KERNEL };
		layout_revoke_claim(l, 1, claimed);
		if
		:: claimed ->
			layout_revoke_pins(l, 0, mine, p, was);
			layout_revoke_done(l)
		:: else
		fi;
		atomic { lease[l].running = 0; claimed = 0; LEAVE_KERNEL }
	od
}

proctype Admin(byte me)
{
	mtype:state was = PIN_NONE;
	bit ok, mine;
	byte p, l;

	if
	:: goto quiet
	:: ENTER_KERNEL
	fi;
	do
	:: l < LEASES ->
		atomic {			/* layout_next() */
			ok = IN_FORCE(l);
			lease[l].ref = lease[l].ref + ok
		};
		if
		:: ok ->
			layout_revoke(l, ok, mine, p, was);
			lease[l].ref--
		:: else
		fi;
		l++
	:: else -> break
	od;
	LEAVE_KERNEL;
quiet:
	skip
}

proctype Closer(byte me)
{
	bit mine;
	byte p;

	if
	:: goto quiet
	/* a command holds the file */
	:: atomic { !owner.commands -> owner.closed = 1; ENTER_KERNEL }
	fi;
	uverbs_destroy_ufile_hw(p, mine);
	LEAVE_KERNEL;
quiet:
	skip
}

proctype Teardown(byte me)
{
	bit mine;
	byte p;

	atomic { owner.killed && !owner.commands -> ENTER_KERNEL };
	uverbs_destroy_ufile_hw(p, mine);
	LEAVE_KERNEL
}

init {
	atomic {
		run Holder(HOLDER(0), 0);
		run Timer(TIMER(0), 0);
#if LEASES > 1
		run Holder(HOLDER(1), 1);
		run Timer(TIMER(1), 1);
#endif
#if PINS > 0
		run Program(PROGRAM(0), 0);
#endif
#if PINS > 1
		run Program(PROGRAM(1), 1);
#endif
#if BREAKERS > 0
		run Breaker(BREAKER(0), 0);
#endif
#if BREAKERS > 1
		run Breaker(BREAKER(1), 1);
#endif
#ifdef REVOKE
		run Admin(ADMIN);
#endif
#ifdef CLOSE_CONTEXT
		run Closer(CLOSER);
#endif
#ifdef CLOSE
		run Teardown(TEARDOWN);
#endif
	}
}
