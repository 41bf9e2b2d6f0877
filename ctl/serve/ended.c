// SPDX-License-Identifier: GPL-2.0
/* Asynchronous events that have ended, and are on disk still. */
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "ended.h"
#include "lib/cleanup.h"

/* NULL: it is another coordinator's, to whom other things were worth noting. */
static struct ended_page *map(int fd)
{
	struct ended_page *page = shelf_map(fd, sizeof(*page));

	if (!page)
		return NULL;
	/* New: all is zero. */
	if (!page->size)
		page->size = sizeof(*page);
	if (page->size == sizeof(*page) && page->nr <= ENDED_MAX)
		return page;
	munmap(page, sizeof(*page));
	return NULL;
}

void ended_open(struct ended *ended, int fd)
{
	*ended = (struct ended) { .fd = fd, .page = map(fd) };
	if (ended->page)
		return;
	ended->fd = memfd_create("coppice-ended", MFD_CLOEXEC);
	cleanup_close(&fd);
	if (ended->fd >= 0 && !ftruncate(ended->fd, sizeof(struct ended_page)))
		ended->page = map(ended->fd);
}

void ended_put(const struct ended *ended, struct shelf *shelf)
{
	if (ended->page)
		(void)shelf_put(shelf, ENDED_NAME, &ended->fd, 1);
}

void ended_close(struct ended *ended, struct shelf *shelf)
{
	if (ended->page)
		munmap(ended->page, sizeof(*ended->page));
	cleanup_close(&ended->fd);
	shelf_drop(shelf, ENDED_NAME);
}

void ended_add(struct ended *ended, const char *id)
{
	struct ended_page *page = ended->page;

	if (!page || page->nr == ENDED_MAX)
		return;
	snprintf(page->ids[page->nr], sizeof(page->ids[0]), "%s", id);
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	page->nr++;
}

void ended_clear(struct ended *ended)
{
	if (ended->page)
		ended->page->nr = 0;
}
