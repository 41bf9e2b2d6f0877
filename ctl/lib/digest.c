// SPDX-License-Identifier: GPL-2.0
/* SHA-256 of several texts and files. */
#include <errno.h>
#include <fcntl.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cleanup.h"
#include "digest.h"

#define PIECE	65536
#define BYTES	32

void digest_need(void)
{
	(void)!gnutls_global_init();
}

int digest_open(struct digest *digest, struct error *err)
{
	gnutls_hash_hd_t hash;
	int ret = gnutls_hash_init(&hash, GNUTLS_DIG_SHA256);

	digest->hash = ret ? NULL : hash;
	return ret ? error_set(err, EIO, "SHA-256 cannot be computed: %s", gnutls_strerror(ret)) : 0;
}

static void add_length(struct digest *digest, uint64_t len)
{
	uint8_t bytes[8];
	int i;

	for (i = 0; i < 8; i++)
		bytes[i] = len >> 8 * i;
	gnutls_hash(digest->hash, bytes, sizeof(bytes));
}

void digest_add(struct digest *digest, const void *data, size_t len)
{
	add_length(digest, len);
	gnutls_hash(digest->hash, data, len);
}

void digest_text(struct digest *digest, const char *text)
{
	if (text)
		digest_add(digest, text, strlen(text));
	else
		add_length(digest, UINT64_MAX);
}

void digest_texts(struct digest *digest, char *const *texts)
{
	for (; *texts; texts++)
		digest_text(digest, *texts);
	digest_text(digest, NULL);
}

/* The length is put behind, since it is what was read that counts. */
int digest_file(struct digest *digest, const char *path, struct error *err)
{
	autoclose int fd = open(path, O_RDONLY | O_CLOEXEC);
	uint64_t len = 0;
	uint8_t data[PIECE];
	ssize_t got;

	while (fd >= 0 && (got = read(fd, data, sizeof(data))) > 0) {
		gnutls_hash(digest->hash, data, got);
		len += got;
	}
	if (fd < 0 || got < 0)
		return error_set(err, errno, "%.200s cannot be read: %s", path, strerror(errno));
	add_length(digest, len);
	return 0;
}

void digest_close(struct digest *digest, char text[DIGEST_SIZE])
{
	uint8_t bytes[BYTES];
	int i;

	gnutls_hash_deinit(digest->hash, bytes);
	digest->hash = NULL;
	for (i = 0; i < BYTES; i++)
		snprintf(text + 2 * i, 3, "%02x", bytes[i]);
}
