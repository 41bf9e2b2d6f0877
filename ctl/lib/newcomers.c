// SPDX-License-Identifier: GPL-2.0
/*
 * Adopting processes as they appear.
 *
 * A cgroup does not tell who joins it, so it is looked at now and then. A process
 * is worth the work if it is new or maps other files than when it was adopted: it may have been
 * found while its dynamic linker was at work, or have called execve() or dlopen() since.
 *
 * What a group's tasks will map nobody knows before one runs. So its image is made of what its first
 * processes map when they have been through their beginning, and they are adopted with that. Tasks
 * keep a group's image as it is: what is mapped later counts when they have all ended.
 */
#include <errno.h>
#include <stdlib.h>

#include "adopt.h"
#include "cgroup.h"
#include "mapped.h"
#include "newcomers.h"

/* One look at one group's cgroup. */
struct look {
	struct newcomers *newcomers;
	const struct backend *backend;
	struct group_info group;
	struct adopter adopter;
	bool open;		/* the adopter: reading the image costs more than looking */
	struct newcomers_result *result;
};

static struct acquaintance *find(struct newcomers *newcomers, uint32_t group, pid_t pid)
{
	size_t i;

	for (i = 0; i < newcomers->nr; i++)
		if (newcomers->known[i].pid == pid && newcomers->known[i].group == group)
			return &newcomers->known[i];
	return NULL;
}

static struct acquaintance *meet(struct newcomers *newcomers, uint32_t group, pid_t pid,
				 struct error *err)
{
	struct acquaintance *known = find(newcomers, group, pid);

	if (known)
		return known;
	known = realloc(newcomers->known, (newcomers->nr + 1) * sizeof(*known));
	if (!known) {
		error_set(err, ENOMEM, "out of memory");
		return NULL;
	}
	newcomers->known = known;
	known[newcomers->nr] = (struct acquaintance) { .group = group, .pid = pid };
	return &known[newcomers->nr++];
}

static void tell(struct look *look, struct acquaintance *known, const struct error *refusal)
{
	if (known->told || refusal->code == ESRCH)
		return;
	known->told = true;
	if (!look->result->refused++)
		look->result->first = *refusal;
}

static int adopt(struct look *look, struct acquaintance *known, struct error *err)
{
	struct newcomers_result *result = look->result;
	struct error refusal = {};
	struct adopt_result pages;

	if (!look->open && adopter_open(&look->adopter, look->backend, look->group.name, err))
		return -1;
	look->open = true;
	if (adopt_process(&look->adopter, known->pid, &pages, &refusal)) {
		tell(look, known, &refusal);
		return 0;
	}
	known->told = false;
	result->processes += pages.pages.adopted > 0;
	result->pages += pages.pages.adopted;
	return 0;
}

static int look_at(struct look *look, pid_t pid, struct error *err)
{
	struct acquaintance *known = meet(look->newcomers, look->group.id, pid, err);
	uint64_t mark;

	if (!known)
		return -1;
	known->there = true;
	mark = adopt_mark(pid);
	/* Nothing: it is a kernel's thread, or has ended. */
	if (!mark || mark == known->mark)
		return 0;
	if (adopt(look, known, err))
		return -1;
	/* Afterwards: what was adopted is mapped from elsewhere now. */
	known->mark = adopt_mark(pid);
	return 0;
}

/* Those of the group that have gone: their numbers will be others' one day. */
static void forget(struct newcomers *newcomers, uint32_t group)
{
	size_t i, kept = 0;

	for (i = 0; i < newcomers->nr; i++) {
		struct acquaintance *known = &newcomers->known[i];

		if (known->group == group && !known->there)
			continue;
		if (known->group == group)
			known->there = false;
		newcomers->known[kept++] = *known;
	}
	newcomers->nr = kept;
}

/*
 * The image.
 */

/* What the process maps is news to the group's image, and nothing came to it since the last look. */
static bool teaches(struct acquaintance *known, uint64_t mark, bool *settled)
{
	bool same = mark == known->seen;

	known->seen = mark;
	*settled |= same || mark == known->learned;
	if (!same || mark == known->learned)
		return false;
	known->learned = mark;
	return true;
}

/* A move makes another group of it, with another number. */
static int learn_from(struct look *look, const pid_t *pids, size_t nr, struct error *err)
{
	uint32_t former = look->group.id;
	struct acquaintance *known;
	int ret = mapped_learn(look->backend, &look->group, pids, nr, err);

	if (ret <= 0)
		return ret;
	look->result->learned = true;
	if (look->backend->group_get(look->group.name, &look->group, err))
		return -1;
	for (known = look->newcomers->known; known < look->newcomers->known + look->newcomers->nr; known++)
		if (known->group == former)
			known->group = look->group.id;
	return 0;
}

/* *ready: those that are there may be adopted, as the image has what can be known of them. */
static int learn(struct look *look, const pid_t *pids, size_t nr, bool *ready, struct error *err)
{
	struct acquaintance *known, *teacher = NULL;
	struct error refusal;
	uint64_t mark;
	size_t i;

	/* The caller's list is older than the processes. */
	if (mapped_is_image(look->group.image) &&
	    look->backend->group_get(look->group.name, &look->group, err))
		return -1;
	*ready = !mapped_is_image(look->group.image) || look->group.tasks;
	/* All of them first: the place of one that was met before may change with the next. */
	for (i = 0; !*ready && i < nr; i++)
		if (!meet(look->newcomers, look->group.id, pids[i], err))
			return -1;
	if (*ready)
		return 0;
	for (i = 0; i < nr; i++) {
		known = find(look->newcomers, look->group.id, pids[i]);
		if (!known)
			continue;
		known->there = true;
		mark = adopt_mark(pids[i]);
		if (mark && teaches(known, mark, ready))
			teacher = known;
	}
	/* Then with the image that there is. */
	if (teacher && learn_from(look, pids, nr, &refusal))
		tell(look, teacher, &refusal);
	return 0;
}

static int adopt_all(struct look *look, const pid_t *pids, size_t nr, struct error *err)
{
	bool ready;
	size_t i;
	int ret = learn(look, pids, nr, &ready, err);

	for (i = 0; !ret && ready && i < nr; i++)
		ret = look_at(look, pids[i], err);
	if (look->open)
		adopter_close(&look->adopter);
	return ret;
}

int newcomers_adopt(struct newcomers *newcomers, const struct backend *backend,
		    const struct group_info *group, struct newcomers_result *result,
		    struct error *err)
{
	struct look look = {
		.newcomers = newcomers, .backend = backend, .group = *group, .result = result,
	};
	pid_t *pids = NULL;
	size_t nr;
	int ret;

	*result = (struct newcomers_result) {};
	ret = cgroup_pids(group->cgroup, &pids, &nr, err);
	if (!ret)
		ret = adopt_all(&look, pids, nr, err);
	free(pids);
	forget(newcomers, look.group.id);
	return ret;
}

void newcomers_free(struct newcomers *newcomers)
{
	free(newcomers->known);
	*newcomers = (struct newcomers) {};
}
