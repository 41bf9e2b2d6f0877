/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The module's nouns and their references. Who holds what:
 *
 *   domain  <- image                 pages of one owner, deduplicated
 *   image   <- registry, group, image descriptor
 *   group   <- registry, task, group descriptor
 *   task    <- the VMAs of one mm that map the image
 *
 * Lock order and teardown: Documentation/locking.rst.
 */
#ifndef _COPPICE_H
#define _COPPICE_H

#include <linux/atomic.h>
#include <linux/file.h>
#include <linux/kref.h>
#include <linux/ktime.h>
#include <linux/list.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/rhashtable.h>
#include <linux/spinlock.h>
#include <linux/uidgid.h>
#include <linux/xarray.h>

#include <linux/coppice.h>
#include <linux/coppice_dev.h>

#define COPPICE_VERSION		"0.1.0"

/*
 * Of what a load takes: charged to the loader's memory cgroup, and refused where that is
 * full. Nobody is killed to make room for an image.
 */
#define COPPICE_GFP_LOAD	(GFP_KERNEL_ACCOUNT | __GFP_RETRY_MAYFAIL | __GFP_NOWARN)

/* More segments than any process needs; a bound for hostile loaders. */
#define COPPICE_SEGMENTS_MAX	16384
/* 64 GiB of content: a bound that keeps page offsets small. */
#define COPPICE_PAGES_MAX	BIT(24)
/*
 * Of an anonymous inode, with its terminator. d_path() has room for 63 characters
 * with what it puts before: of a longer name /proc/PID/maps can't be read.
 */
#define COPPICE_FILE_NAME_SIZE	(64 - sizeof("anon_inode:") + 1)
/* Tasks that teach a group which pages a start writes, and later one in so many. */
#define COPPICE_LEARNERS	4
#define COPPICE_LEARN_EVERY	16
/* Pages of a group that are learned when their task was ready: its function's first lines. */
#define COPPICE_CALL_PAGES	16

/**
 * struct coppice_domain - the store pages of one owner
 * @node: in the store's list; protected by the store's lock
 * @owner: whose images these pages belong to
 * @images: images that use the domain; protected by the store's lock
 * @lock: protects @pages and the reference counts of its entries
 * @pages: content hash to page; several pages may have one hash
 */
struct coppice_domain {
	struct list_head node;
	kuid_t owner;
	unsigned int images;
	struct mutex lock;	/* pages and their counts */
	struct rhltable pages;
};

/**
 * struct coppice_page - a page of content, immutable once in a domain
 * @node: in the domain's table
 * @hash: of the content, with the store's seed
 * @refs: image pages that it stands for; protected by the domain's lock
 * @page: the memory, which may be a part of a huge page
 * @rcu: lock-free walks of the table may outlast the entry
 */
struct coppice_page {
	struct rhlist_head node;
	struct rcu_head rcu;
	u64 hash;
	unsigned int refs;
	struct page *page;
};

/* Pages of 4 KiB in one of 2 MiB. */
#define COPPICE_HUGE_PAGES	(1UL << (PMD_SHIFT - PAGE_SHIFT))

/**
 * struct coppice_vseg - a segment of an image, or a part of one
 * @start: first address
 * @len: in bytes
 * @pgoff: of its first page in the image; meaningless when @anon
 * @map_pgoff: of its first page in the file that tasks map
 * @prot: PROT_*
 * @anon: has no pages, tasks get fresh memory
 * @huge: made of huge pages
 * @more: the next one is a part of the same segment
 */
struct coppice_vseg {
	unsigned long start;
	unsigned long len;
	unsigned long pgoff;
	unsigned long map_pgoff;
	unsigned int prot;
	bool anon;
	bool huge;
	bool more;
};

/*
 * Page offsets in the file that tasks map are those in the image but for huge parts: there
 * offset and address must agree within a huge page, or it is not mapped as one. The
 * distance goes along, above the largest offset.
 */
#define COPPICE_MAP_HUGE	BIT(44)
#define COPPICE_MAP_SHIFT	32

static inline unsigned long coppice_map_pgoff(unsigned long pgoff, unsigned long start)
{
	unsigned long ahead = ((start >> PAGE_SHIFT) - pgoff) % COPPICE_HUGE_PAGES;

	return COPPICE_MAP_HUGE + (ahead << COPPICE_MAP_SHIFT) + pgoff + ahead;
}

