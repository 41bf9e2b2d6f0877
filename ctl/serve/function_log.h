/* SPDX-License-Identifier: GPL-2.0 */
/* What a function's tasks print: /var/log/coppice/NAME.log, and the part before it in NAME.log.1. */
#ifndef COPPICE_FUNCTION_LOG_H
#define COPPICE_FUNCTION_LOG_H

#include <stddef.h>
#include <stdint.h>

#define FUNCTION_LOG_DIRECTORY	"/var/log/coppice"

struct function_log {
	const char *name;	/* the function's */
	int fd;			/* -1: not open */
	uint64_t size;
};

void function_log_open(struct function_log *log, const char *name);
void function_log_close(struct function_log *log);
/* What can't be written is lost: no request fails for it. */
void function_log_write(struct function_log *log, const char *data, size_t len);

#endif /* COPPICE_FUNCTION_LOG_H */
