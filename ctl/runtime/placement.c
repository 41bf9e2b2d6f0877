/* SPDX-License-Identifier: MIT */
/*
 * CPython's allocators, with some of their blocks in a region of ours: see placement.h.
 *
 * What lies in the region is never freed for others to use: a task that gives an object of the image up
 * then writes nothing. The allocators are asked for by PyMem_SetAllocator(), which is made for this, under the
 * interpreter's lock, so there is no other lock.
 */
#include <dlfcn.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "abi.h"
#include "blocks.h"
#include "identities.h"
#include "placement.h"

#define EXPORTED	__attribute__((visibility("default")))
#define PAGE		4096UL
#define REGION_SIZE	(16UL << 20)
#define UNITS_SIZE(size)	((size) / BLOCK_UNIT * sizeof(uint16_t))

/* CPython's PyMemAllocatorEx, and the domains of it that objects are in. */
struct allocator {
	void *ctx;
	void *(*malloc)(void *ctx, size_t size);
	void *(*calloc)(void *ctx, size_t nr, size_t size);
	void *(*realloc)(void *ctx, void *block, size_t size);
	void (*free)(void *ctx, void *block);
};

enum { DOMAIN_MEM = 1, DOMAIN_OBJ, DOMAINS_END };

typedef void (*access_fn)(int domain, struct allocator *allocator);

static struct {
	char *start, *next;
	size_t size;
	uint16_t *units;	/* of the block that begins there */
} region;

static struct allocator original[DOMAINS_END];
static struct identities wanted;
static uint64_t place;
static uint32_t counts[BLOCK_MAX + 1];	/* of allocations by size, since the place was named */
static bool recording, placing, keeping;

/* The finaliser of MurmurHash3 (Austin Appleby), which is public domain. */
static uint64_t mix(uint64_t value)
{
	value = (value ^ value >> 33) * 0xff51afd7ed558ccd;
	value = (value ^ value >> 33) * 0xc4ceb9fe1a85ec53;
	return value ^ value >> 33;
}

/*
 * Of the next allocation, or 0 if it is of no interest. What is counted by size goes on as it did
 * where a run has some objects more or less than another. An identity has room for a size beside it.
 */
static uint64_t next_identity(size_t size)
{
	return size > BLOCK_MAX ? 0 : mix(place ^ mix((uint64_t)++counts[size] << 16 ^ size)) >> 8;
}

static bool in_region(const void *block)
{
	return (uintptr_t)block - (uintptr_t)region.start < region.size;
}

static uint16_t *units_of(const void *block)
{
	return &region.units[((uintptr_t)block - (uintptr_t)region.start) / BLOCK_UNIT];
}

static void *take(size_t size)
{
	size_t units = (size + BLOCK_UNIT - 1) / BLOCK_UNIT;
	char *block = region.next;

	if (block + units * BLOCK_UNIT > region.start + region.size)
		return NULL;
	region.next += units * BLOCK_UNIT;
	*units_of(block) = units;
	return block;
}

static void *allocate(const struct allocator *from, size_t size)
{
	uint64_t id = recording || placing ? next_identity(size) : 0;
	void *block = NULL;

	size = size ?: 1;
	if (placing && size <= BLOCK_MAX && identities_has(&wanted, id))
		block = take(size);
	if (!block)
		block = from->malloc(from->ctx, size);
	if (recording && block)
		blocks_note(block, id, size);
	return block;
}

static void *allocate_zeroed(const struct allocator *from, size_t nr, size_t size)
{
	size_t bytes;
	void *block;

	/* Large ones come zeroed from the kernel, and are never placed. */
	if (__builtin_mul_overflow(nr, size, &bytes) || bytes > BLOCK_MAX)
		return from->calloc(from->ctx, nr, size);
	block = allocate(from, bytes);
	return block ? memset(block, 0, bytes) : NULL;
}

/*
 * When all is noted, to have its writes watched, nothing is freed any more: something might be allocated beside what
 * is watched, and a system call that writes to it would not be let through.
 */
static void release(const struct allocator *from, void *block)
{
	if (recording)
		blocks_forget(block);
	if (!in_region(block) && !keeping)
		from->free(from->ctx, block);
}

/* One in the region that grows moves out, or within while there is a choice. */
static void *move(const struct allocator *from, void *block, size_t size)
{
	size_t old = *units_of(block) * BLOCK_UNIT;
	void *moved;

	if (size <= old)
		return block;
	moved = placing && size <= BLOCK_MAX ? take(size) : NULL;
	if (!moved)
		moved = from->malloc(from->ctx, size);
	return moved ? memcpy(moved, block, old) : NULL;
}

/* It stays what it was, so the allocation that it began with is the one to place. */
static void *reallocate(const struct allocator *from, void *block, size_t size)
{
	void *moved;
	uint64_t id;

	if (!block)
		return allocate(from, size);
	size = size ?: 1;
	if (in_region(block))
		return move(from, block, size);
	moved = from->realloc(from->ctx, block, size);
	if (recording && moved) {
		id = blocks_forget(block);
		blocks_note(moved, id, size);
	}
	return moved;
}

/* An allocator's context is its original. */
static void *placed_malloc(void *ctx, size_t size)
{
	return allocate(ctx, size);
}

