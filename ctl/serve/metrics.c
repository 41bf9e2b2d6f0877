// SPDX-License-Identifier: GPL-2.0
/* Numbers for monitors. A function's name needs no quoting: see lib/name.c. */
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include "memory.h"
#include "metrics.h"

struct metric {
	const char *name, *kind, *help;
	size_t offset;
	bool seconds;		/* of nanoseconds */
};

#define COUNTER(field, text) \
	{ #field "_total", "counter", text, offsetof(struct pool, field), false }

static const struct metric counters[] = {
	COUNTER(invocations, "Events handed to tasks"),
	COUNTER(errors, "Events whose handler reported an error"),
	COUNTER(crashes, "Events whose task ended or was ended"),
	COUNTER(timeouts, "Events that took longer than they may"),
	COUNTER(throttled, "Requests refused, as too many were before them"),
	COUNTER(forwarded, "Requests answered by another hub or the cloud"),
	COUNTER(forward_failures, "Requests forwarded in vain"),
	COUNTER(cold_starts, "Tasks started, spares not counted"),
	COUNTER(resets, "Tasks put back to their image"),
	{ "duration_seconds_total", "counter", "Time that events took", offsetof(struct pool, duration_ns), true },
	{ "duration_seconds", "gauge", "What an event takes, the last ones counting most",
	  offsetof(struct pool, mean_ns), true },
};

static const struct metric gauges[] = {
	{ "tasks", "gauge", "Tasks", offsetof(struct pool, nr_tasks), false },
	{ "tasks_idle", "gauge", "Tasks that wait for an event", offsetof(struct pool, nr_idle), false },
	{ "tasks_spare", "gauge", "Tasks that wait for any function of the group", offsetof(struct pool, nr_idle_spares), false },
	{ "waiting", "gauge", "Requests that wait for a task", offsetof(struct pool, nr_waiting), false },
};

static void put_head(FILE *to, const struct metric *metric)
{
	fprintf(to, "# HELP coppice_function_%s %s\n# TYPE coppice_function_%s %s\n", metric->name,
		metric->help, metric->name, metric->kind);
}

static void put_counter(FILE *to, const struct metric *metric, const struct pool *pool)
{
	uint64_t value = *(const uint64_t *)((const char *)pool + metric->offset);

	fprintf(to, "coppice_function_%s{function=\"%s\"} ", metric->name, pool->function.name);
	if (metric->seconds)
		fprintf(to, "%.6f\n", (double)value / NS_PER_S);
	else
		fprintf(to, "%" PRIu64 "\n", value);
}

static void put_gauge(FILE *to, const struct metric *metric, const struct pool *pool)
{
	fprintf(to, "coppice_function_%s{function=\"%s\"} %u\n", metric->name, pool->function.name,
		*(const unsigned int *)((const char *)pool + metric->offset));
}

static void put_pools(FILE *to, const struct coordinator *coordinator)
{
	const struct pool *pool;
	size_t i;

	for (i = 0; i < sizeof(counters) / sizeof(counters[0]); i++) {
		put_head(to, &counters[i]);
		TAILQ_FOREACH(pool, &coordinator->pools, link)
			put_counter(to, &counters[i], pool);
	}
	for (i = 0; i < sizeof(gauges) / sizeof(gauges[0]); i++) {
		put_head(to, &gauges[i]);
		TAILQ_FOREACH(pool, &coordinator->pools, link)
			put_gauge(to, &gauges[i], pool);
	}
}

static void put_one(FILE *to, const char *name, const char *help, uint64_t value)
{
	fprintf(to, "# HELP coppice_%s %s\n# TYPE coppice_%s gauge\ncoppice_%s %" PRIu64 "\n", name,
		help, name, name, value);
}

void metrics_reply(struct exchange *exchange, const struct coordinator *coordinator)
{
	char *text = NULL;
	size_t len = 0;
	FILE *to = open_memstream(&text, &len);

	if (to) {
		put_pools(to, coordinator);
		put_one(to, "queue_events", "Asynchronous events that have not run to their end",
			coordinator->queue.stored);
		put_one(to, "queue_dead", "Asynchronous events that were given up", coordinator->queue.dead);
		put_one(to, "answers_waiting", "Answers to messages that the broker has not confirmed",
			coordinator->queue.answers);
		put_one(to, "mqtt_connected", "Whether the broker has taken this hub", coordinator->mqtt.up);
		put_one(to, "mqtt_messages", "Messages that came from the broker", coordinator->mqtt.messages);
		put_one(to, "mqtt_refused", "Messages that may not be events, or could not",
			coordinator->mqtt.refused);
		put_one(to, "mqtt_strays", "Messages that no function has asked for", coordinator->mqtt.strays);
		put_one(to, "body_bytes", "Memory that requests and answers take",
			coordinator->http.held + coordinator->secure.held);
		put_one(to, "devices_refused", "Requests of devices that may not make them",
			coordinator->admission.refused);
		put_one(to, "memory_available_bytes", "Memory of the hub that is available",
			memory_available());
		fclose(to);
	}
	exchange_answer(exchange, text ? MHD_HTTP_OK : MHD_HTTP_SERVICE_UNAVAILABLE,
			"text/plain; version=0.0.4", text, len);
	exchange_send(exchange);
}
