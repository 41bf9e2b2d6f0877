// SPDX-License-Identifier: GPL-2.0
/* What an applied deployment gives a function; see deployment_grants.h. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "beneath.h"
#include "cleanup.h"
#include "deployment_grants.h"
#include "deployment_slot.h"
#include "deployment_source.h"

/* Volumes have default ACLs, which make it meaningless there; elsewhere a group is the function's. */
#define UMASK	"007"

static void close_applied(struct deployment_applied *applied)
{
	deployment_applied_close(applied);
}

#define autoapplied __attribute__((cleanup(close_applied)))

/* One resource, and whose grant of it is made. */
struct granting {
	const struct deployment_applied *applied;
	const struct deployment_function *function;
	const struct deployment_resource *resource;
};

static json_t *rights_list(unsigned int rights)
{
	char text[32], *name, *rest = NULL;
	json_t *list = json_array();

	deployment_rights_text(rights, text);
	for (name = strtok_r(text, ",", &rest); name; name = strtok_r(NULL, ",", &rest))
		json_array_append_new(list, json_string(name));
	return list;
}

static const json_t *recorded(const struct granting *granting)
{
	const json_t *sources = json_object_get(granting->applied->slot.record, "sources");

	return json_object_get(sources, granting->resource->name);
}

static int open_source(const struct granting *granting, struct error *err)
{
	const struct deployment_resource *resource = granting->resource;
	int fd;

	if (resource->source)
		return source_open(resource, recorded(granting), err);
	fd = beneath_open(granting->applied->volumes, resource->name, O_PATH | O_DIRECTORY, 0);
	if (fd < 0)
		error_set(err, errno, "volume %s cannot be opened: %s: apply the deployment again",
			  resource->name, strerror(errno));
	return fd;
}

/* The owner on the disk is the function to itself, and what it makes is the owner's on the disk. */
static json_t *own_map(const struct stat *st, const struct deployment_function *function)
{
	return json_pack("{s:[{s:I, s:I}], s:[{s:I, s:I}]}",
			 "uids", "host", (json_int_t)st->st_uid, "task", (json_int_t)function->uid,
			 "gids", "host", (json_int_t)st->st_gid, "task", (json_int_t)function->gid);
}

static int add_map(const struct granting *granting, const struct stat *st, json_t *grant,
		   struct error *err)
{
	const struct deployment_resource *resource = granting->resource;

	if (resource->kind != DEPLOYMENT_PATH && resource->kind != DEPLOYMENT_SECRET)
		return 0;
	if (json_is_true(json_object_get(recorded(granting), "idmap")))
		return json_object_set_new(grant, "idmap", own_map(st, granting->function));
	/* A path can be open to others; a secret is root's alone. */
	if (resource->kind == DEPLOYMENT_PATH)
		return 0;
	return error_set(err, EOPNOTSUPP, "resource %s: the file system of %.200s cannot be mounted with other owners: put it on ext4, XFS or btrfs",
			 resource->name, resource->source);
}

static void find_places(const struct granting *granting, char source[PATH_MAX],
			char target[PATH_MAX])
{
	const struct deployment_resource *resource = granting->resource;

	snprintf(source, PATH_MAX, "%s", resource->source ?: "");
	snprintf(target, PATH_MAX, "%s", resource->source ?: "");
	if (resource->kind == DEPLOYMENT_SECRET)
		snprintf(target, PATH_MAX, DEPLOYMENT_SECRETS_TARGET "/%s", resource->name);
	if (resource->kind != DEPLOYMENT_VOLUME)
		return;
	snprintf(source, PATH_MAX, DEPLOYMENTS_DIRECTORY "/%s/" SLOT_VOLUMES "/%s",
		 granting->applied->slot.deployment->name, resource->name);
	snprintf(target, PATH_MAX, DEPLOYMENT_VOLUMES_TARGET "/%s", resource->name);
}

static json_t *make_grant(const struct granting *granting, unsigned int rights, struct error *err)
{
	autoclose int fd = open_source(granting, err);
	char source[PATH_MAX], target[PATH_MAX];
	struct stat st;
	json_t *grant;

	if (fd < 0 || fstat(fd, &st))
		return NULL;
	find_places(granting, source, target);
	grant = json_pack("{s:s, s:s, s:s, s:o, s:I, s:I}", "kind",
			  deployment_kinds[granting->resource->kind], "source", source, "target",
			  target, "rights", rights_list(rights), "device", (json_int_t)st.st_dev,
			  "inode", (json_int_t)st.st_ino);
	if (!add_map(granting, &st, grant, err))
		return grant;
	json_decref(grant);
	return NULL;
}

static json_t *make_grants(struct granting *granting, struct error *err)
{
	const struct deployment *deployment = granting->applied->slot.deployment;
	json_t *list = json_array(), *grant;
	unsigned int rights;
	size_t i;

	for (i = 0; i < deployment->nr_resources; i++) {
		granting->resource = &deployment->resources[i];
		rights = deployment_rights(granting->function, granting->resource);
		if (!rights)
			continue;
		grant = make_grant(granting, rights, err);
		if (!grant) {
			json_decref(list);
			return NULL;
		}
		json_array_append_new(list, grant);
	}
	return list;
}

static json_t *groups_list(const struct deployment_function *function)
{
	json_t *list = json_array();
	size_t i;

	for (i = 0; i < function->nr_groups; i++)
		json_array_append_new(list, json_integer(function->groups[i]));
	return list;
}

json_t *deployment_grants(const char *name, const char *function, struct error *err)
{
	autoapplied struct deployment_applied applied = { .tree = -1, .volumes = -1 };
	struct granting granting = { .applied = &applied };
	json_t *list;

	if (deployment_applied_open(name, &applied, err))
		return NULL;
	granting.function = deployment_function(applied.slot.deployment, function);
	if (!granting.function) {
		error_set(err, ENOENT, "deployment %s has no function '%.80s'", name, function);
		return NULL;
	}
	list = make_grants(&granting, err);
	if (!list)
		return NULL;
	return json_pack("{s:I, s:I, s:o, s:s, s:o}", "uid", (json_int_t)granting.function->uid,
			 "gid", (json_int_t)granting.function->gid, "groups",
			 groups_list(granting.function), "umask", UMASK, "grants", list);
}
