/* SPDX-License-Identifier: GPL-2.0 */
/* What a deployment is to allow, as people write it (Documentation/deployments.rst). */
#ifndef COPPICE_SPEC_H
#define COPPICE_SPEC_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "deployment.h"

#define SPEC_END	SIZE_MAX

struct spec_function {
	char name[DEPLOYMENT_NAME_SIZE];
	size_t role;
	size_t next;		/* of the same role; SPEC_END */
	char *manifest;		/* relative to the SPEC, or absolute; NULL: it carries none */
};

struct spec_role {
	char name[DEPLOYMENT_NAME_SIZE];
	size_t function, last;	/* its functions; all have the same rights */
};

struct spec_resource {
	char name[DEPLOYMENT_NAME_SIZE];
	enum deployment_kind kind;
	char *source;		/* NULL: a volume */
	bool is_directory;
};

struct spec {
	char name[DEPLOYMENT_NAME_SIZE];
	uint64_t version;
	struct spec_function *functions;
	size_t nr_functions;
	struct spec_role *roles;
	size_t nr_roles;
	struct spec_resource *resources;
	size_t nr_resources;
	unsigned char *rights;	/* reduced; by function, then resource */
	struct deployment_range uids, gids;
	json_t *gone_roles, *gone_resources;	/* sets of names */
};

void spec_free(struct spec *spec);
int __must_check spec_parse(const json_t *object, struct spec *spec, struct error *err);
/* Paths of manifests are relative to @directory. */
int __must_check spec_resolve(struct spec *spec, const char *directory, struct error *err);

static inline unsigned int spec_rights(const struct spec *spec, size_t function, size_t resource)
{
	return spec->rights[function * spec->nr_resources + resource];
}

static inline unsigned int spec_role_rights(const struct spec *spec, size_t role, size_t resource)
{
	return spec_rights(spec, spec->roles[role].function, resource);
}

#endif /* COPPICE_SPEC_H */
