// SPDX-License-Identifier: GPL-2.0
/* Answers to the broker. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "mqtt_parts.h"

#define SENDING_MAX	16
#define SENDING_BYTES	(16UL << 20)
#define REFUSING_MAX	1000	/* that the broker does not take; more are not said */

/* The library has it until it is confirmed, on this connection or a later one. */
struct sending {
	char id[REQUEST_ID_SIZE];
	int mid;
	size_t len;
	TAILQ_ENTRY(sending) link;
};

static int add_properties(mosquitto_property **to, const struct answer *answer)
{
	int ret = mosquitto_property_add_string(to, MQTT_PROP_CONTENT_TYPE, "application/json");

	if (!ret && answer->correlation)
		ret = mosquitto_property_add_binary(to, MQTT_PROP_CORRELATION_DATA, answer->correlation,
						    answer->correlation_len);
	if (!ret && answer->id)
		ret = mosquitto_property_add_string_pair(to, MQTT_PROP_USER_PROPERTY,
							 "x-amzn-RequestId", answer->id);
	if (!ret && answer->error)
		ret = mosquitto_property_add_string_pair(to, MQTT_PROP_USER_PROPERTY,
							 "X-Amz-Function-Error", answer->error);
	return ret;
}

static int publish(struct mqtt *mqtt, int *mid, int qos, const struct answer *answer)
{
	mosquitto_property *properties = NULL;
	int ret = add_properties(&properties, answer);

	if (!ret)
		ret = mosquitto_publish_v5(mqtt->library, mid, answer->topic, answer->len, answer->body,
					   qos, false, properties);
	mosquitto_property_free_all(&properties);
	return ret;
}

static bool is_being_sent(const struct mqtt *mqtt, const char *id)
{
	const struct sending *sending;

	TAILQ_FOREACH(sending, &mqtt->sendings, link)
		if (!strcmp(sending->id, id))
			return true;
	return false;
}

/* No other time would be better. */
static void give_up(struct mqtt *mqtt, const struct answer *answer, const char *reason)
{
	log_event(LOG_ERR, "answer-lost", "request", answer->id, "topic", answer->topic, "reason",
		  reason, NULL);
	answers_forget(&mqtt->coordinator->queue, answer->id, answer->len);
}

static bool send_one(const struct answer *answer, void *data)
{
	struct mqtt *mqtt = data;
	struct sending *sending;
	int ret;

	if (is_being_sent(mqtt, answer->id))
		return true;
	if (mqtt->nr_sending == SENDING_MAX ||
	    (mqtt->nr_sending && mqtt->sending_bytes + answer->len > SENDING_BYTES))
		return false;
	sending = calloc(1, sizeof(*sending));
	if (!sending)
		return false;
	ret = publish(mqtt, &sending->mid, 1, answer);
	/* Without a connection the library keeps it for the next one. */
	if (ret && ret != MOSQ_ERR_NO_CONN) {
		free(sending);
		if (ret != MOSQ_ERR_NOMEM)
			give_up(mqtt, answer, mosquitto_strerror(ret));
		return ret != MOSQ_ERR_NOMEM;
	}
	snprintf(sending->id, sizeof(sending->id), "%s", answer->id);
	sending->len = answer->len;
	TAILQ_INSERT_TAIL(&mqtt->sendings, sending, link);
	mqtt->nr_sending++;
	mqtt->sending_bytes += answer->len;
	return true;
}

void mqtt_answers_send(struct mqtt *mqtt)
{
	struct queue *queue = &mqtt->coordinator->queue;

	queue->answered = false;
	answers_each(queue, mqtt->nr_sending + SENDING_MAX, send_one, mqtt);
}

static void sending_free(struct mqtt *mqtt, struct sending *sending)
{
	TAILQ_REMOVE(&mqtt->sendings, sending, link);
	mqtt->nr_sending--;
	mqtt->sending_bytes -= sending->len;
	free(sending);
}

static void confirmed(struct mqtt *mqtt, struct sending *sending, int reason)
{
	struct queue *queue = &mqtt->coordinator->queue;

	if (reason >= MQTT_RC_UNSPECIFIED)
		log_event(LOG_ERR, "answer-lost", "request", sending->id, "reason",
			  mosquitto_reason_string(reason), NULL);
	else
		log_event(LOG_INFO, "answer-sent", "request", sending->id, NULL);
	answers_forget(queue, sending->id, sending->len);
	sending_free(mqtt, sending);
	queue->answered = queue->answers > mqtt->nr_sending;
}

/* Refusals are not confirmed: they are told of when they are written. */
void mqtt_on_publish(struct mosquitto *library, void *data, int mid, int reason,
		     const mosquitto_property *properties)
{
	struct mqtt *mqtt = data;
	struct sending *sending;

	(void)library;
	(void)properties;
	if (mqtt->writing) {
		mqtt->nr_refusing -= !!mqtt->nr_refusing;
		return;
	}
	TAILQ_FOREACH(sending, &mqtt->sendings, link) {
		if (sending->mid != mid)
			continue;
		confirmed(mqtt, sending, reason);
		return;
	}
}

void mqtt_answers_free(struct mqtt *mqtt)
{
	struct sending *sending;

	while ((sending = TAILQ_FIRST(&mqtt->sendings)))
		sending_free(mqtt, sending);
}

void mqtt_refuse(struct mqtt *mqtt, const struct address *address, const char *type,
		 const char *text)
{
	struct outcome outcome = {};
	struct answer answer;

	mqtt->refused++;
	if (!address->topic || !mqtt->up || mqtt->nr_refusing == REFUSING_MAX)
		return;
	outcome_error(&outcome, type, "%s", text);
	answer = (struct answer) {
		.topic = address->topic, .error = "Unhandled", .correlation = address->correlation,
		.correlation_len = address->len, .body = outcome.body, .len = outcome.len,
	};
	mqtt->nr_refusing += !publish(mqtt, NULL, 0, &answer);
	free(outcome.body);
}
