// SPDX-License-Identifier: GPL-2.0
/* Where overridden names lead outside: asked again and again, as clouds move. */
#include <errno.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "host.h"
#include "names.h"
#include "overrides.h"

#define SILENT_MAX	3	/* questions in a row to which no resolver says anything */

struct answer {
	char group[REDIRECT_GROUP_NAME];
	char host[HOST_MAX + 1];
	bool found;		/* under a wildcard */
	struct in_addr real4;
	struct in6_addr real6;
};

struct answers {
	const struct names *names;
	struct answer *list;
	size_t nr;
};

static void set_question(struct answer *answer, const struct name *name)
{
	*answer = (struct answer){ .found = name->wildcard };
	strncpy(answer->group, name->group, sizeof(answer->group) - 1);
	strncpy(answer->host, name->host, sizeof(answer->host) - 1);
}

static int note_name(const struct name *name, int view, void *data)
{
	struct answers *answers = data;
	struct answer *list;

	(void)view;
	if (host_is_wildcard(name->host) ||
	    (name->wildcard && !names_is_asked_for(answers->names, name)))
		return 0;
	list = reallocarray(answers->list, answers->nr + 1, sizeof(*list));
	if (!list)
		return -1;
	answers->list = list;
	set_question(&list[answers->nr++], name);
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

static const struct addrinfo hints = { .ai_socktype = SOCK_STREAM };

/* False if the resolvers are silent. */
static bool ask(struct answer *answer)
{
	struct addrinfo *found;
	int failed = getaddrinfo(answer->host, NULL, &hints, &found);

	if (failed)
		return failed != EAI_AGAIN;
	take_answer(found, answer);
	freeaddrinfo(found);
	return true;
}

/*
 * Tasks have thought of hosts under wildcards, and resolvers may be silent at each of them for
 * seconds: then the rest is left for the next time.
 */
static void ask_each(struct answers *answers)
{
	int silent = 0;
	size_t i;

	for (i = 0; i < answers->nr && silent < SILENT_MAX; i++)
		silent = ask(&answers->list[i]) || !answers->list[i].found ? 0 : silent + 1;
}

/* So that each has its turn some time. */
static void shuffle(struct answers *answers)
{
	struct answer kept, *list = answers->list;
	size_t i, other;

	srandom(time(NULL));
	for (i = 0; i < answers->nr; i++) {
		other = i + random() % (answers->nr - i);
		kept = list[i];
		list[i] = list[other];
		list[other] = kept;
	}
}

typedef int (*each_fn)(const struct names *names, const char *group, name_fn fn, void *data);

static int note_all(each_fn each, struct answers *answers, struct error *err)
{
	autonames struct names names = NAMES_CLOSED;
	int status;

	if (names_read(&names, err))
		return -1;
	answers->names = &names;
	status = each(&names, NULL, note_name, answers);
	answers->names = NULL;
	return status ? error_set(err, ENOMEM, "out of memory") : 0;
}

static void set_endpoint(struct endpoint *endpoint, sa_family_t family, const void *address)
{
	*endpoint = (struct endpoint){
		.family = family, .prefixlen = family == AF_INET ? 32 : 128,
	};
	memcpy(endpoint->address, address, family == AF_INET ? 4 : 16);
}

/* For sockets of each family, whatever is known of both. */
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
	set_endpoint(&pair[0].alias, AF_INET, &name->alias4);
	set_endpoint(&pair[1].alias, AF_INET6, &name->alias6);
}

int overrides_tell_name(const struct name *name, struct error *err)
{
	struct redirect_name pair[2];

	overrides_name_pair(name, pair);
	return redirect_name_set_all(name->group, pair, 2, err);
}

static bool find(const struct names *names, const struct answer *answer, struct name *name)
{
	return answer->found ? names_find_found(names, answer->group, answer->host, name) :
			       names_find(names, answer->group, answer->host, name);
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

		if (!find(&names, answer, &name) ||
		    !names_set_real(&names, &name, &answer->real4, &answer->real6))
			continue;
		changed = true;
		if (find(&names, answer, &name) && overrides_tell_name(&name, err) &&
		    err->code != ENOENT)
			return -1;
	}
	return changed ? names_commit(&names, err) : 0;
}

/*
 * By a thread, which is what has getaddrinfo_a() wait no longer than it is to: it may go on with
 * what is static.
 */
static bool ask_within(struct answer *answer, long ms)
{
	static char host[HOST_MAX + 1];
	static struct gaicb request = { .ar_name = host, .ar_request = &hints };
	static struct gaicb *list[] = { &request };
	const struct timespec limit = { .tv_nsec = ms * 1000 * 1000 };

	memcpy(host, answer->host, sizeof(host));
	if (getaddrinfo_a(GAI_NOWAIT, list, 1, NULL))
		return false;
	(void)!gai_suspend((const struct gaicb *const *)list, 1, &limit);
	if (gai_error(&request))
		return false;
	take_answer(request.ar_result, answer);
	freeaddrinfo(request.ar_result);
	return true;
}

int overrides_resolve_one(const struct name *name, long ms, struct error *err)
{
	struct answer answer;

	set_question(&answer, name);
	return ask_within(&answer, ms) ? use_all(&(struct answers){ .list = &answer, .nr = 1 }, err) : 0;
}

static int resolve(each_fn each, struct error *err)
{
	struct answers answers = {};
	int ret = note_all(each, &answers, err);

	if (!ret) {
		shuffle(&answers);
		ask_each(&answers);
		ret = use_all(&answers, err);
	}
	free(answers.list);
	return ret;
}

/* What overrides are for comes first. */
int overrides_resolve(struct error *err)
{
	return resolve(names_each, err) || resolve(names_each_found, err) ? -1 : 0;
}
