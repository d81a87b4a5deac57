// SPDX-License-Identifier: GPL-2.0
/*
 * Long-term pins of user memory.
 *
 * A subsystem that lets a device work on user memory embeds a struct
 * longterm_pin and gets a table of physical ranges.  Ordinary memory goes
 * through pin_user_pages_fast() as ever.  Where that refuses because a file on
 * FS-DAX is mapped, the pages can still be pinned if
 *
 * - the task registers memory for an owner that can give it back (it runs in a
 *   longterm_pin_scope), and
 * - a layout lease that counts for the mapping covers the piece of the file.
 *
 * GUP's own refusal of long-term pins of FS-DAX stays as it is, for everybody.
 * Leased pages are taken from the page tables under mmap_lock, from a mapping
 * that was just checked, without a fault; what is not there is faulted in
 * without a page being held, and looked up again.
 */
#include <linux/dax.h>
#include <linux/export.h>
#include <linux/fs.h>
#include <linux/layout_lease.h>
#include <linux/longterm_pin.h>
#include <linux/memremap.h>
#include <linux/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "internal.h"

/* Pages handled at a time: one page of pointers. */
#define BATCH_PAGES	(PAGE_SIZE / sizeof(struct page *))

/* Faults in a row that do not make a page appear, before we give up. */
#define MAX_MISSES	1000

/**
 * struct pin_walk - a registration on its way through the address space
 * @pin: what it is for
 * @pages: room for BATCH_PAGES
 * @addr: next address
 * @left: pages that remain
 * @max_segment: bytes, of an entry of the table
 * @misses: faults in a row that did not help
 */
struct pin_walk {
	struct longterm_pin *pin;
	struct page **pages;
	unsigned long addr;
	unsigned long left;
	unsigned int max_segment;
	unsigned int misses;
};

static void unpin_table(struct sg_append_table *table, bool dirty)
{
	struct scatterlist *sg;
	unsigned int i;

	for_each_sgtable_sg(&table->sgt, sg, i)
		unpin_user_page_range_dirty_lock(sg_page(sg),
						 DIV_ROUND_UP(sg->length,
							      PAGE_SIZE),
						 dirty);
	sg_free_append_table(table);
	memset(table, 0, sizeof(*table));
}

/* Pass pages to the table, or give them back. */
static int walk_append(struct pin_walk *walk, long nr)
{
	int error;

	error = sg_alloc_append_table_from_pages(walk->pin->table, walk->pages,
						 nr, 0, nr << PAGE_SHIFT,
						 walk->max_segment,
						 walk->left - nr, GFP_KERNEL);
	if (error) {
		unpin_user_pages(walk->pages, nr);
		return error;
	}
	walk->addr += nr << PAGE_SHIFT;
	walk->left -= nr;
	return 0;
}

#ifdef CONFIG_LAYOUT_LEASE

/**
 * longterm_pin_scope_begin - name the owner of pins the task is about to make
 * @scope: on the caller's stack
 * @owner: alive until longterm_pin_scope_end()
 *
 * Scopes nest; the innermost counts.  It lets a subsystem attribute pins that
 * are made far below it without passing the owner through every driver.
 *
 * Context: process context.
 */
void longterm_pin_scope_begin(struct longterm_pin_scope *scope,
			      struct longterm_pin_owner *owner)
{
	scope->owner = owner;
	scope->pin = NULL;
	scope->outer = current->longterm_pin_scope;
	current->longterm_pin_scope = scope;
}
EXPORT_SYMBOL_GPL(longterm_pin_scope_begin);

/**
 * longterm_pin_scope_end - end the innermost scope
 * @scope: what longterm_pin_scope_begin() was given
 *
 * Context: process context.
 * Return: the leased pin that was made in it, a reference for the caller, or
 * NULL if there is none.
 */
