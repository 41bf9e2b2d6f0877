// SPDX-License-Identifier: GPL-2.0
/* Manifests of functions: what is refused and by which sentence, and what they mean. */
#include "../lib/harness.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/devices.h"
#include "lib/function.h"
#include "lib/function_code.h"
#include "lib/function_field.h"
#include "lib/function_group.h"
#include "lib/name.h"
#include "lib/topic.h"

#define LEAST	"\"name\": \"store\", \"runtime\": \"python\", \"code\": \"store.py:handler\""
#define PROGRAM	"\"name\": \"store\", \"runtime\": \"command\", \"code\": [\"./x\", \"-v\"]"
#define SHELL	"\"name\": \"store\", \"runtime\": \"bootstrap\", \"code\": [\"bootstrap\"]"

static int parse(const char *text, struct function *function, struct error *err)
{
	autojson json_t *manifest = json_loads(text, JSON_REJECT_DUPLICATES, NULL);

	*err = (struct error) {};
	return manifest ? function_parse(manifest, "/srv", "it", function, err) : -2;
}

/* A part of the refusal; each has the field that is wrong. */
static const struct {
	const char *manifest, *refusal;
} refused[] = {
	{ "[]", "it is no JSON object" },
	{ "{}", "name is missing" },
	{ "{\"name\": \"a\", \"code\": \"a.py:b\"}", "runtime is missing" },
	{ "{\"name\": \"a\", \"runtime\": \"python\"}", "code is missing" },
	{ "{" LEAST ", \"tiemout\": 3}", "tiemout is no field: there are name, version" },
	{ "{" LEAST ", \"name \": \"x\"}", "name  is no field" },
	{ "{\"name\": 1, \"runtime\": \"python\", \"code\": \"a.py:b\"}", "name is no text" },
	{ "{\"name\": \"a/b\", \"runtime\": \"python\", \"code\": \"a.py:b\"}",
	  "name: 'a/b' cannot name a function" },
	{ "{\"name\": \"..\", \"runtime\": \"python\", \"code\": \"a.py:b\"}", "name: '..'" },
	{ "{\"name\": \"a\", \"runtime\": \"ruby\", \"code\": \"a.py:b\"}",
	  "runtime is 'ruby': give python, command or bootstrap" },
	{ "{\"name\": \"a\", \"runtime\": null, \"code\": \"a.py:b\"}", "runtime is null" },
	{ "{\"name\": \"a\", \"runtime\": \"python\", \"code\": \"a.py\"}", "give FILE:HANDLER" },
	{ "{\"name\": \"a\", \"runtime\": \"python\", \"code\": \":b\"}", "give FILE:HANDLER" },
	{ "{\"name\": \"a\", \"runtime\": \"python\", \"code\": \"a.py:\"}", "give FILE:HANDLER" },
	{ "{\"name\": \"a\", \"runtime\": \"python\", \"code\": \"/a.py:b\"}", "code is '/a.py:b'" },
	{ "{\"name\": \"a\", \"runtime\": \"python\", \"code\": \"x/../../a.py:b\"}", "without dots" },
	{ "{\"name\": \"a\", \"runtime\": \"python\", \"code\": 3}", "code is neither" },
	{ "{\"name\": \"a\", \"runtime\": \"python\", \"code\": []}", "code is neither" },
	{ "{\"name\": \"a\", \"runtime\": \"python\", \"code\": [\"./x\"]}", "code is a command" },
	{ "{\"name\": \"a\", \"runtime\": \"command\", \"code\": \"a.py:b\"}", "code is FILE:HANDLER" },
	{ "{\"name\": \"a\", \"runtime\": \"command\", \"code\": [\"../x\"]}", "code[0] is '../x'" },
	{ "{\"name\": \"a\", \"runtime\": \"command\", \"code\": [\"x\", 1]}", "code[1] is a number" },
	{ "{\"name\": \"a\", \"runtime\": \"command\", \"code\": [\"x\", \"\"]}", "code[1] is empty" },
	{ "{" PROGRAM ", \"warm\": [\"e.json\"]}", "warm is for runtime python, not command" },
	{ "{\"name\": \"a\", \"runtime\": \"command\", \"code\": [\"./\"]}", "code[0] is ''" },
	{ "{" SHELL ", \"warm\": [\"e.json\"]}", "warm is for runtime python, not bootstrap" },
	{ "{" SHELL ", \"base\": \"b.py\"}", "base is for runtime python" },
	{ "{" SHELL ", \"placement\": \"p\"}", "placement is for runtime python" },
	{ "{" SHELL ", \"checkpoint_on_stdin\": true}", "checkpoint_on_stdin is for runtime command" },
	{ "{" SHELL ", \"reuse\": \"reset\"}", "reuse is reset" },
	{ "{" SHELL ", \"libraries\": [\"a=/b\"]}", "libraries are laid over" },
	{ "{" LEAST ", \"checkpoint_on_stdin\": 1}", "checkpoint_on_stdin is a number: give true" },
	{ "{" LEAST ", \"base\": \"/b.py\"}", "base is '/b.py'" },
	{ "{" LEAST ", \"base\": \"\"}", "base is empty" },
	{ "{" LEAST ", \"warm\": \"e.json\"}", "warm is a text: give a list" },
	{ "{" LEAST ", \"warm\": [\"../e.json\"]}", "warm is '../e.json'" },
	{ "{" LEAST ", \"warm\": [\"a//b\"]}", "warm is 'a//b'" },
	{ "{" LEAST ", \"warm\": [\"a/\"]}", "warm is 'a/'" },
	{ "{" LEAST ", \"environment\": []}", "environment is no object" },
	{ "{" LEAST ", \"environment\": {\"A\": 1}}", "environment.A is no text" },
	{ "{" LEAST ", \"environment\": {\"1A\": \"\"}}", "environment: '1A' cannot name" },
	{ "{" LEAST ", \"environment\": {\"A=B\": \"\"}}", "environment: 'A=B'" },
	{ "{" LEAST ", \"environment\": {\"\": \"\"}}", "environment: ''" },
	{ "{" LEAST ", \"environment\": {\"LD_PRELOAD\": \"x\"}}", "LD_PRELOAD is set by the hub" },
	{ "{" LEAST ", \"environment\": {\"HOME\": \"x\"}}", "HOME is set by the hub" },
	{ "{" LEAST ", \"owner\": -1}", "owner is neither" },
	{ "{" LEAST ", \"owner\": 4294967295}", "owner is neither" },
	{ "{" LEAST ", \"owner\": true}", "owner is neither" },
	{ "{" LEAST ", \"owner\": \"nosuchuser\"}", "owner: there is no user 'nosuchuser'" },
	{ "{" LEAST ", \"trust_domain\": \"\"}", "trust_domain is empty" },
	{ "{" LEAST ", \"trust_domain\": \"a\\nb\"}", "trust_domain has a control character" },
	{ "{" LEAST ", \"timeout\": 0}", "timeout is 0: give a whole number from 1 to 900" },
	{ "{" LEAST ", \"timeout\": 901}", "timeout is 901" },
	{ "{" LEAST ", \"timeout\": 1.5}", "timeout is a number with a fraction" },
	{ "{" LEAST ", \"timeout\": \"3\"}", "timeout is a text" },
	{ "{" LEAST ", \"timeout\": -4294967295}", "timeout is -4294967295" },
	{ "{" LEAST ", \"memory\": 7}", "memory is 7" },
	{ "{" LEAST ", \"memory\": 10241}", "memory is 10241" },
	{ "{" LEAST ", \"concurrency\": 4}", "concurrency is a number: give an object" },
	{ "{" LEAST ", \"concurrency\": {\"max\": 0}}", "concurrency.max is 0" },
	{ "{" LEAST ", \"concurrency\": {\"min\": 0}}", "concurrency.min is no field" },
	{ "{" LEAST ", \"concurrency\": {\"min_warm\": 9}}", "concurrency.min_warm is 9, more than" },
	{ "{" LEAST ", \"reuse\": \"never\"}", "reuse is 'never': give reset, keep or fresh" },
	{ "{" LEAST ", \"share\": \"yes\"}", "share is a text: give true or false" },
	{ "{" LEAST ", \"priority\": -1}", "priority is -1" },
	{ "{" LEAST ", \"priority\": 101}", "priority is 101" },
	{ "{" LEAST ", \"overrides\": {}}", "overrides is an object" },
	{ "{" LEAST ", \"overrides\": [\"198.18.0.5:80\"]}", "overrides: '198.18.0.5:80' is no override" },
	{ "{" LEAST ", \"overrides\": [\"198.18.0.5:80=\"]}", "overrides: '198.18.0.5:80='" },
	{ "{" LEAST ", \"overrides\": [\"198.18.0.5:80=127.0.0.1:8080,maybe\"]}", "overrides: 'maybe'" },
	{ "{" LEAST ", \"overrides\": [\"198.18.0.5:80=x\"]}", "overrides: " },
	{ "{" LEAST ", \"overrides\": [\"198.18.0.5:80=127.0.0.1:80,block\"]}", "overrides: " },
	{ "{" LEAST ", \"libraries\": [\"libfoo.so.1\"]}", "libraries: 'libfoo.so.1' is no library" },
	{ "{" LEAST ", \"libraries\": [\"libfoo.so.1=foo.so\"]}", "with an absolute path" },
	{ "{" LEAST ", \"grants\": [\"shop/till\"]}", "grants is a list" },
	{ "{" LEAST ", \"grants\": \"shop\"}", "is no grant" },
	{ "{" LEAST ", \"grants\": \"shop/../till\"}", "grants" },
	{ "{" LEAST ", \"devices\": [\"x\"]}", "devices is a list: give an object" },
	{ "{" LEAST ", \"devices\": {\"token\": []}}", "devices.token is no field" },
	{ "{" LEAST ", \"devices\": {\"tokens\": \"x\"}}", "devices.tokens is a text" },
	{ "{" LEAST ", \"triggers\": {}}", "triggers is no list" },
	{ "{" LEAST ", \"triggers\": [{}]}", "triggers[0].topic is missing" },
	{ "{" LEAST ", \"triggers\": [\"a\"]}", "triggers[0] is a text: give an object" },
	{ "{" LEAST ", \"triggers\": [{\"topic\": \"a/#/b\"}]}", "triggers[0].topic is 'a/#/b'" },
	{ "{" LEAST ", \"triggers\": [{\"topic\": \"a+/b\"}]}", "triggers[0].topic is 'a+/b'" },
	{ "{" LEAST ", \"triggers\": [{\"topic\": \"+b\"}]}", "triggers[0].topic is '+b'" },
	{ "{" LEAST ", \"triggers\": [{\"topic\": \"+\"}, {\"topic\": \"+/b\", \"response\": \"c/+\"}]}",
	  "triggers[1].response is 'c/+'" },
	{ "{" LEAST ", \"triggers\": [{\"topic\": \"a/#\"}]}", "where a device's client id is" },
	{ "{" LEAST ", \"triggers\": [{\"topic\": \"$SYS/+\"}]}", "where a device's client id is" },
	{ "{" LEAST ", \"triggers\": [{\"topic\": \"+\", \"response\": \"a/%cb\"}]}",
	  "in the place of the client id" },
	{ "{" LEAST ", \"forward\": {}}", "forward names no place" },
	{ "{" LEAST ", \"forward\": {\"hub\": \"https://b\", \"cloud\": \"f\"}}", "forward names two" },
	{ "{" LEAST ", \"forward\": {\"hub\": \"http://b\"}}", "forward.hub is 'http://b'" },
};

