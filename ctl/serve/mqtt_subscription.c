// SPDX-License-Identifier: GPL-2.0
/* What the broker is asked for. */
#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "mqtt_parts.h"

/* Ours are not for us, nor is what was said before we came. */
#define OPTIONS		(MQTT_SUB_OPT_NO_LOCAL | MQTT_SUB_OPT_SEND_RETAIN_NEVER)
#define QOS		1
#define ID_MAX		268435455U	/* of four bytes of seven bits */

/*
 * Messages that waited for us in the session have the identifiers of before, so these follow
 * from the filter (FNV-1a). The topic is compared, too.
 */
static uint32_t id_of(const char *filter)
{
	uint32_t hash = 2166136261U;

	for (; *filter; filter++)
		hash = (hash ^ (unsigned char)*filter) * 16777619U;
	return hash % ID_MAX + 1;
}

static void subscribe(struct mqtt *mqtt, struct subscription *subscription)
{
	mosquitto_property *properties = NULL;
	int ret = mosquitto_property_add_varint(&properties, MQTT_PROP_SUBSCRIPTION_IDENTIFIER,
						subscription->id);

	if (!ret)
		ret = mosquitto_subscribe_v5(mqtt->library, &subscription->mid, subscription->filter,
					     QOS, OPTIONS, properties);
	if (ret)
		log_event(LOG_ERR, "mqtt-not-subscribed", "topic", subscription->filter, "reason",
			  mosquitto_strerror(ret), NULL);
	mosquitto_property_free_all(&properties);
}

void mqtt_subscribe_all(struct mqtt *mqtt)
{
	struct subscription *subscription;

	TAILQ_FOREACH(subscription, &mqtt->subscriptions, link)
		subscribe(mqtt, subscription);
}

void mqtt_on_subscribe(struct mosquitto *library, void *data, int mid, int nr, const int *granted,
		       const mosquitto_property *properties)
{
	const struct subscription *subscription;
	struct mqtt *mqtt = data;

	(void)library;
	(void)properties;
	TAILQ_FOREACH(subscription, &mqtt->subscriptions, link)
		if (subscription->mid == mid && nr && granted[0] >= MQTT_RC_UNSPECIFIED)
			log_event(LOG_ERR, "mqtt-not-subscribed", "topic", subscription->filter,
				  "reason", mosquitto_reason_string(granted[0]), NULL);
}

static void want(struct mqtt *mqtt, const char *filter)
{
	struct subscription *subscription;

	TAILQ_FOREACH(subscription, &mqtt->subscriptions, link) {
		if (strcmp(subscription->filter, filter))
			continue;
		subscription->wanted = true;
		return;
	}
	subscription = calloc(1, sizeof(*subscription));
	if (!subscription)
		return;
	*subscription = (struct subscription) {
		.filter = strdup(filter), .id = id_of(filter), .wanted = true,
	};
	if (!subscription->filter) {
		free(subscription);
		return;
	}
	TAILQ_INSERT_TAIL(&mqtt->subscriptions, subscription, link);
	if (mqtt->up)
		subscribe(mqtt, subscription);
}

static void drop(struct mqtt *mqtt, struct subscription *subscription)
{
	TAILQ_REMOVE(&mqtt->subscriptions, subscription, link);
	free(subscription->filter);
	free(subscription);
}

void mqtt_subscriptions_refresh(struct mqtt *mqtt)
{
	struct subscription *subscription, *next;
	const struct pool *pool;
	size_t i;

	TAILQ_FOREACH(subscription, &mqtt->subscriptions, link)
		subscription->wanted = false;
	TAILQ_FOREACH(pool, &mqtt->coordinator->pools, link)
		for (i = 0; !pool->deleted && i < pool->function.nr_triggers; i++)
			want(mqtt, pool->function.triggers[i].topic);
	for (subscription = TAILQ_FIRST(&mqtt->subscriptions); subscription; subscription = next) {
		next = TAILQ_NEXT(subscription, link);
		/* The session has it until the broker is told. */
		if (subscription->wanted || !mqtt->up)
			continue;
		mosquitto_unsubscribe(mqtt->library, NULL, subscription->filter);
		drop(mqtt, subscription);
	}
}

void mqtt_subscriptions_free(struct mqtt *mqtt)
{
	struct subscription *subscription;

	while ((subscription = TAILQ_FIRST(&mqtt->subscriptions)))
		drop(mqtt, subscription);
}