struct leased_pin *longterm_pin_scope_end(struct longterm_pin_scope *scope)
{
	WARN_ON_ONCE(current->longterm_pin_scope != scope);
	current->longterm_pin_scope = scope->outer;
	return scope->pin;
}
EXPORT_SYMBOL_GPL(longterm_pin_scope_end);

static void drop_host(struct longterm_pin *pin, bool dirty)
{
	unpin_table(pin->table, dirty);
}

/* From now on the registration is one that can be taken back. */
static int walk_become_leased(struct pin_walk *walk)
{
	struct longterm_pin_scope *scope = current->longterm_pin_scope;

	if (walk->pin->leased)
		return 0;
	if (!scope || scope->pin)
		return -EOPNOTSUPP;
	walk->pin->leased = leased_pin_create(scope->owner, walk->pin,
					      drop_host);
	if (!walk->pin->leased)
		return -ENOMEM;
	leased_pin_get(walk->pin->leased);
	scope->pin = walk->pin->leased;
	return 0;
}

/* A pin never covers a hole: a read-only mapping shows the zero page there. */
static bool all_in_file(struct page **pages, long nr)
{
	long i;

	for (i = 0; i < nr; i++) {
		if (!is_zone_device_page(pages[i]) ||
		    pages[i]->pgmap->type != MEMORY_DEVICE_FS_DAX)
			return false;
	}
	return true;
}

static u64 file_pos(struct vm_area_struct *vma, unsigned long addr)
{
	return ((u64)vma->vm_pgoff << PAGE_SHIFT) + addr - vma->vm_start;
}

/* Stand on the lease for a piece of a mapping of FS-DAX.  mmap_lock is held. */
static int walk_stand(struct pin_walk *walk, struct vm_area_struct *vma,
		      unsigned long start, unsigned long end)
{
	int error;

	/* a shared mapping of what is open for reading is not VM_SHARED */
	if (!(vma->vm_flags & VM_MAYSHARE))
		return -EOPNOTSUPP;
	error = walk_become_leased(walk);
	if (!error)
		error = leased_pin_stand(walk->pin->leased, vma->vm_file,
					 file_pos(vma, start),
					 file_pos(vma, end));
	if (error)
		return error;
	return vma->vm_flags & (walk->pin->write ? VM_WRITE : VM_READ) ?
	       0 : -EFAULT;
}

/*
 * Leases first, pages after: the registration counts, and can be killed, before
 * it faults for the first time.
 */
static int walk_grab_leases(struct pin_walk *walk)
{
	unsigned long start = walk->addr;
	unsigned long end = start + (walk->left << PAGE_SHIFT);
	struct mm_struct *mm = current->mm;
	struct vm_area_struct *vma;
	int error = 0;

	if (!current->longterm_pin_scope || end <= start)
		return 0;
	if (mmap_read_lock_killable(mm))
		return -EINTR;
	VMA_ITERATOR(vmi, mm, start);
	for_each_vma_range(vmi, vma, end) {
		if (!vma_is_fsdax(vma))
			continue;
		error = walk_stand(walk, vma, max(start, vma->vm_start),
				   min(end, vma->vm_end));
		if (error)
			break;
	}
	mmap_read_unlock(mm);
	return error;
}

/*
 * Take what the page tables have of one mapping.  mmap_lock is held, the pin
 * stands on a lease for the piece.  Returns pages taken, 0 for a miss.
 */
static long walk_batch(struct pin_walk *walk, struct vm_area_struct *vma,
		       unsigned long end)
{
	struct leased_pin *leased = walk->pin->leased;
	unsigned long addr = walk->addr;
	/* not a zero page of a hole, where a write could fill it */
	unsigned int flags = vma->vm_flags & VM_WRITE ? FOLL_WRITE : 0;
	long nr, error;

	error = leased_pin_batch_begin(leased);
	if (error)
		return error;
	nr = min((end - addr) >> PAGE_SHIFT, BATCH_PAGES);
	nr = pin_user_pages_present(addr, nr, flags, walk->pages);
	if (nr > 0 && !all_in_file(walk->pages, nr)) {
		unpin_user_pages(walk->pages, nr);
		error = -ENXIO;
	} else if (nr > 0) {
		error = walk_append(walk, nr);
	} else {
		error = nr;
	}
	leased_pin_batch_end(leased, file_inode(vma->vm_file),
			     file_pos(vma, addr), error ? 0 : nr);
	return error ?: nr;
}

