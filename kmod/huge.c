// SPDX-License-Identifier: GPL-2.0
/*
 * Huge pages: as much of an image's read-only content in one compound page as a PMD maps.
 *
 * Its parts are ordinary entries of the store, so that equal content of another image
 * shares them one by one, wherever it lies there. For the same reason a run that is in
 * the store already, or that repeats itself, is not made huge: sharing saves more.
 *
 * Lifetime: each part that is an entry has a reference to the compound page, and so has
 * whoever maps it. The VMAs of huge runs are not VM_MIXEDMAP: .fault hands out a part
 * with a reference, and the core mm maps all of the compound page in its place
 * (do_set_pmd()), with reference, map count and file counter, as it does with one of the
 * page cache. Unmapping, splitting (the PMD goes, its parts are faults later), fork (left
 * out, faults later), mprotect(), mremap() and pins are those of the page cache's, too. So
 * like a small page it may outlive its image. Nothing migrates, reclaims or splits
 * the compound page itself: it is on no LRU list and has no mapping.
 *
 * A VM_MIXEDMAP mapping must never get there: it would be unmapped without dropping what
 * do_set_pmd() took. Small mappings of parts are made by coppice_fault_page().
 */
#include <linux/highmem.h>
#include <linux/huge_mm.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/sort.h>
#include <linux/uaccess.h>

#include "store.h"

/* So much of a run may be in the store already. */
#define KNOWN_MAX	(COPPICE_HUGE_PAGES / 8)

static bool huge_pages = true;
module_param(huge_pages, bool, 0644);
MODULE_PARM_DESC(huge_pages, "Keep read-only content in 2 MiB pages where there are any");

static atomic64_t nr_huge;
static atomic64_t nr_missed;

/* Content on its way into the store. */
struct run {
	struct page *page;
	u64 hash[COPPICE_HUGE_PAGES];
	u64 sorted[COPPICE_HUGE_PAGES];
};

static int copy_parts(struct page *page, const char __user *data)
{
	unsigned long i, left;
	void *to;

	for (i = 0; i < COPPICE_HUGE_PAGES; i++) {
		to = kmap_local_page(page + i);
		left = copy_from_user(to, data + i * PAGE_SIZE, PAGE_SIZE);
		kunmap_local(to);
		if (left)
			return -EFAULT;
		cond_resched();
	}
	return 0;
}

static int compare_hashes(const void *a, const void *b)
{
	u64 left = *(const u64 *)a, right = *(const u64 *)b;

	return left < right ? -1 : left > right;
}

static void hash_parts(struct run *run)
{
	unsigned int i;

	for (i = 0; i < COPPICE_HUGE_PAGES; i++)
		run->hash[i] = coppice_page_hash(run->page + i);
	memcpy(run->sorted, run->hash, sizeof(run->hash));
	sort(run->sorted, COPPICE_HUGE_PAGES, sizeof(u64), compare_hashes, NULL);
}

/* One try: small pages do as well. */
static struct page *huge_alloc(void)
{
	struct page *page = alloc_pages(GFP_HIGHUSER | __GFP_ACCOUNT | __GFP_COMP |
					__GFP_NORETRY | __GFP_NOWARN,
					PMD_SHIFT - PAGE_SHIFT);

	if (!page) {
		atomic64_inc(&nr_missed);
		return NULL;
	}
	/* Recent kernels look whether it ends within the file, see coppice_map_file(). */
	page_folio(page)->index = 0;
	return page;
}

static struct run *run_read(const void __user *data)
{
	struct run *run = kvmalloc(sizeof(*run), COPPICE_GFP_LOAD);

	if (!run)
		return NULL;
	run->page = huge_alloc();
	if (run->page && !copy_parts(run->page, data)) {
		hash_parts(run);
		return run;
	}
	if (run->page)
		put_page(run->page);
	kvfree(run);
	return NULL;
}

static bool is_at(const struct coppice_page *entry, const struct page *page)
{
	return entry->page == page;
}

static bool is_first_part(const struct coppice_page *entry, const struct page *unused)
{
	return PageHead(entry->page);
}

