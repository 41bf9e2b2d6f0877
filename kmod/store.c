// SPDX-License-Identifier: GPL-2.0
/*
 * The page store: content-addressed pages, one domain per owner.
 *
 * A page is hashed once, when a segment is loaded, and shared if a page of the
 * same domain is equal byte for byte. Nothing is ever scanned, and a domain never
 * sees another owner's pages: how long a load takes tells nothing about them.
 *
 * A page is charged once, to the memory cgroup of the process that first loaded its
 * content, for as long as the store has it. Tasks that map it are charged nothing.
 */
#include <linux/highmem.h>
#include <linux/random.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/xxhash.h>

#include "store.h"

/* Protects the list of domains and their image counts. Taken alone. */
static DEFINE_MUTEX(store_lock);
static LIST_HEAD(domains);
static u32 nr_domains;

static atomic64_t store_pages;
static atomic64_t image_pages;

/* Keyed, so that nobody can prepare colliding pages from outside. */
static u64 hash_seed;

static unsigned long store_max_pages;
module_param(store_max_pages, ulong, 0644);
MODULE_PARM_DESC(store_max_pages,
		 "Pages that the store may hold; 0 is half of the memory");

static const struct rhashtable_params page_params = {
	.key_len = sizeof_field(struct coppice_page, hash),
	.key_offset = offsetof(struct coppice_page, hash),
	.head_offset = offsetof(struct coppice_page, node),
	.automatic_shrinking = true,
};

static u64 store_limit(void)
{
	unsigned long limit = READ_ONCE(store_max_pages);

	return limit ?: totalram_pages() / 2;
}

static struct coppice_domain *domain_find(kuid_t owner)
{
	struct coppice_domain *domain;

	list_for_each_entry(domain, &domains, node)
		if (uid_eq(domain->owner, owner))
			return domain;
	return NULL;
}

static struct coppice_domain *domain_new(kuid_t owner)
{
	struct coppice_domain *domain;

	domain = kzalloc(sizeof(*domain), GFP_KERNEL);
	if (!domain)
		return NULL;
	if (rhltable_init(&domain->pages, &page_params)) {
		kfree(domain);
		return NULL;
	}
	mutex_init(&domain->lock);
	domain->owner = owner;
	list_add(&domain->node, &domains);
	nr_domains++;
	return domain;
}

/**
 * coppice_domain_get() - the domain of an owner, made if it is the first use
 * @owner: whose
 *
 * Context: may sleep; takes the store's lock.
 * Return: the domain, to be put by coppice_domain_put(), or NULL (no memory).
 */
struct coppice_domain *coppice_domain_get(kuid_t owner)
{
	struct coppice_domain *domain;

	mutex_lock(&store_lock);
	domain = domain_find(owner) ?: domain_new(owner);
	if (domain)
		domain->images++;
	mutex_unlock(&store_lock);
	return domain;
}

/**
 * coppice_domain_put() - drop an image's use of a domain
 * @domain: from coppice_domain_get(); the image has put its pages
 *
 * The last image's pages are gone by then, so the table is empty and nobody can
 * look it up: a new image of the owner finds no domain and makes another.
 *
 * Context: may sleep; takes the store's lock.
 */
void coppice_domain_put(struct coppice_domain *domain)
{
	bool last;

	mutex_lock(&store_lock);
	last = !--domain->images;
	if (last) {
		list_del(&domain->node);
		nr_domains--;
	}
	mutex_unlock(&store_lock);
	if (!last)
		return;
	rhltable_destroy(&domain->pages);
	mutex_destroy(&domain->lock);
	kfree(domain);
}

/* With the store's seed. */
u64 coppice_page_hash(struct page *page)
{
	void *data = kmap_local_page(page);
	u64 hash = xxh64(data, PAGE_SIZE, hash_seed);

	kunmap_local(data);
	return hash;
}

static bool page_equal(struct page *a, struct page *b)
{
	void *left = kmap_local_page(a), *right = kmap_local_page(b);
	bool equal = !memcmp(left, right, PAGE_SIZE);

	kunmap_local(right);
	kunmap_local(left);
	return equal;
}

/* Under the domain's lock, so entries can't go while they are compared. */
struct coppice_page *coppice_entry_find(struct coppice_domain *domain, struct page *page,
					u64 hash, coppice_entry_fn fits,
					const struct page *data)
{
	struct coppice_page *entry, *found = NULL;
	struct rhlist_head *list, *pos;

	rcu_read_lock();
	list = rhltable_lookup(&domain->pages, &hash, page_params);
	rhl_for_each_entry_rcu(entry, pos, list, node) {
		if ((!fits || fits(entry, data)) && page_equal(entry->page, page)) {
			found = entry;
			break;
		}
	}
	rcu_read_unlock();
	return found;
}

static struct page *page_copy_user(const void __user *data)
{
	struct page *page;
	unsigned long left;
	void *to;

	page = alloc_page(GFP_HIGHUSER | COPPICE_GFP_LOAD);
	if (!page)
		return ERR_PTR(-ENOMEM);
	to = kmap_local_page(page);
	left = copy_from_user(to, data, PAGE_SIZE);
	kunmap_local(to);
	if (!left)
		return page;
	__free_page(page);
	return ERR_PTR(-EFAULT);
}

