/* SPDX-License-Identifier: GPL-2.0 */
/* Differences between the kernels' generic netlink, guarded by the symbol. */
#ifndef _COPPICE_COMPAT_GENL_H
#define _COPPICE_COMPAT_GENL_H

#include <net/genetlink.h>

/* Whose stable tree lacks it lets everybody listen. */
#ifndef GENL_MCAST_CAP_SYS_ADMIN
#define GENL_MCAST_CAP_SYS_ADMIN	0
#endif

/* pre_doit and post_doit take split ops since 6.2. */
#ifdef COPPICE_HAVE_SPLIT_OPS
#define coppice_doit_ops genl_split_ops
#else
#define coppice_doit_ops genl_ops
#endif

/* A dump's attributes are in a struct genl_info since 6.6. */
static inline struct nlattr **coppice_dump_attrs(struct netlink_callback *cb)
{
#ifdef COPPICE_HAVE_GENL_INFO_DUMP
	return genl_info_dump(cb)->attrs;
#else
	return (struct nlattr **)genl_dumpit_info(cb)->attrs;
#endif
}

#endif /* _COPPICE_COMPAT_GENL_H */
