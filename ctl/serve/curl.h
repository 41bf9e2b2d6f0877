/* SPDX-License-Identifier: GPL-2.0 */
/*
 * libcurl, loaded when something is forwarded for the first time: it brings thirty libraries,
 * which the other commands and a hub that forwards nothing shall not pay for.
 */
#ifndef COPPICE_CURL_H
#define COPPICE_CURL_H

#define CURL_DISABLE_TYPECHECK
#include <curl/curl.h>

#include "lib/error.h"

/* As macros they would hide what is looked up. */
#undef curl_easy_setopt
#undef curl_easy_getinfo
#undef curl_multi_setopt

#define CURL_FUNCTIONS(F) \
	F(global_init) F(slist_append) F(slist_free_all) F(easy_init) F(easy_cleanup) F(easy_setopt) \
	F(easy_getinfo) F(easy_header) F(multi_init) F(multi_cleanup) F(multi_setopt) \
	F(multi_add_handle) F(multi_remove_handle) F(multi_assign) F(multi_socket_action) F(multi_info_read)

#define CURL_MEMBER(name) typeof(curl_##name) *name;
struct curl {
	CURL_FUNCTIONS(CURL_MEMBER)
};
#undef CURL_MEMBER

extern struct curl curl;

int __must_check curl_load(struct error *err);

#endif /* COPPICE_CURL_H */
