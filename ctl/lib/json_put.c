// SPDX-License-Identifier: GPL-2.0
/* Members of JSON objects that must not be missing; see json_put.h. */
#include <errno.h>

#include "json_put.h"

int json_put(json_t *object, const char *key, json_t *value, struct error *err)
{
	return json_object_set_new(object, key, value) ? error_set(err, ENOMEM, "out of memory") : 0;
}
