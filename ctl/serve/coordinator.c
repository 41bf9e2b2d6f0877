// SPDX-License-Identifier: GPL-2.0
/* The coordinator's life: what it listens on, its loop, its end. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "invoke.h"
#include "lib/cleanup.h"
#include "lib/file.h"
#include "log.h"
#include "memory.h"
#include "standing.h"
#include "systemd.h"
#include "task.h"
#include "task_survivors.h"
#include "waiting.h"

#define TICK_NS		NS_PER_S
#define DRAIN_NS	(60 * NS_PER_S)	/* for what is being answered when it is to end */
#define HELD_MAX	(64UL << 20)	/* bytes of bodies, by TLS half as many more */
#define LOCK_FILE	RUN_DIRECTORY "/serve.lock"

struct ending {
	struct coordinator *coordinator;
	struct watch signals;
	struct timer limit;
};

/*
 * Listening.
 */

static int listen_on(struct coordinator *coordinator, struct http *http, int fd,
		     struct error *err)
{
	if (coordinator->nr_listeners == COORDINATOR_LISTENERS) {
		close(fd);
		return error_set(err, E2BIG, "there are more than %d sockets to listen on",
				 COORDINATOR_LISTENERS);
	}
	fcntl(fd, F_SETFL, O_NONBLOCK);
	return listener_open(&coordinator->listeners[coordinator->nr_listeners++],
			     http, fd, &invoke_service, coordinator, err);
}

/* The lock says that the socket is nobody's. Everybody may connect: see may_invoke(). */
static int listen_unix(struct coordinator *coordinator, const char *path, struct error *err)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd;

	if (strlen(path) >= sizeof(address.sun_path))
		return error_set(err, ENAMETOOLONG, "%.200s is too long for a socket", path);
	strcpy(address.sun_path, path);
	unlink(path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd >= 0 && !bind(fd, (struct sockaddr *)&address, sizeof(address)) &&
	    !chmod(path, 0666) && !listen(fd, SOMAXCONN))
		return listen_on(coordinator, &coordinator->http, fd, err);
	error_set(err, errno, "%.200s cannot be listened on: %s", path, strerror(errno));
	cleanup_close(&fd);
	return -1;
}

static int listen_port(struct coordinator *coordinator, unsigned int port, struct error *err)
{
	struct sockaddr_in in = {
		.sin_family = AF_INET, .sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;

	if (fd >= 0 && !setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) &&
	    !bind(fd, (struct sockaddr *)&in, sizeof(in)) && !listen(fd, SOMAXCONN))
		return listen_on(coordinator, &coordinator->http, fd, err);
	error_set(err, errno, "port %u of the loopback interface cannot be listened on: %s: choose another with --port",
		  port, strerror(errno));
	cleanup_close(&fd);
	return -1;
}

/* ADDRESS:PORT, an IPv6 address in brackets; a name would have to be looked up. */
static struct addrinfo *parse_address(const char *text)
{
	const struct addrinfo hints = {
		.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE,
		.ai_socktype = SOCK_STREAM,
	};
	const char *colon = strrchr(text, ':');
	size_t len = colon ? colon - text : 0;
	struct addrinfo *address = NULL;
	char host[64];

	if (!len || len >= sizeof(host) || !colon[1])
		return NULL;
	if (*text == '[' && text[len - 1] == ']') {
		text++;
		len -= 2;
	}
	snprintf(host, sizeof(host), "%.*s", (int)len, text);
	return getaddrinfo(host, colon + 1, &hints, &address) ? NULL : address;
}

static int listen_secure(struct coordinator *coordinator, const char *text, struct error *err)
{
	struct addrinfo *address = parse_address(text);
	int fd = -1, on = 1;

	if (!address)
		return error_usage(err, "'%.80s' is nothing to listen on: give ADDRESS:PORT or [ADDRESS]:PORT, like 0.0.0.0:8443",
				   text);
	fd = socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd >= 0 && !setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) &&
	    !bind(fd, address->ai_addr, address->ai_addrlen) && !listen(fd, SOMAXCONN)) {
		freeaddrinfo(address);
		return listen_on(coordinator, &coordinator->secure, fd, err);
	}
	error_set(err, errno, "%.80s cannot be listened on: %s: choose another address with --listen", text,
		  strerror(errno));
	freeaddrinfo(address);
	cleanup_close(&fd);
	return -1;
}

static int listen_all(struct coordinator *coordinator, struct error *err)
{
	const struct settings *settings = &coordinator->settings;
	unsigned int before, i;
	const char *name;
	int fd;

	if (settings->listen && listen_secure(coordinator, settings->listen, err))
		return -1;
	before = coordinator->nr_listeners;
	for (i = 0; (fd = systemd_fd(i, &name)) >= 0; i++)
		if (!shelf_has_name(name) && listen_on(coordinator, &coordinator->http, fd, err))
			return -1;
	if (coordinator->nr_listeners > before)
		return 0;
	if (settings->socket && listen_unix(coordinator, settings->socket, err))
		return -1;
	return settings->port ? listen_port(coordinator, settings->port, err) : 0;
}

/*
 * The loop.
 */

