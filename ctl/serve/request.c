// SPDX-License-Identifier: GPL-2.0
/* A request to run a function once. */
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "lib/cleanup.h"
#include "lib/json_text.h"
#include "request.h"

/* Version 4. */
static void make_id(char id[REQUEST_ID_SIZE])
{
	unsigned char b[16];

	(void)!getrandom(b, sizeof(b), 0);
	b[6] = (b[6] & 0x0f) | 0x40;
	b[8] = (b[8] & 0x3f) | 0x80;
	snprintf(id, REQUEST_ID_SIZE,
		 "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x",
		 b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7],
		 b[8], b[9], b[10], b[11], b[12], b[13], b[14], b[15]);
}

static void make_trace(char trace[REQUEST_TRACE_SIZE])
{
	uint32_t b[3];

	(void)!getrandom(b, sizeof(b), 0);
	snprintf(trace, REQUEST_TRACE_SIZE, "Root=1-%08lx-%08x%08x%08x;Sampled=0",
		 (unsigned long)time(NULL), b[0], b[1], b[2]);
}

struct request *request_new(char *payload, size_t len)
{
	struct request *request = calloc(1, sizeof(*request));

	if (!request) {
		free(payload);
		return NULL;
	}
	request->payload = payload;
	request->len = len;
	request->received = loop_now();
	make_id(request->id);
	make_trace(request->trace);
	return request;
}

/* It becomes a header of HTTP and a variable again. */
void request_set_trace(struct request *request, const char *trace)
{
	const char *c;

	if (!trace || !*trace || strlen(trace) >= sizeof(request->trace))
		return;
	for (c = trace; *c; c++)
		if (*c < ' ' || *c > '~')
			return;
	strcpy(request->trace, trace);
}

void request_free(struct request *request)
{
	if (request->held)
		*request->held -= request->len;
	free(request->context);
	free(request->payload);
	free(request);
}

void outcome_error(struct outcome *outcome, const char *type, const char *format, ...)
{
	autojson json_t *object = NULL;
	char text[512];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	object = json_pack("{s:s, s:s, s:[]}", "errorMessage", text, "errorType", type, "stackTrace");
	outcome->kind = OUTCOME_CRASH;
	outcome->body = object ? json_text(object, JSON_COMPACT) : NULL;
	outcome->len = outcome->body ? strlen(outcome->body) : 0;
}
