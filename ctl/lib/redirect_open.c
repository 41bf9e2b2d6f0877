// SPDX-License-Identifier: GPL-2.0
/*
 * Open connections and sockets: what was asked for on one, resetting those of rules that
 * are gone, and handlers that are tasks of the group themselves.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <bpf/bpf.h>

#include "cleanup.h"
#include "redirect.h"
#include "redirect_diag.h"
#include "redirect_open.h"
#include "redirect_pins.h"

#define NAMESPACES_MAX 256

static const __u8 protocols[] = { IPPROTO_TCP, IPPROTO_UDP };

/* What was recorded of a socket; false if nothing was. */
static bool find_origin(const struct pins *pins, const struct diag_socket *socket,
			struct origin_value *origin)
{
	__u32 index = REDIRECT_ORIGIN_INDEX(socket->cookie);

	if (bpf_map_lookup_elem(pins->map[MAP_ORIGIN], &index, origin) ||
	    origin->cookie != socket->cookie) {
		if (!socket->kept)
			return false;
		*origin = *socket->kept;
	}
	return origin->group;
}

/*
 * Resetting.
 */

struct reset {
	const struct pins *pins;
	__u32 group;
	const struct rule_gone *gone;
	size_t nr;
	struct error *err;
};

static bool is_gone(const struct reset *reset, const struct origin_value *origin)
{
	size_t i;

	if (reset->group != REDIRECT_HUB && origin->group != reset->group)
		return false;
	for (i = 0; i < reset->nr; i++)
		if (reset->gone[i].rule == origin->rule && reset->gone[i].epoch == origin->epoch)
			return true;
	return false;
}

static int reset_socket(const struct diag_socket *socket, void *data)
{
	const struct reset *reset = data;
	struct origin_value origin;

	if (!find_origin(reset->pins, socket, &origin) || !is_gone(reset, &origin))
		return 0;
	return diag_destroy(socket, reset->err);
}

static int reset_here(struct reset *reset)
{
	struct diag_query query = {
		.states = DIAG_CONNECTED,
		.kept = reset->pins->map[MAP_ORIGIN_KEPT],
	};
	size_t i;

	for (i = 0; i < sizeof(protocols); i++) {
		query.protocol = protocols[i];
		if (diag_each(&query, reset_socket, reset, reset->err))
			return -1;
	}
	return 0;
}

/* The network namespaces of all processes, each once. */
static size_t open_namespaces(int fds[NAMESPACES_MAX])
{
	autoclosedir DIR *proc = opendir("/proc");
	ino_t seen[NAMESPACES_MAX];
	struct dirent *entry;
	char path[64];
	struct stat st;
	size_t nr = 0, i;

	while (proc && nr < NAMESPACES_MAX && (entry = readdir(proc))) {
		if (entry->d_name[0] < '1' || entry->d_name[0] > '9')
			continue;
		snprintf(path, sizeof(path), "/proc/%.20s/ns/net", entry->d_name);
		if (stat(path, &st))
			continue;
		for (i = 0; i < nr && seen[i] != st.st_ino; i++)
			;
		if (i < nr)
			continue;
		fds[nr] = open(path, O_RDONLY | O_CLOEXEC);
		if (fds[nr] >= 0)
			seen[nr++] = st.st_ino;
	}
	return nr;
}

/* Tasks may have namespaces of their own: a socket is only found inside of its own. */
int redirect_reset(const struct pins *pins, __u32 group, const struct rule_gone *gone,
		   size_t nr, struct error *err)
{
	struct reset reset = { .pins = pins, .group = group, .gone = gone, .nr = nr, .err = err };
	autoclose int home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	int namespaces[NAMESPACES_MAX], result = 0;
	size_t count, i;

	if (!nr)
		return 0;
	count = open_namespaces(namespaces);
	for (i = 0; i < count; i++) {
		if (!result && !setns(namespaces[i], CLONE_NEWNET))
			result = reset_here(&reset);
		close(namespaces[i]);
	}
	if (setns(home, CLONE_NEWNET))
		return error_set(err, errno, "the network namespace cannot be entered again: %s",
				 strerror(errno));
	if (result)
		error_prefix(err, "the overrides are changed, but not all connections are reset");
	return result;
}