static void on_tick(struct timer *timer)
{
	struct coordinator *coordinator = container_of(timer, struct coordinator, tick);

	pool_refresh_all(coordinator);
	pool_make_room(coordinator);
	if (!coordinator->draining)
		pool_fill_all(coordinator);
	standing_choose(coordinator);
	queue_look(&coordinator->queue);
	if (coordinator->settings.mqtt.broker)
		mqtt_tick(&coordinator->mqtt);
	memory_give_back();
	coordinator->changed = true;
	loop_at(&coordinator->loop, timer, loop_now() + TICK_NS);
}

/* All that can be done at once; how long may be waited then, -1 for ever. */
static int work(struct coordinator *coordinator)
{
	int limit_ms, secure_ms = -1;

	do {
		queue_run(&coordinator->queue);
		if (coordinator->settings.mqtt.broker)
			mqtt_run(&coordinator->mqtt);
		if (coordinator->changed)
			waiting_dispatch(coordinator);
		limit_ms = http_run(&coordinator->http);
		if (coordinator->settings.listen)
			secure_ms = http_run(&coordinator->secure);
		task_end_spent(coordinator);
	} while (coordinator->changed || !TAILQ_EMPTY(&coordinator->queue.additions));
	return secure_ms < 0 || (limit_ms >= 0 && limit_ms < secure_ms) ? limit_ms : secure_ms;
}

static bool has_tasks(const struct coordinator *coordinator)
{
	const struct pool *pool;

	TAILQ_FOREACH(pool, &coordinator->pools, link)
		if (!TAILQ_EMPTY(&pool->tasks))
			return true;
	return false;
}

static bool is_answering(const struct coordinator *coordinator, const struct http_service *service)
{
	return http_is_answering(&coordinator->http, service) ||
	       (coordinator->settings.listen && http_is_answering(&coordinator->secure, service));
}

/*
 * Answers that are being sent count, too. What tasks ask for is the next coordinator's, as they are,
 * and so are answers that a broker has not confirmed, which are on disk.
 */
static bool is_done(const struct coordinator *coordinator)
{
	if (coordinator->leaving)
		return coordinator->loop.ended || !is_answering(coordinator, &invoke_service);
	return coordinator->draining && !has_tasks(coordinator) &&
	       TAILQ_EMPTY(&coordinator->waiting) &&
	       (coordinator->loop.ended ||
		(!is_answering(coordinator, NULL) &&
		 !(coordinator->settings.mqtt.broker && mqtt_is_answering(&coordinator->mqtt))));
}

static int run(struct coordinator *coordinator, struct error *err)
{
	while (!is_done(coordinator))
		if (loop_step(&coordinator->loop, work(coordinator), err))
			return -1;
	return 0;
}

/*
 * The end.
 */

/* Requests that are here are answered. Tasks end once they have nothing to do, or go on. */
static void on_signal(struct watch *watch, uint32_t events)
{
	struct ending *ending = container_of(watch, struct ending, signals);
	struct coordinator *coordinator = ending->coordinator;
	struct signalfd_siginfo info;
	unsigned int i;

	(void)events;
	if (read(watch->fd, &info, sizeof(info)) != sizeof(info))
		return;
	coordinator->leaving = info.ssi_signo == SIGUSR1 && coordinator->shelf.fd >= 0;
	log_event(LOG_NOTICE, coordinator->leaving ? "leaving" : "draining", NULL);
	systemd_notify("STOPPING=1");
	for (i = 0; i < coordinator->nr_listeners; i++)
		loop_unwatch(&coordinator->loop, &coordinator->listeners[i].watch);
	/* A second signal does not wait. */
	loop_at(&coordinator->loop, &ending->limit,
		coordinator->draining ? loop_now() : loop_now() + DRAIN_NS);
	coordinator->draining = true;
	if (!coordinator->leaving)
		pool_end_all(coordinator);
}

static void on_limit(struct timer *timer)
{
	struct ending *ending = container_of(timer, struct ending, limit);
	struct pool *pool;
	struct task *task;

	ending->coordinator->loop.ended = true;
	waiting_end_all(ending->coordinator, "the coordinator is ending");
	if (ending->coordinator->leaving)
		return;
	TAILQ_FOREACH(pool, &ending->coordinator->pools, link)
		TAILQ_FOREACH(task, &pool->tasks, link)
			if (task->state != TASK_ENDING)
				task_interrupt(task);
}

static int watch_signals(struct ending *ending, struct error *err)
{
	sigset_t set;
	int fd;

	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (fd < 0)
		return error_set(err, errno, "signals cannot be waited for: %s", strerror(errno));
	return loop_watch(&ending->coordinator->loop, &ending->signals, fd, EPOLLIN, err);
}

/* A connection each, and six descriptors a task. */
static void raise_limits(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit))
		return;
	limit.rlim_cur = limit.rlim_max;
	(void)!setrlimit(RLIMIT_NOFILE, &limit);
}

