// SPDX-License-Identifier: GPL-2.0
/* Libraries that are loaded when something first calls them; the code that calls is made by ctl/late. */
#include <archive.h>
#include <bpf/libbpf.h>
#include <dlfcn.h>
#include <gnutls/gnutls.h>
#include <link.h>
#include <netlink/errno.h>
#include <netlink/genl/genl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "late.h"

/* The only variable of such a library that is used, which has to be here before it is. */
gnutls_free_function gnutls_free = free;

/* A function of any type was called, so there is no error to return; nothing was done yet. */
static void __attribute__((noreturn)) give_up(const char *why)
{
	dprintf(STDERR_FILENO, "coppice: a library cannot be used (%s): install the package that has it, or free memory\n",
		why);
	_exit(LATE_FAILED);
}

/* It begins when it is loaded, and if it could not then nothing that it computes is right. */
static void check_gnutls(void *handle)
{
	int (*begin)(void) = dlsym(handle, "gnutls_global_init");

	if (begin && begin() < 0)
		give_up("GnuTLS could not begin");
}

/* Objects that were there before the first of these, which the linker lists in the order in which they came. */
static size_t nr_at_start;

static int count(struct dl_phdr_info *object, size_t size, void *data)
{
	size_t *nr = data;

	(void)object;
	(void)size;
	(*nr)++;
	return 0;
}

static void count_first(void)
{
	size_t nr = 0;

	if (nr_at_start)
		return;
	dl_iterate_phdr(count, &nr);
	nr_at_start = nr;
}

/*
 * Of libraries that are there from the start and that no child calls, one function each. Whatever else is there from
 * the start may be what the child's own calls go through, as the C library is and what is preloaded.
 */
static const char *const never_in_children[] = { "json_loads", "elf_begin", "zlibVersion" };

#define NR_NEVER (sizeof(never_in_children) / sizeof(*never_in_children))

struct advising {
	size_t nr;		/* objects so far */
	uintptr_t never[NR_NEVER];
	int advice;
};

static bool contains(const struct dl_phdr_info *object, uintptr_t address)
{
	const ElfW(Phdr) *header = object->dlpi_phdr;
	int i;

	for (i = 0; i < object->dlpi_phnum; i++, header++)
		if (header->p_type == PT_LOAD &&
		    address - (object->dlpi_addr + header->p_vaddr) < header->p_memsz)
			return true;
	return false;
}

static bool is_for_children(const struct advising *advising, const struct dl_phdr_info *object)
{
	size_t i;

	if (nr_at_start && advising->nr > nr_at_start)
		return false;
	for (i = 0; i < NR_NEVER; i++)
		if (advising->never[i] && contains(object, advising->never[i]))
			return false;
	return true;
}

static int advise_object(struct dl_phdr_info *object, size_t size, void *data)
{
	const ElfW(Phdr) *header = object->dlpi_phdr;
	const uintptr_t page = sysconf(_SC_PAGESIZE);
	struct advising *advising = data;
	uintptr_t start, end;
	int i;

	(void)size;
	advising->nr++;
	if (is_for_children(advising, object))
		return 0;
	for (i = 0; i < object->dlpi_phnum; i++, header++) {
		if (header->p_type != PT_LOAD)
			continue;
		start = (object->dlpi_addr + header->p_vaddr) & -page;
		end = object->dlpi_addr + header->p_vaddr + header->p_memsz;
		/* What it refuses costs time only. */
		(void)!madvise((void *)start, end - start, advising->advice);
	}
	return 0;
}

static void advise(int advice)
{
	struct advising advising = { .advice = advice };
	size_t i;

	for (i = 0; i < NR_NEVER; i++)
		advising.never[i] = (uintptr_t)dlsym(RTLD_DEFAULT, never_in_children[i]);
	dl_iterate_phdr(advise_object, &advising);
}

static int note_adds(struct dl_phdr_info *object, size_t size, void *data)
{
	unsigned long long *adds = data;

	(void)size;
	*adds = object->dlpi_adds;
	return 1;
}

static unsigned long long kept_at;	/* how many had been loaded then */

void late_keep_from_children(void)
{
	unsigned long long adds = 0;

	dl_iterate_phdr(note_adds, &adds);
	if (adds == kept_at)
		return;
	advise(MADV_DONTFORK);
	kept_at = adds;
}

void late_give_to_children(void)
{
	advise(MADV_DOFORK);
	kept_at = 0;
}

/* By what each of them has that does nothing. */
void late_need_bundles(void)
{
	(void)archive_version_number();
	(void)!gnutls_global_init();
}

void late_need_groups(void)
{
	struct genlmsghdr header = {};

	(void)nl_geterror(0);
	(void)genlmsg_user_hdr(&header);
	(void)libbpf_major_version();
}

/* Threads may be here side by side: they store the same. */
void late_load(const struct late_library *library)
{
	void *handle, **slot = library->slots;
	const char *name;

	count_first();
	handle = dlopen(library->soname, RTLD_LAZY | RTLD_LOCAL);
	if (!handle)
		give_up(dlerror());
	for (name = library->names; *name; name += strlen(name) + 1) {
		void *function = dlsym(handle, name);

		if (!function)
			give_up(dlerror());
		__atomic_store_n(slot++, function, __ATOMIC_RELEASE);
	}
	check_gnutls(handle);
}
