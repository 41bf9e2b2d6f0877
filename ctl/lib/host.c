// SPDX-License-Identifier: GPL-2.0
/* Host names of endpoints. */
#include <ctype.h>
#include <string.h>

#include "host.h"

#define LABEL_MAX	63
#define SHOWN		80

/* Why a label cannot be one, or NULL. Underscores occur in bucket names. */
static const char *label_fault(const char *label, size_t len)
{
	size_t i;

	if (!len)
		return "a label is empty";
	if (len > LABEL_MAX)
		return "a label has more than 63 characters";
	if (len == 1 && *label == '*')
		return NULL;
	for (i = 0; i < len; i++) {
		if (label[i] == '*')
			return "a * stands for a whole label";
		if (!isascii(label[i]))
			return "it has letters beyond ASCII: write them as xn--…";
		if (!isalnum(label[i]) && label[i] != '-' && label[i] != '_')
			return "a label has letters, digits, dashes and underscores only";
	}
	return *label == '-' || label[len - 1] == '-' ? "a label begins or ends with a dash" : NULL;
}

static const char *labels_fault(const char *host)
{
	const char *fault, *label = host;
	size_t len;

	for (;;) {
		len = strcspn(label, ".");
		fault = label_fault(label, len);
		if (fault || !label[len])
			break;
		label += len + 1;
	}
	if (fault)
		return fault;
	/* Of all names below a top level, most are nobody's business here. */
	if (*label == '*')
		return "the last label cannot be a wildcard";
	if (host[0] == '*' && label == host + 2)
		return "a wildcard needs two labels behind it, as in *.example.com";
	return strspn(label, "0123456789") == strlen(label) ? "it ends in a number, as an address does" : NULL;
}

int host_parse(const char *text, char host[HOST_MAX + 1], struct error *err)
{
	size_t len = strlen(text), i;
	const char *fault;

	if (len && text[len - 1] == '.')
		len--;
	if (len > HOST_MAX)
		return error_usage(err, "'%.*s…' is no host name: it has more than %d characters",
				   SHOWN, text, HOST_MAX);
	for (i = 0; i < len; i++)
		host[i] = isascii(text[i]) ? tolower(text[i]) : text[i];
	host[len] = '\0';
	fault = labels_fault(host);
	if (fault)
		return error_usage(err, "'%.*s' is no host name: %s", SHOWN, text, fault);
	return 0;
}

bool host_is_wildcard(const char *host)
{
	return strchr(host, '*');
}

bool host_is_within(const char *host, const char *domain)
{
	size_t len = strlen(host), domain_len = strlen(domain);

	if (len < domain_len || strcmp(host + len - domain_len, domain))
		return false;
	return len == domain_len || host[len - domain_len - 1] == '.';
}
