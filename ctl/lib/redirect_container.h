/* SPDX-License-Identifier: GPL-2.0 */
/* Private to redirect*.c: the links of containers. */
#ifndef COPPICE_REDIRECT_CONTAINER_H
#define COPPICE_REDIRECT_CONTAINER_H

#include <stdbool.h>

/* Of the group: all, or those whose cgroup has gone without that anybody told. */
void containers_remove(const char *group, bool all);

#endif /* COPPICE_REDIRECT_CONTAINER_H */
