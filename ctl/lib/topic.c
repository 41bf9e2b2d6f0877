// SPDX-License-Identifier: GPL-2.0
/* MQTT topics. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "topic.h"

#define TOPIC_MAX	65535
#define SLASHES_MAX	200	/* of libmosquitto and mosquitto */

/* + is a level, # the last level; in a topic that is published to there is neither. */
bool topic_is_valid(const char *topic, bool filter)
{
	unsigned int slashes = 0;
	const char *c;

	if (!*topic || strlen(topic) > TOPIC_MAX || (!filter && strpbrk(topic, "+#")))
		return false;
	for (c = topic; *c; c++) {
		if ((*c == '+' || *c == '#') && c > topic && c[-1] != '/')
			return false;
		if ((*c == '#' && c[1]) || (*c == '+' && c[1] && c[1] != '/'))
			return false;
		slashes += *c == '/';
	}
	return slashes <= SLASHES_MAX;
}

/* The next level, or NULL; of this one the length. */
static const char *next_level(const char *level, size_t *len)
{
	*len = strcspn(level, "/");
	return level[*len] ? level + *len + 1 : NULL;
}

static bool is_level(const char *level, size_t len, const char *text)
{
	return len == strlen(text) && !strncmp(level, text, len);
}

bool topic_has_level(const char *topic, const char *level)
{
	const char *next;
	size_t len;

	for (; topic; topic = next) {
		next = next_level(topic, &len);
		if (is_level(topic, len, level))
			return true;
	}
	return false;
}

const char *topic_device(const char *filter, const char *topic, size_t *len)
{
	const char *next_filter, *next_topic;
	size_t filter_len;

	while (filter && topic) {
		next_filter = next_level(filter, &filter_len);
		next_topic = next_level(topic, len);
		if (is_level(filter, filter_len, "+"))
			return *len ? topic : NULL;
		filter = next_filter;
		topic = next_topic;
	}
	return NULL;
}

char *topic_for_device(const char *pattern, const char *device)
{
	const char *level, *next;
	char *topic = NULL;
	size_t len, ignored;
	FILE *to = open_memstream(&topic, &ignored);

	if (!to)
		return NULL;
	for (level = pattern; level; level = next) {
		next = next_level(level, &len);
		if (is_level(level, len, TOPIC_DEVICE))
			fputs(device, to);
		else
			fwrite(level, 1, len, to);
		if (next)
			fputc('/', to);
	}
	if (!fclose(to))
		return topic;
	free(topic);
	return NULL;
}

bool topic_is_of_device(const char *other, const char *topic, const char *device, size_t len)
{
	size_t own = device - topic + len;

	return topic_is_valid(other, false) && !strncmp(other, topic, own) &&
	       other[own] == '/' && other[own + 1];
}
