// SPDX-License-Identifier: GPL-2.0
/*
 * The stub of a merged shared object.
 *
 * The dynamic linker looks symbols up in the order in which objects were needed, each level after
 * the one above. In the place of the provider's object lies one without symbols that needs the local one
 * and then the provider's: a symbol that the local one has is found there, all others at the
 * provider's, by name and version. Neither of the two is changed. The stub defines the
 * provider's versions, as programs that were linked with it ask for these by its soname.
 *
 * All is in one page-aligned piece that is mapped twice: read-only, and the dynamic section again,
 * writable, since the dynamic linker relocates it in place.
 */
#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "arch.h"
#include "cleanup.h"
#include "library_parts.h"

#define PAGE		4096UL
#define PAGE_UP(n)	(((n) + PAGE - 1) & ~(PAGE - 1))
#define NR_SEGMENTS	4	/* read-only, writable, dynamic, stack */
#define NR_DYNAMIC	13

/* Offsets in the file, which are addresses too. */
struct layout {
	size_t hash, symbols, versym, verdef, strings, dynamic, end;
	size_t strings_size;
};

struct stub {
	char *bytes;
	struct layout at;
	size_t next_string;
};

static size_t lay_out(struct layout *at, const struct interface *provider, const char *first,
		      const char *second)
{
	size_t i;

	at->strings_size = 2 + strlen(first) + 1 + strlen(second) + 1 +
			   (provider->soname ? strlen(provider->soname) + 1 : 0);
	for (i = 0; i < provider->nr_versions; i++)
		at->strings_size += strlen(provider->versions[i]) + 1;
	at->hash = sizeof(Elf64_Ehdr) + NR_SEGMENTS * sizeof(Elf64_Phdr);
	at->symbols = at->hash + 4 * sizeof(Elf64_Word) + 8 - at->hash % 8;
	at->versym = at->symbols + sizeof(Elf64_Sym);
	at->verdef = at->versym + 8;
	at->strings = at->verdef + (provider->nr_versions + 1) *
		      (sizeof(Elf64_Verdef) + sizeof(Elf64_Verdaux));
	at->dynamic = PAGE_UP(at->strings + at->strings_size);
	at->end = at->dynamic + NR_DYNAMIC * sizeof(Elf64_Dyn);
	return at->end;
}

static Elf64_Word put_string(struct stub *stub, const char *text)
{
	size_t offset = stub->next_string;

	strcpy(stub->bytes + stub->at.strings + offset, text);
	stub->next_string += strlen(text) + 1;
	return offset;
}

static void put_header(struct stub *stub)
{
	*(Elf64_Ehdr *)stub->bytes = (Elf64_Ehdr) {
		.e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB, EV_CURRENT },
		.e_type = ET_DYN, .e_machine = ARCH_MACHINE, .e_version = EV_CURRENT,
		.e_phoff = sizeof(Elf64_Ehdr), .e_ehsize = sizeof(Elf64_Ehdr),
		.e_phentsize = sizeof(Elf64_Phdr), .e_phnum = NR_SEGMENTS,
		.e_shentsize = sizeof(Elf64_Shdr),
	};
}

static Elf64_Phdr segment(uint32_t type, uint32_t flags, size_t from, size_t to, size_t align)
{
	return (Elf64_Phdr) {
		.p_type = type, .p_flags = flags, .p_offset = from, .p_vaddr = from,
		.p_paddr = from, .p_filesz = to - from, .p_memsz = to - from, .p_align = align,
	};
}

static void put_segments(struct stub *stub)
{
	Elf64_Phdr *segments = (Elf64_Phdr *)(stub->bytes + sizeof(Elf64_Ehdr));
	const struct layout *at = &stub->at;

	segments[0] = segment(PT_LOAD, PF_R, 0, at->strings + at->strings_size, PAGE);
	segments[1] = segment(PT_LOAD, PF_R | PF_W, at->dynamic, at->end, PAGE);
	segments[2] = segment(PT_DYNAMIC, PF_R | PF_W, at->dynamic, at->end, 8);
	/* Without it the stack would be made executable. */
	segments[3] = segment(PT_GNU_STACK, PF_R | PF_W, 0, 0, 16);
}