TEST(refusals)
{
	struct function function;
	struct error err;
	size_t i;

	for (i = 0; i < sizeof(refused) / sizeof(*refused); i++) {
		EXPECT_EQ(-1, parse(refused[i].manifest, &function, &err)) {
			TH_LOG("%s", refused[i].manifest);
		}
		EXPECT_NE(NULL, strstr(err.text, refused[i].refusal)) {
			TH_LOG("%s: '%s'", refused[i].manifest, err.text);
		}
		EXPECT_EQ(EXIT_REFUSED, err.status) { TH_LOG("%s", refused[i].manifest); }
	}
}

TEST(duplicate_keys)
{
	struct function function;
	struct error err;

	EXPECT_EQ(-2, parse("{" LEAST ", \"name\": \"b\"}", &function, &err));
}

TEST(defaults)
{
	struct function function;
	struct error err;

	ASSERT_EQ(0, parse("{" LEAST "}", &function, &err)) { TH_LOG("%s", err.text); }
	EXPECT_STREQ("store", function.name);
	EXPECT_STREQ("/srv", function.directory);
	EXPECT_STREQ("store.py", function.file);
	EXPECT_STREQ("handler", function.handler);
	EXPECT_STREQ("default", function.trust_domain);
	EXPECT_EQ(3, function.timeout);
	EXPECT_EQ(128, function.memory);
	EXPECT_EQ(0, function.min_warm);
	EXPECT_EQ(8, function.max);
	EXPECT_EQ(FUNCTION_RESET, function.reuse);
	EXPECT_TRUE(function.share);
	EXPECT_EQ(0, function.priority);
	EXPECT_NE(0, function.owner);
	EXPECT_EQ(NULL, function.overrides[0]);
	EXPECT_EQ(NULL, function.command[0]);
	function_free(&function);
	ASSERT_EQ(0, parse("{" SHELL "}", &function, &err)) { TH_LOG("%s", err.text); }
	EXPECT_EQ(FUNCTION_KEEP, function.reuse);
	function_free(&function);
}

