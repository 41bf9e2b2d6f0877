/* SPDX-License-Identifier: GPL-2.0 */
/* Whom templates and tasks run as. */
#ifndef COPPICE_USER_H
#define COPPICE_USER_H

#include <sys/types.h>

#include "error.h"

struct user {
	uid_t uid;
	gid_t gid;
	char name[64];		/* the uid in digits if it has no name */
	char home[256];
	gid_t groups[256];
	int nr_groups;
};

/* By name or number. A number needs no entry: its group is then the same number. */
int __must_check user_find(const char *text, struct user *user, struct error *err);
int __must_check user_by_uid(uid_t uid, struct user *user, struct error *err);

/* Whose an image is if nobody says: who called sudo, else "nobody"; never root unasked. */
int __must_check user_default(struct user *user, struct error *err);

/* "name", or the number if there is none. */
const char *user_name(uid_t uid);

/*
 * Give up root for good: groups, group and user, and no way back through
 * set-user-ID programs. Calls no name service: safe in a forked child.
 */
int __must_check user_become(const struct user *user, struct error *err);

#endif /* COPPICE_USER_H */
