// SPDX-License-Identifier: GPL-2.0
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <linux/ipv6.h>
#include <net/if.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "world.h"

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif

struct error last_error;

static const struct service {
	const char *address;
	int type, protocol;
	char letter;
	bool optional;		/* the kernel may not have it */
} services[] = {
	{ CLOUD4 ":80", SOCK_STREAM, 0, 'R', false },
	{ CLOUD4 ":81", SOCK_STREAM, 0, 'Q', false },
	{ CLOUD6 ":80", SOCK_STREAM, 0, 'R', false },
	{ CLOUD4 ":80", SOCK_DGRAM, 0, 'R', false },
	{ HANDLER_A, SOCK_STREAM, 0, 'A', false },
	{ CLOUD6 ":80", SOCK_DGRAM, 0, 'R', false },
	{ HANDLER_A, SOCK_DGRAM, 0, 'A', false },
	{ HANDLER_B, SOCK_DGRAM, 0, 'B', false },
	{ HANDLER_6, SOCK_DGRAM, 0, '6', false },
	{ HANDLER_B, SOCK_STREAM, 0, 'B', false },
	{ HANDLER_6, SOCK_STREAM, 0, '6', false },
	{ HANDLER_FAST, SOCK_STREAM, 0, 'F', false },
	{ HANDLER_MPTCP, SOCK_STREAM, IPPROTO_MPTCP, 'M', true },
};

#define NR_SERVICES (sizeof(services) / sizeof(services[0]))

socklen_t parse_address(const char *text, struct sockaddr_storage *address)
{
	struct sockaddr_in *in = (struct sockaddr_in *)address;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)address;
	char host[64];
	int port;

	memset(address, 0, sizeof(*address));
	if (sscanf(text, "[%63[^]]]:%d", host, &port) == 2) {
		in6->sin6_family = AF_INET6;
		in6->sin6_port = htons(port);
		inet_pton(AF_INET6, host, &in6->sin6_addr);
		return sizeof(*in6);
	}
	if (sscanf(text, "%63[^:]:%d", host, &port) != 2)
		abort();
	in->sin_family = AF_INET;
	in->sin_port = htons(port);
	inet_pton(AF_INET, host, &in->sin_addr);
	return sizeof(*in);
}

/*
 * The server: one process, answers a connection or datagram with one letter.
 */

static int listen_at(const struct service *service)
{
	struct sockaddr_storage address;
	socklen_t len = parse_address(service->address, &address);
	int fd, one = 1, queue = 64;

	fd = socket(address.ss_family, service->type, service->protocol);
	/* The address may be tentative yet: duplicate detection runs in a work queue. */
	setsockopt(fd, IPPROTO_IPV6, IPV6_FREEBIND, &one, sizeof(one));
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) ||
	    bind(fd, (struct sockaddr *)&address, len))
		return -1;
	if (service->type == SOCK_DGRAM)
		return fd;
	if (service->letter == 'F')
		setsockopt(fd, IPPROTO_TCP, TCP_FASTOPEN, &queue, sizeof(queue));
	return listen(fd, 1024) ? -1 : fd;
}

static void serve(int fd, const struct service *service)
{
	struct sockaddr_storage from;
	socklen_t len = sizeof(from);
	char byte;
	int client;

	if (service->type == SOCK_DGRAM) {
		if (recvfrom(fd, &byte, 1, 0, (struct sockaddr *)&from, &len) >= 0)
			sendto(fd, &service->letter, 1, 0, (struct sockaddr *)&from, len);
		return;
	}
	client = accept(fd, NULL, NULL);
	if (client < 0)
		return;
	send(client, &service->letter, 1, MSG_NOSIGNAL);
	shutdown(client, SHUT_WR);
	/* Data that came with the SYN must not turn the close into a reset. */
	if (service->letter == 'F')
		recv(client, &byte, 1, 0);
	close(client);
}

