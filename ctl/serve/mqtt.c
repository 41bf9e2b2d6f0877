// SPDX-License-Identifier: GPL-2.0
/*
 * The connection to the broker. libmosquitto confirms a message of QoS 1 before it gives it to
 * us. As we say that there are threads, it only puts that into its buffer, which we write out
 * (in mqtt_run()) when the queue has the message on disk.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/file.h"
#include "log.h"
#include "mqtt_parts.h"

#define KEEPALIVE_S	30
#define SESSION_S	(6 * 3600)	/* that the broker keeps messages while we are away */
#define PACKET_MAX	(PAYLOAD_MAX + (128UL << 10))	/* what is not much too large is answered */
#define PAUSE_NS	(500 * NS_PER_MS)
#define PAUSE_MAX_NS	(30 * NS_PER_S)
#define PORT		1883
#define PORT_TLS	8883

/* Names are looked up and connections are made by a thread, which has the library for so long. */
struct reach {
	struct mosquitto *library;
	const char *host;
	int port, fd, ret, error;
	mosquitto_property *properties;
	pthread_t thread;
};

static struct loop *loop_of(const struct mqtt *mqtt)
{
	return &mqtt->coordinator->loop;
}

/*
 * The connection.
 */

static void lost(struct mqtt *mqtt, const char *reason)
{
	if (mqtt->up || !mqtt->failing)
		log_event(LOG_WARNING, mqtt->up ? "mqtt-lost" : "mqtt-unreachable", "broker",
			  mqtt->coordinator->settings.mqtt.broker, "reason",
			  mqtt->refusal ?: reason, NULL);
	/* Two with the same id would have the broker end the other one's in turns. */
	if (mqtt->up && loop_now() - mqtt->since > PAUSE_MAX_NS)
		mqtt->pause_ns = PAUSE_NS;
	mqtt->up = false;
	mqtt->failing = true;
	mqtt->refusal = NULL;
	mqtt->nr_refusing = 0;
	loop_unwatch(loop_of(mqtt), &mqtt->socket);
	loop_at(loop_of(mqtt), &mqtt->again, loop_now() + mqtt->pause_ns);
	mqtt->pause_ns = mqtt->pause_ns * 2 < PAUSE_MAX_NS ? mqtt->pause_ns * 2 : PAUSE_MAX_NS;
}

static const char *reason_of(int ret, int error)
{
	if (ret == MOSQ_ERR_EAI)
		return gai_strerror(error);
	return ret == MOSQ_ERR_ERRNO && error ? strerror(error) : mosquitto_strerror(ret);
}

/* After all that may have ended the connection. */
static void look(struct mqtt *mqtt, int ret)
{
	if (mqtt->socket.fd < 0)
		return;
	if (mosquitto_socket(mqtt->library) < 0)
		lost(mqtt, reason_of(ret ?: MOSQ_ERR_CONN_LOST, errno));
	else
		loop_change(loop_of(mqtt), &mqtt->socket,
			    EPOLLIN | (mosquitto_want_write(mqtt->library) ? EPOLLOUT : 0));
}

/* Reading is also what the handshake of TLS goes on by. */
static void on_ready(struct watch *watch, uint32_t events)
{
	struct mqtt *mqtt = container_of(watch, struct mqtt, socket);
	int ret = mosquitto_loop_read(mqtt->library, 1);

	/* The library does not see each end of a handshake. */
	if (mosquitto_socket(mqtt->library) >= 0 && events & (EPOLLERR | EPOLLHUP))
		lost(mqtt, mosquitto_strerror(MOSQ_ERR_CONN_LOST));
	else
		look(mqtt, ret);
}

static void on_connect(struct mosquitto *library, void *data, int reason, int flags,
		       const mosquitto_property *properties)
{
	struct mqtt *mqtt = data;

	(void)library;
	(void)flags;
	(void)properties;
	if (reason) {
		mqtt->refusal = mosquitto_reason_string(reason);
		return;
	}
	mqtt->up = true;
	mqtt->since = loop_now();
	mqtt->failing = false;
	mqtt->coordinator->queue.answered = true;
	log_event(LOG_NOTICE, "mqtt-connected", "broker", mqtt->coordinator->settings.mqtt.broker, NULL);
	mqtt_subscribe_all(mqtt);
}

/* What the library itself has seen is known where it was called. */
static void on_disconnect(struct mosquitto *library, void *data, int reason,
			  const mosquitto_property *properties)
{
	struct mqtt *mqtt = data;

	(void)library;
	(void)properties;
	if (reason >= MQTT_RC_UNSPECIFIED)
		mqtt->refusal = mosquitto_reason_string(reason);
}

/*
 * Making it.
 */

static void *reach_run(void *data)
{
	struct reach *reach = data;
	uint64_t one = 1;

	reach->ret = mosquitto_connect_bind_v5(reach->library, reach->host, reach->port, KEEPALIVE_S,
					       NULL, reach->properties);
	reach->error = errno;
	(void)!write(reach->fd, &one, sizeof(one));
	return NULL;
}

