// SPDX-License-Identifier: GPL-2.0
/* Merged shared objects: what two of them have to do with each other. */
#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <gnu/libc-version.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arch.h"
#include "cleanup.h"
#include "json_put.h"
#include "library_parts.h"

/* The C library is one with its dynamic linker, and our own is in every template. */
static int refuse_own(const char *soname, struct error *err)
{
	static const char *const own[] = {
		"libc.so.6", ARCH_LOADER_SONAME, "libpthread.so.0", "libdl.so.2", "librt.so.1",
		"libm.so.6", "libresolv.so.2", "libcoppice.so.0",
	};
	size_t i;

	for (i = 0; soname && i < sizeof(own) / sizeof(own[0]); i++)
		if (!strcmp(own[i], soname))
			return error_set(err, EPERM, "%s cannot be overridden: it is a part of the C library or of Coppice, which have to fit the hub", soname);
	return 0;
}

static void format_symbol(const struct symbol *symbol, char text[256])
{
	snprintf(text, 256, "%.180s%s%.60s", symbol->name, symbol->version ? "@" : "",
		 symbol->version ? symbol->version : "");
}

/* What a reference to one kind would do with the other is undefined. */
static int class_of(const struct symbol *symbol)
{
	switch (symbol->type) {
	case STT_FUNC:
	case STT_GNU_IFUNC:
		return STT_FUNC;
	case STT_OBJECT:
	case STT_COMMON:
		return STT_OBJECT;
	default:
		return symbol->type;
	}
}

static int check_kind(const struct symbol *local, const struct symbol *provider, struct error *err)
{
	if (local->type == STT_NOTYPE || provider->type == STT_NOTYPE)
		return 0;
	if (class_of(local) != class_of(provider))
		return error_set(err, ENOEXEC, "the two have a symbol %.180s of different kinds (a function, data or thread-local data): give the local one the provider's kind",
				 local->name);
	if (class_of(local) == STT_OBJECT && local->size != provider->size)
		return error_set(err, ENOEXEC, "the data %.180s has %lu bytes at the provider's and %lu at the local one: programs have the provider's size compiled in",
				 local->name, (unsigned long)provider->size, (unsigned long)local->size);
	return 0;
}

/* Would a program that was linked with @provider take @local? The dynamic linker's rules. */
static bool answers(const struct symbol *local, const struct symbol *provider)
{
	if (!local->version)
		return true;
	if (!provider->version)
		return !local->hidden;
	return !strcmp(local->version, provider->version);
}

static int refuse_version(const struct symbol *local, const struct symbol *provider,
			  struct error *err)
{
	char mine[256], theirs[256];

	format_symbol(local, mine);
	format_symbol(provider, theirs);
	return error_set(err, ENOEXEC, "the local %s has another version than the provider's %s and would never be called: give it that version, or none",
			 mine, theirs);
}

static bool same_name(const struct interface *interface, const struct symbol *symbol,
		      const char *name)
{
	return symbol && symbol < interface->symbols + interface->nr && !strcmp(symbol->name, name);
}

static int check_local(const struct symbol *local, const struct interface *provider,
		       struct error *err)
{
	const struct symbol *first = interface_find(provider, local->name), *symbol;
	bool answered = false;

	for (symbol = first; same_name(provider, symbol, local->name); symbol++) {
		if (!answers(local, symbol))
			continue;
		if (check_kind(local, symbol, err))
			return -1;
		answered = true;
	}
	return !first || answered ? 0 : refuse_version(local, first, err);
}

static bool is_answered(const struct interface *local, const struct symbol *provider)
{
	const struct symbol *symbol = interface_find(local, provider->name);

	for (; same_name(local, symbol, provider->name); symbol++)
		if (answers(symbol, provider))
			return true;
	return false;
}

