/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Every command, in the order of help and man page; its file is named like it.
 * Included with COMMAND() defined: cmd.h declares them, table.c makes the table.
 */
COMMAND(image_build)
COMMAND(image_save)
COMMAND(image_load)
COMMAND(image_list)
COMMAND(image_show)
COMMAND(image_delete)
COMMAND(group_add)
COMMAND(group_list)
COMMAND(group_show)
COMMAND(group_delete)
COMMAND(run)
COMMAND(task_list)
COMMAND(task_kill)
COMMAND(task_adopt)
COMMAND(override_add)
COMMAND(override_list)
COMMAND(override_delete)
COMMAND(monitor)
COMMAND(status)
COMMAND(version)
COMMAND(help)
COMMAND(complete)
COMMAND(keep)
