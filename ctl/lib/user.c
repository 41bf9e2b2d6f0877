// SPDX-License-Identifier: GPL-2.0
/* Whom templates and tasks run as. */
#include <ctype.h>
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "name.h"
#include "user.h"

#define NOBODY	65534

static int from_entry(const struct passwd *entry, struct user *user, struct error *err)
{
	user->uid = entry->pw_uid;
	user->gid = entry->pw_gid;
	snprintf(user->name, sizeof(user->name), "%s", entry->pw_name);
	snprintf(user->home, sizeof(user->home), "%s", entry->pw_dir);
	user->nr_groups = sizeof(user->groups) / sizeof(user->groups[0]);
	if (getgrouplist(entry->pw_name, entry->pw_gid, user->groups, &user->nr_groups) < 0)
		return error_set(err, E2BIG, "user %s is in more than %zu groups: run tasks as a user of fewer",
				 user->name, sizeof(user->groups) / sizeof(user->groups[0]));
	return 0;
}

/* Is there no entry, or could it not be read? Databases without one say so in several ways; see getpwnam(3). */
static bool not_looked_up(void)
{
	return error_hides(errno) || errno == EIO;
}

int user_by_uid(uid_t uid, struct user *user, struct error *err)
{
	const struct passwd *entry;

	errno = 0;
	entry = getpwuid(uid);
	if (entry)
		return from_entry(entry, user, err);
	if (not_looked_up())
		return error_set(err, errno, "user %u could not be looked up: %s", uid, strerror(errno));
	*user = (struct user) { .uid = uid, .gid = uid, .home = "/" };
	snprintf(user->name, sizeof(user->name), "%u", uid);
	user->groups[user->nr_groups++] = user->gid;
	return 0;
}

int user_find(const char *text, struct user *user, struct error *err)
{
	const struct passwd *entry;
	uint64_t uid;

	errno = 0;
	entry = getpwnam(text);
	if (entry)
		return from_entry(entry, user, err);
	if (not_looked_up())
		return error_set(err, errno, "user '%.80s' could not be looked up: %s", text, strerror(errno));
	if (!isdigit((unsigned char)*text))
		return error_set(err, ENOENT, "there is no user '%.80s': give the name or number of one",
				 text);
	/* The last number stands for "no user" in the kernel. */
	if (number_parse("a user's number", text, UINT32_MAX - 1, &uid, err))
		return -1;
	return user_by_uid(uid, user, err);
}

int user_default(struct user *user, struct error *err)
{
	const char *sudo = getenv("SUDO_UID");
	struct error ignored;
	uint64_t uid;

	if (sudo && !number_parse("SUDO_UID", sudo, UINT32_MAX - 1, &uid, &ignored) && uid)
		return user_by_uid(uid, user, err);
	return user_by_uid(NOBODY, user, err);
}

const char *user_name(uid_t uid)
{
	const struct passwd *entry = getpwuid(uid);
	static char number[16];

	if (entry)
		return entry->pw_name;
	snprintf(number, sizeof(number), "%u", uid);
	return number;
}

/*
 * By system calls: the C library's functions have all threads follow, and a child has a list of the ones that its
 * parent had. It would wait for ever for one that was about to begin or end. And each part of the C library that a
 * child runs something of is another fault.
 */
int user_become(const struct user *user, struct error *err)
{
	if (syscall(SYS_setgroups, user->nr_groups, user->groups) ||
	    syscall(SYS_setresgid, user->gid, user->gid, user->gid) ||
	    syscall(SYS_setresuid, user->uid, user->uid, user->uid))
		return error_set(err, errno, "the rights of user %s could not be taken on: %s: run as root",
				 user->name, strerror(errno));
	if (syscall(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return error_set(err, errno, "new privileges could not be ruled out: %s",
				 strerror(errno));
	return 0;
}
