/* SPDX-License-Identifier: GPL-2.0 */
/* The fixture of tests of redirects: a closed world, and a group in it. */
#ifndef COPPICE_SELFTEST_FIXTURE_H
#define COPPICE_SELFTEST_FIXTURE_H

#include <errno.h>
#include <string.h>

#include "../lib/harness.h"

#include "world.h"

#define GROUP "web"

#define WORLD_FIXTURE(name)							\
	FIXTURE(name) {								\
		struct world world;						\
		const char *cgroup;						\
	};									\
										\
	FIXTURE_SETUP(name)							\
	{									\
		const char *failed = world_make(&self->world);			\
										\
		ASSERT_EQ(NULL, failed) {					\
			TH_LOG("cannot make %s: %s", failed, strerror(errno));	\
		}								\
		self->cgroup = self->world.cgroup;				\
		ASSERT_EQ(0, redirect_attach(GROUP, self->cgroup, &last_error)) { \
			TH_LOG("%s", last_error.text);				\
		}								\
	}									\
										\
	FIXTURE_TEARDOWN(name)							\
	{									\
		EXPECT_EQ(0, redirect_detach(GROUP, &last_error)) {		\
			TH_LOG("%s", last_error.text);				\
		}								\
		world_end(&self->world);					\
	}

#endif /* COPPICE_SELFTEST_FIXTURE_H */
