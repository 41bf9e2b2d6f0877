// SPDX-License-Identifier: GPL-2.0
/* X.509 by GnuTLS, whose licence goes with this program's. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <gnutls/crypto.h>
#include <gnutls/x509.h>
#include <gnutls/x509-ext.h>

#include "cleanup.h"
#include "certificate.h"

#define DAY		86400
/* Clocks of hubs and tasks may differ a little. */
#define BACKDATED	DAY
#define CURVE		GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1)
#define VERSION_3	3

/* While a certificate is made: freed together. */
struct making {
	gnutls_x509_crt_t certificate, issuer;
	gnutls_x509_privkey_t key, issuer_key;
	gnutls_x509_name_constraints_t constraints;
};

static void making_free(struct making *making)
{
	if (making->certificate)
		gnutls_x509_crt_deinit(making->certificate);
	if (making->issuer)
		gnutls_x509_crt_deinit(making->issuer);
	if (making->key)
		gnutls_x509_privkey_deinit(making->key);
	if (making->issuer_key)
		gnutls_x509_privkey_deinit(making->issuer_key);
	if (making->constraints)
		gnutls_x509_name_constraints_deinit(making->constraints);
}

void keypair_free(struct keypair *pair)
{
	gnutls_free(pair->certificate.data);
	if (pair->key.data)
		gnutls_memset(pair->key.data, 0, pair->key.size);
	gnutls_free(pair->key.data);
	*pair = (struct keypair){};
}

static int failed(int status, struct error *err)
{
	return error_set(err, EIO, "the certificate cannot be made: %s", gnutls_strerror(status));
}

/* The steps below return the library's status, of which the first below 0 ends all. */

static int set_serial(gnutls_x509_crt_t certificate)
{
	unsigned char serial[16];
	int status = gnutls_rnd(GNUTLS_RND_NONCE, serial, sizeof(serial));

	/* Positive, and of full length. */
	serial[0] = (serial[0] & 0x7f) | 0x40;
	return status < 0 ? status : gnutls_x509_crt_set_serial(certificate, serial, sizeof(serial));
}

static int set_validity(gnutls_x509_crt_t certificate, unsigned int days, time_t latest)
{
	time_t now = time(NULL), end = now + (time_t)days * DAY;
	int status = gnutls_x509_crt_set_activation_time(certificate, now - BACKDATED);

	if (latest && end > latest)
		end = latest;
	return status < 0 ? status : gnutls_x509_crt_set_expiration_time(certificate, end);
}

static int set_common(struct making *making, const struct certificate_request *request,
		      time_t latest)
{
	gnutls_x509_crt_t certificate = making->certificate;
	unsigned char id[20];
	size_t size = sizeof(id);
	int status;

	if ((status = gnutls_x509_privkey_generate(making->key, GNUTLS_PK_ECDSA, CURVE, 0)) < 0 ||
	    (status = gnutls_x509_crt_set_version(certificate, VERSION_3)) < 0 ||
	    (status = gnutls_x509_crt_set_key(certificate, making->key)) < 0 ||
	    (status = set_serial(certificate)) < 0 ||
	    (status = set_validity(certificate, request->days, latest)) < 0 ||
	    (status = gnutls_x509_crt_set_dn_by_oid(certificate, GNUTLS_OID_X520_COMMON_NAME, 0,
						    request->name, strlen(request->name))) < 0 ||
	    (status = gnutls_x509_crt_get_key_id(certificate, 0, id, &size)) < 0)
		return status;
	return gnutls_x509_crt_set_subject_key_id(certificate, id, size);
}

static gnutls_datum_t datum(const void *data, size_t size)
{
	return (gnutls_datum_t){ .data = (void *)data, .size = size };
}

/* The domains and what is below them; no address at all. */
static int set_constraints(struct making *making, const struct certificate_request *request)
{
	static const unsigned char none[32];	/* 0.0.0.0/0 and ::/0 */
	gnutls_datum_t v4 = datum(none, 8), v6 = datum(none, 32), domain;
	int status = 0;
	size_t i;

	for (i = 0; i < request->nr_hosts && status >= 0; i++) {
		domain = datum(request->hosts[i], strlen(request->hosts[i]));
		status = gnutls_x509_name_constraints_add_permitted(making->constraints,
								    GNUTLS_SAN_DNSNAME, &domain);
	}
	if (status < 0 ||
	    (status = gnutls_x509_name_constraints_add_excluded(making->constraints,
								GNUTLS_SAN_IPADDRESS, &v4)) < 0 ||
	    (status = gnutls_x509_name_constraints_add_excluded(making->constraints,
								GNUTLS_SAN_IPADDRESS, &v6)) < 0)
		return status;
	return gnutls_x509_crt_set_name_constraints(making->certificate, making->constraints, 1);
}