/*
 * What was asked for.
 */

struct search {
	const struct pins *pins;
	struct flow_key flow;		/* of a socket that is not connected */
	__u8 source[16];
	struct redirect_origin *origin;
};

static void put_asked(struct redirect_origin *origin, const __u8 address[16], __u16 port,
		      __u8 protocol)
{
	static const __u8 mapped[12] = { [10] = 0xff, [11] = 0xff };
	struct endpoint *asked = &origin->asked;
	bool v4 = !memcmp(address, mapped, sizeof(mapped));

	*asked = (struct endpoint){
		.family = v4 ? AF_INET : AF_INET6,
		.prefixlen = v4 ? 32 : 128,
		.protocol = protocol,
		.port = port,
		.last = port,
	};
	memcpy(asked->address, v4 ? address + 12 : address, v4 ? 4 : 16);
}

static int match_connected(const struct search *search, const struct diag_socket *socket,
			   __u32 *group)
{
	struct origin_value origin;

	if (!find_origin(search->pins, socket, &origin) ||
	    memcmp(origin.peer, search->flow.address, 16) ||
	    origin.peer_port != search->flow.port)
		return 0;
	put_asked(search->origin, origin.address, origin.port, socket->protocol);
	search->origin->pid = origin.pid;
	search->origin->rule = origin.rule;
	*group = origin.group;
	return 1;
}

static int match_flow(const struct search *search, const struct diag_socket *socket,
		      __u32 *group)
{
	struct flow_key key = search->flow;
	struct flow_value flow;

	key.cookie = socket->cookie;
	if (bpf_map_lookup_elem(search->pins->map[MAP_FLOWS], &key, &flow))
		return 0;
	put_asked(search->origin, flow.address, flow.port, socket->protocol);
	search->origin->pid = flow.pid;
	search->origin->rule = flow.rule;
	*group = flow.group;
	return 1;
}

/* Is it the task's end? One that is bound to no address has whichever the route gives. */
static int match_socket(const struct diag_socket *socket, void *data)
{
	const struct search *search = data;
	struct group_value value = {};
	__u8 source[16];
	__u32 group;

	diag_address(socket->family, socket->id.idiag_src, source);
	if (socket->protocol == IPPROTO_TCP && memcmp(source, search->source, 16))
		return 0;
	if (!match_connected(search, socket, &group) &&
	    !(socket->protocol == IPPROTO_UDP && match_flow(search, socket, &group)))
		return 0;
	(void)!bpf_map_lookup_elem(search->pins->map[MAP_GROUPS], &group, &value);
	snprintf(search->origin->group, sizeof(search->origin->group), "%.*s",
		 REDIRECT_GROUP_NAME - 1, value.name);
	search->origin->cookie = socket->cookie;
	return 1;
}

int redirect_origin(uint8_t protocol, const struct endpoint *source,
		    const struct endpoint *handler, struct redirect_origin *origin,
		    struct error *err)
{
	cleanup_pins struct pins pins = PINS_CLOSED;
	struct search search = { .pins = &pins, .origin = origin };
	struct diag_query query = {
		.protocol = protocol,
		.states = DIAG_CONNECTED,
		.port = source->port,
	};
	char text[REDIRECT_TEXT_MAX];
	__be32 words[4];
	int found = 0;

