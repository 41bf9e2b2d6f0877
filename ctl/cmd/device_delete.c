// SPDX-License-Identifier: GPL-2.0
/* coppice device delete DEVICE */
#include "cmd.h"
#include "lib/cleanup.h"
#include "lib/devices.h"

static int run(struct context *ctx, int argc, char **argv, struct error *err)
{
	struct devices devices;
	autoclose int lock = -1;
	const char *name;
	int ret = -1;

	(void)ctx;
	if (cmd_parse_one(&cmd_device_delete, argc, argv, "the name of the DEVICE", &name, err))
		return -1;
	lock = devices_lock(err);
	if (lock < 0 || devices_read(&devices, err))
		return -1;
	if (!devices_remove(&devices, name, err))
		ret = devices_write(&devices, err);
	devices_free(&devices);
	return ret;
}

const struct command cmd_device_delete = {
	.object = "device",
	.verb = "delete",
	.args = "DEVICE",
	.summary = "Let a device request nothing any more, and forget its token",
	.run = run,
};