/* Consumes @page on success. Under the domain's lock. */
struct coppice_page *coppice_entry_insert(struct coppice_domain *domain, struct page *page,
					  u64 hash)
{
	struct coppice_page *entry;
	int err;

	if (atomic64_inc_return(&store_pages) > store_limit()) {
		err = -ENOSPC;
		goto out_count;
	}
	entry = kzalloc(sizeof(*entry), COPPICE_GFP_LOAD);
	if (!entry) {
		err = -ENOMEM;
		goto out_count;
	}
	entry->hash = hash;
	entry->page = page;
	err = rhltable_insert(&domain->pages, &entry->node, page_params);
	if (!err)
		return entry;
	kfree(entry);
out_count:
	atomic64_dec(&store_pages);
	return ERR_PTR(err);
}

/*
 * The page is the caller's to put; @freed: pages that the store holds less. Under the
 * domain's lock.
 */
void coppice_entry_remove(struct coppice_domain *domain, struct coppice_page *entry,
			  unsigned int freed)
{
	rhltable_remove(&domain->pages, &entry->node, page_params);
	atomic64_sub(freed, &store_pages);
	/* The table's own lock-free walks (a resize) may still see the entry. */
	kfree_rcu(entry, rcu);
}

/* The stored twin of @page, or @page itself made an entry; consumes @page. */
static struct coppice_page *domain_share(struct coppice_domain *domain,
					 struct page *page, bool *added)
{
	u64 hash = coppice_page_hash(page);
	struct coppice_page *entry;

	mutex_lock(&domain->lock);
	entry = coppice_entry_find(domain, page, hash, NULL, NULL);
	*added = !entry;
	if (!entry)
		entry = coppice_entry_insert(domain, page, hash);
	if (!IS_ERR(entry))
		entry->refs++;
	mutex_unlock(&domain->lock);

	if (!*added || IS_ERR(entry))
		__free_page(page);
	return entry;
}

/* An image refers to so many pages more. */
void coppice_store_count(unsigned long pages)
{
	atomic64_add(pages, &image_pages);
}

static const char *load_refusal(long err)
{
	switch (err) {
	case -EFAULT:
		return "The segment's data can't be read: give an address that holds as many bytes as the segment";
	case -ENOSPC:
		return "The page store is full: delete an image or raise the module parameter store_max_pages";
	default:
		return "No memory for the page store: free memory or raise the memory limit of the loading process";
	}
}

/**
 * coppice_page_load() - take a page of content into a domain
 * @domain: of the image's owner
 * @data: PAGE_SIZE bytes
 * @added: set to whether the content was new
 * @why: set to a sentence on failure
 *
 * Context: may sleep; takes the domain's lock.
 * Return: the entry with a reference, or ERR_PTR: -EFAULT, -ENOSPC, -ENOMEM.
 */
struct coppice_page *coppice_page_load(struct coppice_domain *domain,
				       const void __user *data, bool *added,
				       const char **why)
{
	struct coppice_page *entry;
	struct page *page;

	page = page_copy_user(data);
	if (IS_ERR(page)) {
		*why = load_refusal(PTR_ERR(page));
		return ERR_CAST(page);
	}
	entry = domain_share(domain, page, added);
	if (IS_ERR(entry))
		*why = load_refusal(PTR_ERR(entry));
	else
		coppice_store_count(1);
	return entry;
}

/**
 * coppice_page_put() - drop an image's reference to a page
 * @domain: that the page is in
 * @entry: the page
 *
 * Tasks may still map the memory: the page itself is freed by its last mapping.
 * No new mapping can appear, since only an image with a reference hands it out.
 *
 * Context: may sleep; takes the domain's lock.
 */
void coppice_page_put(struct coppice_domain *domain, struct coppice_page *entry)
{
	struct page *page = entry->page;
	bool last;

	mutex_lock(&domain->lock);
	last = !--entry->refs;
	if (last)
		coppice_entry_remove(domain, entry,
				     PageCompound(page) ? coppice_huge_put(page) : 1);
	mutex_unlock(&domain->lock);

	atomic64_dec(&image_pages);
	if (last)
		put_page(page);
}

/**
 * coppice_store_stats() - what the store holds
 * @stats: filled in
 *
 * Context: may sleep; takes the store's lock.
 */
void coppice_store_stats(struct coppice_store_stats *stats)
{
	stats->pages = atomic64_read(&store_pages);
	stats->limit = store_limit();
	stats->image_pages = atomic64_read(&image_pages);
	coppice_huge_stats(stats);
	mutex_lock(&store_lock);
	stats->domains = nr_domains;
	mutex_unlock(&store_lock);
}

/** coppice_store_init() - prepare the store; Return: 0. */
int coppice_store_init(void)
{
	hash_seed = get_random_u64();
	return 0;
}

/** coppice_store_exit() - check that nothing was left behind. */
void coppice_store_exit(void)
{
	WARN_ON(!list_empty(&domains));
	WARN_ON(atomic64_read(&store_pages));
}