static void reach_free(struct reach *reach)
{
	if (reach)
		mosquitto_property_free_all(&reach->properties);
	free(reach);
}

static struct reach *reach_new(struct mqtt *mqtt)
{
	struct reach *reach = calloc(1, sizeof(*reach));

	if (!reach)
		return NULL;
	*reach = (struct reach) {
		.library = mqtt->library, .host = mqtt->host, .port = mqtt->port,
		.fd = mqtt->reached.fd,
	};
	if (!mosquitto_property_add_int32(&reach->properties, MQTT_PROP_SESSION_EXPIRY_INTERVAL,
					  SESSION_S) &&
	    !mosquitto_property_add_int32(&reach->properties, MQTT_PROP_MAXIMUM_PACKET_SIZE,
					  PACKET_MAX) &&
	    !pthread_create(&reach->thread, NULL, reach_run, reach))
		return reach;
	reach_free(reach);
	return NULL;
}

static void on_again(struct timer *timer)
{
	struct mqtt *mqtt = container_of(timer, struct mqtt, again);

	mqtt->reach = reach_new(mqtt);
	if (!mqtt->reach)
		lost(mqtt, "out of memory");
}

static void on_reached(struct watch *watch, uint32_t events)
{
	struct mqtt *mqtt = container_of(watch, struct mqtt, reached);
	struct reach *reach = mqtt->reach;
	int ret, error, fd;
	uint64_t ignored;
	struct error err;

	(void)events;
	(void)!read(watch->fd, &ignored, sizeof(ignored));
	pthread_join(reach->thread, NULL);
	ret = reach->ret;
	error = reach->error;
	reach_free(reach);
	mqtt->reach = NULL;
	if (ret) {
		lost(mqtt, reason_of(ret, error));
		return;
	}
	fd = fcntl(mosquitto_socket(mqtt->library), F_DUPFD_CLOEXEC, 0);
	if (fd < 0 || loop_watch(loop_of(mqtt), &mqtt->socket, fd, EPOLLIN, &err)) {
		cleanup_close(&fd);
		lost(mqtt, "there are too many open files");
		return;
	}
	look(mqtt, 0);
}

/*
 * The loop.
 */

void mqtt_tick(struct mqtt *mqtt)
{
	mqtt_subscriptions_refresh(mqtt);
	if (mqtt->socket.fd < 0)
		return;
	/* What TLS has unpacked already is not told by the socket. */
	look(mqtt, mosquitto_loop_read(mqtt->library, 1));
	if (mqtt->socket.fd >= 0)
		look(mqtt, mosquitto_loop_misc(mqtt->library));
	/* There may have been no memory for one. */
	mqtt->coordinator->queue.answered |= mqtt->coordinator->queue.answers > mqtt->nr_sending;
}

void mqtt_run(struct mqtt *mqtt)
{
	int ret;

	if (mqtt->socket.fd < 0)
		return;
	if (mqtt->up && mqtt->coordinator->queue.answered)
		mqtt_answers_send(mqtt);
	mqtt->writing = true;
	ret = mosquitto_want_write(mqtt->library) ? mosquitto_loop_write(mqtt->library, 1) : 0;
	mqtt->writing = false;
	look(mqtt, ret);
}

bool mqtt_is_answering(const struct mqtt *mqtt)
{
	return mqtt->up && mqtt->coordinator->queue.answers;
}

/*
 * The beginning, and the end.
 */

static bool is_this_hub(const char *host)
{
	struct in_addr address;

	return !strcmp(host, "localhost") || !strcmp(host, "::1") ||
	       (inet_pton(AF_INET, host, &address) && ntohl(address.s_addr) >> 24 == IN_LOOPBACKNET);
}

/* HOST[:PORT], an IPv6 address in brackets. */
static int parse_broker(struct mqtt *mqtt, const struct mqtt_settings *settings, struct error *err)
{
	const char *text = settings->broker, *colon = strrchr(text, ':'), *end;
	size_t len;
	char *rest;

	end = colon && colon[1] && !strchr(colon, ']') ? colon : text + strlen(text);
	mqtt->port = settings->ca ? PORT_TLS : PORT;
	if (*end) {
		mqtt->port = strtoul(end + 1, &rest, 10);
		if (*rest || mqtt->port < 1 || mqtt->port > 65535)
			end = text;
	}
	len = end - text;
	if (len > 2 && *text == '[' && end[-1] == ']') {
		text++;
		len -= 2;
	}
	if (!len || len >= sizeof(mqtt->host) || (text == settings->broker && memchr(text, ':', len)))
		return error_usage(err, "'%.80s' is no broker: give HOST or HOST:PORT, an IPv6 address in brackets",
				   settings->broker);
	snprintf(mqtt->host, sizeof(mqtt->host), "%.*s", (int)len, text);
	if (settings->ca || is_this_hub(mqtt->host))
		return 0;
	return error_usage(err, "the broker %s is another machine, and without TLS whoever is between could send as any device: give --mqtt-ca",
			   mqtt->host);
}