static void *placed_calloc(void *ctx, size_t nr, size_t size)
{
	return allocate_zeroed(ctx, nr, size);
}

static void *placed_realloc(void *ctx, void *block, size_t size)
{
	return reallocate(ctx, block, size);
}

static void placed_free(void *ctx, void *block)
{
	release(ctx, block);
}

static access_fn get, set;

static bool replace_allocators(void)
{
	int domain;

	get = (access_fn)dlsym(RTLD_DEFAULT, "PyMem_GetAllocator");
	set = (access_fn)dlsym(RTLD_DEFAULT, "PyMem_SetAllocator");
	if (!get || !set)
		return false;
	for (domain = DOMAIN_MEM; domain < DOMAINS_END; domain++) {
		struct allocator ours = {
			.ctx = &original[domain], .malloc = placed_malloc, .calloc = placed_calloc,
			.realloc = placed_realloc, .free = placed_free,
		};

		get(domain, &original[domain]);
		set(domain, &ours);
	}
	return true;
}

/*
 * In tasks. A context is the original's own here, so that what allocates needs no wrapper.
 */
static void free_mem(void *ctx, void *block)
{
	if (!in_region(block))
		original[DOMAIN_MEM].free(ctx, block);
}

static void free_obj(void *ctx, void *block)
{
	if (!in_region(block))
		original[DOMAIN_OBJ].free(ctx, block);
}

static void *realloc_mem(void *ctx, void *block, size_t size)
{
	return in_region(block) ? move(&original[DOMAIN_MEM], block, size) :
				  original[DOMAIN_MEM].realloc(ctx, block, size);
}

static void *realloc_obj(void *ctx, void *block, size_t size)
{
	return in_region(block) ? move(&original[DOMAIN_OBJ], block, size) :
				  original[DOMAIN_OBJ].realloc(ctx, block, size);
}

static void leave_allocators(void)
{
	struct allocator mem = original[DOMAIN_MEM], obj = original[DOMAIN_OBJ];

	mem.realloc = realloc_mem;
	mem.free = free_mem;
	obj.realloc = realloc_obj;
	obj.free = free_obj;
	set(DOMAIN_MEM, &mem);
	set(DOMAIN_OBJ, &obj);
}

static void *reserve(size_t size)
{
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return memory == MAP_FAILED ? NULL : memory;
}

static bool open_region(void)
{
	region.units = reserve(UNITS_SIZE(REGION_SIZE));
	region.start = reserve(REGION_SIZE);
	region.next = region.start;
	region.size = region.start ? REGION_SIZE : 0;
	return region.units && region.start;
}

static size_t whole_pages(size_t size)
{
	return (size + PAGE - 1) & ~(PAGE - 1);
}

/* What nothing was placed in is no part of the image. */
static void shrink_region(void)
{
	size_t used = whole_pages(region.next - region.start);
	size_t units = whole_pages(UNITS_SIZE(used));

	if (!region.size)
		return;
	if (used < region.size)
		munmap(region.start + used, region.size - used);
	if (units < UNITS_SIZE(region.size))
		munmap((char *)region.units + units, UNITS_SIZE(region.size) - units);
	region.size = used;
}

static bool record(void)
{
	recording = blocks_open() && replace_allocators();
	return recording;
}

static bool use(void)
{
	placing = open_region() && replace_allocators();
	return placing;
}

static enum coppice_placement begin(int fd)
{
	struct stat stat;

	if (fstat(fd, &stat))
		return COPPICE_PLACEMENT_INVALID;
	if (!stat.st_size)
		return record() ? COPPICE_PLACEMENT_LEARNS : COPPICE_PLACEMENT_IMPOSSIBLE;
	if (!identities_open(&wanted))
		return COPPICE_PLACEMENT_IMPOSSIBLE;
	if (!identities_read(&wanted, fd))
		return COPPICE_PLACEMENT_INVALID;
	if (wanted.full)
		return COPPICE_PLACEMENT_TOO_LONG;
	return use() ? COPPICE_PLACEMENT_PLACES : COPPICE_PLACEMENT_IMPOSSIBLE;
}

EXPORTED int coppice_placement_begin(int fd)
{
	static enum coppice_placement begun;

	if (!begun)
		begun = begin(fd);
	return begun;
}

void coppice_placement_begin_early(void)
{
	const char *fd = getenv(COPPICE_ENV_PLACEMENT);

	/* An interpreter that is told to have other allocators takes them later. */
	if (fd && !getenv("PYTHONMALLOC") && !getenv("PYTHONDEVMODE"))
		coppice_placement_begin(atoi(fd));
}

EXPORTED void coppice_placement_at(const char *name)
{
	for (place = 0; *name; name++)
		place = mix(place * 31 + (unsigned char)*name);
	memset(counts, 0, sizeof(counts));
}

EXPORTED void coppice_placement_end(void)
{
	keeping = recording;
	recording = false;
	placing = false;
	identities_close(&wanted);
	shrink_region();
	/* A run that learns still has to keep what is given up. */
	if (region.size && !keeping)
		leave_allocators();
}

void coppice_placement_seal(void)
{
	if (placing)
		region.next = region.start + whole_pages(region.next - region.start);
}
