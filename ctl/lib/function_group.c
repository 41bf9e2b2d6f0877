// SPDX-License-Identifier: GPL-2.0
/*
 * Which functions share a group.
 *
 * A task of a group may be used for any function of it, with what the last event left where that is
 * not reset, and under the overrides and the rights of the group. So all has to be equal that a
 * function could tell from within, or that somebody could mind whom it is shared with. Limits are
 * each function's own: they are kept by who starts the tasks.
 */
#include <stdio.h>
#include <string.h>

#include "digest.h"
#include "function_field.h"
#include "function_group.h"
#include "user.h"

#define STEM_MAX	32	/* characters of a group's name that say what is in it */
#define HEX		24	/* that make it the only one of its kind */

const char *const function_rules[NR_FUNCTION_RULES] = {
	[FUNCTION_TOGETHER] = "code, runtime, owner, trust domain, environment, overrides, libraries and grants are the same",
	[FUNCTION_OWNER] = "they have different owners, who are not to see each other's memory",
	[FUNCTION_DOMAIN] = "they are of different trust domains",
	[FUNCTION_ALONE] = "one of them forbids sharing (\"share\": false)",
	[FUNCTION_RUNTIME] = "they have different runtimes",
	[FUNCTION_CODE_DIFFERS] = "they have different code, or are loaded and warmed differently",
	[FUNCTION_ENVIRONMENT] = "they have different environments, and code may have read its own while it was loaded",
	[FUNCTION_OVERRIDES] = "they have different overrides, which hold for a group",
	[FUNCTION_LIBRARIES] = "they have different library overrides, which are part of an image",
	[FUNCTION_GRANTS] = "they have different grants, which tasks of one group have in common",
};

enum function_rule function_apart(const struct function *a, const struct function *b)
{
	bool same = !strcmp(a->name, b->name);

	if (a->owner != b->owner)
		return FUNCTION_OWNER;
	if (strcmp(a->trust_domain, b->trust_domain))
		return FUNCTION_DOMAIN;
	if (!same && (!a->share || !b->share))
		return FUNCTION_ALONE;
	if (a->runtime != b->runtime)
		return FUNCTION_RUNTIME;
	if (strcmp(a->digest, b->digest))
		return FUNCTION_CODE_DIFFERS;
	if (!texts_equal(a->environment, b->environment))
		return FUNCTION_ENVIRONMENT;
	if (!texts_equal(a->overrides, b->overrides))
		return FUNCTION_OVERRIDES;
	if (!texts_equal(a->libraries, b->libraries))
		return FUNCTION_LIBRARIES;
	if (strcmp(a->grants ?: "", b->grants ?: ""))
		return FUNCTION_GRANTS;
	return FUNCTION_TOGETHER;
}

bool function_pages_meet(const struct function *a, const struct function *b)
{
	return a->owner == b->owner && a->mode == FUNCTION_IMAGE && b->mode == FUNCTION_IMAGE &&
	       a->runtime == b->runtime;
}

/*
 * The name.
 */

/* "store" of "lib/store.py"; what no name may begin with is cut off. */
static void stem_of(const struct function *function, char stem[STEM_MAX + 1])
{
	const char *path = function->file ? function->file : function->command[0];
	const char *base = strrchr(path, '/');
	char *c;

	snprintf(stem, STEM_MAX + 1, "%.*s", STEM_MAX, base ? base + 1 : path);
	c = *stem ? strchr(stem + 1, '.') : NULL;
	if (c)
		*c = '\0';
	for (c = stem; *c; c++)
		if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-", *c))
			*c = '_';
	if (*stem == '-' || !*stem)
		snprintf(stem, STEM_MAX + 1, "f");
}

static int key_of(const struct function *function, char key[DIGEST_SIZE], struct error *err)
{
	struct digest digest;

	if (digest_open(&digest, err))
		return -1;
	digest_text(&digest, function->digest);
	digest_text(&digest, function_runtimes[function->runtime]);
	digest_add(&digest, &function->owner, sizeof(function->owner));
	digest_text(&digest, function->trust_domain);
	digest_texts(&digest, function->environment);
	digest_texts(&digest, function->overrides);
	digest_texts(&digest, function->libraries);
	digest_text(&digest, function->grants);
	digest_text(&digest, function->share ? NULL : function->name);
	digest_close(&digest, key);
	return 0;
}

int function_group_name(const struct function *function, char name[IMAGE_NAME_MAX + 1],
			struct error *err)
{
	char stem[STEM_MAX + 1], key[DIGEST_SIZE];

	stem_of(function, stem);
	if (key_of(function, key, err))
		return -1;
	snprintf(name, IMAGE_NAME_MAX + 1, "%s-%.*s", stem, HEX, key);
	return 0;
}

/*
 * Why.
 */

static void say(json_t *sentences, json_t *sentence)
{
	json_array_append_new(sentences, sentence);
}

static void say_mode(json_t *sentences, const struct function *function)
{
	char group[IMAGE_NAME_MAX + 1];
	struct error ignored;

	if (function_group_name(function, group, &ignored))
		return;
	say(sentences, json_sprintf("%s is in group %s, whose tasks run as %s.", function->name, group,
				    user_name(function->owner)));
	if (function->mode == FUNCTION_IMAGE)
		say(sentences, json_sprintf("Its tasks enter image %s, in which its code is loaded already.",
					    group));
	else
		say(sentences, json_sprintf("Its tasks are ordinary processes: %s.",
					    function->reason ? function->reason : "its code can't be checkpointed"));
	if (!function->share)
		say(sentences, json_string("It is alone there: its manifest forbids sharing (\"share\": false)."));
}

static void say_other(json_t *sentences, const struct function *function,
		      const struct function *other)
{
	enum function_rule rule = function_apart(function, other);

	if (rule == FUNCTION_TOGETHER) {
		say(sentences, json_sprintf("It shares the group with %s: %s.", other->name,
					    function_rules[rule]));
		return;
	}
	say(sentences, json_sprintf("It does not share the group with %s: %s.", other->name,
				    function_rules[rule]));
	if (function_pages_meet(function, other))
		say(sentences, json_sprintf("But in the module's store pages that its image and that of %s have alike are there once, as both are %s of one owner.",
					    other->name, function_runtimes[function->runtime]));
}

json_t *function_why(const struct function *function, const struct function *others, size_t nr)
{
	json_t *sentences = json_array();
	size_t i, met = 0;

	say_mode(sentences, function);
	for (i = 0; i < nr; i++) {
		if (!strcmp(others[i].name, function->name))
			continue;
		say_other(sentences, function, &others[i]);
		met++;
	}
	if (!met)
		say(sentences, json_string("There is no other function that it could share it with."));
	return sentences;
}
