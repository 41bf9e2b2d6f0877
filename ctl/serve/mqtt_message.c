// SPDX-License-Identifier: GPL-2.0
/* Messages that become events: whose they are, and whether they may. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/topic.h"
#include "log.h"
#include "mqtt_parts.h"

#define LARGE	(256UL << 10)	/* not kept in memory until the loop's turn ends */

/* A message for one function, until it is in the queue or refused. */
struct delivery {
	struct mqtt *mqtt;
	struct pool *pool;
	const struct mosquitto_message *message;	/* until the library's callback returns */
	char *device;		/* its client id */
	struct address address;	/* where the answer goes; no topic: nowhere */
	bool astray;		/* its sender wanted it where it is not theirs */
};

static void delivery_free(struct delivery *delivery)
{
	free(delivery->device);
	free(delivery->address.topic);
	free(delivery->address.correlation);
	free(delivery);
}

/*
 * The hub may publish to all devices, so who may name the topic of an answer could have it
 * publish what they may not themselves: to other devices, as the hub.
 */
static bool find_address(struct delivery *delivery, const struct function_trigger *trigger,
			 const char *device, const mosquitto_property *properties)
{
	struct address *address = &delivery->address;
	char *wanted = NULL;

	mosquitto_property_read_binary(properties, MQTT_PROP_CORRELATION_DATA, &address->correlation,
				       &address->len, false);
	mosquitto_property_read_string(properties, MQTT_PROP_RESPONSE_TOPIC, &wanted, false);
	if (wanted && topic_is_of_device(wanted, delivery->message->topic, device,
					 strlen(delivery->device))) {
		address->topic = wanted;
		return true;
	}
	delivery->astray = wanted;
	free(wanted);
	if (trigger->response)
		address->topic = topic_for_device(trigger->response, delivery->device);
	return !trigger->response || address->topic;
}

static struct delivery *delivery_new(struct mqtt *mqtt, struct pool *pool,
				     const struct function_trigger *trigger,
				     const struct mosquitto_message *message,
				     const mosquitto_property *properties)
{
	struct delivery *delivery = calloc(1, sizeof(*delivery));
	size_t len = 0;
	const char *device = topic_device(trigger->topic, message->topic, &len);

	if (!delivery)
		return NULL;
	delivery->mqtt = mqtt;
	delivery->pool = pool;
	delivery->message = message;
	/* Nobody's is the id of no device. */
	delivery->device = device ? strndup(device, len) : strdup("");
	if (delivery->device && find_address(delivery, trigger, device ?: message->topic, properties))
		return delivery;
	delivery_free(delivery);
	return NULL;
}

static void refuse(struct delivery *delivery, const char *type, const char *text)
{
	log_event(LOG_NOTICE, "mqtt-refused", "function", delivery->pool->function.name, "device",
		  delivery->device, "reason", text, NULL);
	mqtt_refuse(delivery->mqtt, &delivery->address, type, text);
	delivery_free(delivery);
}

/* The broker is told of the message after this. */
static void stored(struct request *request, bool done)
{
	struct delivery *delivery = request->data;

	if (done) {
		log_event(LOG_INFO, "mqtt-event", "function", delivery->pool->function.name, "request",
			  request->id, "device", delivery->device, NULL);
		delivery_free(delivery);
	} else {
		refuse(delivery, "ServiceUnavailableException", "the event cannot be kept: see the coordinator's log");
	}
	request_free(request);
}

/* Who sends nothing means an empty event. */
static struct request *make_request(const struct delivery *delivery)
{
	const struct mosquitto_message *message = delivery->message;
	const char *payload = message->payloadlen ? message->payload : "{}";
	size_t len = message->payloadlen ?: 2;
	char *copy = malloc(len + 1);

	if (!copy)
		return NULL;
	memcpy(copy, payload, len);
	return request_new(copy, len);
}

