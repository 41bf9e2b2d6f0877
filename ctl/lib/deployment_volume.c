// SPDX-License-Identifier: GPL-2.0
/* Volumes; see deployment_volume.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "beneath.h"
#include "cleanup.h"
#include "deployment_label.h"
#include "deployment_volume.h"
#include "json_read.h"

/* Tasks that write meanwhile may make one more necessary, but not for ever. */
#define PASSES	8

bool volume_is(const struct deployment_node *node)
{
	return node->resource && node->resource->kind == DEPLOYMENT_VOLUME;
}

/* None where there are none, or what is there is damaged; NULL where that cannot be told. */
static json_t *read_labels(int base, struct error *err)
{
	size_t len = 0;
	autofree char *text = beneath_read(base, SLOT_LABELLED, SLOT_FILE_MAX, &len, err);
	json_error_t why;
	json_t *labels = text ? json_read_text(text, len, 0, &why) : NULL;

	if (json_is_object(labels))
		return labels;
	json_decref(labels);
	if (text ? json_read_starved(SLOT_LABELLED, err) : error_hides(err->code))
		return NULL;
	labels = json_object();
	if (!labels)
		error_set(err, ENOMEM, "out of memory");
	return labels;
}

/* What cannot be told has not. */
static bool has_label(const json_t *labels, const struct deployment_node *node)
{
	autojson json_t *wanted = label_describe(node);

	return json_equal(json_object_get(labels, node->resource->name), wanted);
}

int volumes_settled(int base, const struct deployment *deployment, struct error *err)
{
	autojson json_t *labels = read_labels(base, err);
	size_t i;

	if (!labels)
		return -1;
	for (i = 0; i < deployment->nr_nodes; i++) {
		const struct deployment_node *node = &deployment->nodes[i];
		autojson json_t *wanted = volume_is(node) ? label_describe(node) : NULL;

		if (!volume_is(node))
			continue;
		if (!wanted)
			return error_set(err, ENOMEM, "out of memory");
		if (!json_equal(json_object_get(labels, node->resource->name), wanted))
			return 0;
	}
	return 1;
}

static int write_labels(const struct deployment_store *store, const json_t *labels,
			struct error *err)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), DEPLOYMENTS_DIRECTORY "/%s/" SLOT_LABELLED, store->name);
	return file_write_json(path, 0600, labels, err);
}

struct labelling {
	const struct deployment_node *node;
	unsigned long changed;
};

static int label_entry(const struct beneath_entry *entry, void *data, struct error *err)
{
	struct labelling *labelling = data;
	bool changed = false;

	/* The volume itself has the node's own. */
	if (!*entry->path)
		return label_set(entry->fd, labelling->node, err);
	if (label_content(entry->fd, &entry->st, labelling->node, &changed, err))
		return error_prefix(err, "%.200s", entry->path);
	labelling->changed += changed;
	return 0;
}

/* Until a pass finds nothing to change and nothing moved: what is made meanwhile is made right. */
static int label_all(int volume, const struct deployment_node *node, struct error *err)
{
	struct labelling labelling = { .node = node, .changed = 1 };
	int pass, ret = 0;

	for (pass = 0; pass < PASSES && labelling.changed; pass++) {
		labelling.changed = 0;
		ret = beneath_walk(volume, label_entry, &labelling, err);
		if (ret && err->code == EAGAIN)
			labelling.changed = 1;
		else if (ret)
			break;
	}
	if (!ret && labelling.changed)
		ret = error_set(err, EAGAIN, "its files keep changing: stop the tasks that write to it, and apply again");
	return ret ? error_prefix(err, "volume %s", node->resource->name) : 0;
}

static int open_volume(int volumes, const char *name, struct error *err)
{
	int fd = beneath_open(volumes, name, O_RDONLY | O_DIRECTORY, 0);

	return fd >= 0 || errno != ENOENT ? fd : beneath_make(volumes, name, err);
}

static int label_volume(int volumes, const struct deployment_node *node, struct error *err)
{
	autoclose int volume = open_volume(volumes, node->resource->name, err);

	if (volume < 0)
		return error_set(err, errno, "volume %s cannot be opened: %s", node->resource->name,
				 strerror(errno));
	return label_all(volume, node, err);
}

static int open_volumes(const struct deployment_store *store, struct error *err)
{
	int fd = beneath_open(store->base, SLOT_VOLUMES, O_RDONLY | O_DIRECTORY, 0);

	return fd >= 0 ? fd : beneath_make(store->base, SLOT_VOLUMES, err);
}

static int label_volumes(const struct deployment_store *store, const json_t *labels,
			 const struct deployment *deployment, struct error *err)
{
	autoclose int volumes = open_volumes(store, err);
	size_t i;

	if (volumes < 0)
		return -1;
	for (i = 0; i < deployment->nr_nodes; i++)
		if (volume_is(&deployment->nodes[i]) && !has_label(labels, &deployment->nodes[i]) &&
		    label_volume(volumes, &deployment->nodes[i], err))
			return -1;
	if (syncfs(volumes))
		return error_set(err, errno, "the volumes cannot be written to the disk: %s",
				 strerror(errno));
	return 0;
}

/* What is there with the right label stays in, so that only what differs is gone through. */
static void drop_others(json_t *labels, const struct deployment *deployment)
{
	size_t i;

	for (i = 0; i < deployment->nr_nodes; i++)
		if (volume_is(&deployment->nodes[i]) && !has_label(labels, &deployment->nodes[i]))
			json_object_del(labels, deployment->nodes[i].resource->name);
}

static int add_all(json_t *labels, const struct deployment *deployment, struct error *err)
{
	size_t i;

	for (i = 0; i < deployment->nr_nodes; i++)
		if (volume_is(&deployment->nodes[i]) &&
		    json_object_set_new(labels, deployment->nodes[i].resource->name,
					label_describe(&deployment->nodes[i])))
			return error_set(err, ENOMEM, "out of memory");
	return 0;
}

int volumes_settle(const struct deployment_store *store, const struct deployment *deployment,
		   bool all, struct error *err)
{
	autojson json_t *labels = NULL;

	int settled = all ? 0 : volumes_settled(store->base, deployment, err);

	if (settled)
		return settled < 0 ? -1 : 0;
	labels = all ? json_object() : read_labels(store->base, err);
	if (!labels)
		return all ? error_set(err, ENOMEM, "out of memory") : -1;
	drop_others(labels, deployment);
	if (write_labels(store, labels, err) ||
	    label_volumes(store, labels, deployment, err))
		return -1;
	return add_all(labels, deployment, err) || write_labels(store, labels, err) ? -1 : 0;
}
