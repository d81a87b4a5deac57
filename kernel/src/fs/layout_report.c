// SPDX-License-Identifier: GPL-2.0
/*
 * What an administrator sees of layout leases: /proc/layout_leases,
 * /proc/PID/file_pins, the LAYOUT lines of /proc/locks.
 *
 * Reports take no reference to a file: that could make somebody's close not the
 * last one.  They run under layout_report_mutex instead, which the end of a
 * leased description and of a context file take before the file goes.
 */
#include <linux/fdtable.h>
#include <linux/fs.h>
#include <linux/kdev_t.h>
#include <linux/mm.h>
#include <linux/pid_namespace.h>
#include <linux/proc_fs.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/seq_file.h>

#include "layout_lease_internal.h"

/* As in /proc/mounts. */
#define ESCAPED " \t\n\\"

/* Published leases, pin owners, and that the files they lead to stay. */
DEFINE_MUTEX(layout_report_mutex);
static LIST_HEAD(layouts);	/* published leases, in the order of their ids */

/**
 * layout_publish - a lease is about to be granted: show it from then on
 * @lease: on its inode's list
 *
 * Context: process context; takes layout_report_mutex.
 */
void layout_publish(struct file_layout *lease)
{
	mutex_lock(&layout_report_mutex);
	list_add_tail(&lease->published, &layouts);
	mutex_unlock(&layout_report_mutex);
	locks_show_layout(&lease->c, lease->ctx);
}

/**
 * layout_unpublish - a lease has ended: reports do not touch its file any more
 * @lease: published or not
 *
 * Context: process context; takes layout_report_mutex.
 */
void layout_unpublish(struct file_layout *lease)
{
	locks_hide_layout(&lease->c, lease->ctx);
	mutex_lock(&layout_report_mutex);
	list_del_init(&lease->published);
	mutex_unlock(&layout_report_mutex);
}

/**
 * layout_next_of_sb - walk the leases on the files of a file system
 * @sb: the file system
 * @after: id of the lease before; 0 for the first
 * @inode: out: the leased inode, a reference
 *
 * Context: process context; takes layout_report_mutex.
 * Return: the next published lease, referenced, or NULL.
 */
struct file_layout *layout_next_of_sb(struct super_block *sb, u64 after,
				      struct inode **inode)
{
	struct file_layout *lease, *found = NULL;

	mutex_lock(&layout_report_mutex);
	list_for_each_entry(lease, &layouts, published) {
		if (lease->inode->i_sb != sb || lease->id <= after)
			continue;
		if (found && found->id < lease->id)
			continue;
		found = lease;
	}
	if (found) {
		kref_get(&found->ref);
		*inode = found->inode;
		ihold(*inode);
	}
	mutex_unlock(&layout_report_mutex);
	return found;
}

/*
 * Words that several reports use
 */

/* "pid=N comm=NAME path=", zero and "-" without a process. */
static void show_process(struct seq_file *m, struct pid *pid)
{
	struct task_struct *task = pid ? get_pid_task(pid, PIDTYPE_TGID) : NULL;
	char comm[TASK_COMM_LEN] = "-";

	if (task) {
		get_task_comm(comm, task);
		put_task_struct(task);
	}
	seq_printf(m, " pid=%d comm=",
		   pid_nr_ns(pid, proc_pid_ns(file_inode(m->file)->i_sb)));
	seq_escape(m, comm, ESCAPED);
}

static void show_end(struct seq_file *m, u64 end)
{
	if (end == LAYOUT_EOF)
		seq_puts(m, "EOF");
	else
		seq_printf(m, "%llu", end);
}

static const char *mode_name(const struct file_layout *lease)
{
	return lease->unbreak ? "unbreak" : "shared";
}

static const char *state_name(const struct file_layout *lease)
{
	switch (layout_state(lease)) {
	case LAYOUT_BREAKING:
		return "breaking";
	case LAYOUT_DRAINING:
		return "draining";
	case LAYOUT_REVOKED:
		/* an obstacle until its pins are gone; then it is not listed */
		return "breaking";
	default:
		return "active";
	}
}

/* Is the rest in vain?  A record that did not fit is made anew. */
static bool report_is_over(struct seq_file *m)
{
	return seq_has_overflowed(m) || fatal_signal_pending(current);
}

/*
 * /proc/layout_leases
 */

