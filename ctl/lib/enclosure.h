/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What tasks are confined to by their function's grants: a mount namespace with nothing in it
 * but what was granted, and Landlock's rules of the same. Prepared once for any number of
 * tasks, as a start is to stay cheap; devices are a matter of the cgroup (device_grants.h).
 */
#ifndef COPPICE_ENCLOSURE_H
#define COPPICE_ENCLOSURE_H

#include <jansson.h>
#include <stdint.h>
#include <sys/stat.h>

#include "error.h"
#include "grants.h"
#include "landlock.h"
#include "task_mounts.h"

#define ENCLOSURE_RULES	(GRANTS_MAX + 48)	/* 48: what every function has */
#define ENCLOSURE_TMP	"64m"			/* most that a task can have in /tmp */

/* Left out by tests only, to see that each wall stands without the other. */
enum enclosure_omit {
	ENCLOSURE_NO_MOUNTS = 1,
	ENCLOSURE_NO_LANDLOCK = 2,
};

struct enclosure {
	int mounts;		/* descriptor of the namespace, or -1 */
	int abi;		/* Landlock's, 0: without */
	uid_t uid;
	gid_t gid;
	mode_t umask;
	struct landlock_rule rules[ENCLOSURE_RULES];
	size_t nr_rules;
};

#define ENCLOSURE_NONE { .mounts = -1 }

/* @mounts: what covers the hub's own files besides, for these tasks; or NULL. */
int __must_check enclosure_open(const struct grants *grants, const struct task_mounts *mounts,
				unsigned int omit, struct enclosure *enclosure,
				struct error *err);
void enclosure_close(struct enclosure *enclosure);

/* In a child, while it is root still. Its working directory is "/" then. */
int __must_check enclosure_enter(const struct enclosure *enclosure, struct error *err);

/* @grants as JSON, with what each comes to: "text", "mount" and "landlock" beside what was given. */
json_t *enclosure_describe(const struct grants *grants);

/*
 * Private to enclosure*.c. In a child that is there to build it: make the mount namespace, and
 * be in it.
 */
int __must_check enclosure_build_tree(const struct grants *grants, const struct task_mounts *mounts,
				      struct error *err);
/* Of what is there now; @by_target: as tasks see it, else as the hub does. */
int __must_check enclosure_make_rules(const struct grants *grants, bool by_target,
				      struct enclosure *enclosure, struct error *err);
/* The source of a grant, by descriptor (O_PATH), if it is still what was granted; or -1. */
int __must_check enclosure_open_source(const struct grant *grant, struct error *err);
/* What that is. */
int __must_check enclosure_stat_source(const struct grant *grant, struct stat *st,
				       struct error *err);

/* A grant as flags of its mount (MOUNT_ATTR_*) and as Landlock's accesses. */
uint64_t enclosure_flags(const struct grant *grant);
uint64_t enclosure_access(const struct grant *grant);

/* What every function has of the hub's, NULL at the end: to be read, and to be run. */
extern const char *const enclosure_system[];
extern const char *const enclosure_devices[];

#endif /* COPPICE_ENCLOSURE_H */
