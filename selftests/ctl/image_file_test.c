// SPDX-License-Identifier: GPL-2.0
/*
 * Image files: what is written is read back, and whatever else is in a file is refused
 * with a sentence. Each hostile file is a good one with one thing changed.
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

#define PAGE	4096
#define BASE	0x10000000UL
#define SEED	20260101
#define FLIPS	3000

/* Three segments with content and one without; filled in by a fixture. */
struct sample {
	struct image image;
	struct image_segment segments[4];
	struct image_library libraries[2];
	char content[4 * PAGE];
};

static void fill_segments(struct sample *sample)
{
	static char text[] = "/usr/bin/sample", stack[] = "[stack]";
	size_t i;

	for (i = 0; i < sizeof(sample->content); i++)
		sample->content[i] = i * 31 + i / PAGE;
	sample->segments[0] = (struct image_segment) {
		BASE, PAGE, PROT_READ | PROT_EXEC, sample->content, text, 0, 0 };
	sample->segments[1] = (struct image_segment) {
		BASE + PAGE, 2 * PAGE, PROT_READ, sample->content + PAGE, NULL, 0, 0 };
	sample->segments[2] = (struct image_segment) {
		BASE + 16 * PAGE, 8 * PAGE, PROT_READ | PROT_WRITE, NULL, NULL, 0, 0 };
	sample->segments[3] = (struct image_segment) {
		0x7ffffffe0000, PAGE, PROT_READ | PROT_WRITE, sample->content + 3 * PAGE, stack, 0, 0 };
}

static void fill_sample(struct sample *sample)
{
	static char libc[] = "/lib/libc.so.6", libm[] = "/lib/libm.so.6";

	*sample = (struct sample) {};
	fill_segments(sample);
	sample->libraries[0] = (struct image_library) { libc, { 1, 2, 3 }, 20 };
	sample->libraries[1] = (struct image_library) { libm, { 4, 5, 6 }, 20 };
	sample->image = (struct image) {
		.entry = BASE + 16,
		.stack = 0x7ffffffe0800,
		.vdso = { 0x7ffff0004000, 2 * PAGE },
		.vvar = { 0x7ffff0000000, 4 * PAGE },
		.mm = { BASE, BASE + PAGE, 1, 2, 3, 4, 5 },
		.comm = "sample",
		.vdso_build_id = { 9, 8, 7 },
		.vdso_build_id_len = 20,
		.cpu = { 1, 2, 3, 4, 5, 6, 7, 8 },
		.segments = sample->segments,
		.nr_segments = 4,
		.libraries = sample->libraries,
		.nr_libraries = 2,
	};
}

/* A file of a good image, in memory too. */
FIXTURE(file) {
	struct sample sample;
	char dir[32];
	char path[64];
	unsigned char *bytes;	/* of the file as written */
	size_t size;
};

static unsigned char *slurp(const char *path, size_t *size)
{
	struct stat st;
	unsigned char *bytes;
	int fd = open(path, O_RDONLY);

	if (fd < 0 || fstat(fd, &st))
		return NULL;
	bytes = malloc(st.st_size);
	*size = st.st_size;
	if (read(fd, bytes, st.st_size) != st.st_size)
		*size = 0;
	close(fd);
	return bytes;
}

static int spill(const char *path, const void *bytes, size_t size)
{
	int fd = open(path, O_WRONLY | O_CREAT, 0600);
	int ret = fd < 0 || write(fd, bytes, size) != (ssize_t)size || ftruncate(fd, size);

	close(fd);
	return ret;
}

FIXTURE_SETUP(file)
{
	struct error err = {};

	fill_sample(&self->sample);
	strcpy(self->dir, "/tmp/coppice-XXXXXX");
	ASSERT_NE(NULL, mkdtemp(self->dir));
	snprintf(self->path, sizeof(self->path), "%s/image", self->dir);
	ASSERT_EQ(0, image_file_write(&self->sample.image, self->path, &err)) {
		TH_LOG("%s", err.text);
	}
	self->bytes = slurp(self->path, &self->size);
	ASSERT_NE(NULL, self->bytes);
}

FIXTURE_TEARDOWN(file)
{
	free(self->bytes);
	unlink(self->path);
	EXPECT_EQ(0, rmdir(self->dir));
}

#define EXPECT_SPAN_EQ(a, b) \
	EXPECT_EQ(0, memcmp(&(a), &(b), sizeof(struct coppice_span)))

