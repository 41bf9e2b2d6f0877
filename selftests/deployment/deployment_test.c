// SPDX-License-Identifier: GPL-2.0
/*
 * Compiled deployments: the proof notices each bit of the tree that is changed, a mapping that
 * is not valid is refused with the reason, and only a good signature counts.
 */
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../lib/harness.h"

#include "lib/cleanup.h"
#include "lib/compile.h"
#include "lib/deployment_nodes.h"
#include "lib/deployment_tree.h"
#include "lib/file.h"
#include "lib/oci.h"
#include "lib/proof.h"
#include "lib/signature.h"

#define RANDOM_CHANGES	4000

/* Every kind of resource and of rights, one set, several, none, a drop box with its owner. */
static const char spec_text[] =
	"{ \"name\": \"test\", \"version\": 7,"
	"  \"functions\": [{\"name\": \"a\"}, {\"name\": \"b\"}, {\"name\": \"c\"},"
	"    {\"name\": \"d\", \"role\": \"r\"}, {\"name\": \"e\", \"role\": \"r\"}, {\"name\": \"f\"}],"
	"  \"resources\": ["
	"    {\"name\": \"one\", \"kind\": \"volume\"}, {\"name\": \"many\", \"kind\": \"volume\"},"
	"    {\"name\": \"box\", \"kind\": \"volume\"}, {\"name\": \"none\", \"kind\": \"volume\"},"
	"    {\"name\": \"data\", \"kind\": \"path\", \"path\": \"/srv/data\"},"
	"    {\"name\": \"file\", \"kind\": \"path\", \"path\": \"/srv/file\", \"type\": \"file\"},"
	"    {\"name\": \"port\", \"kind\": \"device\", \"path\": \"/dev/ttyS0\"},"
	"    {\"name\": \"key\", \"kind\": \"secret\"}],"
	"  \"access\": ["
	"    {\"function\": [\"a\", \"b\"], \"resource\": \"one\", \"rights\": [\"read\", \"write\"]},"
	"    {\"function\": \"a\", \"resource\": \"many\", \"rights\": [\"read\", \"write\"]},"
	"    {\"function\": [\"b\", \"c\"], \"resource\": \"many\", \"rights\": [\"read\"]},"
	"    {\"role\": \"r\", \"resource\": \"many\", \"rights\": [\"write\"]},"
	"    {\"function\": \"f\", \"resource\": \"many\", \"rights\": [\"traverse\"]},"
	"    {\"function\": \"a\", \"resource\": \"box\", \"rights\": [\"read\", \"write\"]},"
	"    {\"function\": [\"b\", \"c\"], \"resource\": \"box\", \"rights\": [\"append\"]},"
	"    {\"function\": \"f\", \"resource\": \"box\", \"rights\": [\"append\", \"read\"]},"
	"    {\"role\": \"r\", \"resource\": \"box\", \"rights\": [\"traverse\"]},"
	"    {\"function\": \"a\", \"resource\": [\"data\", \"file\", \"port\"], \"rights\": [\"read\", \"write\"]},"
	"    {\"function\": \"b\", \"resource\": [\"data\", \"file\", \"port\"], \"rights\": [\"read\"]},"
	"    {\"function\": \"c\", \"resource\": \"data\", \"rights\": [\"traverse\"]},"
	"    {\"function\": [\"a\", \"b\", \"c\"], \"resource\": \"key\", \"rights\": [\"read\"]}] }";

/* The meaning comes from the SPEC, so that it stays when the deployment is changed. */
FIXTURE(deployment) {
	struct spec spec;
	struct numbers numbers;
	struct deployment *deployment;
	struct error err;
	char dir[40], bundle[64];
};

FIXTURE_SETUP(deployment)
{
	autojson json_t *object = json_loads(spec_text, JSON_REJECT_DUPLICATES, NULL);

	*self = (typeof(*self)){};
	ASSERT_NE(NULL, object);
	ASSERT_EQ(0, spec_parse(object, &self->spec, &self->err)) { TH_LOG("%s", self->err.text); }
	self->deployment = compile(&self->spec, &self->numbers, &self->err);
	ASSERT_NE(NULL, self->deployment) { TH_LOG("%s", self->err.text); }
	strcpy(self->dir, "/tmp/coppice-deployment-XXXXXX");
	ASSERT_NE(NULL, mkdtemp(self->dir));
	snprintf(self->bundle, sizeof(self->bundle), "%s/bundle", self->dir);
}

