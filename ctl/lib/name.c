// SPDX-License-Identifier: GPL-2.0
/* Names of images and groups, and numbers as they are typed. */
#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "image.h"
#include "name.h"

/* ASCII only, whatever the locale: a name is a file name and never an option. */
static bool first_valid(char c)
{
	return (isascii(c) && isalnum(c)) || c == '_';
}

static bool rest_valid(const char *name)
{
	for (; *name; name++)
		if (!first_valid(*name) && *name != '.' && *name != '-')
			return false;
	return true;
}

int name_check(const char *what, const char *name, struct error *err)
{
	if (first_valid(*name) && rest_valid(name) && strlen(name) <= IMAGE_NAME_MAX)
		return 0;
	return error_set(err, EINVAL, "'%.80s' cannot name %s: use 1 to %d letters, digits, dots, dashes and underscores, not a dot or dash first",
			 name, what, IMAGE_NAME_MAX);
}

int number_parse(const char *what, const char *text, uint64_t max, uint64_t *number,
		 struct error *err)
{
	char *end;

	errno = 0;
	*number = strtoull(text, &end, 10);
	if (isdigit((unsigned char)*text) && !*end && !errno && *number <= max)
		return 0;
	return error_usage(err, "'%.80s' is not %s: give a whole number of at most %llu",
			   text, what, (unsigned long long)max);
}

int bytes_parse(const char *what, const char *text, uint64_t *bytes, struct error *err)
{
	static const char units[] = "KMGT";
	const char *unit;
	char *end;
	int shift = 0;

	errno = 0;
	*bytes = strtoull(text, &end, 10);
	unit = *end ? strchr(units, toupper((unsigned char)*end)) : NULL;
	if (unit) {
		shift = 10 * (unit - units + 1);
		end++;
	}
	if (!isdigit((unsigned char)*text) || *end || errno || *bytes > UINT64_MAX >> shift)
		return error_usage(err, "'%.80s' is not %s: give bytes, or a number with K, M, G or T",
				   text, what);
	*bytes <<= shift;
	return 0;
}
