// SPDX-License-Identifier: GPL-2.0
/* coppice device show DEVICE */
#include <errno.h>

#include "describe.h"
#include "lib/cleanup.h"
#include "lib/devices.h"

static const struct column fields[] = {
	{ "name", "name", COLUMN_TEXT },
	{ "has_token", "has a token", COLUMN_TEXT },
	{ "certificate", "certificate", COLUMN_TEXT },
	{ "mqtt", "MQTT client id", COLUMN_TEXT },
	{ "may", "may request", COLUMN_TEXT },
	{}
};

static int run(struct context *ctx, int argc, char **argv, struct error *err)
{
	const struct known_device *device;
	autojson json_t *object = NULL;
	struct devices devices;
	const char *name;

	if (cmd_parse_one(&cmd_device_show, argc, argv, "the name of the DEVICE", &name, err) ||
	    devices_read(&devices, err))
		return -1;
	device = devices_find(&devices, name);
	object = device ? describe_device(device) : NULL;
	devices_free(&devices);
	if (!object)
		return error_set(err, ENOENT, "there is no device %.80s: see coppice device list", name);
	return output_object(ctx, object, fields, err);
}

const struct command cmd_device_show = {
	.object = "device",
	.verb = "show",
	.args = "DEVICE",
	.summary = "Show a device",
	.run = run,
};
