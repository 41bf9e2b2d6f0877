/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Overrides as people give them, with host names. What redirect.h knows are addresses: here a
 * name gets its own, the responder is told of it, and the group's DNS is sent there.
 */
#ifndef COPPICE_OVERRIDES_H
#define COPPICE_OVERRIDES_H

#include <stdbool.h>

#include "redirect.h"
#include "task_mounts.h"

/* The endpoint: as in endpoint_parse(), or with a HOST, which goes to the label, for an address. */
int __must_check overrides_parse(const char *text, struct override *override, struct error *err);

/* What redirect_check() says, before names have addresses. Call it once handlers are filled in. */
int __must_check overrides_check(const struct override *override, struct error *err);

/*
 * Add all or none, to a group with its programs attached. A handler of `handler tls` has the
 * group trust the hub's CA.
 */
int __must_check overrides_add(const char *group, const struct override *overrides, size_t nr,
			       struct error *err);
/* The same in place of all that the group has. */
int __must_check overrides_set(const char *group, const struct override *overrides, size_t nr,
			       enum redirect_connections connections, struct error *err);
/* Is there one by which it would? 1 or 0, or -1 where that cannot be told. */
int __must_check overrides_have_tls(const struct override *overrides, size_t nr, struct error *err);
int __must_check overrides_delete(const char *group, const struct override *override,
				  enum redirect_connections connections, struct error *err);

/* All that a group has: overrides, names, trust. No error if it has nothing. */
int __must_check overrides_forget(const char *group, struct error *err);
/* The same of those for all groups. */
int __must_check overrides_forget_hub(struct error *err);

/* Are there overrides of host names for the group, its own or those of all groups? */
bool overrides_have_names(const char *group);
/* What its tasks then have mounted, so that DNS is asked and nobody who knows names otherwise. */
int __must_check overrides_mounts(struct task_mounts *mounts, struct error *err);

/*
 * Ask the hub's resolvers where names lead outside, and let sockets that are let through go
 * there. Takes as long as they do. Wildcards lead nowhere, but hosts under them do.
 */
int __must_check overrides_resolve(struct error *err);
struct name;
/* The same for one, once a process, within that time (less than a second): whether or not there is an answer. */
int __must_check overrides_resolve_one(const struct name *name, long ms, struct error *err);
/* Let the programs know a name as it is. */
int __must_check overrides_tell_name(const struct name *name, struct error *err);
void overrides_name_pair(const struct name *name, struct redirect_name pair[2]);

#endif /* COPPICE_OVERRIDES_H */
