// SPDX-License-Identifier: GPL-2.0
/* The tree of a deployment as lines of tmpfiles.d. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "cleanup.h"
#include "deployment_tree.h"

/* "user::rwx,…" with @prefix before each entry. */
static void print_entries(FILE *file, const char *text, const char *prefix)
{
	fputs(prefix, file);
	for (; *text; text++) {
		fputc(*text, file);
		if (*text == ',')
			fputs(prefix, file);
	}
}

static void print_acls(FILE *file, const struct deployment_node *node, const char *path)
{
	autofree char *access = acl_text(&node->acl), *inherited = acl_text(&node->default_acl);

	if (!access || !inherited || (!*access && !*inherited))
		return;
	fprintf(file, "a %s - - - - ", path);
	if (*access)
		print_entries(file, access, "");
	if (*access && *inherited)
		fputc(',', file);
	if (*inherited)
		print_entries(file, inherited, "default:");
	fputc('\n', file);
}

static void print_node(FILE *file, const struct deployment_node *node)
{
	char path[4096];

	snprintf(path, sizeof(path), "/%s", node->path);
	fprintf(file, "%c %s %04o %u %u - -\n", S_ISDIR(node->mode) ? 'd' : 'f', path,
		node->mode & 07777, node->uid, node->gid);
	print_acls(file, node, path);
}

char *deployment_tmpfiles(const struct deployment *deployment, size_t *len, struct error *err)
{
	char *text = NULL;
	FILE *file = open_memstream(&text, len);
	size_t i;

	/* The root is there: systemd-tmpfiles is given it. */
	for (i = 1; file && i < deployment->nr_nodes; i++)
		print_node(file, &deployment->nodes[i]);
	if (file && !fclose(file))
		return text;
	free(text);
	error_set(err, ENOMEM, "out of memory");
	return NULL;
}
