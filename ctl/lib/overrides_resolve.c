// SPDX-License-Identifier: GPL-2.0
/* Where overridden names lead outside: asked again and again, as clouds move. */
#include <errno.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>

#include "host.h"
#include "names.h"
#include "overrides.h"

struct answer {
	char group[REDIRECT_GROUP_NAME];
	char host[HOST_MAX + 1];
	struct in_addr real4;
	struct in6_addr real6;
};

struct answers {
	struct answer *list;
	size_t nr;
};

static int note_name(const struct name *name, int view, void *data)
{
	struct answers *answers = data;
	struct answer *list;

	(void)view;
	if (host_is_wildcard(name->host))
		return 0;
	list = reallocarray(answers->list, answers->nr + 1, sizeof(*list));
	if (!list)
		return -1;
	answers->list = list;
	list += answers->nr++;
	memset(list, 0, sizeof(*list));
	strncpy(list->group, name->group, sizeof(list->group) - 1);
	strncpy(list->host, name->host, sizeof(list->host) - 1);
	return 0;
}

/* The first of each family: those of a cloud are as good as each other. */
static void take_answer(const struct addrinfo *found, struct answer *answer)
{
	const struct in6_addr none = IN6ADDR_ANY_INIT;

	for (; found; found = found->ai_next) {
		if (found->ai_family == AF_INET && !answer->real4.s_addr)
			answer->real4 = ((struct sockaddr_in *)found->ai_addr)->sin_addr;
		if (found->ai_family == AF_INET6 && !memcmp(&answer->real6, &none, sizeof(none)))
			answer->real6 = ((struct sockaddr_in6 *)found->ai_addr)->sin6_addr;
	}
}

static void ask(struct answer *answer)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
	struct addrinfo *found;

	if (getaddrinfo(answer->host, NULL, &hints, &found))
		return;
	take_answer(found, answer);
	freeaddrinfo(found);
}

static int ask_all(struct answers *answers, struct error *err)
{
	autonames struct names names = NAMES_CLOSED;
	size_t i;

	if (names_read(&names, err))
		return -1;
	if (names_each(&names, NULL, note_name, answers))
		return error_set(err, ENOMEM, "out of memory");
	for (i = 0; i < answers->nr; i++)
		ask(&answers->list[i]);
	return 0;
}

static void set_endpoint(struct endpoint *endpoint, sa_family_t family, const void *address)
{
	*endpoint = (struct endpoint){
		.family = family, .prefixlen = family == AF_INET ? 32 : 128,
	};
	memcpy(endpoint->address, address, family == AF_INET ? 4 : 16);
}

/* For sockets of each family, whatever is known of both. Each address is its own alias. */
void overrides_name_pair(const struct name *name, struct redirect_name pair[2])
{
	const struct in6_addr none = IN6ADDR_ANY_INIT;

	memset(pair, 0, 2 * sizeof(*pair));
	set_endpoint(&pair[0].address, AF_INET, &name->v4);
	set_endpoint(&pair[1].address, AF_INET6, &name->v6);
	if (name->real4.s_addr)
		set_endpoint(&pair[0].real4, AF_INET, &name->real4);
	if (memcmp(&name->real6, &none, sizeof(none)))
		set_endpoint(&pair[0].real6, AF_INET6, &name->real6);
	pair[1].real4 = pair[0].real4;
	pair[1].real6 = pair[0].real6;
	pair[0].alias = pair[0].address;
	pair[1].alias = pair[1].address;
}

static int tell(const struct name *name, struct error *err)
{
	struct redirect_name pair[2];

	overrides_name_pair(name, pair);
	return redirect_name_set_all(name->group, pair, 2, err);
}

/* Names may have gone meanwhile, with their groups: those are passed over. */
static int use_all(const struct answers *answers, struct error *err)
{
	autonames struct names names = NAMES_CLOSED;
	bool changed = false;
	struct name name;
	size_t i;

	if (names_open(&names, err))
		return -1;
	for (i = 0; i < answers->nr; i++) {
		const struct answer *answer = &answers->list[i];

		if (!names_find(&names, answer->group, answer->host, &name) ||
		    !names_set_real(&names, answer->group, answer->host, &answer->real4,
				    &answer->real6))
			continue;
		changed = true;
		if (names_find(&names, answer->group, answer->host, &name) &&
		    tell(&name, err) && err->code != ENOENT)
			return -1;
	}
	return changed ? names_commit(&names, err) : 0;
}

int overrides_resolve(struct error *err)
{
	struct answers answers = {};
	int ret = ask_all(&answers, err) || use_all(&answers, err) ? -1 : 0;

	free(answers.list);
	return ret;
}