static void run_server(int ready)
{
	struct pollfd polled[NR_SERVICES];
	size_t i;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (i = 0; i < NR_SERVICES; i++) {
		polled[i] = (struct pollfd){ .fd = listen_at(&services[i]), .events = POLLIN };
		if (polled[i].fd < 0 && !services[i].optional) {
			fprintf(stderr, "# %s: %s\n", services[i].address, strerror(errno));
			_exit(1);
		}
	}
	(void)!write(ready, "", 1);
	while (poll(polled, NR_SERVICES, -1) > 0)
		for (i = 0; i < NR_SERVICES; i++)
			if (polled[i].revents)
				serve(polled[i].fd, &services[i]);
	_exit(1);
}

static pid_t start_server(void)
{
	int ready[2];
	pid_t pid;
	char byte;

	if (pipe(ready))
		return -1;
	pid = fork();
	if (!pid) {
		close(ready[0]);
		run_server(ready[1]);
	}
	close(ready[1]);
	if (read(ready[0], &byte, 1) != 1)
		pid = -1;
	close(ready[0]);
	return pid;
}

/*
 * The surroundings.
 */

static int find_cgroups(char path[PATH_MAX])
{
	char line[2 * PATH_MAX], type[64];
	FILE *mounts = fopen("/proc/self/mounts", "re");
	int found = -1;

	while (mounts && found && fgets(line, sizeof(line), mounts))
		if (sscanf(line, "%*s %4095s %63s", path, type) == 2 && !strcmp(type, "cgroup2"))
			found = 0;
	if (mounts)
		fclose(mounts);
	return found;
}

int make_cgroup(const char *path)
{
	return mkdir(path, 0755) && errno != EEXIST ? -1 : 0;
}

static int make_cgroups(struct world *world)
{
	char middle[PATH_MAX + 8];

	if (find_cgroups(world->cgroups))
		return -1;
	snprintf(world->cgroup, PATH_MAX, "%.3000s/coppice-test-%d", world->cgroups, getpid());
	snprintf(world->other, PATH_MAX, "%.4000s-other", world->cgroup);
	snprintf(world->child, PATH_MAX, "%.4000s/a/b", world->cgroup);
	snprintf(middle, sizeof(middle), "%s/a", world->cgroup);
	return make_cgroup(world->cgroup) || make_cgroup(middle) ||
	       make_cgroup(world->child) || make_cgroup(world->other) ? -1 : 0;
}

/* A bpffs of our own above whatever is there: the hub's pins are not touched. */
void world_fresh_bpffs(void)
{
	if (mount("bpf", "/sys/fs/bpf", "bpf", 0, NULL))
		abort();
}

static int make_loopback(void)
{
	struct ifreq ifr = { .ifr_name = "lo", .ifr_flags = IFF_UP | IFF_LOOPBACK };
	struct in6_ifreq ifr6 = { .ifr6_prefixlen = 128, .ifr6_ifindex = 1 };
	struct sockaddr_storage address;
	int in = socket(AF_INET, SOCK_DGRAM, 0), in6 = socket(AF_INET6, SOCK_DGRAM, 0);
	int result;

	result = ioctl(in, SIOCSIFFLAGS, &ifr);
	parse_address(CLOUD4 ":0", &address);
	strcpy(ifr.ifr_name, "lo:1");
	memcpy(&ifr.ifr_addr, &address, sizeof(ifr.ifr_addr));
	result |= ioctl(in, SIOCSIFADDR, &ifr);
	parse_address("255.255.255.255:0", &address);
	memcpy(&ifr.ifr_addr, &address, sizeof(ifr.ifr_addr));
	result |= ioctl(in, SIOCSIFNETMASK, &ifr);
	parse_address(CLOUD6 ":0", &address);
	ifr6.ifr6_addr = ((struct sockaddr_in6 *)&address)->sin6_addr;
	result |= ioctl(in6, SIOCSIFADDR, &ifr6);
	close(in);
	close(in6);
	return result;
}

static void allow_fastopen(void)
{
	int fd = open("/proc/sys/net/ipv4/tcp_fastopen", O_WRONLY | O_CLOEXEC);

	/* Client, server, and both without a cookie: the data goes with the first SYN. */
	(void)!write(fd, "1031", 4);
	close(fd);
}

