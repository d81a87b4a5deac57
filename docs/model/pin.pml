/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Pins, and what their owner does with them.
 */

/*
 * A registration
 */

/* Put piece i on the lease for it: leases first, pages after. */
inline leased_pin_stand(p, i, l, ok)
{
	atomic {			/* layout_for_pin() */
		l = LEASE_OF(i);
		ok = lease[l].phase == LEASE_GRANTED;
		lease[l].ref = lease[l].ref + ok
	};
	if
	:: ok -> layout_add_stake(p, i, l, ok)
	:: else
	fi
}

/* Under pin->lock as well. */
inline layout_add_stake(p, i, l, ok)
{
	flc_locked {
		ok = lease[l].phase == LEASE_GRANTED && !lease[l].breaking &&
		     !lease[l].draining && !RANGE_IS_BROKEN && !pin[p].killed;
		if
		:: ok ->
			pin[p].counted[i] = !stands(p, l);
			pin[p].on[i] = l + 1;
			lease[l].nr_pins = lease[l].nr_pins + pin[p].counted[i]
		:: else
		fi;
		lease[l].ref--
	}
}

/* A batch of one page: a hit if the page tables have it; not ok if killed. */
inline walk_batch(p, i, ok, hit)
{
	pin_locked {			/* leased_pin_batch_begin() */
		ok = !pin[p].killed;
		pin[p].batch = ok
	};
	if
	:: ok ->
		atomic {		/* pin_user_pages_present() */
			hit = (mapped & (1 << i)) != 0;
			pin[p].pages = pin[p].pages | (hit << i)
		};
		pin_locked { pin[p].batch = 0 };
		wake_up_all(pin[p].wait)	/* leased_pin_batch_end() */
	:: else
	fi
}

inline leased_pin_attach(p, ok)
{
	pin_locked {
		ok = ok && !pin[p].killed;
		if
		:: ok -> pin[p].state = PIN_ATTACHING
		:: else
		fi
	}
}

inline leased_pin_set_state(p, s)
{
	pin_locked { pin[p].state = s };
	wake_up_all(pin[p].wait)
}

/*
 * The end
 */

inline remove_stake(p, i)
{
	flc_locked {
		if
		:: pin[p].on[i] ->
			lease[pin[p].on[i] - 1].nr_pins =
				lease[pin[p].on[i] - 1].nr_pins -
				pin[p].counted[i];
#ifndef BUG_NO_WAKE
			wake_up_all(lease[pin[p].on[i] - 1].wait);
#endif
			pin[p].on[i] = 0;
			pin[p].counted[i] = 0
		:: else
		fi
	}
}

/* The stake that counts for a lease was its first, and goes as the last. */
inline leased_pin_detach(p)
{
#ifndef BUG_COUNTED_FIRST
	remove_stake(p, 1);
	remove_stake(p, 0)
#else
	remove_stake(p, 0);
	remove_stake(p, 1)
#endif
}

inline leased_pin_gone(p)
{
	leased_pin_detach(p);
	assert(pin[p].state != PIN_GONE);
	leased_pin_set_state(p, PIN_GONE)
}

#ifndef BUG_NO_WAIT_REVOKING
#define REVOKED_NOW(p) (pin[p].state == PIN_REVOKING)
#else
#define REVOKED_NOW(p) false
#endif

/* A revoker that waits comes first, else it might wait for ever. */
#ifndef BUG_RELEASE_OVERTAKES
#define OVERTAKES(p) (pin[p].wanted && pin[p].state == PIN_LIVE)
#else
#define OVERTAKES(p) false
#endif

inline leased_pin_release_begin(p)
{
	do
	:: REVOKED_NOW(p) ->
		wait_event(pin[p].wait, pin[p].state != PIN_REVOKING)
	:: OVERTAKES(p) ->
		wait_event(pin[p].wait, pin[p].state != PIN_LIVE)
	:: pin_locked { !REVOKED_NOW(p) && !OVERTAKES(p) ->
			if
			:: pin[p].state == PIN_LIVE ->
				pin[p].state = PIN_RELEASING
			:: else
			fi;
			break }
	od
}

inline leased_pin_release_cancel(p)
{
	if
	:: pin[p].state == PIN_RELEASING -> leased_pin_set_state(p, PIN_LIVE)
	:: else
	fi
}