TEST_F(file, what_is_written_is_read_back)
{
	struct image image, *sample = &self->sample.image;
	struct error err = {};
	size_t i;

	ASSERT_EQ(0, image_file_read(&image, self->path, &err)) { TH_LOG("%s", err.text); }
	EXPECT_EQ(sample->entry, image.entry);
	EXPECT_EQ(sample->stack, image.stack);
	EXPECT_SPAN_EQ(sample->vdso, image.vdso);
	EXPECT_SPAN_EQ(sample->vvar, image.vvar);
	EXPECT_EQ(0, memcmp(&sample->mm, &image.mm, sizeof(image.mm)));
	EXPECT_STREQ(sample->comm, image.comm);
	EXPECT_EQ(sample->vdso_build_id_len, image.vdso_build_id_len);
	EXPECT_EQ(0, memcmp(sample->vdso_build_id, image.vdso_build_id, 32));
	EXPECT_EQ(0, memcmp(sample->cpu, image.cpu, sizeof(image.cpu)));
	ASSERT_EQ(sample->nr_libraries, image.nr_libraries);
	for (i = 0; i < image.nr_libraries; i++) {
		EXPECT_STREQ(sample->libraries[i].path, image.libraries[i].path);
		EXPECT_EQ(0, memcmp(sample->libraries[i].build_id, image.libraries[i].build_id, 20));
	}
	image_free(&image);
}

TEST_F(file, segments_are_read_back)
{
	const struct image_segment *wanted = self->sample.segments;
	struct error err = {};
	struct image image;
	size_t i;

	ASSERT_EQ(0, image_file_read(&image, self->path, &err)) { TH_LOG("%s", err.text); }
	ASSERT_EQ(4, image.nr_segments);
	for (i = 0; i < 4; i++) {
		const struct image_segment *found = &image.segments[i];

		EXPECT_EQ(wanted[i].start, found->start);
		EXPECT_EQ(wanted[i].len, found->len);
		EXPECT_EQ(wanted[i].prot, found->prot);
		ASSERT_EQ(!wanted[i].data, !found->data);
		ASSERT_EQ(!wanted[i].name, !found->name);
		if (found->data)
			EXPECT_EQ(0, memcmp(wanted[i].data, found->data, found->len));
		if (found->name)
			EXPECT_STREQ(wanted[i].name, found->name);
	}
	image_free(&image);
}

TEST_F(file, is_for_its_owner_only_and_leaves_nothing_beside_it)
{
	struct stat st;

	ASSERT_EQ(0, stat(self->path, &st));
	EXPECT_EQ(0600, st.st_mode & 07777);
	/* The teardown's rmdir() finds the directory empty. */
}

TEST_F(file, a_failed_write_keeps_the_old_file)
{
	static char path[5000];
	struct error err = {};
	size_t size;
	unsigned char *bytes;

	memset(path, 'x', sizeof(path) - 1);
	path[0] = '/';
	self->sample.libraries[0].path = path;
	EXPECT_EQ(-1, image_file_write(&self->sample.image, self->path, &err));
	EXPECT_NE(NULL, strstr(err.text, "notes"));
	bytes = slurp(self->path, &size);
	EXPECT_EQ(self->size, size);
	EXPECT_EQ(0, memcmp(self->bytes, bytes, size));
	free(bytes);
}

/* Refused, with a sentence that has this word. */
static void expect_refused(struct __test_metadata *_metadata, const char *path,
			   const char *word)
{
	struct error err = {};
	struct image image;
	int ret = image_file_read(&image, path, &err);

	EXPECT_EQ(-1, ret);
	if (!ret)
		image_free(&image);
	EXPECT_EQ(EXIT_REFUSED, err.status);
	EXPECT_NE(NULL, strstr(err.text, word)) { TH_LOG("no '%s' in: %s", word, err.text); }
	EXPECT_EQ(NULL, image.segments);
}

TEST_F(file, other_things_than_files_are_refused)
{
	char path[80];

	snprintf(path, sizeof(path), "%s/nothing", self->dir);
	expect_refused(_metadata, path, "No such file");
	expect_refused(_metadata, self->dir, "no regular file");
	expect_refused(_metadata, "/dev/zero", "no regular file");
	ASSERT_EQ(0, mkfifo(path, 0600));
	expect_refused(_metadata, path, "no regular file");
	unlink(path);
	expect_refused(_metadata, "/bin/sh", "no core file");
	expect_refused(_metadata, "/etc/passwd", "no ELF file");
}

