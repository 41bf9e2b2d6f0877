/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A closed world for a test: its own network namespace, whose loopback also has the
 * addresses of the pretend cloud, its own empty bpffs, and cgroups for tasks. All but
 * the cgroups go with the process, whatever becomes of it.
 */
#ifndef COPPICE_SELFTEST_WORLD_H
#define COPPICE_SELFTEST_WORLD_H

#include <limits.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <sys/types.h>

#include "redirect.h"

/* Who answers where, by one letter. */
#define CLOUD4		"198.18.0.5"		/* R at port 80, also UDP; Q at 81 */
#define CLOUD6		"[2001:db8::5]"		/* R at port 80, also UDP */
#define HANDLER_A	"127.0.0.1:9001"	/* A, also UDP */
#define HANDLER_B	"127.0.0.1:9002"	/* B, also UDP */
#define HANDLER_6	"[::1]:9006"		/* 6, also UDP */
#define HANDLER_MPTCP	"127.0.0.1:9003"	/* M, also for plain TCP */
#define HANDLER_FAST	"127.0.0.1:9004"	/* F, takes data with the SYN */
#define HANDLER_DOWN	"127.0.0.1:9999"	/* nobody */

struct world {
	char cgroups[PATH_MAX];		/* where the cgroup v2 is mounted */
	char cgroup[PATH_MAX];		/* of the group under test */
	char child[PATH_MAX];		/* two levels below it */
	char other[PATH_MAX];		/* beside it */
	pid_t server;
	bool mptcp;			/* the kernel has it */
};

/* Returns NULL, or what could not be made. */
const char *world_make(struct world *world);
void world_end(struct world *world);
void world_fresh_bpffs(void);
int make_cgroup(const char *path);

/* How a task connects. */
enum way {
	WAY_CONNECT, WAY_NONBLOCK, WAY_IO_URING, WAY_MPTCP, WAY_FASTOPEN,
	WAY_FASTOPEN_CONNECT, WAY_UDP, WAY_UDP_CONNECT, WAY_UDP_IO_URING, WAY_SOCKET_OUTSIDE,
	WAY_MARKED, WAY_FORKED, WAY_EXEC, WAY_UDP_ZEROCOPY, WAY_FASTOPEN_IO_URING,
};

struct answer {
	char letter;		/* 0: none, see error */
	int error;		/* errno of the connect, or of the first read */
	struct endpoint peer;	/* getpeername() */
	struct endpoint from;	/* recvfrom(), of a datagram */
};

/*
 * Connect to @address, "ADDR:PORT" or "[ADDR6]:PORT", in a new process in @cgroup (NULL:
 * this one's). "[::ffff:…]" makes an IPv6 socket.
 */
struct answer ask(const char *cgroup, const char *address, enum way way);

/* What else a process of its own does and is answered; @out is where its answer goes. */
typedef void (*child_fn)(const void *data, struct answer *answer, int out);
struct answer in_child(child_fn fn, const void *data);
/* Wait for the letter on a socket that has asked already. */
void read_answer(int fd, struct answer *answer);

/* The letter alone, by a plain connect; '-' if there is no answer. */
char ask_letter(const char *cgroup, const char *address);

int join_cgroup(const char *cgroup);
socklen_t parse_address(const char *text, struct sockaddr_storage *address);
bool has_peer(const struct answer *answer, const char *address);
bool is_from(const struct answer *answer, const char *address);

/* Parse texts and call; the sentence of a failure is in last_error.text. */
extern struct error last_error;
int add(const char *group, const char *endpoint, const char *handler);
int add_policy(const char *group, const char *endpoint, enum redirect_policy policy,
	       const char *handlers);	/* by commas, each with *WEIGHT if need be */
/* The override of a text endpoint, as it is in force. */
bool find_override(const char *group, const char *endpoint, struct override_info *info);
int delete(const char *group, const char *endpoint);

#endif /* COPPICE_SELFTEST_WORLD_H */
