/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Company: a process that shares a puppet's memory, as another thread would, and does one
 * trick with it over and over. It is there before the puppet enters, and stays where it
 * is: in memory that an enter and a reset keep.
 */
#ifndef COPPICE_SELFTEST_COMPANY_H
#define COPPICE_SELFTEST_COMPANY_H

#include <stdbool.h>
#include <sys/types.h>

#include <linux/coppice_dev.h>

enum company_trick {
	COMPANY_REST,
	COMPANY_FORK,		/* a child that ends at once */
	COMPANY_EXEC,		/* becomes another program, once */
	COMPANY_UNMAP,		/* pages of the puppet's data, and has others there */
	COMPANY_MOVE,		/* such pages to elsewhere and back */
};

/* The tricks with pages leave the first ones to the puppet. */
#define COMPANY_FIRST	8

/* Shared with the test; its code and its stack are in the pages behind. */
struct company {
	pid_t pid;
	volatile bool here;		/* runs in its own memory */
	volatile int trick;
	volatile unsigned int done;	/* how often */
	char program[16];		/* that it becomes */
	char *argv[2];
};

/* Memory for one, above that of the puppet. */
struct company *company_new(void);
/* In who is to be a puppet: have company, a child of the caller's parent. */
void company_join(struct company *company);
/* What the puppet has to keep of it. */
struct coppice_range company_range(const struct company *company);
/* Of the test: it goes. False if there was none. */
bool company_leave(struct company *company);

#endif /* COPPICE_SELFTEST_COMPANY_H */
