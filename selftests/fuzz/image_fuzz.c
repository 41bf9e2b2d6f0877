// SPDX-License-Identifier: GPL-2.0
/* Image files. */
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fuzz.h"
#include "lib/image.h"

#define PAGE 4096

static uint8_t good[16 * PAGE];
static size_t good_size;

static void write_good(const char *path)
{
	static char content[2 * PAGE], name[] = "/usr/bin/sample", libc[] = "/lib/libc.so.6";
	struct image_segment segments[] = {
		{ 0x10000000, PAGE, PROT_READ | PROT_EXEC, content, name, 0, 0 },
		{ 0x10001000, PAGE, PROT_READ | PROT_WRITE, content + PAGE, NULL, 0, 0 },
		{ 0x10010000, 8 * PAGE, PROT_READ | PROT_WRITE, NULL, NULL, 0, 0 },
	};
	struct image_library library = { libc, { 1, 2, 3 }, 20 };
	struct image image = {
		.entry = 0x10000010, .stack = 0x10011000, .comm = "sample",
		.vdso = { 0x7ffff0004000, 2 * PAGE }, .vvar = { 0x7ffff0000000, 4 * PAGE },
		.vdso_build_id = { 9, 8, 7 }, .vdso_build_id_len = 20,
		.segments = segments, .nr_segments = 3, .libraries = &library, .nr_libraries = 1,
	};
	struct error err;

	if (image_file_write(&image, path, &err)) {
		fprintf(stderr, "%s\n", err.text);
		abort();
	}
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	char path[] = "/tmp/coppice-fuzz-XXXXXX";
	int fd = mkstemp(path);
	FILE *file;

	(void)argc;
	(void)argv;
	close(fd);
	unlink(path);
	write_good(path);
	file = fopen(path, "re");
	if (!file)
		abort();
	good_size = fread(good, 1, sizeof(good), file);
	fclose(file);
	unlink(path);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct image image;
	struct error err = {};
	size_t len;
	uint8_t *bytes = fuzz_change(good, good_size, data, size, &len);
	int ret = image_file_read(&image, fuzz_file(bytes, len), &err);

	free(bytes);
	fuzz_judge(ret, &err);
	if (ret)
		return 0;
	(void)!image_check(&image, &err);
	image_free(&image);
	return 0;
}
