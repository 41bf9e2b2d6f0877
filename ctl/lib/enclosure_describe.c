// SPDX-License-Identifier: GPL-2.0
/* Grants as facts: what each of them comes to in the kernel. */
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>

#include "enclosure.h"

struct word {
	uint64_t bit;
	const char *text;
};

static const struct word flags[] = {
	{ MOUNT_ATTR_RDONLY, "ro" }, { MOUNT_ATTR_NOSUID, "nosuid" },
	{ MOUNT_ATTR_NODEV, "nodev" }, { MOUNT_ATTR_NOEXEC, "noexec" }, {}
};

static const struct word accesses[] = {
	{ LANDLOCK_EXECUTE, "execute" }, { LANDLOCK_WRITE_FILE, "write_file" },
	{ LANDLOCK_READ_FILE, "read_file" }, { LANDLOCK_READ_DIR, "read_dir" },
	{ LANDLOCK_REMOVE_DIR, "remove_dir" }, { LANDLOCK_REMOVE_FILE, "remove_file" },
	{ LANDLOCK_MAKE_DIR, "make_dir" }, { LANDLOCK_MAKE_REG, "make_reg" },
	{ LANDLOCK_MAKE_SOCK, "make_sock" }, { LANDLOCK_MAKE_FIFO, "make_fifo" },
	{ LANDLOCK_MAKE_SYM, "make_sym" }, { LANDLOCK_REFER, "refer" },
	{ LANDLOCK_TRUNCATE, "truncate" }, { LANDLOCK_IOCTL_DEV, "ioctl_dev" }, {}
};

static json_t *words(uint64_t bits, const struct word *word)
{
	json_t *list = json_array();

	for (; word->text; word++)
		if (bits & word->bit)
			json_array_append_new(list, json_string(word->text));
	return list;
}

static void describe(const struct grant *grant, json_t *object)
{
	char rights[32], text[1024];
	bool moved = strcmp(grant->source, grant->target);

	grant_rights_text(grant->rights, rights);
	snprintf(text, sizeof(text), "%s: %s %.400s%s%.400s%s", grant_kinds[grant->kind], rights,
		 grant->target, moved ? " from " : "", moved ? grant->source : "",
		 grant_is_mapped(grant) ? ", with other owners" : "");
	json_object_set_new(object, "text", json_string(text));
	/* A device is a node, not a mount. */
	if (grant->kind != GRANT_DEVICE)
		json_object_set_new(object, "mount", words(enclosure_flags(grant), flags));
	json_object_set_new(object, "landlock", words(enclosure_access(grant), accesses));
}

json_t *enclosure_describe(const struct grants *grants)
{
	json_t *object = grants_json(grants);
	json_t *list = json_object_get(object, "grants");
	size_t i;

	for (i = 0; i < grants->nr; i++)
		describe(&grants->list[i], json_array_get(list, i));
	return object;
}
