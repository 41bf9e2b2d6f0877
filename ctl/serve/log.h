/* SPDX-License-Identifier: GPL-2.0 */
/* What the coordinator says of its work: a line of NAME=VALUE each, for people and the journal. */
#ifndef COPPICE_LOG_H
#define COPPICE_LOG_H

#include <syslog.h>

/* Names and values in turn, then NULL. A NULL value is left out with its name. */
void log_event(int level, const char *event, ...) __attribute__((sentinel));

#endif /* COPPICE_LOG_H */
