// SPDX-License-Identifier: GPL-2.0
/*
 * What a shared object offers, as it is read from its file: whole ones, cut ones and such with changes
 * at random. And a stub, read back.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../lib/harness.h"

#include "lib/library_parts.h"

#define SEED	20260102
#define FLIPS	3000

FIXTURE(object) {
	char path[64];		/* of a memfd, so that it can be changed */
	int fd;
	unsigned char *bytes;
	size_t size;
	struct error err;
};

FIXTURE_SETUP(object)
{
	int fd = open(METER, O_RDONLY);
	struct stat st;

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, fstat(fd, &st));
	self->size = st.st_size;
	self->bytes = malloc(self->size);
	ASSERT_EQ((ssize_t)self->size, read(fd, self->bytes, self->size));
	close(fd);
	self->fd = memfd_create("object", 0);
	snprintf(self->path, sizeof(self->path), "/proc/self/fd/%d", self->fd);
}

FIXTURE_TEARDOWN(object)
{
	close(self->fd);
	free(self->bytes);
}

static bool put(int fd, const void *bytes, size_t size)
{
	return !ftruncate(fd, 0) && pwrite(fd, bytes, size, 0) == (ssize_t)size;
}

/* Reads all that it says, so that a tool which watches memory sees it. */
static size_t read_all(const char *path, struct error *err, int *ret)
{
	struct interface interface;
	size_t sum = 0, i;

	*ret = interface_read(&interface, path, err);
	for (i = 0; !*ret && i < interface.nr; i++)
		sum += strlen(interface.symbols[i].name) +
		       (interface.symbols[i].version ? strlen(interface.symbols[i].version) : 0) +
		       (interface_find(&interface, interface.symbols[i].name) != NULL);
	interface_free(&interface);
	return sum;
}

TEST_F(object, symbols_have_versions_and_kinds)
{
	struct interface interface;
	const struct symbol *place, *values;

	ASSERT_TRUE(put(self->fd, self->bytes, self->size));
	ASSERT_EQ(0, interface_read(&interface, self->path, &self->err));
	EXPECT_STREQ("libmeter.so.1", interface.soname);
	EXPECT_EQ(6, interface.nr);
	EXPECT_EQ(2, interface.nr_versions);
	place = interface_find(&interface, "meter_place");
	ASSERT_NE(NULL, place);
	/* The default one comes first. */
	EXPECT_STREQ("METER_2.0", place[0].version);
	EXPECT_FALSE(place[0].hidden);
	EXPECT_STREQ("METER_1.0", place[1].version);
	EXPECT_TRUE(place[1].hidden);
	values = interface_find(&interface, "meter_values");
	ASSERT_NE(NULL, values);
	EXPECT_EQ(32, values->size);
	EXPECT_EQ(NULL, interface_find(&interface, "METER_1.0"));
	interface_free(&interface);
}

TEST_F(object, a_stub_has_the_soname_and_versions_and_no_symbols)
{
	struct interface interface, stub;
	char path[] = "/tmp/coppice-XXXXXX";

	ASSERT_TRUE(put(self->fd, self->bytes, self->size));
	ASSERT_EQ(0, interface_read(&interface, self->path, &self->err));
	close(mkstemp(path));
	ASSERT_EQ(0, stub_write(path, &interface, "/first", "/second", &self->err));
	/* It has no sections, by which interfaces are read. */
	EXPECT_EQ(-1, interface_read(&stub, path, &self->err));
	EXPECT_NE(NULL, strstr(self->err.text, "no dynamic section"));
	interface_free(&stub);
	interface_free(&interface);
	unlink(path);
}

TEST_F(object, every_cut_is_survived)
{
	struct error err;
	size_t size;
	int ret;

	for (size = 0; size < self->size; size += 37) {
		ASSERT_TRUE(put(self->fd, self->bytes, size));
		err.text[0] = '\0';
		read_all(self->path, &err, &ret);
		if (ret)
			ASSERT_NE('\0', err.text[0]);
	}
}

TEST_F(object, changes_at_random_are_survived)
{
	int i, j, ret, refused = 0;

	srand(SEED);
	for (i = 0; i < FLIPS; i++) {
		unsigned char *bytes = malloc(self->size);

		memcpy(bytes, self->bytes, self->size);
		for (j = 0; j < 40; j++)
			bytes[rand() % self->size] = rand();
		ASSERT_TRUE(put(self->fd, bytes, self->size));
		read_all(self->path, &self->err, &ret);
		refused += ret != 0;
		free(bytes);
	}
	EXPECT_LT(0, refused);
}

TEST_HARNESS_MAIN
