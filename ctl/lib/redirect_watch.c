// SPDX-License-Identifier: GPL-2.0
/*
 * Probing handlers and the cloud, and telling events.
 *
 * What the hooks see by themselves, a handler on this machine without a listening socket,
 * is not probed: it would be known later than by them. The prober finds those that hang and
 * those elsewhere. What it finds lasts for DOWN_LASTS and is renewed, so that nothing
 * stays down when nobody looks any more. A switch is one update of one element.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "cleanup.h"
#include "redirect.h"
#include "redirect_pins.h"
#include "redirect_table.h"

#define DOWN_LASTS	(10ull * 1000000000)	/* ns */
#define PROBE_LASTS	1000			/* ms until a connect counts as failed */

/* What is probed: a handler, by index, or the cloud of a rule with prefer-cloud. */
struct probe {
	bool is_cloud, seen;
	__u32 index;
	__u32 epoch;			/* of the rule */
	struct endpoint address;
	bool here;			/* the hooks see whether it listens */
	unsigned int bad, good;		/* in a row */
	bool down;
	int fd;				/* of a connect, or -1 */
	pid_t pid;			/* of a check, or 0 */
	bool failed, refused;		/* in this round */
};

struct watcher {
	const struct redirect_watch *watch;
	struct probe *probes;
	size_t nr, allocated;
	struct ring_buffer *ring;
	int result;			/* of watch->tell() */
	struct error *err;
};

static __u64 now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1000000000ull + time.tv_nsec;
}

/*
 * What is to be probed.
 */

static int add_probe(struct watcher *watcher, const struct probe *wanted)
{
	struct probe *probes;
	size_t i;

	for (i = 0; i < watcher->nr; i++) {
		struct probe *probe = &watcher->probes[i];

		if (probe->is_cloud != wanted->is_cloud || probe->index != wanted->index ||
		    probe->epoch != wanted->epoch ||
		    !endpoint_same(&probe->address, &wanted->address))
			continue;
		probe->seen = true;
		return 0;
	}
	if (watcher->nr == watcher->allocated) {
		probes = reallocarray(watcher->probes, watcher->allocated + 64, sizeof(*probes));
		if (!probes)
			return error_set(watcher->err, ENOMEM, "out of memory");
		watcher->probes = probes;
		watcher->allocated += 64;
	}
	watcher->probes[watcher->nr] = *wanted;
	watcher->probes[watcher->nr++].seen = true;
	return 0;
}

/*
 * A wildcard leads nowhere itself: one of the hosts found under it stands for all. The lowest
 * address, so that it is the same one every time.
 */
static bool find_host(const struct pins *pins, const struct name_key *wildcard,
		      struct name_value *value)
{
	int names = pins->map[MAP_NAMES];
	struct name_key key, lowest = {};
	struct name_value host;
	bool more = !bpf_map_get_next_key(names, NULL, &key), found = false;

	for (; more; more = !bpf_map_get_next_key(names, &key, &key)) {
		if (key.group != wildcard->group || key.family != wildcard->family ||
		    bpf_map_lookup_elem(names, &key, &host) || !host.real ||
		    memcmp(host.alias, wildcard->address, sizeof(host.alias)) ||
		    (found && memcmp(&key, &lowest, sizeof(key)) > 0))
			continue;
		lowest = key;
		*value = host;
		found = true;
	}
	return found;
}

/* A name is probed where it would really go. */
static bool real_address(const struct pins *pins, const struct rule_key *key,
			 struct endpoint *address)
{
	struct name_key name = { .group = key->group, .family = key->family };
	struct name_value value;

	memcpy(name.address, key->address, sizeof(name.address));
	if (bpf_map_lookup_elem(pins->map[MAP_NAMES], &name, &value) ||
	    (!value.real && !find_host(pins, &name, &value)))
		return false;
	memset(address->address, 0, sizeof(address->address));
	if (value.real & NAME_REAL4) {
		address->family = AF_INET;
		memcpy(address->address, value.real4, sizeof(value.real4));
	} else if (value.real & NAME_REAL6) {
		address->family = AF_INET6;
		memcpy(address->address, value.real6, sizeof(value.real6));
	}
	return value.real;
}

static int add_cloud(struct watcher *watcher, const struct pins *pins,
		     const struct rule_entry *entry, const struct override_value *override)
{
	struct probe probe = {
		.is_cloud = true,
		.index = entry->value.rule,
		.epoch = override->epoch,
		.address = redirect_key_endpoint(&entry->key),
		.fd = -1,
	};

	if (override->named && !real_address(pins, &entry->key, &probe.address))
		return 0;
	return add_probe(watcher, &probe);
}

static int add_handlers(struct watcher *watcher, const struct pins *pins,
			const struct override_value *override)
{
	struct handler_value handler;
	size_t i;

	for (i = 0; i < override->nr_choices && i < REDIRECT_CHOICES_MAX; i++) {
		struct probe probe = { .index = override->choices[i].handler, .fd = -1 };

		if (bpf_map_lookup_elem(pins->map[MAP_HANDLERS], &probe.index, &handler) ||
		    handler.family == AF_UNIX)
			continue;
		probe.address = redirect_handler_endpoint(&handler, NULL);
		probe.here = handler.here;
		if (add_probe(watcher, &probe))
			return -1;
	}
	return 0;
}

