// SPDX-License-Identifier: GPL-2.0
/* This hub's certificate, and those of who connects. */
#include <errno.h>
#include <gnutls/x509.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/file.h"
#include "tls.h"

/* That the key is the certificate's, and that there is an authority, is seen before the first client. */
static int check(const struct tls *tls, struct error *err)
{
	const gnutls_datum_t certificate = { (unsigned char *)tls->certificate, strlen(tls->certificate) };
	const gnutls_datum_t key = { (unsigned char *)tls->key, strlen(tls->key) };
	const gnutls_datum_t ca = { (unsigned char *)tls->ca, strlen(tls->ca) };
	gnutls_certificate_credentials_t credentials;
	int ret = gnutls_certificate_allocate_credentials(&credentials);

	if (ret < 0)
		return error_set(err, ENOMEM, "TLS cannot be used: %s", gnutls_strerror(ret));
	ret = gnutls_certificate_set_x509_key_mem(credentials, &certificate, &key, GNUTLS_X509_FMT_PEM);
	if (ret < 0)
		error_set(err, EINVAL, "--certificate and --key cannot be used: %s: give PEM files that belong together",
			  gnutls_strerror(ret));
	else if (gnutls_certificate_set_x509_trust_mem(credentials, &ca, GNUTLS_X509_FMT_PEM) < 1)
		ret = error_set(err, EINVAL, "--ca has no certificate: give a PEM file of the authority that signs devices and hubs");
	gnutls_certificate_free_credentials(credentials);
	return ret < 0 ? -1 : 0;
}

static int name_by(struct tls *tls, struct error *err)
{
	const gnutls_datum_t pem = { (unsigned char *)tls->certificate, strlen(tls->certificate) };
	gnutls_x509_crt_t certificate;
	uint8_t digest[32] = {};
	size_t len = sizeof(digest), i;
	int ret = gnutls_x509_crt_init(&certificate);

	if (ret < 0)
		return error_set(err, ENOMEM, "TLS cannot be used: %s", gnutls_strerror(ret));
	ret = gnutls_x509_crt_import(certificate, &pem, GNUTLS_X509_FMT_PEM);
	if (ret >= 0)
		ret = gnutls_x509_crt_get_fingerprint(certificate, GNUTLS_DIG_SHA256, digest, &len);
	gnutls_x509_crt_deinit(certificate);
	if (ret < 0)
		return error_set(err, EINVAL, "--certificate cannot be read: %s", gnutls_strerror(ret));
	for (i = 0; i < sizeof(tls->id) / 2; i++)
		snprintf(tls->id + 2 * i, 3, "%02x", digest[i]);
	return 0;
}

static int read_all(struct tls *tls, const char *certificate, const char *key, const char *ca,
		    struct error *err)
{
	size_t ignored;

	tls->certificate = file_read(certificate, &ignored, err);
	tls->key = tls->certificate ? file_read(key, &ignored, err) : NULL;
	tls->ca = tls->key ? file_read(ca, &ignored, err) : NULL;
	return tls->ca ? 0 : -1;
}

int tls_open(struct tls *tls, const char *certificate, const char *key, const char *ca,
	     struct error *err)
{
	*tls = (struct tls) {};
	if (!read_all(tls, certificate, key, ca, err) && !check(tls, err) && !name_by(tls, err))
		return 0;
	tls_close(tls);
	return -1;
}

void tls_close(struct tls *tls)
{
	free(tls->certificate);
	free(tls->key);
	free(tls->ca);
	*tls = (struct tls) {};
}

static bool subject_of(const gnutls_datum_t *der, char subject[TLS_SUBJECT_SIZE])
{
	gnutls_x509_crt_t certificate;
	gnutls_datum_t text = {};
	bool found = false;

	if (gnutls_x509_crt_init(&certificate) < 0)
		return false;
	if (gnutls_x509_crt_import(certificate, der, GNUTLS_X509_FMT_DER) >= 0 &&
	    gnutls_x509_crt_get_dn3(certificate, &text, 0) >= 0) {
		/* One that is cut off would be another's. */
		found = text.size && text.size < TLS_SUBJECT_SIZE && !memchr(text.data, 0, text.size);
		if (found)
			snprintf(subject, TLS_SUBJECT_SIZE, "%.*s", (int)text.size, text.data);
		gnutls_free(text.data);
	}
	gnutls_x509_crt_deinit(certificate);
	return found;
}

bool tls_peer_subject(gnutls_session_t session, char subject[TLS_SUBJECT_SIZE])
{
	gnutls_typed_vdata_st purpose = {
		.type = GNUTLS_DT_KEY_PURPOSE_OID, .data = (unsigned char *)GNUTLS_KP_TLS_WWW_CLIENT,
	};
	const gnutls_datum_t *shown;
	unsigned int nr, status;

	shown = gnutls_certificate_get_peers(session, &nr);
	return shown && nr && !gnutls_certificate_verify_peers(session, &purpose, 1, &status) &&
	       !status && subject_of(&shown[0], subject);
}
