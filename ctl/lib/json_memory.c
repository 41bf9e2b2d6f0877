// SPDX-License-Identifier: GPL-2.0
/* The memory of jansson; see json_memory.h. */
#include <jansson.h>
#include <stdlib.h>

#include "json_memory.h"

static _Thread_local bool was_short;

static void *allocate(size_t size)
{
	void *memory = malloc(size);

	if (!memory)
		was_short = true;
	return memory;
}

/* Before anything is allocated. What it returns can be given to free() as ever. */
static void __attribute__((constructor)) take_over(void)
{
	json_set_alloc_funcs(allocate, free);
}

bool json_memory_was_short(void)
{
	bool answer = was_short;

	was_short = false;
	return answer;
}

void json_memory_note_short(void)
{
	was_short = true;
}
