// SPDX-License-Identifier: GPL-2.0
/*
 * Coppice: share the memory of loaded code copy-on-write among tasks.
 */
#include <linux/module.h>

#include "coppice.h"

static int __init coppice_init(void)
{
	int err;

	coppice_store_init();
	err = coppice_task_init();
	if (err)
		return err;
	err = coppice_adopt_init();
	if (err)
		goto out_task;
	err = coppice_netlink_init();
	if (err)
		goto out_adopt;
	err = coppice_device_init();
	if (err)
		goto out_netlink;
	return 0;

out_netlink:
	coppice_netlink_exit();
out_adopt:
	coppice_adopt_exit();
out_task:
	coppice_task_exit();
	return err;
}

/*
 * Runs only when no task and no descriptor exists, as each pins the module.
 * First the doors are closed (device, netlink), so that nobody makes a new object;
 * then the registry holds the only references and lets go of them.
 */
static void __exit coppice_exit(void)
{
	coppice_device_exit();
	coppice_netlink_exit();
	coppice_adopt_exit();
	coppice_registry_clear();
	coppice_task_exit();
	coppice_file_exit();
	coppice_store_exit();
	/* Store entries are freed after a grace period by the kernel's own code. */
	rcu_barrier();
}

module_init(coppice_init);
module_exit(coppice_exit);

MODULE_DESCRIPTION("Share the memory of loaded code copy-on-write among tasks");
MODULE_AUTHOR("The Coppice developers");
MODULE_VERSION(COPPICE_VERSION);
MODULE_LICENSE("GPL");
