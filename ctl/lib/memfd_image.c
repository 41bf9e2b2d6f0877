// SPDX-License-Identifier: GPL-2.0
/* An image in a sealed memfd. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "cleanup.h"
#include "image_valid.h"
#include "launch_table.h"
#include "memfd_image.h"

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL	0x0008U
#endif

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE	25
#endif

#define LARGE	(2UL << 20)	/* what the kernel can make of an image's pages */

#define SEALS	(F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)

/* Linux 6.3 and later want to be told that nobody shall execve() it; 6.1 knows no such flag. */
static int create(const char *name, struct error *err)
{
	char label[IMAGE_NAME_MAX + 16];
	int fd;

	snprintf(label, sizeof(label), "coppice:%s", name);
	fd = memfd_create(label, MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL);
	if (fd < 0 && errno == EINVAL)
		fd = memfd_create(label, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0)
		return error_set(err, errno, "no memory file can be made: %s", strerror(errno));
	return fd;
}

/* A page that can't be read any more (of a truncated file) is an error, not a signal. */
static int append(int fd, const void *data, size_t len, struct error *err)
{
	ssize_t done;

	for (; len; len -= done, data = (const char *)data + done) {
		done = write(fd, data, len);
		if (done < 0 && errno == EINTR)
			done = 0;
		else if (done <= 0)
			return error_set(err, errno, "the image cannot be copied to memory: %s: free memory or build the image again",
					 strerror(errno));
	}
	return 0;
}

static int append_all(int fd, const struct image *image, struct memfd_layout *layout,
		      struct error *err)
{
	struct launch launch = { .fd = -1 };
	autofree void *notes = NULL;
	size_t len, i;
	int ret;

	*layout = (struct memfd_layout) { .segments = image->nr_segments };
	for (i = 0; i < image->nr_segments; i++) {
		const struct image_segment *segment = &image->segments[i];

		if (segment->data && append(fd, segment->data, segment->len, err))
			return -1;
		layout->content += segment->data ? segment->len : 0;
	}
	if (image_notes_pack(image, &notes, &len, err) || launch_fill(&launch, image, err))
		return -1;
	layout->notes = len;
	ret = append(fd, launch.segments, launch.nr_segments * sizeof(*launch.segments), err) ||
	      append(fd, notes, len, err) ? -1 : 0;
	launch_free(&launch);
	return ret;
}

/*
 * To large pages: of one the kernel maps as many small ones as a fault of a task is to map at a time, at the cost of
 * one. It takes no more memory, as only whole ones are made of what is there, and where there are none all is as it was.
 */
static void collapse(int fd, uint64_t len)
{
	char *room, *at;

	len &= -(uint64_t)LARGE;
	room = mmap(NULL, len + LARGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (room == MAP_FAILED)
		return;
	at = (char *)(((uintptr_t)room + LARGE - 1) & -(uintptr_t)LARGE);
	if (len && mmap(at, len, PROT_READ, MAP_SHARED | MAP_FIXED, fd, 0) == at)
		(void)!madvise(at, len, MADV_COLLAPSE);
	munmap(room, len + LARGE);
}

int memfd_image_create(const char *name, const struct image *image,
		       struct memfd_layout *layout, struct error *err)
{
	int fd;

	if (image_valid(image, err))
		return -1;
	fd = create(name, err);
	if (fd < 0)
		return -1;
	if (!append_all(fd, image, layout, err)) {
		collapse(fd, layout->content);
		if (!fcntl(fd, F_ADD_SEALS, SEALS))
			return fd;
		error_set(err, errno, "the image cannot be sealed: %s", strerror(errno));
	}
	close(fd);
	return -1;
}

/* The record is root's own, but a damaged one shall not crash us. */
static int check_layout(int fd, const struct memfd_layout *layout, struct error *err)
{
	uint64_t table = layout->segments * sizeof(struct launch_segment);
	struct stat st;

	if (!fstat(fd, &st) && layout->segments <= IMAGE_SEGMENTS_MAX &&
	    layout->content <= (uint64_t)st.st_size && layout->notes <= (uint64_t)st.st_size &&
	    layout->content + table + layout->notes == (uint64_t)st.st_size)
		return 0;
	return error_set(err, EIO, "the image's record does not fit its memory file: delete the image and load it again");
}

static int read_table(int fd, const struct memfd_layout *layout, const char *content,
		      struct image *image, struct error *err)
{
	size_t size = layout->segments * sizeof(struct launch_segment), i;
	autofree struct launch_segment *table = malloc(size + 1);

	image->segments = calloc(layout->segments + 1, sizeof(*image->segments));
	if (!table || !image->segments)
		return error_set(err, ENOMEM, "out of memory");
	if (pread(fd, table, size, layout->content) != (ssize_t)size)
		return error_set(err, EIO, "the image's segments cannot be read");
	image->nr_segments = layout->segments;
	for (i = 0; i < layout->segments; i++)
		image->segments[i] = (struct image_segment) {
			.start = table[i].start,
			.len = table[i].len,
			.prot = table[i].prot,
			.data = table[i].anon ? NULL : content + table[i].offset,
		};
	return 0;
}

static int read_notes(int fd, const struct memfd_layout *layout, struct image *image,
		      struct error *err)
{
	uint64_t offset = layout->content + layout->segments * sizeof(struct launch_segment);
	autofree void *notes = malloc(layout->notes + 1);

	if (!notes)
		return error_set(err, ENOMEM, "out of memory");
	if (pread(fd, notes, layout->notes, offset) != (ssize_t)layout->notes)
		return error_set(err, EIO, "the image's notes cannot be read");
	return image_notes_unpack(image, notes, layout->notes, err);
}

static int map_content(int fd, const struct memfd_layout *layout, struct image *image,
		       struct error *err)
{
	void *content = mmap(NULL, layout->content, PROT_READ, MAP_PRIVATE, fd, 0);

	if (content == MAP_FAILED)
		return error_set(err, errno, "the image cannot be mapped: %s", strerror(errno));
	image->buffer = content;
	image->buffer_len = layout->content;
	return 0;
}

int memfd_image_read(int fd, const struct memfd_layout *layout, bool content,
		     struct image *image, struct error *err)
{
	/* Without content: any address that is not NULL, where nobody will look. */
	const char *base = (const char *)image;

	*image = (struct image) {};
	if (!check_layout(fd, layout, err) &&
	    (!content || !map_content(fd, layout, image, err)) &&
	    !read_table(fd, layout, content ? image->buffer : base, image, err) &&
	    !read_notes(fd, layout, image, err))
		return 0;
	image_free(image);
	return -1;
}
