// SPDX-License-Identifier: GPL-2.0
/* A rival of override_bench: connect() of the C library, with two endpoints replaced. */
#include <arpa/inet.h>
#include <dlfcn.h>
#include <stddef.h>
#include <sys/socket.h>

int connect(int fd, const struct sockaddr *address, socklen_t len)
{
	static int (*real)(int fd, const struct sockaddr *address, socklen_t len);
	struct sockaddr_in to = *(const struct sockaddr_in *)address;

	if (!real)
		real = dlsym(RTLD_NEXT, "connect");
	if (to.sin_family == AF_INET && to.sin_addr.s_addr == htonl(0xc6120005)) {
		to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		if (to.sin_port == htons(80))
			to.sin_port = htons(9001);
		return real(fd, (struct sockaddr *)&to, sizeof(to));
	}
	return real(fd, address, len);
}