static int note_symbols(const struct library *library, const struct interface *local,
			const struct interface *provider, struct error *err)
{
	char text[256];
	size_t i;

	for (i = 0; i < provider->nr; i++) {
		format_symbol(&provider->symbols[i], text);
		if (library_note(library, is_answered(local, &provider->symbols[i]) ?
				 "overridden" : "falls_through", text, err))
			return -1;
	}
	for (i = 0; i < local->nr; i++) {
		format_symbol(&local->symbols[i], text);
		if (!interface_find(provider, local->symbols[i].name) &&
		    library_note(library, "added", text, err))
			return -1;
	}
	return 0;
}

/*
 * The stub is where the provider's object was, but the symbols are found one level further down,
 * behind the C library. That makes a difference only for what the C library has too, and has
 * no version at the provider's.
 */
static int refuse_interposer(const struct interface *provider, struct error *err)
{
	struct interface libc = INTERFACE_CLOSED;
	const struct symbol *found;
	size_t i;
	Dl_info info;
	int ret = 0;

	if (!dladdr((void *)gnu_get_libc_version, &info) || interface_read(&libc, info.dli_fname, err)) {
		interface_free(&libc);
		return 0;
	}
	for (i = 0; !ret && i < provider->nr; i++) {
		found = provider->symbols[i].version ? NULL :
			interface_find(&libc, provider->symbols[i].name);
		if (found && !found->hidden)
			ret = error_set(err, EOPNOTSUPP, "the provider's library stands in for the C library's %.100s, and would be found too late if it was merged: override the library that calls it instead",
					found->name);
	}
	interface_free(&libc);
	return ret;
}

static int compare(const struct library *library, const struct interface *local,
		   const struct interface *provider, struct error *err)
{
	size_t i;

	if (refuse_own(provider->soname ? provider->soname : library_base(library->provider), err) ||
	    refuse_interposer(provider, err))
		return -1;
	for (i = 0; i < local->nr; i++)
		if (check_local(&local->symbols[i], provider, err))
			return -1;
	return note_symbols(library, local, provider, err) ? -1 : library_check_lists(library, err);
}

static int make_files(const struct library *library, const struct interface *provider,
		      char merged[PATH_MAX], struct error *err)
{
	const char *name = library_base(library->provider);
	char local[PATH_MAX], original[PATH_MAX];

	if (library_place(library, "local", library_base(library->local), local, err) ||
	    library_place(library, "provider", name, original, err) ||
	    library_place(library, "merged", name, merged, err) ||
	    library_copy(library->local, local, err) ||
	    library_copy(library->provider, original, err) ||
	    stub_write(merged, provider, local, original, err))
		return -1;
	return library_cover(library, merged, library->provider, err);
}

/* The line of @text with this word, cut out of it; or NULL. */
static char *line_with(char *text, const char *word)
{
	char *at = strstr(text, word), *start = at;

	if (!at)
		return NULL;
	while (start > text && start[-1] != '\n')
		start--;
	start += strspn(start, " \t");
	start[strcspn(start, "\n")] = '\0';
	return start;
}

/* The dynamic linker lists what it would load, and runs nothing of it. */
static int try_loading(const struct library *library, char *merged, struct error *err)
{
	char *argv[] = { ARCH_LOADER, merged, NULL };
	char *envp[] = { "LD_TRACE_LOADED_OBJECTS=1", NULL };
	autofree char *text = library_output(library, argv, envp, true, err);
	char *line = text ? line_with(text, "not found") : NULL;

	if (!text)
		return -1;
	if (line)
		return error_set(err, ENOENT, "the merged library cannot be loaded: %.200s: both libraries have to find what they need from another directory, without $ORIGIN",
				 line);
	return 0;
}

int library_make_elf(struct library *library, struct error *err)
{
	struct interface local = INTERFACE_CLOSED, provider = INTERFACE_CLOSED;
	char merged[PATH_MAX];
	int ret = -1;

	if (!interface_read(&provider, library->provider, err) &&
	    !interface_read(&local, library->local, err) &&
	    !compare(library, &local, &provider, err) &&
	    !make_files(library, &provider, merged, err))
		ret = try_loading(library, merged, err);
	if (provider.soname &&
	    json_put(library->record, "soname", json_string(provider.soname), err))
		ret = -1;
	interface_free(&local);
	interface_free(&provider);
	return ret;
}