static int export(struct making *making, struct keypair *made)
{
	int status = gnutls_x509_crt_export2(making->certificate, GNUTLS_X509_FMT_PEM,
					     &made->certificate);

	return status < 0 ? status :
		gnutls_x509_privkey_export2_pkcs8(making->key, GNUTLS_X509_FMT_PEM, NULL,
						  GNUTLS_PKCS_PLAIN, &made->key);
}

/* No certificate of its own authority: it signs for end points only. */
static int fill_authority(struct making *making, const struct certificate_request *request)
{
	int status;

	if ((status = gnutls_x509_crt_init(&making->certificate)) < 0 ||
	    (status = gnutls_x509_privkey_init(&making->key)) < 0 ||
	    (status = gnutls_x509_name_constraints_init(&making->constraints)) < 0 ||
	    (status = set_common(making, request, 0)) < 0 ||
	    (status = gnutls_x509_crt_set_basic_constraints(making->certificate, 1, 0)) < 0 ||
	    (status = gnutls_x509_crt_set_key_usage(making->certificate,
						    GNUTLS_KEY_KEY_CERT_SIGN |
						    GNUTLS_KEY_CRL_SIGN)) < 0 ||
	    (status = set_constraints(making, request)) < 0)
		return status;
	return gnutls_x509_crt_sign2(making->certificate, making->certificate, making->key,
				     GNUTLS_DIG_SHA256, 0);
}

int certificate_make_authority(const struct certificate_request *request, struct keypair *made,
			       struct error *err)
{
	struct making making = {};
	int status = fill_authority(&making, request);

	if (status >= 0)
		status = export(&making, made);
	making_free(&making);
	return status < 0 ? failed(status, err) : 0;
}

static int import(struct making *making, const struct keypair *authority)
{
	int status;

	if ((status = gnutls_x509_crt_init(&making->issuer)) < 0 ||
	    (status = gnutls_x509_privkey_init(&making->issuer_key)) < 0 ||
	    (status = gnutls_x509_crt_import(making->issuer, &authority->certificate,
					     GNUTLS_X509_FMT_PEM)) < 0)
		return status;
	return gnutls_x509_privkey_import_pkcs8(making->issuer_key, &authority->key,
						GNUTLS_X509_FMT_PEM, NULL, GNUTLS_PKCS_PLAIN);
}

static int set_hosts(gnutls_x509_crt_t certificate, const struct certificate_request *request)
{
	int status = 0;
	size_t i;

	for (i = 0; i < request->nr_hosts && status >= 0; i++)
		status = gnutls_x509_crt_set_subject_alt_name(certificate, GNUTLS_SAN_DNSNAME,
							      request->hosts[i],
							      strlen(request->hosts[i]),
							      i ? GNUTLS_FSAN_APPEND :
								  GNUTLS_FSAN_SET);
	return status;
}

static int set_issuer(struct making *making)
{
	unsigned char id[20];
	size_t size = sizeof(id);
	int status = gnutls_x509_crt_get_key_id(making->issuer, 0, id, &size);

	return status < 0 ? status :
		gnutls_x509_crt_set_authority_key_id(making->certificate, id, size);
}

static int fill_leaf(struct making *making, const struct certificate_request *request,
		     const struct keypair *authority)
{
	int status;

	if ((status = import(making, authority)) < 0 ||
	    (status = gnutls_x509_crt_init(&making->certificate)) < 0 ||
	    (status = gnutls_x509_privkey_init(&making->key)) < 0 ||
	    (status = set_common(making, request,
				 gnutls_x509_crt_get_expiration_time(making->issuer))) < 0 ||
	    (status = gnutls_x509_crt_set_basic_constraints(making->certificate, 0, -1)) < 0 ||
	    (status = gnutls_x509_crt_set_key_usage(making->certificate,
						    GNUTLS_KEY_DIGITAL_SIGNATURE)) < 0 ||
	    (status = gnutls_x509_crt_set_key_purpose_oid(making->certificate,
							  GNUTLS_KP_TLS_WWW_SERVER, 0)) < 0 ||
	    (status = set_hosts(making->certificate, request)) < 0 ||
	    (status = set_issuer(making)) < 0)
		return status;
	return gnutls_x509_crt_sign2(making->certificate, making->issuer, making->issuer_key,
				     GNUTLS_DIG_SHA256, 0);
}

