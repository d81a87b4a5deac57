// SPDX-License-Identifier: GPL-2.0
/*
 * Who holds a leased file: by descriptor or by mapping.  Nothing is recorded;
 * reports and signals look for it.
 */
#include <linux/fdtable.h>
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>

#include "layout_lease_internal.h"

/**
 * file_is - for iterate_fd(): is this the wanted file?
 * @wanted: the description
 * @file: at a descriptor
 * @fd: the descriptor
 *
 * Context: the file table is locked.
 * Return: descriptor + 1 if it is, or 0.
 */
int file_is(const void *wanted, struct file *file, unsigned int fd)
{
	return file == wanted ? fd + 1 : 0;
}

/**
 * task_fd_of - by which descriptor does a task have a file?
 * @task: the task
 * @file: the description; only compared
 * @from: look from this descriptor on
 *
 * Context: takes task_lock().
 * Return: the first descriptor, or -1.
 */
int task_fd_of(struct task_struct *task, const struct file *file,
	       unsigned int from)
{
	int fd = 0;

	task_lock(task);
	if (task->files)
		fd = iterate_fd(task->files, from, file_is, file);
	task_unlock(task);
	return fd - 1;
}

/**
 * mm_maps_file - does an address space map a file through this very description?
 * @mm: the address space
 * @file: the description; only compared
 * @mapping: of its inode
 *
 * Context: i_mmap_rwsem held.
 */
bool mm_maps_file(struct mm_struct *mm, const struct file *file,
		  struct address_space *mapping)
{
	struct vm_area_struct *vma;

	vma_interval_tree_foreach(vma, &mapping->i_mmap, 0, ULONG_MAX) {
		if (vma->vm_mm == mm && vma->vm_file == file)
			return true;
	}
	return false;
}

/**
 * task_maps_file - does a task map a file through this very description?
 * @task: the task
 * @file: the description; only compared
 * @inode: its inode, alive
 *
 * Context: process context; takes i_mmap_rwsem for reading.
 */
bool task_maps_file(struct task_struct *task, const struct file *file,
		    struct inode *inode)
{
	bool maps;

	i_mmap_lock_read(inode->i_mapping);
	maps = mm_maps_file(task->mm, file, inode->i_mapping);
	i_mmap_unlock_read(inode->i_mapping);
	return maps;
}

static bool task_holds(struct task_struct *task, const struct file *file,
		       struct address_space *mapping)
{
	/* other flags change as the task runs */
	if (READ_ONCE(task->flags) & (PF_KTHREAD | PF_EXITING))
		return false;
	if (task_fd_of(task, file, 0) >= 0)
		return true;
	return mapping && task->mm && mm_maps_file(task->mm, file, mapping);
}

/* Any thread: the leader may have left its process behind. */
static bool process_holds(struct task_struct *leader, const struct file *file,
			  struct address_space *mapping)
{
	struct task_struct *thread;

	for_each_thread(leader, thread) {
		if (task_holds(thread, file, mapping))
			return true;
		if (!(READ_ONCE(leader->flags) & PF_EXITING))
			return false;
	}
	return false;
}

/**
 * file_holder - some thread group that has a description
 * @file: the description; only compared
 * @mapping: of its inode, to look for mappings, too; or NULL
 * @first: thread group that is taken if it has it
 *
 * Context: process context; takes i_mmap_rwsem for reading.
 * Return: a reference, or NULL.
 */
struct pid *file_holder(const struct file *file, struct address_space *mapping,
			struct pid *first)
{
	struct pid *pid = NULL;
	struct task_struct *p;

	if (mapping)
		i_mmap_lock_read(mapping);
	rcu_read_lock();
	p = pid_task(first, PIDTYPE_TGID);
	if (p && process_holds(p, file, mapping)) {
		pid = get_pid(first);
		goto out;
	}
	for_each_process(p) {
		if (process_holds(p, file, mapping)) {
			pid = get_pid(task_tgid(p));
			break;
		}
	}
out:
	rcu_read_unlock();
	if (mapping)
		i_mmap_unlock_read(mapping);
	return pid;
}

/**
 * layout_live_holder - a live process that holds a lease's description
 * @lease: published
 *
 * The taker if it still does, else any: it may have been forked, or passed on.
 *
 * Context: layout_report_mutex held; takes i_mmap_rwsem.
 * Return: a reference, or NULL if nobody has it but the kernel (a descriptor in
 * flight, say).
 */
struct pid *layout_live_holder(struct file_layout *lease)
{
	lockdep_assert_held(&layout_report_mutex);
	return file_holder(lease->c.flc_file, lease->inode->i_mapping,
			   lease->taker);
}
