/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Messages of an MQTT broker that are events of functions, as their manifests say ("triggers"),
 * by libmosquitto in the loop. A message becomes an event of the queue before the broker is
 * told that it is here; what comes of it is an answer of answers.h.
 *
 *	mqtt.c			the connection
 *	mqtt_subscription.c	what the broker is asked for
 *	mqtt_message.c		messages in: whose, whether they may, into the queue
 *	mqtt_answer.c		answers out
 */
#ifndef COPPICE_MQTT_H
#define COPPICE_MQTT_H

#include "loop.h"

struct coordinator;
struct mosquitto;
struct reach;

struct mqtt_settings {
	const char *broker;	/* HOST[:PORT], or NULL: there is none */
	const char *id;		/* client id; NULL: by the host's name */
	const char *login;	/* a file with USER:PASSWORD, or NULL */
	const char *ca, *certificate, *key;	/* files, or NULL */
};

struct mqtt {
	struct coordinator *coordinator;
	struct mosquitto *library;
	char host[256];
	int port;
	bool up;		/* the broker has taken us */
	bool failing;		/* which was said */
	bool writing;		/* in the library's own writing */
	uint64_t since;		/* when that was */
	const char *refusal;	/* the broker's reason, of this connection */
	struct watch socket;	/* a duplicate, as a watch closes what it has */
	struct watch reached;	/* readable when a try to connect has ended */
	struct reach *reach;	/* that try, or NULL */
	struct timer again;	/* the next one */
	uint64_t pause_ns;	/* before that */
	TAILQ_HEAD(subscriptions, subscription) subscriptions;
	TAILQ_HEAD(sendings, sending) sendings;	/* answers that the broker has not confirmed */
	unsigned int nr_sending, nr_refusing;
	size_t sending_bytes;
	uint64_t messages, refused, strays;	/* counted since the start */
};

int __must_check mqtt_open(struct mqtt *mqtt, struct coordinator *coordinator, struct error *err);
void mqtt_close(struct mqtt *mqtt);
/* Each second. */
void mqtt_tick(struct mqtt *mqtt);
/* Before the loop waits, and after the queue has written what came. */
void mqtt_run(struct mqtt *mqtt);
/* Are there answers that can be sent now? */
bool mqtt_is_answering(const struct mqtt *mqtt);

#endif /* COPPICE_MQTT_H */
