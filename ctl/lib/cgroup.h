/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The cgroups (v2) of groups: /coppice/GROUP below the mount, wherever that is.
 * "cgroup" is a path below the mount, "path" one in the file system.
 */
#ifndef COPPICE_CGROUP_H
#define COPPICE_CGROUP_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "error.h"

#define CGROUP_PARENT	"/coppice"
/* Transient cgroups of image builds; group names may not begin so. */
#define CGROUP_BUILD	"build."

/* Where cgroup v2 is mounted. */
int __must_check cgroup_mount(char path[PATH_MAX], struct error *err);
int __must_check cgroup_path(const char *cgroup, char path[PATH_MAX], struct error *err);
/* Where a process is now, which is what counts for the kernel. ESRCH: it has ended. */
int __must_check cgroup_of(pid_t pid, char path[PATH_MAX], struct error *err);

/* 0: no limit. */
struct cgroup_limits {
	uint64_t memory_max;
	uint64_t pids_max;
};

/*
 * Held while groups and their cgroups are made and deleted: a descriptor that
 * releases the lock when it is closed, or -1.
 */
int __must_check cgroup_lock(struct error *err);

/* Make @cgroup and what is above it. *made: it did not exist. Undone on failure. */
int __must_check cgroup_make(const char *cgroup, const struct cgroup_limits *limits,
			     bool *made, struct error *err);

/* For CLONE_INTO_CGROUP: a descriptor, or -1. */
int __must_check cgroup_open(const char *cgroup, struct error *err);

/* Is this controller at hand in the cgroup v2 hierarchy? */
bool cgroup_has_controller(const char *name);

/* The processes in it and below; none if it does not exist. Caller frees *pids. */
int __must_check cgroup_pids(const char *cgroup, pid_t **pids, size_t *nr, struct error *err);

/* Signal all of them. */
int __must_check cgroup_signal(const char *cgroup, int sig, struct error *err);

/*
 * Kill all of them at once, where the kernel can, so that nobody forks away from it. Only for a
 * cgroup that is removed then: some kernels also kill whoever is later forked into it by
 * CLONE_INTO_CGROUP, as they compare its count of kills with that of the parent's cgroup.
 */
int __must_check cgroup_kill(const char *cgroup, struct error *err);

/* Remove it if no process is in it; none there is no error. */
int __must_check cgroup_remove(const char *cgroup, struct error *err);

/* Kill what is in it, wait and remove it. */
int __must_check cgroup_destroy(const char *cgroup, struct error *err);

/* The name of each cgroup right below /coppice; a non-zero result ends it. */
typedef int (*cgroup_fn)(const char *name, void *data);
int __must_check cgroup_each(cgroup_fn fn, void *data, struct error *err);

#endif /* COPPICE_CGROUP_H */