int certificate_issue(const struct certificate_request *request,
		      const struct keypair *authority, struct keypair *made, struct error *err)
{
	struct making making = {};
	int status = fill_leaf(&making, request, authority);

	if (status >= 0)
		status = export(&making, made);
	making_free(&making);
	return status < 0 ? failed(status, err) : 0;
}

/*
 * Reading.
 */

static int read_certificate(const gnutls_datum_t *pem, gnutls_x509_crt_t *certificate)
{
	int status = gnutls_x509_crt_init(certificate);

	if (status < 0)
		return status;
	status = gnutls_x509_crt_import(*certificate, pem, GNUTLS_X509_FMT_PEM);
	if (status < 0)
		gnutls_x509_crt_deinit(*certificate);
	return status;
}

time_t certificate_expiry(const gnutls_datum_t *pem)
{
	gnutls_x509_crt_t certificate;
	time_t end;

	if (read_certificate(pem, &certificate) < 0)
		return 0;
	end = gnutls_x509_crt_get_expiration_time(certificate);
	gnutls_x509_crt_deinit(certificate);
	return end == (time_t)-1 ? 0 : end;
}

static json_t *hex(const unsigned char *bytes, size_t size)
{
	char text[129];
	size_t i;

	for (i = 0; i < size && i < 64; i++)
		snprintf(text + 2 * i, 3, "%02x", bytes[i]);
	return json_string(text);
}

static json_t *when(time_t time)
{
	char text[32];
	struct tm tm;

	gmtime_r(&time, &tm);
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm);
	return json_string(text);
}

static json_t *hosts_of(gnutls_x509_crt_t certificate)
{
	json_t *hosts = json_array();
	unsigned int i;
	char host[256];
	int kind = 0;

	for (i = 0; kind >= 0; i++) {
		size_t size = sizeof(host);

		kind = gnutls_x509_crt_get_subject_alt_name(certificate, i, host, &size, NULL);
		if (kind == GNUTLS_SAN_DNSNAME)
			json_array_append_new(hosts, json_stringn(host, size));
	}
	return hosts;
}

/* None for a certificate without such constraints; NULL where they cannot be read. */
static json_t *permitted_of(gnutls_x509_crt_t certificate)
{
	gnutls_x509_name_constraints_t constraints;
	json_t *domains = json_array();
	unsigned int i, kind, critical;
	gnutls_datum_t name;
	int status;

	if (gnutls_x509_name_constraints_init(&constraints) < 0) {
		json_decref(domains);
		return NULL;
	}
	status = gnutls_x509_crt_get_name_constraints(certificate, constraints, 0, &critical);
	if (!status)
		for (i = 0; !gnutls_x509_name_constraints_get_permitted(constraints, i, &kind, &name); i++)
			if (kind == GNUTLS_SAN_DNSNAME)
				json_array_append_new(domains,
						      json_stringn((char *)name.data, name.size));
	gnutls_x509_name_constraints_deinit(constraints);
	if (!status || status == GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE)
		return domains;
	json_decref(domains);
	return NULL;
}

static json_t *describe(gnutls_x509_crt_t certificate)
{
	unsigned char serial[20], digest[32];
	size_t serial_size = sizeof(serial), digest_size = sizeof(digest), size = 128;
	char name[128] = "";

	gnutls_x509_crt_get_dn_by_oid(certificate, GNUTLS_OID_X520_COMMON_NAME, 0, 0, name, &size);
	if (gnutls_x509_crt_get_serial(certificate, serial, &serial_size))
		serial_size = 0;
	if (gnutls_x509_crt_get_fingerprint(certificate, GNUTLS_DIG_SHA256, digest, &digest_size))
		digest_size = 0;
	return json_pack("{s:s, s:o, s:o, s:o, s:o, s:o, s:o}", "name", name,
			 "serial", hex(serial, serial_size), "sha256", hex(digest, digest_size),
			 "not_before", when(gnutls_x509_crt_get_activation_time(certificate)),
			 "not_after", when(gnutls_x509_crt_get_expiration_time(certificate)),
			 "hosts", hosts_of(certificate), "permitted", permitted_of(certificate));
}

json_t *certificate_describe(const gnutls_datum_t *pem, struct error *err)
{
	gnutls_x509_crt_t certificate;
	int status = read_certificate(pem, &certificate);
	json_t *object;

	if (status < 0) {
		error_set(err, EIO, "the certificate cannot be read: %s", gnutls_strerror(status));
		return NULL;
	}
	object = describe(certificate);
	gnutls_x509_crt_deinit(certificate);
	if (!object)
		error_set(err, ENOMEM, "out of memory");
	return object;
}
