// SPDX-License-Identifier: GPL-2.0
/* Who asks, and what they may ask for. */
#include <stdio.h>
#include <sys/stat.h>

#include "admission.h"
#include "coordinator.h"
#include "log.h"
#include "peer.h"
#include "reply.h"

#define UNKNOWN_TYPE	"UnrecognizedClientException"
#define UNKNOWN_TEXT	"this hub knows no such device: add it on the hub with coppice device add"

static struct coordinator *coordinator_of(const struct exchange *exchange)
{
	return exchange->connection->listener->data;
}

/* Read anew when the file was replaced. What can't be read lets nobody in. */
static const struct devices *devices_now(struct coordinator *coordinator)
{
	struct admission *admission = &coordinator->admission;
	struct stat stat_ = {};
	struct error err;

	(void)!stat(DEVICES_FILE, &stat_);
	if (stat_.st_mtim.tv_sec == admission->stamp.tv_sec &&
	    stat_.st_mtim.tv_nsec == admission->stamp.tv_nsec)
		return &admission->devices;
	devices_free(&admission->devices);
	admission->stamp = stat_.st_mtim;
	admission->damaged = devices_read(&admission->devices, &err);
	if (admission->damaged)
		log_event(LOG_ERR, "devices-unreadable", "reason", err.text, NULL);
	return &admission->devices;
}

/* A token is what its bearer chose to be judged by, wherever they come from. */
bool admission_identify(struct exchange *exchange, struct caller *caller)
{
	const char *token = exchange_header(exchange, HEADER_TOKEN);
	gnutls_session_t session = exchange_tls(exchange);

	*caller = (struct caller) { .is_device = token || session };
	if (token) {
		caller->credential = (struct credential) { CREDENTIAL_TOKEN, token };
		return true;
	}
	if (!session)
		return true;
	caller->credential = (struct credential) { CREDENTIAL_CERTIFICATE, caller->subject };
	if (tls_peer_subject(session, caller->subject))
		return true;
	coordinator_of(exchange)->admission.refused++;
	reply_error(exchange, MHD_HTTP_UNAUTHORIZED, "UnrecognizedClientException",
		    "this hub cannot tell which device you are: show a client certificate of its authority, or a token in "
		    HEADER_TOKEN);
	return false;
}

bool admission_knows(struct coordinator *coordinator, const struct caller *caller)
{
	return !caller->is_device ||
	       devices_recognise(devices_now(coordinator), &caller->credential);
}

bool admission_device_may(struct coordinator *coordinator, const struct credential *credential,
			  const struct pool *pool)
{
	const struct devices *devices = devices_now(coordinator);
	const struct known_device *device = devices_recognise(devices, credential);

	if (!coordinator->admission.damaged &&
	    device_may_invoke(devices, credential, &pool->function))
		return true;
	coordinator->admission.refused++;
	log_event(LOG_NOTICE, "device-refused", "function", pool->function.name, "device",
		  device ? device->name : NULL, "subject",
		  credential->kind == CREDENTIAL_TOKEN ? NULL : credential->text, NULL);
	return false;
}

static bool user_may(const struct exchange *exchange, const struct pool *pool)
{
	struct peer peer;

	return pool->coordinator->settings.any_user ||
	       (peer_find(&pool->coordinator->peers, exchange->connection->fd, &peer) &&
		(!peer.uid || peer.uid == pool->function.owner));
}

void admission_refuse_unknown(struct exchange *exchange)
{
	reply_error(exchange, MHD_HTTP_FORBIDDEN, UNKNOWN_TYPE, UNKNOWN_TEXT);
}

const char *admission_refusal(const struct coordinator *coordinator,
			      const struct credential *credential, const struct pool *pool,
			      char *text, size_t size)
{
	const struct known_device *device =
		devices_recognise(&coordinator->admission.devices, credential);

	if (!device) {
		snprintf(text, size, UNKNOWN_TEXT);
		return UNKNOWN_TYPE;
	}
	snprintf(text, size, "device %s may not request function %s: add the function or its group to the device on the hub",
		 device->name, pool->function.name);
	return "AccessDeniedException";
}

bool admission_permits(struct exchange *exchange, const struct caller *caller,
		       const struct pool *pool)
{
	const char *type;
	char text[256];

	if (caller->is_device) {
		if (admission_device_may(pool->coordinator, &caller->credential, pool))
			return true;
		type = admission_refusal(pool->coordinator, &caller->credential, pool, text, sizeof(text));
		reply_error(exchange, MHD_HTTP_FORBIDDEN, type, "%s", text);
		return false;
	}
	if (user_may(exchange, pool))
		return true;
	reply_error(exchange, MHD_HTTP_FORBIDDEN, "AccessDeniedException",
		    "the function is another user's: invoke it as its owner or as root");
	return false;
}

void admission_close(struct admission *admission)
{
	devices_free(&admission->devices);
}
