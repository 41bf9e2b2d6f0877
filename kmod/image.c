// SPDX-License-Identifier: GPL-2.0
/*
 * Images: loaded through a descriptor, then sealed, then immutable.
 */
#include <linux/mman.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "compat/mm.h"
#include "coppice.h"
#include "trace.h"

static struct coppice_image *image_by_name(const char *name)
{
	struct coppice_image *image;
	unsigned long id;

	lockdep_assert_held(&coppice_lock);
	xa_for_each(&coppice_images, id, image)
		if (!strcmp(image->name, name))
			return image;
	return NULL;
}

static struct coppice_image *image_alloc(const char *name, kuid_t owner)
{
	struct coppice_image *image;

	image = kzalloc(sizeof(*image), GFP_KERNEL_ACCOUNT);
	if (!image)
		return NULL;
	image->domain = coppice_domain_get(owner);
	if (!image->domain) {
		kfree(image);
		return NULL;
	}
	kref_init(&image->ref);
	strscpy(image->name, name, sizeof(image->name));
	xa_init(&image->pages);
	mutex_init(&image->load_lock);
	return image;
}

static int image_register(struct coppice_image *image, const char **why)
{
	static u32 next = 1;	/* under coppice_lock */
	int err = 0;

	mutex_lock(&coppice_lock);
	if (image_by_name(image->name)) {
		*why = "An image of this name exists or is being loaded: choose another name or delete it first";
		err = -EEXIST;
	} else {
		err = xa_alloc_cyclic(&coppice_images, &image->id, image,
				      xa_limit_31b, &next, GFP_KERNEL);
		if (err < 0)
			*why = "No memory for the image: free memory and try again";
	}
	if (err >= 0)
		kref_get(&image->ref);
	mutex_unlock(&coppice_lock);
	return min(err, 0);
}

/**
 * coppice_image_create() - begin to load an image
 * @name: of the image
 * @owner: whose store domain it uses
 * @why: set to a sentence on failure
 *
 * The name is taken at once, so that of two loads one is refused before its data
 * is read.
 *
 * Context: may sleep.
 * Return: the image with the caller's reference, or ERR_PTR.
 */
struct coppice_image *coppice_image_create(const char *name, kuid_t owner,
					   const char **why)
{
	struct coppice_image *image;
	int err;

	if (!coppice_name_valid(name)) {
		*why = "The image's name is not valid: use up to 63 letters, digits, dots, dashes and underscores, not a dot or dash first";
		return ERR_PTR(-EINVAL);
	}
	if (!uid_valid(owner)) {
		*why = "The image's owner is not a valid user: give a user id of this user namespace";
		return ERR_PTR(-EINVAL);
	}
	image = image_alloc(name, owner);
	if (!image) {
		*why = "No memory for the image: free memory and try again";
		return ERR_PTR(-ENOMEM);
	}
	err = image_register(image, why);
	if (!err)
		return image;
	coppice_image_put(image);
	return ERR_PTR(err);
}

/* The registry's reference is the caller's to put when true. */
static bool image_unregister(struct coppice_image *image)
{
	lockdep_assert_held(&coppice_lock);
	if (xa_load(&coppice_images, image->id) != image)
		return false;
	xa_erase(&coppice_images, image->id);
	coppice_generation++;
	return true;
}

/**
 * coppice_image_abandon() - the loading descriptor was closed
 * @image: the image; goes unless it was sealed
 *
 * Context: may sleep.
 */
void coppice_image_abandon(struct coppice_image *image)
{
	bool gone;

	mutex_lock(&coppice_lock);
	gone = !image->sealed && image_unregister(image);
	mutex_unlock(&coppice_lock);
	if (gone)
		coppice_image_put(image);
}

/* Index of the first segment that ends after @addr. */
static unsigned int seg_index(const struct coppice_image *image,
			      unsigned long addr)
{
	unsigned int low = 0, high = image->nr_segs;

	while (low < high) {
		unsigned int mid = low + (high - low) / 2;
		const struct coppice_vseg *seg = &image->segs[mid];

		if (seg->start + seg->len > addr)
			high = mid;
		else
			low = mid + 1;
	}
	return low;
}

/**
 * coppice_image_find() - the first segment that ends after an address
 * @image: sealed, or under its load lock
 * @addr: the address
 *
 * Return: the segment, which may start after @addr, or NULL.
 */
const struct coppice_vseg *coppice_image_find(const struct coppice_image *image,
					      unsigned long addr)
{
	unsigned int i = seg_index(image, addr);

	return i < image->nr_segs ? &image->segs[i] : NULL;
}

