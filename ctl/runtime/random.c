/* SPDX-License-Identifier: MIT */
/*
 * Seeds of hash tables, the same in each of an owner's templates.
 *
 * Rust's maps take theirs from getrandom(GRND_INSECURE), once. What goes through such a map
 * while a template loads is allocated in another order each time, and all that is allocated
 * later lies elsewhere than in the owner's other images. (Rust calls libc's function
 * weakly so that others may stand in front of it for this.) So in a template these come
 * from the secret of the owner's layout, as Python's PYTHONHASHSEED does; random numbers that are to
 * be good are the kernel's, and all are in a task.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "state.h"
#include "syscall.h"

static bool seeded;
static uint64_t state;

void coppice_random_seed(const char *text)
{
	state = strtoull(text, NULL, 10);
	seeded = true;
}

/* SplitMix64. */
static uint64_t next(void)
{
	uint64_t z = __atomic_add_fetch(&state, 0x9e3779b97f4a7c15, __ATOMIC_RELAXED);

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

static void fill(unsigned char *to, size_t len)
{
	while (len) {
		uint64_t number = next();
		size_t part = len < sizeof(number) ? len : sizeof(number);

		memcpy(to, &number, part);
		to += part;
		len -= part;
	}
}

/* In front of libc's: see getrandom(2). */
__attribute__((visibility("default")))
ssize_t getrandom(void *buffer, size_t len, unsigned int flags)
{
	long ret;

	if (flags == GRND_INSECURE && seeded && coppice_record_fd >= 0) {
		fill(buffer, len);
		return len;
	}
	ret = raw_call(SYS_getrandom, buffer, len, flags);
	if (ret >= 0)
		return ret;
	errno = -ret;
	return -1;
}
