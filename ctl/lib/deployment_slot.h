/* SPDX-License-Identifier: GPL-2.0 */
/* A slot of the store: writing one, reading it, and what on the disk is not as it was written. */
#ifndef COPPICE_DEPLOYMENT_SLOT_H
#define COPPICE_DEPLOYMENT_SLOT_H

#include <jansson.h>

#include "deployment.h"
#include "deployment_store.h"

/*
 * A deployment on this hub. The record:
 *
 *	name, version, digest	of the bundle
 *	key			whose signature it has
 *	sequence, applied	which change of this deployment it was, and when
 *	numbers			{"uids": {WANTED: GIVEN}, "gids": …}, of former versions too
 *	sources			what source_check() said, by resource
 */
struct deployment_slot {
	json_t *mapping;		/* as the bundle has it */
	json_t *record;
	struct deployment *deployment;	/* with the hub's numbers */
};

void deployment_slot_free(struct deployment_slot *slot);

#define autoslot __attribute__((cleanup(deployment_slot_free)))

/* Lay the slot out in the empty directory @dir, and put it on the disk; the record last. */
int __must_check deployment_slot_write(int dir, const struct deployment_slot *slot,
				       struct error *err);
/* Of the slot's directory; ENOENT in err: there is none. On failure @slot is empty. */
int __must_check deployment_slot_read(int dir, struct deployment_slot *slot, struct error *err);
/* The store's slot of this name. */
int __must_check deployment_slot_find(const struct deployment_store *store, const char *name,
				      struct deployment_slot *slot, struct error *err);

/*
 * Strings: what differs in the tree of the slot's directory @dir, in the volumes' roots (@volumes
 * -1: there are none), and in what it takes from the hub. NULL with err set.
 */
json_t *deployment_slot_drift(int dir, int volumes, const struct deployment_slot *slot,
			      struct error *err);

/*
 * For whoever starts tasks: the current slot of @name. Refused with EAGAIN as long as
 * volumes have permissions of another version, which `apply` or `rollback` has to finish. Takes no
 * lock: all comes from one directory that is never changed.
 */
struct deployment_applied {
	struct deployment_slot slot;
	int tree, volumes;
};

int __must_check deployment_applied_open(const char *name, struct deployment_applied *applied,
					 struct error *err);
void deployment_applied_close(struct deployment_applied *applied);

#endif /* COPPICE_DEPLOYMENT_SLOT_H */
