// SPDX-License-Identifier: GPL-2.0
/* Answers of one kind. */
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/json_text.h"
#include "reply.h"

void reply_error(struct exchange *exchange, unsigned int status, const char *type,
		 const char *format, ...)
{
	autojson json_t *object = NULL;
	char text[640], *body;
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	/* Names of clients may be no UTF-8, and are not said then. */
	object = json_pack("{s:s, s:s}", "Type", status < 500 ? "User" : "Service", "Message", text);
	body = object ? json_text(object, JSON_COMPACT) : NULL;
	exchange_answer(exchange, status, "application/json", body, body ? strlen(body) : 0);
	exchange_add(exchange, "x-amzn-ErrorType", type);
	exchange_send(exchange);
}

void reply_status(struct exchange *exchange, unsigned int status)
{
	exchange_answer(exchange, status, NULL, NULL, 0);
	exchange_send(exchange);
}
