/* SPDX-License-Identifier: MIT */
/*
 * What runs around a checkpoint. A task is to a template what a child is to the
 * parent that forked it, so the fork handlers of every library apply: "prepare" runs
 * before the checkpoint, "child" in each task. They are recorded by standing in front of
 * libc's __register_atfork(), which pthread_atfork() calls.
 */
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

#include "coppice.h"
#include "state.h"

struct hook {
	struct hook *next;	/* in order of registration */
	struct hook *prev;
	void (*prepare)(void);
	void (*parent)(void);
	void (*child)(void);
	void (*callback)(void *data);
	void *data;
};

/* Registration may come from any thread of a library's user. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct hook hooks = { .next = &hooks, .prev = &hooks };

static int hook_add(const struct hook *from)
{
	struct hook *hook = malloc(sizeof(*hook));

	if (!hook)
		return ENOMEM;
	*hook = *from;
	pthread_mutex_lock(&lock);
	hook->next = &hooks;
	hook->prev = hooks.prev;
	hooks.prev->next = hook;
	hooks.prev = hook;
	pthread_mutex_unlock(&lock);
	return 0;
}

typedef int (*register_fn)(void (*)(void), void (*)(void), void (*)(void), void *);

/* In front of libc's: see pthread_atfork(3) for the arguments. */
__attribute__((visibility("default")))
int __register_atfork(void (*prepare)(void), void (*parent)(void), void (*child)(void), void *dso)
{
	register_fn next = (register_fn)dlsym(RTLD_NEXT, "__register_atfork");
	struct hook hook = { .prepare = prepare, .parent = parent, .child = child };

	if (!next)
		return ENOSYS;
	return hook_add(&hook) ?: next(prepare, parent, child, dso);
}

/* dladdr() says it too, and goes through all symbols of the library for it. */
static bool is_loaded(void *address)
{
#ifdef DLFO_STRUCT_HAS_EH_DBASE
	struct dl_find_object object;

	return !_dl_find_object(address, &object);
#else
	Dl_info info;

	return dladdr(address, &info);
#endif
}

/* A library that was unloaded took its handlers along. */
static void call(void (*function)(void))
{
	if (function && is_loaded((void *)function))
		function();
}

/* As fork(2) does it: prepare handlers in reverse order. */
void coppice_hooks_prepare(void)
{
	struct hook *hook;

	coppice_generators_note();
	for (hook = hooks.prev; hook != &hooks; hook = hook->prev)
		call(hook->prepare);
}

void coppice_hooks_parent(void)
{
	struct hook *hook;

	for (hook = hooks.next; hook != &hooks; hook = hook->next)
		call(hook->parent);
}

void coppice_hooks_task(void)
{
	struct hook *hook;

	coppice_generators_reseed();
	for (hook = hooks.next; hook != &hooks; hook = hook->next) {
		call(hook->child);
		if (hook->callback)
			hook->callback(hook->data);
	}
}

__attribute__((visibility("default")))
int coppice_after_restore(void (*callback)(void *data), void *data)
{
	struct hook hook = { .callback = callback, .data = data };
	int err = hook_add(&hook);

	if (!err)
		return 0;
	errno = err;
	return -1;
}
