/* SPDX-License-Identifier: GPL-2.0 */
/* Running processes become tasks of a group whose image has files that they map. */
#ifndef COPPICE_ADOPT_H
#define COPPICE_ADOPT_H

#include "backend.h"

/* What adopting a process came to: pages but for the first two. */
struct adopt_result {
	uint64_t mappings;	/* that have a file of the image behind them */
	uint64_t skipped;	/* of those: not to be replaced, as the module found */
	char skip_reason[256];	/* of the last one */
	struct adopt_info pages;
};

/* A group and its image, to adopt any number of processes with. */
struct adopter {
	const struct backend *backend;
	struct group_info group;
	struct image image;	/* without content */
};

int __must_check adopter_open(struct adopter *adopter, const struct backend *backend,
			      const char *group, struct error *err);
void adopter_close(struct adopter *adopter);

/*
 * Refused, with the process as it was, if it does not run as the group's owner (EACCES), has
 * ended (ESRCH) or would be one task too many (EAGAIN).
 */
int __must_check adopt_process(const struct adopter *adopter, pid_t pid,
			       struct adopt_result *result, struct error *err);

/* A number that changes when a process maps other files or changes its user; 0: it has ended. */
uint64_t adopt_mark(pid_t pid);

#endif /* COPPICE_ADOPT_H */