static const char whole[] = "{" LEAST ", \"version\": \"7\", \"alias\": \"live\", "
	"\"base\": \"lib/base.py\", \"placement\": \"lib/placement\", \"warm\": [\"b.json\", \"a.json\", \"b.json\"], "
	"\"environment\": {\"B\": \"two\\nlines\", \"A\": \"=\"}, \"owner\": 1234, "
	"\"trust_domain\": \"shop\", \"timeout\": 900, \"memory\": 8, "
	"\"concurrency\": {\"min_warm\": 2, \"max\": 2}, \"reuse\": \"fresh\", \"share\": false, "
	"\"priority\": 100, \"overrides\": [\"unix:/a=unix:/b\", \"*.s3.amazonaws.com:443=block\", "
	"\"198.18.0.5:80=127.0.0.1:8080,prefer-local\", \"unix:/a=unix:/b\"], "
	"\"libraries\": [\"libfoo.so.1=/opt/libfoo.so\"], \"grants\": \"shop/till\", "
	"\"devices\": {\"tokens\": [\"till\"], \"certificates\": [\"CN=till\"], \"mqtt\": [\"till-1\"]}, "
	"\"triggers\": [{\"topic\": \"+/orders/#\", \"response\": \"%c/done\"}, {\"topic\": \"a/+\"}], "
	"\"forward\": {\"hub\": \"https://other:8443\"}}";