/* The page of the image, of an offset in the file that tasks map. */
static inline unsigned long coppice_image_pgoff(unsigned long pgoff)
{
	if (!(pgoff & COPPICE_MAP_HUGE))
		return pgoff;
	return (u32)pgoff - (pgoff >> COPPICE_MAP_SHIFT) % COPPICE_HUGE_PAGES;
}

/**
 * struct coppice_image - segments and their pages
 * @ref: registry, groups, descriptors
 * @node: in the registry; protected by the registry's lock
 * @id: never reused
 * @name: unique among images, loading ones included
 * @domain: where its pages are
 * @segs: sorted by address, those with huge pages in parts; immutable once sealed
 * @nr_segs: number of @segs
 * @segments: that they are parts of
 * @room: allocated size of @segs
 * @pages: page offset to struct coppice_page; immutable once sealed
 * @nr_pages: pages in @pages
 * @frames: page offset to its memory, for who needs many; of a sealed image
 * @ptes: page offset to coppice_pte_of() its memory, 0 behind the last; of a sealed image
 * @huge: huge pages that it is made of
 * @bytes: sum of the segments' lengths
 * @added: pages that were new in the store
 * @entry: where tasks resume
 * @stack: with which stack pointer
 * @notes: kept for userspace
 * @notes_len: in bytes
 * @sealed: visible and immutable; protected by the registry's lock
 * @load_lock: serialises IMAGE_SEGMENT and IMAGE_SEAL
 * @groups: groups that use it; protected by the registry's lock
 */
struct coppice_image {
	struct kref ref;
	struct list_head node;
	u32 id;
	char name[COPPICE_DEV_NAME_SIZE];
	struct coppice_domain *domain;

	struct coppice_vseg *segs;
	unsigned int nr_segs;
	unsigned int segments;
	unsigned int room;
	struct xarray pages;
	unsigned long nr_pages;
	struct page **frames;
	pteval_t *ptes;
	unsigned long huge;
	u64 bytes;
	u64 added;
	unsigned long entry;
	unsigned long stack;
	void *notes;
	u32 notes_len;
	bool sealed;
	struct mutex load_lock;	/* one load call at a time */
	unsigned int groups;
};

/**
 * struct coppice_hints - what a start of a group's tasks touches and writes
 * @touched: bit per page of the image: map it ahead. Atomic bit operations
 * @called: of those, pages that were first touched when a task was ready
 * @written: bit per page: copy it ahead. Changed under @lock
 * @changed: bit per page: a reset found it changed before. Atomic bit operations
 * @lock: serialises learning from tasks that are ready
 * @learned: tasks learned from; protected by @lock, read without
 *
 * A group's own, though groups may share an image: what one owner's tasks touch
 * shows in no way to another's.
 */
struct coppice_hints {
	unsigned long *touched;
	atomic_t called;
	unsigned long *written;
	unsigned long *changed;
	struct mutex lock;	/* written, learned */
	unsigned int learned;
};

/* Of a word of bits for pages, as hints are, those for pages [from, end). */
static inline unsigned long coppice_word_mask(unsigned long word, unsigned long from,
					      unsigned long end)
{
	unsigned long mask = ~0UL, base = word * BITS_PER_LONG;

	if (base < from)
		mask &= BITMAP_FIRST_WORD_MASK(from);
	if (end - base < BITS_PER_LONG)
		mask &= BITMAP_LAST_WORD_MASK(end);
	return mask;
}

/**
 * struct coppice_group - tasks that share an image
 * @ref: registry, tasks, descriptors
 * @node: in the registry; protected by the registry's lock
 * @id: never reused
 * @name: unique among groups
 * @image: that its tasks share
 * @owner: whom its tasks run as
 * @cgroup: kept for userspace
 * @reshare: kept for userspace
 * @adopt: kept for userspace
 * @max_tasks: limit checked at enter; 0 is none
 * @lock: protects @tasks, @nr_tasks, @dead, @entered, @forked
 * @tasks: the tasks; latest first, so that a fork finds its new task at once
 * @nr_tasks: length of @tasks
 * @dead: deleted: nobody may enter any more
 * @entered: tasks that ever entered
 * @forked: members that were forked
 * @faults: that the image answered
 * @mapped: pages mapped ahead
 * @copied: pages copied ahead
 * @given_back: private pages that were found equal to the image's
 * @resets: of its tasks
 * @hints: learned from its tasks
 * @adopted: tasks that were ever adopted; protected by @lock
 * @adopted_pages: pages of running tasks that the image's took the place of
 */
