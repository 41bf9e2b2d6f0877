/* SPDX-License-Identifier: GPL-2.0 */
/* Numbers for monitors, in Prometheus' text form. */
#ifndef COPPICE_METRICS_H
#define COPPICE_METRICS_H

#include "coordinator.h"

void metrics_reply(struct exchange *exchange, const struct coordinator *coordinator);

#endif /* COPPICE_METRICS_H */
