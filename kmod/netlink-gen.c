// SPDX-License-Identifier: ((GPL-2.0 WITH Linux-syscall-note) OR BSD-3-Clause)
/* Do not edit directly, auto-generated from: */
/*	Documentation/netlink/specs/coppice.yaml */
/* YNL-GEN kernel source */

#include <net/netlink.h>
#include <net/genetlink.h>

#include "netlink-gen.h"

#include <uapi/linux/coppice.h>

/* COPPICE_CMD_STATUS_GET - do */
const struct nla_policy coppice_status_get_nl_policy[COPPICE_A_STATUS_PAD + 1] = {
};

/* COPPICE_CMD_IMAGE_GET - do */
const struct nla_policy coppice_image_get_nl_policy[COPPICE_A_IMAGE_NAME + 1] = {
	[COPPICE_A_IMAGE_NAME] = { .type = NLA_NUL_STRING, .len = COPPICE_NAME_MAX, },
};

/* COPPICE_CMD_IMAGE_DEL - do */
const struct nla_policy coppice_image_del_nl_policy[COPPICE_A_IMAGE_NAME + 1] = {
	[COPPICE_A_IMAGE_NAME] = { .type = NLA_NUL_STRING, .len = COPPICE_NAME_MAX, },
};

/* COPPICE_CMD_GROUP_GET - do */
const struct nla_policy coppice_group_get_nl_policy[COPPICE_A_GROUP_NAME + 1] = {
	[COPPICE_A_GROUP_NAME] = { .type = NLA_NUL_STRING, .len = COPPICE_NAME_MAX, },
};

/* COPPICE_CMD_GROUP_ADD - do */
const struct nla_policy coppice_group_add_nl_policy[COPPICE_A_GROUP_ADOPT + 1] = {
	[COPPICE_A_GROUP_NAME] = { .type = NLA_NUL_STRING, .len = COPPICE_NAME_MAX, },
	[COPPICE_A_GROUP_IMAGE] = { .type = NLA_NUL_STRING, .len = COPPICE_NAME_MAX, },
	[COPPICE_A_GROUP_OWNER] = { .type = NLA_U32, },
	[COPPICE_A_GROUP_CGROUP] = { .type = NLA_NUL_STRING, .len = COPPICE_CGROUP_MAX, },
	[COPPICE_A_GROUP_MAX_TASKS] = { .type = NLA_U32, },
	[COPPICE_A_GROUP_RESHARE] = { .type = NLA_NUL_STRING, .len = COPPICE_RESHARE_MAX, },
	[COPPICE_A_GROUP_ADOPT] = { .type = NLA_FLAG, },
};

/* COPPICE_CMD_GROUP_DEL - do */
const struct nla_policy coppice_group_del_nl_policy[COPPICE_A_GROUP_NAME + 1] = {
	[COPPICE_A_GROUP_NAME] = { .type = NLA_NUL_STRING, .len = COPPICE_NAME_MAX, },
};

/* COPPICE_CMD_TASK_GET - do */
const struct nla_policy coppice_task_get_nl_policy[COPPICE_A_TASK_GROUP + 1] = {
	[COPPICE_A_TASK_ID] = { .type = NLA_U64, },
	[COPPICE_A_TASK_GROUP] = { .type = NLA_NUL_STRING, .len = COPPICE_NAME_MAX, },
};

/* COPPICE_CMD_TASK_RESHARE - do */
const struct nla_policy coppice_task_reshare_nl_policy[COPPICE_A_TASK_ID + 1] = {
	[COPPICE_A_TASK_ID] = { .type = NLA_U64, },
};

/* COPPICE_CMD_TASK_RESET - do */
const struct nla_policy coppice_task_reset_nl_policy[COPPICE_A_TASK_ID + 1] = {
	[COPPICE_A_TASK_ID] = { .type = NLA_U64, },
};

/* COPPICE_CMD_TASK_MEMORY - do */
const struct nla_policy coppice_task_memory_nl_policy[COPPICE_A_TASK_ID + 1] = {
	[COPPICE_A_TASK_ID] = { .type = NLA_U64, },
};

