// SPDX-License-Identifier: GPL-2.0
/*
 * Images of ELF files: the right pages of a good file, and a sentence for every other
 * one. The good file is this program; each hostile one is it with one thing changed.
 */
#include <elf.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../lib/harness.h"

#include "lib/hub.h"
#include "lib/image.h"

#define PAGE	4096UL
#define SEED	20260101
#define FLIPS	3000

FIXTURE(elf) {
	char dir[32];
	char path[64];
	unsigned char *bytes;	/* of this program */
	size_t size;
	struct error err;
};

static unsigned char *slurp(const char *path, size_t *size)
{
	int fd = open(path, O_RDONLY);
	unsigned char *bytes;
	struct stat st;

	if (fd < 0 || fstat(fd, &st))
		return NULL;
	bytes = malloc(st.st_size);
	*size = read(fd, bytes, st.st_size);
	close(fd);
	return *size == (size_t)st.st_size ? bytes : NULL;
}

static int spill(const char *path, const void *bytes, size_t size)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	int ret = fd < 0 || write(fd, bytes, size) != (ssize_t)size;

	close(fd);
	return ret;
}

FIXTURE_SETUP(elf)
{
	strcpy(self->dir, "/tmp/coppice-XXXXXX");
	ASSERT_NE(NULL, mkdtemp(self->dir));
	snprintf(self->path, sizeof(self->path), "%s/program", self->dir);
	self->bytes = slurp("/proc/self/exe", &self->size);
	ASSERT_NE(NULL, self->bytes);
	ASSERT_EQ(0, spill(self->path, self->bytes, self->size));
}

FIXTURE_TEARDOWN(elf)
{
	free(self->bytes);
	unlink(self->path);
	EXPECT_EQ(0, rmdir(self->dir));
}

static int read_one(struct image *image, const char *path, struct error *err)
{
	return image_from_elf(image, &path, 1, err);
}

static Elf64_Ehdr *header(FIXTURE_DATA(elf) *self)
{
	return (Elf64_Ehdr *)self->bytes;
}

/* The @nth of the program's headers of a type. */
static Elf64_Phdr *program(FIXTURE_DATA(elf) *self, uint32_t type, int nth)
{
	Elf64_Phdr *phdr = (Elf64_Phdr *)(self->bytes + header(self)->e_phoff);

	for (; phdr->p_type != type || nth--; phdr++)
		;
	return phdr;
}

#define LOAD(nth) program(self, PT_LOAD, nth)

TEST_F(elf, pages_of_a_good_file)
{
	struct image image;
	uint8_t id[32], len;
	size_t i, j;

	ASSERT_EQ(0, read_one(&image, self->path, &self->err)) { TH_LOG("%s", self->err.text); }
	EXPECT_TRUE(image_is_library(&image));
	ASSERT_EQ(1, image.nr_libraries);
	EXPECT_STREQ(self->path, image.libraries[0].path);
	ASSERT_EQ(0, hub_build_id("/proc/self/exe", id, &len));
	EXPECT_EQ(len, image.libraries[0].build_id_len);
	EXPECT_EQ(0, memcmp(id, image.libraries[0].build_id, len));
	/* Headers and read-only data, code, and read-only data again. */
	ASSERT_EQ(3, image.nr_segments);
	for (i = 0; i < 3; i++) {
		const struct image_segment *segment = &image.segments[i];

		EXPECT_EQ(1, segment->library);
		EXPECT_EQ(LOAD(i)->p_offset & ~(PAGE - 1), segment->offset);
		EXPECT_EQ(0, segment->prot & PROT_WRITE);
		EXPECT_EQ(i == 1, !!(segment->prot & PROT_EXEC));
		EXPECT_STREQ(self->path, segment->name);
		for (j = 0; j < segment->len; j++) {
			size_t at = segment->offset + j;

			ASSERT_EQ(at < self->size ? self->bytes[at] : 0,
				  ((const unsigned char *)segment->data)[j]);
		}
	}
	image_free(&image);
}

