/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What one function may have: who its tasks are, in numbers, and each resource with the rights
 * to it. This is what is enforced, as a JSON file says it (coppice-grants(5)); who decided
 * it, and why, is of no matter here.
 */
#ifndef COPPICE_GRANTS_H
#define COPPICE_GRANTS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "error.h"
#include "user.h"

#define GRANTS_MAX	128	/* of one function */

enum grant_right {
	GRANT_READ = 1,
	GRANT_WRITE = 2,
	GRANT_APPEND = 4,
	GRANT_TRAVERSE = 8,
};

#define GRANT_RIGHTS	4

enum grant_kind {
	GRANT_VOLUME,		/* a directory that is there for functions */
	GRANT_PATH,		/* a file or directory that the hub had before */
	GRANT_CODE,		/* to be run: what the function itself consists of */
	GRANT_DEVICE,
	GRANT_SECRET,
	GRANT_KINDS
};

extern const char *const grant_kinds[GRANT_KINDS];
extern const char *const grant_rights[GRANT_RIGHTS];	/* by bit */

/* The hub's numbers from @host on are the task's from @task on. */
struct grant_map {
	uint32_t host, task, count;
};

#define GRANT_MAPS_MAX	16

struct grant_maps {
	struct grant_map list[GRANT_MAPS_MAX];
	size_t nr;
};

struct grant {
	enum grant_kind kind;
	unsigned int rights;		/* of enum grant_right */
	char *source;			/* of the hub; absolute */
	char *target;			/* of the task; absolute, of no dots and doubled slashes */
	bool known;			/* the source is that of this device and inode, or refused */
	uint64_t device, inode;
	struct grant_maps uids, gids;	/* both empty: owners are as they are on the hub */
};

struct grants {
	uid_t uid;
	gid_t gid;
	gid_t groups[256];		/* supplementary */
	size_t nr_groups;
	mode_t umask;
	struct grant *list;		/* by target: a directory before what is in it */
	size_t nr;
};

/* Checks it all, whatever it is. On failure @grants is empty. */
int __must_check grants_parse(const json_t *object, struct grants *grants, struct error *err);
/* @path "-": standard input. A file that is wrong is a usage error. */
int __must_check grants_read(const char *path, struct grants *grants, struct error *err);
/* What is needed to run besides, as code under its own name, unless that is to be seen already. */
int __must_check grants_add_code(struct grants *grants, const char *path, struct error *err);
void grants_free(struct grants *grants);

static inline void cleanup_grants(struct grants *grants)
{
	grants_free(grants);
}

#define autogrants __attribute__((cleanup(cleanup_grants)))

/* As it is read, with all that it left out. */
json_t *grants_json(const struct grants *grants);
/* "read write" */
void grant_rights_text(unsigned int rights, char text[32]);
bool grant_is_mapped(const struct grant *grant);

/* Whom tasks run as: no entry of a user is needed. */
void grants_user(const struct grants *grants, struct user *user);

/*
 * Of groups, by name: kept below /run/coppice as long as the group is there. Tasks are started
 * under a lock that is shared, so that who holds it alone knows which tasks have which grants.
 */
bool grants_kept(const char *group);
/* ENOENT in err: the group has none. */
int __must_check grants_of(const char *group, struct grants *grants, struct error *err);
int __must_check grants_keep(const char *group, const struct grants *grants, struct error *err);
int __must_check grants_forget(const char *group, struct error *err);
/* What tells one state of them from the next. All zero: there are none. */
struct grants_stamp {
	uint64_t inode, seconds, nanoseconds;
};

void grants_stamp(const char *group, struct grants_stamp *stamp);
/* A descriptor to flock(), or -1. */
int __must_check grants_lock_open(struct error *err);

typedef int (*grants_fn)(const char *group, void *data);
int __must_check grants_each(grants_fn fn, void *data, struct error *err);

#endif /* COPPICE_GRANTS_H */
