/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Programs that answer for groups: the responder (DNS) and the terminator (TLS). Each has
 * one supervisor, `coppice service run NAME`, which starts it, starts it again when it ends and
 * has its configuration renewed; in the background by `coppice service start`, or by systemd.
 * Both outlive the controller that started them, in a cgroup beside the groups'.
 *
 *	/run/coppice/service/NAME.lock	held by the supervisor, whose process id is in it
 *	/run/coppice/service/NAME.log	what the program says
 */
#ifndef COPPICE_SERVICE_H
#define COPPICE_SERVICE_H

#include <netinet/in.h>
#include <stdbool.h>
#include <sys/types.h>

#include "error.h"
#include "redirect.h"

#define SERVICE_DIRECTORY	"/run/coppice/service"
#define SERVICE_CGROUP		"/coppice-services"
#define SERVICE_WORDS		8

struct service {
	const char *name;
	const char *program, *package;
	/* Is there something to do for it? 1 or 0, or -1 where that cannot be told. */
	int (*wanted)(struct error *err);
	/* Write what the program reads, and its words into @argv behind the path. */
	int (*configure)(char **argv, struct error *err);
	/* Has anything changed by itself, so that reload() is due? Or -1. */
	int (*renew)(struct error *err);
	/* It tells when it is ready, as systemd wants it, and can be told nothing before. */
	bool notifies;
	/* What may take long: in a process of its own, now and then. Or NULL. */
	int (*background)(struct error *err);
	/* What the program asks: a socket for it, and a process that answers there. Or NULL. */
	int (*companion_open)(struct error *err);
	void (*companion)(int socket);
	/* In the supervisor: let @program read what was written. */
	int (*reload)(pid_t program, struct error *err);
	/* The same for others; it is done, or soon will be, when this returns. */
	int (*refresh)(pid_t supervisor, struct error *err);
	/* Where it listens once it is ready; false: nowhere. */
	bool (*listens_at)(struct endpoint *at);
};

extern const struct service service_responder, service_terminator;
extern const struct service *const services[];	/* NULL-terminated */

const struct service *service_find(const char *name, struct error *err);

/* The supervisor's process, or 0; -1 where that cannot be told. */
pid_t service_pid(const struct service *service, struct error *err);

/* Run it in the background, if it does not already, until it listens. */
int __must_check service_start(const struct service *service, struct error *err);
/* No error if it does not run. */
int __must_check service_stop(const struct service *service, struct error *err);
/* Start it, or have it read its configuration again. */
int __must_check service_refresh(const struct service *service, struct error *err);

/* Be the supervisor until a signal ends it. Returns an exit status, or -1. */
int __must_check service_run(const struct service *service, struct error *err);

/* Does something listen there, or no more, within the time that programs take? */
bool service_listens(const struct endpoint *at);
bool service_is_silent(const struct endpoint *at);

#endif /* COPPICE_SERVICE_H */