inline leased_pin_free_begin(p, mine)
{
	do
	:: REVOKED_NOW(p) ->
		wait_event(pin[p].wait, pin[p].state != PIN_REVOKING)
	:: pin_locked { !REVOKED_NOW(p) ->
			mine = pin[p].state != PIN_REVOKING &&
			       pin[p].state != PIN_GONE;
			if
			:: mine -> pin[p].state = PIN_RELEASING
			:: else
			fi;
			break }
	od
}

inline longterm_pin_release(p, mine)
{
	leased_pin_free_begin(p, mine);
#ifdef BUG_LEASE_BEFORE_PAGES
	leased_pin_detach(p);
#endif
	pin[p].pages = 0;
	if
	:: mine -> leased_pin_gone(p)
	:: else
	fi
}

#ifndef BUG_REVOKE_WAITS_REGISTRATION
#define CLAIMABLE(p) (pin[p].state == PIN_REGISTERING || \
		      pin[p].state == PIN_LIVE || pin[p].state == PIN_GONE)
#else
#define CLAIMABLE(p) (pin[p].state == PIN_LIVE || pin[p].state == PIN_GONE)
#endif

/* was: the state it was claimed in; GONE: another one has ended it. */
inline leased_pin_claim(p, was)
{
	do
	:: pin_locked { !CLAIMABLE(p) -> was = pin[p].state; pin[p].wanted = 1 };
		wait_event(pin[p].wait, pin[p].state != was)
	:: pin_locked { CLAIMABLE(p) ->
			was = pin[p].state;
#ifdef BUG_KILL_FORGOTTEN
			pin[p].killed = was == PIN_REGISTERING;
#endif
			if
			:: was != PIN_GONE ->
				pin[p].killed = was == PIN_REGISTERING;
				pin[p].state = PIN_REVOKING
			:: else
			fi;
			break }
	od
}

inline leased_pin_kill(p)
{
#ifndef BUG_NO_WAIT_BATCH
	wait_event(pin[p].wait, !pin[p].batch);
#endif
	pin[p].pages = 0
}

inline leased_pin_revoke(p, was)
{
	leased_pin_claim(p, was);
	if
	:: was == PIN_REGISTERING -> leased_pin_kill(p); leased_pin_gone(p)
	:: was == PIN_LIVE -> uverbs_revoke_pin(p); leased_pin_gone(p)
	:: else
	fi
}

inline longterm_pin_owner_doom(mine)
{
	atomic {
#ifndef BUG_DOOMED_TWICE
		if
		:: !owner.dead -> owner.dead = 1; mine = 1
		:: else
		fi
#else
		owner.dead = 1;
		mine = 1
#endif
	}
}

inline layout_revoke_pins(l, doom, mine, p, was)
{
	do
	:: atomic { !PINNED(l) -> break }
	:: atomic { PINNED(l) ->	/* layout_first_pin() */
			if
			:: stands(0, l) -> p = 0
			:: stands(1, l) -> p = 1
			fi;
			pin[p].ref++ };
		if
		:: doom -> longterm_pin_owner_doom(mine)
		:: else
		fi;
		leased_pin_revoke(p, was);
		atomic { pin[p].ref--; p = 0; was = PIN_NONE }
	od
}

/*
 * The owner
 */

/* By the driver, or else the region is destroyed.  The uobject stays. */
inline uverbs_revoke_pin(p)
{
	assert(pin[p].handle);
	if
	:: pin[p].device = 0
	:: atomic { assert(pin[p].hw); pin[p].hw = 0; pin[p].device = 0 }
	fi;
	pin[p].pages = 0;
	assert(pin[p].handle)
}

inline uverbs_mr_free(p, mine)
{
	leased_pin_release_begin(p);
	if
	:: atomic { pin[p].hw -> pin[p].hw = 0; pin[p].device = 0 };
		longterm_pin_release(p, mine)
	:: else
	fi;
	atomic {
		assert(!pin[p].device && !pin[p].pages && !pin[p].on[0] &&
		       !pin[p].on[1]);
		pin[p].handle = HANDLE_NONE
	}
}

/* No command is in progress, none can begin. */
inline uverbs_destroy_ufile_hw(p, mine)
{
	atomic { !owner.hw_destroy -> owner.hw_destroy = 1 };
	p = 0;
	do
	:: p < PINS && pin[p].handle -> uverbs_mr_free(p, mine)
	:: p < PINS && !pin[p].handle -> p++
	:: p == PINS -> break
	od;
	assert(!pin[0].handle && !pin[1].handle);
	owner.hw_destroy = 0
}

inline uverbs_invalidate()
{
	atomic {
		assert(owner.dead && !owner.killed);
		owner.killed = 1
	}
}
