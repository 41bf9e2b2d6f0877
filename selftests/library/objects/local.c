// SPDX-License-Identifier: GPL-2.0
/* Local libraries, each with something else of meter.c's. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stddef.h>

const char *meter_unit(void);
const char *meter_kind(void);
const char *meter_extra(void);

#if defined(LOCAL_local) || defined(LOCAL_versioned) || defined(LOCAL_alien) || defined(LOCAL_needy)
const char *meter_unit(void)
{
	return "unit-local";
}
#endif

#ifdef LOCAL_local
/* What it stands in for is the next one of this name. */
const char *meter_kind(void)
{
	const char *(*next)(void) = dlsym(RTLD_NEXT, "meter_kind");

	return next && next()[5] == 'p' ? "kind-local-after-provider" : "kind-lost";
}

const char *meter_extra(void)
{
	return "extra-local";
}
#endif

#ifdef LOCAL_grown
long meter_values[5];
#endif

#ifdef LOCAL_data
long meter_unit_data __asm__("meter_unit") = 1;
#endif

#ifdef LOCAL_nothing
int nothing_of_it(void);

int nothing_of_it(void)
{
	return 0;
}
#endif

#ifdef LOCAL_stand
int getpagesize(void);

int getpagesize(void)
{
	return 1;
}
#endif
