/* SPDX-License-Identifier: ((GPL-2.0 WITH Linux-syscall-note) OR BSD-3-Clause) */
/* Do not edit directly, auto-generated from: */
/*	Documentation/netlink/specs/coppice.yaml */
/* YNL-GEN kernel header */

#ifndef _LINUX_COPPICE_GEN_H
#define _LINUX_COPPICE_GEN_H

#include <net/netlink.h>
#include <net/genetlink.h>

#include <uapi/linux/coppice.h>

extern const struct nla_policy coppice_status_get_nl_policy[COPPICE_A_STATUS_PAD + 1];

extern const struct nla_policy coppice_image_get_nl_policy[COPPICE_A_IMAGE_NAME + 1];

extern const struct nla_policy coppice_image_del_nl_policy[COPPICE_A_IMAGE_NAME + 1];

extern const struct nla_policy coppice_group_get_nl_policy[COPPICE_A_GROUP_NAME + 1];

extern const struct nla_policy coppice_group_add_nl_policy[COPPICE_A_GROUP_ADOPT + 1];

extern const struct nla_policy coppice_group_del_nl_policy[COPPICE_A_GROUP_NAME + 1];

extern const struct nla_policy coppice_task_get_nl_policy[COPPICE_A_TASK_GROUP + 1];

extern const struct nla_policy coppice_task_reshare_nl_policy[COPPICE_A_TASK_ID + 1];

extern const struct nla_policy coppice_task_reset_nl_policy[COPPICE_A_TASK_ID + 1];

extern const struct nla_policy coppice_task_memory_nl_policy[COPPICE_A_TASK_ID + 1];

extern const struct nla_policy coppice_task_adopt_nl_policy[COPPICE_A_TASK_IMAGE_ADDRESS + 1];

/* Ops table for coppice */
extern const struct genl_ops coppice_nl_ops[11];

int coppice_nl_status_get_doit(struct sk_buff *skb, struct genl_info *info);
int coppice_nl_image_get_doit(struct sk_buff *skb, struct genl_info *info);
int coppice_nl_image_get_dumpit(struct sk_buff *skb,
				struct netlink_callback *cb);
int coppice_nl_image_del_doit(struct sk_buff *skb, struct genl_info *info);
int coppice_nl_group_get_doit(struct sk_buff *skb, struct genl_info *info);
int coppice_nl_group_get_dumpit(struct sk_buff *skb,
				struct netlink_callback *cb);
int coppice_nl_group_add_doit(struct sk_buff *skb, struct genl_info *info);
int coppice_nl_group_del_doit(struct sk_buff *skb, struct genl_info *info);
int coppice_nl_task_get_doit(struct sk_buff *skb, struct genl_info *info);
int coppice_nl_task_get_dumpit(struct sk_buff *skb,
			       struct netlink_callback *cb);
int coppice_nl_task_reshare_doit(struct sk_buff *skb, struct genl_info *info);
int coppice_nl_task_reset_doit(struct sk_buff *skb, struct genl_info *info);
int coppice_nl_task_memory_doit(struct sk_buff *skb, struct genl_info *info);
int coppice_nl_task_adopt_doit(struct sk_buff *skb, struct genl_info *info);

enum {
	COPPICE_NLGRP_EVENTS,
};

#endif /* _LINUX_COPPICE_GEN_H */
