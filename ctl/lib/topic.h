/* SPDX-License-Identifier: GPL-2.0 */
/*
 * MQTT topics. Who publishes a message is not told to who gets it, so the topic has to say it:
 * the first + of a trigger's filter is where the client id of the device is, and the broker
 * has to let each device publish below its own only.
 */
#ifndef COPPICE_TOPIC_H
#define COPPICE_TOPIC_H

#include <stdbool.h>
#include <stddef.h>

#define TOPIC_DEVICE	"%c"	/* a level that stands for the client id, as in mosquitto's ACL */

/* What can be published to, or, with @filter, subscribed to. */
bool topic_is_valid(const char *topic, bool filter);
bool topic_has_level(const char *topic, const char *level);

/* Where @topic, which @filter matches, has the client id, and its length; NULL: it has none. */
const char *topic_device(const char *filter, const char *topic, size_t *len);
/* @pattern with the client id in its place, from malloc(); NULL if out of memory. */
char *topic_for_device(const char *pattern, const char *device);
/* Is @other below the client id, of @len bytes, at @device in @topic? */
bool topic_is_of_device(const char *other, const char *topic, const char *device, size_t len);

#endif /* COPPICE_TOPIC_H */