TEST(every_field)
{
	struct function function;
	struct error err;

	ASSERT_EQ(0, parse(whole, &function, &err)) { TH_LOG("%s", err.text); }
	EXPECT_STREQ("7", function.version);
	EXPECT_STREQ("live", function.alias);
	EXPECT_STREQ("lib/base.py", function.base);
	EXPECT_STREQ("lib/placement", function.placement);
	EXPECT_EQ(3, texts_count(function.warm));
	EXPECT_STREQ("b.json", function.warm[0]);
	EXPECT_STREQ("A==", function.environment[0]);
	EXPECT_STREQ("B=two\nlines", function.environment[1]);
	EXPECT_EQ(1234, function.owner);
	EXPECT_EQ(900, function.timeout);
	EXPECT_EQ(2, function.min_warm);
	EXPECT_EQ(FUNCTION_FRESH, function.reuse);
	EXPECT_FALSE(function.share);
	EXPECT_EQ(100, function.priority);
	EXPECT_EQ(3, texts_count(function.overrides));
	EXPECT_STREQ("shop/till", function.grants);
	EXPECT_STREQ("till", function.tokens[0]);
	EXPECT_STREQ("CN=till", function.certificates[0]);
	EXPECT_STREQ("till-1", function.mqtt[0]);
	ASSERT_EQ(2, function.nr_triggers);
	EXPECT_STREQ("%c/done", function.triggers[0].response);
	EXPECT_EQ(NULL, function.triggers[1].response);
	EXPECT_STREQ("https://other:8443", function.forward_hub);
	function_free(&function);
}

/* Filter, topic, the client id that it has there or NULL; a response and what becomes of it. */
static const struct {
	const char *filter, *topic, *device, *response, *expected;
} levels[] = {
	{ "+", "till", "till", "%c", "till" },
	{ "a/+/b/+", "a/till/b/c", "till", "%c/%c/x", "till/till/x" },
	{ "+/#", "till/b/c", "till", "a/%c", "a/till" },
	{ "/+/b", "/till/b", "till", "/%c/", "/till/" },
	{ "a/+", "a/", NULL, "%cc/%%c/c%c", "%cc/%%c/c%c" },
	{ "a/+/b", "a//b", NULL, "", "" },
	{ "a/b", "a/b", NULL, "a/%c/b", "a//b" },
};

TEST(topics)
{
	char *response, device[16];
	const char *found;
	size_t i, len;

	for (i = 0; i < sizeof(levels) / sizeof(levels[0]); i++) {
		found = topic_device(levels[i].filter, levels[i].topic, &len);
		ASSERT_EQ(!levels[i].device, !found) { TH_LOG("%s", levels[i].filter); }
		snprintf(device, sizeof(device), "%.*s", found ? (int)len : 0, found ?: "");
		EXPECT_STREQ(levels[i].device ?: "", device);
		response = topic_for_device(levels[i].response, device);
		EXPECT_STREQ(levels[i].expected, response);
		free(response);
	}
	found = topic_device("a/+/b", "a/till/b", &len);
	EXPECT_TRUE(topic_is_of_device("a/till/x", "a/till/b", found, len));
	EXPECT_TRUE(topic_is_of_device("a/till//", "a/till/b", found, len));
	EXPECT_FALSE(topic_is_of_device("a/till/", "a/till/b", found, len));
	EXPECT_FALSE(topic_is_of_device("a/till", "a/till/b", found, len));
	EXPECT_FALSE(topic_is_of_device("a/tills/x", "a/till/b", found, len));
	EXPECT_FALSE(topic_is_of_device("b/till/x", "a/till/b", found, len));
	EXPECT_FALSE(topic_is_of_device("a/till/+", "a/till/b", found, len));
	EXPECT_FALSE(topic_is_of_device("a", "a/till/b", found, len));
}

/* What is written is read as the same. */
TEST(round_trip)
{
	static const char *const manifests[] = { whole, "{" LEAST "}", "{" SHELL "}" };
	struct function function, again;
	struct error err;
	size_t i;

	for (i = 0; i < sizeof(manifests) / sizeof(*manifests); i++) {
		autojson json_t *first = NULL, *second = NULL;

		ASSERT_EQ(0, parse(manifests[i], &function, &err)) { TH_LOG("%s", err.text); }
		first = function_json(&function);
		ASSERT_NE(NULL, first);
		ASSERT_EQ(0, function_parse(first, "/srv", "it", &again, &err)) {
			TH_LOG("%s", err.text);
		}
		second = function_json(&again);
		EXPECT_TRUE(json_equal(first, second));
		function_free(&function);
		function_free(&again);
	}
}