FIXTURE_TEARDOWN(deployment)
{
	char command[64];

	deployment_free(self->deployment);
	numbers_free(&self->numbers);
	spec_free(&self->spec);
	snprintf(command, sizeof(command), "rm -rf %s", self->dir);
	EXPECT_EQ(0, system(command));
}

static const struct spec *meant_spec;
static const struct deployment *meant_deployment;

static unsigned int meant(const struct deployment_function *function,
			  const struct deployment_resource *resource, const void *data)
{
	return spec_rights(meant_spec, function - meant_deployment->functions,
			   resource - meant_deployment->resources);
}

static int prove(FIXTURE_DATA(deployment) *self)
{
	struct proof_result result;

	meant_spec = &self->spec;
	meant_deployment = self->deployment;
	return proof_check(self->deployment, meant, NULL, &result, &self->err);
}

/* What a hub notices when it reads the tree, or the compiler does when it proves it. */
static int judge(FIXTURE_DATA(deployment) *self)
{
	return deployment_check(self->deployment, &self->err) || prove(self) ? -1 : 0;
}

TEST_F(deployment, is_proved)
{
	EXPECT_EQ(0, deployment_check(self->deployment, &self->err)) { TH_LOG("%s", self->err.text); }
	EXPECT_EQ(0, prove(self)) { TH_LOG("%s", self->err.text); }
}

/* The owner's bits say nothing where the owner is root. */
static mode_t counted_bits(const struct deployment_node *node)
{
	mode_t bits = S_ISUID | 0077;

	/* Nobody's group is root's: the directories that all pass could have its bits or not. */
	if (!node->resource && !node->gid)
		bits &= ~010;
	if (node->resource && node->resource->kind == DEPLOYMENT_VOLUME && node->gid)
		bits |= S_ISGID | S_ISVTX;
	return bits;
}

TEST_F(deployment, every_bit_of_a_mode_counts)
{
	size_t i, tried = 0, proved = 0;
	int bit;

	for (i = 0; i < self->deployment->nr_nodes; i++) {
		struct deployment_node *node = &self->deployment->nodes[i];

		for (bit = 0; bit < 12; bit++) {
			mode_t flipped = 1 << bit;

			if (!(counted_bits(node) & flipped))
				continue;
			node->mode ^= flipped;
			EXPECT_EQ(-1, judge(self)) {
				TH_LOG("%s: %04o", node->path, node->mode & 07777);
			}
			proved += prove(self) < 0;
			node->mode ^= flipped;
			tried++;
		}
	}
	EXPECT_LT(100, tried);
	EXPECT_LT(30, proved);
	TH_LOG("%zu bits, %zu of them change what the kernel allows", tried, proved);
	EXPECT_EQ(0, judge(self));
}

/* The owner of a drop box is in its owning group, but the owner's entry is his. */
static bool counts(const struct deployment_node *node, const struct acl_entry *entry,
		   bool inherited)
{
	if (entry->tag == ACL_TAG_OWNER)
		return false;
	return inherited || entry->tag != ACL_TAG_OWNING_GROUP || !node->uid;
}

/* The mode's group bits are the mask's, so both change. */
static void flip(struct deployment_node *node, struct acl_entry *entry, unsigned int bit,
		 bool inherited)
{
	entry->permissions ^= bit;
	if (entry->tag == ACL_TAG_MASK && !inherited)
		node->mode ^= bit << 3;
}

static size_t flip_acl(struct __test_metadata *_metadata, FIXTURE_DATA(deployment) *self,
		       struct deployment_node *node, struct acl *acl, bool inherited,
		       size_t *proved)
{
	size_t i, tried = 0;
	unsigned int bit;

	for (i = 0; i < acl->nr; i++) {
		for (bit = 1; bit <= 4; bit <<= 1) {
			struct acl_entry *entry = &acl->entries[i];

			/* Search alone, of what is made, and a mask that takes nothing away. */
			if (!counts(node, entry, inherited) ||
			    (inherited && bit == 1 && !(entry->permissions & 6) &&
			     entry->tag != ACL_TAG_OTHER) ||
			    (entry->tag == ACL_TAG_MASK && !(entry->permissions & bit)))
				continue;
			flip(node, entry, bit, inherited);
			EXPECT_EQ(-1, judge(self)) {
				TH_LOG("%s: entry %zu of %s: %x", node->path, i,
				       inherited ? "the default ACL" : "the ACL",
				       entry->permissions);
			}
			*proved += prove(self) < 0;
			flip(node, entry, bit, inherited);
			tried++;
		}
	}
	return tried;
}

