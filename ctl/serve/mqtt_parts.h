/* SPDX-License-Identifier: GPL-2.0 */
/* Private to mqtt*.c: the parts of it. */
#ifndef COPPICE_MQTT_PARTS_H
#define COPPICE_MQTT_PARTS_H

#include <mosquitto.h>
#include <mqtt_protocol.h>

#include "answers.h"
#include "coordinator.h"
#include "mqtt.h"

/* mqtt_subscription.c: the filters of all functions, each once. */
struct subscription {
	char *filter;
	uint32_t id;		/* that its messages have, the same in every session */
	int mid;		/* of asking for it */
	bool wanted;
	TAILQ_ENTRY(subscription) link;
};

/* Ask for all of them: the connection is new. */
void mqtt_subscribe_all(struct mqtt *mqtt);
/* As functions are now. */
void mqtt_subscriptions_refresh(struct mqtt *mqtt);
void mqtt_subscriptions_free(struct mqtt *mqtt);
void mqtt_on_subscribe(struct mosquitto *library, void *data, int mid, int nr, const int *granted,
		       const mosquitto_property *properties);

/* mqtt_message.c */
void mqtt_on_message(struct mosquitto *library, void *data,
		     const struct mosquitto_message *message,
		     const mosquitto_property *properties);

/* mqtt_answer.c */
void mqtt_answers_send(struct mqtt *mqtt);
void mqtt_answers_free(struct mqtt *mqtt);
void mqtt_on_publish(struct mosquitto *library, void *data, int mid, int reason,
		     const mosquitto_property *properties);
/* An error in the cloud's form, now or never. */
void mqtt_refuse(struct mqtt *mqtt, const struct address *address, const char *type,
		 const char *text);

#endif /* COPPICE_MQTT_PARTS_H */
