/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Each library that a process has is a handful of mappings, which a fork copies and a task's enter
 * removes again, and relocations at each start of the controller. So those that few commands
 * need are not linked with the controller.
 */
#ifndef COPPICE_LATE_H
#define COPPICE_LATE_H

#define LATE_FAILED	125	/* as a task that was not started */

/* Laid out by ctl/late. */
struct late_library {
	const char *soname;
	const char *names;	/* each ends with a zero, the last with two */
	void **slots;		/* the functions, in the order of the names */
};

/* For ctl/late's code only. Does not return if the library can't be had. */
void late_load(const struct late_library *library);

/*
 * Load those now that bundles take, or groups and their overrides: before what would stay half done, should one be
 * missing or memory be short for it.
 */
void late_need_bundles(void);
void late_need_groups(void);

/*
 * Children that this process forks are without all that has been loaded since the first of these was, and without
 * what else no child calls, which saves copying and removing their mappings. They must not call them, look up no user (which loads
 * libraries, too), nor may fork(2) be used, which calls what libraries have registered for it: see spawn_fork().
 */
void late_keep_from_children(void);

/* Until that is called again, children have all. */
void late_give_to_children(void);

#endif