TEST_F(deployment, every_bit_of_an_acl_counts)
{
	size_t i, tried = 0, proved = 0;

	for (i = 0; i < self->deployment->nr_nodes; i++) {
		struct deployment_node *node = &self->deployment->nodes[i];

		tried += flip_acl(_metadata, self, node, &node->acl, false, &proved);
		tried += flip_acl(_metadata, self, node, &node->default_acl, true, &proved);
	}
	EXPECT_LT(80, tried);
	EXPECT_LT(50, proved);
	for (i = 0; i < self->deployment->nr_nodes; i++) {
		struct acl taken = self->deployment->nodes[i].default_acl;

		if (!taken.entries)
			continue;
		self->deployment->nodes[i].default_acl = (struct acl){};
		EXPECT_EQ(-1, judge(self)) { TH_LOG("%s", self->deployment->nodes[i].path); }
		self->deployment->nodes[i].default_acl = taken;
	}
	TH_LOG("%zu bits, %zu of them change what the kernel allows", tried, proved);
	EXPECT_EQ(0, judge(self));
}

TEST_F(deployment, every_owner_counts)
{
	size_t i;

	for (i = 0; i < self->deployment->nr_nodes; i++) {
		struct deployment_node *node = &self->deployment->nodes[i];
		uint32_t uid = node->uid, gid = node->gid;

		node->uid = self->deployment->functions[2].uid;
		EXPECT_EQ(-1, judge(self)) { TH_LOG("%s: uid", node->path); }
		node->uid = uid;
		if (!gid)
			continue;
		node->gid = self->deployment->gids.to;
		EXPECT_EQ(-1, judge(self)) { TH_LOG("%s: gid", node->path); }
		node->gid = gid;
	}
	EXPECT_EQ(0, judge(self));
}

TEST_F(deployment, every_group_counts)
{
	size_t i, tried = 0;

	for (i = 0; i < self->deployment->nr_functions; i++) {
		struct deployment_function *function = &self->deployment->functions[i];

		if (!function->nr_groups)
			continue;
		function->nr_groups--;
		EXPECT_EQ(-1, prove(self)) { TH_LOG("%s", function->name); }
		EXPECT_NE(NULL, strstr(self->err.text, function->name));
		function->nr_groups++;
		tried++;
	}
	EXPECT_LT(2, tried);
}

/*
 * Bundles.
 */

TEST_F(deployment, is_read_as_it_was_written)
{
	autodeployment struct deployment *found = NULL;
	autojson json_t *first = deployment_to_json(self->deployment), *second = NULL;

	ASSERT_EQ(0, deployment_write(self->deployment, self->bundle, &self->err));
	found = deployment_read(self->bundle, &self->err);
	ASSERT_NE(NULL, found) { TH_LOG("%s", self->err.text); }
	second = deployment_to_json(found);
	EXPECT_TRUE(json_equal(first, second));
	EXPECT_STREQ(self->deployment->digest, found->digest);
	EXPECT_EQ(RIGHT_READ, deployment_rights(deployment_function(found, "b"),
						deployment_resource(found, "many")));
	EXPECT_EQ(0, deployment_rights(deployment_function(found, "f"),
				       deployment_resource(found, "one")));
	EXPECT_EQ(NULL, deployment_resource(found, "two"));
}

