/* SPDX-License-Identifier: GPL-2.0 */
/* The event that tasks are started with: read once, then the same bytes for each. */
#ifndef COPPICE_EVENT_H
#define COPPICE_EVENT_H

#include "error.h"

/* A read-only descriptor of a sealed memfd with the content of @path ("-": standard input), or -1. */
int __must_check event_read(const char *path, struct error *err);
/* Another one, with an offset of its own, or -1. */
int __must_check event_reopen(int event, struct error *err);

#endif /* COPPICE_EVENT_H */
