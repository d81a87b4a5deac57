/* SPDX-License-Identifier: GPL-2.0 */
/* Tables of leases, printed: how rows hang together, and what they are grouped by. */
#ifndef FLAYOUT_ROWS_H
#define FLAYOUT_ROWS_H

#include "columns.h"
#include "leases.h"

enum group_by { BY_LEASE, BY_FILE, BY_PROCESS, BY_DEVICE };

struct layout_print {
	struct shown shown;
	struct view view;
	enum group_by by;
	bool flat;		/* no tree */
	bool no_headings;
	bool no_pins;
	bool no_truncate;
	bool pairs;
	bool raw;
};

/* Print those leases of @table that @filter wants; exits if it cannot. */
void layout_print(const struct layout_table *table,
		  const struct lease_filter *filter,
		  const struct layout_print *print);

#endif