/* What a mapping is changed to, by a path in it, and a word of the refusal. */
static const struct {
	const char *path[3];	/* keys, numbers in digits */
	const char *value;	/* JSON; NULL: removed */
	const char *word;
} hostile[] = {
	{ { "format" }, "2", "format" },
	{ { "name" }, "\"../x\"", "name" },
	{ { "version" }, "0", "version" },
	{ { "version" }, "-1", "version" },
	{ { "more" }, "1", "'more' is no field" },
	{ { "ranges", "uids" }, "[0, 70000]", "ranges.uids" },
	{ { "ranges", "gids" }, "[524288, 600000]", "ranges.gids" },
	{ { "ranges", "gids" }, "[65540, 65536]", "ranges.gids" },
	{ { "functions", "0", "uid" }, "0", "functions[0].uid" },
	{ { "functions", "0", "gid" }, "27", "functions[0].gid" },
	{ { "functions", "0", "groups" }, "[0]", "ascend" },
	{ { "functions", "0", "groups" }, "\"all\"", "functions[0].groups" },
	{ { "functions", "1", "name" }, "\"a\"", "two functions" },
	{ { "functions", "3", "role" }, "\"q\"", "user" },
	{ { "functions", "1", "role" }, "\"a\"", "role" },
	{ { "groups", "0", "gid" }, "0", "groups[0].gid" },
	{ { "groups", "0", "serves" }, "[1]", "groups[0].serves" },
	{ { "resources", "1", "name" }, "\"one\"", "one" },
	{ { "resources", "0", "path" }, "\"volumes/../one\"", "one" },
	{ { "resources", "0", "path" }, "\"/etc/one\"", "one" },
	{ { "resources", "0", "path" }, "\"volumes/x/one\"", "one" },
	{ { "resources", "0", "kind" }, "\"root\"", "resources[0].kind" },
	{ { "resources", "0", "source" }, "\"/etc\"", "resources[0].source" },
	{ { "resources", "0", "access" }, "[{\"gid\": 0, \"rights\": [\"read\"]}]", "resources[0].gid" },
	{ { "resources", "4", "source" }, "\"/srv/../etc\"", "resources[4].source" },
	{ { "resources", "4", "source" }, "\"/proc/1\"", "resources[4].source" },
	{ { "resources", "4", "source" }, "\"/var\"", "resources[4].source" },
	{ { "resources", "4", "source" }, "\"srv\"", "resources[4].source" },
	{ { "resources", "4", "source" }, NULL, "resources[4].source" },
	{ { "resources", "6", "source" }, "\"/etc/passwd\"", "resources[6].source" },
	{ { "tree" }, "[]", "not in the tree" },
	{ { "tree", "0", "path" }, "\"..\"", "'.'" },
	{ { "tree", "1", "path" }, "\"../devices\"", "no path of the tree" },
	{ { "tree", "1", "path" }, "\"/devices\"", "no path of the tree" },
	{ { "tree", "1", "path" }, "\"devices/\"", "no path of the tree" },
	{ { "tree", "1", "path" }, "\"paths\"", "comes before" },
	{ { "tree", "1", "type" }, "\"file\"", "directory" },
	{ { "tree", "1", "type" }, "\"symlink\"", "tree[1].type" },
	{ { "tree", "1", "mode" }, "\"4711\"", "mode" },
	{ { "tree", "1", "mode" }, "\"0777\"", "mode" },
	{ { "tree", "1", "mode" }, "\"+rwx\"", "tree[1].mode" },
	{ { "tree", "1", "mode" }, "511", "tree[1].mode" },
	{ { "tree", "1", "uid" }, "1000", "owner" },
	{ { "tree", "1", "gid" }, "-1", "tree[1].gid" },
	{ { "tree", "1", "gid" }, "4294967295", "tree[1].gid" },
	{ { "tree", "1", "acl" }, "\"user::rwx\"", "tree[1].acl" },
	{ { "tree", "1", "acl" }, "\"user::rwx,group::--x,other::rwx\"", "ACL" },
	{ { "tree", "1", "acl" },
	  "\"user::rwx,user:1000:--x,group::--x,mask::--x,other::--x\"", "owner" },
	{ { "tree", "1", "default_acl" }, "\"user::rwx,group::--x,other::--x\"", "default ACL" },
};

static json_t *step(json_t *value, const char *key)
{
	return json_is_array(value) ? json_array_get(value, atoi(key)) : json_object_get(value, key);
}

static void change(json_t *mapping, size_t i)
{
	const char *const *path = hostile[i].path;
	json_t *at = mapping, *value = NULL;
	size_t depth;

	for (depth = 0; depth + 1 < 3 && path[depth + 1]; depth++)
		at = step(at, path[depth]);
	if (hostile[i].value)
		value = json_loads(hostile[i].value, JSON_DECODE_ANY, NULL);
	if (!value)
		json_object_del(at, path[depth]);
	else if (json_is_array(at))
		json_array_set_new(at, atoi(path[depth]), value);
	else
		json_object_set_new(at, path[depth], value);
}

TEST_F(deployment, a_mapping_that_is_not_valid_is_refused)
{
	autojson json_t *good = deployment_to_json(self->deployment);
	size_t i;

	deployment_free(deployment_from_json(good, &self->err));
	for (i = 0; i < sizeof(hostile) / sizeof(hostile[0]); i++) {
		autojson json_t *mapping = json_deep_copy(good);
		struct deployment *found;

		change(mapping, i);
		found = deployment_from_json(mapping, &self->err);
		EXPECT_EQ(NULL, found) { TH_LOG("%zu: %s", i, hostile[i].value); }
		if (!found) {
			EXPECT_NE(NULL, strstr(self->err.text, hostile[i].word)) {
				TH_LOG("%zu: %s: %s", i, hostile[i].word, self->err.text);
			}
		}
		deployment_free(found);
	}
}

