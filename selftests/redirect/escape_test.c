// SPDX-License-Identifier: GPL-2.0
/*
 * The ways past an override that a task may try: each is redirected, refused, or what
 * Documentation/overrides.rst says of it.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/ipv6.h>
#include <linux/sched.h>
#include <linux/seg6.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* Needs <sys/socket.h>, and some of them do not say so. */
#include <linux/vm_sockets.h>

#include "fixture.h"

#ifndef IPPROTO_UDPLITE
#define IPPROTO_UDPLITE 136
#endif
#define NOBODY 65534

WORLD_FIXTURE(escape)

#define ADD(endpoint, handler)							\
	ASSERT_EQ(0, add(GROUP, endpoint, handler)) { TH_LOG("%s", last_error.text); }

/* Makes a socket, asks with it and returns it; -1 with errno: it was refused. */
typedef int (*attempt_fn)(void);

struct task {
	const char *cgroup;
	attempt_fn attempt;
};

static void try_in_child(const void *data, struct answer *answer, int out)
{
	const struct task *task = data;
	int fd;

	(void)out;
	if (join_cgroup(task->cgroup))
		_exit(1);
	fd = task->attempt();
	if (fd < 0)
		answer->error = errno;
	else
		read_answer(fd, answer);
}

static struct answer try(const char *cgroup, attempt_fn attempt)
{
	const struct task task = { cgroup, attempt };

	return in_child(try_in_child, &task);
}

#define EXPECT_ATTEMPT(wanted, attempt) do {					\
	struct answer answer = try(self->cgroup, attempt);			\
										\
	EXPECT_EQ(wanted, answer.letter) {					\
		TH_LOG(#attempt ": '%c', %s", answer.letter ?: '-', strerror(answer.error)); \
	}									\
} while (0)

#define EXPECT_WAY(wanted, address, way) do {					\
	struct answer answer = ask(self->cgroup, address, way);			\
										\
	EXPECT_EQ(wanted, answer.letter) {					\
		TH_LOG(#way ": '%c', %s", answer.letter ?: '-', strerror(answer.error)); \
	}									\
} while (0)

static int connect_to(int fd, const char *text, sa_family_t family)
{
	struct sockaddr_storage address;
	socklen_t len = parse_address(text, &address);

	if (family)
		address.ss_family = family;
	return connect(fd, (struct sockaddr *)&address, len) ? -1 : fd;
}

static int send_to(int fd, const char *text, sa_family_t family)
{
	struct sockaddr_storage address;
	socklen_t len = parse_address(text, &address);

	if (family == AF_UNSPEC)
		address.ss_family = family;
	return sendto(fd, "x", 1, 0, (struct sockaddr *)&address, len) == 1 ? fd : -1;
}

/* An IPv6 socket takes IPv4 addresses for datagrams, an IPv4 one those of no family. */
static int inet_on_inet6(void)
{
	return send_to(socket(AF_INET6, SOCK_DGRAM, 0), CLOUD4 ":80", AF_INET);
}

static int inet_connect_on_inet6(void)
{
	int fd = connect_to(socket(AF_INET6, SOCK_DGRAM, 0), CLOUD4 ":80", AF_INET);

	return fd >= 0 && send(fd, "x", 1, 0) == 1 ? fd : -1;
}

static int unspec_on_inet(void)
{
	return send_to(socket(AF_INET, SOCK_DGRAM, 0), CLOUD4 ":80", AF_UNSPEC);
}

static int tcp_inet_on_inet6(void)
{
	return connect_to(socket(AF_INET6, SOCK_STREAM, 0), CLOUD4 ":80", AF_INET);
}

static int tcp_mapped(void)
{
	return connect_to(socket(AF_INET6, SOCK_STREAM, 0), "[::ffff:198.18.0.5]:80", 0);
}

