/* SPDX-License-Identifier: MIT */
/*
 * libcoppice: checkpoint and resume inside a task.
 */
#ifndef COPPICE_H
#define COPPICE_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What coppice_checkpoint() returns. */
#define COPPICE_PLAIN	0	/* not a template: nothing happened */
#define COPPICE_TASK	1	/* a task of the image, just resumed */

/**
 * coppice_checkpoint() - the point in which tasks of the image resume
 *
 * In a template (a process that `coppice image build` started) the call ends the
 * process: its memory becomes the image. It returns once in every task that
 * enters the image, with that task's environment and file descriptors.
 * Anywhere else it returns at once, so that the program also runs without
 * Coppice. Call it in the only thread, with no sockets or other files open; /dev/null, zero,
 * full, random and urandom may be, and are in the task.
 *
 * Return: COPPICE_PLAIN or COPPICE_TASK; -1 with errno set if the process
 * cannot be a template.
 */
int coppice_checkpoint(void);

/** coppice_is_template() - Return: non-zero if coppice_checkpoint() would end the process. */
int coppice_is_template(void);

/**
 * coppice_args() - arguments of this task
 * @argv: set to a NULL-terminated array that lives as long as the task
 *
 * main()'s own argv is the template's.
 *
 * Return: number of arguments; 0 outside a task.
 */
int coppice_args(char ***argv);

/**
 * coppice_after_restore() - have a function called in every task
 * @callback: called once a task, before coppice_checkpoint() returns, in
 *	the order of registration
 * @data: handed to it
 *
 * Return: 0, or -1 with errno set (ENOMEM).
 */
int coppice_after_restore(void (*callback)(void *data), void *data);

/**
 * coppice_ready() - the task has finished starting
 *
 * Memory touched until here is mapped ahead for later tasks. Optional: called
 * for programs that do not when coppice_checkpoint() returns, unless
 * coppice_defer_ready() was called in the template. Does nothing outside a task and on
 * a hub without the module.
 */
void coppice_ready(void);

/** coppice_defer_ready() - the program calls coppice_ready() itself. */
void coppice_defer_ready(void);

/**
 * coppice_seal_heap() - have what is allocated later lie in pages of its own
 *
 * Fills the gaps between what is allocated now with blocks that are never freed, in
 * libc's heap and in CPython's if there is one. Called before a checkpoint, tasks write to fewer of
 * the image's pages; called after what several templates have in common is loaded, their
 * images have more pages in common. Does nothing outside a template.
 */
void coppice_seal_heap(void);

/**
 * coppice_reshare() - give back private pages that equal the image's
 * @compared: set to the number of private pages
 * @given_back: set to how many of them were equal and are shared again
 *
 * Garbage collection and reference counts write to pages and leave them as they
 * were. With several threads the kernel must be able to keep their writes out
 * (any stock Debian kernel is); without the module it works with one thread only.
 *
 * Return: 0; -1 with errno set: ESRCH outside a task, EOPNOTSUPP with threads
 * where that is not possible.
 */
int coppice_reshare(uint64_t *compared, uint64_t *given_back);

/**
 * coppice_reset() - be again what the task was when it entered
 *
 * Does not return: coppice_checkpoint() does, once more, with the image's
 * memory, the arguments and environment of the start, and the descriptors of the start
 * as far as they are still open; others, timers and pending signals are gone. Nothing of
 * what the task has computed is left in its memory or registers. Costs by what
 * the task has changed.
 *
 * Return: -1 with errno set: ESRCH outside a task, EBUSY with several threads or
 * another process in its memory, EINVAL in a fork of a task, EOPNOTSUPP without the module.
 */
int coppice_reset(void);

/**
 * coppice_idle() - the task has nothing to do for now
 *
 * A function that waits for its next event calls this. Memory that need not be its own
 * goes back as the group's policy has it (coppice group add --reshare).
 * Does nothing outside a task.
 */
void coppice_idle(void);

#ifdef __cplusplus
}
#endif

#endif /* COPPICE_H */
