// SPDX-License-Identifier: GPL-2.0
/* Which backend a command works with. */
#include <errno.h>
#include <string.h>

#include "backend.h"

static const struct backend *const backends[] = { &backend_kernel, &backend_memfd };

const struct backend *backend_find(const char *name, struct error *err)
{
	size_t i;

	if (!name) {
		struct error ignored;

		return backend_kernel.available(&ignored) ? &backend_kernel : &backend_memfd;
	}
	for (i = 0; i < sizeof(backends) / sizeof(backends[0]); i++) {
		if (strcmp(backends[i]->name, name))
			continue;
		return backends[i]->available(err) ? backends[i] : NULL;
	}
	error_usage(err, "'%.80s' is no backend: there are kernel and memfd", name);
	return NULL;
}