/* What a segment must be, whatever else is in the image. */
static const char *seg_refusal(const struct coppice_segment *segment)
{
	if (!segment->len)
		return "The segment is empty: give it a length";
	if (!PAGE_ALIGNED(segment->start) || !PAGE_ALIGNED(segment->len))
		return "The segment is not page-aligned: align its start and length";
	if (segment->start < PAGE_SIZE * 16)
		return "The segment starts below the lowest mappable address: move it to 64 KiB or above";
	if (segment->start >= TASK_SIZE || segment->len > TASK_SIZE - segment->start)
		return "The segment reaches into the kernel's addresses: keep it below the end of user memory";
	if (segment->prot & ~(PROT_READ | PROT_WRITE | PROT_EXEC))
		return "The segment's protection has unknown bits: use PROT_READ, PROT_WRITE and PROT_EXEC";
	if (segment->flags & ~(COPPICE_SEGMENT_ANON | COPPICE_SEGMENT_HUGE))
		return "The segment has unknown flags: use COPPICE_SEGMENT_ANON, COPPICE_SEGMENT_HUGE or none";
	if ((segment->flags & COPPICE_SEGMENT_ANON) && segment->data)
		return "The segment has both data and COPPICE_SEGMENT_ANON: give one of them";
	return NULL;
}

static const char *seg_conflict(const struct coppice_image *image,
				const struct coppice_segment *segment)
{
	const struct coppice_vseg *next = coppice_image_find(image, segment->start);
	unsigned long pages = segment->len >> PAGE_SHIFT;

	if (next && next->start < segment->start + segment->len)
		return "The segment overlaps another one: segments may not overlap";
	if (image->segments == COPPICE_SEGMENTS_MAX)
		return "The image has too many segments: merge adjacent ones";
	if (!(segment->flags & COPPICE_SEGMENT_ANON) &&
	    pages > COPPICE_PAGES_MAX - image->nr_pages)
		return "The image has too many pages: make it smaller";
	return NULL;
}

static int segs_reserve(struct coppice_image *image, unsigned int nr)
{
	unsigned int room = max3(64U, image->room * 2, image->nr_segs + nr);
	struct coppice_vseg *segs;

	if (image->nr_segs + nr <= image->room)
		return 0;
	segs = kvmalloc_array(room, sizeof(*segs), COPPICE_GFP_LOAD);
	if (!segs)
		return -ENOMEM;
	if (image->nr_segs)
		memcpy(segs, image->segs, image->nr_segs * sizeof(*segs));
	kvfree(image->segs);
	image->segs = segs;
	image->room = room;
	return 0;
}

static void pages_drop(struct coppice_image *image, unsigned long from)
{
	struct coppice_page *page;
	unsigned long pgoff;

	xa_for_each_start(&image->pages, pgoff, page, from) {
		xa_erase(&image->pages, pgoff);
		coppice_page_put(image->domain, page);
		cond_resched();
	}
}

static int page_add(struct coppice_image *image, unsigned long pgoff,
		    const void __user *data, u64 *added, const char **why)
{
	struct coppice_page *page;
	bool new;
	int err;

	if (fatal_signal_pending(current))
		return -EINTR;
	page = coppice_page_load(image->domain, data, &new, why);
	if (IS_ERR(page))
		return PTR_ERR(page);
	err = xa_err(xa_store(&image->pages, pgoff, page, COPPICE_GFP_LOAD));
	if (err) {
		coppice_page_put(image->domain, page);
		*why = "No memory for the image: free memory and try again";
		return err;
	}
	*added += new;
	cond_resched();
	return 0;
}

/* Marks the first page of each huge page in image->pages. */
#define HUGE_MARK	XA_MARK_0

static bool may_be_huge(const struct coppice_segment *segment, unsigned long page)
{
	return (segment->flags & COPPICE_SEGMENT_HUGE) &&
	       (segment->prot & (PROT_READ | PROT_WRITE)) == PROT_READ &&
	       IS_ALIGNED(segment->start + (page << PAGE_SHIFT), PMD_SIZE) &&
	       segment->len - (page << PAGE_SHIFT) >= PMD_SIZE;
}

/* Takes the references to all of @parts. */
static int parts_store(struct coppice_image *image, unsigned long pgoff,
		       struct coppice_page **parts)
{
	unsigned int i;
	int err = 0;