TEST_F(file, truncated_at_any_place_is_refused)
{
	struct error err;
	struct image image;
	size_t len;

	for (len = 0; len < self->size; len += len < 1024 ? 1 : 61) {
		ASSERT_EQ(0, spill(self->path, self->bytes, len));
		err = (struct error) {};
		EXPECT_EQ(-1, image_file_read(&image, self->path, &err)) { TH_LOG("at %zu", len); }
		EXPECT_NE('\0', err.text[0]);
	}
}

/* Headers of the file in memory; segment 0 is the notes. */
static Elf64_Ehdr *header(struct __test_metadata *_metadata, FIXTURE_DATA(file) *self)
{
	return (Elf64_Ehdr *)self->bytes;
}

static Elf64_Phdr *program(FIXTURE_DATA(file) *self, int i)
{
	return (Elf64_Phdr *)(self->bytes + sizeof(Elf64_Ehdr)) + i;
}

static void expect_bytes_refused(struct __test_metadata *_metadata, FIXTURE_DATA(file) *self,
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

TEST_F(file, headers_of_other_files_are_refused)
{
	Elf64_Ehdr *elf = header(_metadata, self);

	EXPECT_CHANGE_REFUSED(elf->e_type, ET_EXEC, "no core file");
	EXPECT_CHANGE_REFUSED(elf->e_machine, EM_AARCH64, "not for x86-64");
	EXPECT_CHANGE_REFUSED(elf->e_ident[EI_CLASS], ELFCLASS32, "x86-64");
	EXPECT_CHANGE_REFUSED(elf->e_ident[0], 'X', "no ELF file");
	EXPECT_CHANGE_REFUSED(elf->e_phentsize, 32, "table of segments");
	EXPECT_CHANGE_REFUSED(elf->e_phnum, 0, "it has");
	EXPECT_CHANGE_REFUSED(elf->e_phnum, 60000, "table of segments");
	EXPECT_CHANGE_REFUSED(elf->e_phnum, PN_XNUM, "table of segments");
	EXPECT_CHANGE_REFUSED(elf->e_shnum, 7, "table of segments");
	EXPECT_CHANGE_REFUSED(elf->e_phoff, self->size - 8, "truncated");
	EXPECT_CHANGE_REFUSED(elf->e_phoff, ~0UL, "t");
}

TEST_F(file, segments_out_of_place_are_refused)
{
	Elf64_Phdr *load = program(self, 2);

	EXPECT_CHANGE_REFUSED(load->p_vaddr, BASE, "overlaps");
	EXPECT_CHANGE_REFUSED(load->p_vaddr, BASE - 4 * PAGE, "overlaps");
	EXPECT_CHANGE_REFUSED(load->p_vaddr, BASE + PAGE + 8, "not page-aligned");
	EXPECT_CHANGE_REFUSED(program(self, 1)->p_vaddr, 0, "below 64 KiB");
	EXPECT_CHANGE_REFUSED(program(self, 4)->p_vaddr, 0xffffffff81000000, "kernel's addresses");
	EXPECT_CHANGE_REFUSED(program(self, 4)->p_vaddr, 0x7ffffffff000, "kernel's addresses");
	EXPECT_CHANGE_REFUSED(program(self, 3)->p_memsz, ~(PAGE - 1UL), "kernel's addresses");
	EXPECT_CHANGE_REFUSED(program(self, 3)->p_memsz, 0, "empty");
	EXPECT_CHANGE_REFUSED(program(self, 3)->p_memsz, 100, "not page-aligned");
	EXPECT_CHANGE_REFUSED(program(self, 3)->p_vaddr, 0x7ffff0000000 - PAGE, "overlaps");
}

TEST_F(file, content_beyond_the_file_is_refused)
{
	Elf64_Phdr *load = program(self, 2);

	EXPECT_CHANGE_REFUSED(load->p_offset, self->size, "beyond the end");
	EXPECT_CHANGE_REFUSED(load->p_offset, ~0UL - 100, "beyond the end");
	EXPECT_CHANGE_REFUSED(load->p_filesz, ~0UL, "beyond the end");
	EXPECT_CHANGE_REFUSED(load->p_filesz, PAGE, "in part only");
	EXPECT_CHANGE_REFUSED(load->p_offset, load->p_offset - 8, "not page-aligned in the file");
	EXPECT_CHANGE_REFUSED(load->p_type, PT_DYNAMIC, "of type");
	EXPECT_CHANGE_REFUSED(load->p_type, PT_NOTE, "of type");
	EXPECT_CHANGE_REFUSED(program(self, 0)->p_type, PT_LOAD, "in part only");
	EXPECT_CHANGE_REFUSED(program(self, 0)->p_filesz, 100, "no note of Coppice");
	EXPECT_CHANGE_REFUSED(program(self, 0)->p_filesz, 0, "no note of Coppice");
}

TEST_F(file, an_entry_or_stack_outside_the_segments_is_refused)
{
	EXPECT_CHANGE_REFUSED(program(self, 1)->p_flags, PF_R, "no executable segment");
	EXPECT_CHANGE_REFUSED(program(self, 4)->p_flags, PF_R, "no writable segment");
}

/* Our note's data, packed; found by its magic. */
static unsigned char *packed(FIXTURE_DATA(file) *self)
{
	return memmem(self->bytes, self->size, "COPN", 4);
}

/* Nothing in the notes is aligned. */
typedef uint32_t any_u32 __attribute__((aligned(1)));
typedef uint64_t any_u64 __attribute__((aligned(1)));

TEST_F(file, changed_notes_are_refused)
{
	unsigned char *notes = packed(self);
	any_u32 *words = (any_u32 *)notes;

	ASSERT_NE(NULL, notes);
	EXPECT_CHANGE_REFUSED(words[0], 0, "not Coppice's");
	EXPECT_CHANGE_REFUSED(words[1], 3, "version 3");
	/* A library's notes go on where a template's end. */
	EXPECT_CHANGE_REFUSED(words[1], 2, "which file");
	EXPECT_CHANGE_REFUSED(words[2], 99, "99 bytes");
	/* See the layout in image_notes.c. */
	EXPECT_CHANGE_REFUSED(notes[12 + 13 * 8 + 15], 'x', "too long");
	EXPECT_CHANGE_REFUSED(notes[12 + 13 * 8 + 16], 33, "too long");
	EXPECT_CHANGE_REFUSED(*(any_u32 *)(notes + 12 + 13 * 8 + 16 + 33 + 32), 70000,
			      "more than any image");
	EXPECT_CHANGE_REFUSED(*(any_u64 *)(notes + 12), 0, "entry");
	EXPECT_CHANGE_REFUSED(*(any_u64 *)(notes + 20), 0, "stack");
	EXPECT_CHANGE_REFUSED(*(any_u64 *)(notes + 28), 12345, "vDSO");
	EXPECT_CHANGE_REFUSED(*(any_u64 *)(notes + 28), BASE, "overlaps the vDSO");
}

/* Whatever comes out is refused or good, and nothing reads or writes where it should not. */
static void expect_sane(struct __test_metadata *_metadata, const char *path)
{
	struct error err = {};
	struct image image;

	if (image_file_read(&image, path, &err)) {
		EXPECT_NE('\0', err.text[0]);
		return;
	}
	EXPECT_NE(0, image.nr_segments);
	image_free(&image);
}

TEST_F(file, any_changed_byte_of_headers_and_notes_is_survived)
{
	size_t end = program(self, 1)->p_offset, i;
	unsigned char before;

	for (i = 0; i < end; i++) {
		before = self->bytes[i];
		self->bytes[i] ^= 1 + i % 255;
		ASSERT_EQ(0, spill(self->path, self->bytes, self->size));
		expect_sane(_metadata, self->path);
		self->bytes[i] = before;
	}
}

TEST_F(file, random_changes_are_survived)
{
	size_t end = program(self, 1)->p_offset;
	unsigned char *copy = malloc(self->size);
	int i, j;

	srand(SEED);
	for (i = 0; i < FLIPS; i++) {
		memcpy(copy, self->bytes, self->size);
		for (j = rand() % 8; j >= 0; j--)
			copy[rand() % end] = rand();
		ASSERT_EQ(0, spill(self->path, copy, self->size));
		expect_sane(_metadata, self->path);
	}
	free(copy);
}

TEST_F(file, random_bytes_are_refused)
{
	size_t i;
	int round;

	srand(SEED);
	for (round = 0; round < 200; round++) {
		/* In every other round as an ELF file with random headers. */
		for (i = round % 2 ? 0 : sizeof(Elf64_Ehdr); i < self->size; i++)
			self->bytes[i] = rand();
		expect_bytes_refused(_metadata, self, "");
	}
}

/* Notes of @image, or the reason why there are none. */
static int pack(const struct image *image, size_t *len, struct error *err)
{
	void *notes = NULL;
	int ret = image_notes_pack(image, &notes, len, err);

	free(notes);
	return ret;
}

/* Notes that end where memory ends: one byte too far is a signal. */
static unsigned char *at_the_edge(const void *notes, size_t len)
{
	size_t room = (len + PAGE - 1) & ~(PAGE - 1UL);
	unsigned char *map = mmap(NULL, room + PAGE, PROT_READ | PROT_WRITE,
				  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	mprotect(map + room, PAGE, PROT_NONE);
	return memcpy(map + room - len, notes, len);
}

TEST_F(file, notes_are_read_within_their_bounds)
{
	struct image image = {};
	struct error err = {};
	unsigned char *edge;
	void *notes = NULL;
	size_t full, len;

	ASSERT_EQ(0, image_notes_pack(&self->sample.image, &notes, &full, &err));
	for (len = 12; len < full; len++) {
		edge = at_the_edge(notes, len);
		/* Its own word on its size is right, as hostile notes would have it. */
		*(any_u32 *)(edge + 8) = len;
		EXPECT_EQ(-1, image_notes_unpack(&image, edge, len, &err)) { TH_LOG("%zu", len); }
		image_free(&image);
		munmap((void *)((uintptr_t)edge & ~(PAGE - 1UL)), 2 * PAGE);
	}
	free(notes);
}

TEST_F(file, names_that_do_not_fit_are_left_out)
{
	static char name[4001];
	struct image_segment *segments = calloc(200, sizeof(*segments));
	struct image image = self->sample.image, read = {};
	struct error err = {};
	void *notes = NULL;
	size_t len, i, named = 0;

	memset(name, 'n', sizeof(name) - 1);
	for (i = 0; i < 200; i++)
		segments[i] = (struct image_segment) { BASE + i * PAGE, PAGE, 1, NULL, name, 0, 0 };
	image.segments = segments;
	image.nr_segments = 200;
	ASSERT_EQ(0, image_notes_pack(&image, &notes, &len, &err)) { TH_LOG("%s", err.text); }
	EXPECT_LE(len, 256 * 1024);
	read.segments = calloc(200, sizeof(*segments));
	memcpy(read.segments, segments, 200 * sizeof(*segments));
	read.nr_segments = 200;
	for (i = 0; i < 200; i++)
		read.segments[i].name = NULL;
	ASSERT_EQ(0, image_notes_unpack(&read, notes, len, &err)) { TH_LOG("%s", err.text); }
	while (named < 200 && read.segments[named].name)
		named++;
	EXPECT_GT(named, 50);
	EXPECT_LT(named, 200);
	image_free(&read);
	free(segments);
	free(notes);
}

TEST_F(file, libraries_that_do_not_fit_are_an_error)
{
	static char path[4001];
	struct image_library libraries[100];
	struct image image = self->sample.image;
	struct error err = {};
	size_t len, i;

	memset(path, 'p', sizeof(path) - 1);
	path[0] = '/';
	for (i = 0; i < 100; i++)
		libraries[i] = (struct image_library) { path, {}, 20 };
	image.libraries = libraries;
	image.nr_libraries = 100;
	EXPECT_EQ(-1, pack(&image, &len, &err));
	EXPECT_NE(NULL, strstr(err.text, "fewer libraries"));
	image.nr_libraries = 60;
	EXPECT_EQ(0, pack(&image, &len, &err));
}

/* The hub's own description fits, and each part of it that is changed is named. */
TEST_F(file, an_image_for_another_hub_is_refused)
{
	struct image image = self->sample.image;
	struct image_library library = { "/bin/sh", {}, 0 };
	struct error err = {};

	image.libraries = &library;
	image.nr_libraries = 1;
	ASSERT_EQ(0, hub_describe(&image, &err)) { TH_LOG("%s", err.text); }
	library.path = realpath("/bin/sh", NULL);
	ASSERT_EQ(0, hub_build_id(library.path, library.build_id, &library.build_id_len));
	EXPECT_EQ(0, image_check(&image, &err)) { TH_LOG("%s", err.text); }
	library.build_id[3] ^= 1;
	EXPECT_EQ(-1, image_check(&image, &err));
	EXPECT_NE(NULL, strstr(err.text, library.path));
	library.build_id[3] ^= 1;
	image.vdso_build_id[0] ^= 1;
	EXPECT_EQ(-1, image_check(&image, &err));
	EXPECT_NE(NULL, strstr(err.text, "vDSO"));
	image.vdso_build_id[0] ^= 1;
	/* A reserved bit, which no processor sets. */
	image.cpu[3] |= 1u << 26;
	EXPECT_EQ(-1, image_check(&image, &err));
	EXPECT_NE(NULL, strstr(err.text, "processor feature")) { TH_LOG("%s", err.text); }
	free(library.path);
}

TEST_HARNESS_MAIN