TEST(overrides)
{
	struct override override;
	struct error err;

	ASSERT_EQ(0, function_override("198.18.0.5:80=127.0.0.1:8080,prefer-local", &override, &err));
	EXPECT_EQ(REDIRECT_PREFER_LOCAL, override.policy);
	EXPECT_EQ(1, override.nr_handlers);
	EXPECT_EQ(8080, override.handlers[0].address.port);
	ASSERT_EQ(0, function_override("*.example.com:443=[::1]:8443", &override, &err)) {
		TH_LOG("%s", err.text);
	}
	EXPECT_STREQ("*.example.com", override.label);
	EXPECT_EQ(REDIRECT_LOCAL, override.policy);
	ASSERT_EQ(0, function_override("198.18.0.0/16:*=block", &override, &err));
	EXPECT_EQ(REDIRECT_BLOCK, override.policy);
	EXPECT_EQ(0, override.nr_handlers);
}

/*
 * Groups: each case is two functions that differ in these members from one that is all default,
 * but for their names.
 */
#define SAME	"\"runtime\": \"python\", \"code\": \"store.py:handler\""

static const struct {
	const char *a, *b;
	const char *digest_a, *digest_b;
	enum function_rule rule;
	bool pages;		/* stored once */
} pairs[] = {
	{ "", "", "1", "1", FUNCTION_TOGETHER, true },
	/* What does not count. */
	{ ", \"timeout\": 1", ", \"timeout\": 2", "1", "1", FUNCTION_TOGETHER, true },
	{ ", \"memory\": 64", "", "1", "1", FUNCTION_TOGETHER, true },
	{ ", \"priority\": 9, \"reuse\": \"keep\"", "", "1", "1", FUNCTION_TOGETHER, true },
	{ ", \"devices\": {\"tokens\": [\"a\"]}", "", "1", "1", FUNCTION_TOGETHER, true },
	{ ", \"triggers\": [{\"topic\": \"+/a\"}]", "", "1", "1", FUNCTION_TOGETHER, true },
	{ ", \"concurrency\": {\"max\": 1}", "", "1", "1", FUNCTION_TOGETHER, true },
	/* The order of what is a set. */
	{ ", \"overrides\": [\"unix:/a=unix:/b\", \"unix:/c=unix:/d\"]",
	  ", \"overrides\": [\"unix:/c=unix:/d\", \"unix:/a=unix:/b\"]", "1", "1", FUNCTION_TOGETHER, true },
	{ ", \"environment\": {\"A\": \"1\", \"B\": \"2\"}",
	  ", \"environment\": {\"B\": \"2\", \"A\": \"1\"}", "1", "1", FUNCTION_TOGETHER, true },
	/* What does. */
	{ ", \"owner\": 1001", ", \"owner\": 1002", "1", "1", FUNCTION_OWNER, false },
	{ ", \"trust_domain\": \"a\"", "", "1", "1", FUNCTION_DOMAIN, true },
	{ ", \"share\": false", "", "1", "1", FUNCTION_ALONE, true },
	{ "", ", \"share\": false", "1", "1", FUNCTION_ALONE, true },
	{ ", \"share\": false", ", \"share\": false", "1", "1", FUNCTION_ALONE, true },
	{ "", "", "1", "2", FUNCTION_CODE_DIFFERS, true },
	{ ", \"environment\": {\"A\": \"1\"}", "", "1", "1", FUNCTION_ENVIRONMENT, true },
	{ ", \"environment\": {\"A\": \"1\"}", ", \"environment\": {\"A\": \"2\"}", "1", "1",
	  FUNCTION_ENVIRONMENT, true },
	{ ", \"overrides\": [\"198.18.0.5:80=127.0.0.1:80\"]", "", "1", "1", FUNCTION_OVERRIDES, true },
	{ ", \"libraries\": [\"a=/b\"]", ", \"libraries\": [\"a=/c\"]", "1", "1",
	  FUNCTION_LIBRARIES, true },
	{ ", \"grants\": \"a/b\"", ", \"grants\": \"a/c\"", "1", "1", FUNCTION_GRANTS, true },
	{ ", \"grants\": \"a/b\"", "", "1", "1", FUNCTION_GRANTS, true },
	/* A text must not run into the next one. */
	{ ", \"libraries\": [\"ab=/c\", \"d=/e\"]", ", \"libraries\": [\"ab=/c\", \"d=/ef\"]", "1", "1",
	  FUNCTION_LIBRARIES, true },
	/* The first rule is the one that is told. */
	{ ", \"owner\": 1001, \"share\": false", ", \"grants\": \"a/b\"", "1", "2", FUNCTION_OWNER,
	  false },
	{ ", \"trust_domain\": \"a\", \"grants\": \"a/b\"", "", "1", "2", FUNCTION_DOMAIN, true },
};

static void make(const char *name, const char *members, const char *digest,
		 struct function *function)
{
	char text[512];
	struct error err;

	snprintf(text, sizeof(text), "{\"name\": \"%s\", " SAME "%s}", name, members);
	if (parse(text, function, &err))
		ksft_exit_fail_msg("%s: %s\n", text, err.text);
	snprintf(function->digest, sizeof(function->digest), "%s", digest);
}

