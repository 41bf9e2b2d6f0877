/* SPDX-License-Identifier: GPL-2.0 */
/* Tracepoints of the module: tracefs events/coppice/. */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM coppice

#if !defined(_COPPICE_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define _COPPICE_TRACE_H

#include <linux/tracepoint.h>

#include "coppice.h"

DECLARE_EVENT_CLASS(coppice_image_class,
	TP_PROTO(const struct coppice_image *image),
	TP_ARGS(image),
	TP_STRUCT__entry(
		__field(u32, id)
		__array(char, name, COPPICE_DEV_NAME_SIZE)
		__field(unsigned long, pages)
		__field(u64, added)
	),
	TP_fast_assign(
		__entry->id = image->id;
		memcpy(__entry->name, image->name, COPPICE_DEV_NAME_SIZE);
		__entry->pages = image->nr_pages;
		__entry->added = image->added;
	),
	TP_printk("image=%u name=%s pages=%lu added=%llu", __entry->id,
		  __entry->name, __entry->pages, __entry->added)
);

DEFINE_EVENT(coppice_image_class, coppice_image_seal,
	     TP_PROTO(const struct coppice_image *image), TP_ARGS(image));
DEFINE_EVENT(coppice_image_class, coppice_image_delete,
	     TP_PROTO(const struct coppice_image *image), TP_ARGS(image));

DECLARE_EVENT_CLASS(coppice_group_class,
	TP_PROTO(const struct coppice_group *group),
	TP_ARGS(group),
	TP_STRUCT__entry(
		__field(u32, id)
		__array(char, name, COPPICE_DEV_NAME_SIZE)
		__field(u32, image)
	),
	TP_fast_assign(
		__entry->id = group->id;
		memcpy(__entry->name, group->name, COPPICE_DEV_NAME_SIZE);
		__entry->image = group->image->id;
	),
	TP_printk("group=%u name=%s image=%u", __entry->id, __entry->name,
		  __entry->image)
);

DEFINE_EVENT(coppice_group_class, coppice_group_add,
	     TP_PROTO(const struct coppice_group *group), TP_ARGS(group));
DEFINE_EVENT(coppice_group_class, coppice_group_delete,
	     TP_PROTO(const struct coppice_group *group), TP_ARGS(group));

DECLARE_EVENT_CLASS(coppice_task_class,
	TP_PROTO(const struct coppice_task *task),
	TP_ARGS(task),
	TP_STRUCT__entry(
		__field(u64, id)
		__field(u32, group)
		__field(bool, forked)
		__field(u64, faults)
		__field(u64, mapped)
		__field(u64, copied)
	),
	TP_fast_assign(
		__entry->id = task->id;
		__entry->group = task->group->id;
		__entry->forked = task->forked;
		__entry->faults = atomic64_read(&task->faults);
		__entry->mapped = task->mapped;
		__entry->copied = task->copied;
	),
	TP_printk("task=%llu group=%u forked=%d faults=%llu mapped=%llu copied=%llu",
		  __entry->id, __entry->group, __entry->forked,
		  __entry->faults, __entry->mapped, __entry->copied)
);

DEFINE_EVENT(coppice_task_class, coppice_task_enter,
	     TP_PROTO(const struct coppice_task *task), TP_ARGS(task));
DEFINE_EVENT(coppice_task_class, coppice_task_exit,
	     TP_PROTO(const struct coppice_task *task), TP_ARGS(task));

TRACE_EVENT(coppice_task_reset,
	TP_PROTO(const struct coppice_task *task, unsigned long overwritten,
		 unsigned long dropped),
	TP_ARGS(task, overwritten, dropped),
	TP_STRUCT__entry(
		__field(u64, id)
		__field(unsigned long, overwritten)
		__field(unsigned long, dropped)
	),
	TP_fast_assign(
		__entry->id = task->id;
		__entry->overwritten = overwritten;
		__entry->dropped = dropped;
	),
	TP_printk("task=%llu overwritten=%lu dropped=%lu", __entry->id,
		  __entry->overwritten, __entry->dropped)
);

TRACE_EVENT(coppice_fault,
	TP_PROTO(const struct coppice_task *task, unsigned long addr, bool write),
	TP_ARGS(task, addr, write),
	TP_STRUCT__entry(
		__field(u64, id)
		__field(unsigned long, addr)
		__field(bool, write)
	),
	TP_fast_assign(
		__entry->id = task->id;
		__entry->addr = addr;
		__entry->write = write;
	),
	TP_printk("task=%llu addr=0x%lx write=%d", __entry->id, __entry->addr,
		  __entry->write)
);

TRACE_EVENT(coppice_adopt,
	TP_PROTO(const struct coppice_task *task, unsigned long addr,
		 unsigned long pages),
	TP_ARGS(task, addr, pages),
	TP_STRUCT__entry(
		__field(u64, id)
		__field(unsigned long, addr)
		__field(unsigned long, pages)
	),
	TP_fast_assign(
		__entry->id = task->id;
		__entry->addr = addr;
		__entry->pages = pages;
	),
	TP_printk("task=%llu addr=0x%lx pages=%lu", __entry->id, __entry->addr,
		  __entry->pages)
);

#endif /* _COPPICE_TRACE_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
