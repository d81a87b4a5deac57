/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Just enough RDMA: a device opened as a context file of its own, memory
 * regions, and reliable connections inside one machine.  All functions return
 * 0 or a negative errno unless said otherwise.
 */
#ifndef FLAYOUT_TESTS_RDMA_H
#define FLAYOUT_TESTS_RDMA_H

#include <infiniband/verbs.h>

#include "../env.h"

/* What a server gives its clients. */
#define MR_SERVER	(IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_REMOTE_WRITE | IBV_ACCESS_REMOTE_READ)
/*
 * Flushes, which the library does not know yet.  To be visible, not to be
 * durable: rxe allows that for NVDIMMs only, not for the guest's memmap= regions.
 */
#define MR_FLUSH	(1 << 8)
/* The device only reads the memory. */
#define MR_READER	0

struct nic {
	struct ibv_context *ctx;	/* one context file */
	struct ibv_pd *pd;
	union ibv_gid gid;		/* of its IPv4 address */
	int gid_index;
};

/** nic_open - open @name ("rxe0"); each call is a context file of its own */
int nic_open(struct nic *nic, const char *name);

/**
 * nic_adopt - work with a context file that somebody else opened
 * @nic: out: as from nic_open(), with a protection domain of its own
 * @name: the device it was opened on
 * @cmd_fd: the context file, as received; closed
 *
 * The library knows only contexts it has opened itself, so the file is put in
 * the place of one.
 */
int nic_adopt(struct nic *nic, const char *name, int cmd_fd);

/** nic_close - everything registered or connected must be gone before */
void nic_close(struct nic *nic);

/** mr_reg - register memory; the region in @mr, which is NULL on failure */
int mr_reg(struct nic *nic, void *addr, size_t len, int access, struct ibv_mr **mr);

/** mr_try - register and deregister at once: would a registration work now? */
int mr_try(struct nic *nic, void *addr, size_t len, int access);

/* One end of a reliable connection. */
struct wire {
	struct ibv_qp *qp;
	struct ibv_cq *cq;
};

struct wire_address {
	union ibv_gid gid;
	__u32 qpn;
};

/** wire_open - an unconnected end on @nic (RoCE; for iWARP see cm.h) */
int wire_open(struct wire *wire, struct nic *nic);
struct wire_address wire_address(struct wire *wire, struct nic *nic);
int wire_connect(struct wire *wire, struct nic *nic, const struct wire_address *far);
void wire_close(struct wire *wire);

/** wire_pair - two ends, connected with each other */
int wire_pair(struct wire *a, struct nic *nic_a, struct wire *b, struct nic *nic_b);

/**
 * wire_write, wire_read - one RDMA operation on the far side's memory, waited for
 * @wire: our end
 * @mr: local memory, from its beginning
 * @len: bytes
 * @raddr: address at the far side
 * @rkey: the far side's key
 *
 * Return: the completion's enum ibv_wc_status (0: success), or a negative errno.
 */
int wire_write(struct wire *wire, struct ibv_mr *mr, size_t len, __u64 raddr, __u32 rkey);
int wire_read(struct wire *wire, struct ibv_mr *mr, size_t len, __u64 raddr, __u32 rkey);

/** wire_post_write - begin an RDMA write; wire_wait() must follow.  0 or a negative errno */
int wire_post_write(struct wire *wire, struct ibv_mr *mr, size_t len, __u64 raddr, __u32 rkey);

/** wire_wait - the next completion's enum ibv_wc_status, or a negative errno; -ETIME after @ms */
int wire_wait(struct wire *wire, unsigned int ms);

#define WIRE_MS		env_ms(20000)	/* after this an operation has failed */
#define WIRE_INLINE	64	/* bytes that may be sent inline */
#define WIRE_RECEIVE	7	/* wr_id of receives */

/** wire_post - begin any operation; one completion will follow */
int wire_post(struct wire *wire, struct ibv_send_wr *wr);

/** wire_post_word - begin an atomic write of 8 bytes; of wire_open() only */
int wire_post_word(struct wire *wire, __u64 value, __u64 raddr, __u32 rkey);

/** wire_receive - let the next message go to the beginning of @mr */
int wire_receive(struct wire *wire, struct ibv_mr *mr, size_t len);

/** wire_do - wire_post() and wire_wait() */
int wire_do(struct wire *wire, struct ibv_send_wr *wr);

/** wire_state - enum ibv_qp_state as the kernel says, or a negative errno */
int wire_state(struct wire *wire);

#endif
