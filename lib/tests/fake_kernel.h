/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A kernel with layout leases, as far as the library sees one: it answers the
 * fcntl() commands in place of the C library, for one file at a time.  It keeps
 * the rules of the contract that the library relies on; whether the real one
 * does is what the guest's tests are for.
 */
#ifndef FLAYOUT_TESTS_FAKE_KERNEL_H
#define FLAYOUT_TESTS_FAKE_KERNEL_H

#include <stdbool.h>
#include <stdint.h>

#include <flayout.h>

/* fake_begin - a kernel with no lease; every test begins with it */
void fake_begin(void);

/* fake_dax - files are DAX from now on, or not, as at the beginning */
void fake_dax(bool dax);

/* fake_refuse - TAKE fails with @error from now on; 0: no more */
void fake_refuse(int error);

/*
 * fake_before_take, fake_after_drop - what @run does happens once, just before the
 * next TAKE, or as soon as the next DROP is done and before its caller knows
 */
void fake_before_take(void (*run)(void));
void fake_after_drop(void (*run)(void));

/* fake_break - an operation is about to change [@start, @start+@len); 0: to the end */
void fake_break(uint64_t start, uint64_t len);

/* fake_break_done - it has ended: the range may be leased again */
void fake_break_done(void);

void fake_deny(void);

/* fake_take - another process takes the lease in place: denials are counted anew */
void fake_take(void);

void fake_revoke(void);

/* fake_state - FLAYOUT_STATE_* */
unsigned int fake_state(void);

/* fake_lease - the range of the lease; @len as flayout_status has it */
uint64_t fake_start(void);
uint64_t fake_len(void);

/*
 * A device: a piece of memory it may know, as an argument of fake_device.  Its
 * registrations keep the lease from being dropped.
 */
struct fake_mr {
	uint64_t start, len;	/* of the file */
	bool pinned;
	int refuse;		/* make() fails with this errno */
	unsigned int made;	/* how often */
};

extern const struct flayout_registration_ops fake_device;

/* fake_pin, fake_unpin - the same behind the library's back; 0 or a negative errno */
int fake_pin(struct fake_mr *mr);
void fake_unpin(struct fake_mr *mr);

#endif
