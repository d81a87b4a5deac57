/* SPDX-License-Identifier: GPL-2.0 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM layout_lease

#if !defined(_TRACE_LAYOUT_LEASE_H) || defined(TRACE_HEADER_MULTI_READ)
#define _TRACE_LAYOUT_LEASE_H

#include <linux/tracepoint.h>

struct file_layout;
struct pin_stake;

/* Ends are exclusive; LAYOUT_EOF means "to the largest offset". */
DECLARE_EVENT_CLASS(layout_lease_class,
		    TP_PROTO(const struct file_layout *lease),
		    TP_ARGS(lease),
		    TP_STRUCT__entry(__field(dev_t, dev)
				     __field(u64, ino)
				     __field(u64, id)
				     __field(u64, start)
				     __field(u64, end)
				     __field(bool, unbreak)
				     __field(u64, pins)
				     __field(u64, pages)),
		    TP_fast_assign(__entry->dev = lease->inode->i_sb->s_dev;
				   __entry->ino = lease->inode->i_ino;
				   __entry->id = lease->id;
				   __entry->start = lease->start;
				   __entry->end = lease->end;
				   __entry->unbreak = lease->unbreak;
				   __entry->pins = lease->nr_pins;
				   __entry->pages = lease->nr_pages;),
		    TP_printk("dev %d:%d ino %llu id %llu start %llu end %llu mode %s pins %llu pages %llu",
			      MAJOR(__entry->dev), MINOR(__entry->dev),
			      __entry->ino, __entry->id, __entry->start,
			      __entry->end,
			      __entry->unbreak ? "unbreak" : "shared",
			      __entry->pins, __entry->pages)
);

#define DEFINE_LAYOUT_LEASE_EVENT(name)				\
DEFINE_EVENT(layout_lease_class, name,				\
	     TP_PROTO(const struct file_layout *lease),		\
	     TP_ARGS(lease))

DEFINE_LAYOUT_LEASE_EVENT(layout_lease_take);
DEFINE_LAYOUT_LEASE_EVENT(layout_lease_drop);
DEFINE_LAYOUT_LEASE_EVENT(layout_lease_break);
DEFINE_LAYOUT_LEASE_EVENT(layout_lease_denied);
DEFINE_LAYOUT_LEASE_EVENT(layout_lease_revoke);

DECLARE_EVENT_CLASS(layout_lease_pin_class,
		    TP_PROTO(const struct pin_stake *stake),
		    TP_ARGS(stake),
		    TP_STRUCT__entry(__field(dev_t, dev)
				     __field(u64, ino)
				     __field(u64, id)
				     __field(u64, start)
				     __field(u64, end)
				     __field(u64, pages)),
		    TP_fast_assign(__entry->dev = stake->lease->inode->i_sb->s_dev;
				   __entry->ino = stake->lease->inode->i_ino;
				   __entry->id = stake->lease->id;
				   __entry->start = stake->start;
				   __entry->end = stake->last + 1;
				   __entry->pages = stake->pages;),
		    TP_printk("dev %d:%d ino %llu id %llu start %llu end %llu pages %llu",
			      MAJOR(__entry->dev), MINOR(__entry->dev),
			      __entry->ino, __entry->id, __entry->start,
			      __entry->end, __entry->pages)
);

#define DEFINE_LAYOUT_LEASE_PIN_EVENT(name)			\
DEFINE_EVENT(layout_lease_pin_class, name,			\
	     TP_PROTO(const struct pin_stake *stake),		\
	     TP_ARGS(stake))

DEFINE_LAYOUT_LEASE_PIN_EVENT(layout_lease_pin);
DEFINE_LAYOUT_LEASE_PIN_EVENT(layout_lease_unpin);

#endif /* _TRACE_LAYOUT_LEASE_H */

#include <trace/define_trace.h>
