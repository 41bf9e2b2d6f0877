// SPDX-License-Identifier: GPL-2.0
/* libarchive with archives in memory; see tar.h. */
#include "tar.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* A stream that grows. */
struct buffer {
	char *data;
	size_t len, size;
};

static la_ssize_t append(struct archive *archive, void *data, const void *bytes, size_t len)
{
	struct buffer *buffer = data;
	size_t size = buffer->size ? buffer->size : 65536;
	char *larger = buffer->data;

	while (size < buffer->len + len)
		size *= 2;
	if (size > buffer->size)
		larger = realloc(buffer->data, size);
	if (!larger) {
		archive_set_error(archive, ENOMEM, "out of memory");
		return -1;
	}
	buffer->data = larger;
	buffer->size = size;
	memcpy(larger + buffer->len, bytes, len);
	buffer->len += len;
	return len;
}

static int write_all(struct archive *archive, struct archive_entry *entry, tar_fill_fn fill,
		     void *data, struct buffer *buffer)
{
	/* What it has no other place for goes into pax headers, and only that. */
	int ret = archive_write_set_format_pax_restricted(archive);

	if (ret == ARCHIVE_OK)
		ret = archive_write_open(archive, buffer, NULL, append, NULL);
	if (ret == ARCHIVE_OK)
		ret = fill(archive, entry, data);
	return ret == ARCHIVE_OK ? archive_write_close(archive) : ret;
}

char *tar_make(const char *what, tar_fill_fn fill, void *data, size_t *len,
	       struct error *err)
{
	struct archive *archive = archive_write_new();
	struct archive_entry *entry = archive_entry_new();
	struct buffer buffer = {};
	int ret = ARCHIVE_FATAL;

	if (!archive || !entry)
		error_set(err, ENOMEM, "out of memory");
	else
		ret = write_all(archive, entry, fill, data, &buffer);
	if (ret != ARCHIVE_OK && archive && entry)
		error_set(err, archive_errno(archive), "%s cannot be archived: %s", what,
			  archive_error_string(archive) ?: "out of memory");
	archive_entry_free(entry);
	archive_write_free(archive);
	*len = buffer.len;
	if (ret == ARCHIVE_OK)
		return buffer.data;
	free(buffer.data);
	return NULL;
}

struct archive *tar_open(const char *what, const void *data, size_t len, struct error *err)
{
	struct archive *archive = archive_read_new();

	if (!archive) {
		error_set(err, ENOMEM, "out of memory");
		return NULL;
	}
	if (archive_read_support_format_tar(archive) == ARCHIVE_OK &&
	    archive_read_open_memory(archive, data, len) == ARCHIVE_OK)
		return archive;
	error_set(err, EBADMSG, "the archive of %s cannot be read: %s", what,
		  archive_error_string(archive) ?: "out of memory");
	archive_read_free(archive);
	return NULL;
}