static bool have_mptcp(void)
{
	int fd = socket(AF_INET, SOCK_STREAM, IPPROTO_MPTCP);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

/* The kernel loads them by itself where it finds modprobe, which is not so in the VM rig. */
static void load_diag(void)
{
	(void)!system("PATH=$PATH:/sbin:/usr/sbin modprobe -qa tcp_diag udp_diag 2> /dev/null");
}

const char *world_make(struct world *world)
{
	load_diag();
	if (make_cgroups(world))
		return "cgroups";
	if (unshare(CLONE_NEWNET | CLONE_NEWNS) ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL))
		return "namespaces";
	world_fresh_bpffs();
	if (make_loopback())
		return "addresses";
	allow_fastopen();
	world->mptcp = have_mptcp();
	world->server = start_server();
	return world->server < 0 ? "server" : NULL;
}

void world_end(struct world *world)
{
	char middle[PATH_MAX + 8];

	if (world->server > 0) {
		kill(world->server, SIGKILL);
		waitpid(world->server, NULL, 0);
	}
	snprintf(middle, sizeof(middle), "%s/a", world->cgroup);
	rmdir(world->child);
	rmdir(middle);
	rmdir(world->cgroup);
	rmdir(world->other);
}

/*
 * The client.
 */

int join_cgroup(const char *cgroup)
{
	char path[PATH_MAX + 16];
	int fd, result;

	snprintf(path, sizeof(path), "%s/cgroup.procs", cgroup);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	result = write(fd, "0", 1) == 1 ? 0 : -1;
	close(fd);
	return result;
}

static int connect_nonblock(int fd, const struct sockaddr *address, socklen_t len)
{
	struct pollfd polled = { .fd = fd, .events = POLLOUT };
	int error = 0;
	socklen_t size = sizeof(error);

	fcntl(fd, F_SETFL, O_NONBLOCK);
	if (!connect(fd, address, len))
		return 0;
	if (errno != EINPROGRESS)
		return -1;
	poll(&polled, 1, 5000);
	getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
	fcntl(fd, F_SETFL, 0);
	errno = error;
	return error ? -1 : 0;
}

/* By a worker thread, whose cgroup is the task's. */
static int run_uring(struct io_uring *ring, struct io_uring_sqe *sqe)
{
	struct io_uring_cqe *cqe;
	int result;

	io_uring_sqe_set_flags(sqe, IOSQE_ASYNC);
	io_uring_submit_and_wait(ring, 1);
	io_uring_peek_cqe(ring, &cqe);
	result = cqe->res;
	io_uring_queue_exit(ring);
	errno = -result;
	return result < 0 ? -1 : 0;
}

static void prepare(struct io_uring_sqe *sqe, enum way way, int fd, const struct msghdr *message)
{
	switch (way) {
	case WAY_UDP_IO_URING:
		io_uring_prep_sendmsg(sqe, fd, message, 0);
		break;
	case WAY_UDP_ZEROCOPY:
		io_uring_prep_sendmsg_zc(sqe, fd, message, 0);
		break;
	case WAY_FASTOPEN_IO_URING:
		io_uring_prep_sendmsg(sqe, fd, message, MSG_FASTOPEN);
		break;
	default:
		io_uring_prep_connect(sqe, fd, message->msg_name, message->msg_namelen);
	}
}

static int reach_by_uring(enum way way, int fd, const struct sockaddr *address, socklen_t len)
{
	struct iovec data = { "x", 1 };
	struct msghdr message = {
		.msg_name = (void *)address, .msg_namelen = len,
		.msg_iov = &data, .msg_iovlen = 1,
	};
	struct io_uring_sqe *sqe;
	struct io_uring ring;
	int result;

	result = io_uring_queue_init(4, &ring, 0);
	if (result) {
		errno = -result;
		return -1;
	}
	sqe = io_uring_get_sqe(&ring);
	prepare(sqe, way, fd, &message);
	return run_uring(&ring, sqe);
}