/*
 * Mappings with values changed at random: refused, or understood in full.
 */

static const char *const values[] = {
	"null", "true", "0", "-1", "1", "65536", "4294967295", "9223372036854775807", "1.5", "\"\"",
	"\".\"", "\"..\"", "\"a\"", "\"volumes/one\"", "\"0777\"", "\"read\"", "[]", "{}", "[0]",
	"[\"write\"]", "{\"gid\": 0}", "\"user::rwx,group::rwx,other::rwx\"", "\"directory\"",
	"\"device\"",
};

static void set_random(json_t *container, const char *key, size_t index)
{
	size_t nr = sizeof(values) / sizeof(values[0]);
	json_t *value = json_loads(values[rand() % nr], JSON_DECODE_ANY, NULL);

	if (key)
		json_object_set_new(container, key, value);
	else
		json_array_set_new(container, index, value);
}

/* Changes the *@left-th value below, and is then done. */
static bool change_nth(json_t *container, size_t *left)
{
	json_t *value;
	const char *key;
	size_t i;
	void *next;

	if (json_is_object(container)) {
		json_object_foreach_safe(container, next, key, value) {
			if (!(*left)--)
				return set_random(container, key, 0), true;
			if (change_nth(value, left))
				return true;
		}
	} else if (json_is_array(container)) {
		json_array_foreach(container, i, value) {
			if (!(*left)--)
				return set_random(container, NULL, i), true;
			if (change_nth(value, left))
				return true;
		}
	}
	return false;
}

TEST_F(deployment, a_mapping_changed_at_random_does_no_harm)
{
	autojson json_t *good = deployment_to_json(self->deployment);
	size_t accepted = 0, i, left = SIZE_MAX, nr;

	change_nth(good, &left);
	nr = SIZE_MAX - left;
	srand(20261124);
	for (i = 0; i < RANDOM_CHANGES; i++) {
		autojson json_t *mapping = json_deep_copy(good), *again = NULL;
		autodeployment struct deployment *found = NULL;

		left = rand() % nr;
		change_nth(mapping, &left);
		found = deployment_from_json(mapping, &self->err);
		if (!found)
			continue;
		accepted++;
		again = deployment_to_json(found);
		EXPECT_TRUE(json_equal(mapping, again));
	}
	EXPECT_LT(0, accepted);
	EXPECT_LT(accepted, RANDOM_CHANGES / 4);
	TH_LOG("%zu of %d were understood", accepted, RANDOM_CHANGES);
}

/* A manifest in place of the bundle's. */
static int replace_manifest(FIXTURE_DATA(deployment) *self, const json_t *manifest)
{
	autojson json_t *changed = oci_put_manifest(self->bundle, manifest, "7", &self->err);
	autojson json_t *index = json_pack("[O]", changed);

	return oci_write_index(self->bundle, index, &self->err);
}

/* A mapping that says something else than the layers, with digests that are right. */
static int replace_mapping(FIXTURE_DATA(deployment) *self, json_t *mapping)
{
	autojson json_t *manifests = oci_index(self->bundle, &self->err);
	autojson json_t *manifest = oci_get_manifest(self->bundle, json_array_get(manifests, 0),
						     &self->err);
	json_t *config = json_object_get(manifest, "config");
	autojson json_t *put = oci_put_json(self->bundle,
					    json_string_value(json_object_get(config, "mediaType")),
					    mapping, &self->err);

	json_object_set(manifest, "config", put);
	return replace_manifest(self, manifest);
}

TEST_F(deployment, the_tar_is_the_mapping_s)
{
	autojson json_t *mapping = deployment_to_json(self->deployment);
	json_t *node;

	ASSERT_EQ(0, deployment_write(self->deployment, self->bundle, &self->err));
	ASSERT_EQ(0, replace_mapping(self, mapping));
	deployment_free(deployment_read(self->bundle, &self->err));
	node = json_array_get(json_object_get(mapping, "tree"), 1);
	EXPECT_STREQ("0711", json_string_value(json_object_get(node, "mode")));
	json_object_set_new(node, "mode", json_string("0710"));
	ASSERT_EQ(0, replace_mapping(self, mapping));
	EXPECT_EQ(NULL, deployment_read(self->bundle, &self->err));
	EXPECT_NE(NULL, strstr(self->err.text, "not the mapping's tree")) {
		TH_LOG("%s", self->err.text);
	}
}

