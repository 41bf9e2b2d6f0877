// SPDX-License-Identifier: GPL-2.0
/*
 * Enclosures: made in a child, as the namespaces of the caller are not to change, and handed
 * back as descriptors.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cleanup.h"
#include "enclosure.h"
#include "spawn.h"

/* The kernel hands over no more at a time (SCM_MAX_FD). */
_Static_assert(ENCLOSURE_RULES + 1 <= 253, "an enclosure fits a message");

/* From the child; descriptors come beside it, in the order of the rules, the namespace last. */
struct answer {
	struct error err;	/* status 0: none */
	struct enclosure enclosure;
};

#define ROOM	CMSG_SPACE((ENCLOSURE_RULES + 1) * sizeof(int))

/*
 * In the child.
 */

static int build(const struct grants *grants, const struct task_mounts *mounts, unsigned int omit,
		 struct enclosure *enclosure, struct error *err)
{
	bool has_mounts = !(omit & ENCLOSURE_NO_MOUNTS);

	if (has_mounts && enclosure_build_tree(grants, mounts, err))
		return -1;
	if (enclosure->abi && enclosure_make_rules(grants, has_mounts, enclosure, err))
		return -1;
	if (!has_mounts)
		return 0;
	enclosure->mounts = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);
	if (enclosure->mounts < 0)
		return error_set(err, errno, "the task's mounts cannot be kept: %s", strerror(errno));
	return 0;
}

static size_t list_descriptors(const struct enclosure *enclosure, int *fds)
{
	size_t i;

	for (i = 0; i < enclosure->nr_rules; i++)
		fds[i] = enclosure->rules[i].fd;
	if (enclosure->mounts >= 0)
		fds[i++] = enclosure->mounts;
	return i;
}

static void __attribute__((noreturn)) send_answer(int to, struct answer *answer)
{
	union {
		struct cmsghdr header;
		char room[ROOM];
	} u = {};
	struct iovec iov = { answer, sizeof(*answer) };
	struct msghdr message = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &u };
	int fds[ENCLOSURE_RULES + 1];
	size_t nr = list_descriptors(&answer->enclosure, fds);

	if (!answer->err.status && nr) {
		message.msg_controllen = CMSG_SPACE(nr * sizeof(*fds));
		u.header.cmsg_level = SOL_SOCKET;
		u.header.cmsg_type = SCM_RIGHTS;
		u.header.cmsg_len = CMSG_LEN(nr * sizeof(*fds));
		memcpy(CMSG_DATA(&u.header), fds, nr * sizeof(*fds));
	}
	_exit(sendmsg(to, &message, MSG_NOSIGNAL) != sizeof(*answer));
}

/*
 * In the caller.
 */

static void take_descriptors(struct msghdr *message, struct enclosure *enclosure)
{
	const struct cmsghdr *header = CMSG_FIRSTHDR(message);
	const int *fds = header ? (const int *)CMSG_DATA(header) : NULL;
	size_t i;

	for (i = 0; fds && i < enclosure->nr_rules; i++)
		enclosure->rules[i].fd = fds[i];
	if (fds && enclosure->mounts >= 0)
		enclosure->mounts = fds[i];
}

static int receive_answer(int from, struct answer *answer, struct error *err)
{
	union {
		struct cmsghdr header;
		char room[ROOM];
	} u = {};
	struct iovec iov = { answer, sizeof(*answer) };
	struct msghdr message = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &u, .msg_controllen = sizeof(u),
	};

	if (recvmsg(from, &message, MSG_CMSG_CLOEXEC | MSG_WAITALL) != sizeof(*answer))
		return error_set(err, ECHILD, "the process that prepared the grants ended without a word");
	if (message.msg_flags & MSG_CTRUNC)
		return error_set(err, EMFILE, "the rules of the grants are more than this process may have open: raise its limit (ulimit -n)");
	if (answer->err.status) {
		*err = answer->err;
		return -1;
	}
	take_descriptors(&message, &answer->enclosure);
	return 0;
}

int enclosure_open(const struct grants *grants, const struct task_mounts *mounts,
		   unsigned int omit, struct enclosure *enclosure, struct error *err)
{
	struct answer answer = {
		.enclosure = {
			.mounts = -1, .uid = grants->uid, .gid = grants->gid, .umask = grants->umask,
			.abi = omit & ENCLOSURE_NO_LANDLOCK ? 0 : landlock_abi(),
		},
	};
	int ends[2], ret = -1;
	pid_t pid;

	*enclosure = (struct enclosure) ENCLOSURE_NONE;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends))
		return error_set(err, errno, "no socket: %s", strerror(errno));
	pid = spawn_fork(-1, err);
	if (!pid) {
		(void)!build(grants, mounts, omit, &answer.enclosure, &answer.err);
		send_answer(ends[1], &answer);
	}
	close(ends[1]);
	if (pid > 0) {
		ret = receive_answer(ends[0], &answer, err);
		waitpid(pid, NULL, 0);
	}
	close(ends[0]);
	if (!ret)
		*enclosure = answer.enclosure;
	return ret;
}

void enclosure_close(struct enclosure *enclosure)
{
	size_t i;

	for (i = 0; i < enclosure->nr_rules; i++)
		cleanup_close(&enclosure->rules[i].fd);
	cleanup_close(&enclosure->mounts);
	*enclosure = (struct enclosure) ENCLOSURE_NONE;
}

/*
 * In a task, before it is one.
 */

/* A copy of the namespace, so that what one task has in /tmp is gone with it. */
static int enter_mounts(const struct enclosure *enclosure, struct error *err)
{
	char options[128];

	if (enclosure->mounts < 0)
		return 0;
	if (setns(enclosure->mounts, CLONE_NEWNS) || unshare(CLONE_NEWNS))
		return error_set(err, errno, "the mounts of the group cannot be entered: %s", strerror(errno));
	snprintf(options, sizeof(options), "mode=700,uid=%u,gid=%u,size=" ENCLOSURE_TMP,
		 enclosure->uid, enclosure->gid);
	if (mount("tmp", "/tmp", "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, options))
		return error_set(err, errno, "the task cannot have a /tmp of its own: %s", strerror(errno));
	return 0;
}

/* The only rule that is another one for each task. */
static int enter_landlock(const struct enclosure *enclosure, struct error *err)
{
	struct landlock_rule rules[ENCLOSURE_RULES + 1];
	size_t nr = enclosure->nr_rules;
	autoclose int tmp = -1;

	if (!enclosure->abi)
		return 0;
	memcpy(rules, enclosure->rules, nr * sizeof(*rules));
	if (enclosure->mounts >= 0) {
		tmp = open("/tmp", O_PATH | O_CLOEXEC);
		if (tmp < 0)
			return error_set(err, errno, "the task's /tmp cannot be opened: %s", strerror(errno));
		rules[nr++] = (struct landlock_rule) {
			.fd = tmp, .is_directory = true, .access = LANDLOCK_READ | LANDLOCK_CHANGE,
		};
	}
	return landlock_restrict(enclosure->abi, rules, nr, err);
}

int enclosure_enter(const struct enclosure *enclosure, struct error *err)
{
	if (enter_mounts(enclosure, err))
		return -1;
	if (chdir("/"))
		return error_set(err, errno, "the task's root cannot be entered: %s", strerror(errno));
	umask(enclosure->umask);
	return enter_landlock(enclosure, err);
}