TEST_F(escape, other_families_of_address)
{
	ADD("any:" CLOUD4 ":80", HANDLER_A);
	EXPECT_ATTEMPT('A', tcp_mapped);
	EXPECT_ATTEMPT(0, tcp_inet_on_inet6);
	EXPECT_ATTEMPT('A', inet_on_inet6);
	EXPECT_ATTEMPT('A', inet_connect_on_inet6);
	EXPECT_ATTEMPT('A', unspec_on_inet);
}

static int sendto_while_connected(void)
{
	int fd = connect_to(socket(AF_INET, SOCK_DGRAM, 0), HANDLER_B, 0);

	return send_to(fd, CLOUD4 ":80", AF_INET);
}

static int sendmmsg_(void)
{
	struct sockaddr_storage address;
	struct iovec data = { "x", 1 };
	struct mmsghdr message = { .msg_hdr = {
		.msg_name = &address, .msg_namelen = parse_address(CLOUD4 ":80", &address),
		.msg_iov = &data, .msg_iovlen = 1,
	} };
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	return sendmmsg(fd, &message, 1, 0) == 1 ? fd : -1;
}

/* The connected socket would hear its peer only: what came back is looked at by the counter. */
TEST_F(escape, datagrams_without_connect)
{
	struct override_info info;

	ADD("udp:" CLOUD4 ":80", HANDLER_B);
	EXPECT_WAY('B', CLOUD4 ":80", WAY_UDP);
	EXPECT_ATTEMPT('B', sendmmsg_);
	EXPECT_ATTEMPT('B', sendto_while_connected);
	ASSERT_TRUE(find_override(GROUP, "udp:" CLOUD4 ":80", &info));
	EXPECT_EQ(3, info.stats.redirected);
}

TEST_F(escape, children_and_new_programs)
{
	ADD(CLOUD4 ":80", HANDLER_A);
	EXPECT_WAY('A', CLOUD4 ":80", WAY_FORKED);
	EXPECT_WAY('A', CLOUD4 ":80", WAY_EXEC);
}

TEST_F(escape, io_uring)
{
	struct answer answer;

	ADD("any:" CLOUD4 ":80", HANDLER_A);
	ADD(CLOUD4 ":82", HANDLER_FAST);
	answer = ask(self->cgroup, CLOUD4 ":80", WAY_IO_URING);
	if (answer.error == EPERM || answer.error == ENOSYS)
		SKIP(return, "io_uring is disabled here");
	EXPECT_EQ('A', answer.letter);
	EXPECT_WAY('A', CLOUD4 ":80", WAY_UDP_IO_URING);
	EXPECT_WAY('A', CLOUD4 ":80", WAY_UDP_ZEROCOPY);
	EXPECT_WAY('F', CLOUD4 ":82", WAY_FASTOPEN_IO_URING);
}

static int bound_to_any(void)
{
	struct sockaddr_in any = { .sin_family = AF_INET };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	return bind(fd, (struct sockaddr *)&any, sizeof(any)) ? -1 : connect_to(fd, CLOUD4 ":80", 0);
}

static int bound_to_loopback(void)
{
	struct sockaddr_in loopback = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	return bind(fd, (struct sockaddr *)&loopback, sizeof(loopback)) ? -1 :
	       connect_to(fd, CLOUD4 ":80", 0);
}

TEST_F(escape, bound_sockets)
{
	ADD(CLOUD4 ":80", HANDLER_A);
	EXPECT_ATTEMPT('A', bound_to_any);
	EXPECT_ATTEMPT('A', bound_to_loopback);
}

/* A connection is dissolved and the socket connected again, past the rule's time of making. */
static int connect_again(void)
{
	struct sockaddr nowhere = { .sa_family = AF_UNSPEC };
	int fd = connect_to(socket(AF_INET, SOCK_STREAM, 0), CLOUD4 ":81", 0);

	if (fd < 0 || connect(fd, &nowhere, sizeof(nowhere)))
		return -1;
	return connect_to(fd, CLOUD4 ":80", 0);
}

TEST_F(escape, a_socket_connected_again)
{
	ADD(CLOUD4 ":80", HANDLER_A);
	EXPECT_ATTEMPT('A', connect_again);
}