/* COPPICE_CMD_TASK_ADOPT - do */
const struct nla_policy coppice_task_adopt_nl_policy[COPPICE_A_TASK_IMAGE_ADDRESS + 1] = {
	[COPPICE_A_TASK_PID] = { .type = NLA_U32, },
	[COPPICE_A_TASK_GROUP] = { .type = NLA_NUL_STRING, .len = COPPICE_NAME_MAX, },
	[COPPICE_A_TASK_ADDRESS] = { .type = NLA_U64, },
	[COPPICE_A_TASK_LENGTH] = { .type = NLA_U64, },
	[COPPICE_A_TASK_IMAGE_ADDRESS] = { .type = NLA_U64, },
};

/* Ops table for coppice */
const struct genl_ops coppice_nl_ops[11] = {
	{
		.cmd		= COPPICE_CMD_STATUS_GET,
		.doit		= coppice_nl_status_get_doit,
		.policy		= coppice_status_get_nl_policy,
		.maxattr	= COPPICE_A_STATUS_PAD,
	},
	{
		.cmd		= COPPICE_CMD_IMAGE_GET,
		.doit		= coppice_nl_image_get_doit,
		.dumpit		= coppice_nl_image_get_dumpit,
		.policy		= coppice_image_get_nl_policy,
		.maxattr	= COPPICE_A_IMAGE_NAME,
	},
	{
		.cmd		= COPPICE_CMD_IMAGE_DEL,
		.doit		= coppice_nl_image_del_doit,
		.policy		= coppice_image_del_nl_policy,
		.maxattr	= COPPICE_A_IMAGE_NAME,
	},
	{
		.cmd		= COPPICE_CMD_GROUP_GET,
		.doit		= coppice_nl_group_get_doit,
		.dumpit		= coppice_nl_group_get_dumpit,
		.policy		= coppice_group_get_nl_policy,
		.maxattr	= COPPICE_A_GROUP_NAME,
	},
	{
		.cmd		= COPPICE_CMD_GROUP_ADD,
		.doit		= coppice_nl_group_add_doit,
		.policy		= coppice_group_add_nl_policy,
		.maxattr	= COPPICE_A_GROUP_ADOPT,
	},
	{
		.cmd		= COPPICE_CMD_GROUP_DEL,
		.doit		= coppice_nl_group_del_doit,
		.policy		= coppice_group_del_nl_policy,
		.maxattr	= COPPICE_A_GROUP_NAME,
	},
	{
		.cmd		= COPPICE_CMD_TASK_GET,
		.doit		= coppice_nl_task_get_doit,
		.dumpit		= coppice_nl_task_get_dumpit,
		.policy		= coppice_task_get_nl_policy,
		.maxattr	= COPPICE_A_TASK_GROUP,
	},
	{
		.cmd		= COPPICE_CMD_TASK_RESHARE,
		.doit		= coppice_nl_task_reshare_doit,
		.policy		= coppice_task_reshare_nl_policy,
		.maxattr	= COPPICE_A_TASK_ID,
	},
	{
		.cmd		= COPPICE_CMD_TASK_RESET,
		.doit		= coppice_nl_task_reset_doit,
		.policy		= coppice_task_reset_nl_policy,
		.maxattr	= COPPICE_A_TASK_ID,
	},
	{
		.cmd		= COPPICE_CMD_TASK_MEMORY,
		.doit		= coppice_nl_task_memory_doit,
		.policy		= coppice_task_memory_nl_policy,
		.maxattr	= COPPICE_A_TASK_ID,
	},
	{
		.cmd		= COPPICE_CMD_TASK_ADOPT,
		.doit		= coppice_nl_task_adopt_doit,
		.policy		= coppice_task_adopt_nl_policy,
		.maxattr	= COPPICE_A_TASK_IMAGE_ADDRESS,
	},
};

static const struct genl_multicast_group coppice_nl_mcgrps[] = {
	[COPPICE_NLGRP_EVENTS] = { "events", },
};
