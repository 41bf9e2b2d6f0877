/* SPDX-License-Identifier: GPL-2.0 */
/* Who is at the other end of a connection on this hub. */
#ifndef COPPICE_PEER_H
#define COPPICE_PEER_H

#include <stdbool.h>
#include <sys/types.h>

struct peer {
	uid_t uid;
	unsigned long inode;	/* of its socket; 0: not known */
};

/* What has been learned of how this kernel tells; zero at first. */
struct peer_search {
	bool in_list_only;	/* of a connection that there is sock_diag did not know */
};

/* False if that can't be told: it is gone, or not of this hub. */
bool peer_find(struct peer_search *search, int fd, struct peer *peer);
/* Has a process in the cgroup the peer's socket? */
bool peer_is_in(const struct peer *peer, const char *cgroup);

#endif /* COPPICE_PEER_H */