/*
 * Is a hole mapped there?  GUP-fast does not say so of a single zero page, which
 * DAX maps as special.  mmap_lock is held.
 */
static bool walk_on_hole(unsigned long addr)
{
	struct page *page;
	bool zero;

	if (get_user_pages(addr, 1, FOLL_NOFAULT, &page) != 1)
		return false;
	zero = is_zero_page(page);
	put_page(page);
	return zero;
}

/*
 * Fault the rest of the mapping in.  mmap_lock is held; *locked says whether it
 * still is on return.  Blocks are allocated as for any write if the mapping can
 * be written.
 */
static int walk_fault_in(struct pin_walk *walk, struct vm_area_struct *vma,
			 unsigned long end, int *locked)
{
	bool write = vma->vm_flags & VM_WRITE;
	long ret;

	if (!write && walk_on_hole(walk->addr))
		return -ENXIO;
	if (++walk->misses > MAX_MISSES)
		return -EFAULT;
	if (fatal_signal_pending(current))
		return -EINTR;
	ret = faultin_page_range(current->mm, walk->addr, end, write, locked);
	if (ret == -EHWPOISON || ret == -ENOMEM || ret == -EINTR)
		return ret;
	return ret < 0 ? -EFAULT : 0;
}

/* One step through leased memory: some pages, or one fault. */
static int walk_leased(struct pin_walk *walk)
{
	struct mm_struct *mm = current->mm;
	struct vm_area_struct *vma;
	unsigned long end;
	int locked = 1;
	long nr;

	if (mmap_read_lock_killable(mm))
		return -EINTR;
	nr = -EFAULT;
	vma = vma_lookup(mm, walk->addr);
	if (!vma)
		goto unlock;
	nr = 0;
	if (!vma_is_fsdax(vma))
		goto unlock;	/* mapped anew meanwhile: GUP will tell */
	end = min(vma->vm_end, walk->addr + (walk->left << PAGE_SHIFT));
	nr = walk_stand(walk, vma, walk->addr, end);
	if (nr)
		goto unlock;
	nr = walk_batch(walk, vma, end);
	if (nr > 0)
		walk->misses = 0;
	else if (!nr)
		nr = walk_fault_in(walk, vma, end, &locked);
unlock:
	if (locked)
		mmap_read_unlock(mm);
	return nr < 0 ? nr : 0;
}

/* Pages of other memory, already pinned: pass them to the table. */
static int walk_append_other(struct pin_walk *walk, long nr)
{
	struct leased_pin *leased = walk->pin->leased;
	int error;

	if (!leased)
		return walk_append(walk, nr);
	error = leased_pin_batch_begin(leased);
	if (error) {
		unpin_user_pages(walk->pages, nr);
		return error;
	}
	error = walk_append(walk, nr);
	leased_pin_batch_end(leased, NULL, 0, 0);
	return error;
}

static int walk_done(struct pin_walk *walk)
{
	return walk->pin->leased ? leased_pin_attach(walk->pin->leased) : 0;
}

#else

static int walk_grab_leases(struct pin_walk *walk)
{
	return 0;
}

static int walk_append_other(struct pin_walk *walk, long nr)
{
	return walk_append(walk, nr);
}

static int walk_leased(struct pin_walk *walk)
{
	return -EOPNOTSUPP;
}

static int walk_done(struct pin_walk *walk)
{
	return 0;
}

#endif /* CONFIG_LAYOUT_LEASE */