/* The tar alone is of another tree. */
TEST_F(deployment, a_tar_of_another_tree_is_refused)
{
	autojson json_t *manifests = NULL, *manifest = NULL;
	json_t *layers;
	int other;

	for (other = 0; other < 3; other++) {
		autofree char *tar = NULL;
		size_t len;

		ASSERT_EQ(0, deployment_write(self->deployment, self->bundle, &self->err));
		manifests = oci_index(self->bundle, &self->err);
		manifest = oci_get_manifest(self->bundle, json_array_get(manifests, 0), &self->err);
		layers = json_object_get(manifest, "layers");
		self->deployment->nodes[2].mode ^= other == 1 ? S_ISUID : 0;
		self->deployment->nr_nodes -= other == 2;
		tar = deployment_tar(self->deployment, &len, &self->err);
		self->deployment->nodes[2].mode ^= other == 1 ? S_ISUID : 0;
		self->deployment->nr_nodes += other == 2;
		json_array_set_new(layers, 0, oci_put(self->bundle, json_string_value(
					json_object_get(json_array_get(layers, 0), "mediaType")),
					tar, len, &self->err));
		ASSERT_EQ(0, replace_manifest(self, manifest));
		if (other) {
			EXPECT_EQ(NULL, deployment_read(self->bundle, &self->err));
			EXPECT_NE(NULL, strstr(self->err.text, "archive")) {
				TH_LOG("%s", self->err.text);
			}
		} else {
			struct deployment *same = deployment_read(self->bundle, &self->err);

			EXPECT_NE(NULL, same) { TH_LOG("%s", self->err.text); }
			deployment_free(same);
		}
		json_decref(manifest);
		json_decref(manifests);
		manifest = manifests = NULL;
		oci_remove(self->bundle);
	}
}

TEST_F(deployment, blobs_are_what_their_digest_says)
{
	autojson json_t *descriptor = NULL;
	char digest[OCI_DIGEST_SIZE], path[256];
	size_t len;
	char *data;

	ASSERT_EQ(0, oci_create(self->bundle, &self->err));
	descriptor = oci_put(self->bundle, "text/plain", "grants", 6, &self->err);
	ASSERT_NE(NULL, descriptor);
	ASSERT_EQ(0, oci_digest("grants", 6, digest, &self->err));
	EXPECT_STREQ(digest, json_string_value(json_object_get(descriptor, "digest")));
	data = oci_get(self->bundle, descriptor, "text/plain", 6, &len, &self->err);
	EXPECT_STREQ("grants", data);
	free(data);
	EXPECT_EQ(NULL, oci_get(self->bundle, descriptor, "text/html", 6, &len, &self->err));
	EXPECT_EQ(NULL, oci_get(self->bundle, descriptor, "text/plain", 5, &len, &self->err));
	EXPECT_EQ(EFBIG, self->err.code);
	snprintf(path, sizeof(path), "%s/blobs/sha256/%s", self->bundle, strchr(digest, ':') + 1);
	ASSERT_EQ(0, file_write(path, 0644, "grantz", 6, &self->err));
	EXPECT_EQ(NULL, oci_get(self->bundle, descriptor, "text/plain", 6, &len, &self->err));
	EXPECT_NE(NULL, strstr(self->err.text, "has been changed")) { TH_LOG("%s", self->err.text); }
	ASSERT_EQ(0, unlink(path));
	ASSERT_EQ(0, symlink("/etc/passwd", path));
	EXPECT_EQ(NULL, oci_get(self->bundle, descriptor, "text/plain", 6, &len, &self->err));
	EXPECT_EQ(ELOOP, self->err.code);
	json_object_set_new(descriptor, "digest", json_string("sha256:../../../../../../etc/passwd"));
	EXPECT_EQ(NULL, oci_get(self->bundle, descriptor, "text/plain", 6, &len, &self->err));
	EXPECT_NE(NULL, strstr(self->err.text, "no SHA-256 digest"));
}

/* Each blob is changed in one byte, is cut, and is missing. */
TEST_F(deployment, a_bundle_that_was_changed_is_refused)
{
	char pattern[128], command[512];
	int step;

	for (step = 0; step < 3; step++) {
		static const char *const changes[] = {
			"printf X | dd of=$f bs=1 seek=1 conv=notrunc status=none",
			"truncate -s -1 $f", "rm $f",
		};
		int blob;

		for (blob = 1; blob <= 4; blob++) {
			ASSERT_EQ(0, deployment_write(self->deployment, self->bundle, &self->err));
			snprintf(pattern, sizeof(pattern), "%s/blobs/sha256", self->bundle);
			snprintf(command, sizeof(command),
				 "f=%s/$(ls %s | sed -n %dp); test -f $f && %s", pattern, pattern,
				 blob, changes[step]);
			ASSERT_EQ(0, system(command));
			EXPECT_EQ(NULL, deployment_read(self->bundle, &self->err)) {
				TH_LOG("blob %d, %s", blob, changes[step]);
			}
			oci_remove(self->bundle);
		}
	}
}