	*origin = (struct redirect_origin){};
	if (pins_open(&pins, PINS_READ, err))
		return -1;
	memcpy(words, source->address, sizeof(words));
	diag_address(source->family, words, search.source);
	memcpy(words, handler->address, sizeof(words));
	diag_address(handler->family, words, search.flow.address);
	search.flow.port = handler->port;
	query.kept = pins.map[MAP_ORIGIN_KEPT];
	if (pins.ready)
		found = diag_each(&query, match_socket, &search, err);
	if (found < 0)
		return -1;
	endpoint_format(source, text);
	return found ? 0 : error_set(err, ENOENT, "no socket at %s was redirected there: it is closed, of another network namespace, or no task's",
				     text);
}

/*
 * Loops.
 */

struct listener {
	const struct handler *handler;
	int cgroup_dir;			/* of the group */
	const char *cgroup;		/* its path */
	bool found;
};

/* Path of the cgroup of @id, by any descriptor of its file system. */
static int path_of_cgroup(int any, __u64 id, char path[PATH_MAX])
{
	union {
		struct file_handle handle;
		char space[sizeof(struct file_handle) + sizeof(id)];
	} u = { .handle = { .handle_bytes = sizeof(id), .handle_type = 0xfe /* FILEID_KERNFS */ } };
	autoclose int fd = -1;
	char link[64];
	ssize_t len;

	memcpy(u.handle.f_handle, &id, sizeof(id));
	fd = open_by_handle_at(any, &u.handle, O_PATH | O_CLOEXEC);
	if (fd < 0)
		return -1;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	len = readlink(link, path, PATH_MAX - 1);
	if (len < 0)
		return -1;
	path[len] = '\0';
	return 0;
}

static bool is_below(const struct listener *listener, __u64 cgroup)
{
	size_t len = strlen(listener->cgroup);
	char path[PATH_MAX];

	return cgroup && !path_of_cgroup(listener->cgroup_dir, cgroup, path) &&
	       !strncmp(path, listener->cgroup, len) && (!path[len] || path[len] == '/');
}

static int match_listener(const struct diag_socket *socket, void *data)
{
	static const __u8 any4[16] = { [10] = 0xff, [11] = 0xff }, any6[16];
	struct listener *listener = data;
	const struct endpoint *address = &listener->handler->address;
	__u8 bound[16], wanted[16];
	__be32 words[4];

	memcpy(words, address->address, sizeof(words));
	diag_address(address->family, words, wanted);
	diag_address(socket->family, socket->id.idiag_src, bound);
	if (memcmp(bound, wanted, 16) && memcmp(bound, any4, 16) && memcmp(bound, any6, 16))
		return 0;
	listener->found |= is_below(listener, socket->cgroup);
	return listener->found;
}

static int refuse_loop(struct listener *listener, __u8 protocol, struct error *err)
{
	const struct endpoint *address = &listener->handler->address;
	struct diag_query query = {
		.protocol = protocol,
		.states = protocol == IPPROTO_TCP ? DIAG_LISTEN : DIAG_UNBOUND,
		.port = address->port,
		.kept = -1,
	};
	char text[REDIRECT_TEXT_MAX];
	struct error ignored;

	/* A kernel that does not show its sockets leaves it to the operator. */
	if (diag_each(&query, match_listener, listener, &ignored) < 0)
		return 0;
	endpoint_format(address, text);
	return listener->found ? error_set(err, ELOOP, "the handler %s is a process in the group's cgroup, so its own connections would be redirected to itself: start it outside of the group",
					   text) : 0;
}

int redirect_check_loop(const char *cgroup_path, const struct override *override,
			struct error *err)
{
	autoclose int dir = open(cgroup_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct listener listener = { .cgroup_dir = dir, .cgroup = cgroup_path };
	size_t i, j;

	for (i = 0; dir >= 0 && i < override->nr_handlers; i++) {
		listener.handler = &override->handlers[i];
		if (listener.handler->address.family == AF_UNIX)
			continue;
		for (j = 0; j < sizeof(protocols); j++) {
			if (override->endpoint.protocol && override->endpoint.protocol != protocols[j])
				continue;
			if (refuse_loop(&listener, protocols[j], err))
				return -1;
		}
	}
	return 0;
}
