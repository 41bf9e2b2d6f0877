// SPDX-License-Identifier: GPL-2.0
/* Words, names and numbers as they are typed: what they mean and what is refused. */
#include "../lib/harness.h"

#include "cmd/cmd.h"
#include "lib/name.h"
#include "lib/spawn.h"

static const char *const good_names[] = {
	"a", "_", "9", "web", "a.b-c_d", "A1", "1.0",
	"123456789012345678901234567890123456789012345678901234567890123",
};

static const char *const bad_names[] = {
	"", ".", "..", "-", "-a", ".a", "a/b", "a b", "a\n", "\xc3\xa4", "a%", "a:b",
	"1234567890123456789012345678901234567890123456789012345678901234",
};

TEST(names)
{
	struct error err;
	size_t i;

	for (i = 0; i < sizeof(good_names) / sizeof(*good_names); i++)
		EXPECT_EQ(0, name_check("it", good_names[i], &err)) { TH_LOG("%s", good_names[i]); }
	for (i = 0; i < sizeof(bad_names) / sizeof(*bad_names); i++)
		EXPECT_EQ(-1, name_check("it", bad_names[i], &err)) { TH_LOG("%s", bad_names[i]); }
}

static const struct {
	const char *text;
	uint64_t bytes;
	bool good;
} sizes[] = {
	{ "0", 0, true }, { "4096", 4096, true }, { "1K", 1024, true }, { "1k", 1024, true },
	{ "64M", 64 << 20, true }, { "2G", 2ULL << 30, true }, { "1T", 1ULL << 40, true },
	{ "16777215T", 16777215ULL << 40, true },
	{ "16777216T", 0, false }, { "", 0, false }, { "M", 0, false }, { "-1", 0, false },
	{ "1MB", 0, false }, { "1.5G", 0, false }, { " 1", 0, false }, { "0x10", 0, false },
	{ "99999999999999999999", 0, false },
};

TEST(amounts_of_memory)
{
	struct error err;
	uint64_t bytes;
	size_t i;

	for (i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		EXPECT_EQ(sizes[i].good ? 0 : -1, bytes_parse("it", sizes[i].text, &bytes, &err)) {
			TH_LOG("%s", sizes[i].text);
		}
		if (sizes[i].good)
			EXPECT_EQ(sizes[i].bytes, bytes);
	}
}

TEST(numbers)
{
	struct error err;
	uint64_t number;

	EXPECT_EQ(0, number_parse("it", "7", 7, &number, &err));
	EXPECT_EQ(7, number);
	EXPECT_EQ(-1, number_parse("it", "8", 7, &number, &err));
	EXPECT_EQ(-1, number_parse("it", "", 7, &number, &err));
	EXPECT_EQ(-1, number_parse("it", "-1", UINT64_MAX, &number, &err));
	EXPECT_EQ(-1, number_parse("it", "1x", 7, &number, &err));
	EXPECT_EQ(-1, number_parse("it", "99999999999999999999", UINT64_MAX, &number, &err));
	EXPECT_EQ(EXIT_USAGE, err.status);
}

/* A command whose options and arguments are written down as they come. */
static char seen[256];

static int note(int key, char *arg, void *data, struct error *err)
{
	size_t len = strlen(seen);

	snprintf(seen + len, sizeof(seen) - len, "%s%s;",
		 key == 1 ? "one=" : key == 2 ? "flag" : key == 'l' ? "letter=" : "",
		 arg ? arg : "");
	return 0;
}

static const struct argp_option options[] = {
	{ .name = "one", .key = 1, .arg = "X" },
	{ .name = "flag", .key = 2 },
	{ .name = "letter", .key = 'l', .arg = "X" },
	{}
};

static const struct command command = { .object = "test", .options = options };

static const struct {
	const char *words[8];
	const char *seen;	/* NULL: refused */
} lines[] = {
	{ { "verb" }, "" },
	{ { "verb", "a", "b" }, "a;b;" },
	{ { "verb", "--one", "1", "a", "--flag" }, "one=1;a;flag;" },
	{ { "verb", "--one=1=2", "a" }, "one=1=2;a;" },
	{ { "verb", "--one", "--flag" }, "one=--flag;" },
	{ { "verb", "--one=" }, "one=;" },
	{ { "verb", "a", "--", "--one", "--", "-x" }, "a;--one;--;-x;" },
	{ { "verb", "-" }, "-;" },
	{ { "verb", "-l", "1", "--letter=2", "a" }, "letter=1;letter=2;a;" },
	{ { "verb", "-l" }, NULL },
	{ { "verb", "-l=1" }, NULL },
	{ { "verb", "-l1" }, NULL },
	{ { "verb", "--one" }, NULL },
	{ { "verb", "--on", "1" }, NULL },
	{ { "verb", "--ones", "1" }, NULL },
	{ { "verb", "--flag=1" }, NULL },
	{ { "verb", "-f" }, NULL },
	{ { "verb", "--=" }, NULL },
	{ { "verb", "-one" }, NULL },
};

TEST(options_are_exact)
{
	struct error err;
	size_t i;
	int argc;

	for (i = 0; i < sizeof(lines) / sizeof(*lines); i++) {
		seen[0] = '\0';
		for (argc = 0; lines[i].words[argc]; argc++)
			;
		EXPECT_EQ(lines[i].seen ? 0 : -1,
			  cmd_parse(&command, argc, (char **)lines[i].words, note, NULL, &err)) {
			TH_LOG("line %zu", i);
		}
		if (lines[i].seen) {
			EXPECT_STREQ(lines[i].seen, seen);
		} else {
			EXPECT_EQ(EXIT_USAGE, err.status);
		}
	}
}

static bool has(char **environment, const char *entry)
{
	for (; *environment; environment++)
		if (!strcmp(*environment, entry))
			return true;
	return false;
}

TEST(environment_of_tasks)
{
	char *from[] = { "A=1", "LD_PRELOAD=x", "COPPICE_EVENT_FD=9", "HOME=/root", "B=2",
			 "SUDO_UID=0", "PATH=/bin", NULL };
	char *more[] = { "B=3", "C=4", NULL };
	const struct user user = { .name = "nobody", .home = "/nowhere" };
	char **to = spawn_environment(from, &user, more);
	size_t nr = 0;

	ASSERT_NE(NULL, to);
	while (to[nr])
		nr++;
	EXPECT_EQ(7, nr);
	EXPECT_TRUE(has(to, "A=1"));
	EXPECT_TRUE(has(to, "PATH=/bin"));
	EXPECT_TRUE(has(to, "B=3"));
	EXPECT_TRUE(has(to, "C=4"));
	EXPECT_TRUE(has(to, "HOME=/nowhere"));
	EXPECT_TRUE(has(to, "USER=nobody"));
	EXPECT_TRUE(has(to, "LOGNAME=nobody"));
	spawn_environment_free(to);
}

TEST(errors_keep_their_code_under_a_prefix)
{
	struct error err;

	EXPECT_EQ(-1, error_set(&err, EBUSY, "in use by %s", "web"));
	EXPECT_EQ(-1, error_prefix(&err, "image %s", "a"));
	EXPECT_STREQ("image a: in use by web", err.text);
	EXPECT_EQ(EBUSY, err.code);
	EXPECT_EQ(EXIT_REFUSED, err.status);
}

TEST_HARNESS_MAIN
