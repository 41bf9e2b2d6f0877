/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The deployments of a hub, in /var/lib/coppice/deployments, which is root's alone:
 *
 *	lock			held by whoever changes one
 *	NAME/current/		the applied one
 *	NAME/previous/		the one before, for a rollback
 *	NAME/next/		is being laid out, or has just been replaced
 *	NAME/volumes/VOLUME/	data, which all of them share
 *	NAME/volumes.json	which of them the volumes have the permissions of
 *	NAME/retired.json	the newest version that was ever applied, once it is deleted
 *
 * A slot (current, previous, next) is a directory with
 *
 *	tree/			the nodes of the deployment, with owners, modes and ACLs
 *	functions/NAME/		manifest and code of those that it carries
 *	mapping.json		the deployment, with the hub's numbers
 *	record.json		what it is and how it came here; written last
 *
 * and is never changed once it is complete: it is only moved. The switch is one exchange of two
 * names of one directory (RENAME_EXCHANGE), so whoever looks, and a hub that has
 * lost its power, finds the old slot or the new one, each of them whole. Who opens
 * "current" once and goes on from that descriptor never sees two of them.
 */
#ifndef COPPICE_DEPLOYMENT_STORE_H
#define COPPICE_DEPLOYMENT_STORE_H

#include <jansson.h>
#include <stdbool.h>

#include "error.h"
#include "file.h"

#define DEPLOYMENTS_DIRECTORY	STATE_DIRECTORY "/deployments"
#define SLOT_CURRENT		"current"
#define SLOT_PREVIOUS		"previous"
#define SLOT_NEXT		"next"
#define SLOT_TREE		"tree"
#define SLOT_FUNCTIONS		"functions"
#define SLOT_MAPPING		"mapping.json"
#define SLOT_RECORD		"record.json"
#define SLOT_VOLUMES		"volumes"	/* beside the slots, as is the next */
#define SLOT_LABELLED		"volumes.json"
#define SLOT_FILE_MAX		(512UL << 20)	/* more than a mapping in a bundle can have */

struct deployment_store {
	const char *name;
	int lock, base;		/* base: NAME/ */
};

#define DEPLOYMENT_STORE_CLOSED	{ .lock = -1, .base = -1 }

/*
 * Lock and, if @make, make what is missing. What a power loss or a kill has left behind is brought
 * in order: an unfinished slot is removed, one that was replaced becomes the previous one.
 * Without @make it is refused with ENOENT if there is no such deployment.
 */
int __must_check deployment_store_open(struct deployment_store *store, const char *name,
				       bool make, struct error *err);
void deployment_store_close(struct deployment_store *store);

/* An empty "next", open; -1 with err set. */
int __must_check deployment_store_stage(struct deployment_store *store, struct error *err);
/* Make "next", which is complete and on the disk, the current one. */
int __must_check deployment_store_switch(struct deployment_store *store, struct error *err);
/* Make the previous one current, and that the previous one. */
int __must_check deployment_store_rollback(struct deployment_store *store, struct error *err);
/* Remove the slots, and the volumes if @volumes. What is needed against replays stays. */
int __must_check deployment_store_delete(struct deployment_store *store, bool volumes,
					 struct error *err);

/* The record of a slot, or NULL with err set (ENOENT: there is none). */
json_t *deployment_store_record(const struct deployment_store *store, const char *slot,
				struct error *err);
/*
 * What follows takes a record that is damaged for none, and fails where it could not be looked whether there is one.
 */

/* Of switches of this deployment, counted up; 0: the slot is not complete. */
int __must_check deployment_store_sequence(const struct deployment_store *store, const char *slot,
					   json_int_t *sequence, struct error *err);
/* "version" and "digest" of the newest that was ever applied, or NULL if none was. */
int __must_check deployment_store_newest(const struct deployment_store *store, json_t **newest,
					 struct error *err);
/* That of the applied one, or of the deleted one whose volumes are there still; NULL: neither. */
int __must_check deployment_store_kept(const struct deployment_store *store, json_t **kept,
				       struct error *err);
/* The same of all others of the hub, by name; NULL with err set. */
json_t *deployment_store_others(const struct deployment_store *store, struct error *err);

/* Names of all that have a current slot, sorted, or NULL; of others than @store too, no lock taken. */
json_t *deployment_store_names(struct error *err);

#endif /* COPPICE_DEPLOYMENT_STORE_H */