/* The entries of a huge page with the run's content, if there is one with all its parts. */
static bool find_twin(struct coppice_domain *domain, struct run *run,
		      struct coppice_page **parts)
{
	unsigned int i;

	parts[0] = coppice_entry_find(domain, run->page, run->hash[0], is_first_part, NULL);
	for (i = 1; parts[0] && i < COPPICE_HUGE_PAGES; i++) {
		parts[i] = coppice_entry_find(domain, run->page + i, run->hash[i], is_at,
					      parts[0]->page + i);
		if (!parts[i])
			return false;
	}
	return parts[0];
}

/* Would small pages share much of it, with the store or within the run? */
static bool is_known(struct coppice_domain *domain, struct run *run)
{
	unsigned int i, known = 0;

	for (i = 0; i < COPPICE_HUGE_PAGES && known <= KNOWN_MAX; i++) {
		if (i && run->sorted[i] == run->sorted[i - 1])
			known++;
		if (coppice_entry_find(domain, run->page + i, run->hash[i], NULL, NULL))
			known++;
	}
	return known > KNOWN_MAX;
}

static bool insert_parts(struct coppice_domain *domain, struct run *run,
			 struct coppice_page **parts)
{
	unsigned int i;

	for (i = 0; i < COPPICE_HUGE_PAGES; i++) {
		parts[i] = coppice_entry_insert(domain, run->page + i, run->hash[i]);
		if (IS_ERR(parts[i]))
			break;
	}
	if (i == COPPICE_HUGE_PAGES)
		return true;
	while (i--)
		coppice_entry_remove(domain, parts[i], 1);
	return false;
}

/* Under the domain's lock. Consumes the run's page if *@added. */
static bool share(struct coppice_domain *domain, struct run *run,
		  struct coppice_page **parts, bool *added)
{
	unsigned int i;

	*added = false;
	if (!find_twin(domain, run, parts)) {
		if (is_known(domain, run) || !insert_parts(domain, run, parts))
			return false;
		*added = true;
		page_ref_add(run->page, COPPICE_HUGE_PAGES - 1);
		set_page_private(run->page, COPPICE_HUGE_PAGES);
		atomic64_inc(&nr_huge);
	}
	for (i = 0; i < COPPICE_HUGE_PAGES; i++)
		parts[i]->refs++;
	return true;
}

/**
 * coppice_huge_load() - take a run of content into a domain as a huge page
 * @domain: of the image's owner
 * @data: COPPICE_HUGE_PAGES pages
 * @parts: set to the entries, each with a reference
 * @added: increased by the pages that were new
 *
 * Context: may sleep; takes the domain's lock.
 * Return: false if the content is to be taken in small pages.
 */
bool coppice_huge_load(struct coppice_domain *domain, const void __user *data,
		       struct coppice_page **parts, u64 *added)
{
	struct run *run;
	bool shared, new;

	if (!IS_ENABLED(CONFIG_TRANSPARENT_HUGEPAGE) || !READ_ONCE(huge_pages))
		return false;
	run = run_read(data);
	if (!run)
		return false;
	mutex_lock(&domain->lock);
	shared = share(domain, run, parts, &new);
	mutex_unlock(&domain->lock);
	if (!new)
		put_page(run->page);
	else
		*added += COPPICE_HUGE_PAGES;
	if (shared)
		coppice_store_count(COPPICE_HUGE_PAGES);
	kvfree(run);
	return shared;
}

/**
 * coppice_huge_put() - a part of a compound page is no entry any more
 * @part: under the lock of the domain that it was in
 *
 * Return: the pages that the store holds less: all of them with the last part.
 */
unsigned int coppice_huge_put(struct page *part)
{
	struct page *head = compound_head(part);

	set_page_private(head, page_private(head) - 1);
	if (page_private(head))
		return 0;
	atomic64_dec(&nr_huge);
	return COPPICE_HUGE_PAGES;
}

/**
 * coppice_huge_stats() - how many huge pages there are
 * @stats: its fields huge and missed are set
 */
void coppice_huge_stats(struct coppice_store_stats *stats)
{
	stats->huge = atomic64_read(&nr_huge);
	stats->missed = atomic64_read(&nr_missed);
}
