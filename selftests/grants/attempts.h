/* SPDX-License-Identifier: GPL-2.0 */
/* What hostile tasks try: with what they were granted, and to get out of it. */
#ifndef COPPICE_SELFTEST_ATTEMPTS_H
#define COPPICE_SELFTEST_ATTEMPTS_H

#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>

/* Which of the flags of a mount keeps it off. */
enum by_mount { BY_NONE, BY_READ_ONLY, BY_NOEXEC, BY_NOBODY };

struct attempt {
	const char *name;
	int (*try)(const char *dir);	/* 0, or errno of what refused it */
	unsigned int rights;		/* any of these (enum grant_right) allows it to Landlock */
	enum by_mount by_mount;
	int since;			/* Landlock's ABI that can refuse it; 0: another thing does */
};

extern const struct attempt attempts[];
extern const size_t nr_attempts;

/*
 * Where the attempts take place: everybody may do everything there, as far as owners and modes go,
 * so that it is the walls that refuse.
 */
int make_place(const char *dir, unsigned int uid);
int remove_place(const char *dir);

/* Ways out of it, each to what is nobody's grant. */
struct outside {
	const char *file;		/* of the hub, to be read by everybody */
	struct file_handle *handle;	/* of it */
	int other;			/* process of a task of the same user */
	bool has_scopes;		/* Landlock's ABI 6 */
};

struct escape {
	const char *name;
	int (*try)(const struct outside *outside);
};

extern const struct escape escapes[];
extern const size_t nr_escapes;

#endif /* COPPICE_SELFTEST_ATTEMPTS_H */
