/* SPDX-License-Identifier: GPL-2.0 */
/* What dax-rdma-client's "loop" does; see loop.c. */
#ifndef EXAMPLES_LOOP_H
#define EXAMPLES_LOOP_H

/** loop - write on and on, for @seconds (0: until a signal comes); an exit status */
int loop(const char *address, const char *port, unsigned int seconds);

#endif
