// SPDX-License-Identifier: GPL-2.0
/* coppice device add NAME */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cmd.h"
#include "lib/cleanup.h"
#include "lib/devices.h"
#include "lib/function_field.h"
#include "lib/name.h"

#define NAMES_MAX	256

enum { OPTION_TOKEN = 256, OPTION_CERTIFICATE, OPTION_MQTT, OPTION_FUNCTION, OPTION_GROUP };

static const struct argp_option options[] = {
	{ .name = "token", .key = OPTION_TOKEN,
	  .doc = "make a token for it and print it, this once: the hub keeps its digest only" },
	{ .name = "certificate", .key = OPTION_CERTIFICATE, .arg = "SUBJECT",
	  .doc = "it shows a client certificate with this subject, like CN=till,O=shop (RFC 4514)" },
	{ .name = "mqtt", .key = OPTION_MQTT, .arg = "ID",
	  .doc = "it connects to the broker, which has to check that, with this client id" },
	{ .name = "function", .key = OPTION_FUNCTION, .arg = "FUNCTION",
	  .doc = "it may request this function; may be repeated" },
	{ .name = "group", .key = OPTION_GROUP, .arg = "GROUP",
	  .doc = "it may request all functions of this group; may be repeated" },
	{}
};

struct arguments {
	const char *name, *certificate, *mqtt;
	const char *functions[NAMES_MAX], *groups[NAMES_MAX];
	size_t nr_functions, nr_groups;
	bool token;
};

static int add_name(const char **names, size_t *nr, const char *what, const char *name,
		    struct error *err)
{
	if (*nr == NAMES_MAX)
		return error_usage(err, "there are more than %d names", NAMES_MAX);
	names[(*nr)++] = name;
	return name_check(what, name, err);
}

static int argument(struct arguments *arguments, const char *arg, struct error *err)
{
	if (arguments->name)
		return error_usage(err, "'%.80s' is one argument too many after '%.80s'", arg,
				   arguments->name);
	arguments->name = arg;
	return name_check("a device", arg, err);
}

static int option(int key, char *arg, void *data, struct error *err)
{
	struct arguments *arguments = data;

	switch (key) {
	case OPTION_TOKEN:
		arguments->token = true;
		return 0;
	case OPTION_CERTIFICATE:
		arguments->certificate = arg;
		return 0;
	case OPTION_MQTT:
		arguments->mqtt = arg;
		return 0;
	case OPTION_FUNCTION:
		return add_name(arguments->functions, &arguments->nr_functions, "a function", arg,
				err);
	case OPTION_GROUP:
		return add_name(arguments->groups, &arguments->nr_groups, "a group", arg, err);
	default:
		return argument(arguments, arg, err);
	}
}

static int check(const struct arguments *arguments, struct error *err)
{
	if (!arguments->name)
		return error_usage(err, "the NAME of the device is missing: coppice device add %s",
				   cmd_device_add.args);
	if (!arguments->token && !arguments->certificate && !arguments->mqtt)
		return error_usage(err, "by what is it recognised? give --token, --certificate or --mqtt: coppice device add %s",
				   cmd_device_add.args);
	if ((arguments->certificate && !*arguments->certificate) ||
	    (arguments->mqtt && !*arguments->mqtt))
		return error_usage(err, "an empty text would be shown by anybody: give a subject or client id");
	if (arguments->mqtt && strpbrk(arguments->mqtt, "/+#"))
		return error_usage(err, "the client id '%.80s' cannot be one level of a topic, where the hub looks for it: take one without /, + and #",
				   arguments->mqtt);
	return 0;
}

static char **set_of(const char *const *names, size_t nr)
{
	char **set = calloc(nr + 1, sizeof(*set));
	size_t i;

	if (!set)
		return NULL;
	for (i = 0; i < nr; i++) {
		set[i] = strdup(names[i]);
		if (!set[i]) {
			texts_free(set);
			return NULL;
		}
	}
	if (set)
		texts_make_set(set);
	return set;
}

static int describe(const struct arguments *arguments, struct known_device *device,
		    struct error *err)
{
	*device = (struct known_device) {
		.certificate = arguments->certificate ? strdup(arguments->certificate) : NULL,
		.mqtt = arguments->mqtt ? strdup(arguments->mqtt) : NULL,
		.functions = set_of(arguments->functions, arguments->nr_functions),
		.groups = set_of(arguments->groups, arguments->nr_groups),
	};
	memcpy(device->name, arguments->name, strlen(arguments->name) + 1);
	if (device->functions && device->groups && !device->certificate == !arguments->certificate &&
	    !device->mqtt == !arguments->mqtt)
		return 0;
	known_device_free(device);
	return error_set(err, ENOMEM, "out of memory");
}

static int put(struct known_device *device, struct error *err)
{
	autoclose int lock = devices_lock(err);
	struct devices devices;
	int ret = -1;

	if (lock < 0 || devices_read(&devices, err)) {
		known_device_free(device);
		return -1;
	}
	if (!devices_add(&devices, device, err))
		ret = devices_write(&devices, err);
	devices_free(&devices);
	return ret;
}

static int run(struct context *ctx, int argc, char **argv, struct error *err)
{
	static const struct column fields[] = {
		{ "name", "name", COLUMN_TEXT }, { "token", "token", COLUMN_TEXT }, {}
	};
	struct arguments arguments = {};
	autojson json_t *object = NULL;
	struct known_device device;
	char token[TOKEN_SIZE];

	if (cmd_parse(&cmd_device_add, argc, argv, option, &arguments, err) ||
	    check(&arguments, err) || describe(&arguments, &device, err))
		return -1;
	if (arguments.token && token_make(token, device.token, err)) {
		known_device_free(&device);
		return -1;
	}
	if (put(&device, err))
		return -1;
	if (!arguments.token)
		return EXIT_OK;
	object = json_pack("{s:s, s:s}", "name", arguments.name, "token", token);
	return output_object(ctx, object, fields, err);
}

const struct command cmd_device_add = {
	.object = "device",
	.verb = "add",
	.args = "NAME [--token] [--certificate SUBJECT] [--mqtt ID] [--function FUNCTION]… [--group GROUP]…",
	.summary = "Let a device request functions",
	.help = "It is recognised by what it shows, one thing at least. A function's manifest may name devices, too. What nobody "
		"named is refused. A group's name changes with the code of its functions, theirs do not.",
	.options = options,
	.run = run,
};
