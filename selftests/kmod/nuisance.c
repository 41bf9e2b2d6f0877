// SPDX-License-Identifier: GPL-2.0
/* Who disturbs others; see nuisance.h. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cage.h"
#include "lib/backend.h"
#include "nuisance.h"

/* The first of them is told. */
static void complain(struct nuisance *nuisance, const char *text)
{
	if (!nuisance->wrong)
		snprintf(nuisance->text, sizeof(nuisance->text), "%s", text);
	nuisance->wrong++;
}

/* A word that can be read is right, and is written with what it has. */
static void meddle(struct nuisance *nuisance)
{
	long word;

	errno = 0;
	word = ptrace(PTRACE_PEEKDATA, nuisance->target, nuisance->address, 0);
	if (errno)
		return;
	if ((unsigned long)word != nuisance->word)
		complain(nuisance, "a tracer has read a wrong word");
	ptrace(PTRACE_POKEDATA, nuisance->target, nuisance->address, word);
}

/* It may have stopped for a signal before it was interrupted: that has to reach it. */
static void trace(struct nuisance *nuisance)
{
	pid_t target = nuisance->target;
	int status, signal = 0;

	if (ptrace(PTRACE_SEIZE, target, 0, 0))
		return;
	ptrace(PTRACE_INTERRUPT, target, 0, 0);
	if (waitpid(target, &status, __WALL) != target || !WIFSTOPPED(status))
		return;
	meddle(nuisance);
	if (!(status >> 16))
		signal = WSTOPSIG(status);
	ptrace(PTRACE_DETACH, target, 0, signal);
}

static void rest(unsigned int most)
{
	usleep(most ? rand() % most : 0);
}

/* The kernel kills before the limit has been written. */
static void squeeze(struct nuisance *nuisance)
{
	cage_write(nuisance->world->cages[0], "memory.max", "0");
	cage_write(nuisance->world->cages[0], "memory.max", "max");
}

static void freeze(struct nuisance *nuisance)
{
	cage_write(nuisance->world->cages[0], "cgroup.freeze", "1");
	rest(nuisance->pause);
	cage_write(nuisance->world->cages[0], "cgroup.freeze", "0");
}

static void migrate(struct nuisance *nuisance)
{
	cage_put(nuisance->world->cages[1], nuisance->target);
	rest(nuisance->pause);
	cage_put(nuisance->world->cages[0], nuisance->target);
}

static bool deleted(struct nuisance *nuisance, int (*delete)(const char *, struct error *))
{
	struct error err;

	if (!delete(nuisance->world->name, &err))
		return true;
	if (err.code != EBUSY)
		complain(nuisance, err.text);
	return false;
}

static void delete_group(struct nuisance *nuisance, bool image)
{
	const struct nuisance_world *world = nuisance->world;
	struct error err;

	if (!deleted(nuisance, backend_kernel.group_delete))
		return;
	rest(nuisance->pause);
	/* Descriptors of the group keep the image, but nobody may keep its name. */
	if (image && deleted(nuisance, backend_kernel.image_delete) && world->load(&err))
		complain(nuisance, err.text);
	if (world->add(&err))
		complain(nuisance, err.text);
}

static void remove_module(struct nuisance *nuisance)
{
	if (!syscall(SYS_delete_module, "coppice", O_NONBLOCK))
		complain(nuisance, "the module was removed while it was in use");
	else if (errno != EWOULDBLOCK)
		complain(nuisance, strerror(errno));
}

static void act(struct nuisance *nuisance)
{
	switch (nuisance->way) {
	case NUISANCE_KILL:
		kill(nuisance->target, SIGKILL);
		break;
	case NUISANCE_SQUEEZE:
		squeeze(nuisance);
		break;
	case NUISANCE_TRACE:
		trace(nuisance);
		break;
	case NUISANCE_FREEZE:
		freeze(nuisance);
		break;
	case NUISANCE_MIGRATE:
		migrate(nuisance);
		break;
	case NUISANCE_DELETE_GROUP:
	case NUISANCE_DELETE_IMAGE:
		delete_group(nuisance, nuisance->way == NUISANCE_DELETE_IMAGE);
		break;
	case NUISANCE_RMMOD:
		remove_module(nuisance);
		break;
	}
	nuisance->acts++;
}

static void disturb(struct nuisance *nuisance)
{
	bool once = nuisance->way == NUISANCE_KILL || nuisance->way == NUISANCE_SQUEEZE;

	do {
		rest(nuisance->pause);
		act(nuisance);
	} while (!once && !nuisance->stop);
}

static void serve(struct nuisance *nuisance)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;) {
		while (nuisance->done == nuisance->ordered)
			usleep(100);
		if (nuisance->way == NUISANCE_LEAVE)
			_exit(0);
		if (nuisance->way != NUISANCE_NONE)
			disturb(nuisance);
		nuisance->done++;
	}
}

struct nuisance *nuisance_new(const struct nuisance_world *world)
{
	struct nuisance *nuisance = mmap(NULL, sizeof(*nuisance), PROT_READ | PROT_WRITE,
					 MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (nuisance == MAP_FAILED)
		return NULL;
	nuisance->world = world;
	nuisance->pid = fork();
	if (!nuisance->pid)
		serve(nuisance);
	return nuisance;
}

void nuisance_begin(struct nuisance *nuisance, enum nuisance_way way, pid_t target,
		    unsigned int pause)
{
	nuisance->target = target;
	nuisance->pause = pause;
	nuisance->stop = false;
	nuisance->way = way;
	__atomic_add_fetch(&nuisance->ordered, 1, __ATOMIC_SEQ_CST);
}

void nuisance_end(struct nuisance *nuisance)
{
	nuisance->stop = true;
	while (nuisance->done != nuisance->ordered)
		usleep(100);
}

void nuisance_free(struct nuisance *nuisance)
{
	nuisance_begin(nuisance, NUISANCE_LEAVE, 0, 0);
	waitpid(nuisance->pid, NULL, 0);
	munmap(nuisance, sizeof(*nuisance));
}