/* Of this process alone: a child that is not yet its task has the descriptor, and would hold what belongs to that. */
static int take_lock(struct error *err)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	int fd;

	if (file_make_directory(RUN_DIRECTORY, 0755, err))
		return -1;
	fd = open(LOCK_FILE, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd >= 0 && !fcntl(fd, F_SETLK, &lock))
		return fd;
	if (errno == EAGAIN || errno == EACCES)
		error_set(err, EBUSY, "there is a coordinator on this hub already: end it first");
	else
		error_set(err, errno, LOCK_FILE " cannot be locked: %s: run as root", strerror(errno));
	cleanup_close(&fd);
	return -1;
}

/*
 * The shelf.
 */

/* Nobody has come for the tasks. If somebody comes now, they are theirs. */
static bool end_abandoned(void)
{
	struct error err;
	autoclose int lock = take_lock(&err);

	if (lock < 0)
		return false;
	task_remove_strays(NULL);
	return true;
}

static void close_found(const char *name, int fd, void *data)
{
	(void)name;
	(void)data;
	close(fd);
}

static void watch_lease(struct coordinator *coordinator);

/* Who held it was killed: another one has to. */
static void on_lease(struct watch *watch, uint32_t events)
{
	struct coordinator *coordinator = container_of(watch, struct coordinator, lease);

	(void)events;
	log_event(LOG_WARNING, "shelf-lost", NULL);
	loop_unwatch(&coordinator->loop, watch);
	coordinator->shelf.lease = -1;
	shelf_close(&coordinator->shelf);
	shelf_open(&coordinator->shelf, coordinator->settings.idle_s, end_abandoned, close_found, NULL);
	watch_lease(coordinator);
	ended_put(&coordinator->queue.ended, &coordinator->shelf);
	pool_put_all(coordinator);
}

static void watch_lease(struct coordinator *coordinator)
{
	struct error err;

	coordinator->lease = (struct watch) { .fd = -1, .ready = on_lease };
	if (coordinator->shelf.lease >= 0 &&
	    loop_watch(&coordinator->loop, &coordinator->lease, coordinator->shelf.lease, EPOLLIN, &err))
		log_event(LOG_WARNING, "shelf-unwatched", "reason", err.text, NULL);
}

static int open_secure(struct coordinator *coordinator, struct error *err)
{
	const struct settings *settings = &coordinator->settings;

	if (!settings->certificate)
		return 0;
	if (tls_open(&coordinator->tls, settings->certificate, settings->key, settings->ca, err))
		return -1;
	return settings->listen ? http_open(&coordinator->secure, &coordinator->loop, HELD_MAX / 2,
					    &coordinator->tls, err) : 0;
}

static int open_all(struct coordinator *coordinator, struct ending *ending, struct error *err)
{
	struct survivors survivors = { TAILQ_HEAD_INITIALIZER(survivors.list), -1 };

	raise_limits();
	shelf_open(&coordinator->shelf, coordinator->settings.idle_s, end_abandoned, survivors_add,
		   &survivors);
	if (loop_open(&coordinator->loop, err) ||
	    http_open(&coordinator->http, &coordinator->loop, HELD_MAX, NULL, err) ||
	    open_secure(coordinator, err) ||
	    watch_signals(ending, err) || queue_open(&coordinator->queue, coordinator, err))
		return -1;
	watch_lease(coordinator);
	queue_forget_ended(&coordinator->queue, survivors.ended);
	if (coordinator->settings.mqtt.broker && mqtt_open(&coordinator->mqtt, coordinator, err))
		return -1;
	survivors_keep(coordinator, &survivors);
	task_remove_strays(coordinator);
	if (listen_all(coordinator, err))
		return -1;
	coordinator->tick.fire = on_tick;
	on_tick(&coordinator->tick);
	return 0;
}

int coordinator_run(const struct backend *backend, const struct settings *settings,
		    struct error *err)
{
	struct coordinator coordinator = { .backend = backend, .settings = *settings };
	struct ending ending = {
		.coordinator = &coordinator, .signals = { .fd = -1, .ready = on_signal },
		.limit.fire = on_limit,
	};
	autoclose int lock = take_lock(err);
	int ret;

	if (lock < 0)
		return -1;
	TAILQ_INIT(&coordinator.pools);
	TAILQ_INIT(&coordinator.waiting);
	TAILQ_INIT(&coordinator.spent);
	forwarder_open(&coordinator.forwarder, &coordinator);
	if (open_all(&coordinator, &ending, err))
		return -1;
	log_event(LOG_NOTICE, "ready", "backend", backend->name, NULL);
	systemd_notify("READY=1");
	ret = run(&coordinator, err);
	if (settings->mqtt.broker)
		mqtt_close(&coordinator.mqtt);
	queue_close(&coordinator.queue);
	/* Tasks' connections are not to be closed. */
	if (!coordinator.leaving)
		http_close(&coordinator.http);
	if (settings->listen)
		http_close(&coordinator.secure);
	forwarder_close(&coordinator.forwarder);
	tls_close(&coordinator.tls);
	admission_close(&coordinator.admission);
	pool_free_all(&coordinator);
	loop_unwatch(&coordinator.loop, &coordinator.lease);
	coordinator.shelf.lease = -1;
	shelf_close(&coordinator.shelf);
	loop_close(&coordinator.loop);
	return ret;
}