/*
 * Signatures.
 */

FIXTURE(signature) {
	FIXTURE_DATA(deployment) base;
	char key[80], other[80], keys[80], id[SIGNATURE_KEY_ID_SIZE];
};

static void trust(FIXTURE_DATA(signature) *self, const char *key)
{
	char command[300];

	snprintf(command, sizeof(command), "rm -rf %s; mkdir %s; cp %s.pub %s", self->keys, self->keys,
		 key, self->keys);
	if (system(command))
		abort();
}

FIXTURE_SETUP(signature)
{
	struct error *err = &self->base.err;

	deployment_setup(_metadata, &self->base, NULL);
	snprintf(self->key, sizeof(self->key), "%s/key", self->base.dir);
	snprintf(self->other, sizeof(self->other), "%s/other", self->base.dir);
	snprintf(self->keys, sizeof(self->keys), "%s/keys", self->base.dir);
	ASSERT_EQ(0, signature_key_generate(self->key, err)) { TH_LOG("%s", err->text); }
	ASSERT_EQ(0, signature_key_generate(self->other, err));
	ASSERT_EQ(0, deployment_write(self->base.deployment, self->base.bundle, err));
	trust(self, self->key);
}

FIXTURE_TEARDOWN(signature)
{
	deployment_teardown(_metadata, &self->base, NULL);
}

static int check(FIXTURE_DATA(signature) *self)
{
	return signature_check(self->base.bundle, self->base.deployment->digest, self->keys,
			       self->id, &self->base.err);
}

TEST_F(signature, counts_if_it_is_by_a_key_that_is_trusted)
{
	struct error *err = &self->base.err;
	autojson json_t *key = NULL;

	EXPECT_EQ(-1, check(self));
	EXPECT_EQ(EKEYREJECTED, err->code);
	ASSERT_EQ(0, signature_add(self->base.bundle, self->key, err)) { TH_LOG("%s", err->text); }
	EXPECT_EQ(0, check(self)) { TH_LOG("%s", err->text); }
	key = signature_key_describe(self->key, err);
	EXPECT_STREQ(self->id, json_string_value(json_object_get(key, "id")));
	trust(self, self->other);
	EXPECT_EQ(-1, check(self));
	ASSERT_EQ(0, signature_add(self->base.bundle, self->other, err)) { TH_LOG("%s", err->text); }
	EXPECT_EQ(0, check(self)) { TH_LOG("%s", err->text); }
	deployment_free(deployment_read(self->base.bundle, err));
}

TEST_F(signature, is_over_one_manifest)
{
	struct error *err = &self->base.err;

	ASSERT_EQ(0, signature_add(self->base.bundle, self->key, err));
	self->base.deployment->digest[20] ^= 1;
	EXPECT_EQ(-1, check(self));
	EXPECT_EQ(EKEYREJECTED, err->code);
}

TEST_F(signature, is_the_same_again)
{
	struct error *err = &self->base.err;
	autojson json_t *first = NULL, *second = NULL;

	ASSERT_EQ(0, signature_add(self->base.bundle, self->key, err));
	first = oci_index(self->base.bundle, err);
	ASSERT_EQ(0, signature_add(self->base.bundle, self->key, err));
	second = oci_index(self->base.bundle, err);
	EXPECT_EQ(2, json_array_size(first));
	EXPECT_TRUE(json_equal(first, second));
}

/* Its blobs are there and in the index, and it is good, but of the version before. */
TEST_F(signature, of_another_bundle_is_none)
{
	struct error *err = &self->base.err;
	autojson json_t *before = NULL, *after = NULL;
	char command[300];

	ASSERT_EQ(0, signature_add(self->base.bundle, self->key, err));
	EXPECT_EQ(0, check(self));
	before = oci_index(self->base.bundle, err);
	snprintf(command, sizeof(command), "mv %s %s/before", self->base.bundle, self->base.dir);
	ASSERT_EQ(0, system(command));
	self->base.deployment->version++;
	ASSERT_EQ(0, deployment_write(self->base.deployment, self->base.bundle, err));
	snprintf(command, sizeof(command), "cp -n %s/before/blobs/sha256/* %s/blobs/sha256",
		 self->base.dir, self->base.bundle);
	ASSERT_EQ(0, system(command));
	after = oci_index(self->base.bundle, err);
	ASSERT_EQ(0, json_array_append(after, json_array_get(before, 1)));
	ASSERT_EQ(0, oci_write_index(self->base.bundle, after, err));
	deployment_free(deployment_read(self->base.bundle, err));
	EXPECT_EQ(-1, check(self));
	EXPECT_EQ(EKEYREJECTED, err->code) { TH_LOG("%s", err->text); }
}

