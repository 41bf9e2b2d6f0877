// SPDX-License-Identifier: GPL-2.0
/*
 * Who is at the other end of a connection. For TCP sock_diag tells by a look-up; where the kernel is
 * built without, its list of sockets does, for which it goes through the table of all connections there can be.
 */
#include <arpa/inet.h>
#include <dirent.h>
#include <limits.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/cgroup.h"
#include "lib/cleanup.h"
#include "peer.h"

/*
 * "  0: 0100007F:1F90 0100007F:A2C4 01 0:0 0:0 0 UID 0 INODE …", the peer's line has our ends swapped. A socket of
 * IPv6 can be at the other end of a connection of IPv4, and is in another list, with a prefix (as that of a client
 * which has asked for a name's IPv6 address, and was redirected here).
 */
#define MAPPED	"0000000000000000FFFF0000"
#define REST	" %x %*x:%*x %*x:%*x %*x %u %*u %lu"

static const struct {
	const char *path, *format;
} lists[] = {
	{ "/proc/net/tcp", " %*u: %x:%x %x:%x" REST },
	{ "/proc/net/tcp6", " %*u: " MAPPED "%x:%x " MAPPED "%x:%x" REST },
};

static bool match(const char *line, const char *format, const struct sockaddr_in *ours,
		  const struct sockaddr_in *theirs, struct peer *peer)
{
	unsigned int local, remote, local_port, remote_port, state, uid;
	unsigned long inode;

	if (sscanf(line, format, &local, &local_port, &remote, &remote_port, &state, &uid, &inode) != 7)
		return false;
	if (local != theirs->sin_addr.s_addr || local_port != ntohs(theirs->sin_port) ||
	    remote != ours->sin_addr.s_addr || remote_port != ntohs(ours->sin_port))
		return false;
	/* Of a socket that nobody holds any more the list says that it is root's. */
	if (!inode || state == TCP_SYN_SENT)
		return false;
	*peer = (struct peer) { .uid = uid, .inode = inode };
	return true;
}

static bool find_in_list(size_t list, const struct sockaddr_in *ours,
			 const struct sockaddr_in *theirs, struct peer *peer)
{
	autofclose FILE *file = fopen(lists[list].path, "re");
	char line[256];

	while (file && fgets(line, sizeof(line), file))
		if (match(line, lists[list].format, ours, theirs, peer))
			return true;
	return false;
}

struct question {
	struct nlmsghdr header;
	struct inet_diag_req_v2 diag;
};

struct answer {
	struct nlmsghdr header;
	union {
		struct inet_diag_msg diag;
		struct nlmsgerr error;
	};
	char rest[1024];	/* attributes */
};

static bool ask(const struct question *question, struct answer *answer)
{
	autoclose int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);

	return fd >= 0 && send(fd, question, sizeof(*question), 0) == sizeof(*question) &&
	       recv(fd, answer, sizeof(*answer), 0) >= (ssize_t)NLMSG_LENGTH(sizeof(answer->error));
}

/* Without that very connection a listener is found. Of a socket of IPv6, IPv4's address is the last part. */
static bool is_theirs(const struct inet_diag_msg *found, const struct inet_diag_sockid *wanted)
{
	int part = found->idiag_family == AF_INET6 ? 3 : 0;

	return found->id.idiag_sport == wanted->idiag_sport && found->id.idiag_dport == wanted->idiag_dport &&
	       found->id.idiag_src[part] == wanted->idiag_src[0] &&
	       found->id.idiag_dst[part] == wanted->idiag_dst[0] &&
	       found->idiag_inode && found->idiag_state != TCP_SYN_SENT;
}

/* There may be none, or nobody who can tell: the answer is the same. */
static bool find_by_diag(const struct sockaddr_in *ours, const struct sockaddr_in *theirs,
			struct peer *peer)
{
	const struct question question = {
		.header = {
			.nlmsg_len = sizeof(question),
			.nlmsg_type = SOCK_DIAG_BY_FAMILY,
			.nlmsg_flags = NLM_F_REQUEST,
		},
		.diag = {
			.sdiag_family = AF_INET,
			.sdiag_protocol = IPPROTO_TCP,
			.idiag_states = ~0U,
			.id = {
				.idiag_sport = theirs->sin_port, .idiag_src = { theirs->sin_addr.s_addr },
				.idiag_dport = ours->sin_port, .idiag_dst = { ours->sin_addr.s_addr },
				.idiag_cookie = { INET_DIAG_NOCOOKIE, INET_DIAG_NOCOOKIE },
			},
		},
	};
	struct answer answer = {};

	if (!ask(&question, &answer) || answer.header.nlmsg_type != SOCK_DIAG_BY_FAMILY)
		return false;
	*peer = (struct peer) { .uid = answer.diag.idiag_uid, .inode = answer.diag.idiag_inode };
	return is_theirs(&answer.diag, &question.diag.id);
}

static bool find_tcp(struct peer_search *search, int fd, struct peer *peer)
{
	struct sockaddr_in ours = {}, theirs = {};
	socklen_t len = sizeof(ours);

	if (getsockname(fd, (struct sockaddr *)&ours, &len) || ours.sin_family != AF_INET)
		return false;
	len = sizeof(theirs);
	if (getpeername(fd, (struct sockaddr *)&theirs, &len))
		return false;
	if (!search->in_list_only && find_by_diag(&ours, &theirs, peer))
		return true;
	if (!find_in_list(0, &ours, &theirs, peer) && !find_in_list(1, &ours, &theirs, peer))
		return false;
	/* Each question would have the kernel look for the module that is not there. */
	search->in_list_only = true;
	return true;
}

bool peer_find(struct peer_search *search, int fd, struct peer *peer)
{
	struct sockaddr_storage address;
	socklen_t len = sizeof(address);
	struct ucred cred;

	if (getsockname(fd, (struct sockaddr *)&address, &len))
		return false;
	if (address.ss_family != AF_UNIX)
		return find_tcp(search, fd, peer);
	len = sizeof(cred);
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len))
		return false;
	*peer = (struct peer) { .uid = cred.uid };
	return true;
}

static bool has_socket(pid_t pid, unsigned long inode)
{
	char path[64], link[64], wanted[64];
	const struct dirent *entry;
	autoclosedir DIR *dir = NULL;
	ssize_t len;

	snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	snprintf(wanted, sizeof(wanted), "socket:[%lu]", inode);
	dir = opendir(path);
	while (dir && (entry = readdir(dir))) {
		len = readlinkat(dirfd(dir), entry->d_name, link, sizeof(link) - 1);
		link[len > 0 ? len : 0] = '\0';
		if (!strcmp(link, wanted))
			return true;
	}
	return false;
}

bool peer_is_in(const struct peer *peer, const char *cgroup)
{
	autofree pid_t *pids = NULL;
	struct error ignored;
	size_t nr, i;

	if (!peer->inode || cgroup_pids(cgroup, &pids, &nr, &ignored))
		return false;
	for (i = 0; i < nr; i++)
		if (has_socket(pids[i], peer->inode))
			return true;
	return false;
}
