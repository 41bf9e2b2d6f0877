// SPDX-License-Identifier: GPL-2.0
/* Grants as a struct. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "grants.h"

const char *const grant_kinds[GRANT_KINDS] = {
	[GRANT_VOLUME] = "volume",
	[GRANT_PATH] = "path",
	[GRANT_CODE] = "code",
	[GRANT_DEVICE] = "device",
	[GRANT_SECRET] = "secret",
};

const char *const grant_rights[GRANT_RIGHTS] = { "read", "write", "append", "traverse" };

void grants_free(struct grants *grants)
{
	size_t i;

	for (i = 0; i < grants->nr; i++) {
		free(grants->list[i].source);
		free(grants->list[i].target);
	}
	free(grants->list);
	*grants = (struct grants) {};
}

bool grant_is_mapped(const struct grant *grant)
{
	return grant->uids.nr || grant->gids.nr;
}

void grant_rights_text(unsigned int rights, char text[32])
{
	char *to = text;
	int bit;

	*to = '\0';
	for (bit = 0; bit < GRANT_RIGHTS; bit++)
		if (rights & 1U << bit)
			to += sprintf(to, "%s%s", to == text ? "" : " ", grant_rights[bit]);
}

void grants_user(const struct grants *grants, struct user *user)
{
	*user = (struct user) {
		.uid = grants->uid, .gid = grants->gid, .home = "/tmp",
		.nr_groups = grants->nr_groups,
	};
	snprintf(user->name, sizeof(user->name), "%u", grants->uid);
	memcpy(user->groups, grants->groups, grants->nr_groups * sizeof(*user->groups));
}

static json_t *rights_json(unsigned int rights)
{
	json_t *list = json_array();
	int bit;

	for (bit = 0; bit < GRANT_RIGHTS; bit++)
		if (rights & 1U << bit)
			json_array_append_new(list, json_string(grant_rights[bit]));
	return list;
}

static json_t *maps_json(const struct grant_maps *maps)
{
	json_t *list = json_array();
	size_t i;

	for (i = 0; i < maps->nr; i++)
		json_array_append_new(list, json_pack("{s:I, s:I, s:I}",
						      "host", (json_int_t)maps->list[i].host,
						      "task", (json_int_t)maps->list[i].task,
						      "count", (json_int_t)maps->list[i].count));
	return list;
}

static json_t *grant_json(const struct grant *grant)
{
	json_t *object = json_pack("{s:s, s:o, s:s, s:s}", "kind", grant_kinds[grant->kind],
				   "rights", rights_json(grant->rights),
				   "source", grant->source, "target", grant->target);

	if (grant->known) {
		json_object_set_new(object, "device", json_integer(grant->device));
		json_object_set_new(object, "inode", json_integer(grant->inode));
	}
	if (grant_is_mapped(grant))
		json_object_set_new(object, "idmap",
				    json_pack("{s:o, s:o}", "uids", maps_json(&grant->uids),
					      "gids", maps_json(&grant->gids)));
	return object;
}

json_t *grants_json(const struct grants *grants)
{
	json_t *list = json_array(), *groups = json_array();
	char mask[16];
	size_t i;

	for (i = 0; i < grants->nr_groups; i++)
		json_array_append_new(groups, json_integer(grants->groups[i]));
	for (i = 0; i < grants->nr; i++)
		json_array_append_new(list, grant_json(&grants->list[i]));
	snprintf(mask, sizeof(mask), "%03o", grants->umask);
	return json_pack("{s:I, s:I, s:o, s:s, s:o}", "uid", (json_int_t)grants->uid,
			 "gid", (json_int_t)grants->gid, "groups", groups, "umask", mask,
			 "grants", list);
}
