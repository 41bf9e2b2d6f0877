/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The coordinator of `coppice serve`: takes requests, has tasks of functions' groups answer
 * them, and takes the tasks down. One thread, one loop.
 *
 *	http		listeners, connections, exchanges
 *	admission, tls	who asks, and what they may ask for
 *	invoke, runtime_api, metrics	what is served by HTTP: to clients, to tasks, to monitors
 *	request		what is asked for
 *	pool		a deployed function: its tasks, what it has measured, its log
 *	spare, standing	a task of a group for whichever of its functions needs one; of which groups, unused
 *	waiting		requests of all functions that wait for a task, in order
 *	forward, curl	requests that go to another hub or to the cloud
 *	task		one process that handles events one after the other
 *	shelf, task_record, ended	what outlives the coordinator, so that its tasks do
 *	queue, answers	asynchronous requests on disk, and what came of them for who waits
 *	mqtt		messages of a broker that are such requests
 */
#ifndef COPPICE_COORDINATOR_H
#define COPPICE_COORDINATOR_H

#include "admission.h"
#include "forward.h"
#include "http.h"
#include "lib/backend.h"
#include "loop.h"
#include "mqtt.h"
#include "peer.h"
#include "pool.h"
#include "queue.h"
#include "request.h"
#include "shelf.h"

#define COORDINATOR_LISTENERS	8

struct settings {
	const char *socket;	/* path, or NULL */
	unsigned int port;	/* of the loopback interface; 0: none */
	unsigned int wait_s;	/* that a request waits for its turn */
	unsigned int retry_s;	/* before the second try of an asynchronous one */
	unsigned int idle_s;	/* until an idle task is ended */
	uint64_t reserve;	/* bytes of the hub's memory that stay available */
	bool spares;		/* a task of each group in use waits for whichever function needs one */
	unsigned int standing;	/* so many groups have one before they are in use, and after */
	bool any_user;		/* may invoke */
	unsigned int hops;	/* hubs at most that a request comes through */
	unsigned int forwards;	/* requests under way to others at a time */
	unsigned int load;	/* percent of the processors; 0: any */
	const char *listen;	/* ADDRESS:PORT for devices and hubs, by TLS; or NULL */
	const char *certificate, *key, *ca;	/* files, or all NULL */
	struct mqtt_settings mqtt;
};

struct coordinator {
	const struct backend *backend;
	struct settings settings;
	struct loop loop;
	struct http http, secure;	/* secure: open if there is a certificate */
	struct tls tls;
	struct admission admission;
	struct peer_search peers;	/* who they are */
	struct forwarder forwarder;
	struct listener listeners[COORDINATOR_LISTENERS];
	unsigned int nr_listeners;
	TAILQ_HEAD(pools, pool) pools;
	TAILQ_HEAD(waiting, request) waiting;	/* by priority, then age */
	struct queue queue;
	struct shelf shelf;
	struct watch lease;	/* of who holds it, if that is ours */
	struct mqtt mqtt;	/* open if there is a broker */
	struct timer tick;	/* for what nothing tells of */
	uint64_t tasks;		/* started ever */
	struct timespec functions_stamp;	/* of their directory, as it was read */
	uint64_t functions_read;
	bool draining;		/* nothing new is taken */
	bool leaving;		/* and the tasks are the next coordinator's */
	TAILQ_HEAD(spent, task) spent;	/* to be ended once what they answered is sent */
	bool standing_due;	/* the next standing spare may be started */
	bool changed;		/* a request may be given to a task, or a task be started */
};

int __must_check coordinator_run(const struct backend *backend, const struct settings *settings,
				 struct error *err);

#endif /* COPPICE_COORDINATOR_H */