	for (i = 0; i < COPPICE_HUGE_PAGES; i++) {
		if (!err)
			err = xa_err(xa_store(&image->pages, pgoff + i, parts[i],
					      COPPICE_GFP_LOAD));
		if (err)
			coppice_page_put(image->domain, parts[i]);
	}
	if (!err)
		xa_set_mark(&image->pages, pgoff, HUGE_MARK);
	return err;
}

/* The pages that were added, 0 if they are to be small, or an error. */
static long huge_add(struct coppice_image *image, unsigned long pgoff,
		     const void __user *data, u64 *added, const char **why)
{
	struct coppice_page **parts;
	long ret = 0;

	parts = kmalloc_array(COPPICE_HUGE_PAGES, sizeof(*parts), COPPICE_GFP_LOAD);
	if (parts && coppice_huge_load(image->domain, data, parts, added)) {
		*why = "No memory for the image: free memory and try again";
		ret = parts_store(image, pgoff, parts) ?: (long)COPPICE_HUGE_PAGES;
	}
	kfree(parts);
	return ret;
}

/* A huge page or a small one: the pages that were added, or an error. */
static long some_add(struct coppice_image *image, const struct coppice_segment *segment,
		     unsigned long page, u64 *added, const char **why)
{
	const char __user *data = u64_to_user_ptr(segment->data) + (page << PAGE_SHIFT);
	long ret = 0;

	if (may_be_huge(segment, page))
		ret = huge_add(image, image->nr_pages + page, data, added, why);
	return ret ?: page_add(image, image->nr_pages + page, data, added, why) ?: 1;
}

/* All of the segment's pages or none. */
static int pages_add(struct coppice_image *image,
		     const struct coppice_segment *segment, u64 *added,
		     const char **why)
{
	unsigned long page, pages = segment->len >> PAGE_SHIFT;
	long nr;

	for (page = 0; page < pages; page += nr) {
		nr = some_add(image, segment, page, added, why);
		if (nr < 0) {
			pages_drop(image, image->nr_pages);
			return nr;
		}
	}
	return 0;
}

/* The part of a segment that begins at a page of the image: all huge or all small. */
static unsigned long part_pages(struct coppice_image *image, unsigned long pgoff,
				unsigned long end)
{
	unsigned long next = pgoff;

	if (!xa_get_mark(&image->pages, pgoff, HUGE_MARK))
		return xa_find(&image->pages, &next, end - 1, HUGE_MARK) ? next - pgoff :
									   end - pgoff;
	while (next < end && xa_get_mark(&image->pages, next, HUGE_MARK))
		next += COPPICE_HUGE_PAGES;
	return next - pgoff;
}

static unsigned int count_parts(struct coppice_image *image,
				const struct coppice_segment *segment)
{
	unsigned long pgoff = image->nr_pages, end = pgoff + (segment->len >> PAGE_SHIFT);
	unsigned int nr = 0;

	if (segment->flags & COPPICE_SEGMENT_ANON)
		return 1;
	for (; pgoff < end; pgoff += part_pages(image, pgoff, end))
		nr++;
	return nr;
}

static void set_part(struct coppice_image *image, struct coppice_vseg *seg,
		     const struct coppice_segment *segment, unsigned long page)
{
	unsigned long pages = segment->len >> PAGE_SHIFT;
	bool anon = segment->flags & COPPICE_SEGMENT_ANON;
	unsigned long pgoff = image->nr_pages + page;
	unsigned long len = anon ? pages : part_pages(image, pgoff, image->nr_pages + pages);

	*seg = (struct coppice_vseg) {
		.start = segment->start + (page << PAGE_SHIFT),
		.len = len << PAGE_SHIFT,
		.pgoff = pgoff,
		.map_pgoff = pgoff,
		.prot = segment->prot,
		.anon = anon,
		.huge = !anon && xa_get_mark(&image->pages, pgoff, HUGE_MARK),
		.more = page + len < pages,
	};
	if (!seg->huge)
		return;
	seg->map_pgoff = coppice_map_pgoff(pgoff, seg->start);
	image->huge += len / COPPICE_HUGE_PAGES;
}

/* There is room for @nr parts. */
static void seg_insert(struct coppice_image *image,
		       const struct coppice_segment *segment, unsigned int nr)
{
	unsigned int at = seg_index(image, segment->start);
	struct coppice_vseg *seg = &image->segs[at];
	unsigned long page = 0;
	unsigned int i;

	memmove(seg + nr, seg, (image->nr_segs - at) * sizeof(*seg));
	for (i = 0; i < nr; i++, seg++) {
		set_part(image, seg, segment, page);
		page += seg->len >> PAGE_SHIFT;
	}
	image->nr_segs += nr;
	image->segments++;
	image->bytes += segment->len;
	if (!(segment->flags & COPPICE_SEGMENT_ANON))
		image->nr_pages += page;
}

