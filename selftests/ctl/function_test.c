// SPDX-License-Identifier: GPL-2.0
/* Manifests of functions: what is refused and by which sentence, and what they mean. */
#include "../lib/harness.h"

#include <string.h>

#include "lib/cleanup.h"
#include "lib/function.h"
#include "lib/function_field.h"

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
	{ "{" PROGRAM ", \"warm\": [\"e.json\"]}", "code[0] is './x'" },
	{ "{" SHELL ", \"warm\": [\"e.json\"]}", "warm is for runtime python, not bootstrap" },
	{ "{" SHELL ", \"base\": \"b.py\"}", "base is for runtime python" },
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
	{ "{" LEAST ", \"grants\": [1]}", "grants[0] is a number" },
	{ "{" LEAST ", \"devices\": [\"x\"]}", "devices is a list: give an object" },
	{ "{" LEAST ", \"devices\": {\"token\": []}}", "devices.token is no field" },
	{ "{" LEAST ", \"devices\": {\"tokens\": \"x\"}}", "devices.tokens is a text" },
	{ "{" LEAST ", \"triggers\": {}}", "triggers is no list" },
	{ "{" LEAST ", \"triggers\": [{}]}", "triggers[0].topic is missing" },
	{ "{" LEAST ", \"triggers\": [\"a\"]}", "triggers[0] is a text: give an object" },
	{ "{" LEAST ", \"triggers\": [{\"topic\": \"a/#/b\"}]}", "triggers[0].topic is 'a/#/b'" },
	{ "{" LEAST ", \"triggers\": [{\"topic\": \"a+/b\"}]}", "triggers[0].topic is 'a+/b'" },
	{ "{" LEAST ", \"triggers\": [{\"topic\": \"+b\"}]}", "triggers[0].topic is '+b'" },
	{ "{" LEAST ", \"triggers\": [{\"topic\": \"a\"}, {\"topic\": \"b\", \"response\": \"c/+\"}]}",
	  "triggers[1].response is 'c/+'" },
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
	"\"base\": \"lib/base.py\", \"warm\": [\"b.json\", \"a.json\", \"b.json\"], "
	"\"environment\": {\"B\": \"two\\nlines\", \"A\": \"=\"}, \"owner\": 1234, "
	"\"trust_domain\": \"shop\", \"timeout\": 900, \"memory\": 8, "
	"\"concurrency\": {\"min_warm\": 2, \"max\": 2}, \"reuse\": \"fresh\", \"share\": false, "
	"\"priority\": 100, \"overrides\": [\"unix:/a=unix:/b\", \"*.s3.amazonaws.com:443=block\", "
	"\"198.18.0.5:80=127.0.0.1:8080,prefer-local\", \"unix:/a=unix:/b\"], "
	"\"libraries\": [\"libfoo.so.1=/opt/libfoo.so\"], \"grants\": [\"orders\", \"audit\"], "
	"\"devices\": {\"tokens\": [\"till\"], \"certificates\": [\"CN=till\"], \"mqtt\": [\"till-1\"]}, "
	"\"triggers\": [{\"topic\": \"+/orders/#\", \"response\": \"done\"}, {\"topic\": \"#\"}], "
	"\"forward\": {\"hub\": \"https://other:8443\"}}";

TEST(every_field)
{
	struct function function;
	struct error err;

	ASSERT_EQ(0, parse(whole, &function, &err)) { TH_LOG("%s", err.text); }
	EXPECT_STREQ("7", function.version);
	EXPECT_STREQ("live", function.alias);
	EXPECT_STREQ("lib/base.py", function.base);
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
	EXPECT_STREQ("audit", function.grants[0]);
	EXPECT_STREQ("till", function.tokens[0]);
	EXPECT_STREQ("CN=till", function.certificates[0]);
	EXPECT_STREQ("till-1", function.mqtt[0]);
	ASSERT_EQ(2, function.nr_triggers);
	EXPECT_STREQ("done", function.triggers[0].response);
	EXPECT_EQ(NULL, function.triggers[1].response);
	EXPECT_STREQ("https://other:8443", function.forward_hub);
	function_free(&function);
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

TEST_HARNESS_MAIN
