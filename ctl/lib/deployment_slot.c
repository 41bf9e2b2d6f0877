// SPDX-License-Identifier: GPL-2.0
/* A slot of the store; see deployment_slot.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "beneath.h"
#include "cleanup.h"
#include "deployment_code.h"
#include "deployment_label.h"
#include "deployment_numbers.h"
#include "deployment_slot.h"
#include "deployment_source.h"
#include "deployment_volume.h"
#include "file.h"
#include "json_text.h"
#include "name.h"

void deployment_slot_free(struct deployment_slot *slot)
{
	json_decref(slot->mapping);
	json_decref(slot->record);
	deployment_free(slot->deployment);
	*slot = (struct deployment_slot) {};
}

/*
 * Writing. Nobody but root gets into the store, so the order in which owners and modes come is
 * of no matter, and what a directory passes on to what is made in it is set again there.
 */

static bool is_root(const struct deployment_node *node)
{
	return !strcmp(node->path, ".");
}

static int make_node(int tree, const struct deployment_node *node, struct error *err)
{
	autoclose int fd = -1;

	if (is_root(node))
		return label_set(tree, node, err);
	fd = S_ISDIR(node->mode) ? beneath_make(tree, node->path, err) :
				   beneath_write(tree, node->path, "", 0, err);
	return fd < 0 ? -1 : label_set(fd, node, err);
}

static int make_tree(int dir, const struct deployment *deployment, struct error *err)
{
	autoclose int tree = beneath_make(dir, SLOT_TREE, err);
	size_t i;

	if (tree < 0)
		return -1;
	for (i = 0; i < deployment->nr_nodes; i++)
		if (make_node(tree, &deployment->nodes[i], err))
			return -1;
	return 0;
}

static int write_json(int dir, const char *name, const json_t *value, struct error *err)
{
	autofree char *text = json_text(value, JSON_COMPACT | JSON_SORT_KEYS);
	autoclose int fd = -1;

	if (!text)
		return error_set(err, ENOMEM, "out of memory");
	fd = beneath_write(dir, name, text, strlen(text), err);
	return fd < 0 ? -1 : 0;
}

/* The record says that the rest is there, so the rest is on the disk before it. */
int deployment_slot_write(int dir, const struct deployment_slot *slot, struct error *err)
{
	if (make_tree(dir, slot->deployment, err) ||
	    deployment_code_unpack(dir, slot->deployment, err) ||
	    write_json(dir, SLOT_MAPPING, slot->mapping, err))
		return -1;
	if (syncfs(dir))
		return error_set(err, errno, "the deployment cannot be written to the disk: %s",
				 strerror(errno));
	if (write_json(dir, SLOT_RECORD, slot->record, err))
		return -1;
	if (fsync(dir))
		return error_set(err, errno, "the deployment cannot be written to the disk: %s",
				 strerror(errno));
	return 0;
}

/*
 * Reading.
 */

static json_t *read_json(int dir, const char *name, struct error *err)
{
	size_t len = 0;
	autofree char *text = beneath_read(dir, name, SLOT_FILE_MAX, &len, err);
	char what[64];

	snprintf(what, sizeof(what), "%s of the deployment", name);
	return text ? file_parse(text, len, what, "apply it again", err) : NULL;
}

int deployment_slot_read(int dir, struct deployment_slot *slot, struct error *err)
{
	*slot = (struct deployment_slot) {};
	slot->record = read_json(dir, SLOT_RECORD, err);
	slot->mapping = slot->record ? read_json(dir, SLOT_MAPPING, err) : NULL;
	slot->deployment = slot->mapping ? deployment_from_json(slot->mapping, err) : NULL;
	if (slot->deployment &&
	    !deployment_numbers_remap(slot->deployment, json_object_get(slot->record, "numbers"),
				      err)) {
		snprintf(slot->deployment->digest, sizeof(slot->deployment->digest), "%s",
			 json_string_value(json_object_get(slot->record, "digest")) ?: "");
		return 0;
	}
	deployment_slot_free(slot);
	return -1;
}

int deployment_slot_find(const struct deployment_store *store, const char *name,
			 struct deployment_slot *slot, struct error *err)
{
	autoclose int dir = beneath_open(store->base, name, O_RDONLY | O_DIRECTORY, 0);

	*slot = (struct deployment_slot) {};
	if (dir < 0)
		return error_set(err, errno, "deployment %s has no %s version", store->name, name);
	return deployment_slot_read(dir, slot, err);
}

/*
 * Drift.
 */

struct drift {
	json_t *texts;
	json_t *known;		/* paths of nodes */
};

static void add(struct drift *drift, const char *where, const char *what)
{
	json_array_append_new(drift->texts, json_sprintf("%s %s", where, what));
}

static int check_label(struct drift *drift, int fd, const struct deployment_node *node,
		       const char *where, struct error *err)
{
	char what[128];
	int differs;

	if (fd < 0) {
		add(drift, where, "is missing");
		return 0;
	}
	differs = label_differs(fd, node, what, sizeof(what), err);
	if (differs > 0)
		add(drift, where, what);
	return differs < 0 ? -1 : 0;
}