/*
 * Source routes: a packet goes to the hop that the task names, and only there to the address
 * that it connects to. So that one arrives at all, this world's loopback follows them.
 */

static int write_sysctl(const char *path, const char *value)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC), ret;

	ret = fd >= 0 && write(fd, value, strlen(value)) == (ssize_t)strlen(value) ? 0 : -1;
	close(fd);
	return ret;
}

static int follow_source_routes(void)
{
	return write_sysctl("/proc/sys/net/ipv4/conf/all/accept_source_route", "1") ||
	       write_sysctl("/proc/sys/net/ipv4/conf/lo/accept_source_route", "1") ||
	       write_sysctl("/proc/sys/net/ipv4/conf/lo/route_localnet", "1") ||
	       write_sysctl("/proc/sys/net/ipv4/conf/lo/accept_local", "1") ||
	       write_sysctl("/proc/sys/net/ipv6/conf/all/seg6_enabled", "1") ||
	       write_sysctl("/proc/sys/net/ipv6/conf/lo/seg6_enabled", "1") ? -1 : 0;
}

/* By way of the real service itself. */
static void make_route(__u8 kind, __u8 option[7])
{
	struct sockaddr_storage hop;

	parse_address(CLOUD4 ":0", &hop);
	option[0] = kind;
	option[1] = 7;
	option[2] = IPOPT_MINOFF;
	memcpy(option + 3, &((struct sockaddr_in *)&hop)->sin_addr, 4);
}

static int open_routed(int type, __u8 kind)
{
	int fd = socket(AF_INET, type, 0);
	__u8 option[7];

	make_route(kind, option);
	return setsockopt(fd, IPPROTO_IP, IP_OPTIONS, option, sizeof(option)) ? -1 : fd;
}

static int tcp_by_loose_route(void)
{
	return connect_to(open_routed(SOCK_STREAM, IPOPT_LSRR), CLOUD4 ":80", 0);
}

static int tcp_by_strict_route(void)
{
	return connect_to(open_routed(SOCK_STREAM, IPOPT_SSRR), CLOUD4 ":80", 0);
}

static int udp_by_loose_route(void)
{
	return send_to(open_routed(SOCK_DGRAM, IPOPT_LSRR), CLOUD4 ":80", AF_INET);
}

/* The route comes with the datagram. */
static int udp_with_loose_route(void)
{
	char control[CMSG_SPACE(7)] = {};
	struct sockaddr_storage address;
	struct iovec data = { "x", 1 };
	struct msghdr message = {
		.msg_name = &address, .msg_namelen = parse_address(CLOUD4 ":80", &address),
		.msg_iov = &data, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof(control),
	};
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	header->cmsg_level = IPPROTO_IP;
	header->cmsg_type = IP_RETOPTS;
	header->cmsg_len = CMSG_LEN(7);
	make_route(IPOPT_LSRR, CMSG_DATA(header));
	return sendmsg(fd, &message, 0) == 1 ? fd : -1;
}

/* Segment routing, which is what IPv6 has left of them. */
static int tcp_by_segments(void)
{
	struct {
		struct ipv6_sr_hdr header;
		struct in6_addr segments[2];	/* the last first */
	} route = { .header = {
		.hdrlen = sizeof(route.segments) / 8, .type = IPV6_SRCRT_TYPE_4,
		.segments_left = 1, .first_segment = 1,
	} };
	struct sockaddr_storage hop;
	int fd = socket(AF_INET6, SOCK_STREAM, 0);

	parse_address(CLOUD6 ":0", &hop);
	route.segments[1] = ((struct sockaddr_in6 *)&hop)->sin6_addr;
	return setsockopt(fd, IPPROTO_IPV6, IPV6_RTHDR, &route, sizeof(route)) ? -1 :
	       connect_to(fd, CLOUD6 ":80", 0);
}