static void show_pin(struct seq_file *m, struct file_layout *lease,
		     const struct pin_snapshot *snap)
{
	struct longterm_pin_owner *owner = leased_pin_owner(snap->pin);
	struct pid *pid = NULL;

	seq_printf(m, "pin lease=%llu kind=%s start=%llu end=", lease->id,
		   owner->ops->kind, snap->start);
	show_end(m, snap->end);
	seq_printf(m, " pages=%llu write=%d", snap->pages,
		   leased_pin_writes(snap->pin));
	if (owner->file)
		pid = file_holder(owner->file, NULL, owner->pid);
	show_process(m, pid);
	put_pid(pid);
	seq_puts(m, " path=");
	if (owner->file)
		seq_file_path(m, owner->file, ESCAPED);
	else
		seq_putc(m, '-');
	seq_putc(m, '\n');
}

static int show_pins(struct seq_file *m, struct file_layout *lease)
{
	struct pin_snapshot *snap;
	unsigned int i, nr;

	snap = layout_snapshot_pins(lease, &nr);
	if (IS_ERR(snap))
		return PTR_ERR(snap);
	for (i = 0; i < nr && !report_is_over(m); i++)
		show_pin(m, lease, &snap[i]);
	layout_snapshot_free(snap, nr);
	return 0;
}

static int layouts_show(struct seq_file *m, void *v)
{
	struct file_layout *lease;
	struct super_block *sb;
	struct pid *pid;

	lease = list_entry(v, struct file_layout, published);
	if (READ_ONCE(lease->phase) == LEASE_GRANTING)
		return SEQ_SKIP;
	sb = lease->inode->i_sb;
	seq_printf(m, "lease id=%llu dev=%u:%u ino=%lu start=%llu end=",
		   lease->id, MAJOR(sb->s_dev), MINOR(sb->s_dev),
		   lease->inode->i_ino, lease->start);
	show_end(m, lease->end);
	seq_printf(m, " mode=%s state=%s pins=%llu pages=%llu denied=%llu",
		   mode_name(lease), state_name(lease), lease->nr_pins,
		   lease->nr_pages, lease->denied);
	pid = layout_live_holder(lease);
	show_process(m, pid);
	put_pid(pid);
	seq_puts(m, " path=");
	seq_file_path(m, lease->c.flc_file, ESCAPED);
	seq_putc(m, '\n');
	return show_pins(m, lease);
}

/*
 * Breakers take the mutex under file system locks, so that no reclaim may go
 * into file systems while we have it.
 */
static void report_lock(struct seq_file *m)
{
	mutex_lock(&layout_report_mutex);
	*(unsigned int *)m->private = memalloc_nofs_save();
}

static void report_unlock(struct seq_file *m)
{
	memalloc_nofs_restore(*(unsigned int *)m->private);
	mutex_unlock(&layout_report_mutex);
}

static void *layouts_start(struct seq_file *m, loff_t *pos)
{
	report_lock(m);
	return seq_list_start(&layouts, *pos);
}

static void *layouts_next(struct seq_file *m, void *v, loff_t *pos)
{
	return seq_list_next(v, &layouts, pos);
}

static void layouts_stop(struct seq_file *m, void *v)
{
	report_unlock(m);
}

static const struct seq_operations layouts_ops = {
	.start	= layouts_start,
	.next	= layouts_next,
	.stop	= layouts_stop,
	.show	= layouts_show,
};

/*
 * /proc/PID/file_pins
 */

/* "START-END PAGES BUFFERPATH" */
static void show_piece(struct seq_file *m, struct file_layout *lease,
		       const struct pin_snapshot *snap)
{
	seq_printf(m, "%llu-", snap->start);
	show_end(m, snap->end);
	seq_printf(m, " %llu ", snap->pages);
	seq_file_path(m, lease->c.flc_file, ESCAPED);
	seq_putc(m, '\n');
}

/*
 * Pins of one owner, under all leases; without @prefix they are only counted.
 * Returns how many, or ENOMEM.
 */
static int show_owned(struct seq_file *m, struct longterm_pin_owner *owner,
		      const char *prefix)
{
	struct file_layout *lease;
	struct pin_snapshot *snap;
	unsigned int i, nr;
	int found = 0;

	list_for_each_entry(lease, &layouts, published) {
		if (report_is_over(m))
			break;
		snap = layout_snapshot_pins(lease, &nr);
		if (IS_ERR(snap))
			return PTR_ERR(snap);
		for (i = 0; i < nr; i++) {
			if (leased_pin_owner(snap[i].pin) != owner)
				continue;
			found++;
			if (!prefix)
				continue;
			seq_puts(m, prefix);
			show_piece(m, lease, &snap[i]);
		}
		layout_snapshot_free(snap, nr);
	}
	return found;
}

