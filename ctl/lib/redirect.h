/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Overrides of socket endpoints: the eBPF programs of bpf/redirect.bpf.c, their
 * pinned maps and links. The pins are the state: nothing is kept elsewhere, so
 * the controller may exit or be killed at any moment and redirects stay.
 */
#ifndef COPPICE_REDIRECT_H
#define COPPICE_REDIRECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <netinet/in.h>
#include <sys/types.h>

#include "error.h"

#define REDIRECT_TEXT_MAX 64	/* "[2001:db8::/32]:65535" and the like */

/* An address or prefix and a port; text form ADDR[/LEN]:PORT, [ADDR6[/LEN]]:PORT, port "*" = any. */
struct endpoint {
	sa_family_t family;	/* AF_INET, AF_INET6 */
	uint8_t address[16];	/* network order, 4 or 16 bytes used */
	uint8_t prefixlen;
	uint16_t port;		/* host order; 0: any (endpoints only) */
};

struct override_info {
	char group[64];
	struct endpoint endpoint;
	struct endpoint handler;	/* prefixlen is full */
	uint64_t redirected;	/* connects sent to the handler */
};

int __must_check endpoint_parse(const char *text, struct endpoint *endpoint, struct error *err);
int __must_check handler_parse(const char *text, struct endpoint *handler, struct error *err);
void endpoint_format(const struct endpoint *endpoint, char text[REDIRECT_TEXT_MAX]);

/* Attach the programs to a group's cgroup (path in the file system), pinning the links; idempotent. */
int __must_check redirect_attach(const char *group, const char *cgroup_path, struct error *err);
/* Remove the group's rules and links; no error if there are none. */
int __must_check redirect_detach(const char *group, struct error *err);

/* Can this endpoint be sent to this handler? Both of redirect_add() and _replace() ask. */
int __must_check redirect_check(const struct endpoint *endpoint,
				const struct endpoint *handler, struct error *err);

/*
 * One change each, in force as a whole when the call returns. The group must be
 * attached; an endpoint that the group has already is refused.
 */
int __must_check redirect_add(const char *group, const struct endpoint *endpoint,
			      const struct endpoint *handler, struct error *err);
int __must_check redirect_delete(const char *group, const struct endpoint *endpoint,
				 struct error *err);

struct override {
	struct endpoint endpoint;
	struct endpoint handler;
};

/*
 * Replace all overrides of a group at once: every connect sees the old ones or the new
 * ones. Those that stay the same keep their statistics.
 */
int __must_check redirect_replace(const char *group, const struct override *overrides,
				  size_t nr, struct error *err);

typedef int (*override_fn)(const struct override_info *info, void *data);
/* group == NULL: all groups. Sorted; a non-zero result of @fn ends it and is returned. */
int __must_check redirect_each(const char *group, override_fn fn, void *data, struct error *err);

/*
 * Effective state for `status`: is every program of the group attached in the kernel? A
 * cgroup that does not exist (any more) has none attached; that is no error.
 */
int __must_check redirect_verify(const char *group, const char *cgroup_path,
				 bool *attached, struct error *err);

#endif /* COPPICE_REDIRECT_H */
