/* SPDX-License-Identifier: MIT */
/*
 * Blocks by address: a hash table of pages, each with what begins in it. It has room for a heap of 256 MiB; what is
 * more is not noted.
 */
#include <sys/mman.h>

#include "blocks.h"

#define PAGE		4096UL
#define PAGES		(1UL << 16)
#define UNITS_A_PAGE	(PAGE / BLOCK_UNIT)
#define SIZE_BITS	8
#define UNITS_MOST	(BLOCK_MAX / BLOCK_UNIT)

struct page {
	uintptr_t address;			/* 0: free */
	uint64_t blocks[UNITS_A_PAGE];		/* identity, and in the low bits its units */
};

static struct page *pages;
static size_t used;

bool blocks_open(void)
{
	void *memory = mmap(NULL, PAGES * sizeof(*pages), PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (memory == MAP_FAILED)
		return false;
	pages = memory;
	return true;
}

/* The page, or where it would be. */
static struct page *slot(uintptr_t address)
{
	size_t i = (address / PAGE * 0x9e3779b97f4a7c15) >> 48;

	while (pages[i].address && pages[i].address != address)
		i = (i + 1) % PAGES;
	return &pages[i];
}

static uint64_t *find(uintptr_t address, bool make)
{
	struct page *page = slot(address & ~(PAGE - 1));

	if (!page->address) {
		/* A full table would be searched for ever. */
		if (!make || used > PAGES * 3 / 4)
			return NULL;
		page->address = address & ~(PAGE - 1);
		used++;
	}
	return &page->blocks[address % PAGE / BLOCK_UNIT];
}

void blocks_note(const void *block, uint64_t id, size_t size)
{
	size_t units = (size + BLOCK_UNIT - 1) / BLOCK_UNIT;
	uint64_t *entry;

	if (!pages || !id || !units || units > UNITS_MOST)
		return;
	entry = find((uintptr_t)block, true);
	if (entry)
		*entry = id << SIZE_BITS | units;
}

uint64_t blocks_forget(const void *block)
{
	uint64_t *entry = pages ? find((uintptr_t)block, false) : NULL;
	uint64_t id = entry ? *entry >> SIZE_BITS : 0;

	if (entry)
		*entry = 0;
	return id;
}

uint64_t blocks_find(uintptr_t address)
{
	size_t back;

	address &= ~(BLOCK_UNIT - 1);
	for (back = 0; back < UNITS_MOST; back++) {
		const uint64_t *entry = find(address - back * BLOCK_UNIT, false);

		if (entry && *entry)
			return (*entry & ((1 << SIZE_BITS) - 1)) > back ? *entry >> SIZE_BITS : 0;
	}
	return 0;
}

static bool has_blocks(const struct page *page)
{
	size_t i;

	for (i = 0; i < UNITS_A_PAGE; i++)
		if (page->blocks[i])
			return true;
	return false;
}

void blocks_each_page(void (*visit)(uintptr_t page))
{
	size_t i;

	for (i = 0; i < PAGES; i++)
		if (pages[i].address && has_blocks(&pages[i]))
			visit(pages[i].address);
}