static int show_context(struct seq_file *m, struct task_struct *task,
			struct longterm_pin_owner *owner)
{
	int fd = task_fd_of(task, owner->file, 0);
	int ret = fd < 0 ? 0 : show_owned(m, owner, NULL);

	if (ret <= 0)
		return ret;
	for (; fd >= 0 && !report_is_over(m);
	     fd = task_fd_of(task, owner->file, fd + 1)) {
		seq_printf(m, "ctx %d %s ", fd, owner->ops->kind);
		seq_file_path(m, owner->file, ESCAPED);
		seq_putc(m, '\n');
		ret = show_owned(m, owner, "\t");
		if (ret < 0)
			return ret;
	}
	return 0;
}

static int show_contexts(struct seq_file *m, struct task_struct *task)
{
	struct longterm_pin_owner *owner;
	int error = 0;

	list_for_each_entry(owner, &longterm_pin_owners, entry) {
		error = show_context(m, task, owner);
		if (error)
			break;
	}
	return error;
}

static void show_lease_of(struct seq_file *m, struct file_layout *lease,
			  int fd)
{
	if (fd < 0)
		seq_puts(m, "lease -");
	else
		seq_printf(m, "lease %d", fd);
	seq_printf(m, " %s %s %llu ", mode_name(lease), state_name(lease),
		   lease->nr_pages);
	seq_file_path(m, lease->c.flc_file, ESCAPED);
	seq_putc(m, '\n');
}

static bool task_only_maps(struct task_struct *task, struct file_layout *lease)
{
	struct mm_struct *mm;
	bool maps;

	/* not referenced: its mappings would outlive the process, and the file them */
	mm = task->flags & PF_KTHREAD ? NULL : READ_ONCE(task->mm);
	if (!mm)
		return false;
	i_mmap_lock_read(lease->inode->i_mapping);
	maps = mm_maps_file(mm, lease->c.flc_file, lease->inode->i_mapping);
	i_mmap_unlock_read(lease->inode->i_mapping);
	return maps;
}

static void show_leases_of(struct seq_file *m, struct task_struct *task)
{
	struct file_layout *lease;
	int fd;

	list_for_each_entry(lease, &layouts, published) {
		if (READ_ONCE(lease->phase) == LEASE_GRANTING)
			continue;
		fd = task_fd_of(task, lease->c.flc_file, 0);
		if (fd < 0 && task_only_maps(task, lease))
			show_lease_of(m, lease, fd);
		for (; fd >= 0;
		     fd = task_fd_of(task, lease->c.flc_file, fd + 1))
			show_lease_of(m, lease, fd);
	}
}

/**
 * layout_lease_show_file_pins - /proc/PID/file_pins
 * @m: where to
 * @task: whose; the caller has checked that the reader may ptrace-read it
 *
 * Context: process context; takes layout_report_mutex.
 * Return: 0 or ENOMEM.
 */
int layout_lease_show_file_pins(struct seq_file *m, struct task_struct *task)
{
	unsigned int nofs;
	int error;

	mutex_lock(&layout_report_mutex);
	nofs = memalloc_nofs_save();
	error = show_contexts(m, task);
	if (!error)
		show_leases_of(m, task);
	memalloc_nofs_restore(nofs);
	mutex_unlock(&layout_report_mutex);
	return error;
}

/*
 * /proc/PID/fdinfo/FD
 */

static void fdinfo_lease(struct seq_file *m, struct file_layout *lease)
{
	seq_printf(m, "layout_lease:\tid=%llu mode=%s state=%s pins=%llu pages=%llu denied=%llu\n",
		   lease->id, mode_name(lease), state_name(lease),
		   lease->nr_pins, lease->nr_pages, lease->denied);
}

/**
 * layout_lease_show_fdinfo - what fdinfo says of a buffer or a context file
 * @m: where to
 * @filp: any file, referenced by the caller
 *
 * "layout_lease:" for the lease of a description, "layout_pin:" for each piece
 * of a file that a context has pinned.
 *
 * Context: process context; takes layout_report_mutex if there are leases.
 * Return: 0 or ENOMEM.
 */
