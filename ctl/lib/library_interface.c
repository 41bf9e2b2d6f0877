// SPDX-License-Identifier: GPL-2.0
/* What a shared object offers to others: its dynamic symbols with their versions. */
#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <libelf.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "arch.h"
#include "library_parts.h"

#define VERSIONS_MAX	32768	/* a version's number has 15 bits */
#define HIDDEN		0x8000

/* The sections that matter. */
struct sections {
	Elf_Data *symbols, *versym, *verdef, *dynamic;
	size_t symbol_names, version_names, dynamic_names;	/* their string tables */
};

static int bad(const char *what, struct error *err)
{
	return error_set(err, ENOEXEC, "%s", what);
}

static int open_file(struct interface *interface, const char *path, struct error *err)
{
	struct stat st;

	interface->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (interface->fd < 0 || fstat(interface->fd, &st))
		return error_set(err, errno, "it cannot be opened: %s", strerror(errno));
	if (!S_ISREG(st.st_mode))
		return bad("it is no regular file, and so no shared object", err);
	elf_version(EV_CURRENT);
	interface->elf = elf_begin(interface->fd, ELF_C_READ, NULL);
	if (!interface->elf || elf_kind(interface->elf) != ELF_K_ELF)
		return bad("it is no ELF file, and so no shared object", err);
	return 0;
}

static int check_header(const struct interface *interface, struct error *err)
{
	GElf_Ehdr header;

	if (!gelf_getehdr(interface->elf, &header))
		return bad("its ELF header is damaged", err);
	if (gelf_getclass(interface->elf) != ELFCLASS64)
		return bad("it is a 32-bit object, and this hub's tasks are 64-bit: build it for " ARCH_NAME, err);
	if (header.e_ident[EI_DATA] != ELFDATA2LSB || header.e_machine != ARCH_MACHINE)
		return error_set(err, ENOEXEC, "it is for another processor (ELF machine %u): build it for " ARCH_NAME,
				 header.e_machine);
	if (header.e_type != ET_DYN)
		return bad("it is no shared object (link it with -shared)", err);
	return 0;
}

static void find_sections(Elf *elf, struct sections *sections)
{
	Elf_Scn *section = NULL;
	GElf_Shdr header;

	while ((section = elf_nextscn(elf, section))) {
		if (!gelf_getshdr(section, &header))
			continue;
		if (header.sh_type == SHT_DYNSYM) {
			sections->symbols = elf_getdata(section, NULL);
			sections->symbol_names = header.sh_link;
		} else if (header.sh_type == SHT_GNU_versym) {
			sections->versym = elf_getdata(section, NULL);
		} else if (header.sh_type == SHT_GNU_verdef) {
			sections->verdef = elf_getdata(section, NULL);
			sections->version_names = header.sh_link;
		} else if (header.sh_type == SHT_DYNAMIC) {
			sections->dynamic = elf_getdata(section, NULL);
			sections->dynamic_names = header.sh_link;
		}
	}
}

static int read_dynamic(struct interface *interface, const struct sections *sections,
			struct error *err)
{
	GElf_Dyn entry;
	int i;

	if (!sections->dynamic)
		return bad("it has no dynamic section, and so is no shared object", err);
	for (i = 0; gelf_getdyn(sections->dynamic, i, &entry) && entry.d_tag != DT_NULL; i++) {
		if (entry.d_tag == DT_SONAME)
			interface->soname = elf_strptr(interface->elf, sections->dynamic_names,
						       entry.d_un.d_val);
		if (entry.d_tag == DT_FLAGS_1 && (entry.d_un.d_val & DF_1_PIE))
			return bad("it is a program, not a shared object", err);
	}
	return 0;
}

/* *names[number] of each version that is defined; the file's own, 1, is none. */
static int read_versions(struct interface *interface, const struct sections *sections,
			 const char **names, struct error *err)
{
	GElf_Verdef def;
	GElf_Verdaux aux;
	size_t at = 0;

	while (sections->verdef && gelf_getverdef(sections->verdef, at, &def)) {
		unsigned int number = def.vd_ndx & ~HIDDEN;
		const char *name = gelf_getverdaux(sections->verdef, at + def.vd_aux, &aux) ?
			elf_strptr(interface->elf, sections->version_names, aux.vda_name) : NULL;

		if (!name || interface->nr_versions == VERSIONS_MAX)
			return bad("its table of versions is damaged", err);
		if (!(def.vd_flags & VER_FLG_BASE)) {
			names[number] = name;
			interface->versions[interface->nr_versions++] = name;
		}
		if (!def.vd_next)
			break;
		at += def.vd_next;
	}
	return 0;
}

