// SPDX-License-Identifier: GPL-2.0
/* What the targets have in common; see fuzz.h. */
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fuzz.h"
#include "lib/compile.h"

char *fuzz_text(const uint8_t *data, size_t size)
{
	char *text;

	if (memchr(data, 0, size))
		return NULL;
	text = malloc(size + 1);
	memcpy(text, data, size);
	text[size] = '\0';
	return text;
}

json_t *fuzz_json(const void *data, size_t size)
{
	return json_loadb(data, size, JSON_REJECT_DUPLICATES, NULL);
}

const char *fuzz_file(const void *data, size_t size)
{
	static char path[32];
	static int fd = -1;

	if (fd < 0) {
		fd = memfd_create("fuzz", 0);
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	}
	if (ftruncate(fd, 0) || pwrite(fd, data, size, 0) != (ssize_t)size)
		abort();
	return path;
}

uint8_t *fuzz_change(const uint8_t *good, size_t good_size, const uint8_t *data, size_t size,
		     size_t *changed_size)
{
	uint8_t *changed = malloc(good_size + size + 1);
	size_t at, nr;

	*changed_size = good_size;
	if (size && data[0] == 0xff) {
		*changed_size = size - 1;
		memcpy(changed, data + 1, size - 1);
		return changed;
	}
	memcpy(changed, good, good_size);
	while (size > 3) {
		at = (data[0] << 8 | data[1]) % good_size;
		nr = data[2] % 16 + 1;
		nr = nr < size - 3 ? nr : size - 3;
		nr = nr < good_size - at ? nr : good_size - at;
		memcpy(changed + at, data + 3, nr);
		data += 3 + nr;
		size -= 3 + nr;
	}
	return changed;
}

static const char spec_text[] =
	"{\"name\": \"test\", \"version\": 7, \"functions\": [{\"name\": \"a\"}, {\"name\": \"b\"},"
	" {\"name\": \"d\", \"role\": \"r\"}, {\"name\": \"e\", \"role\": \"r\"}], \"resources\": ["
	" {\"name\": \"one\", \"kind\": \"volume\"}, {\"name\": \"box\", \"kind\": \"volume\"},"
	" {\"name\": \"data\", \"kind\": \"path\", \"path\": \"/srv/data\"},"
	" {\"name\": \"file\", \"kind\": \"path\", \"path\": \"/srv/file\", \"type\": \"file\"},"
	" {\"name\": \"port\", \"kind\": \"device\", \"path\": \"/dev/ttyS0\"},"
	" {\"name\": \"key\", \"kind\": \"secret\"}], \"access\": ["
	" {\"function\": [\"a\", \"b\"], \"resource\": \"one\", \"rights\": [\"read\", \"write\"]},"
	" {\"role\": \"r\", \"resource\": \"one\", \"rights\": [\"read\"]},"
	" {\"function\": [\"b\"], \"resource\": \"box\", \"rights\": [\"append\"]},"
	" {\"function\": \"a\", \"resource\": [\"data\", \"file\", \"port\", \"key\"],"
	"  \"rights\": [\"read\"]}]}";

struct deployment *fuzz_deployment(void)
{
	json_t *object = fuzz_json(spec_text, sizeof(spec_text) - 1);
	struct deployment *deployment = NULL;
	struct numbers numbers = {};
	struct spec spec;
	struct error err;

	if (object && !spec_parse(object, &spec, &err)) {
		deployment = compile(&spec, &numbers, &err);
		spec_free(&spec);
	}
	if (!deployment)
		abort();
	numbers_free(&numbers);
	json_decref(object);
	return deployment;
}
