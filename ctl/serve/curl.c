// SPDX-License-Identifier: GPL-2.0
/* libcurl, when it is needed. */
#include <dlfcn.h>
#include <errno.h>
#include <stdbool.h>

#include "curl.h"

#define LIBRARY	"libcurl-gnutls.so.4"

struct curl curl;

int curl_load(struct error *err)
{
	static bool loaded;
	void *library = loaded ? NULL : dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
	bool missing = false;

	if (loaded)
		return 0;
	if (!library)
		return error_set(err, ENOENT, "nothing can be forwarded: %s: install libcurl3-gnutls", dlerror());
#define LOOK_UP(name) missing |= !(*(void **)&curl.name = dlsym(library, "curl_" #name));
	CURL_FUNCTIONS(LOOK_UP)
#undef LOOK_UP
	if (missing || curl.global_init(CURL_GLOBAL_DEFAULT)) {
		dlclose(library);
		return error_set(err, ENOSYS, "nothing can be forwarded: " LIBRARY " is older than 7.83: install a newer one");
	}
	loaded = true;
	return 0;
}
