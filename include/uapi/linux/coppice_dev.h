/* SPDX-License-Identifier: ((GPL-2.0 WITH Linux-syscall-note) OR MIT) */
/*
 * /dev/coppice: bulk page data, and what a task does to itself.
 *
 * Control (images, groups, tasks by name) is the generic netlink family in
 * <linux/coppice.h>. This is the other half of the contract: descriptors that
 * carry a right, and the calls on them.
 *
 *   /dev/coppice   IMAGE_CREATE  -> image descriptor, for loading
 *                  IMAGE_OPEN    -> image descriptor, for reading
 *                  GROUP_OPEN    -> group descriptor
 *   image          IMAGE_SEGMENT, IMAGE_SEAL (while loading)
 *                  IMAGE_INFO, pread(2) (once sealed)
 *   group          ENTER, READY, RESHARE, RESET
 *
 * Opening an image or a group needs CAP_SYS_ADMIN in the initial user
 * namespace. A group descriptor may be handed on: whoever holds it and runs as
 * the group's owner may enter.
 */
#ifndef _UAPI_LINUX_COPPICE_DEV_H
#define _UAPI_LINUX_COPPICE_DEV_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define COPPICE_DEV_NAME_SIZE	64
#define COPPICE_KEEP_MAX	4

/**
 * struct coppice_reason - where a refusal is explained
 * @text: user buffer for one NUL-terminated sentence, or 0
 * @len: size of the buffer in bytes
 * @pad: must be 0
 *
 * Written only when the call fails; the ioctl counterpart of netlink's
 * extended acknowledgment.
 */
struct coppice_reason {
	__u64 text;
	__u32 len;
	__u32 pad;
};

/**
 * struct coppice_image_create - start loading an image
 * @reason: where a refusal is explained
 * @name: NUL-terminated name, unique among images
 * @owner: user that the image belongs to, in the caller's user namespace
 * @pad: must be 0
 *
 * The call returns an image descriptor. Closing it before IMAGE_SEAL frees all
 * that was loaded.
 */
struct coppice_image_create {
	struct coppice_reason reason;
	char name[COPPICE_DEV_NAME_SIZE];
	__u32 owner;
	__u32 pad;
};

/**
 * struct coppice_open - open a sealed image or a group by name
 * @reason: where a refusal is explained
 * @name: NUL-terminated name
 *
 * The call returns a descriptor.
 */
struct coppice_open {
	struct coppice_reason reason;
	char name[COPPICE_DEV_NAME_SIZE];
};

/* The segment has no pages: tasks get fresh zeroed memory there. */
#define COPPICE_SEGMENT_ANON	(1U << 0)
/*
 * IMAGE_SEGMENT: content that can't be written may be kept in pages of 2 MiB where its
 * addresses allow it. Of no use in an image of libraries.
 */
#define COPPICE_SEGMENT_HUGE	(1U << 1)

/**
 * struct coppice_segment - a range of virtual addresses of an image
 * @start: first address, page-aligned
 * @len: length in bytes, page-aligned, not 0
 * @prot: PROT_READ, PROT_WRITE, PROT_EXEC (or none), as tasks have it
 * @flags: COPPICE_SEGMENT_*
 * @data: IMAGE_SEGMENT: user address of the content, @len bytes; 0 with
 *	COPPICE_SEGMENT_ANON. IMAGE_INFO: offset of the content for pread(2).
 */
struct coppice_segment {
	__u64 start;
	__u64 len;
	__u32 prot;
	__u32 flags;
	__u64 data;
};

/**
 * struct coppice_image_segment - add a segment to an image being loaded
 * @reason: where a refusal is explained
 * @segment: the segment; it may not overlap an earlier one
 */
struct coppice_image_segment {
	struct coppice_reason reason;
	struct coppice_segment segment;
};

/* Most bytes of notes that an image carries. */
#define COPPICE_NOTES_MAX	(256 * 1024)

/**
 * struct coppice_image_seal - make the image immutable and visible
 * @reason: where a refusal is explained
 * @entry: address at which a task resumes, in an executable segment
 * @stack: stack pointer with which it resumes, in a writable segment
 * @notes: user address of data that the module keeps for IMAGE_INFO and does
 *	not interpret
 * @notes_len: its length in bytes, at most COPPICE_NOTES_MAX
 * @pad: must be 0
 */