static int add_rule(struct watcher *watcher, const struct pins *pins,
		    const struct rule_entry *entry)
{
	struct override_value override;
	__u32 rule = entry->value.rule;

	if (bpf_map_lookup_elem(pins->map[MAP_OVERRIDES], &rule, &override))
		return 0;
	/* By TCP only, unless there is a command that knows better. */
	if (entry->key.protocol != IPPROTO_TCP && !watcher->watch->check)
		return 0;
	if (override.policy == REDIRECT_PREFER_CLOUD &&
	    add_cloud(watcher, pins, entry, &override))
		return -1;
	return add_handlers(watcher, pins, &override);
}

static void forget_unseen(struct watcher *watcher)
{
	size_t i, kept = 0;

	for (i = 0; i < watcher->nr; i++)
		if (watcher->probes[i].seen)
			watcher->probes[kept++] = watcher->probes[i];
	watcher->nr = kept;
}

static int list_probes(struct watcher *watcher)
{
	cleanup_pins struct pins pins = PINS_CLOSED;
	cleanup_rules struct rule_set set = {};
	size_t i;

	for (i = 0; i < watcher->nr; i++)
		watcher->probes[i].seen = false;
	if (pins_open(&pins, PINS_READ, watcher->err) ||
	    (pins.ready && rules_read(&pins, &set, watcher->err)))
		return -1;
	for (i = 0; i < set.nr; i++)
		if (add_rule(watcher, &pins, &set.entries[i]))
			return -1;
	forget_unseen(watcher);
	return 0;
}

/*
 * Probing.
 */