#define EXPECT_BY_ROUTE(four, six) do {						\
	EXPECT_ATTEMPT(four, tcp_by_loose_route);				\
	EXPECT_ATTEMPT(four, tcp_by_strict_route);				\
	EXPECT_ATTEMPT(four, udp_by_loose_route);				\
	EXPECT_ATTEMPT(four, udp_with_loose_route);				\
	EXPECT_ATTEMPT(six, tcp_by_segments);					\
} while (0)

TEST_F(escape, source_routes_end_at_the_handler)
{
	ASSERT_EQ(0, follow_source_routes());
	EXPECT_BY_ROUTE('R', 'R');
	ADD("any:" CLOUD4 ":80", HANDLER_A);
	ADD(CLOUD6 ":80", HANDLER_6);
	EXPECT_BY_ROUTE('A', '6');
}

/* Nothing gets as far as the hop. */
TEST_F(escape, source_routes_are_refused_where_all_is_blocked)
{
	ASSERT_EQ(0, follow_source_routes());
	ASSERT_EQ(0, add_policy(GROUP, "any:" CLOUD4 ":*", REDIRECT_BLOCK, ""));
	ASSERT_EQ(0, add_policy(GROUP, "any:[2001:db8::/32]:*", REDIRECT_BLOCK, ""));
	EXPECT_BY_ROUTE(0, 0);
}

static int use_namespaces_of_its_own(void)
{
	struct ifreq ifr = { .ifr_name = "lo", .ifr_flags = IFF_UP | IFF_LOOPBACK };
	struct sockaddr_storage address;
	socklen_t len = parse_address(HANDLER_A, &address);
	int listener, one = 1;

	if (unshare(CLONE_NEWUSER | CLONE_NEWNET))
		return -1;
	if (ioctl(socket(AF_INET, SOCK_DGRAM, 0), SIOCSIFFLAGS, &ifr))
		return -1;
	listener = socket(AF_INET, SOCK_STREAM, 0);
	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(listener, (struct sockaddr *)&address, len) || listen(listener, 1))
		return -1;
	return listener;
}

/* Its own privilege there changes nothing: its connect ends at the handler's address. */
static int connect_in_namespaces_of_its_own(void)
{
	int listener = use_namespaces_of_its_own(), fd, accepted;

	if (listener < 0)
		return -1;
	fd = connect_to(socket(AF_INET, SOCK_STREAM, 0), CLOUD4 ":80", 0);
	accepted = fd < 0 ? -1 : accept(listener, NULL, NULL);
	return accepted >= 0 && send(accepted, "N", 1, 0) == 1 ? fd : -1;
}

/* CAP_NET_ADMIN in its own namespaces sets the mark that is left alone, with nowhere to go. */
static int connect_marked_in_namespaces_of_its_own(void)
{
	int mark = REDIRECT_BYPASS_MARK, fd;

	if (use_namespaces_of_its_own() < 0)
		return -1;
	fd = socket(AF_INET, SOCK_STREAM, 0);
	setsockopt(fd, SOL_SOCKET, SO_MARK, &mark, sizeof(mark));
	return connect_to(fd, CLOUD4 ":80", 0);
}

TEST_F(escape, user_and_network_namespaces_of_its_own)
{
	struct answer answer;

	ADD(CLOUD4 ":80", HANDLER_A);
	answer = try(self->cgroup, connect_in_namespaces_of_its_own);
	EXPECT_EQ('N', answer.letter) { TH_LOG("%s", strerror(answer.error)); }
	EXPECT_TRUE(has_peer(&answer, CLOUD4 ":80"));
	answer = try(self->cgroup, connect_marked_in_namespaces_of_its_own);
	EXPECT_EQ(0, answer.letter);
	EXPECT_EQ(ENETUNREACH, answer.error);
}

/*
 * Sockets that were made elsewhere.
 */

static int pass_socket(int to, int fd)
{
	char control[CMSG_SPACE(sizeof(fd))] = {}, byte = 0;
	struct iovec data = { &byte, 1 };
	struct msghdr message = {
		.msg_iov = &data, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof(control),
	};
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);

	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(sizeof(fd));
	memcpy(CMSG_DATA(header), &fd, sizeof(fd));
	return sendmsg(to, &message, 0) == 1 ? 0 : -1;
}