static bool one_group(const struct function *a, const struct function *b)
{
	char first[IMAGE_NAME_MAX + 1], second[IMAGE_NAME_MAX + 1];
	struct error err;

	if (function_group_name(a, first, &err) || function_group_name(b, second, &err))
		return false;
	return !strcmp(first, second);
}

TEST(groups)
{
	struct function a, b;
	size_t i;

	for (i = 0; i < sizeof(pairs) / sizeof(*pairs); i++) {
		make("a", pairs[i].a, pairs[i].digest_a, &a);
		make("b", pairs[i].b, pairs[i].digest_b, &b);
		EXPECT_EQ(pairs[i].rule, function_apart(&a, &b)) {
			TH_LOG("%s and %s", pairs[i].a, pairs[i].b);
		}
		EXPECT_EQ(pairs[i].rule, function_apart(&b, &a));
		EXPECT_EQ(pairs[i].rule == FUNCTION_TOGETHER, one_group(&a, &b)) {
			TH_LOG("%s and %s", pairs[i].a, pairs[i].b);
		}
		EXPECT_EQ(pairs[i].pages, function_pages_meet(&a, &b));
		EXPECT_EQ(FUNCTION_TOGETHER, function_apart(&a, &a));
		function_free(&a);
		function_free(&b);
	}
}

TEST(runtimes_are_apart)
{
	struct function a, b;
	struct error err;

	ASSERT_EQ(0, parse("{" PROGRAM "}", &a, &err));
	EXPECT_STREQ("x", a.command[0]);
	ASSERT_EQ(0, parse("{" SHELL "}", &b, &err));
	EXPECT_EQ(FUNCTION_RUNTIME, function_apart(&a, &b));
	EXPECT_FALSE(one_group(&a, &b));
	EXPECT_FALSE(function_pages_meet(&a, &b));
	function_free(&a);
	function_free(&b);
}

/* An ordinary task has no image whose pages could be those of another. */
TEST(ordinary_tasks_share_no_pages)
{
	struct function a, b;

	make("a", "", "1", &a);
	make("b", "", "2", &b);
	EXPECT_TRUE(function_pages_meet(&a, &b));
	b.mode = FUNCTION_ORDINARY;
	EXPECT_FALSE(function_pages_meet(&a, &b));
	function_free(&a);
	function_free(&b);
}

TEST(names_of_groups)
{
	static const struct {
		const char *code, *stem;
	} codes[] = {
		{ "store.py:handler", "store-" }, { "lib/a.b.py:h", "a-" }, { "x y.py:h", "x_y-" },
		{ ".py:h", "_py-" }, { "-x.py:h", "f-" }, { "\u00e4.py:h", "__-" },
		{ "a123456789012345678901234567890123456789.py:h", "a1234567890123456789012345678901-" },
	};
	char text[256], name[IMAGE_NAME_MAX + 1];
	struct function function;
	struct error err;
	size_t i;

	for (i = 0; i < sizeof(codes) / sizeof(*codes); i++) {
		snprintf(text, sizeof(text), "{\"name\": \"a\", \"runtime\": \"python\", \"code\": \"%s\"}",
			 codes[i].code);
		ASSERT_EQ(0, parse(text, &function, &err)) { TH_LOG("%s", err.text); }
		ASSERT_EQ(0, function_group_name(&function, name, &err));
		EXPECT_EQ(0, strncmp(name, codes[i].stem, strlen(codes[i].stem))) { TH_LOG("%s", name); }
		EXPECT_EQ(strlen(codes[i].stem) + 24, strlen(name)) { TH_LOG("%s", name); }
		EXPECT_EQ(0, name_check("a group", name, &err)) { TH_LOG("%s", name); }
		function_free(&function);
	}
}

TEST(reasons)
{
	static const char *const said[] = {
		"a is in group store-", "shares the group with b: code, runtime, owner",
		"does not share the group with c: they have different code",
		"But in the module's store pages that its image and that of c have alike",
		"does not share the group with d: they have different owners",
	};
	struct function all[4];
	autojson json_t *why = NULL;
	autofree char *text = NULL;
	size_t i;

	make("a", "", "1", &all[0]);
	make("b", "", "1", &all[1]);
	make("c", "", "2", &all[2]);
	make("d", ", \"owner\": 1001", "1", &all[3]);
	why = function_why(&all[0], all, 4);
	text = json_dumps(why, 0);
	for (i = 0; i < sizeof(said) / sizeof(*said); i++)
		EXPECT_NE(NULL, strstr(text, said[i])) { TH_LOG("%s: %s", said[i], text); }
	EXPECT_EQ(NULL, strstr(text, "with a"));
	EXPECT_EQ(NULL, strstr(text, "that of d"));
	for (i = 0; i < 4; i++)
		function_free(&all[i]);
}

/*
 * Files and their digest.
 */

FIXTURE(code) {
	char directory[64];
	struct function function;
};

static void put(const char *directory, const char *name, const char *content)
{
	char path[128];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	file = fopen(path, "w");
	if (!file || fputs(content, file) < 0 || fclose(file))
		ksft_exit_fail_msg("%s cannot be written\n", path);
}