int layout_lease_show_fdinfo(struct seq_file *m, struct file *filp)
{
	struct longterm_pin_owner *owner;
	struct file_layout *lease;
	unsigned int nofs;
	int ret = 0;

	if (list_empty_careful(&layouts))
		return 0;
	mutex_lock(&layout_report_mutex);
	nofs = memalloc_nofs_save();
	list_for_each_entry(lease, &layouts, published) {
		if (lease->c.flc_file == filp &&
		    READ_ONCE(lease->phase) != LEASE_GRANTING)
			fdinfo_lease(m, lease);
	}
	list_for_each_entry(owner, &longterm_pin_owners, entry) {
		if (owner->file == filp)
			ret = show_owned(m, owner, "layout_pin:\t");
		if (ret < 0)
			break;
	}
	memalloc_nofs_restore(nofs);
	mutex_unlock(&layout_report_mutex);
	return min(ret, 0);
}

/*
 * Other subsystems' reports
 */

/* The file's path, escaped, in a buffer of PATH_MAX bytes. */
static char *escaped_path(struct file *file, char *buf)
{
	char *path = d_path(&file->f_path, buf, PATH_MAX);
	char *end = NULL;

	if (!IS_ERR(path))
		end = mangle_path(buf, path, ESCAPED);
	if (!end) {
		strscpy(buf, "-", PATH_MAX);
		return buf;
	}
	*end = '\0';
	return buf;
}

/* What is left of a lease that has ended tells nothing of a file. */
static int tell_piece(struct file_layout *lease, struct leased_piece *piece,
		      char *buf, leased_piece_fn tell, void *data)
{
	if (list_empty(&lease->published))
		return 0;
	piece->path = escaped_path(lease->c.flc_file, buf);
	return tell(piece, data);
}

/**
 * leased_pin_describe - which files are behind a registration
 * @pin: the registration; the caller has a reference
 * @tell: called for each piece of a file; an error of it ends the walk.  Must
 *	not sleep for long: all other reports wait
 * @data: for @tell
 *
 * For reports of the subsystem that owns the pin.  A registration that was
 * revoked has no pieces.
 *
 * Context: process context; takes layout_report_mutex.
 * Return: 0, ENOMEM, or what @tell has returned.
 */
int leased_pin_describe(struct leased_pin *pin, leased_piece_fn tell,
			void *data)
{
	struct file_layout *lease;
	struct leased_piece piece;
	char *buf = __getname();
	unsigned int nofs, n = 0;
	int error = 0;

	if (!buf)
		return -ENOMEM;
	mutex_lock(&layout_report_mutex);
	nofs = memalloc_nofs_save();
	while (!error && (lease = leased_pin_piece(pin, n++, &piece))) {
		error = tell_piece(lease, &piece, buf, tell, data);
		layout_put(lease);
	}
	memalloc_nofs_restore(nofs);
	mutex_unlock(&layout_report_mutex);
	__putname(buf);
	return error;
}
EXPORT_SYMBOL_GPL(leased_pin_describe);

/*
 * /proc/locks
 */

/**
 * layout_lease_show_lock - one line of /proc/locks, behind its number
 * @m: where to
 * @flc: of a published lease
 * @pid: of its taker, for the reader
 *
 * The eight fields that every lease has; lslocks(8) parses just eight.
 *
 * Context: flc_lock or the write side of file_rwsem held.
 */
void layout_lease_show_lock(struct seq_file *m, struct file_lock_core *flc,
			    unsigned int pid)
{
	struct file_layout *lease = container_of(flc, struct file_layout, c);
	struct super_block *sb = lease->inode->i_sb;
	const char *state = lease->unbreak ? "UNBREAK" : "ACTIVE";

	if (lease->breaking)
		state = "BREAKING";
	else if (lease->draining)
		state = "DRAINING";
	seq_printf(m, "LAYOUT %-9s READ %d %02x:%02x:%lu %llu ", state, pid,
		   MAJOR(sb->s_dev), MINOR(sb->s_dev), lease->inode->i_ino,
		   lease->start);
	if (lease->end == LAYOUT_EOF)
		seq_puts(m, "EOF\n");
	else
		seq_printf(m, "%llu\n", lease->end - 1);
}

static int __init layout_report_init(void)
{
	proc_create_seq_private("layout_leases", 0400, NULL, &layouts_ops,
				sizeof(unsigned int), NULL);
	return 0;
}
fs_initcall(layout_report_init);
