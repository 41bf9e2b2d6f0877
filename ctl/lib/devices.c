// SPDX-License-Identifier: GPL-2.0
/* The devices that a hub coordinates. */
#include <errno.h>
#include <gnutls/crypto.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cleanup.h"
#include "devices.h"
#include "file.h"
#include "function_field.h"
#include "name.h"

#define TOKEN_BYTES	32

int devices_lock(struct error *err)
{
	return file_make_directory(STATE_DIRECTORY, 0755, err) ? -1 :
		file_lock(STATE_DIRECTORY "/devices.lock", err);
}

void known_device_free(struct known_device *device)
{
	free(device->certificate);
	free(device->mqtt);
	texts_free(device->functions);
	texts_free(device->groups);
	*device = (struct known_device) {};
}

void devices_free(struct devices *devices)
{
	while (devices->nr)
		known_device_free(&devices->list[--devices->nr]);
	free(devices->list);
	devices->list = NULL;
}

/*
 * As JSON.
 */

static int read_name(const json_t *value, const char *key, void *data, struct error *err)
{
	struct known_device *device = data;
	const char *name = json_string_value(value) ?: "";

	(void)key;
	if (name_check("a device", name, err))
		return -1;
	snprintf(device->name, sizeof(device->name), "%s", name);
	return 0;
}

static int read_token(const json_t *value, const char *key, void *data, struct error *err)
{
	struct known_device *device = data;
	const char *digest = json_string_value(value) ?: "";

	if (strlen(digest) != DIGEST_SIZE - 1)
		return error_set(err, EINVAL, "%s is no digest", key);
	memcpy(device->token, digest, DIGEST_SIZE);
	return 0;
}

static const struct field fields[] = {
	{ .key = "name", .kind = FIELD_OTHER, .read = read_name, .required = true },
	{ .key = "token", .kind = FIELD_OTHER, .read = read_token },
	{ .key = "certificate", .kind = FIELD_TEXT,
	  .offset = offsetof(struct known_device, certificate) },
	{ .key = "mqtt", .kind = FIELD_TEXT, .offset = offsetof(struct known_device, mqtt) },
	{ .key = "functions", .kind = FIELD_SET,
	  .offset = offsetof(struct known_device, functions) },
	{ .key = "groups", .kind = FIELD_SET, .offset = offsetof(struct known_device, groups) },
	{}
};

static int read_device(const json_t *value, const char *where, struct devices *devices,
		       struct error *err)
{
	struct known_device device = { .functions = texts_new(), .groups = texts_new() };

	if (!device.functions || !device.groups)
		error_set(err, ENOMEM, "out of memory");
	else if (!fields_read(value, where, fields, &device, err))
		return devices_add(devices, &device, err);
	known_device_free(&device);
	return -1;
}

/* A file that is damaged lets nobody in. */
static int read_all(const json_t *list, struct devices *devices, struct error *err)
{
	char where[32];
	size_t i;

	if (!json_is_array(list))
		return error_set(err, EINVAL, "devices is no list");
	for (i = 0; i < json_array_size(list); i++) {
		snprintf(where, sizeof(where), "devices[%zu].", i);
		if (read_device(json_array_get(list, i), where, devices, err))
			return -1;
	}
	return 0;
}

int devices_read(struct devices *devices, struct error *err)
{
	autojson json_t *state = NULL;

	*devices = (struct devices) {};
	if (access(DEVICES_FILE, F_OK) && errno == ENOENT)
		return 0;
	state = file_read_json(DEVICES_FILE, err);
	if (!state)
		return -1;
	if (!read_all(json_object_get(state, "devices"), devices, err))
		return 0;
	devices_free(devices);
	return error_prefix(err, DEVICES_FILE " is damaged");
}

json_t *known_device_json(const struct known_device *device)
{
	return json_pack("{s:s, s:s*, s:s*, s:o, s:o}", "name", device->name,
			 "certificate", device->certificate, "mqtt", device->mqtt,
			 "functions", texts_json(device->functions),
			 "groups", texts_json(device->groups));
}

int devices_write(const struct devices *devices, struct error *err)
{
	autojson json_t *state = json_pack("{s:[]}", "devices");
	json_t *device;
	size_t i;

	for (i = 0; i < devices->nr; i++) {
		device = known_device_json(&devices->list[i]);
		if (devices->list[i].token[0])
			json_object_set_new(device, "token", json_string(devices->list[i].token));
		if (json_array_append_new(json_object_get(state, "devices"), device))
			return error_set(err, ENOMEM, "out of memory");
	}
	if (!devices->nr)
		return file_remove(DEVICES_FILE, err);
	return file_write_json(DEVICES_FILE, 0600, state, err);
}

/*
 * The list.
 */

static bool same_text(const char *a, const char *b)
{
	return a && b && !strcmp(a, b);
}

