/* SPDX-License-Identifier: GPL-2.0 */
/*
 * kselftest's harness with patience: a time limit is there to end a test that hangs, and an
 * emulated processor may be a hundred times slower than another one that is busy besides.
 */
#ifndef COPPICE_SELFTESTS_HARNESS_H
#define COPPICE_SELFTESTS_HARNESS_H

#include "kselftest_harness.h"

#undef TEST_TIMEOUT_DEFAULT
#define TEST_TIMEOUT_DEFAULT 300

#endif /* COPPICE_SELFTESTS_HARNESS_H */
