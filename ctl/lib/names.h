/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Addresses of overridden host names. Each (group, host) has one IPv4 and one IPv6 address of
 * the hub's own, by which the programs know it; they stay the same over reboots, and after
 * a name was given up its addresses are its own until others are used up.
 *
 *	/var/lib/coppice/names.json	{prefix, next, groups: {GROUP: {view, hosts: {HOST: …}, found: {HOST: …}}}}
 *
 * "found" are hosts that tasks have asked for under a wildcard of the group's: each gets addresses
 * of its own, too, which stand for the wildcard's in all but where they lead outside.
 *
 * IPv4: 198.19.0.0/16, one half of the range for benchmarks (RFC 2544), which no network has.
 * IPv6: a prefix made up once for this hub (RFC 4193).
 */
#ifndef COPPICE_NAMES_H
#define COPPICE_NAMES_H

#include <jansson.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "error.h"
#include "host.h"

#define NAMES_MAX	65534		/* numbers of addresses; 0 is none */
#define NAMES_VIEWS	128		/* groups that have names */
#define NAMES_FOUND_MAX	1024		/* hosts found under the wildcards of one group */
#define NAMES_FOUND_ALL	4096		/* and of all */

/* The file, locked, as it was read. */
struct names {
	int lock;
	json_t *root;
	uint8_t *used;			/* a bit a number; made when one is looked for */
};

#define NAMES_CLOSED	{ .lock = -1 }

struct name {
	const char *group, *host;
	const char *wildcard;		/* under which the host was found, or NULL */
	struct in_addr v4;
	struct in6_addr v6;
	struct in_addr alias4;		/* whose rules hold: the wildcard's, or its own */
	struct in6_addr alias6;
	bool v4_answered, v6_answered;	/* A and AAAA queries are */
	struct in_addr real4;		/* where the name leads outside, or zero */
	struct in6_addr real6;
};

/* A host that was taken. */
struct found {
	struct name name, gone;
	char gone_host[HOST_MAX + 1];
	bool changed;
};

int __must_check names_open(struct names *names, struct error *err);
/* Without the lock, for those who change nothing. */
int __must_check names_read(struct names *names, struct error *err);
void names_close(struct names *names);
/* What was read stays. */
void names_unlock(struct names *names);
/* What was changed since names_open() is in the file, or nothing of it. */
int __must_check names_commit(struct names *names, struct error *err);

/* The name in use, false if there is none. */
bool names_find(const struct names *names, const char *group, const char *host,
		struct name *name);
/* The same, with addresses given to it if it has none. */
int __must_check names_take(struct names *names, const char *group, const char *host,
			    struct name *name, struct error *err);
/* What is answered of a name in use, and where it leads outside: true if that is new. */
void names_set_families(struct names *names, const char *group, const char *host, bool v4,
			bool v6);
bool names_set_real(struct names *names, const struct name *name,
		    const struct in_addr *real4, const struct in6_addr *real6);
void names_release(struct names *names, const char *group, const char *host);
void names_release_group(struct names *names, const char *group);

/* For those who compare: a copy without the lock, and one name less in it. */
int __must_check names_copy(const struct names *names, struct names *copy, struct error *err);
void names_forget(struct names *names, const char *group, const char *host);

/* Which of the responder's views is the group's; -1: it has no names. */
int names_view(const struct names *names, const char *group);
/* The group that has the view, or NULL. */
const char *names_group_of_view(const struct names *names, int view);

/* The names in use of @group (NULL: of all); a result other than 0 ends it. */
typedef int (*name_fn)(const struct name *name, int view, void *data);
int names_each(const struct names *names, const char *group, name_fn fn, void *data);

/*
 * Hosts found under wildcards. names_find_found() is names_find() of those. names_take_found()
 * returns 1 with addresses given if need be; 0: the group has as many as it can have, or no such
 * wildcard. A host that nobody has asked for in a day makes way for another: that is @found->gone
 * then (without: gone.host is NULL). @found->changed: there is something to commit.
 */
bool names_find_found(const struct names *names, const char *group, const char *host,
		      struct name *name);
int __must_check names_take_found(struct names *names, const char *group, const char *wildcard,
				  const char *host, struct found *found, struct error *err);
int names_each_found(const struct names *names, const char *group, name_fn fn, void *data);
/* Has somebody asked for it lately? Of those that each of these functions gives. */
bool names_is_asked_for(const struct names *names, const struct name *name);

#define autonames __attribute__((cleanup(names_close)))

#endif /* COPPICE_NAMES_H */
