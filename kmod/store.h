/* SPDX-License-Identifier: GPL-2.0 */
/* What the store's small and huge pages have in common. All under the domain's lock. */
#ifndef _COPPICE_STORE_H
#define _COPPICE_STORE_H

#include "coppice.h"

/* Of entries with the wanted content, this one? */
typedef bool (*coppice_entry_fn)(const struct coppice_page *entry, const struct page *data);

u64 coppice_page_hash(struct page *page);
struct coppice_page *coppice_entry_find(struct coppice_domain *domain, struct page *page,
					u64 hash, coppice_entry_fn fits,
					const struct page *data);
struct coppice_page *coppice_entry_insert(struct coppice_domain *domain, struct page *page,
					  u64 hash);
void coppice_entry_remove(struct coppice_domain *domain, struct coppice_page *entry,
			  unsigned int freed);
void coppice_store_count(unsigned long image_pages);

/* huge.c */
unsigned int coppice_huge_put(struct page *part);
void coppice_huge_stats(struct coppice_store_stats *stats);

#endif /* _COPPICE_STORE_H */