struct coppice_group {
	struct kref ref;
	struct list_head node;
	u32 id;
	char name[COPPICE_DEV_NAME_SIZE];
	struct coppice_image *image;
	kuid_t owner;
	char *cgroup;
	char reshare[COPPICE_RESHARE_MAX + 1];
	bool adopt;
	u32 max_tasks;

	spinlock_t lock;	/* tasks, their VMA counts, dead */
	struct list_head tasks;
	u32 nr_tasks;
	bool dead;
	u64 entered;
	u64 forked;
	atomic64_t faults;
	atomic64_t mapped;
	atomic64_t copied;
	atomic64_t given_back;
	atomic64_t resets;
	struct coppice_hints hints;
	u64 adopted;
	atomic64_t adopted_pages;
};

/**
 * struct coppice_task - an mm that maps a group's image
 * @node: in the group's list; protected by the group's lock
 * @id: never reused
 * @group: holds a reference
 * @mm: identity only while the task is listed; no reference: the VMAs that keep
 *	the task alive are the mm's own
 * @vmas: VMAs of @mm that map the image, and one for an enter or each adoption
 *	under way; protected by the group's lock
 * @forked: did not enter itself
 * @ready: has finished starting
 * @learner: no page was copied ahead, so what it has copied is what it wrote
 * @copying: pages are being copied ahead; set by the task itself
 * @started: when it became a member
 * @faults: that the image answered
 * @mapped: pages mapped ahead
 * @copied: pages copied ahead
 * @given_back: private pages found equal to the image's; changed under the mmap
 *	lock of @mm
 * @resets: how often it was reset; changed by the task itself
 * @files: numbers of the descriptors that it entered with; 0: not to be told
 * @nr_home: ranges in @home
 * @home: what a reset keeps, sorted
 * @home_sum: of what was mapped there when it entered
 * @settled: the last reset that looked everywhere found only pages that there are hints for
 * @reset_cookie: what the image's entry is told after a reset
 * @saved: content that a reset puts back, the task's own; NULL: none
 * @saved_at: where it belongs, in one of @home
 * @adopted: was running before it became a member, or is a fork of such a task
 * @adopted_pages: pages that the image's took the place of
 * @told: listeners heard that it entered, so they hear of its exit
 */
struct coppice_task {
	struct list_head node;
	u64 id;
	struct coppice_group *group;
	struct mm_struct *mm;
	unsigned long vmas;
	bool forked;
	bool ready;
	bool learner;
	bool copying;
	ktime_t started;
	atomic64_t faults;
	u64 mapped;
	u64 copied;
	u64 given_back;
	u64 resets;
	u64 files;
	u32 nr_home;
	struct coppice_range home[COPPICE_KEEP_MAX];
	u64 home_sum;
	bool settled;
	unsigned long reset_cookie;
	void *saved;
	struct coppice_range saved_at;
	bool adopted;
	atomic64_t adopted_pages;
	bool told;
};

/* store.c */
struct coppice_store_stats {
	u64 pages;
	u64 limit;
	u64 image_pages;
	u64 huge;	/* pages of 2 MiB */
	u64 missed;	/* that could not be allocated */
	u32 domains;
};

int coppice_store_init(void);
void coppice_store_exit(void);
struct coppice_domain *coppice_domain_get(kuid_t owner);
void coppice_domain_put(struct coppice_domain *domain);
struct coppice_page *coppice_page_load(struct coppice_domain *domain,
				       const void __user *data, bool *added,
				       const char **why);
void coppice_page_put(struct coppice_domain *domain, struct coppice_page *page);
void coppice_store_stats(struct coppice_store_stats *stats);

/* huge.c */
bool coppice_huge_load(struct coppice_domain *domain, const void __user *data,
		       struct coppice_page **parts, u64 *added);

