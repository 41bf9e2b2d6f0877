// SPDX-License-Identifier: GPL-2.0
/*
 * Who is at the other end of a connection. For TCP the kernel's list of sockets tells: that of
 * sock_diag is shorter to ask, but not every hub has its module.
 */
#include <arpa/inet.h>
#include <dirent.h>
#include <limits.h>
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

/* "  0: 0100007F:1F90 0100007F:A2C4 01 0:0 0:0 0 UID 0 INODE …", the peer's line has our ends swapped. */
static bool match(const char *line, const struct sockaddr_in *ours,
		  const struct sockaddr_in *theirs, struct peer *peer)
{
	unsigned int local, remote, local_port, remote_port, state, uid;
	unsigned long inode;

	if (sscanf(line, " %*u: %x:%x %x:%x %x %*x:%*x %*x:%*x %*x %u %*u %lu", &local, &local_port,
		   &remote, &remote_port, &state, &uid, &inode) != 7)
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

static bool find_tcp(int fd, struct peer *peer)
{
	struct sockaddr_in ours = {}, theirs = {};
	socklen_t len = sizeof(ours);
	autofclose FILE *file = NULL;
	char line[256];

	if (getsockname(fd, (struct sockaddr *)&ours, &len) || ours.sin_family != AF_INET)
		return false;
	len = sizeof(theirs);
	if (getpeername(fd, (struct sockaddr *)&theirs, &len))
		return false;
	file = fopen("/proc/net/tcp", "re");
	while (file && fgets(line, sizeof(line), file))
		if (match(line, &ours, &theirs, peer))
			return true;
	return false;
}

bool peer_find(int fd, struct peer *peer)
{
	struct sockaddr_storage address;
	socklen_t len = sizeof(address);
	struct ucred cred;

	if (getsockname(fd, (struct sockaddr *)&address, &len))
		return false;
	if (address.ss_family != AF_UNIX)
		return find_tcp(fd, peer);
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
