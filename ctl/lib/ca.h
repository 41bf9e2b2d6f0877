/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The hub's certificate authority, in /var/lib/coppice/ca:
 *
 *	ca.key, ca.pem		its key (root's alone) and certificate
 *	leaf/NAME.pem, .json	a service's certificates and key in one file, and what it is for
 */
#ifndef COPPICE_CA_H
#define COPPICE_CA_H

#include <stdbool.h>
#include <stddef.h>
#include <jansson.h>

#include "certificate.h"
#include "error.h"
#include "file.h"

#define CA_DIRECTORY	STATE_DIRECTORY "/ca"
#define CA_CERTIFICATE	CA_DIRECTORY "/ca.pem"
#define CA_KEY		CA_DIRECTORY "/ca.key"
#define CA_LEAVES	CA_DIRECTORY "/leaf"
#define CA_DAYS		3650
#define LEAF_DAYS	14
#define LEAF_HOSTS_MAX	64

bool ca_exists(void);

/* Refused if there is one. @domains: what it may sign for, with all below. */
int __must_check ca_create(const char *const *domains, size_t nr, unsigned int days,
			   struct error *err);
/* With all that it has signed. Tasks that run keep what they have loaded. */
int __must_check ca_delete(struct error *err);

/* As JSON: the certificate, where it is, and the services' certificates. */
json_t *ca_describe(struct error *err);

/*
 * The file with the certificate and key of the service @name, signed for @hosts and their
 * wildcards: made if there is none, or of other hosts, or if half of its time is over. *made
 * says whether it was.
 */
int __must_check ca_leaf(const char *name, const char *const *hosts, size_t nr,
			 char path[PATH_MAX], bool *made, struct error *err);
int __must_check ca_leaf_remove(const char *name, struct error *err);

#endif /* COPPICE_CA_H */