/* image.c */
struct coppice_image *coppice_image_create(const char *name, kuid_t owner,
					   const char **why);
void coppice_image_abandon(struct coppice_image *image);
int coppice_image_add(struct coppice_image *image,
		      const struct coppice_segment *segment, const char **why);
int coppice_image_seal(struct coppice_image *image,
		       const struct coppice_image_seal *seal, const char **why);
struct coppice_image *coppice_image_get(const char *name);
void coppice_image_put(struct coppice_image *image);
int coppice_image_delete(struct coppice_image *image, const char **why);
const struct coppice_vseg *coppice_image_find(const struct coppice_image *image,
					      unsigned long addr);

/**
 * coppice_image_page() - the memory of a page of a sealed image
 * @image: held by the caller
 * @pgoff: page offset in the image's file
 *
 * Context: any.
 * Return: the page without a reference, or NULL if there is none.
 */
static inline struct page *coppice_image_page(const struct coppice_image *image,
					      unsigned long pgoff)
{
	return pgoff < image->nr_pages ? image->frames[pgoff] : NULL;
}

/* Made of files for running tasks to be adopted with; nobody can enter it. */
static inline bool coppice_image_is_library(const struct coppice_image *image)
{
	return !image->stack;
}

/* A count of one writer at a time, or under a lock, which others read without it. */
static inline void coppice_count(u64 *count, u64 more)
{
	WRITE_ONCE(*count, *count + more);
}

/* group.c */
struct coppice_group_spec {
	const char *name;
	const char *image;
	const char *cgroup;
	const char *reshare;
	kuid_t owner;
	u32 max_tasks;
	bool adopt;
};

struct coppice_group *coppice_group_add(const struct coppice_group_spec *spec,
					const char **why);
struct coppice_group *coppice_group_get(const char *name);
void coppice_group_hold(struct coppice_group *group);
void coppice_group_put(struct coppice_group *group);
int coppice_group_delete(struct coppice_group *group, const char **why);

/* task.c */
int coppice_task_init(void);
void coppice_task_exit(void);
struct coppice_task *coppice_task_enter(struct coppice_group *group,
					const char **why);
struct coppice_task *coppice_task_adopt(struct coppice_group *group,
					struct mm_struct *mm, const char **why);
void coppice_task_entered(struct coppice_task *task);
void coppice_task_adopted(struct coppice_task *task, unsigned long pages);
void coppice_task_open(struct coppice_task *task);
void coppice_task_close(struct coppice_task *task);
struct coppice_task *coppice_task_fork(struct coppice_task *parent,
				       struct mm_struct *mm);
bool coppice_task_set_ready(struct coppice_group *group, struct mm_struct *mm);
bool coppice_task_member(struct coppice_group *group, struct mm_struct *mm);
struct coppice_task *coppice_task_find(struct coppice_group *group, struct mm_struct *mm);
bool coppice_task_forked(struct coppice_group *group, struct mm_struct *mm);
struct mm_struct *coppice_task_hold(u64 id, struct coppice_group **group);
pid_t coppice_task_pid(const struct coppice_task *task);

/* file.c */
struct file *coppice_file_create(const char *name, const struct file_operations *fops,
				 void *priv, int flags, loff_t size);
void coppice_file_exit(void);

/* map.c */
vm_fault_t coppice_fault_page(struct vm_fault *vmf, struct page *page);
void coppice_vma_open(struct vm_area_struct *vma);
void coppice_vma_close(struct vm_area_struct *vma);
struct file *coppice_map_file(struct coppice_task *task);
void coppice_map_file_done(struct file *file);
int coppice_map_segment(const struct coppice_vseg *seg, struct file *file);
bool coppice_map_intact(const struct coppice_task *task, const struct coppice_vseg *seg,
			const struct vm_area_struct *vma);
int coppice_map_segments(struct coppice_task *task, struct file *file);
void coppice_map_ahead(struct coppice_task *task);
struct vm_area_struct *coppice_vma_next(struct mm_struct *mm, unsigned long addr,
					const struct coppice_group *group);
void coppice_map_again(struct vm_area_struct *vma, unsigned long addr, unsigned long nr);