TEST_F(signature, keys_are_kept_from_others_and_never_overwritten)
{
	struct error *err = &self->base.err;
	struct stat st;

	ASSERT_EQ(0, stat(self->key, &st));
	EXPECT_EQ(0600, st.st_mode & 07777);
	EXPECT_EQ(-1, signature_key_generate(self->key, err));
	EXPECT_EQ(EEXIST, err->code);
	ASSERT_EQ(0, chmod(self->key, 0640));
	EXPECT_EQ(-1, signature_add(self->base.bundle, self->key, err));
	EXPECT_NE(NULL, strstr(err->text, "chmod 600"));
	ASSERT_EQ(0, chmod(self->key, 0600));
	strcat(self->key, ".pub");
	EXPECT_EQ(-1, signature_add(self->base.bundle, self->key, err));
	EXPECT_EQ(ENOKEY, err->code);
}

/*
 * ACLs as text.
 */

static const char *const good_acls[] = {
	"user::rwx,group::r-x,other::---",
	"user::rwx,user:7:r--,group::---,group:4294967294:-wx,mask::rwx,other::--x",
	"user::---,group::---,mask::---,other::---",
};

static const char *const bad_acls[] = {
	"", "user::rwx", "user::rwx,group::r-x", "group::r-x,user::rwx,other::---",
	"user::rwx,group::r-x,other::---,mask::rwx", "user::rwx,user:7:r--,group::---,other::---",
	"user::rwx,group::---,group:7:r--,group:7:r--,mask::r--,other::---",
	"user::rwx,group::---,group:9:r--,group:7:r--,mask::r--,other::---",
	"user::rwx,group::---,group:4294967295:r--,mask::r--,other::---",
	"user::rwx,group::---,group:-1:r--,mask::r--,other::---",
	"user::rwx,group::---,group:root:r--,mask::r--,other::---",
	"user::rwxx,group::---,other::---", "user::xwr,group::---,other::---",
	"user::rw,group::---,other::---", "user:rwx,group::---,other::---",
	"user::rwx,group::---,other::--- ", "everyone::rwx,group::---,other::---",
};

TEST(acls)
{
	struct error err;
	size_t i;

	for (i = 0; i < sizeof(good_acls) / sizeof(good_acls[0]); i++) {
		autofree char *text = NULL;
		struct acl acl = {};

		EXPECT_EQ(0, acl_parse(good_acls[i], &acl, &err)) { TH_LOG("%s", err.text); }
		text = acl_text(&acl);
		EXPECT_STREQ(good_acls[i], text);
		acl_free(&acl);
	}
	for (i = 0; i < sizeof(bad_acls) / sizeof(bad_acls[0]); i++) {
		struct acl acl = {};

		EXPECT_EQ(-1, acl_parse(bad_acls[i], &acl, &err)) { TH_LOG("%s", bad_acls[i]); }
		EXPECT_EQ(NULL, acl.entries);
	}
}

/* As setfacl -n -m g:5:rw leaves it in an inode. */
TEST(acls_as_the_kernel_takes_them)
{
	static const unsigned char wanted[] = {
		2, 0, 0, 0, 1, 0, 7, 0, 255, 255, 255, 255, 4, 0, 5, 0, 255, 255, 255, 255,
		8, 0, 6, 0, 5, 0, 0, 0, 16, 0, 7, 0, 255, 255, 255, 255,
		32, 0, 0, 0, 255, 255, 255, 255,
	};
	struct acl acl = {};
	struct error err;
	size_t size;
	autofree void *value = NULL;

	ASSERT_EQ(0, acl_parse("user::rwx,group::r-x,group:5:rw-,mask::rwx,other::---", &acl, &err));
	value = acl_xattr(&acl, &size);
	ASSERT_EQ(sizeof(wanted), size);
	EXPECT_EQ(0, memcmp(wanted, value, size));
	acl_free(&acl);
}

TEST_HARNESS_MAIN
