/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The lease.
 */

inline layout_unlink(l)
{
	do
	:: lease[l].phase == LEASE_REVOKING ->
		wait_event(lease[l].wait, lease[l].phase != LEASE_REVOKING)
	:: flc_locked { lease[l].phase != LEASE_REVOKING ->
			lease[l].phase = LEASE_GONE; break }
	od;
	lease[l].armed = 0;		/* cancel_delayed_work_sync() */
	!lease[l].running;
	wake_up_all(lease[l].wait)
}

inline layout_revoke_claim(l, if_expired, claimed)
{
	flc_locked {
		claimed = lease[l].phase == LEASE_GRANTED &&
			  (!if_expired || lease[l].breaking);
		if
		:: claimed -> lease[l].phase = LEASE_REVOKING
		:: else
		fi
	}
}

inline layout_revoke_done(l)
{
	flc_locked {
		lease[l].phase = LEASE_REVOKED;
		lease[l].breaking = 0
	};
	wake_up_all(lease[l].wait)
}

/* p and was are variables of the calling process. */
inline layout_revoke(l, claimed, mine, p, was)
{
	layout_revoke_claim(l, 0, claimed);
	if
	:: claimed ->
		layout_revoke_pins(l, 0, mine, p, was);
		layout_revoke_done(l)
	:: else ->
		wait_event(lease[l].wait, lease[l].phase != LEASE_REVOKING)
	fi
}

/* The owners of pins die; those that were not doomed before are mine. */
inline layout_lease_close(l, claimed, mine, p, was)
{
	layout_revoke_claim(l, 0, claimed);
	if
#ifndef BUG_CLOSE_FORGETS_PINS
	:: claimed ->
		layout_revoke_pins(l, 1, mine, p, was);
		layout_revoke_done(l)
#else
	:: claimed -> layout_revoke_done(l)
#endif
	:: else ->
		wait_event(lease[l].wait, lease[l].phase != LEASE_REVOKING)
	fi;
	layout_unlink(l);
	if
	:: mine -> uverbs_invalidate()	/* layout_invalidate_owners() */
	:: else
	fi;
	assert(lease[l].phase == LEASE_GONE && !PINNED(l))
}

/* A description without a lease, or with a tombstone: TAKE does not change one. */
inline layout_take(l, ok)
{
	if				/* layout_to_change() */
	:: lease[l].phase == LEASE_REVOKING ->
		wait_event(lease[l].wait, lease[l].phase != LEASE_REVOKING)
	:: else
	fi;
	if
	:: lease[l].phase == LEASE_REVOKED -> layout_unlink(l)
	:: else
	fi;
	flc_locked {			/* layout_insert() */
		ok = UNUSED(l) && !RANGE_IS_BROKEN;
		if
		:: ok ->
			lease[l].phase = LEASE_GRANTING;
			lease[l].breaking = 0;
			lease[l].draining = 0;
			lease[l].cancelled = 0
		:: else
		fi
	};
	if
	:: ok ->
#ifndef BUG_NO_FLUSH
		!fs_locked;		/* layout_flush_operations() */
#endif
		layout_grant(l, ok);
		if
		:: !ok -> layout_unlink(l)
		:: else
		fi
	:: else
	fi
}

inline layout_grant(l, ok)
{
	flc_locked {
		ok = !lease[l].cancelled;
		if
		:: ok -> lease[l].phase = LEASE_GRANTED
		:: else
		fi
	}
}

#ifndef BUG_DROP_AMID_REVOCATION
#define DRAINED(l) (!lease[l].nr_pins || lease[l].phase == LEASE_REVOKED)
#else
#define DRAINED(l) (!lease[l].nr_pins || lease[l].phase != LEASE_GRANTED)
#endif

inline layout_drain_begin(l, ok)
{
	flc_locked {
		ok = lease[l].phase == LEASE_GRANTED && !lease[l].draining;
		if
		:: ok ->
			lease[l].draining = 1;
			lease[l].drops = 1
		:: else
		fi
	}
}

/* Whether a signal comes is decided before: it need not. */
inline layout_drain(l, ok)
{
	if
	:: lease[l].signal = 1
	:: skip
	fi;
	wait_event(lease[l].wait, DRAINED(l) || lease[l].signal);
	flc_locked {
		lease[l].draining = 0;
		ok = lease[l].phase == LEASE_GRANTED && !lease[l].nr_pins;
		if
		:: ok -> lease[l].draining = 1
		:: else
		fi
	}
}

inline layout_drop(l, ok)
{
	layout_drain_begin(l, ok);
	if
	:: ok ->
		layout_drain(l, ok);
		if
		:: ok -> layout_unlink(l)
		:: else -> assert(lease[l].signal || !PINNED(l))
		fi;
		atomic { lease[l].drops = 0; lease[l].signal = 0; ok = 0 }
	:: else
	fi
}
