/* SPDX-License-Identifier: GPL-2.0 */
/* This hub's certificate, and those of devices and hubs that connect, by GnuTLS. */
#ifndef COPPICE_TLS_H
#define COPPICE_TLS_H

#include <gnutls/gnutls.h>
#include <stdbool.h>

#include "lib/error.h"

#define TLS_ID_SIZE	17
#define TLS_SUBJECT_SIZE 512

struct tls {
	char *certificate, *key, *ca;	/* PEM, from malloc() */
	char id[TLS_ID_SIZE];		/* of the certificate: what this hub is called by hubs */
};

/* All are files. Refuses what can't be used. */
int __must_check tls_open(struct tls *tls, const char *certificate, const char *key,
			  const char *ca, struct error *err);
void tls_close(struct tls *tls);

/*
 * The subject (RFC 4514) of the certificate that the peer has shown, if our authority signed
 * it for clients and it is valid now. False: it has shown none, or not such a one.
 */
bool tls_peer_subject(gnutls_session_t session, char subject[TLS_SUBJECT_SIZE]);

#endif /* COPPICE_TLS_H */
