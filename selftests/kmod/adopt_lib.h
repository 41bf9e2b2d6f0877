/* SPDX-License-Identifier: GPL-2.0 */
/* The size of adopt_lib.so: more code than is replaced in one step. */
#define ADOPT_TEXT_PAGES	700
#define ADOPT_DATA_PAGES	200
