// SPDX-License-Identifier: GPL-2.0
/*
 * Addresses for hosts under wildcards.
 *
 *	question	TOKEN VIEW WILDCARD HOST
 *	answer		IPV4 IPV6, "full": there is none for a further host, or "none"
 *
 * Each question has a process of its own, as the names may be locked for a while by a controller,
 * and the hub's resolvers may be slow. Who gets no answer in time gives the wildcard's own address.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cleanup.h"
#include "file.h"
#include "overrides.h"
#include "responder_hosts.h"

#define TOKEN_PATH	"/run/coppice/responder/token.lua"
#define QUESTION_MAX	1024
#define WORKERS_MAX	16
#define RESOLVE_MS	500	/* that a new host's real address may take before it is answered */

int responder_hosts_write_token(struct error *err)
{
	unsigned char bytes[16];
	char text[64] = "return \"";
	size_t i;

	if (!access(TOKEN_PATH, F_OK))
		return 0;
	if (getrandom(bytes, sizeof(bytes), 0) != sizeof(bytes))
		return error_set(err, errno, "there are no random numbers: %s", strerror(errno));
	for (i = 0; i < sizeof(bytes); i++)
		sprintf(text + strlen(text), "%02x", bytes[i]);
	strcat(text, "\"\n");
	return file_write(TOKEN_PATH, 0600, text, strlen(text), err);
}

int responder_hosts_open(struct error *err)
{
	const struct sockaddr_in in = {
		.sin_family = AF_INET, .sin_port = htons(RESPONDER_HOSTS_PORT),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd >= 0 && !bind(fd, (const struct sockaddr *)&in, sizeof(in)))
		return fd;
	error_set(err, errno, "UDP port %d of 127.0.0.1 cannot be had: %s",
		  RESPONDER_HOSTS_PORT, strerror(errno));
	cleanup_close(&fd);
	return -1;
}

struct question {
	char token[33], wildcard[HOST_MAX + 1], host[HOST_MAX + 1];
	int view;
	struct sockaddr_storage from;
	socklen_t from_len;
};

static bool is_trusted(const struct question *question)
{
	struct error ignored;
	size_t len = 0;
	autofree char *text = file_read(TOKEN_PATH, &len, &ignored);

	return text && strlen(question->token) == 32 && strstr(text, question->token);
}

static bool parse(const char *text, struct question *question)
{
	char host[HOST_MAX + 1];
	struct error ignored;

	return sscanf(text, "%32s %d %253s %253s", question->token, &question->view,
		      question->wildcard, question->host) == 4 &&
	       is_trusted(question) && !host_parse(question->host, host, &ignored) &&
	       !strcmp(host, question->host) && !host_is_wildcard(host);
}

static void reply(int socket, const struct question *question, const char *text)
{
	(void)!sendto(socket, text, strlen(text), 0, (const struct sockaddr *)&question->from,
		      question->from_len);
}

static void reply_addresses(int socket, const struct question *question, const struct name *name)
{
	char four[INET6_ADDRSTRLEN], six[INET6_ADDRSTRLEN], text[2 * INET6_ADDRSTRLEN + 2];

	inet_ntop(AF_INET, &name->v4, four, sizeof(four));
	inet_ntop(AF_INET6, &name->v6, six, sizeof(six));
	snprintf(text, sizeof(text), "%s %s", four, six);
	reply(socket, question, text);
}

/* Who has made way must not lead anywhere once its address is another's; its group may be gone. */
static int forget(const struct name *gone, struct error *err)
{
	struct redirect_name pair[2];

	overrides_name_pair(gone, pair);
	return (redirect_name_delete(gone->group, &pair[0].address, err) ||
		redirect_name_delete(gone->group, &pair[1].address, err)) &&
	       err->code != ENOENT ? -1 : 0;
}

/* The programs know the address before anybody is told it. As names_take_found(). */
static int take(struct names *names, const struct question *question, struct found *found,
		struct error *err)
{
	const char *group = names_group_of_view(names, question->view);
	int taken = group ? names_take_found(names, group, question->wildcard, question->host,
					     found, err) : 0;

	if (taken <= 0)
		return taken;
	if ((found->gone.host && forget(&found->gone, err)) ||
	    (found->changed && names_commit(names, err)) || overrides_tell_name(&found->name, err))
		return -1;
	return 1;
}

static bool is_unknown(const struct name *name)
{
	const struct in6_addr none = IN6ADDR_ANY_INIT;

	return !name->real4.s_addr && !memcmp(&name->real6, &none, sizeof(none));
}

static int answer(int socket, const struct question *question, struct error *err)
{
	autonames struct names names = NAMES_CLOSED;
	struct found found;
	int taken = names_open(&names, err) ? -1 : take(&names, question, &found, err), ret = 0;

	if (taken <= 0) {
		reply(socket, question, taken < 0 ? "none" : "full");
		return taken;
	}
	names_unlock(&names);
	if (is_unknown(&found.name))
		ret = overrides_resolve_one(&found.name, RESOLVE_MS, err);
	reply_addresses(socket, question, &found.name);
	return ret;
}

/* A process: it ends with the one that it is of. */
static void start_worker(int socket, const struct question *question)
{
	pid_t parent = getpid();
	struct error err;

	if (fork())
		return;
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) || getppid() != parent)
		_exit(EXIT_REFUSED);
	if (answer(socket, question, &err)) {
		fprintf(stderr, "coppice: responder: %s\n", err.text);
		_exit(EXIT_REFUSED);
	}
	_exit(EXIT_OK);
}

static bool hear(int socket, struct question *question)
{
	char text[QUESTION_MAX];
	ssize_t len;

	*question = (struct question){ .from_len = sizeof(question->from) };
	len = recvfrom(socket, text, sizeof(text) - 1, 0, (struct sockaddr *)&question->from,
		       &question->from_len);
	if (len < 0)
		return false;
	text[len] = '\0';
	return parse(text, question);
}

void responder_hosts_serve(int socket)
{
	struct question question;
	int workers = 0;

	for (;;) {
		while (workers && waitpid(-1, NULL, workers < WORKERS_MAX ? WNOHANG : 0) > 0)
			workers--;
		if (!hear(socket, &question))
			continue;
		start_worker(socket, &question);
		workers++;
	}
}
