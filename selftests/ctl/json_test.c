// SPDX-License-Identifier: GPL-2.0
/* JSON that is read, written and printed with each of jansson's allocations failing once: all of it, or nothing. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../lib/harness.h"

#include "cmd/cmd.h"
#include "lib/json_read.h"
#include "lib/json_text.h"

#define ENTRIES	40

void *__libc_malloc(size_t size);

static unsigned int count, failing;	/* failing: which one, 0: none */

void *malloc(size_t size)
{
	if (++count != failing)
		return __libc_malloc(size);
	errno = ENOMEM;
	return NULL;
}

static void let_fail(unsigned int which)
{
	count = 0;
	failing = which;
}

/* Longer than what jansson's buffers have at first. */
static json_t *make_value(void)
{
	json_t *value = json_object();
	char key[32];
	int i;

	for (i = 0; i < ENTRIES; i++) {
		snprintf(key, sizeof(key), "key-%d", i);
		json_object_set_new(value, key, json_pack("{s:s, s:i, s:[n, b]}", "text", "a \" and \\ and \xc3\xa4",
							  "number", i, "list", i & 1));
	}
	return value;
}

FIXTURE(json) {
	json_t *value;
	char *text;
	unsigned int total;	/* allocations */
};

FIXTURE_VARIANT(json) {
	size_t flags;
};

FIXTURE_VARIANT_ADD(json, compact) { .flags = JSON_COMPACT };
FIXTURE_VARIANT_ADD(json, sorted) { .flags = JSON_COMPACT | JSON_SORT_KEYS };
FIXTURE_VARIANT_ADD(json, indented) { .flags = JSON_INDENT(2) };

FIXTURE_SETUP(json)
{
	self->value = make_value();
	let_fail(0);
	self->text = json_text(self->value, variant->flags);
	self->total = count;
	ASSERT_NE(NULL, self->text);
	ASSERT_LT(1, self->total);
}

FIXTURE_TEARDOWN(json)
{
	let_fail(0);
	json_decref(self->value);
	free(self->text);
}

TEST_F(json, what_is_written_is_whole)
{
	unsigned int i, refused = 0;
	char *text;

	for (i = 1; i <= self->total; i++) {
		let_fail(i);
		text = json_text(self->value, variant->flags);
		EXPECT_TRUE(!text || !strcmp(text, self->text)) { TH_LOG("allocation %u: %s", i, text); }
		EXPECT_TRUE(text || errno == ENOMEM);
		refused += !text;
		free(text);
	}
	EXPECT_LT(0, refused);
}

/* By who does not ask whether each member came to be. */
TEST_F(json, what_is_built_is_whole_or_not_written)
{
	unsigned int i, total, refused = 0;
	json_t *value;
	char *text;

	let_fail(0);
	json_decref(make_value());
	total = count;
	for (i = 1; i <= total; i++) {
		let_fail(i);
		value = make_value();
		/* Reading meanwhile makes nothing good. */
		json_decref(json_read_text("[]", 2, 0, NULL));
		text = json_text(value, variant->flags);
		EXPECT_TRUE(!text || !strcmp(text, self->text)) { TH_LOG("allocation %u: %s", i, text); }
		refused += !text;
		free(text);
		json_decref(value);
	}
	EXPECT_LT(0, refused);
}

TEST_F(json, what_is_read_is_whole)
{
	unsigned int i, total, refused = 0;
	json_t *value;

	let_fail(0);
	json_decref(json_read_text(self->text, strlen(self->text), 0, NULL));
	total = count;
	for (i = 1; i <= total; i++) {
		let_fail(i);
		value = json_read_text(self->text, strlen(self->text), 0, NULL);
		let_fail(0);
		EXPECT_TRUE(!value || json_equal(value, self->value)) { TH_LOG("allocation %u", i); }
		refused += !value;
		json_decref(value);
	}
	EXPECT_LT(0, refused);
}

/* Standard output is @file meanwhile. How much is in there then. */
static ssize_t print_line(FILE *file, const json_t *value, int *ret, char *printed, size_t size)
{
	FILE *console = stdout;
	struct error ignored;
	ssize_t len;

	rewind(file);
	(void)!ftruncate(fileno(file), 0);
	stdout = file;
	*ret = output_line(value, &ignored);
	stdout = console;
	failing = 0;
	len = pread(fileno(file), printed, size - 1, 0);
	printed[len < 0 ? 0 : len] = '\0';
	return len;
}

TEST_F(json, what_is_printed_is_a_line_or_nothing)
{
	char *text = json_text(self->value, JSON_COMPACT), printed[1 << 14];
	unsigned int i, total, refused = 0;
	FILE *file = tmpfile();
	ssize_t len;
	int ret;

	ASSERT_NE(NULL, text);
	ASSERT_NE(NULL, file);
	let_fail(0);
	len = print_line(file, self->value, &ret, printed, sizeof(printed));
	total = count;
	for (i = 0; i <= total; i++) {
		EXPECT_EQ(ret ? 0 : (ssize_t)strlen(text) + 1, len) { TH_LOG("allocation %u: %s", i, printed); }
		EXPECT_TRUE(ret || (!strncmp(printed, text, len - 1) && printed[len - 1] == '\n'));
		refused += !!ret;
		let_fail(i + 1);
		len = print_line(file, self->value, &ret, printed, sizeof(printed));
	}
	EXPECT_LT(0, refused);
	fclose(file);
	free(text);
}

TEST_HARNESS_MAIN
