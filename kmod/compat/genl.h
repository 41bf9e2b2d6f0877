/* SPDX-License-Identifier: GPL-2.0 */
/* Differences between the kernels' generic netlink, guarded by the symbol. */
#ifndef _COPPICE_COMPAT_GENL_H
#define _COPPICE_COMPAT_GENL_H

#include <net/genetlink.h>

/* pre_doit and post_doit take split ops since 6.2. */
#ifdef COPPICE_HAVE_SPLIT_OPS
#define coppice_doit_ops genl_split_ops
#else
#define coppice_doit_ops genl_ops
#endif

#endif /* _COPPICE_COMPAT_GENL_H */