/* As processes map it: the whole last page, zeros behind the end of the file. */
TEST_F(elf, the_last_page_is_filled_with_zeros)
{
	Elf64_Phdr *last = LOAD(2);
	struct image image;
	size_t size = last->p_offset + last->p_filesz, i;

	/* The writable segment and the sections go. */
	LOAD(3)->p_type = PT_NULL;
	header(self)->e_shnum = 0;
	header(self)->e_shoff = 0;
	ASSERT_NE(0, size % PAGE);
	ASSERT_EQ(0, spill(self->path, self->bytes, size));
	ASSERT_EQ(0, read_one(&image, self->path, &self->err)) { TH_LOG("%s", self->err.text); }
	ASSERT_EQ(3, image.nr_segments);
	for (i = size % PAGE; i < PAGE; i++)
		EXPECT_EQ(0, ((const char *)image.segments[2].data)[image.segments[2].len - PAGE + i]);
	image_free(&image);
}

TEST_F(elf, a_library_image_is_written_and_read_back)
{
	struct image image, back;
	char path[80];
	size_t i;

	ASSERT_EQ(0, read_one(&image, self->path, &self->err));
	snprintf(path, sizeof(path), "%s/image", self->dir);
	ASSERT_EQ(0, image_file_write(&image, path, &self->err)) { TH_LOG("%s", self->err.text); }
	ASSERT_EQ(0, image_file_read(&back, path, &self->err)) { TH_LOG("%s", self->err.text); }
	unlink(path);
	EXPECT_TRUE(image_is_library(&back));
	EXPECT_EQ(0, image_check(&back, &self->err)) { TH_LOG("%s", self->err.text); }
	ASSERT_EQ(image.nr_segments, back.nr_segments);
	for (i = 0; i < image.nr_segments; i++) {
		EXPECT_EQ(image.segments[i].library, back.segments[i].library);
		EXPECT_EQ(image.segments[i].offset, back.segments[i].offset);
		EXPECT_EQ(image.segments[i].prot, back.segments[i].prot);
		ASSERT_EQ(image.segments[i].len, back.segments[i].len);
		EXPECT_EQ(0, memcmp(image.segments[i].data, back.segments[i].data,
				    image.segments[i].len));
	}
	EXPECT_EQ(0, memcmp(image.libraries[0].build_id, back.libraries[0].build_id, 32));
	image_free(&image);
	image_free(&back);
}

/* Nothing in the notes is aligned. */
typedef uint32_t any_u32 __attribute__((aligned(1)));

/* What the notes say of where segments are from is behind all else, 20 bytes for each. */
static void expect_notes_refused(struct __test_metadata *_metadata, FIXTURE_DATA(elf) *self,
				 int at, uint32_t value)
{
	struct image_segment segments[3];
	struct image image, back = {};
	void *notes = NULL;
	size_t len, i;

	ASSERT_EQ(0, read_one(&image, self->path, &self->err));
	ASSERT_EQ(0, image_notes_pack(&image, &notes, &len, &self->err));
	*(any_u32 *)((char *)notes + len - at) = value;
	ASSERT_EQ(3, image.nr_segments);
	memcpy(segments, image.segments, sizeof(segments));
	for (i = 0; i < 3; i++)
		segments[i].name = NULL;
	back.segments = segments;
	back.nr_segments = 3;
	EXPECT_EQ(-1, image_notes_unpack(&back, notes, len, &self->err));
	EXPECT_NE(NULL, strstr(self->err.text, "which file")) { TH_LOG("%s", self->err.text); }
	free(notes);
	image_free(&image);
}

TEST_F(elf, a_library_image_with_wrong_notes_is_refused)
{
	expect_notes_refused(_metadata, self, 3 * 20 + 4, 2);	/* their number */
	expect_notes_refused(_metadata, self, 3 * 20, 7);	/* start of a segment */
	expect_notes_refused(_metadata, self, 20, 7);
}

/* Refused, with a sentence that has this word. */
static void expect_refused(struct __test_metadata *_metadata, const char *path, const char *word)
{
	struct error err = {};
	struct image image;
	int ret = read_one(&image, path, &err);

	EXPECT_EQ(-1, ret);
	if (!ret)
		image_free(&image);
	EXPECT_EQ(EXIT_REFUSED, err.status);
	EXPECT_NE(NULL, strstr(err.text, word)) { TH_LOG("no '%s' in: %s", word, err.text); }
	EXPECT_EQ(NULL, strchr(err.text, '\n'));
	EXPECT_EQ(NULL, image.segments);
}

