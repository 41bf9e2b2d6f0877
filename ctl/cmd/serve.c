// SPDX-License-Identifier: GPL-2.0
/* coppice serve: the coordinator. */
#include "cmd.h"
#include "lib/file.h"
#include "lib/name.h"
#include "serve/coordinator.h"
#include "serve/standing.h"

#define SOCKET		RUN_DIRECTORY "/serve.sock"
#define PORT		3001
#define SECONDS_MAX	86400
#define HOPS_MAX	8
#define FORWARDS_MAX	1000
#define LOAD_MAX	100000
#define SPARES_MAX	100000
#define RESERVE		(64ULL << 20)

enum {
	OPTION_SOCKET = 256, OPTION_PORT, OPTION_WAIT, OPTION_RETRY, OPTION_IDLE, OPTION_RESERVE,
	OPTION_ANY_USER, OPTION_LISTEN, OPTION_CERTIFICATE, OPTION_KEY, OPTION_CA, OPTION_HOPS,
	OPTION_FORWARDS, OPTION_LOAD, OPTION_SPARES, OPTION_NO_SPARES, OPTION_MQTT, OPTION_MQTT_ID, OPTION_MQTT_LOGIN,
	OPTION_MQTT_CA, OPTION_MQTT_CERTIFICATE, OPTION_MQTT_KEY,
};

static const struct argp_option options[] = {
	{ .name = "socket", .key = OPTION_SOCKET, .arg = "PATH",
	  .doc = "listen on this unix socket (default: " SOCKET ")" },
	{ .name = "port", .key = OPTION_PORT, .arg = "N",
	  .doc = "listen on this port of the loopback interface (default: 3001; 0: on none)" },
	{ .name = "wait", .key = OPTION_WAIT, .arg = "SECONDS",
	  .doc = "refuse a request that is not begun in this time, or at once if it won't be (default: 10)" },
	{ .name = "retry", .key = OPTION_RETRY, .arg = "SECONDS",
	  .doc = "try an asynchronous event that failed again after this time, and after twice that (default: 60)" },
	{ .name = "idle", .key = OPTION_IDLE, .arg = "SECONDS",
	  .doc = "end tasks that had nothing to do for this time (default: 600)" },
	{ .name = "reserve", .key = OPTION_RESERVE, .arg = "BYTES",
	  .doc = "start no task while the hub has less memory available (default: 64M)" },
	{ .name = "any-user", .key = OPTION_ANY_USER,
	  .doc = "let every user of the hub invoke every function, not only root and its owner" },
	{ .name = "listen", .key = OPTION_LISTEN, .arg = "ADDRESS:PORT",
	  .doc = "listen there for devices and other hubs, by TLS" },
	{ .name = "certificate", .key = OPTION_CERTIFICATE, .arg = "FILE",
	  .doc = "this hub's certificate, and those between it and the authority, in PEM" },
	{ .name = "key", .key = OPTION_KEY, .arg = "FILE",
	  .doc = "its private key, in PEM" },
	{ .name = "ca", .key = OPTION_CA, .arg = "FILE",
	  .doc = "the authority that signs certificates of devices and hubs, in PEM" },
	{ .name = "hops", .key = OPTION_HOPS, .arg = "N",
	  .doc = "forward no request that as many hubs have had (default: 3; 0: forward nothing)" },
	{ .name = "forwards", .key = OPTION_FORWARDS, .arg = "N",
	  .doc = "have as many requests under way to others at a time (default: 16)" },
	{ .name = "load", .key = OPTION_LOAD, .arg = "PERCENT",
	  .doc = "start no task while the last minute's load is above this share of all processors (default: 0, at any load)" },
	{ .name = "spares", .key = OPTION_SPARES, .arg = "N",
	  .doc = "have a task ready for as many groups that are not in use, those that were last or are newest "
		 "(default: one for each 32 MiB of the hub's memory)" },
	{ .name = "no-spares", .key = OPTION_NO_SPARES,
	  .doc = "start no task before there is an event for it, but what functions want to have warm" },
	{ .name = "mqtt", .key = OPTION_MQTT, .arg = "HOST[:PORT]",
	  .doc = "have messages of this MQTT broker be events, as functions' triggers say" },
	{ .name = "mqtt-id", .key = OPTION_MQTT_ID, .arg = "ID",
	  .doc = "be this client of the broker, which no other is (default: coppice-HOSTNAME)" },
	{ .name = "mqtt-login", .key = OPTION_MQTT_LOGIN, .arg = "FILE",
	  .doc = "tell the broker the USER:PASSWORD of the file's first line" },
	{ .name = "mqtt-ca", .key = OPTION_MQTT_CA, .arg = "FILE",
	  .doc = "have TLS with a broker that this authority has signed, in PEM; needed but on this hub" },
	{ .name = "mqtt-certificate", .key = OPTION_MQTT_CERTIFICATE, .arg = "FILE",
	  .doc = "show the broker this certificate, in PEM" },
	{ .name = "mqtt-key", .key = OPTION_MQTT_KEY, .arg = "FILE",
	  .doc = "its private key, in PEM" },
	{}
};

static int number(const char *what, const char *arg, uint64_t max, unsigned int *to,
		  struct error *err)
{
	uint64_t value;

