/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A compiled deployment: users, groups, resources and the tree of permissions, as a bundle
 * carries them (Documentation/deployments.rst has the format) and a hub lays them out.
 */
#ifndef COPPICE_DEPLOYMENT_H
#define COPPICE_DEPLOYMENT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include "acl.h"
#include "error.h"

#define DEPLOYMENT_NAME_SIZE	64	/* with the zero byte; by name_check() */
#define DEPLOYMENT_DIGEST_SIZE	72	/* "sha256:" and 64 hexadecimal digits */
#define DEPLOYMENT_FORMAT	1	/* of the mapping */

enum deployment_right {
	RIGHT_READ = 1,
	RIGHT_WRITE = 2,
	RIGHT_APPEND = 4,	/* volumes: add entries, change none of others */
	RIGHT_TRAVERSE = 8,
};

#define RIGHTS_ALL	15

enum deployment_kind {
	DEPLOYMENT_VOLUME,	/* a directory that the hub keeps */
	DEPLOYMENT_PATH,	/* something that the hub has, mounted */
	DEPLOYMENT_DEVICE,	/* a node with the number of the hub's device */
	DEPLOYMENT_SECRET,	/* a file whose content the hub has */
	DEPLOYMENT_KINDS
};

extern const char *const deployment_kinds[DEPLOYMENT_KINDS];	/* "volume", … */

/* Both ends belong to it. */
struct deployment_range {
	uint32_t from, to;
};

/* What a task of the function runs as. Functions of one role have the same numbers. */
struct deployment_function {
	char name[DEPLOYMENT_NAME_SIZE];
	char role[DEPLOYMENT_NAME_SIZE];
	uint32_t uid;
	uint32_t gid;			/* its own: no other role has it */
	uint32_t *groups;		/* supplementary, ascending, without gid */
	size_t nr_groups;
	/* Of one that the deployment carries, manifest and code, by deployment_code.h. */
	char *manifest;			/* while it is compiled: where that is */
	char code[DEPLOYMENT_DIGEST_SIZE];	/* of its archive, or empty */
	char *tar;			/* read from a bundle, else NULL */
	size_t tar_len;
};

/* Who is in the group has the rights; of one resource everybody is in one group at most. */
struct deployment_access {
	uint32_t gid;			/* a role's own, or one of deployment.groups */
	unsigned int rights;
};

struct deployment_resource {
	char name[DEPLOYMENT_NAME_SIZE];
	enum deployment_kind kind;
	char *source;			/* of the hub, absolute; NULL: a volume */
	bool is_directory;		/* what is mounted on a path */
	char *path;			/* of its node in the tree */
	struct deployment_access *access;
	size_t nr_access;
};

/* Functions of equal access to something. A role's own group is none of these. */
struct deployment_group {
	uint32_t gid;
	char **serves;			/* "orders:read", "photos:read,write" */
	size_t nr_serves;
};

/*
 * An entry of the tree: a directory, or an empty file where a device, a secret or a mounted
 * file will be. Parents come before what they hold.
 */
struct deployment_node {
	char *path;			/* relative, "volumes/orders"; "." is the root */
	mode_t mode;			/* with S_IFDIR or S_IFREG */
	uint32_t uid, gid;
	struct acl acl;			/* entries == NULL: the mode says it all */
	struct acl default_acl;		/* of what is made in the directory */
	const struct deployment_resource *resource;	/* whose node it is, or NULL */
};

struct deployment {
	char name[DEPLOYMENT_NAME_SIZE];
	uint64_t version;
	char digest[DEPLOYMENT_DIGEST_SIZE];	/* of the manifest; empty if not from a bundle */
	struct deployment_range uids, gids;	/* all numbers but 0 are in them */
	struct deployment_function *functions;
	size_t nr_functions;
	struct deployment_group *groups;
	size_t nr_groups;
	struct deployment_resource *resources;
	size_t nr_resources;
	struct deployment_node *nodes;
	size_t nr_nodes;
};

/* Everything, and the struct itself; NULL is fine. */
void deployment_free(struct deployment *deployment);

static inline void cleanup_deployment(struct deployment **deployment)
{
	deployment_free(*deployment);
}

#define autodeployment __attribute__((cleanup(cleanup_deployment)))

const struct deployment_function *deployment_function(const struct deployment *deployment,
						      const char *name);
const struct deployment_resource *deployment_resource(const struct deployment *deployment,
						      const char *name);
/* Of enum deployment_right, as its groups have them; 0: none. */
unsigned int deployment_rights(const struct deployment_function *function,
			       const struct deployment_resource *resource);
/* "read,write" */
const char *deployment_rights_text(unsigned int rights, char text[32]);
/* The right of the name; 0: it is none. */
unsigned int deployment_right(const char *name);
/* Those that there are on what is of the kind. */
unsigned int deployment_rights_of(enum deployment_kind kind, bool is_directory);
/* Without those that others imply: a deployment has them so. */
unsigned int deployment_rights_reduced(unsigned int rights);

/* Is it within what systemd documents as unused? */
int __must_check deployment_range_check(const struct deployment_range *range, struct error *err);

/*
 * The mapping, which is the bundle's config. Parsing trusts nothing: names, numbers within
 * the ranges, paths, and that each node is what its resource needs are checked.
 */
json_t *deployment_to_json(const struct deployment *deployment);
struct deployment *deployment_from_json(const json_t *object, struct error *err);

/*
 * Write the bundle, an OCI image layout; reproducible to the byte. There must be nothing at @path.
 * Sets the digest. The signature is added by signature_add().
 */
int __must_check deployment_write(struct deployment *deployment, const char *path,
				  struct error *err);
/* Refused if there is something else than a bundle. */
int __must_check deployment_put_check(const char *path, struct error *err);
/* Put a bundle that has been made into the place of one that may be there, at once. */
int __must_check deployment_put(const char *made, const char *path, struct error *err);
/*
 * Read one and check all that can be without a key: structure, sizes, digests, the mapping,
 * and that the tar holds exactly the nodes of the mapping. Never writes anything.
 */
struct deployment *deployment_read(const char *path, struct error *err);

#endif /* COPPICE_DEPLOYMENT_H */
