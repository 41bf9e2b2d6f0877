/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The devices that a hub coordinates: by what each is recognised, and which functions it may
 * request. One file, /var/lib/coppice/devices.json, has them all. (What device.h is about is
 * /dev/coppice.)
 */
#ifndef COPPICE_DEVICES_H
#define COPPICE_DEVICES_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "digest.h"
#include "error.h"
#include "function.h"

#define DEVICES_FILE	"/var/lib/coppice/devices.json"
#define TOKEN_SIZE	65	/* of the text */

/* What somebody shows who wants a function. That it is theirs is for the caller to know. */
struct credential {
	enum credential_kind {
		CREDENTIAL_TOKEN,		/* as it was given out */
		CREDENTIAL_CERTIFICATE,		/* a client certificate's subject (RFC 4514) */
		CREDENTIAL_MQTT,		/* client id, of a broker that checks it */
	} kind;
	const char *text;
};

struct known_device {
	char name[IMAGE_NAME_MAX + 1];
	char token[DIGEST_SIZE];	/* its digest, or "" */
	char *certificate, *mqtt;	/* or NULL */
	char **functions, **groups;	/* sets of names */
};

struct devices {
	struct known_device *list;	/* by name */
	size_t nr;
};

/* No error if there is no file. */
int __must_check devices_read(struct devices *devices, struct error *err);
void devices_free(struct devices *devices);
int __must_check devices_write(const struct devices *devices, struct error *err);
/* Held from reading to writing: a descriptor, or -1. */
int __must_check devices_lock(struct error *err);

/* Takes over what @device has, also on failure. Refuses what another one has already. */
int __must_check devices_add(struct devices *devices, struct known_device *device,
			     struct error *err);
int __must_check devices_remove(struct devices *devices, const char *name, struct error *err);

const struct known_device *devices_find(const struct devices *devices, const char *name);
void known_device_free(struct known_device *device);
/* Without the digest of the token. */
json_t *known_device_json(const struct known_device *device);

/* A new token, 256 bits of randomness in hexadecimal digits, and its digest. */
int __must_check token_make(char token[TOKEN_SIZE], char digest[DIGEST_SIZE], struct error *err);

/* Whose is it? NULL: nobody's. */
const struct known_device *devices_recognise(const struct devices *devices,
					     const struct credential *credential);
/*
 * May who shows this request the function? By the device's own functions and groups, or by the
 * function's manifest. Nothing is looked up but in @devices; without a rule the answer is no.
 */
bool device_may_invoke(const struct devices *devices, const struct credential *credential,
		       const struct function *function);

#endif /* COPPICE_DEVICES_H */
