// SPDX-License-Identifier: GPL-2.0
/* Endpoints, handlers and overrides as people write them: what is read can be written and read again. */
#include <string.h>

#include "fuzz.h"
#include "lib/overrides.h"
#include "lib/redirect.h"

static void endpoint(const char *text)
{
	struct endpoint first = {}, second = {};
	char written[REDIRECT_TEXT_MAX];
	struct error err = {};
	int ret = endpoint_parse(text, &first, &err);

	fuzz_judge(ret, &err);
	if (ret)
		return;
	endpoint_format(&first, written);
	if (endpoint_parse(written, &second, &err) || !endpoint_same(&first, &second))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = fuzz_text(data, size);
	struct override override = {};
	struct endpoint handler = {};
	struct error err = {};

	if (!text)
		return 0;
	endpoint(text);
	fuzz_judge(handler_parse(text, &handler, &err), &err);
	err = (struct error) {};
	fuzz_judge(overrides_parse(text, &override, &err), &err);
	free(text);
	return 0;
}