/* Marked, so that a prober in a group would not be redirected either. */
static void start_connect(struct probe *probe)
{
	struct sockaddr_storage address;
	socklen_t len = endpoint_sockaddr(&probe->address, &address);
	int mark = REDIRECT_BYPASS_MARK;

	probe->fd = socket(address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	(void)!setsockopt(probe->fd, SOL_SOCKET, SO_MARK, &mark, sizeof(mark));
	if (probe->fd < 0 || !connect(probe->fd, (struct sockaddr *)&address, len) ||
	    errno == EINPROGRESS)
		return;
	probe->failed = true;
	probe->refused = errno == ECONNREFUSED;
	close(probe->fd);
	probe->fd = -1;
}

static void start_check(struct probe *probe, const char *command)
{
	char address[REDIRECT_TEXT_MAX];

	endpoint_format(&probe->address, address);
	probe->pid = fork();
	if (probe->pid)
		return;
	setpgid(0, 0);
	execl("/bin/sh", "sh", "-c", command, "check", address, NULL);
	_exit(127);
}

static void finish_connect(struct probe *probe, bool answered)
{
	int error = 0;
	socklen_t len = sizeof(error);

	getsockopt(probe->fd, SOL_SOCKET, SO_ERROR, &error, &len);
	probe->failed = !answered || error;
	probe->refused = error == ECONNREFUSED;
	close(probe->fd);
	probe->fd = -1;
}

static void finish_check(struct probe *probe, __u64 until)
{
	const struct timespec pause = { .tv_nsec = 10000000 };
	int status = -1;
	pid_t ended;

	while (!(ended = waitpid(probe->pid, &status, WNOHANG)) && now() < until)
		nanosleep(&pause, NULL);
	if (!ended) {
		kill(-probe->pid, SIGKILL);
		waitpid(probe->pid, NULL, 0);
	}
	probe->failed = ended != probe->pid || status;
	probe->pid = 0;
}

static void start_probes(struct watcher *watcher)
{
	size_t i;

	for (i = 0; i < watcher->nr; i++) {
		struct probe *probe = &watcher->probes[i];

		probe->failed = probe->refused = false;
		if (watcher->watch->check && !probe->is_cloud)
			start_check(probe, watcher->watch->check);
		else
			start_connect(probe);
	}
}

static void finish_probes(struct watcher *watcher)
{
	__u64 until = now() + PROBE_LASTS * 1000000ull;
	size_t i;

	for (i = 0; i < watcher->nr; i++) {
		struct probe *probe = &watcher->probes[i];
		struct pollfd polled = { .fd = probe->fd, .events = POLLOUT };
		__u64 time = now();

		if (probe->pid)
			finish_check(probe, until);
		else if (probe->fd >= 0)
			finish_connect(probe, poll(&polled, 1, time < until ?
						   (until - time) / 1000000 + 1 : 0) > 0);
	}
}

/*
 * Switching.
 */

static int write_handler(const struct pins *pins, const struct probe *probe, __u64 until)
{
	struct handler_value value;
	struct endpoint address;

	/* The index may be another one's by now. */
	if (bpf_map_lookup_elem(pins->map[MAP_HANDLERS], &probe->index, &value))
		return 0;
	address = redirect_handler_endpoint(&value, NULL);
	if (!endpoint_same(&address, &probe->address))
		return 0;
	value.down_until = until;
	return bpf_map_update_elem(pins->map[MAP_HANDLERS], &probe->index, &value, BPF_ANY);
}

static int write_cloud(const struct pins *pins, const struct probe *probe, __u64 until)
{
	struct override_value value;

	if (bpf_map_lookup_elem(pins->map[MAP_OVERRIDES], &probe->index, &value) ||
	    value.epoch != probe->epoch)
		return 0;
	value.cloud_down_until = until;
	return bpf_map_update_elem(pins->map[MAP_OVERRIDES], &probe->index, &value, BPF_ANY);
}

static int write_state(struct watcher *watcher, const struct probe *probe)
{
	cleanup_pins struct pins pins = PINS_CLOSED;
	__u64 until = probe->down ? now() + DOWN_LASTS : 0;

	if (pins_open(&pins, PINS_WRITE, watcher->err))
		return -1;
	if (!pins.ready || !(probe->is_cloud ? write_cloud : write_handler)(&pins, probe, until))
		return 0;
	return error_set(watcher->err, errno, "the state of a handler cannot be written to %s: %s",
			 PIN_MAPS, strerror(errno));
}

static int tell_state(struct watcher *watcher, const struct probe *probe)
{
	struct redirect_news news = { .endpoint = probe->address };

	if (probe->is_cloud)
		news.event = probe->down ? "cloud-unreachable" : "cloud-reachable";
	else
		news.event = probe->down ? "handler-down" : "handler-up";
	watcher->result = watcher->watch->tell(&news, watcher->watch->data);
	return watcher->result;
}

/* Hysteresis: one bad answer, or one good one, is none. */
static int judge(struct watcher *watcher, struct probe *probe)
{
	bool was = probe->down;

	/* Nobody listens: the hooks know. */
	if (probe->failed && probe->refused && probe->here && !probe->is_cloud)
		return 0;
	probe->bad = probe->failed ? probe->bad + 1 : 0;
	probe->good = probe->failed ? 0 : probe->good + 1;
	if (probe->bad >= watcher->watch->failures)
		probe->down = true;
	else if (probe->good >= watcher->watch->successes)
		probe->down = false;
	if ((probe->down || was) && write_state(watcher, probe))
		return -1;
	return probe->down != was ? tell_state(watcher, probe) : 0;
}

static int probe_round(struct watcher *watcher)
{
	size_t i;

	if (list_probes(watcher))
		return -1;
	start_probes(watcher);
	finish_probes(watcher);
	for (i = 0; i < watcher->nr; i++)
		if (judge(watcher, &watcher->probes[i]))
			return -1;
	return 0;
}

/*
 * Events.
 */

static int tell_event(void *data, void *record, size_t size)
{
	static const char *const verdicts[NR_REDIRECT_VERDICTS] = {
		[REDIRECT_FELL_THROUGH] = "fell-through",
		[REDIRECT_DENIED] = "denied",
		[REDIRECT_NO_HANDLER] = "no-handler",
	};
	const struct redirect_event *event = record;
	struct watcher *watcher = data;
	struct redirect_news news = {
		.event = verdicts[event->verdict % NR_REDIRECT_VERDICTS],
		.pid = event->pid,
		.endpoint = {
			.family = event->family,
			.prefixlen = event->family == AF_INET ? 32 : 128,
			.protocol = event->protocol,
			.port = event->port,
			.last = event->port,
		},
	};

	if (size < sizeof(*event))
		return 0;
	memcpy(news.endpoint.address, event->address, sizeof(event->address));
	redirect_group_name(event->group, news.group);
	if (event->family == AF_UNIX)
		redirect_rule_path(event->rule, news.endpoint.path);
	watcher->result = watcher->watch->tell(&news, watcher->watch->data);
	return watcher->result;
}

/* The maps may be made after us. */
static int open_ring(struct watcher *watcher)
{
	cleanup_pins struct pins pins = PINS_CLOSED;

	if (watcher->ring)
		return 0;
	if (pins_open(&pins, PINS_READ, watcher->err))
		return -1;
	if (pins.ready)
		watcher->ring = ring_buffer__new(pins.map[MAP_EVENTS], tell_event, watcher, NULL);
	return 0;
}

static int wait_and_tell(struct watcher *watcher)
{
	const struct timespec pause = { .tv_nsec = 10000000 };
	__u64 until = now() + watcher->watch->interval * 1000000ull, time;

	if (open_ring(watcher))
		return -1;
	for (time = now(); time < until && !watcher->result; time = now()) {
		if (watcher->ring)
			ring_buffer__poll(watcher->ring, (until - time) / 1000000 + 1);
		else
			nanosleep(&pause, NULL);
	}
	return watcher->result;
}

int redirect_watch(const struct redirect_watch *watch, struct error *err)
{
	struct watcher watcher = { .watch = watch, .err = err };
	int result = 0;

	while (!result)
		result = probe_round(&watcher) || wait_and_tell(&watcher);
	ring_buffer__free(watcher.ring);
	free(watcher.probes);
	return watcher.result ? watcher.result : -1;
}