static int take_socket(int from)
{
	char control[CMSG_SPACE(sizeof(int))], byte;
	struct iovec data = { &byte, 1 };
	struct msghdr message = {
		.msg_iov = &data, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof(control),
	};
	struct cmsghdr *header;
	int fd;

	if (recvmsg(from, &message, 0) != 1)
		return -1;
	header = CMSG_FIRSTHDR(&message);
	if (!header || header->cmsg_type != SCM_RIGHTS)
		return -1;
	memcpy(&fd, CMSG_DATA(header), sizeof(fd));
	return fd;
}

static int passed[2];	/* a socket that was made outside waits in it */

static int connect_passed_socket(void)
{
	return connect_to(take_socket(passed[1]), CLOUD4 ":80", 0);
}

/* Documented: the kernel goes by the cgroup in which a socket was made. */
TEST_F(escape, a_socket_passed_in)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	ADD(CLOUD4 ":80", HANDLER_A);
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, passed));
	ASSERT_EQ(0, pass_socket(passed[0], fd));
	EXPECT_ATTEMPT('R', connect_passed_socket);
}

static void make_and_pass(const void *data, struct answer *answer, int out)
{
	(void)answer;
	(void)out;
	if (join_cgroup(data) || pass_socket(passed[0], socket(AF_INET, SOCK_STREAM, 0)))
		_exit(1);
}

TEST_F(escape, a_socket_passed_out_stays_redirected)
{
	struct answer answer = {};
	int fd;

	ADD(CLOUD4 ":80", HANDLER_A);
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, passed));
	in_child(make_and_pass, self->cgroup);
	fd = connect_to(take_socket(passed[1]), CLOUD4 ":80", 0);
	ASSERT_LE(0, fd);
	read_answer(fd, &answer);
	EXPECT_EQ('A', answer.letter);
	close(fd);
}

static int inherited;

static int read_inherited(void)
{
	return inherited;
}

/* Documented: what was connected before goes on; connecting is what is redirected. */
TEST_F(escape, an_inherited_connection)
{
	inherited = connect_to(socket(AF_INET, SOCK_STREAM, 0), CLOUD4 ":80", 0);
	ASSERT_LE(0, inherited);
	ADD(CLOUD4 ":80", HANDLER_A);
	EXPECT_ATTEMPT('R', read_inherited);
	close(inherited);
}

/*
 * What takes privilege that a task has not.
 */

static const char *elsewhere;	/* a cgroup that is not the group's */

static int become_nobody(void)
{
	return setgid(NOBODY) || setuid(NOBODY) ? -1 : 0;
}

static int move_to_another_cgroup(void)
{
	return become_nobody() ? -1 : join_cgroup(elsewhere);
}

static int fork_into_another_cgroup(void)
{
	struct clone_args args = { .flags = CLONE_INTO_CGROUP, .exit_signal = SIGCHLD };
	pid_t pid;

	if (become_nobody())
		return -1;
	args.cgroup = open(elsewhere, O_PATH | O_CLOEXEC);
	pid = syscall(SYS_clone3, &args, sizeof(args));
	if (!pid)
		_exit(0);
	return pid;
}

/* The test's own process is outside and root's. */
static int fetch_socket_from_outside(void)
{
	int pidfd = syscall(SYS_pidfd_open, getppid(), 0);

	return become_nobody() ? -1 : syscall(SYS_pidfd_getfd, pidfd, 0, 0);
}

static int open_raw_socket(void)
{
	return become_nobody() ? -1 : socket(AF_INET, SOCK_RAW, IPPROTO_TCP);
}

static int open_raw_socket6(void)
{
	return become_nobody() ? -1 : socket(AF_INET6, SOCK_RAW, IPPROTO_RAW);
}

static int open_packet_socket(void)
{
	return become_nobody() ? -1 : socket(AF_PACKET, SOCK_DGRAM, 0);
}

