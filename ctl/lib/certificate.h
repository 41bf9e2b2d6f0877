/* SPDX-License-Identifier: GPL-2.0 */
/* X.509 by GnuTLS: an authority whose names are constrained, and certificates by it. */
#ifndef COPPICE_CERTIFICATE_H
#define COPPICE_CERTIFICATE_H

#include <jansson.h>
#include <stddef.h>
#include <time.h>
#include <gnutls/gnutls.h>

#include "error.h"

/* Both in PEM, to be freed by keypair_free(). */
struct keypair {
	gnutls_datum_t certificate;
	gnutls_datum_t key;
};

void keypair_free(struct keypair *pair);

struct certificate_request {
	const char *name;		/* common name */
	const char *const *hosts;	/* authority: domains that it may sign for; else the names */
	size_t nr_hosts;
	unsigned int days;
};

int __must_check certificate_make_authority(const struct certificate_request *request,
					    struct keypair *made, struct error *err);

/* Signed by @authority, and never valid for longer than that is. */
int __must_check certificate_issue(const struct certificate_request *request,
				   const struct keypair *authority, struct keypair *made,
				   struct error *err);

/* The end of the first certificate in @pem; 0: there is none that can be read. */
time_t certificate_expiry(const gnutls_datum_t *pem);

/* name, serial, sha256, not_before, not_after, hosts (DNS names), permitted (domains) */
json_t *certificate_describe(const gnutls_datum_t *pem, struct error *err);

#endif /* COPPICE_CERTIFICATE_H */
