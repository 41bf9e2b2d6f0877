/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Ed25519 signatures of bundles, by GnuTLS. Keys are PEM files (PKCS #8 and
 * SubjectPublicKeyInfo), as OpenSSL and GnuTLS write them.
 */
#ifndef COPPICE_SIGNATURE_H
#define COPPICE_SIGNATURE_H

#include <jansson.h>

#include "error.h"

/* Public keys of those whose bundles the hub takes: root's alone, files *.pub. */
#define SIGNATURE_KEYS		"/etc/coppice/keys"
#define SIGNATURE_KEY_ID_SIZE	65	/* SHA-256 of the public key, hexadecimal */

/* A new key at @path (0600) and its public part at @path.pub. Refused if one of them exists. */
int __must_check signature_key_generate(const char *path, struct error *err);
/* Of a file with either: id, public (PEM), private (whether it can sign). */
json_t *signature_key_describe(const char *path, struct error *err);

/* Those that are trusted: those of a directory, or of one file (NULL: SIGNATURE_KEYS). An array of ids. */
json_t *signature_key_ids(const char *keys, struct error *err);

/* The tag that the signature of the key @id over @digest has in bundles and registries. */
void signature_tag(const char *digest, const char *id, char *tag, size_t size);

/* Add one to the bundle, over its manifest's digest; a second by the same key changes nothing. */
int __must_check signature_add(const char *bundle, const char *key, struct error *err);

/*
 * Is there a valid signature over @digest by one of the keys in the directory @keys, or by
 * that in the file @keys (NULL: SIGNATURE_KEYS)? Fills in whose; refused if there is none.
 */
int __must_check signature_check(const char *bundle, const char *digest, const char *keys,
				 char id[SIGNATURE_KEY_ID_SIZE], struct error *err);

#endif /* COPPICE_SIGNATURE_H */