static int image_add(struct coppice_image *image,
		     const struct coppice_segment *segment, const char **why)
{
	unsigned int parts;
	u64 added = 0;
	int err;

	*why = "The image is sealed: load a new one";
	if (image->sealed)
		return -EBUSY;
	*why = seg_refusal(segment);
	if (*why)
		return -EINVAL;
	*why = seg_conflict(image, segment);
	if (*why)
		return -EINVAL;
	if (!(segment->flags & COPPICE_SEGMENT_ANON)) {
		err = pages_add(image, segment, &added, why);
		if (err)
			return err;
	}
	parts = count_parts(image, segment);
	if (segs_reserve(image, parts)) {
		pages_drop(image, image->nr_pages);
		*why = "No memory for the image: free memory and try again";
		return -ENOMEM;
	}
	seg_insert(image, segment, parts);
	image->added += added;
	return 0;
}

/**
 * coppice_image_add() - add a segment to an image being loaded
 * @image: the image
 * @segment: checked here; its data is read from the caller's memory
 * @why: set to a sentence on failure
 *
 * Context: may sleep; takes the load lock, then the domain's.
 * Return: 0, or a negative error with the image as before.
 */
int coppice_image_add(struct coppice_image *image,
		      const struct coppice_segment *segment, const char **why)
{
	int err;

	mutex_lock(&image->load_lock);
	err = image_add(image, segment, why);
	mutex_unlock(&image->load_lock);
	return err;
}

static bool seg_allows(const struct coppice_image *image, unsigned long addr,
		       unsigned int prot)
{
	const struct coppice_vseg *seg = coppice_image_find(image, addr);

	return seg && seg->start <= addr && (seg->prot & prot) == prot;
}

/*
 * Without entry and stack: a library, whose addresses mean nothing. Its pages take the
 * place of read-only pages of files, so there is none that could be written, or fresh.
 */
static const char *library_refusal(const struct coppice_image *image)
{
	unsigned int i;

	for (i = 0; i < image->nr_segs; i++)
		if (image->segs[i].anon || (image->segs[i].prot & PROT_WRITE))
			return "The image has no entry and no stack, but a segment that is writable or has no pages: a library has read-only pages";
	return NULL;
}

static const char *seal_refusal(const struct coppice_image *image,
				const struct coppice_image_seal *seal)
{
	if (image->sealed)
		return "The image is sealed already: load a new one";
	if (seal->pad)
		return "The seal has a non-zero padding: set it to 0";
	if (!image->nr_pages)
		return "The image has no pages: add a segment with data before sealing it";
	if (seal->notes_len > COPPICE_NOTES_MAX)
		return "The notes are too long: keep them below 256 KiB";
	if (!seal->entry && !seal->stack)
		return library_refusal(image);
	if (!seg_allows(image, seal->entry, PROT_EXEC))
		return "The entry is not in an executable segment: tasks could not resume there";
	if (!seal->stack || !seg_allows(image, seal->stack - 1, PROT_READ | PROT_WRITE))
		return "The stack pointer is not in a writable segment: tasks could not resume there";
	return NULL;
}

static int seal_notes(struct coppice_image *image,
		      const struct coppice_image_seal *seal, const char **why)
{
	if (!seal->notes_len)
		return 0;
	*why = "No memory for the image's notes: free memory and try again";
	image->notes = kvmalloc(seal->notes_len, COPPICE_GFP_LOAD);
	if (!image->notes)
		return -ENOMEM;
	image->notes_len = seal->notes_len;
	*why = "The notes can't be read: give an address that holds as many bytes as they have";
	if (copy_from_user(image->notes, u64_to_user_ptr(seal->notes),
			   seal->notes_len))
		return -EFAULT;
	return 0;
}