static int connect_by(enum way way, int fd, const struct sockaddr *address, socklen_t len)
{
	int one = 1, mark = REDIRECT_BYPASS_MARK;

	switch (way) {
	case WAY_NONBLOCK:
		return connect_nonblock(fd, address, len);
	case WAY_IO_URING:
	case WAY_UDP_IO_URING:
	case WAY_UDP_ZEROCOPY:
	case WAY_FASTOPEN_IO_URING:
		return reach_by_uring(way, fd, address, len);
	case WAY_FASTOPEN:
		return sendto(fd, "x", 1, MSG_FASTOPEN | MSG_NOSIGNAL, address, len) == 1 ? 0 : -1;
	case WAY_FASTOPEN_CONNECT:
		setsockopt(fd, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, &one, sizeof(one));
		if (connect(fd, address, len))
			return -1;
		return send(fd, "x", 1, MSG_NOSIGNAL) == 1 ? 0 : -1;
	case WAY_MARKED:
		return setsockopt(fd, SOL_SOCKET, SO_MARK, &mark, sizeof(mark)) ||
		       connect(fd, address, len) ? -1 : 0;
	case WAY_UDP:
		return sendto(fd, "x", 1, 0, address, len) == 1 ? 0 : -1;
	case WAY_UDP_CONNECT:
		return connect(fd, address, len) || send(fd, "x", 1, 0) != 1 ? -1 : 0;
	default:
		return connect(fd, address, len);
	}
}

static struct endpoint endpoint_of(const struct sockaddr_storage *address)
{
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)address;
	const struct sockaddr_in *in = (const struct sockaddr_in *)address;
	struct endpoint endpoint = { .family = address->ss_family };

	if (endpoint.family == AF_INET) {
		memcpy(endpoint.address, &in->sin_addr, 4);
		endpoint.port = ntohs(in->sin_port);
	} else {
		memcpy(endpoint.address, &in6->sin6_addr, 16);
		endpoint.port = ntohs(in6->sin6_port);
	}
	return endpoint;
}

static struct endpoint peer_of(int fd)
{
	struct sockaddr_storage address = {};
	socklen_t len = sizeof(address);

	getpeername(fd, (struct sockaddr *)&address, &len);
	return endpoint_of(&address);
}

void read_answer(int fd, struct answer *answer)
{
	struct timeval limit = { .tv_sec = 10 };
	struct sockaddr_storage from = {};
	socklen_t len = sizeof(from);

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	answer->peer = peer_of(fd);
	if (recvfrom(fd, &answer->letter, 1, 0, (struct sockaddr *)&from, &len) < 0)
		answer->error = errno;
	answer->from = endpoint_of(&from);
}

static void ask_here(int fd, const char *text, enum way way, struct answer *answer)
{
	struct sockaddr_storage address;
	socklen_t len = parse_address(text, &address);

	errno = 0;
	if (fd < 0 || connect_by(way, fd, (struct sockaddr *)&address, len))
		answer->error = errno;
	else
		read_answer(fd, answer);
}

static int open_socket(const char *address, enum way way)
{
	bool udp = way == WAY_UDP || way == WAY_UDP_CONNECT || way == WAY_UDP_IO_URING ||
		   way == WAY_UDP_ZEROCOPY;

	return socket(*address == '[' ? AF_INET6 : AF_INET, udp ? SOCK_DGRAM : SOCK_STREAM,
		      way == WAY_MPTCP ? IPPROTO_MPTCP : 0);
}

/* Go on in a child of a child, in a session of its own. */
static void leave_to_child(void)
{
	int i, status;
	pid_t pid;

	for (i = 0; i < 2; i++) {
		pid = fork();
		if (pid) {
			waitpid(pid, &status, 0);
			_exit(0);
		}
		setsid();
	}
}

#define WORLD_ASK "--ask"

/* What a test program does after WAY_EXEC has executed it. */
__attribute__((constructor)) static void ask_after_exec(int argc, char **argv)
{
	struct answer answer = {};

	if (argc != 3 || strcmp(argv[1], WORLD_ASK))
		return;
	ask_here(open_socket(argv[2], WAY_CONNECT), argv[2], WAY_CONNECT, &answer);
	(void)!write(STDOUT_FILENO, &answer, sizeof(answer));
	_exit(0);
}

struct question {
	const char *cgroup, *address;
	enum way way;
};