static bool exported(const GElf_Sym *symbol)
{
	int binding = GELF_ST_BIND(symbol->st_info);
	int visibility = GELF_ST_VISIBILITY(symbol->st_other);

	return symbol->st_shndx != SHN_UNDEF &&
	       (binding == STB_GLOBAL || binding == STB_WEAK || binding == STB_GNU_UNIQUE) &&
	       (visibility == STV_DEFAULT || visibility == STV_PROTECTED);
}

/* What linkers put into every object, and the names of versions. */
static bool of_linker(const struct interface *interface, const char *name, const GElf_Sym *symbol)
{
	static const char *const names[] = {
		"_init", "_fini", "_end", "_edata", "_etext", "__bss_start", "__end__", "_bss_end__",
	};
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (!strcmp(names[i], name))
			return true;
	for (i = 0; symbol->st_shndx == SHN_ABS && i < interface->nr_versions; i++)
		if (!strcmp(interface->versions[i], name))
			return true;
	return false;
}

static int by_name(const void *a, const void *b)
{
	const struct symbol *left = a, *right = b;
	int order = strcmp(left->name, right->name);

	/* The default version first. */
	return order ? order : left->hidden - right->hidden;
}

static int read_symbols(struct interface *interface, const struct sections *sections,
			const char **versions, struct error *err)
{
	size_t total = sections->symbols->d_size / sizeof(Elf64_Sym), i;
	GElf_Versym version = 0;
	GElf_Sym symbol;

	interface->symbols = calloc(total + 1, sizeof(*interface->symbols));
	if (!interface->symbols)
		return error_set(err, ENOMEM, "out of memory");
	for (i = 0; i < total && gelf_getsym(sections->symbols, i, &symbol); i++) {
		const char *name = elf_strptr(interface->elf, sections->symbol_names, symbol.st_name);

		if (!name || !exported(&symbol) || of_linker(interface, name, &symbol))
			continue;
		if (sections->versym && !gelf_getversym(sections->versym, i, &version))
			return bad("its table of versions is damaged", err);
		interface->symbols[interface->nr++] = (struct symbol) {
			.name = name, .version = versions[version & ~HIDDEN],
			.hidden = version & HIDDEN, .type = GELF_ST_TYPE(symbol.st_info),
			.size = symbol.st_size,
		};
	}
	qsort(interface->symbols, interface->nr, sizeof(*interface->symbols), by_name);
	return 0;
}

int interface_read(struct interface *interface, const char *path, struct error *err)
{
	const char **names = calloc(VERSIONS_MAX, sizeof(*names));
	struct sections sections = {};
	int ret = -1;

	*interface = (struct interface) INTERFACE_CLOSED;
	interface->versions = calloc(VERSIONS_MAX, sizeof(*interface->versions));
	if (!names || !interface->versions) {
		error_set(err, ENOMEM, "out of memory");
	} else if (!open_file(interface, path, err) && !check_header(interface, err)) {
		find_sections(interface->elf, &sections);
		if (read_dynamic(interface, &sections, err))
			ret = -1;
		else if (!sections.symbols)
			ret = bad("it exports no symbols", err);
		else if (!read_versions(interface, &sections, names, err))
			ret = read_symbols(interface, &sections, names, err);
	}
	free(names);
	return ret ? error_prefix(err, "%.200s", path) : 0;
}

void interface_free(struct interface *interface)
{
	free(interface->symbols);
	free(interface->versions);
	elf_end(interface->elf);
	if (interface->fd >= 0)
		close(interface->fd);
	*interface = (struct interface) INTERFACE_CLOSED;
}

static int find_name(const void *key, const void *entry)
{
	return strcmp(key, ((const struct symbol *)entry)->name);
}

const struct symbol *interface_find(const struct interface *interface, const char *name)
{
	const struct symbol *found = bsearch(name, interface->symbols, interface->nr,
					     sizeof(*found), find_name);

	while (found && found > interface->symbols && !strcmp(found[-1].name, name))
		found--;
	return found;
}
