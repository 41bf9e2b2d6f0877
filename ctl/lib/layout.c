// SPDX-License-Identifier: GPL-2.0
/*
 * Layouts of templates.
 *
 * The kernel places mappings below the room that it leaves for the stack, which is as
 * large as the limit on stacks. So with its own randomisation off, that limit moves all
 * mappings: by an amount that is secret, and the same for each template of the owner.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cleanup.h"
#include "file.h"
#include "layout.h"

/* The kernel leaves at least 128 MiB and at most 5/6 of all addresses. */
#define SHIFT_MIN	(1ULL << 30)
#define SHIFT_MAX	(1ULL << 46)
#define PAGE		4096ULL

static int make_up(struct layout *layout, struct error *err)
{
	struct layout random;

	if (getrandom(&random, sizeof(random), 0) != sizeof(random))
		return error_set(err, errno, "no random numbers for a layout: %s", strerror(errno));
	layout->shift = (SHIFT_MIN + random.shift % (SHIFT_MAX - SHIFT_MIN)) & ~(PAGE - 1);
	layout->seed = random.seed;
	return 0;
}

static int make_directories(struct error *err)
{
	if ((mkdir("/var/lib/coppice", 0755) && errno != EEXIST) ||
	    (mkdir(LAYOUT_DIRECTORY, 0700) && errno != EEXIST))
		return error_set(err, errno, LAYOUT_DIRECTORY " cannot be made: %s: use --layout fresh",
				 strerror(errno));
	return 0;
}

/* 1, or 0 if there is none that is of any use. */
static int read_layout(const char *path, struct layout *layout, struct error *err)
{
	autofree char *text = NULL;
	size_t len;

	text = file_read(path, &len, err);
	if (!text)
		return err->code == ENOENT ? 0 : -1;
	return sscanf(text, "%" SCNu64 " %" SCNu32, &layout->shift, &layout->seed) == 2 &&
	       layout->shift >= SHIFT_MIN && layout->shift < SHIFT_MAX && !(layout->shift % PAGE);
}

/* Of two that are made up at a time the first one counts: link(2) does not replace. */
static int write_layout(const char *path, struct layout *layout, struct error *err)
{
	char part[128], text[64];
	autoclose int fd = -1;
	int ret = 0;

	snprintf(part, sizeof(part), "%s.%d", path, getpid());
	snprintf(text, sizeof(text), "%" PRIu64 " %" PRIu32 "\n", layout->shift, layout->seed);
	fd = open(part, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0 || file_write_all(fd, text, strlen(text)))
		ret = error_set(err, errno, "%s cannot be written: %s: use --layout fresh", part,
				strerror(errno));
	else
		(void)!link(part, path);
	unlink(part);
	return ret;
}

int layout_get(uid_t owner, struct layout *layout, struct error *err)
{
	char path[96];
	int found;

	snprintf(path, sizeof(path), LAYOUT_DIRECTORY "/%u", owner);
	found = read_layout(path, layout, err);
	if (found)
		return found < 0 ? -1 : 0;
	/* One that is of no use is no secret to keep. */
	if (make_directories(err) || (unlink(path) && errno != ENOENT) ||
	    make_up(layout, err) || write_layout(path, layout, err))
		return -1;
	found = read_layout(path, layout, err);
	if (!found)
		error_set(err, EIO, "%s cannot be read back: use --layout fresh", path);
	return found > 0 ? 0 : -1;
}

uint64_t layout_stack_limit(void)
{
	struct rlimit limit;

	return getrlimit(RLIMIT_STACK, &limit) ? RLIM_INFINITY : limit.rlim_cur;
}

int layout_use(const struct layout *layout, struct error *err)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_STACK, &limit))
		return error_set(err, errno, "the limit on stacks cannot be read: %s", strerror(errno));
	limit.rlim_cur = layout->shift;
	if (limit.rlim_max != RLIM_INFINITY && limit.rlim_max < layout->shift)
		limit.rlim_max = RLIM_INFINITY;
	if (setrlimit(RLIMIT_STACK, &limit) ||
	    personality(personality(0xffffffff) | ADDR_NO_RANDOMIZE) < 0)
		return error_set(err, errno, "the template's layout cannot be set (%s): use --layout fresh",
				 strerror(errno));
	return 0;
}