TEST_F(elf, other_things_are_refused)
{
	char path[80];

	snprintf(path, sizeof(path), "%s/nothing", self->dir);
	expect_refused(_metadata, path, "No such file");
	expect_refused(_metadata, self->dir, "no regular file");
	expect_refused(_metadata, "/dev/zero", "no regular file");
	ASSERT_EQ(0, mkfifo(path, 0600));
	expect_refused(_metadata, path, "no regular file");
	unlink(path);
	expect_refused(_metadata, "/etc/passwd", "no ELF file");
	ASSERT_EQ(0, spill(self->path, "", 0));
	expect_refused(_metadata, self->path, "no ELF file");
}

TEST_F(elf, one_library_twice_is_refused)
{
	const char *paths[] = { self->path, "/proc/self/exe" };
	struct image image;

	EXPECT_EQ(-1, image_from_elf(&image, paths, 2, &self->err));
	EXPECT_NE(NULL, strstr(self->err.text, "same build")) { TH_LOG("%s", self->err.text); }
}

static void expect_bytes_refused(struct __test_metadata *_metadata, FIXTURE_DATA(elf) *self,
				 const char *word)
{
	ASSERT_EQ(0, spill(self->path, self->bytes, self->size));
	expect_refused(_metadata, self->path, word);
}

/* Change one field, expect the refusal, and change it back. */
#define EXPECT_CHANGE_REFUSED(field, value, word) do {			\
	typeof(field) before = field;					\
	field = (value);						\
	expect_bytes_refused(_metadata, self, word);			\
	field = before;							\
} while (0)

TEST_F(elf, headers_of_other_files_are_refused)
{
	Elf64_Ehdr *elf = header(self);

	EXPECT_CHANGE_REFUSED(elf->e_type, ET_REL, "neither a library nor a program");
	EXPECT_CHANGE_REFUSED(elf->e_type, ET_CORE, "neither a library nor a program");
	EXPECT_CHANGE_REFUSED(elf->e_machine, EM_AARCH64, "not for x86-64");
	EXPECT_CHANGE_REFUSED(elf->e_ident[EI_CLASS], ELFCLASS32, "x86-64");
	EXPECT_CHANGE_REFUSED(elf->e_ident[0], 'X', "no ELF file");
	EXPECT_CHANGE_REFUSED(elf->e_phentsize, 32, "table of segments");
	EXPECT_CHANGE_REFUSED(elf->e_phnum, 0, "no read-only segment");
	EXPECT_CHANGE_REFUSED(elf->e_phnum, 60000, "table of segments");
	EXPECT_CHANGE_REFUSED(elf->e_phnum, PN_XNUM, "table of segments");
	EXPECT_CHANGE_REFUSED(elf->e_phoff, self->size - 8, "truncated");
	EXPECT_CHANGE_REFUSED(elf->e_phoff, ~0UL, "t");
}

TEST_F(elf, segments_out_of_place_are_refused)
{
	EXPECT_CHANGE_REFUSED(LOAD(1)->p_vaddr, 0, "overlaps");
	EXPECT_CHANGE_REFUSED(LOAD(2)->p_vaddr, LOAD(1)->p_vaddr + PAGE, "overlaps");
	EXPECT_CHANGE_REFUSED(LOAD(0)->p_memsz, LOAD(1)->p_vaddr + 1, "overlaps");
	EXPECT_CHANGE_REFUSED(LOAD(1)->p_vaddr, LOAD(1)->p_vaddr + 8, "within the page");
	EXPECT_CHANGE_REFUSED(LOAD(2)->p_vaddr, ~0UL << 12, "no possible size");
	EXPECT_CHANGE_REFUSED(LOAD(1)->p_memsz, ~0UL, "no possible size");
	EXPECT_CHANGE_REFUSED(LOAD(1)->p_memsz, LOAD(1)->p_filesz - 1, "no possible size");
}