FIXTURE_SETUP(code)
{
	char path[128];

	strcpy(self->directory, "/tmp/function_test.XXXXXX");
	ASSERT_NE(NULL, mkdtemp(self->directory));
	snprintf(path, sizeof(path), "%s/lib", self->directory);
	ASSERT_EQ(0, mkdir(path, 0755));
	put(self->directory, "store.py", "1");
	put(self->directory, "lib/base.py", "2");
	put(self->directory, "event.json", "{}");
	put(self->directory, "other.txt", "3");
	put(self->directory, ".hidden", "4");
	put(self->directory, "function.json", "{" LEAST ", \"warm\": [\"event.json\"], "
	    "\"base\": \"lib/base.py\", \"placement\": \"lib/placement\"}");
	put(self->directory, "lib/placement", "5");
}

FIXTURE_TEARDOWN(code)
{
	char command[128];

	function_free(&self->function);
	snprintf(command, sizeof(command), "rm -r %s", self->directory);
	ASSERT_EQ(0, system(command));
}

TEST_F(code, files)
{
	char path[128];
	struct error err;
	char **files;

	ASSERT_EQ(0, function_read(self->directory, &self->function, &err)) { TH_LOG("%s", err.text); }
	files = function_files(&self->function, &err);
	ASSERT_NE(NULL, files) { TH_LOG("%s", err.text); }
	ASSERT_EQ(5, texts_count(files));
	EXPECT_STREQ("event.json", files[0]);
	EXPECT_STREQ("lib/base.py", files[1]);
	EXPECT_STREQ("lib/placement", files[2]);
	EXPECT_STREQ("other.txt", files[3]);
	EXPECT_STREQ("store.py", files[4]);
	texts_free(files);
	function_free(&self->function);
	/* By the name of the manifest: what it names, and no more. */
	snprintf(path, sizeof(path), "%s/function.json", self->directory);
	ASSERT_EQ(0, function_read(path, &self->function, &err));
	files = function_files(&self->function, &err);
	ASSERT_NE(NULL, files) { TH_LOG("%s", err.text); }
	EXPECT_EQ(4, texts_count(files));
	texts_free(files);
}

TEST_F(code, digest)
{
	char first[FUNCTION_DIGEST_SIZE], path[128];
	struct error err;

	ASSERT_EQ(0, function_read(self->directory, &self->function, &err));
	ASSERT_EQ(0, function_digest(&self->function, &err)) { TH_LOG("%s", err.text); }
	EXPECT_EQ(64, strlen(self->function.digest));
	strcpy(first, self->function.digest);
	/* The manifest and what is hidden do not count. */
	put(self->directory, ".hidden", "5");
	put(self->directory, "function.json", "{}");
	ASSERT_EQ(0, function_digest(&self->function, &err));
	EXPECT_STREQ(first, self->function.digest);
	put(self->directory, "other.txt", "4");
	ASSERT_EQ(0, function_digest(&self->function, &err));
	EXPECT_STRNE(first, self->function.digest);
	put(self->directory, "other.txt", "3");
	snprintf(path, sizeof(path), "%s/other.txt", self->directory);
	ASSERT_EQ(0, chmod(path, 0755));
	ASSERT_EQ(0, function_digest(&self->function, &err));
	EXPECT_STRNE(first, self->function.digest);
	ASSERT_EQ(0, chmod(path, 0644));
	ASSERT_EQ(0, function_digest(&self->function, &err));
	EXPECT_STREQ(first, self->function.digest);
	free(self->function.handler);
	self->function.handler = strdup("other");
	ASSERT_EQ(0, function_digest(&self->function, &err));
	EXPECT_STRNE(first, self->function.digest);
}

TEST_F(code, refusals)
{
	char path[128];
	struct error err;

	ASSERT_EQ(0, function_read(self->directory, &self->function, &err));
	snprintf(path, sizeof(path), "%s/link", self->directory);
	ASSERT_EQ(0, symlink("/etc/passwd", path));
	EXPECT_EQ(-1, function_digest(&self->function, &err));
	EXPECT_NE(NULL, strstr(err.text, "/link is neither file nor directory")) { TH_LOG("%s", err.text); }
	ASSERT_EQ(0, unlink(path));
	snprintf(path, sizeof(path), "%s/event.json", self->directory);
	ASSERT_EQ(0, unlink(path));
	EXPECT_EQ(-1, function_digest(&self->function, &err));
	EXPECT_NE(NULL, strstr(err.text, "event.json, which the manifest names")) { TH_LOG("%s", err.text); }
}

/*
 * Devices.
 */

FIXTURE(devices) {
	struct devices devices;
	char token[TOKEN_SIZE];
	struct function own, named, foreign;	/* for the device, by the manifest, for nobody */
};

static char **list_of(const char *text)
{
	char **list = text ? calloc(2, sizeof(*list)) : texts_new();

	if (text)
		list[0] = strdup(text);
	return list;
}

