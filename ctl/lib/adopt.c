// SPDX-License-Identifier: GPL-2.0
/*
 * Finding what to adopt: mappings of files that have the build-id of one in the image.
 *
 * A build-id is a hint. It comes from the mapped file itself, wherever that lies, and
 * the process may have written there what it likes: the module compares every page.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "adopt.h"
#include "cleanup.h"
#include "hub.h"

#define READ_SIZE	(64 * 1024)

/* A file that a process maps, and which of the image's it is. */
struct mapped_file {
	char device[16];	/* as in /proc/PID/maps */
	uint64_t inode;
	uint32_t library;	/* number from 1; 0: none */
};

/* A private, read-only mapping of a file. */
struct mapping {
	uint64_t start, end, offset, inode;
	char device[16];
	uint32_t library;
};

/* The work on one process. */
struct survey {
	const struct adopter *adopter;
	pid_t pid;
	int mem;		/* /proc/PID/mem */
	struct mapped_file *files;
	size_t nr_files;
	struct mapping *mappings;
	size_t nr_mappings;
};

static int out_of_memory(struct error *err)
{
	return error_set(err, ENOMEM, "out of memory: free memory and try again");
}

static bool parse_line(const char *line, struct mapping *mapping)
{
	char perms[5];

	*mapping = (struct mapping) {};
	return sscanf(line, "%" SCNx64 "-%" SCNx64 " %4s %" SCNx64 " %15s %" SCNu64, &mapping->start,
		      &mapping->end, perms, &mapping->offset, mapping->device,
		      &mapping->inode) == 6 &&
	       mapping->inode && perms[0] == 'r' && perms[1] == '-' && perms[3] == 'p';
}

static uint32_t find_library(const struct image *image, const uint8_t *id, uint8_t len)
{
	size_t i;

	for (i = 0; i < image->nr_libraries; i++)
		if (image->libraries[i].build_id_len == len &&
		    !memcmp(image->libraries[i].build_id, id, len))
			return i + 1;
	return 0;
}

/* The file behind a mapping, also where its name is another file's by now, or nobody's. */
static uint32_t identify(const struct survey *survey, const struct mapping *mapping)
{
	autoclose int fd = -1;
	struct stat st;
	char path[96];
	uint8_t id[32], len;

	snprintf(path, sizeof(path), "/proc/%d/map_files/%" PRIx64 "-%" PRIx64, survey->pid,
		 mapping->start, mapping->end);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0 || fstat(fd, &st) || !S_ISREG(st.st_mode) || hub_build_id_fd(fd, id, &len))
		return 0;
	return find_library(&survey->adopter->image, id, len);
}

/* A library has several mappings, and is looked into once. */
static int find_file(struct survey *survey, struct mapping *mapping, struct error *err)
{
	struct mapped_file *files = survey->files;
	size_t i;

	for (i = 0; i < survey->nr_files; i++) {
		if (files[i].inode != mapping->inode || strcmp(files[i].device, mapping->device))
			continue;
		mapping->library = files[i].library;
		return 0;
	}
	files = realloc(files, (i + 1) * sizeof(*files));
	if (!files)
		return out_of_memory(err);
	survey->files = files;
	mapping->library = identify(survey, mapping);
	files[i] = (struct mapped_file) { .inode = mapping->inode, .library = mapping->library };
	memcpy(files[i].device, mapping->device, sizeof(files[i].device));
	survey->nr_files++;
	return 0;
}

static int add_mapping(struct survey *survey, const struct mapping *mapping, struct error *err)
{
	struct mapping *mappings = realloc(survey->mappings,
					   (survey->nr_mappings + 1) * sizeof(*mappings));

	if (!mappings)
		return out_of_memory(err);
	survey->mappings = mappings;
	mappings[survey->nr_mappings++] = *mapping;
	return 0;
}

/* All of them first: adopting changes the list. */
static int read_maps(struct survey *survey, struct error *err)
{
	autofclose FILE *maps = NULL;
	autofree char *line = NULL;
	struct mapping mapping;
	char path[64];
	size_t room = 0;

	snprintf(path, sizeof(path), "/proc/%d/maps", survey->pid);
	maps = fopen(path, "re");
	if (!maps)
		return error_set(err, errno == ENOENT ? ESRCH : errno, "its mappings cannot be read (%s): it may have ended",
				 strerror(errno));
	while (getline(&line, &room, maps) > 0) {
		if (!parse_line(line, &mapping))
			continue;
		if (find_file(survey, &mapping, err) ||
		    (mapping.library && add_mapping(survey, &mapping, err)))
			return -1;
	}
	return 0;
}

/*
 * The module looks at what is mapped and waits for no file system. What fails here, it
 * will not find.
 */
static void touch(const struct survey *survey, uint64_t address, uint64_t len)
{
	char *buffer = malloc(READ_SIZE);
	uint64_t done, step;

	for (done = 0; buffer && done < len; done += step) {
		step = len - done < READ_SIZE ? len - done : READ_SIZE;
		if (pread(survey->mem, buffer, step, address + done) < 0)
			break;
	}
	free(buffer);
}