TEST_F(elf, content_beyond_the_file_is_refused)
{
	EXPECT_CHANGE_REFUSED(LOAD(1)->p_offset, self->size + 1, "beyond the end");
	EXPECT_CHANGE_REFUSED(LOAD(1)->p_offset, ~0UL - 100, "beyond the end");
	EXPECT_CHANGE_REFUSED(LOAD(1)->p_filesz, ~0UL, "beyond the end");
	EXPECT_CHANGE_REFUSED(LOAD(2)->p_filesz, self->size, "beyond the end");
	/* Also in a segment that is not taken. */
	EXPECT_CHANGE_REFUSED(LOAD(3)->p_filesz, self->size, "beyond the end");
}

TEST_F(elf, a_file_without_a_build_id_is_refused)
{
	Elf64_Phdr *note;
	int i;

	for (i = 0; ; i++) {
		note = (Elf64_Phdr *)(self->bytes + header(self)->e_phoff) + i;
		if (i == header(self)->e_phnum)
			break;
		if (note->p_type == PT_NOTE)
			note->p_type = PT_NULL;
	}
	expect_bytes_refused(_metadata, self, "no build-id");
}

/* Who maps it may have made it so: nobody reads gigabytes to look for a build-id. */
TEST_F(elf, notes_of_any_size_are_not_read)
{
	Elf64_Phdr *phdr = (Elf64_Phdr *)(self->bytes + header(self)->e_phoff);
	uint8_t id[32], len;
	int i;

	for (i = 0; i < header(self)->e_phnum; i++)
		if (phdr[i].p_type == PT_NOTE)
			phdr[i].p_filesz = 1UL << 40;
	ASSERT_EQ(0, spill(self->path, self->bytes, self->size));
	ASSERT_EQ(0, truncate(self->path, 1UL << 41));
	EXPECT_EQ(-1, hub_build_id(self->path, id, &len));
}

TEST_F(elf, a_file_with_nothing_to_share_is_refused)
{
	LOAD(0)->p_flags |= PF_W;
	LOAD(1)->p_flags |= PF_W;
	LOAD(2)->p_flags = PF_X;
	expect_bytes_refused(_metadata, self, "no read-only segment");
}

TEST_F(elf, truncated_at_any_place_is_refused)
{
	Elf64_Phdr *last = LOAD(3);
	size_t end = last->p_offset + last->p_filesz, len;
	struct error err;
	struct image image;

	for (len = 0; len < end; len += len < 4096 ? 3 : 1009) {
		ASSERT_EQ(0, spill(self->path, self->bytes, len));
		err = (struct error) {};
		EXPECT_EQ(-1, read_one(&image, self->path, &err)) { TH_LOG("at %zu", len); }
		EXPECT_NE('\0', err.text[0]);
	}
}

/* Segments that share a page of the file have it in one of them. */
TEST_F(elf, no_page_is_taken_twice)
{
	struct image image;
	size_t i;

	/* Down by a page in the file, not in memory. */
	LOAD(1)->p_offset -= PAGE;
	ASSERT_EQ(0, spill(self->path, self->bytes, self->size));
	ASSERT_EQ(0, read_one(&image, self->path, &self->err)) { TH_LOG("%s", self->err.text); }
	ASSERT_EQ(3, image.nr_segments);
	for (i = 1; i < 3; i++)
		EXPECT_LE(image.segments[i - 1].offset + image.segments[i - 1].len,
			  image.segments[i].offset);
	image_free(&image);
}

/* Whatever comes out is refused or good, and nothing reads or writes where it should not. */
TEST_F(elf, random_changes_of_headers_are_survived)
{
	size_t end = header(self)->e_phoff + header(self)->e_phnum * sizeof(Elf64_Phdr);
	unsigned char *copy = malloc(self->size);
	struct image image;
	int i, j, fd;

	srand(SEED);
	fd = open(self->path, O_WRONLY);
	memcpy(copy, self->bytes, self->size);
	for (i = 0; i < FLIPS; i++) {
		memcpy(copy, self->bytes, end);
		for (j = rand() % 8; j >= 0; j--)
			copy[rand() % end] = rand();
		ASSERT_EQ((ssize_t)end, pwrite(fd, copy, end, 0));
		self->err = (struct error) {};
		if (read_one(&image, self->path, &self->err)) {
			EXPECT_NE('\0', self->err.text[0]);
			continue;
		}
		EXPECT_NE(0, image.nr_segments);
		image_free(&image);
	}
	close(fd);
	free(copy);
}

TEST_HARNESS_MAIN
