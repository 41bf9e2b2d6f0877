/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Where images and groups live: in the module (kernel), or in sealed memfds
 * held by a keeper process and described under /run/coppice (memfd). Commands see
 * this interface only.
 */
#ifndef COPPICE_BACKEND_H
#define COPPICE_BACKEND_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <jansson.h>

#include "error.h"
#include "image.h"
#include "launch.h"
#include "policy.h"

struct image_info {
	uint32_t id;
	char name[IMAGE_NAME_MAX + 1];
	uid_t owner;
	uint32_t segments, groups;
	uint64_t bytes, pages, added_pages, huge_pages;
	bool library;		/* running tasks are adopted with it, none enters */
};

struct group_info {
	uint32_t id;
	char name[IMAGE_NAME_MAX + 1];
	char image[IMAGE_NAME_MAX + 1];
	uid_t owner;
	char cgroup[256];	/* below the cgroup v2 mount, "/coppice/NAME" */
	char reshare[POLICY_SIZE];
	uint32_t max_tasks;	/* 0: no limit */
	bool adopt;		/* ordinary processes that appear in the cgroup; memfd: no image */
	bool nests;		/* memfd: cgroups of other groups are or were below it */
	/* statistics */
	uint32_t tasks;
	uint64_t entered, forked, faults, mapped_ahead, copied_ahead;
	uint64_t touched, written;	/* pages to be mapped, copied ahead */
	uint64_t given_back, resets;
	uint64_t adopted, adopted_pages;
};

struct task_info {
	uint64_t id;
	pid_t pid;
	char group[IMAGE_NAME_MAX + 1];
	bool forked;
	uint64_t age_ms, faults, mapped_ahead, copied_ahead, given_back, resets;
	bool adopted;
	uint64_t adopted_pages;
};

/* What a task has of the image's memory, in pages. */
struct task_memory {
	uint64_t shared;	/* with others */
	uint64_t copied;	/* its own in their place, in memory */
	uint64_t swapped;	/* and in swap */
};

struct reshare_info {
	uint64_t compared, given_back;	/* pages */
};

/* A part of one mapping of a process, and where its content lies in the group's image. */
struct adopt_range {
	pid_t pid;
	const char *group;
	uint64_t address, length, image_address;
};

/* Pages of a range: see task-adopt in the netlink spec. */
struct adopt_info {
	uint64_t id;		/* of the task; 0: nothing was replaced */
	uint64_t adopted, different, private, absent, scattered;
};

struct store_info {
	char version[32];
	uint64_t store_pages, store_limit, image_pages, huge_pages, huge_missed;
	uint32_t domains, images, unsealed, groups, tasks;
};

/* Called once an object; a non-zero result ends the listing and is returned. */
typedef int (*image_fn)(const struct image_info *info, void *data);
typedef int (*group_fn)(const struct group_info *info, void *data);
typedef int (*task_fn)(const struct task_info *info, void *data);
/* Owns nothing: @event is released when it returns. */
typedef int (*event_fn)(json_t *event, void *data, struct error *err);

struct backend {
	const char *name;	/* "kernel", "memfd" */
	/* True if it can be used here; else says in err what is lacking. */
	bool (*available)(struct error *err);
	int (*status)(struct store_info *info, struct error *err);

	int (*image_load)(const char *name, uid_t owner, const struct image *image,
			  struct error *err);
	/* The image as loaded, for `image save`. */
	int (*image_read)(const char *name, struct image *image, struct error *err);
	int (*image_get)(const char *name, struct image_info *info, struct error *err);
	int (*image_each)(image_fn fn, void *data, struct error *err);
	int (*image_delete)(const char *name, struct error *err);

	int (*group_add)(const struct group_info *group, struct error *err);
	int (*group_get)(const char *name, struct group_info *info, struct error *err);
	/* The same, but for the number of its tasks, which may take long to count. */
	int (*group_find)(const char *name, struct group_info *info, struct error *err);
	int (*group_each)(group_fn fn, void *data, struct error *err);
	int (*group_delete)(const char *name, struct error *err);
	/* group == NULL: the tasks of all groups. */
	int (*task_each)(const char *group, task_fn fn, void *data, struct error *err);

	/*
	 * Give back the private pages of a task that equal the image's. ENOENT in err:
	 * it has ended. NULL: a task can only do it to itself.
	 */
	int (*task_reshare)(uint64_t id, struct reshare_info *info, struct error *err);

	/* NULL: nobody counts it. ENOENT in err: the task has ended. */
	int (*task_memory)(uint64_t id, struct task_memory *memory, struct error *err);

	/* Have a task be what it was when it entered; as above. */
	int (*task_reset)(uint64_t id, struct error *err);

	/*
	 * Fills in all of *launch but argv and envp, so that any number of
	 * children may enter. launch_close() when done.
	 */
	int (*launch_open)(const char *group, struct launch *launch, struct error *err);
	void (*launch_close)(struct launch *launch);

	/*
	 * Called before each task is started in the group's cgroup: refuses if the group
	 * is gone or full, else returns a descriptor that is closed when the task is in
	 * the cgroup. NULL where entering itself refuses.
	 */
	int (*admit)(const char *group, struct error *err);
	/* The image without its content, to find out what is in it. */
	int (*image_open)(const char *name, struct image *image, struct error *err);
	/* EINVAL in err: this range can't be, others of the process may. NULL: none can be. */
	int (*adopt)(const struct adopt_range *range, struct adopt_info *info, struct error *err);
	/* Hands out events as JSON objects until @fn fails. NULL: there are none. */
	int (*events)(event_fn fn, void *data, struct error *err);
};

extern const struct backend backend_kernel;
extern const struct backend backend_memfd;

/* "kernel", "memfd", or NULL: kernel if the module is loaded, else memfd. */
const struct backend *backend_find(const char *name, struct error *err);

#endif /* COPPICE_BACKEND_H */