/* walk.c: @pte maps a private page or, if it is not present, says where it is */
typedef int (*coppice_private_fn)(pte_t pte, unsigned long addr, unsigned long pgoff,
				  void *data);
int coppice_walk_private(struct vm_area_struct *vma, unsigned long from,
			 coppice_private_fn fn, void *data);
int coppice_walk_hinted(struct vm_area_struct *vma, unsigned long from,
			coppice_private_fn fn, void *data);
bool coppice_page_unused(struct page *page, int ours);

struct coppice_usage {
	u64 shared;	/* pages of the store */
	u64 copied;	/* the task's own in their place */
	u64 swapped;	/* of the latter, not in memory */
};

/* Is the caller the only one that runs in this memory? Under the mmap lock. */
static inline bool coppice_runs_alone(const struct mm_struct *mm)
{
	return current->mm == mm && atomic_read(&mm->mm_users) == 1;
}

int coppice_usage(struct coppice_group *group, struct mm_struct *mm,
		  struct coppice_usage *usage);

/* reshare.c */
struct coppice_reshared {
	u64 compared;
	u64 given_back;
};

int coppice_reshare(struct coppice_group *group, struct mm_struct *mm,
		    struct coppice_reshared *result, const char **why);

/* learn.c */
int coppice_hints_init(struct coppice_hints *hints, unsigned long pages);
void coppice_hints_free(struct coppice_hints *hints);
bool coppice_learns(const struct coppice_group *group);
void coppice_learn(struct coppice_group *group);

/* home.c */
u64 coppice_home_sum(struct mm_struct *mm, const struct coppice_range *ranges, u32 nr);
int coppice_home_save(struct coppice_task *task, const struct coppice_enter *enter,
		      const char **why);
void coppice_home_clear(const struct coppice_task *task, struct vm_area_struct *vma);
bool coppice_home_pages(const struct coppice_task *task, unsigned long *pages);
int coppice_home_restore(const struct coppice_task *task);

/* enter.c */
long coppice_enter(struct coppice_group *group,
		   const struct coppice_enter *enter, const char **why);

/* reset.c */
long coppice_reset(struct coppice_group *group, const char **why);
int coppice_reset_remote(struct coppice_group *group, struct mm_struct *mm,
			 const char **why);

/* clean.c */
void coppice_note_files(struct coppice_task *task);
void coppice_start_image(const struct coppice_task *task);

/* adopt.c */

/**
 * struct coppice_adopt - a range of a process to adopt, and what became of it
 * @pid: of the process, in the caller's pid namespace
 * @start: first address, page-aligned
 * @len: in bytes, page-aligned
 * @image_addr: where its content lies in the image
 * @id: of the task that the process has become or been; 0: nothing was replaced
 * @adopted: pages replaced
 * @different: pages with another content than the image's
 * @private: pages that the process has a copy of its own of
 * @absent: pages that are not mapped, so their content is not known
 * @scattered: equal pages in runs too short for a mapping of their own
 */
struct coppice_adopt {
	pid_t pid;
	unsigned long start;
	unsigned long len;
	unsigned long image_addr;
	u64 id;
	u64 adopted;
	u64 different;
	u64 private;
	u64 absent;
	u64 scattered;
};

int coppice_adopt_init(void);
void coppice_adopt_exit(void);
int coppice_adopt(struct coppice_group *group, struct coppice_adopt *adopt,
		  const char **why);

/* adopt_map.c */
int coppice_adopt_range(struct coppice_group *group, struct coppice_adopt *adopt,
			const bool *given_up, const char **why);

/* registry.c */
extern struct mutex coppice_lock;
extern struct xarray coppice_images;	/* id to image */
extern struct xarray coppice_groups;	/* id to group */
extern u32 coppice_generation;
bool coppice_name_valid(const char *name);
void coppice_registry_clear(void);

/* netlink.c */
int coppice_netlink_init(void);
void coppice_netlink_exit(void);
void coppice_notify_image(struct coppice_image *image, u8 cmd);
void coppice_notify_group(struct coppice_group *group, u8 cmd);
void coppice_notify_task(struct coppice_task *task, u8 cmd);

/* device.c */
int coppice_device_init(void);
void coppice_device_exit(void);

#endif /* _COPPICE_H */
