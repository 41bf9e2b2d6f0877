// SPDX-License-Identifier: GPL-2.0
/* /dev/coppice: loading images and reading them back. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/coppice_dev.h>

#include "backend.h"
#include "cleanup.h"
#include "device.h"

#define DEVICE	"/dev/coppice"

/* Where the module writes why it refuses. */
static struct coppice_reason reason(struct error *err)
{
	err->text[0] = '\0';
	return (struct coppice_reason) {
		.text = (uintptr_t)err->text,
		.len = sizeof(err->text),
	};
}

static int refused(const char *what, struct error *err)
{
	err->status = EXIT_REFUSED;
	err->code = errno;
	if (!err->text[0])
		return error_set(err, errno, "%s: %s", what, strerror(errno));
	return -1;
}

static int device_open(struct error *err)
{
	int fd = open(DEVICE, O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return error_set(err, errno, "%s cannot be opened: %s: %s", DEVICE, strerror(errno),
				 errno == EACCES ? "run as root" : "load the module and mount devtmpfs");
	return fd;
}

/* A descriptor that names an image or a group, or -1. */
static int open_named(unsigned long call, const char *name, struct error *err)
{
	struct coppice_open args = { .reason = reason(err) };
	autoclose int device = device_open(err);
	int fd;

	if (device < 0)
		return -1;
	snprintf(args.name, sizeof(args.name), "%s", name);
	fd = ioctl(device, call, &args);
	return fd < 0 ? refused("the module refuses to open it", err) : fd;
}

bool device_is_there(void)
{
	return !access(DEVICE, F_OK);
}

static int describe_group(int fd, struct group_info *info, struct error *err)
{
	struct coppice_group_info args = { .reason = reason(err) };

	if (ioctl(fd, COPPICE_IOC_GROUP_INFO, &args))
		return refused("the module does not describe the group", err);
	*info = (struct group_info){
		.id = args.id,
		.owner = args.owner,
		.max_tasks = args.max_tasks,
		.adopt = args.flags & COPPICE_GROUP_ADOPT,
	};
	snprintf(info->name, sizeof(info->name), "%s", args.name);
	snprintf(info->image, sizeof(info->image), "%s", args.image);
	snprintf(info->cgroup, sizeof(info->cgroup), "%s", args.cgroup);
	snprintf(info->reshare, sizeof(info->reshare), "%s", args.reshare);
	return 0;
}

int device_open_group(const char *group, struct group_info *info, struct error *err)
{
	int fd = open_named(COPPICE_IOC_GROUP_OPEN, group, err);

	if (fd < 0 || !describe_group(fd, info, err))
		return fd;
	close(fd);
	return -1;
}

/* Libraries' pages take the place of small ones. */
static uint32_t load_flags(const struct image *image, const struct image_segment *segment)
{
	if (!segment->data)
		return COPPICE_SEGMENT_ANON;
	return image_is_library(image) ? 0 : COPPICE_SEGMENT_HUGE;
}

static int load_segment(int fd, const struct image *image,
			const struct image_segment *segment, struct error *err)
{
	struct coppice_image_segment args = {
		.reason = reason(err),
		.segment = {
			.start = segment->start,
			.len = segment->len,
			.prot = segment->prot,
			.flags = load_flags(image, segment),
			.data = (uintptr_t)segment->data,
		},
	};

	if (!ioctl(fd, COPPICE_IOC_IMAGE_SEGMENT, &args))
		return 0;
	refused("the module refuses a segment", err);
	return error_prefix(err, "the segment %#" PRIx64 "-%#" PRIx64 "%s%s", segment->start,
			    segment->start + segment->len, segment->name ? " of " : "",
			    segment->name ? segment->name : "");
}

static int seal(int fd, const struct image *image, struct error *err)
{
	struct coppice_image_seal args = { .entry = image->entry, .stack = image->stack };
	autofree void *notes = NULL;
	size_t len;

	if (image_notes_pack(image, &notes, &len, err))
		return -1;
	args.reason = reason(err);
	args.notes = (uintptr_t)notes;
	args.notes_len = len;
	return ioctl(fd, COPPICE_IOC_IMAGE_SEAL, &args) ?
		refused("the module refuses to seal the image", err) : 0;
}

/* Until it is sealed the image goes with its descriptor, whatever becomes of us. */
int device_load(const char *name, uid_t owner, const struct image *image, struct error *err)
{
	struct coppice_image_create args = { .reason = reason(err), .owner = owner };
	autoclose int device = device_open(err);
	autoclose int fd = -1;
	size_t i;

	if (device < 0)
		return -1;
	snprintf(args.name, sizeof(args.name), "%s", name);
	fd = ioctl(device, COPPICE_IOC_IMAGE_CREATE, &args);
	if (fd < 0)
		return refused("the module refuses the image", err);
	for (i = 0; i < image->nr_segments; i++)
		if (load_segment(fd, image, &image->segments[i], err))
			return -1;
	return seal(fd, image, err);
}

/* The sizes first, then as much. */
static int read_info(int fd, struct coppice_image_info *info, struct error *err)
{
	*info = (struct coppice_image_info) { .reason = reason(err) };
	if (ioctl(fd, COPPICE_IOC_IMAGE_INFO, info))
		return refused("the module does not describe the image", err);
	info->segments = (uintptr_t)calloc(info->nr_segments, sizeof(struct coppice_segment));
	info->notes = (uintptr_t)malloc(info->notes_len + 1);
	if (!info->segments || !info->notes)
		return error_set(err, ENOMEM, "out of memory");
	if (ioctl(fd, COPPICE_IOC_IMAGE_INFO, info))
		return refused("the module does not describe the image", err);
	return 0;
}

/* @content is as long as all segments with content, in the order of their offsets. */
static int take_segments(const struct coppice_image_info *info, const char *content,
			 struct image *image, struct error *err)
{
	const struct coppice_segment *from = (void *)(uintptr_t)info->segments;
	size_t i;

	image->segments = calloc(info->nr_segments, sizeof(*image->segments));
	if (!image->segments)
		return error_set(err, ENOMEM, "out of memory");
	image->nr_segments = info->nr_segments;
	for (i = 0; i < info->nr_segments; i++) {
		bool anon = from[i].flags & COPPICE_SEGMENT_ANON;

		image->segments[i] = (struct image_segment) {
			.start = from[i].start,
			.len = from[i].len,
			.prot = from[i].prot,
			.data = anon ? NULL : content + from[i].data,
		};
	}
	return 0;
}

static size_t content_size(const struct coppice_image_info *info)
{
	const struct coppice_segment *segment = (void *)(uintptr_t)info->segments;
	size_t size = 0, i;

	for (i = 0; i < info->nr_segments; i++)
		size += segment[i].flags & COPPICE_SEGMENT_ANON ? 0 : segment[i].len;
	return size;
}

static int read_content(int fd, struct image *image, size_t size, struct error *err)
{
	size_t done = 0;
	ssize_t got;

	image->buffer = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			     -1, 0);
	if (image->buffer == MAP_FAILED) {
		image->buffer = NULL;
		return error_set(err, ENOMEM, "no memory for the image's %zu bytes: free memory and try again",
				 size);
	}
	image->buffer_len = size;
	for (; done < size; done += got) {
		got = pread(fd, (char *)image->buffer + done, size - done, done);
		if (got <= 0)
			return error_set(err, got ? errno : EIO, "the image's content cannot be read: %s",
					 got ? strerror(errno) : "it ends early");
	}
	return 0;
}

static int read_image(int fd, bool content, struct image *image,
		      struct coppice_image_info *info, struct error *err)
{
	/* Any address that is not NULL, where nobody will look. */
	const char *base = (const char *)info;

	if (read_info(fd, info, err))
		return -1;
	if (content && read_content(fd, image, content_size(info), err))
		return -1;
	if (take_segments(info, content ? image->buffer : base, image, err))
		return -1;
	if (image_notes_unpack(image, (void *)(uintptr_t)info->notes, info->notes_len, err))
		return -1;
	/* The module's own word counts. */
	image->entry = info->entry;
	image->stack = info->stack;
	return 0;
}

int device_read(const char *name, bool content, struct image *image, struct error *err)
{
	autoclose int fd = open_named(COPPICE_IOC_IMAGE_OPEN, name, err);
	struct coppice_image_info info = {};
	int ret;

	*image = (struct image) {};
	if (fd < 0)
		return -1;
	ret = read_image(fd, content, image, &info, err);
	free((void *)(uintptr_t)info.segments);
	free((void *)(uintptr_t)info.notes);
	if (ret)
		image_free(image);
	return ret;
}