static void add_device(struct devices *devices, const char *name, const char *digest,
		       const char *certificate, const char *mqtt, const char *function,
		       const char *group)
{
	struct known_device device = {
		.certificate = certificate ? strdup(certificate) : NULL,
		.mqtt = mqtt ? strdup(mqtt) : NULL,
		.functions = list_of(function), .groups = list_of(group),
	};
	struct error err;

	snprintf(device.name, sizeof(device.name), "%s", name);
	snprintf(device.token, sizeof(device.token), "%s", digest ? digest : "");
	if (devices_add(devices, &device, &err))
		ksft_exit_fail_msg("%s: %s\n", name, err.text);
}

FIXTURE_SETUP(devices)
{
	char group[IMAGE_NAME_MAX + 1], digest[DIGEST_SIZE];
	struct error err;

	make("own", "", "1", &self->own);
	make("named", ", \"devices\": {\"tokens\": [\"till\"], \"certificates\": [\"CN=printer\"], "
	     "\"mqtt\": [\"scale-1\"]}", "2", &self->named);
	make("foreign", "", "3", &self->foreign);
	ASSERT_EQ(0, function_group_name(&self->foreign, group, &err));
	ASSERT_EQ(0, token_make(self->token, digest, &err)) { TH_LOG("%s", err.text); }
	EXPECT_EQ(64, strlen(self->token));
	EXPECT_STRNE(self->token, digest);
	add_device(&self->devices, "till", digest, NULL, NULL, "own", NULL);
	add_device(&self->devices, "door", NULL, "CN=door", "door-1", "own", NULL);
	add_device(&self->devices, "all", NULL, "CN=all", NULL, NULL, group);
}

FIXTURE_TEARDOWN(devices)
{
	devices_free(&self->devices);
	function_free(&self->own);
	function_free(&self->named);
	function_free(&self->foreign);
}

TEST_F(devices, may)
{
	const struct {
		enum credential_kind kind;
		const char *text;
		bool own, named, foreign;
	} cases[] = {
		{ CREDENTIAL_TOKEN, self->token, true, true, false },
		{ CREDENTIAL_TOKEN, "", false, false, false },
		{ CREDENTIAL_TOKEN, "till", false, false, false },
		/* Who reads the file has no token. */
		{ CREDENTIAL_TOKEN, devices_find(&self->devices, "till")->token, false, false, false },
		{ CREDENTIAL_CERTIFICATE, self->token, false, false, false },
		{ CREDENTIAL_CERTIFICATE, "CN=door", true, false, false },
		{ CREDENTIAL_CERTIFICATE, "CN=doo", false, false, false },
		{ CREDENTIAL_CERTIFICATE, "CN=printer", false, true, false },
		{ CREDENTIAL_CERTIFICATE, "CN=all", false, false, true },
		{ CREDENTIAL_MQTT, "door-1", true, false, false },
		{ CREDENTIAL_MQTT, "CN=door", false, false, false },
		{ CREDENTIAL_MQTT, "scale-1", false, true, false },
		{ CREDENTIAL_MQTT, "", false, false, false },
	};
	struct credential credential;
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		credential = (struct credential) { cases[i].kind, cases[i].text };
		EXPECT_EQ(cases[i].own, device_may_invoke(&self->devices, &credential, &self->own)) {
			TH_LOG("case %zu", i);
		}
		EXPECT_EQ(cases[i].named, device_may_invoke(&self->devices, &credential, &self->named)) {
			TH_LOG("case %zu", i);
		}
		EXPECT_EQ(cases[i].foreign,
			  device_may_invoke(&self->devices, &credential, &self->foreign)) {
			TH_LOG("case %zu", i);
		}
	}
}

TEST_F(devices, one_credential_one_device)
{
	struct known_device device = { .name = "new", .mqtt = strdup("door-1"),
				       .functions = texts_new(), .groups = texts_new() };
	struct error err;

	EXPECT_EQ(-1, devices_add(&self->devices, &device, &err));
	EXPECT_NE(NULL, strstr(err.text, "door-1' is that of device door")) { TH_LOG("%s", err.text); }
	device = (struct known_device) { .name = "new", .certificate = strdup("CN=all"),
					 .functions = texts_new(), .groups = texts_new() };
	EXPECT_EQ(-1, devices_add(&self->devices, &device, &err));
	EXPECT_NE(NULL, strstr(err.text, "CN=all' is that of device all")) { TH_LOG("%s", err.text); }
	EXPECT_EQ(3, self->devices.nr);
}

TEST_F(devices, removed)
{
	struct credential credential = { CREDENTIAL_CERTIFICATE, "CN=door" };
	struct error err;

	ASSERT_EQ(0, devices_remove(&self->devices, "door", &err));
	EXPECT_EQ(2, self->devices.nr);
	EXPECT_FALSE(device_may_invoke(&self->devices, &credential, &self->own));
	credential = (struct credential) { CREDENTIAL_TOKEN, self->token };
	EXPECT_TRUE(device_may_invoke(&self->devices, &credential, &self->own));
	EXPECT_EQ(-1, devices_remove(&self->devices, "door", &err));
}

TEST_HARNESS_MAIN
