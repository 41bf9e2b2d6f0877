/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Landlock: rules on files that a process takes on itself, for good. What a kernel does not
 * know of them yet is left out.
 */
#ifndef COPPICE_LANDLOCK_H
#define COPPICE_LANDLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "error.h"

/* Accesses by the names of <linux/landlock.h>, and those that came later. */
#define LANDLOCK_EXECUTE	(1ULL << 0)
#define LANDLOCK_WRITE_FILE	(1ULL << 1)
#define LANDLOCK_READ_FILE	(1ULL << 2)
#define LANDLOCK_READ_DIR	(1ULL << 3)
#define LANDLOCK_REMOVE_DIR	(1ULL << 4)
#define LANDLOCK_REMOVE_FILE	(1ULL << 5)
#define LANDLOCK_MAKE_CHAR	(1ULL << 6)
#define LANDLOCK_MAKE_DIR	(1ULL << 7)
#define LANDLOCK_MAKE_REG	(1ULL << 8)
#define LANDLOCK_MAKE_SOCK	(1ULL << 9)
#define LANDLOCK_MAKE_FIFO	(1ULL << 10)
#define LANDLOCK_MAKE_BLOCK	(1ULL << 11)
#define LANDLOCK_MAKE_SYM	(1ULL << 12)
#define LANDLOCK_REFER		(1ULL << 13)	/* ABI 2: link and rename between directories */
#define LANDLOCK_TRUNCATE	(1ULL << 14)	/* ABI 3, Linux 6.2 */
#define LANDLOCK_IOCTL_DEV	(1ULL << 15)	/* ABI 5, Linux 6.10 */

/* What there is to do with a file that is no directory. */
#define LANDLOCK_OF_FILES	(LANDLOCK_EXECUTE | LANDLOCK_WRITE_FILE | LANDLOCK_READ_FILE | \
				 LANDLOCK_TRUNCATE | LANDLOCK_IOCTL_DEV)
#define LANDLOCK_READ		(LANDLOCK_READ_FILE | LANDLOCK_READ_DIR)
#define LANDLOCK_ADD		(LANDLOCK_WRITE_FILE | LANDLOCK_MAKE_REG | LANDLOCK_MAKE_DIR)
#define LANDLOCK_CHANGE		(LANDLOCK_ADD | LANDLOCK_REMOVE_DIR | LANDLOCK_REMOVE_FILE | \
				 LANDLOCK_MAKE_SOCK | LANDLOCK_MAKE_FIFO | LANDLOCK_MAKE_SYM | \
				 LANDLOCK_REFER | LANDLOCK_TRUNCATE)

struct landlock_rule {
	int fd;			/* with O_PATH */
	bool is_directory;	/* then for all that is below, too */
	uint64_t access;
};

/* The kernel's ABI; 0: it has none, or it was not chosen when the hub started. */
int landlock_abi(void);
/* What of files and signals the kernel's ABI cannot refuse: one text an item, NULL at the end. */
const char *const *landlock_lacks(int abi);

/*
 * From now on this process and its children can do with files what one of the rules says, and
 * nothing else; and reach by signals and abstract sockets nobody but themselves.
 */
int __must_check landlock_restrict(int abi, const struct landlock_rule *rules, size_t nr,
				   struct error *err);

#endif /* COPPICE_LANDLOCK_H */