static int mark_socket(void)
{
	int mark = REDIRECT_BYPASS_MARK, fd = socket(AF_INET, SOCK_STREAM, 0);

	return become_nobody() ? -1 : setsockopt(fd, SOL_SOCKET, SO_MARK, &mark, sizeof(mark));
}

#define EXPECT_REFUSED(attempt) do {						\
	struct answer answer = try(self->cgroup, attempt);			\
										\
	EXPECT_TRUE(answer.error == EPERM || answer.error == EACCES) {		\
		TH_LOG(#attempt ": %s", strerror(answer.error));		\
	}									\
} while (0)

TEST_F(escape, raw_and_packet_sockets)
{
	EXPECT_REFUSED(open_raw_socket);
	EXPECT_REFUSED(open_raw_socket6);
	EXPECT_REFUSED(open_packet_socket);
	EXPECT_REFUSED(mark_socket);
}

TEST_F(escape, moving_to_another_cgroup)
{
	elsewhere = self->world.other;
	EXPECT_REFUSED(move_to_another_cgroup);
	EXPECT_REFUSED(fork_into_another_cgroup);
	EXPECT_REFUSED(fetch_socket_from_outside);
}

/*
 * Other protocols.
 */

/*
 * Documented: these have no hooks. Where the kernel has them the real service is
 * reached, which is a socket of this test's here.
 */
static const struct unseen {
	const char *name;
	int family, type, protocol;
} unseen[] = {
	{ "UDP-Lite", AF_INET, SOCK_DGRAM, IPPROTO_UDPLITE },
	{ "SCTP", AF_INET, SOCK_STREAM, IPPROTO_SCTP },
	{ "DCCP", AF_INET, SOCK_DCCP, IPPROTO_DCCP },
	{ "AF_VSOCK", AF_VSOCK, SOCK_STREAM, 0 },
};

static const struct unseen *now_unseen;

static socklen_t address_unseen(struct sockaddr_storage *address)
{
	struct sockaddr_vm *vm = (struct sockaddr_vm *)address;

	if (now_unseen->family != AF_VSOCK)
		return parse_address(CLOUD4 ":80", address);
	*vm = (struct sockaddr_vm){
		.svm_family = AF_VSOCK, .svm_port = 80, .svm_cid = VMADDR_CID_LOCAL,
	};
	return sizeof(*vm);
}

static int open_unseen(void)
{
	return socket(now_unseen->family, now_unseen->type, now_unseen->protocol);
}

static int reach_unseen(void)
{
	struct sockaddr_storage address;
	socklen_t len = address_unseen(&address);
	int fd = open_unseen();

	if (!connect(fd, (struct sockaddr *)&address, len))
		(void)!send(fd, "x", 1, 0);
	return -1;
}

/* A socket where the real service would be; -1: the kernel has not what that takes. */
static int serve_unseen(void)
{
	struct sockaddr_storage address;
	socklen_t len = address_unseen(&address);
	int fd = open_unseen();

	fcntl(fd, F_SETFL, O_NONBLOCK);
	if (fd >= 0 && !bind(fd, (struct sockaddr *)&address, len) &&
	    (now_unseen->type == SOCK_DGRAM || !listen(fd, 1)))
		return fd;
	close(fd);
	return -1;
}

static bool was_reached(int fd)
{
	char byte;

	return now_unseen->type == SOCK_DGRAM ? recv(fd, &byte, 1, 0) == 1 :
						accept(fd, NULL, NULL) >= 0;
}

TEST_F(escape, protocols_without_hooks)
{
	size_t i;
	int fd;

	ADD("any:" CLOUD4 ":*", HANDLER_A);
	for (i = 0; i < ARRAY_SIZE(unseen); i++) {
		now_unseen = &unseen[i];
		fd = serve_unseen();
		if (fd < 0) {
			TH_LOG("%s is not there", unseen[i].name);
			continue;
		}
		try(self->cgroup, reach_unseen);
		EXPECT_TRUE(was_reached(fd)) { TH_LOG("%s", unseen[i].name); }
		close(fd);
	}
}

TEST_HARNESS_MAIN
