/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Private to redirect*.c: all rules with what their numbers stand for, as a copy that is
 * changed in memory and put in force as a whole.
 */
#ifndef COPPICE_REDIRECT_TABLE_H
#define COPPICE_REDIRECT_TABLE_H

#include "redirect.h"
#include "redirect_pins.h"

/* A rule that was in force and is not any more. */
struct rule_gone {
	__u32 rule;
	__u32 epoch;
};

struct table {
	struct rule_set old, new;	/* keys in force; those to be */
	struct override_value *overrides;	/* by rule */
	struct handler_value *handlers;		/* by index */
	struct label_value *labels;	/* by rule; only those of new rules */
	__u8 *rule_state;		/* TABLE_… by rule */
	__u8 *handler_state;		/* by index */
	__u8 *nr_keys;			/* by rule, in the old set */
	__u32 *slots;			/* hash of handlers: index + 1 */
	struct path_value *paths;	/* by index of handler */
	__u32 next_rule, next_handler;
};

#define TABLE_OLD	(1 << 0)	/* in force */
#define TABLE_NEW	(1 << 1)	/* to be in force */
#define TABLE_WRITE	(1 << 2)	/* has to be written */
#define TABLE_GIVEN	(1 << 3)	/* by table_add() */

#define cleanup_table __attribute__((cleanup(table_free)))

/* Reads what is in force; the new set is empty. The pins must be locked for writing. */
int __must_check table_read(struct table *table, const struct pins *pins, struct error *err);
/* Take over all rules but those that @drop says. */
typedef bool (*table_drop_fn)(const struct table *table, const struct rule_entry *entry,
			      const void *data);
int __must_check table_keep(struct table *table, table_drop_fn drop, const void *data,
			    struct error *err);
/* Add a rule of group @number to the new set, as it is in the old one if it is there. */
int __must_check table_add(struct table *table, const struct pins *pins, __u32 number,
			   const struct override *override, struct error *err);
/* Put the new set in force; refuses keys that are there twice. */
int __must_check table_commit(struct table *table, const struct pins *pins,
			      struct error *err);
/* The old rules that are in force no more; NULL without memory. */
struct rule_gone *table_gone(const struct table *table, size_t *nr);
void table_free(struct table *table);

struct endpoint redirect_key_endpoint(const struct rule_key *key);
struct endpoint redirect_handler_endpoint(const struct handler_value *value, const char *path);

#endif /* COPPICE_REDIRECT_TABLE_H */
