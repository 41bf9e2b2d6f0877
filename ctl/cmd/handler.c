// SPDX-License-Identifier: GPL-2.0
#include "handler.h"
#include "lib/cleanup.h"

static const struct column fields[] = {
	{ "name", "name", COLUMN_TEXT },
	{ "listen", "listens at", COLUMN_TEXT },
	{}
};

int handler_option(int key, char *arg, struct tls_handler *handler, struct error *err)
{
	switch (key) {
	case HANDLER_TO:
		return handler_parse(arg, &handler->to, err);
	case HANDLER_LISTEN:
		return handler_parse(arg, &handler->listen, err);
	case HANDLER_PROXY:
		handler->proxy = true;
		return 0;
	}
	return 1;
}

int handler_add(const struct context *ctx, struct tls_handler *handler, struct error *err)
{
	autojson json_t *object = NULL;
	char listen[REDIRECT_TEXT_MAX];

	if (terminator_add(handler, err))
		return -1;
	endpoint_format(&handler->listen, listen);
	object = json_pack("{s:s, s:s}", "name", handler->name, "listen", listen);
	return output_object(ctx, object, fields, err);
}
