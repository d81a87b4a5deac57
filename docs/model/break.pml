/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A subtractive operation.  met and own are masks of leases: those it has met,
 * and those its task holds.
 */

#define MET(l)		(met & (1 << l))
#define MET_OTHER(l)	(met & ~own & (1 << l))

inline layout_break_start(l)
{
	if
	:: lease[l].phase == LEASE_GRANTED && !lease[l].breaking ->
		lease[l].breaking = 1;
#ifndef BUG_NO_TIMER
		lease[l].armed = 1
#endif
	:: else
	fi
}

inline layout_break_register(b, registered)
{
	flc_locked { breaks = breaks | (1 << b); registered = 1 }
}

inline layout_break_end(b, registered)
{
	flc_locked { breaks = breaks & ~(1 << b); registered = 0 }
}

/* It has a reference to each. */
inline layout_meet(l, met)
{
	l = 0;
	do
	:: l < LEASES ->
		flc_locked {
			if
			:: IN_FORCE(l) -> met = met | (1 << l); lease[l].ref++
			:: else
			fi
		};
		l++
	:: else -> break
	od
}

inline layout_forget_met(l, met)
{
	atomic {
		l = 0;
		do
		:: l < LEASES ->
			lease[l].ref = lease[l].ref - (MET(l) >> l);
			l++
		:: else -> break
		od;
		l = 0;
		met = 0
	}
}

inline layout_refused(l, met, own, deadlock)
{
	flc_locked {
		l = 0;
		do
		:: l < LEASES ->
			if
#ifndef BUG_NO_CANCEL
			:: MET(l) && lease[l].phase == LEASE_GRANTING ->
				lease[l].cancelled = 1
#endif
			:: MET(l) && PROMISED(l) && !MET_OTHER(l) && PINNED(l) ->
				deadlock = 1
			:: else
			fi;
			l++
		:: else -> break
		od
	}
}

/* PROMISED() is layout_in_way(). */
inline layout_break_met(l, met, own)
{
	l = 0;
	do
	:: l < LEASES ->
		if
		:: MET_OTHER(l) && PROMISED(l) ->
			flc_locked { layout_break_start(l) }
		:: else
		fi;
		l++
	:: else -> break
	od
}

/* Here as in DROP, whether a signal comes is decided before: it need not. */
inline layout_wait_met(l, met, own, signal)
{
	l = 0;
	do
	:: l < LEASES ->
		if
		:: MET_OTHER(l) ->
			if
			:: signal = PROMISED(l)
			:: skip
			fi;
			wait_event(lease[l].wait, !PROMISED(l) || signal)
		:: else
		fi;
		l++
	:: else -> break
	od
}

/* Is something in force that the first step has not settled? */
inline layout_check_pass(l, settled, again)
{
	flc_locked {
		again = 0;
		l = 0;
		do
		:: l < LEASES ->
			again = again ||
				(IN_FORCE(l) && !(settled && !PINNED(l)));
			l++
		:: else -> break
		od
	}
}

/* The same for a caller without a first step: it begins to break. */
inline layout_check_one(l, again)
{
	flc_locked {
		again = 0;
		l = 0;
		do
		:: l < LEASES ->
			if
			:: lease[l].phase == LEASE_GRANTING ->
				lease[l].cancelled = 1
			:: PROMISED(l) -> layout_break_start(l); again = 1
			:: else
			fi;
			l++
		:: else -> break
		od
	}
}

/* What it is all about: blocks go that nobody can reach and none was promised. */
inline free_blocks(l, own)
{
	atomic {
		assert(!pin[0].pages && !pin[0].device);
		assert(!pin[1].pages && !pin[1].device);
		l = 0;
		do
		:: l < LEASES ->
			assert(lease[l].phase != LEASE_GRANTED ||
			       (own & (1 << l)));
			l++
		:: else -> break
		od
	}
}
