// SPDX-License-Identifier: GPL-2.0
/* Libraries that are loaded when something first calls them; the code that calls is made by ctl/late. */
#include <dlfcn.h>
#include <gnutls/gnutls.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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

/* Threads may be here side by side: they store the same. */
void late_load(const struct late_library *library)
{
	void *handle = dlopen(library->soname, RTLD_LAZY | RTLD_LOCAL), **slot = library->slots;
	const char *name;

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