/* A table of one bucket, and no symbol in it. */
static void put_hash(struct stub *stub)
{
	Elf64_Word *hash = (Elf64_Word *)(stub->bytes + stub->at.hash);

	hash[0] = hash[1] = 1;
}

static Elf64_Word version_hash(const char *name)
{
	Elf64_Word hash = 0, high;

	for (; *name; name++) {
		hash = (hash << 4) + (unsigned char)*name;
		high = hash & 0xf0000000;
		hash ^= high >> 24;
		hash &= ~high;
	}
	return hash;
}

static void put_version(struct stub *stub, size_t number, size_t last, const char *name)
{
	const size_t size = sizeof(Elf64_Verdef) + sizeof(Elf64_Verdaux);
	Elf64_Verdef *def = (Elf64_Verdef *)(stub->bytes + stub->at.verdef + number * size);

	*def = (Elf64_Verdef) {
		.vd_version = VER_DEF_CURRENT, .vd_flags = number ? 0 : VER_FLG_BASE,
		.vd_ndx = number + 1, .vd_cnt = 1, .vd_hash = version_hash(name),
		.vd_aux = sizeof(*def), .vd_next = number == last ? 0 : size,
	};
	*(Elf64_Verdaux *)(def + 1) = (Elf64_Verdaux) { .vda_name = put_string(stub, name) };
}

static void put_versions(struct stub *stub, const struct interface *provider)
{
	size_t i;

	/* The first is the file's own. An empty name, as it is asked for by none. */
	put_version(stub, 0, provider->nr_versions, "");
	for (i = 0; i < provider->nr_versions; i++)
		put_version(stub, i + 1, provider->nr_versions, provider->versions[i]);
}

static void put_dynamic(struct stub *stub, const struct interface *provider, const char *first,
			const char *second)
{
	Elf64_Dyn *entry = (Elf64_Dyn *)(stub->bytes + stub->at.dynamic);
	const struct layout *at = &stub->at;

	*entry++ = (Elf64_Dyn) { DT_NEEDED, { put_string(stub, first) } };
	*entry++ = (Elf64_Dyn) { DT_NEEDED, { put_string(stub, second) } };
	if (provider->soname)
		*entry++ = (Elf64_Dyn) { DT_SONAME, { put_string(stub, provider->soname) } };
	*entry++ = (Elf64_Dyn) { DT_HASH, { at->hash } };
	*entry++ = (Elf64_Dyn) { DT_STRTAB, { at->strings } };
	*entry++ = (Elf64_Dyn) { DT_STRSZ, { at->strings_size } };
	*entry++ = (Elf64_Dyn) { DT_SYMTAB, { at->symbols } };
	*entry++ = (Elf64_Dyn) { DT_SYMENT, { sizeof(Elf64_Sym) } };
	if (!provider->nr_versions)
		return;
	*entry++ = (Elf64_Dyn) { DT_VERSYM, { at->versym } };
	*entry++ = (Elf64_Dyn) { DT_VERDEF, { at->verdef } };
	*entry++ = (Elf64_Dyn) { DT_VERDEFNUM, { provider->nr_versions + 1 } };
}

int stub_write(const char *path, const struct interface *provider, const char *first,
	       const char *second, struct error *err)
{
	struct stub stub = { .next_string = 1 };
	autofree char *bytes = calloc(1, lay_out(&stub.at, provider, first, second));

	if (!bytes)
		return error_set(err, ENOMEM, "out of memory");
	stub.bytes = bytes;
	put_header(&stub);
	put_segments(&stub);
	put_hash(&stub);
	put_versions(&stub, provider);
	put_dynamic(&stub, provider, first, second);
	return library_write(path, bytes, stub.at.end, err);
}
