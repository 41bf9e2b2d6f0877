/* SPDX-License-Identifier: GPL-2.0 */
/* Shared by netlink.c (operations) and notify.c (messages). */
#ifndef _COPPICE_NETLINK_H
#define _COPPICE_NETLINK_H

#include <net/genetlink.h>

#include "coppice.h"

extern struct genl_family coppice_nl_family;

/* Each puts an object's attributes: 0, or -EMSGSIZE. */
int coppice_put_image(struct sk_buff *skb, const struct coppice_image *image);
int coppice_put_group(struct sk_buff *skb, struct coppice_group *group);
int coppice_put_task(struct sk_buff *skb, const struct coppice_task *task);

#endif /* _COPPICE_NETLINK_H */
