/* SPDX-License-Identifier: GPL-2.0 */
/* Private to task*.c, channel.c and runtime_api.c: the parts of a task. */
#ifndef COPPICE_TASK_PARTS_H
#define COPPICE_TASK_PARTS_H

#include "coordinator.h"
#include "task.h"

#define TASK_START_NS	(60 * NS_PER_S)	/* to ask for the first event */

struct loop *task_loop(const struct task *task);
/* Into another state, with a time limit (0: none). */
void task_enter(struct task *task, enum task_state state, uint64_t limit_ns);

/* task_output.c: what it prints. */
int __must_check task_output_open(struct task *task, int fd, struct error *err);
void task_output_close(struct task *task);
/* Into the function's log, and the tail of this event. */
void task_print(struct task *task, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Take what was printed before the answer came. */
void task_output_drain(struct task *task);

/* task_cgroup.c */
int __must_check task_cgroup_make(struct task *task, const char *group_cgroup, struct error *err);
/* A descriptor, or -1. */
int __must_check task_cgroup_open(const struct task *task, struct error *err);
void task_cgroup_kill(const struct task *task);
/* True once it is gone; until then somebody is in it. */
bool task_cgroup_remove(const struct task *task);
/* Has the task other processes than its own? */
bool task_cgroup_has_others(const struct task *task);

/* task_begin.c: one that is in no pool yet. Its process, if there is one, is killed with the cgroup. */
void task_undo(struct task *task);

/* runtime_api.c: an endpoint for the task, of which @port is told. */
int __must_check runtime_api_open(struct task *task, unsigned int *port, struct error *err);
/* That of an earlier coordinator; @connection: on which it waits (@asks), or will answer; or -1. */
int __must_check runtime_api_take_over(struct task *task, int fd, int connection, bool asks,
				       struct error *err);
void runtime_api_close(struct task *task);
void runtime_api_send(struct task *task);
/* Does the process still wait for the answer that it asked for? */
bool runtime_api_waits(struct task *task);

#endif /* COPPICE_TASK_PARTS_H */
