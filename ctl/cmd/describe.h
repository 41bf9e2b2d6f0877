/* SPDX-License-Identifier: GPL-2.0 */
/* Images, groups and tasks as JSON: one form for lists, single objects and scripts. */
#ifndef COPPICE_DESCRIBE_H
#define COPPICE_DESCRIBE_H

#include "cmd.h"

json_t *describe_image(const struct image_info *info);
json_t *describe_group(const struct group_info *info);
/* With what they take of the memory now, which costs a walk through page tables; or NULL. */
json_t *describe_group_usage(const struct context *ctx, const struct group_info *info,
			     struct error *err);
json_t *describe_task_usage(const struct context *ctx, const struct task_info *info,
			    struct error *err);
json_t *describe_task(const struct task_info *info);

struct known_device;
json_t *describe_device(const struct known_device *device);

#endif /* COPPICE_DESCRIBE_H */
