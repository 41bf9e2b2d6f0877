/* SPDX-License-Identifier: MIT */
/*
 * Sealing a template's heaps: what a task allocates later lies in pages of its own.
 *
 * An allocator hands out again what was freed, wherever that is, and writes its links there.
 * So a task that allocates and frees a few objects would write to every page of the image
 * that has a gap. Here all gaps are filled with blocks that nobody ever frees; a
 * task then takes fresh pages, and fills them densely. What the gaps take is in the image once.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include "coppice.h"
#include "placement.h"
#include "state.h"

/* Blocks above are libc's: CPython's Objects/obmalloc.c. */
#define POOL_BLOCK_MAX	512
#define POOL_ALIGNMENT	16
#define POOL_SIZE	(1UL << 14)
/* Of the largest size, in 512 MiB: what unused pools a template has. */
#define BLOCKS_MOST	(1UL << 20)

/* CPython's struct pool_header, since 3.10. */
struct pool {
	unsigned int count;	/* blocks in use */
	unsigned int pad;
	void *free, *next, *prev;
	unsigned int arena;
	unsigned int class;
	unsigned int next_offset;
	unsigned int max_offset;
};

typedef void *(*allocate_fn)(size_t size);
typedef void (*release_fn)(void *block);

/* Of an interpreter with another allocator there may be nothing at that address, or anything. */
static bool read_pool(uintptr_t block, size_t size, struct pool *pool)
{
	struct iovec to = { pool, sizeof(*pool) };
	struct iovec from = { (void *)(block & ~(POOL_SIZE - 1)), sizeof(*pool) };

	return process_vm_readv(getpid(), &to, 1, &from, 1, 0) == sizeof(*pool) &&
	       pool->class == size / POOL_ALIGNMENT - 1 && pool->max_offset == POOL_SIZE - size &&
	       (block % POOL_SIZE - sizeof(*pool)) % size == 0 &&
	       pool->count && pool->count <= (POOL_SIZE - sizeof(*pool)) / size;
}

/* Until a block is the first of its pool: then no pool of the class had another. */
static bool fill_pools(size_t size, allocate_fn allocate, release_fn release)
{
	struct pool pool;
	void *block;

	do {
		block = allocate(size);
		if (!block || !read_pool((uintptr_t)block, size, &pool)) {
			release(block);
			return false;
		}
	} while (pool.count > 1);
	release(block);
	return true;
}

/* Of the address space, in pages: the interpreter maps an arena when no pool is left. */
static unsigned long mapped_pages(void)
{
	char text[32] = "";
	int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
	ssize_t len = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

	if (fd >= 0)
		close(fd);
	return len > 0 ? strtoul(text, NULL, 10) : 0;
}

/* Takes all that is left; returns the number of blocks. */
static size_t take_pools(void **blocks, size_t most, allocate_fn allocate)
{
	unsigned long before = mapped_pages();
	struct pool pool;
	size_t nr = 0;

	while (nr < most) {
		blocks[nr] = allocate(POOL_BLOCK_MAX);
		if (!blocks[nr])
			break;
		if (!read_pool((uintptr_t)blocks[nr++], POOL_BLOCK_MAX, &pool) ||
		    (pool.count == 1 && mapped_pages() != before))
			break;
	}
	return nr;
}

/*
 * A pool that nobody uses keeps its list of free blocks, in the order in which they were freed, until it
 * is taken for another size: a task that takes it for the same size would write all over it.
 * So each is taken once for the largest size and given back.
 */
static void order_pools(allocate_fn allocate, release_fn release)
{
	void **blocks = mmap(NULL, BLOCKS_MOST * sizeof(*blocks), PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	size_t nr;

	if (blocks == MAP_FAILED)
		return;
	/* The last ones first: those of a pool are handed out in ascending order again. */
	for (nr = take_pools(blocks, BLOCKS_MOST, allocate); nr; nr--)
		release(blocks[nr - 1]);
	munmap(blocks, BLOCKS_MOST * sizeof(*blocks));
}

static void seal_python(void)
{
	allocate_fn allocate = (allocate_fn)dlsym(RTLD_DEFAULT, "PyObject_Malloc");
	release_fn release = (release_fn)dlsym(RTLD_DEFAULT, "PyObject_Free");
	size_t size;

	if (!allocate || !release)
		return;
	for (size = POOL_ALIGNMENT; size <= POOL_BLOCK_MAX; size += POOL_ALIGNMENT)
		if (!fill_pools(size, allocate, release))
			return;
	order_pools(allocate, release);
}

/*
 * libc's: from large chunks to small ones, each size until it comes from the top of the
 * heap. Below the least size for which a mapping of its own is made.
 */
#define CHUNK_MAX	(64UL << 10)
#define CHUNK_MIN	32UL
#define CHUNK_HEADER	8UL
/* Above, a chunk that is given back goes to the top again; below, into a list. */
#define CHUNK_LISTED	1040UL

/* What threads keep at most in lists of their own, and which counts as used. */
#define CHUNKS_CACHED	(256UL << 10)

struct fill {
	uintptr_t top;	/* where the heap goes on */
	size_t left;	/* there can't be more gaps, whatever allocator this is */
};

static void fill_chunks(struct fill *fill, size_t size)
{
	void *chunk;

	while ((chunk = malloc(size - CHUNK_HEADER)) && (uintptr_t)chunk < fill->top &&
	       size < fill->left)
		fill->left -= size;
	if (size > CHUNK_LISTED)
		free(chunk);
}

static void seal_libc(void)
{
	struct mallinfo2 info = mallinfo2();
	struct fill fill = {
		.top = (uintptr_t)sbrk(0) - info.keepcost,
		.left = info.fordblks + CHUNKS_CACHED,
	};
	size_t size = CHUNK_MAX;

	malloc_trim(0);
	while (size >= CHUNK_MIN) {
		fill_chunks(&fill, size);
		/* Steps of an eighth, where sizes are many. */
		size -= size > CHUNK_LISTED ? size / 8 & ~15UL : 16;
	}
}

__attribute__((visibility("default")))
void coppice_seal_heap(void)
{
	if (!coppice_is_template())
		return;
	seal_python();
	seal_libc();
	coppice_placement_seal();
}