/* A look-up in the table of pages costs as much as mapping one. */
static int seal_frames(struct coppice_image *image, const char **why)
{
	struct coppice_page *page;
	unsigned long pgoff;

	*why = "No memory for the image's table of pages: free memory and try again";
	image->frames = kvmalloc_array(image->nr_pages, sizeof(*image->frames),
				       GFP_KERNEL_ACCOUNT);
	/* Who looks at the entries of a page table from one of the image's on finds all of them. */
	image->ptes = kvcalloc(image->nr_pages + PTRS_PER_PTE, sizeof(*image->ptes),
			       GFP_KERNEL_ACCOUNT);
	if (!image->frames || !image->ptes)
		return -ENOMEM;
	xa_for_each(&image->pages, pgoff, page) {
		image->frames[pgoff] = page->page;
		image->ptes[pgoff] = coppice_pte_of(page->page);
	}
	return 0;
}

/* Undo what a failed seal allocated, so that it can be tried again. */
static void seal_undo(struct coppice_image *image)
{
	kvfree(image->notes);
	image->notes = NULL;
	image->notes_len = 0;
	kvfree(image->frames);
	image->frames = NULL;
	kvfree(image->ptes);
	image->ptes = NULL;
}

static int image_seal(struct coppice_image *image,
		      const struct coppice_image_seal *seal, const char **why)
{
	int err;

	*why = seal_refusal(image, seal);
	if (*why)
		return image->sealed ? -EBUSY : -EINVAL;
	err = seal_notes(image, seal, why) ?: seal_frames(image, why);
	if (err) {
		seal_undo(image);
		return err;
	}
	image->entry = seal->entry;
	image->stack = seal->stack;
	mutex_lock(&coppice_lock);
	/* Pairs with the acquires of descriptors that were open while it was loaded. */
	smp_store_release(&image->sealed, true);
	coppice_generation++;
	mutex_unlock(&coppice_lock);
	return 0;
}

/**
 * coppice_image_seal() - make an image immutable and visible
 * @image: being loaded
 * @seal: entry, stack and notes; checked here
 * @why: set to a sentence on failure
 *
 * Context: may sleep; takes the load lock, then the registry's.
 * Return: 0, or a negative error with the image as before.
 */
int coppice_image_seal(struct coppice_image *image,
		       const struct coppice_image_seal *seal, const char **why)
{
	int err;

	mutex_lock(&image->load_lock);
	err = image_seal(image, seal, why);
	mutex_unlock(&image->load_lock);
	if (err)
		return err;
	trace_coppice_image_seal(image);
	coppice_notify_image(image, COPPICE_CMD_IMAGE_ADD_NTF);
	return 0;
}

/**
 * coppice_image_get() - a sealed image by its name
 * @name: of the image
 *
 * Context: may sleep; the caller holds coppice_lock.
 * Return: the image with a reference, or NULL.
 */
struct coppice_image *coppice_image_get(const char *name)
{
	struct coppice_image *image = image_by_name(name);

	if (!image || !image->sealed)
		return NULL;
	kref_get(&image->ref);
	return image;
}

/*
 * The last reference is gone: the registry, every group (so every task, which
 * holds its group) and every descriptor has let go. References are only taken
 * by name under the registry's lock, or from one that is held, so none can appear.
 * Pages that an exiting task still maps have a page reference of their own.
 */
static void image_release(struct kref *ref)
{
	struct coppice_image *image = container_of(ref, struct coppice_image, ref);

	pages_drop(image, 0);
	xa_destroy(&image->pages);
	coppice_domain_put(image->domain);
	kvfree(image->segs);
	kvfree(image->notes);
	kvfree(image->frames);
	kvfree(image->ptes);
	kfree(image);
}

/**
 * coppice_image_put() - drop a reference
 * @image: the image
 *
 * Context: may sleep; takes the domain's and the store's lock.
 */
void coppice_image_put(struct coppice_image *image)
{
	kref_put(&image->ref, image_release);
}

/**
 * coppice_image_delete() - take an image that no group uses out of the registry
 * @image: the caller holds a reference
 * @why: set to a sentence on failure
 *
 * Context: may sleep; takes the registry's lock.
 * Return: 0, -EBUSY while a group uses it, -ENOENT if it is gone already.
 */
int coppice_image_delete(struct coppice_image *image, const char **why)
{
	int err = 0;

	mutex_lock(&coppice_lock);
	if (image->groups) {
		*why = "The image is in use by a group: delete the group first";
		err = -EBUSY;
	} else if (!image_unregister(image)) {
		*why = "The image was deleted meanwhile: there is nothing left to do";
		err = -ENOENT;
	}
	mutex_unlock(&coppice_lock);
	if (err)
		return err;
	trace_coppice_image_delete(image);
	coppice_notify_image(image, COPPICE_CMD_IMAGE_DEL_NTF);
	coppice_image_put(image);
	return 0;
}