static void ask_in_child(const void *data, struct answer *answer, int out)
{
	const struct question *question = data;
	const char *cgroup = question->cgroup, *address = question->address;
	enum way way = question->way;
	int fd = -1;

	if (way == WAY_SOCKET_OUTSIDE)
		fd = open_socket(address, way);
	if (cgroup && join_cgroup(cgroup))
		_exit(1);
	if (way == WAY_FORKED)
		leave_to_child();
	if (way == WAY_EXEC) {
		dup2(out, STDOUT_FILENO);
		execl("/proc/self/exe", "world", WORLD_ASK, address, NULL);
	}
	if (way != WAY_SOCKET_OUTSIDE)
		fd = open_socket(address, way);
	ask_here(fd, address, way, answer);
}

struct answer in_child(child_fn fn, const void *data)
{
	struct answer answer = { .error = ECHILD };
	int out[2];
	pid_t pid;

	if (pipe(out))
		return answer;
	pid = fork();
	if (!pid) {
		answer.error = 0;
		fn(data, &answer, out[1]);
		(void)!write(out[1], &answer, sizeof(answer));
		_exit(0);
	}
	close(out[1]);
	(void)!read(out[0], &answer, sizeof(answer));
	close(out[0]);
	waitpid(pid, NULL, 0);
	return answer;
}

/* A worker of io_uring that waits for a connection may be interrupted: who uses it asks again. */
struct answer ask(const char *cgroup, const char *address, enum way way)
{
	const struct question question = { cgroup, address, way };
	struct answer answer;
	int tries = 5;

	do {
		answer = in_child(ask_in_child, &question);
	} while (answer.error == EINTR && --tries);
	return answer;
}

char ask_letter(const char *cgroup, const char *address)
{
	struct answer answer = ask(cgroup, address, WAY_CONNECT);

	return answer.letter ? answer.letter : '-';
}

static bool same_address(const struct endpoint *endpoint, const char *text)
{
	struct sockaddr_storage address;
	struct endpoint wanted;

	parse_address(text, &address);
	wanted = endpoint_of(&address);
	return wanted.family == endpoint->family && wanted.port == endpoint->port &&
	       !memcmp(wanted.address, endpoint->address, sizeof(wanted.address));
}

bool has_peer(const struct answer *answer, const char *text)
{
	return same_address(&answer->peer, text);
}

bool is_from(const struct answer *answer, const char *text)
{
	return same_address(&answer->from, text);
}

static int add_handler(struct override *override, char *text)
{
	struct handler *handler = &override->handlers[override->nr_handlers++];
	char *weight = strchr(text, '*');

	if (weight) {
		*weight = '\0';
		handler->weight = atoi(weight + 1);
	}
	return handler_parse(text, &handler->address, &last_error);
}

int add_policy(const char *group, const char *endpoint, enum redirect_policy policy,
	       const char *handlers)
{
	struct override override = { .policy = policy };
	char list[512], *rest = list, *text;

	snprintf(list, sizeof(list), "%s", handlers);
	if (endpoint_parse(endpoint, &override.endpoint, &last_error))
		return -1;
	while ((text = strsep(&rest, ",")))
		if (*text && add_handler(&override, text))
			return -1;
	return redirect_add_all(group, &override, 1, &last_error);
}

struct find {
	struct endpoint endpoint;
	struct override_info *info;
};

static int match_override(const struct override_info *info, void *data)
{
	const struct find *find = data;

	if (!endpoint_same(&info->override.endpoint, &find->endpoint))
		return 0;
	*find->info = *info;
	return 1;
}

bool find_override(const char *group, const char *endpoint, struct override_info *info)
{
	struct find find = { .info = info };

	return !endpoint_parse(endpoint, &find.endpoint, &last_error) &&
	       redirect_each(group, match_override, &find, &last_error) == 1;
}

int add(const char *group, const char *endpoint, const char *handler)
{
	struct endpoint from, to;

	if (endpoint_parse(endpoint, &from, &last_error) ||
	    handler_parse(handler, &to, &last_error))
		return -1;
	return redirect_add(group, &from, &to, &last_error);
}

int delete(const char *group, const char *endpoint)
{
	struct endpoint from;

	if (endpoint_parse(endpoint, &from, &last_error))
		return -1;
	return redirect_delete(group, &from, REDIRECT_KEEP, &last_error);
}