	if (number_parse(what, arg, max, &value, err))
		return -1;
	*to = value;
	return 0;
}

static int seconds(const char *what, const char *arg, unsigned int *to, struct error *err)
{
	return number(what, arg, SECONDS_MAX, to, err);
}

static const char **mqtt_text(int key, struct mqtt_settings *mqtt)
{
	switch (key) {
	case OPTION_MQTT:
		return &mqtt->broker;
	case OPTION_MQTT_ID:
		return &mqtt->id;
	case OPTION_MQTT_LOGIN:
		return &mqtt->login;
	case OPTION_MQTT_CA:
		return &mqtt->ca;
	case OPTION_MQTT_CERTIFICATE:
		return &mqtt->certificate;
	case OPTION_MQTT_KEY:
		return &mqtt->key;
	}
	return NULL;
}

static int option(int key, char *arg, void *data, struct error *err)
{
	struct settings *settings = data;
	const char **text = mqtt_text(key, &settings->mqtt);

	if (text) {
		*text = arg;
		return 0;
	}

	switch (key) {
	case OPTION_SOCKET:
		settings->socket = arg;
		return 0;
	case OPTION_PORT:
		return number("a port", arg, 65535, &settings->port, err);
	case OPTION_WAIT:
		return seconds("a number of seconds", arg, &settings->wait_s, err);
	case OPTION_RETRY:
		return seconds("a number of seconds", arg, &settings->retry_s, err);
	case OPTION_IDLE:
		return seconds("a number of seconds", arg, &settings->idle_s, err);
	case OPTION_RESERVE:
		return bytes_parse("the memory to keep available", arg, &settings->reserve, err);
	case OPTION_ANY_USER:
		settings->any_user = true;
		return 0;
	case OPTION_LISTEN:
		settings->listen = arg;
		return 0;
	case OPTION_CERTIFICATE:
		settings->certificate = arg;
		return 0;
	case OPTION_KEY:
		settings->key = arg;
		return 0;
	case OPTION_CA:
		settings->ca = arg;
		return 0;
	case OPTION_HOPS:
		return number("a number of hubs", arg, HOPS_MAX, &settings->hops, err);
	case OPTION_FORWARDS:
		return number("a number of requests", arg, FORWARDS_MAX, &settings->forwards, err);
	case OPTION_LOAD:
		return number("a load in percent", arg, LOAD_MAX, &settings->load, err);
	case OPTION_SPARES:
		return number("a number of groups", arg, SPARES_MAX, &settings->standing, err);
	case OPTION_NO_SPARES:
		settings->spares = false;
		return 0;
	}
	return error_usage(err, "serve takes no '%.80s', options only", arg);
}

static int check_mqtt(const struct mqtt_settings *mqtt, struct error *err)
{
	if (!mqtt->broker && (mqtt->id || mqtt->login || mqtt->ca || mqtt->certificate || mqtt->key))
		return error_usage(err, "the options of --mqtt are of no use without a broker: give --mqtt, too");
	if (!mqtt->certificate != !mqtt->key || (mqtt->key && !mqtt->ca))
		return error_usage(err, "a certificate is shown with its key, by TLS: give --mqtt-ca, --mqtt-certificate and --mqtt-key");
	return 0;
}

/* Half an identity is none. */
static int check(const struct settings *settings, struct error *err)
{
	unsigned int nr = !!settings->certificate + !!settings->key + !!settings->ca;

	if (nr == 3 || (!nr && !settings->listen))
		return check_mqtt(&settings->mqtt, err);
	return error_usage(err, "--listen takes TLS only, in which both sides prove who they are: give --certificate, --key and --ca");
}

static int run(struct context *ctx, int argc, char **argv, struct error *err)
{
	struct settings settings = {
		.socket = SOCKET, .port = PORT, .wait_s = 10, .retry_s = 60, .idle_s = 600,
		.reserve = RESERVE, .hops = 3, .forwards = 16, .spares = true,
		.standing = standing_default(),
	};

	if (cmd_parse(&cmd_serve, argc, argv, option, &settings, err) || check(&settings, err))
		return -1;
	return coordinator_run(ctx->backend, &settings, err) ? -1 : EXIT_OK;
}

const struct command cmd_serve = {
	.object = "serve",
	.args = "[--socket PATH] [--port N] [--wait SECONDS] [--retry SECONDS] [--idle SECONDS] "
		"[--reserve BYTES] [--any-user] [--listen ADDRESS:PORT] [--certificate FILE] [--key FILE] [--ca FILE] "
		"[--hops N] [--forwards N] [--load PERCENT] [--spares N] [--no-spares] [--mqtt HOST[:PORT]] [--mqtt-id ID] "
		"[--mqtt-login FILE] [--mqtt-ca FILE] [--mqtt-certificate FILE] [--mqtt-key FILE]",
	.summary = "Take requests and have tasks of functions answer them",
	.help = "Serves the Lambda Invoke API to clients of this hub and, with --listen, to devices, and the Runtime API to tasks. "
		"Runs in the foreground; SIGTERM has it answer what it has and end, SIGUSR1 leave its tasks to the next one. "
		"See coppice-serve(8).",
	.options = options,
	.needs_backend = true,
	.run = run,
};
