// SPDX-License-Identifier: GPL-2.0
/* coppice device list */
#include <string.h>

#include "describe.h"
#include "lib/cleanup.h"
#include "lib/devices.h"

static const struct column columns[] = {
	{ "name", "NAME", COLUMN_TEXT },
	{ "has_token", "TOKEN", COLUMN_TEXT },
	{ "certificate", "CERTIFICATE", COLUMN_TEXT },
	{ "mqtt", "MQTT ID", COLUMN_TEXT },
	{ "may", "MAY REQUEST", COLUMN_TEXT },
	{}
};

static int option(int key, char *arg, void *data, struct error *err)
{
	(void)key;
	(void)data;
	return error_usage(err, "'%.80s' is one argument too many: `coppice device show %.80s` shows one device",
			   arg, arg);
}

static int run(struct context *ctx, int argc, char **argv, struct error *err)
{
	autojson json_t *rows = json_array();
	struct devices devices;
	size_t i;

	if (cmd_parse(&cmd_device_list, argc, argv, option, NULL, err) || devices_read(&devices, err))
		return -1;
	for (i = 0; i < devices.nr; i++)
		json_array_append_new(rows, describe_device(&devices.list[i]));
	devices_free(&devices);
	return output_rows(ctx, rows, columns, err);
}

const struct command cmd_device_list = {
	.object = "device",
	.verb = "list",
	.summary = "Show the devices that may request functions",
	.help = "What the manifests of functions allow comes on top.",
	.run = run,
};
