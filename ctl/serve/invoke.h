/* SPDX-License-Identifier: GPL-2.0 */
/* The cloud's Invoke API, for clients. */
#ifndef COPPICE_INVOKE_H
#define COPPICE_INVOKE_H

#include "http.h"

/* listener->data: the coordinator. */
extern const struct http_service invoke_service;

#endif /* COPPICE_INVOKE_H */
