/* SPDX-License-Identifier: GPL-2.0 */
/* Answers of one kind, whoever gives them. */
#ifndef COPPICE_REPLY_H
#define COPPICE_REPLY_H

#include "http.h"

/* An error as the cloud's API has it: @type is the exception's name. */
void reply_error(struct exchange *exchange, unsigned int status, const char *type,
		 const char *format, ...) __attribute__((format(printf, 4, 5)));
/* Nothing but a status. */
void reply_status(struct exchange *exchange, unsigned int status);

#endif /* COPPICE_REPLY_H */
