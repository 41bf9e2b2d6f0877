/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Who asks, and what they may ask for. Users of this hub are told by the kernel, devices and
 * other hubs by what they show: see lib/devices.h.
 */
#ifndef COPPICE_ADMISSION_H
#define COPPICE_ADMISSION_H

#include <time.h>

#include "http.h"
#include "lib/devices.h"
#include "tls.h"

#define HEADER_TOKEN	"X-Coppice-Token"

struct coordinator;
struct pool;

/* devices.json as it was read last. */
struct admission {
	struct devices devices;
	struct timespec stamp;
	bool damaged;
	uint64_t refused;	/* requests, counted since the start */
};

struct caller {
	bool is_device;		/* else a user of this hub */
	struct credential credential;
	char subject[TLS_SUBJECT_SIZE];	/* what credential.text may point to */
};

/* False, and answered, if nothing tells who it is. */
bool admission_identify(struct exchange *exchange, struct caller *caller);
/* Does the hub know this device, or need not to? */
bool admission_knows(struct coordinator *coordinator, const struct caller *caller);
/* Who is not known is not told what there is. */
void admission_refuse_unknown(struct exchange *exchange);
/* False, and answered, if the caller may not have the function. */
bool admission_permits(struct exchange *exchange, const struct caller *caller,
		       const struct pool *pool);
/* The same for who is no client of HTTP; counts who is refused. */
bool admission_device_may(struct coordinator *coordinator, const struct credential *credential,
			  const struct pool *pool);
/* Why it may not: the exception's name, and a sentence in @text. */
const char *admission_refusal(const struct coordinator *coordinator,
			      const struct credential *credential, const struct pool *pool,
			      char *text, size_t size);
void admission_close(struct admission *admission);

#endif /* COPPICE_ADMISSION_H */
