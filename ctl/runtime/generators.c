/* SPDX-License-Identifier: MIT */
/*
 * Generators of pseudo-random numbers with a state in memory. That is in the image, so each task
 * gets another.
 *
 * Sixteen bytes come from the kernel, which takes a hundred instructions for each four. What more
 * there has to be, a multiplicative congruential generator of 128 bits makes of them, the upper half of
 * each number (Steele and Vigna: Computationally easy, spectrally good multipliers for
 * congruential pseudorandom number generators, 2021): one of another kind than those whose state it
 * is. None of these was ever fit for secrets.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "coppice.h"
#include "state.h"

#define MOST		8	/* of Python's; there is one unless a function makes more */
#define TWISTER		624	/* words of a Mersenne twister's state */

/* As initstate(3) has it: a word says what it is and where it stands, behind it any will do. */
static uint32_t libc_state[32];

/* As in the interpreter's objects. */
struct twister {
	uint32_t used;
	uint32_t words[TWISTER];
};

static struct twister *twisters[MOST];
static unsigned int nr_twisters;

struct source {
	unsigned __int128 state;	/* odd */
};

#define MULTIPLIER	0xda942042e4dd58b5UL

static uint64_t next(struct source *source)
{
	source->state *= MULTIPLIER;
	return source->state >> 64;
}

static void fill(struct source *source, uint32_t *words, unsigned int nr)
{
	/* A copy stays in registers: @words could be where @source is. */
	struct source here = *source;
	unsigned int i;

	for (i = 0; i + 1 < nr; i += 2) {
		uint64_t number = next(&here);

		memcpy(words + i, &number, sizeof(number));
	}
	if (i < nr)
		words[i] = next(&here);
	*source = here;
}

/* To be used by tasks; the template goes on with what it has. */
void coppice_generators_note(void)
{
	char *old = initstate(1, (char *)libc_state, sizeof(libc_state));

	if (old)
		setstate(old);
}

void coppice_generators_reseed(void)
{
	struct source source;
	unsigned short state48[3];
	uint64_t number;
	unsigned int i;

	if (getrandom(&source, sizeof(source), 0) != sizeof(source))
		return;
	source.state |= 1;
	/* srandom() takes ten times as long to make one of a number. */
	fill(&source, libc_state + 1, sizeof(libc_state) / sizeof(*libc_state) - 1);
	setstate((char *)libc_state);
	number = next(&source);
	memcpy(state48, &number, sizeof(state48));
	seed48(state48);
	for (i = 0; i < nr_twisters; i++) {
		twisters[i]->used = TWISTER;
		fill(&source, twisters[i]->words, TWISTER);
	}
}

/* Of a _random.Random that is never freed. -1: there is no room for it. */
__attribute__((visibility("default")))
int coppice_python_generator(struct twister *twister)
{
	if (nr_twisters == MOST)
		return -1;
	twisters[nr_twisters++] = twister;
	return 0;
}
