/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The numbers of a deployment's roles and groups, kept in a state file: what was given out
 * stays, and what is no longer used stays reserved until its data is declared gone.
 */
#ifndef COPPICE_NUMBERS_H
#define COPPICE_NUMBERS_H

#include "sets.h"
#include "spec.h"

struct number_role {
	char name[DEPLOYMENT_NAME_SIZE];
	uint32_t uid, gid;
	bool used;
};

struct number_group {
	uint32_t gid;
	json_t *serves;		/* "orders:read", now or when it was last used */
	json_t *resources;	/* set of all it has ever served */
	bool used;
};

struct numbers {
	uint64_t version;	/* last compiled; 0: there is no state */
	char digest[DEPLOYMENT_DIGEST_SIZE];
	struct number_role *roles;
	size_t nr_roles;
	struct number_group *groups;
	size_t nr_groups;
};

/* No error if there is no file. */
int __must_check numbers_load(const char *path, const struct spec *spec, struct numbers *numbers,
			      struct error *err);
void numbers_free(struct numbers *numbers);

/*
 * Give each role and each set of several roles its numbers: those that it had, or new ones. The
 * roles' come in the order of the spec, the sets' in their gid.
 */
int __must_check numbers_assign(struct numbers *numbers, const struct spec *spec,
				struct sets *sets, struct error *err);

/* "orders:read" */
void numbers_use(const struct spec *spec, const struct set_use *use, char text[128]);

int __must_check numbers_save(const char *path, const struct numbers *numbers,
			      const struct spec *spec, const char *digest, struct error *err);

#endif /* COPPICE_NUMBERS_H */