/* GUP refuses FS-DAX, and nothing else, with EOPNOTSUPP. */
static int walk_step(struct pin_walk *walk)
{
	unsigned int flags = FOLL_LONGTERM | (walk->pin->write ? FOLL_WRITE : 0);
	long nr;

	nr = pin_user_pages_fast(walk->addr, min(walk->left, BATCH_PAGES),
				 flags, walk->pages);
	if (nr == -EOPNOTSUPP)
		return walk_leased(walk);
	if (nr < 0)
		return nr;
	return walk_append_other(walk, nr);
}

/**
 * longterm_pin_user_pages - pin user memory for a device
 * @pin: embedded in the subsystem's object; all zero
 * @table: empty table, gets the physical ranges; belongs to the subsystem, who
 *	keeps it until longterm_pin_release() has returned
 * @addr: first address, in the current address space; rounded down to a page
 * @npages: pages of PAGE_SIZE
 * @write: the device may write
 * @max_segment: bytes, no entry of the table is longer
 *
 * If some of the memory is a file on FS-DAX, under a layout lease, @pin->leased
 * is set and the registration is ATTACHING: no user memory may be touched until
 * leased_pin_live() or longterm_pin_release(), one of which must follow soon.
 *
 * Context: process context, no locks; may fault user memory in.
 * Return: 0.  Else an errno, and longterm_pin_release() must follow: EOPNOTSUPP:
 * FS-DAX that no layout lease covers, a private mapping of it, or memory this
 * subsystem cannot give back; EAGAIN: the lease is being broken or drained;
 * ENXIO: a hole that cannot be filled; others as pin_user_pages_fast().
 */
int longterm_pin_user_pages(struct longterm_pin *pin,
			    struct sg_append_table *table, unsigned long addr,
			    unsigned long npages, bool write,
			    unsigned int max_segment)
{
	struct pin_walk walk = {
		.pin = pin,
		.addr = untagged_addr(addr) & PAGE_MASK,
		.left = npages,
		.max_segment = max_segment,
	};
	int error;

	pin->table = table;
	pin->leased = NULL;
	pin->write = write;
	walk.pages = (struct page **)__get_free_page(GFP_KERNEL);
	if (!walk.pages)
		return -ENOMEM;
	error = walk_grab_leases(&walk);
	while (walk.left && !error) {
		cond_resched();
		error = walk_step(&walk);
	}
	free_page((unsigned long)walk.pages);
	return error ?: walk_done(&walk);
}
EXPORT_SYMBOL_GPL(longterm_pin_user_pages);

/**
 * longterm_pin_drop - unpin the pages, for a revocation
 * @pin: a pin whose leased_pin the current task revokes
 * @dirty: mark them dirty
 *
 * The table is empty afterwards.  Doing it again does nothing.
 *
 * Context: process context; no device may reach the pages any more.
 */
void longterm_pin_drop(struct longterm_pin *pin, bool dirty)
{
	if (pin->table)
		unpin_table(pin->table, dirty);
}
EXPORT_SYMBOL_GPL(longterm_pin_drop);

/**
 * longterm_pin_release - the end of a registration
 * @pin: any pin that longterm_pin_user_pages() was called for
 * @dirty: mark the pages dirty
 *
 * Unpins the pages unless a revoker has, frees the table, takes the pin off its
 * leases.
 *
 * Context: process context; waits for a revoker, so that no lock may be held
 * that revoke_pin takes.
 */
void longterm_pin_release(struct longterm_pin *pin, bool dirty)
{
	struct leased_pin *leased = pin->leased;
	bool mine;

	if (!leased) {
		longterm_pin_drop(pin, dirty);
		return;
	}
	mine = leased_pin_free_begin(leased);
	longterm_pin_drop(pin, dirty);
	if (mine)
		leased_pin_free_end(leased);
	pin->leased = NULL;
	leased_pin_put(leased);
}
EXPORT_SYMBOL_GPL(longterm_pin_release);
