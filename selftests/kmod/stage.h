/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A stage for tests of the module: the test program itself is the template, and each task
 * of its image plays a role that the test names.
 *
 * A program that uses it defines roles[] and calls stage_main() before the harness.
 */
#ifndef COPPICE_SELFTEST_STAGE_H
#define COPPICE_SELFTEST_STAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "lib/backend.h"
#include "lib/image.h"

#define STAGE_PAGE	4096UL
#define STAGE_PAGES	64	/* of each of the props below */

/* Memory of the image with known content; that of stage_data starts with the salt, and counts on. */
#define STAGE_DATA_SALT	11
extern unsigned char stage_data[STAGE_PAGES * STAGE_PAGE];
extern unsigned char *stage_mapping;	/* anonymous, STAGE_PAGES */
extern const unsigned char stage_text[STAGE_PAGES * STAGE_PAGE];	/* read-only */

struct role {
	const char *name;
	int (*play)(int argc, char **argv);	/* the task's exit status */
};

extern const struct role roles[];	/* ends with a name of NULL */

/* What a template does before its checkpoint, if anything. */
extern void (*stage_prepare)(void);

/* In a template: sets the props up and checkpoints, and plays its role in a task. */
void stage_main(int argc, char **argv);

/* True if all props have the content of the template. */
bool stage_intact(void);
/* Changes every page that can be written. */
void stage_scribble(void);

/* The image of this program; must be called without tasks under way. */
int stage_build(struct image *image, struct error *err);

/*
 * Load it as @name for @owner, and add a group of the same name. @image is what was
 * loaded, to be compared with what the module has; stage_clear() takes both away.
 */
int stage_set(const char *name, uid_t owner, struct image *image, struct error *err);
int stage_clear(const char *name, struct error *err);

/* Start a task of @group that plays @role with one argument (may be NULL); its pid. */
pid_t stage_enter(const char *group, const char *role, const char *argument, struct error *err);
/* In the child: as @owner, enter by @launch and play; does not return. */
void stage_launch(struct launch *launch, uid_t owner, const char *group, const char *role,
		  const char *argument) __attribute__((noreturn));
/* Start it and wait: its exit status, or 128 + signal. */
int stage_play(const char *group, const char *role, const char *argument);
int stage_wait(pid_t pid);
/* Wait until a task has stopped itself. */
bool stage_stops(pid_t pid);
/* Let it go on, and wait as stage_wait(). */
int stage_ends(pid_t pid);

/* Is the image in the module still, byte for byte, what was loaded? */
bool stage_image_intact(const char *name, const struct image *image, struct error *err);

/* Tasks of @group by the module's count; -1: there is no such group. */
int stage_tasks(const char *group);
/* The id of one of them, or 0. */
uint64_t stage_task_id(const char *group);
/* Wait until it has @tasks, for at most some seconds. */
bool stage_settles(const char *group, int tasks);

/* Wait until the module has as much of everything as it had @before: nothing was left. */
bool stage_leaves(const struct store_info *before, struct error *err);

/* Wait until nobody holds the module, for at most some seconds. */
bool stage_unused(void);

/* Memory below 2 GiB, where a cookie can say that it is; @flags says who shares it. NULL: none. */
void *stage_map_low(size_t len, int flags);

/* How many of STAGE_PAGES pages from @at on are the caller's own; -1: can't tell. */
int stage_private_pages(const void *at);

#endif /* COPPICE_SELFTEST_STAGE_H */