static int set_login(struct mqtt *mqtt, const char *path, struct error *err)
{
	char *text, *colon;
	size_t len;
	int ret;

	text = file_read(path, &len, err);
	if (!text)
		return -1;
	text[strcspn(text, "\r\n")] = '\0';
	colon = strchr(text, ':');
	if (colon)
		*colon++ = '\0';
	ret = colon && *text ? mosquitto_username_pw_set(mqtt->library, text, colon) : -1;
	explicit_bzero(text, len);
	free(text);
	return ret ? error_set(err, EINVAL, "%.200s has no USER:PASSWORD: write the broker's into its first line",
			       path) : 0;
}

static int set_tls(struct mqtt *mqtt, const struct mqtt_settings *settings, struct error *err)
{
	const char *files[] = { settings->ca, settings->certificate, settings->key };
	size_t i;

	for (i = 0; i < 3; i++)
		if (files[i] && access(files[i], R_OK))
			return error_set(err, errno, "%.200s cannot be read: %s: give a PEM file", files[i],
					 strerror(errno));
	if (mosquitto_tls_set(mqtt->library, settings->ca, NULL, settings->certificate, settings->key, NULL))
		return error_set(err, EINVAL, "TLS to the broker cannot be used: give --mqtt-ca, and --mqtt-certificate and --mqtt-key or neither");
	return 0;
}

static int make_client(struct mqtt *mqtt, const struct mqtt_settings *settings, struct error *err)
{
	char host[65] = "", id[80];

	gethostname(host, sizeof(host) - 1);
	snprintf(id, sizeof(id), "coppice-%s", host);
	mosquitto_lib_init();
	mqtt->library = mosquitto_new(settings->id ?: id, false, mqtt);
	if (!mqtt->library || mosquitto_threaded_set(mqtt->library, true) ||
	    mosquitto_int_option(mqtt->library, MOSQ_OPT_PROTOCOL_VERSION, MQTT_PROTOCOL_V5))
		return error_set(err, EINVAL, "a client of the broker cannot be made as '%.80s': give another --mqtt-id",
				 settings->id ?: id);
	mosquitto_connect_v5_callback_set(mqtt->library, on_connect);
	mosquitto_disconnect_v5_callback_set(mqtt->library, on_disconnect);
	mosquitto_message_v5_callback_set(mqtt->library, mqtt_on_message);
	mosquitto_publish_v5_callback_set(mqtt->library, mqtt_on_publish);
	mosquitto_subscribe_v5_callback_set(mqtt->library, mqtt_on_subscribe);
	if (settings->login && set_login(mqtt, settings->login, err))
		return -1;
	return settings->ca ? set_tls(mqtt, settings, err) : 0;
}

int mqtt_open(struct mqtt *mqtt, struct coordinator *coordinator, struct error *err)
{
	const struct mqtt_settings *settings = &coordinator->settings.mqtt;
	int fd;

	*mqtt = (struct mqtt) {
		.coordinator = coordinator, .pause_ns = PAUSE_NS, .again.fire = on_again,
		.socket = { .fd = -1, .ready = on_ready },
		.reached = { .fd = -1, .ready = on_reached },
	};
	TAILQ_INIT(&mqtt->subscriptions);
	TAILQ_INIT(&mqtt->sendings);
	if (parse_broker(mqtt, settings, err) || make_client(mqtt, settings, err))
		return -1;
	fd = eventfd(0, EFD_CLOEXEC);
	if (fd < 0)
		return error_set(err, errno, "the broker cannot be waited for: %s", strerror(errno));
	if (loop_watch(loop_of(mqtt), &mqtt->reached, fd, EPOLLIN, err)) {
		close(fd);
		return -1;
	}
	loop_at(loop_of(mqtt), &mqtt->again, loop_now());
	return 0;
}

/* What the thread of a try has is left to it: it ends with the process. */
void mqtt_close(struct mqtt *mqtt)
{
	/* What is confirmed now has to be on disk. */
	queue_commit(&mqtt->coordinator->queue);
	loop_cancel(loop_of(mqtt), &mqtt->again);
	if (!mqtt->reach) {
		mosquitto_disconnect(mqtt->library);
		mqtt->writing = true;
		mosquitto_loop_write(mqtt->library, 1);
		loop_unwatch(loop_of(mqtt), &mqtt->socket);
		loop_unwatch(loop_of(mqtt), &mqtt->reached);
		mosquitto_destroy(mqtt->library);
		mosquitto_lib_cleanup();
	}
	mqtt_subscriptions_free(mqtt);
	mqtt_answers_free(mqtt);
}