static void add_pages(struct adopt_info *sum, const struct adopt_info *info)
{
	sum->adopted += info->adopted;
	sum->different += info->different;
	sum->private += info->private;
	sum->absent += info->absent;
	sum->scattered += info->scattered;
	if (info->id)
		sum->id = info->id;
}

/* A mapping that can't be replaced is no reason to leave the others. */
static int adopt_range(const struct survey *survey, struct adopt_range *range,
		       struct adopt_result *result, struct error *err)
{
	const struct adopter *adopter = survey->adopter;
	struct adopt_info info;

	touch(survey, range->address, range->length);
	result->mappings++;
	if (!adopter->backend->adopt(range, &info, err)) {
		add_pages(&result->pages, &info);
		return 0;
	}
	if (err->code != EINVAL)
		return -1;
	result->skipped++;
	snprintf(result->skip_reason, sizeof(result->skip_reason), "%s", err->text);
	return 0;
}

/* What a mapping and a segment have in common. */
static bool intersect(const struct mapping *mapping, const struct image_segment *segment,
		      struct adopt_range *range)
{
	uint64_t end = mapping->offset + (mapping->end - mapping->start);
	uint64_t from = mapping->offset, to = end;

	if (mapping->library != segment->library)
		return false;
	if (from < segment->offset)
		from = segment->offset;
	if (to > segment->offset + segment->len)
		to = segment->offset + segment->len;
	if (from >= to)
		return false;
	range->address = mapping->start + (from - mapping->offset);
	range->length = to - from;
	range->image_address = segment->start + (from - segment->offset);
	return true;
}

static int adopt_mapping(const struct survey *survey, const struct mapping *mapping,
			 struct adopt_result *result, struct error *err)
{
	const struct image *image = &survey->adopter->image;
	struct adopt_range range = { .pid = survey->pid, .group = survey->adopter->group.name };
	size_t i;

	for (i = 0; i < image->nr_segments; i++)
		if (intersect(mapping, &image->segments[i], &range) &&
		    adopt_range(survey, &range, result, err))
			return -1;
	return 0;
}

static int adopt_mappings(struct survey *survey, struct adopt_result *result,
			  struct error *err)
{
	char path[64];
	size_t i;

	if (read_maps(survey, err))
		return -1;
	snprintf(path, sizeof(path), "/proc/%d/mem", survey->pid);
	survey->mem = open(path, O_RDONLY | O_CLOEXEC);
	for (i = 0; i < survey->nr_mappings; i++)
		if (adopt_mapping(survey, &survey->mappings[i], result, err))
			return -1;
	return 0;
}

int adopt_process(const struct adopter *adopter, pid_t pid, struct adopt_result *result,
		  struct error *err)
{
	struct survey survey = { .adopter = adopter, .pid = pid, .mem = -1 };
	int ret;

	*result = (struct adopt_result) {};
	ret = adopt_mappings(&survey, result, err);
	if (survey.mem >= 0)
		close(survey.mem);
	free(survey.files);
	free(survey.mappings);
	return ret ? error_prefix(err, "process %d", pid) : 0;
}

/* FNV-1a. */
static uint64_t mix(uint64_t hash, uint64_t value)
{
	int i;

	for (i = 0; i < 8; i++, value >>= 8)
		hash = (hash ^ (value & 0xff)) * 0x100000001b3;
	return hash;
}

/* As whom it runs decides whether it may be adopted, too. */
static uint64_t mix_users(uint64_t hash, pid_t pid)
{
	autofclose FILE *status = NULL;
	unsigned int uids[3];
	char line[256];

	snprintf(line, sizeof(line), "/proc/%d/status", pid);
	status = fopen(line, "re");
	while (status && fgets(line, sizeof(line), status))
		if (sscanf(line, "Uid: %u %u %u", &uids[0], &uids[1], &uids[2]) == 3)
			return mix(mix(mix(hash, uids[0]), uids[1]), uids[2]);
	return hash;
}

uint64_t adopt_mark(pid_t pid)
{
	autofclose FILE *maps = NULL;
	autofree char *line = NULL;
	struct mapping mapping;
	uint64_t hash = 0;
	size_t room = 0;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	maps = fopen(path, "re");
	while (maps && getline(&line, &room, maps) > 0) {
		if (!parse_line(line, &mapping))
			continue;
		hash = mix(mix(hash, mapping.start), mapping.end);
		hash = mix(mix(hash, mapping.inode), mapping.offset);
	}
	return hash ? mix_users(hash, pid) : 0;
}

int adopter_open(struct adopter *adopter, const struct backend *backend, const char *group,
		 struct error *err)
{
	*adopter = (struct adopter) { .backend = backend };
	if (!backend->adopt)
		return error_set(err, EOPNOTSUPP, "the %s backend cannot adopt: running tasks are adopted by the module",
				 backend->name);
	if (backend->group_get(group, &adopter->group, err) ||
	    backend->image_open(adopter->group.image, &adopter->image, err))
		return -1;
	if (image_is_library(&adopter->image))
		return 0;
	adopter_close(adopter);
	return error_set(err, EINVAL, "the image %s of group %s is made of a template: make a group of one that `coppice image build --elf` made",
			 adopter->group.image, group);
}

void adopter_close(struct adopter *adopter)
{
	image_free(&adopter->image);
}