static int check_nodes(struct drift *drift, int tree, const struct deployment *deployment,
		       struct error *err)
{
	size_t i;

	for (i = 0; i < deployment->nr_nodes; i++) {
		const struct deployment_node *node = &deployment->nodes[i];
		autoclose int fd = beneath_open(tree, is_root(node) ? "" : node->path, O_PATH, 0);

		json_object_set_new(drift->known, is_root(node) ? "" : node->path, json_true());
		if (check_label(drift, fd, node, node->path, err))
			return -1;
	}
	return 0;
}

static int find_strange(const struct beneath_entry *entry, void *data, struct error *err)
{
	struct drift *drift = data;

	(void)err;
	if (!json_object_get(drift->known, entry->path))
		add(drift, entry->path, "is not of the deployment");
	return 0;
}

static int check_volumes(struct drift *drift, int volumes, const struct deployment *deployment,
			 struct error *err)
{
	size_t i;

	for (i = 0; i < deployment->nr_nodes; i++) {
		const struct deployment_node *node = &deployment->nodes[i];
		char where[DEPLOYMENT_NAME_SIZE + 16];
		autoclose int fd = -1;

		if (!volume_is(node))
			continue;
		snprintf(where, sizeof(where), "volume %s", node->resource->name);
		fd = volumes < 0 ? -1 : beneath_open(volumes, node->resource->name, O_PATH, 0);
		if (check_label(drift, fd, node, where, err))
			return -1;
	}
	return 0;
}

static void check_sources(struct drift *drift, const struct deployment_slot *slot)
{
	const json_t *sources = json_object_get(slot->record, "sources");
	const struct deployment *deployment = slot->deployment;
	struct error why;
	size_t i;

	for (i = 0; i < deployment->nr_resources; i++) {
		const struct deployment_resource *resource = &deployment->resources[i];
		autoclose int fd = -1;

		if (!resource->source)
			continue;
		fd = source_open(resource, json_object_get(sources, resource->name), &why);
		if (fd < 0)
			json_array_append_new(drift->texts, json_string(why.text));
	}
}

json_t *deployment_slot_drift(int dir, int volumes, const struct deployment_slot *slot,
			      struct error *err)
{
	autoclose int tree = beneath_open(dir, SLOT_TREE, O_RDONLY | O_DIRECTORY, 0);
	struct drift drift = { .texts = json_array(), .known = json_object() };
	int ret = 0;

	if (tree < 0)
		add(&drift, "the tree", "is missing");
	else
		ret = check_nodes(&drift, tree, slot->deployment, err) ?:
		      beneath_walk(tree, find_strange, &drift, err);
	if (!ret)
		ret = check_volumes(&drift, volumes, slot->deployment, err);
	if (!ret)
		check_sources(&drift, slot);
	json_decref(drift.known);
	if (!ret)
		return drift.texts;
	json_decref(drift.texts);
	return NULL;
}

/*
 * For those who start tasks.
 */

static int open_parts(int base, int dir, struct deployment_applied *applied, struct error *err)
{
	int settled;

	if (deployment_slot_read(dir, &applied->slot, err))
		return -1;
	applied->tree = beneath_open(dir, SLOT_TREE, O_RDONLY | O_DIRECTORY, 0);
	applied->volumes = beneath_open(base, SLOT_VOLUMES, O_RDONLY | O_DIRECTORY, 0);
	if (applied->tree < 0)
		return error_set(err, errno, "the deployment's tree cannot be opened: %s: apply it again",
				 strerror(errno));
	settled = volumes_settled(base, applied->slot.deployment, err);
	if (settled)
		return settled < 0 ? -1 : 0;
	return error_set(err, EAGAIN, "the volumes do not have the permissions of the applied version yet: apply it again");
}

int deployment_applied_open(const char *name, struct deployment_applied *applied,
			    struct error *err)
{
	autoclose int base = -1, dir = -1;
	char path[PATH_MAX];

	*applied = (struct deployment_applied) { .tree = -1, .volumes = -1 };
	if (name_check("a deployment", name, err))
		return -1;
	snprintf(path, sizeof(path), DEPLOYMENTS_DIRECTORY "/%s", name);
	base = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (base >= 0)
		dir = beneath_open(base, SLOT_CURRENT, O_RDONLY | O_DIRECTORY, 0);
	if (dir < 0)
		return error_set(err, errno, "deployment %s is not applied on this hub: %s", name,
				 strerror(errno));
	if (!open_parts(base, dir, applied, err))
		return 0;
	deployment_applied_close(applied);
	return error_prefix(err, "deployment %s", name);
}

void deployment_applied_close(struct deployment_applied *applied)
{
	deployment_slot_free(&applied->slot);
	cleanup_close(&applied->tree);
	cleanup_close(&applied->volumes);
	applied->tree = applied->volumes = -1;
}
