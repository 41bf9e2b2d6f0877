// SPDX-License-Identifier: GPL-2.0
/* JSON as text; see json_text.h. */
#include <errno.h>
#include <stdlib.h>

#include "json_memory.h"
#include "json_text.h"

char *json_text(const json_t *value, size_t flags)
{
	char *text = json_dumps(value, flags);

	if (!json_memory_was_short())
		return text;
	free(text);
	errno = ENOMEM;
	return NULL;
}