struct coppice_image_seal {
	struct coppice_reason reason;
	__u64 entry;
	__u64 stack;
	__u64 notes;
	__u32 notes_len;
	__u32 pad;
};

/**
 * struct coppice_image_info - read back what a sealed image is made of
 * @reason: where a refusal is explained
 * @entry: out, as sealed
 * @stack: out, as sealed
 * @segments: user address of an array of struct coppice_segment, or 0
 * @nr_segments: in: room in the array; out: segments of the image
 * @notes_len: in: room at @notes; out: length of the notes
 * @notes: user address of room for the notes, or 0
 *
 * Called twice: with no room to learn the sizes, then with it. Too little room
 * is -ENOSPC with the needed sizes filled in.
 */
struct coppice_image_info {
	struct coppice_reason reason;
	__u64 entry;
	__u64 stack;
	__u64 segments;
	__u32 nr_segments;
	__u32 notes_len;
	__u64 notes;
};

/* struct coppice_group_info.flags: ordinary processes that appear in the cgroup are adopted. */
#define COPPICE_GROUP_ADOPT	(1U << 0)

/* As <linux/coppice.h> limits them, with the terminator. */
#define COPPICE_DEV_CGROUP_SIZE		256
#define COPPICE_DEV_RESHARE_SIZE	32

/**
 * struct coppice_group_info - what a group's descriptor stands for
 * @reason: where a refusal is explained
 * @id: out: of the group, never reused
 * @owner: out: user id whose tasks may enter, in the caller's user namespace
 * @max_tasks: out: 0: no limit
 * @flags: out: COPPICE_GROUP_*
 * @name: out, like all texts here NUL-terminated
 * @image: out: name of the image that tasks have
 * @cgroup: out: path below the mount, or empty
 * @reshare: out: the policy, or empty
 *
 * As generic netlink has it by name, without its counts: what starts a task needs of its
 * group, and of this one, whatever has its name meanwhile. With CAP_SYS_ADMIN only: a task
 * has the descriptor, too.
 */
struct coppice_group_info {
	struct coppice_reason reason;
	__u32 id;
	__u32 owner;
	__u32 max_tasks;
	__u32 flags;
	char name[COPPICE_DEV_NAME_SIZE];
	char image[COPPICE_DEV_NAME_SIZE];
	char cgroup[COPPICE_DEV_CGROUP_SIZE];
	char reshare[COPPICE_DEV_RESHARE_SIZE];
};

/**
 * struct coppice_range - a page-aligned range of the caller's addresses
 * @start: first address
 * @len: length in bytes
 */
struct coppice_range {
	__u64 start;
	__u64 len;
};

/* Most bytes that a task has saved for its resets: more than execve(2) takes by default. */
#define COPPICE_SAVED_MAX	(4 * 1024 * 1024)

/* Map nothing ahead: every page by a fault of its own (for comparison). */
#define COPPICE_ENTER_NO_PREMAP	(1U << 0)

/**
 * struct coppice_enter - replace the caller's memory by the group's image
 * @reason: where a refusal is explained
 * @flags: COPPICE_ENTER_*
 * @nr_keep: ranges in @keep
 * @keep: ranges of the caller that stay mapped (the arguments, vDSO and vvar);
 *	no image segment may overlap them
 * @cookie: address handed to the image's entry in the register of a system
 *	call's result, so below 2 GiB
 * @nr_home: ranges in @home; 0: the task can't be reset
 * @pad: must be 0
 * @home: where that which was kept lies once the task has resumed: what a reset
 *	keeps. Pages of a private file mapping there become the file's again, of the
 *	kernel's mappings the kernel's, and fresh those of anonymous memory; a task that has
 *	mapped anything else there is killed
 * @reset_cookie: instead of @cookie, when the task resumes after a reset
 * @saved: page-aligned address of content in anonymous memory, in a range of @keep that
 *	is one of @home, too: noted by this call, and there again after each reset
 * @saved_len: its length in bytes, at most COPPICE_SAVED_MAX; 0: none
 *
 * Like execve(2): on success there is nothing to return to; the caller goes on
 * at the image's entry point, its signals' actions are the default ones, and COPPICE_CLEAN_* is
 * in the second register of a result (rdx, x1). Refusals leave the caller as it was. A failure
 * past the point of no return kills the caller. The caller has one thread, no
 * vfork parent waiting in its memory, has unregistered its rseq area and
 * blocked its signals.
 */