const struct known_device *devices_find(const struct devices *devices, const char *name)
{
	size_t i;

	for (i = 0; i < devices->nr; i++)
		if (!strcmp(devices->list[i].name, name))
			return &devices->list[i];
	return NULL;
}

/* One credential means one device. */
static int check_new(const struct devices *devices, const struct known_device *device,
		     struct error *err)
{
	const struct known_device *other = devices->list;

	for (; other < devices->list + devices->nr; other++) {
		if (!strcmp(other->name, device->name))
			return error_set(err, EEXIST, "there is a device %s already: delete it first, or give another name",
					 device->name);
		if (same_text(other->certificate, device->certificate))
			return error_set(err, EEXIST, "the certificate subject '%.100s' is that of device %s: a certificate is for one",
					 device->certificate, other->name);
		if (same_text(other->mqtt, device->mqtt))
			return error_set(err, EEXIST, "the MQTT client id '%.100s' is that of device %s: an id is for one",
					 device->mqtt, other->name);
	}
	return 0;
}

static int by_name(const void *a, const void *b)
{
	const struct known_device *first = a, *second = b;

	return strcmp(first->name, second->name);
}

int devices_add(struct devices *devices, struct known_device *device, struct error *err)
{
	struct known_device *more = NULL;

	if (!check_new(devices, device, err)) {
		more = reallocarray(devices->list, devices->nr + 1, sizeof(*more));
		if (!more)
			error_set(err, ENOMEM, "out of memory");
	}
	if (!more) {
		known_device_free(device);
		return -1;
	}
	devices->list = more;
	more[devices->nr++] = *device;
	qsort(more, devices->nr, sizeof(*more), by_name);
	return 0;
}

int devices_remove(struct devices *devices, const char *name, struct error *err)
{
	struct known_device *device = (struct known_device *)devices_find(devices, name);

	if (!device)
		return error_set(err, ENOENT, "there is no device %.80s: see coppice device list", name);
	known_device_free(device);
	devices->nr--;
	memmove(device, device + 1, (char *)(devices->list + devices->nr) - (char *)device);
	return 0;
}

/*
 * Credentials.
 */

/* Tokens are not guessed, being as random as the digest is long: it needs no salt. */
static int digest_of(const char *token, char text[DIGEST_SIZE], struct error *err)
{
	struct digest digest;

	if (digest_open(&digest, err))
		return -1;
	digest_text(&digest, token);
	digest_close(&digest, text);
	return 0;
}

int token_make(char token[TOKEN_SIZE], char digest[DIGEST_SIZE], struct error *err)
{
	uint8_t bytes[TOKEN_BYTES];
	int ret = gnutls_rnd(GNUTLS_RND_KEY, bytes, sizeof(bytes)), i;

	if (ret)
		return error_set(err, EIO, "there is no randomness for a token: %s", gnutls_strerror(ret));
	for (i = 0; i < TOKEN_BYTES; i++)
		snprintf(token + 2 * i, 3, "%02x", bytes[i]);
	return digest_of(token, digest, err);
}

static bool is_of(const struct known_device *device, enum credential_kind kind, const char *text)
{
	switch (kind) {
	case CREDENTIAL_TOKEN:
		return device->token[0] && !strcmp(device->token, text);
	case CREDENTIAL_CERTIFICATE:
		return same_text(device->certificate, text);
	case CREDENTIAL_MQTT:
		return same_text(device->mqtt, text);
	}
	return false;
}

const struct known_device *devices_recognise(const struct devices *devices,
					     const struct credential *credential)
{
	const char *text = credential->text;
	char digest[DIGEST_SIZE];
	struct error ignored;
	size_t i;

	if (credential->kind == CREDENTIAL_TOKEN) {
		if (digest_of(text, digest, &ignored))
			return NULL;
		text = digest;
	}
	for (i = 0; i < devices->nr; i++)
		if (is_of(&devices->list[i], credential->kind, text))
			return &devices->list[i];
	return NULL;
}

/* The manifest names tokens by their device, and what else a device shows as it is. */
static bool manifest_names(const struct function *function, const struct credential *credential,
			   const struct known_device *device)
{
	switch (credential->kind) {
	case CREDENTIAL_TOKEN:
		return device && texts_have(function->tokens, device->name);
	case CREDENTIAL_CERTIFICATE:
		return texts_have(function->certificates, credential->text);
	case CREDENTIAL_MQTT:
		return texts_have(function->mqtt, credential->text);
	}
	return false;
}

bool device_may_invoke(const struct devices *devices, const struct credential *credential,
		       const struct function *function)
{
	const struct known_device *device = devices_recognise(devices, credential);
	char group[IMAGE_NAME_MAX + 1];
	struct error ignored;

	if (manifest_names(function, credential, device))
		return true;
	if (!device)
		return false;
	if (texts_have(device->functions, function->name))
		return true;
	return !function_group_name(function, group, &ignored) &&
	       texts_have(device->groups, group);
}