static void store(struct delivery *delivery)
{
	struct coordinator *coordinator = delivery->mqtt->coordinator;
	struct request *request = make_request(delivery);
	size_t len;

	if (!request) {
		refuse(delivery, "ServiceUnavailableException", "the hub has no memory left");
		return;
	}
	len = request->len;
	request->held = &coordinator->http.held;
	*request->held += len;
	request->pool = delivery->pool;
	request->data = delivery;
	request->address = delivery->address.topic ? &delivery->address : NULL;
	queue_add(&coordinator->queue, request, stored);
	if (len > LARGE)
		queue_commit(&coordinator->queue);
}

static void take(struct delivery *delivery)
{
	struct pool *pool = delivery->pool;
	struct coordinator *coordinator = pool->coordinator;
	const struct credential credential = { CREDENTIAL_MQTT, delivery->device };
	char text[256];

	if (!admission_device_may(coordinator, &credential, pool)) {
		refuse(delivery, admission_refusal(coordinator, &credential, pool, text, sizeof(text)), text);
	} else if (delivery->astray) {
		refuse(delivery, "InvalidParameterValueException",
		       "the response topic is not below the device's own level: ask for one that is");
	} else if ((size_t)delivery->message->payloadlen > PAYLOAD_MAX) {
		snprintf(text, sizeof(text), "Request must be smaller than %lu bytes for the InvokeFunction operation",
			 PAYLOAD_MAX);
		refuse(delivery, "RequestTooLargeException", text);
	} else if (queue_is_full(&coordinator->queue)) {
		pool->throttled++;
		refuse(delivery, "TooManyRequestsException", "too many events are queued");
	} else {
		store(delivery);
	}
}

static const struct function_trigger *trigger_of(const struct pool *pool, const char *filter)
{
	size_t i;

	for (i = 0; !pool->deleted && i < pool->function.nr_triggers; i++)
		if (!strcmp(pool->function.triggers[i].topic, filter))
			return &pool->function.triggers[i];
	return NULL;
}

/* To all functions that have the filter; their number. */
static unsigned int deliver(struct mqtt *mqtt, const char *filter,
			    const struct mosquitto_message *message,
			    const mosquitto_property *properties)
{
	const struct function_trigger *trigger;
	struct delivery *delivery;
	unsigned int nr = 0;
	struct pool *pool;

	TAILQ_FOREACH(pool, &mqtt->coordinator->pools, link) {
		trigger = trigger_of(pool, filter);
		if (!trigger)
			continue;
		nr++;
		delivery = delivery_new(mqtt, pool, trigger, message, properties);
		if (delivery)
			take(delivery);
		else
			log_event(LOG_ERR, "mqtt-lost-message", "function", pool->function.name,
				  "reason", "out of memory", NULL);
	}
	return nr;
}

/* By identifiers: a message that two filters match comes once or twice, as the broker likes. */
void mqtt_on_message(struct mosquitto *library, void *data,
		     const struct mosquitto_message *message,
		     const mosquitto_property *properties)
{
	const mosquitto_property *at = properties;
	const struct subscription *subscription;
	struct mqtt *mqtt = data;
	unsigned int nr = 0;
	bool matches, again = false;
	uint32_t id;

	(void)library;
	mqtt->messages++;
	while ((at = mosquitto_property_read_varint(at, MQTT_PROP_SUBSCRIPTION_IDENTIFIER, &id,
						    again))) {
		again = true;
		TAILQ_FOREACH(subscription, &mqtt->subscriptions, link)
			if (subscription->id == id &&
			    !mosquitto_topic_matches_sub(subscription->filter, message->topic, &matches) && matches)
				nr += deliver(mqtt, subscription->filter, message, properties);
	}
	if (nr)
		return;
	mqtt->strays++;
	log_event(LOG_NOTICE, "mqtt-stray", "topic", message->topic, "reason",
		  "no function has asked for it", NULL);
}