struct coppice_enter {
	struct coppice_reason reason;
	__u32 flags;
	__u32 nr_keep;
	struct coppice_range keep[COPPICE_KEEP_MAX];
	__u64 cookie;
	__u32 nr_home;
	__u32 pad;
	struct coppice_range home[COPPICE_KEEP_MAX];
	__u64 reset_cookie;
	__u64 saved;
	__u64 saved_len;
};

/* What an enter or a reset has found or made clean. */
#define COPPICE_CLEAN_ACTIONS	(1U << 0)	/* all signals have their default actions */
#define COPPICE_CLEAN_LOCKS	(1U << 1)	/* no memory is locked, nor what will be mapped */
#define COPPICE_CLEAN_TIMERS	(1U << 2)	/* there are no timers of timer_create(2) */
#define COPPICE_CLEAN_ALARMS	(1U << 3)	/* no timer of setitimer(2) or alarm(2) runs */
#define COPPICE_CLEAN_SIGNALS	(1U << 4)	/* none is pending, and no timer will send one */
#define COPPICE_CLEAN_FILES	(1U << 5)	/* no descriptor was opened since the enter */

/**
 * struct coppice_reset - make the calling task what it was when it entered
 * @reason: where a refusal is explained
 *
 * Memory that it changed is the image's again, mappings that it made are gone, all
 * its signals are blocked, and it goes on at the image's entry point with the
 * reset cookie in the register of a system call's result; what else is the
 * kernel's (descriptors, signal actions, timers) is for the code there, which finds COPPICE_CLEAN_*
 * in the second register of a result (rdx, x1). Only pages
 * that changed are touched. Refusals leave the caller as it was: it has several
 * threads, or another process runs in its memory (EBUSY), it is no task of the group (ESRCH), was
 * forked or entered without saying what a reset keeps (EINVAL). A failure later kills the caller.
 */
struct coppice_reset {
	struct coppice_reason reason;
};

/**
 * struct coppice_reshare - give back what equals the image
 * @reason: where a refusal is explained
 * @compared: set to the private pages that were compared
 * @given_back: set to those that were equal and went back
 *
 * For the calling task and its group's image. With one thread the kernel needs
 * nothing for it; with several it must be able to keep writers out
 * (CONFIG_DEVICE_MIGRATION), else the call fails with EOPNOTSUPP. Not a member of the
 * group: ESRCH.
 */
struct coppice_reshare {
	struct coppice_reason reason;
	__u64 compared;
	__u64 given_back;
};

#define COPPICE_IOC_MAGIC	0xC0
#define COPPICE_IOC_IMAGE_CREATE	_IOW(COPPICE_IOC_MAGIC, 1, struct coppice_image_create)
#define COPPICE_IOC_IMAGE_OPEN		_IOW(COPPICE_IOC_MAGIC, 2, struct coppice_open)
#define COPPICE_IOC_GROUP_OPEN		_IOW(COPPICE_IOC_MAGIC, 3, struct coppice_open)
#define COPPICE_IOC_IMAGE_SEGMENT	_IOW(COPPICE_IOC_MAGIC, 4, struct coppice_image_segment)
#define COPPICE_IOC_IMAGE_SEAL		_IOW(COPPICE_IOC_MAGIC, 5, struct coppice_image_seal)
#define COPPICE_IOC_IMAGE_INFO		_IOWR(COPPICE_IOC_MAGIC, 6, struct coppice_image_info)
#define COPPICE_IOC_ENTER		_IOW(COPPICE_IOC_MAGIC, 7, struct coppice_enter)
/*
 * READY: the calling task has finished starting. Pages that it has touched
 * since it entered are mapped ahead for later tasks, pages that it has
 * written are copied ahead. Once a task; later calls do nothing.
 */
#define COPPICE_IOC_READY		_IO(COPPICE_IOC_MAGIC, 8)
#define COPPICE_IOC_RESHARE		_IOWR(COPPICE_IOC_MAGIC, 9, struct coppice_reshare)
#define COPPICE_IOC_RESET		_IOW(COPPICE_IOC_MAGIC, 10, struct coppice_reset)
#define COPPICE_IOC_GROUP_INFO		_IOWR(COPPICE_IOC_MAGIC, 11, struct coppice_group_info)

#endif /* _UAPI_LINUX_COPPICE_DEV_H */
