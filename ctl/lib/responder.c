// SPDX-License-Identifier: GPL-2.0
/*
 * The responder's configuration.
 *
 * PowerDNS Recursor, because it can be asked at many ports at once, has a script decide by
 * port and name, and takes a new script between two queries without closing a socket. dnsmasq
 * has no views, and neither it nor unbound knows wildcards inside a name.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "cleanup.h"
#include "file.h"
#include "overrides.h"
#include "program.h"
#include "responder.h"
#include "responder_hosts.h"

#define DIRECTORY	"/run/coppice/responder"
#define RESOLV_CONF	"/etc/resolv.conf"
#define FORWARDS	DIRECTORY "/forwards"
#define UPSTREAMS_MAX	8
#define PROGRAM		"pdns_recursor"
#define PACKAGE		"pdns-recursor"

extern const char responder_script[], responder_script_end[];

/* A text that grows; a failure is remembered until it is finished. */
struct text {
	FILE *file;
	char *data;
	size_t len;
};

static int text_open(struct text *text, struct error *err)
{
	*text = (struct text){};
	text->file = open_memstream(&text->data, &text->len);
	return text->file ? 0 : error_set(err, ENOMEM, "out of memory");
}

static int text_write(struct text *text, const char *path, struct error *err)
{
	int failed = ferror(text->file) | fclose(text->file);
	int ret = failed ? error_set(err, ENOMEM, "out of memory") :
			   file_write(path, 0600, text->data, text->len, err);

	free(text->data);
	return ret;
}

/*
 * Whom other names are asked of: the hub's own resolvers.
 */

struct upstreams {
	char list[UPSTREAMS_MAX][INET6_ADDRSTRLEN];
	size_t nr;
};

static void read_upstreams(struct upstreams *upstreams)
{
	autofclose FILE *file = fopen(RESOLV_CONF, "re");
	char line[512], address[INET6_ADDRSTRLEN];
	struct in6_addr ignored;

	upstreams->nr = 0;
	while (file && upstreams->nr < UPSTREAMS_MAX && fgets(line, sizeof(line), file)) {
		/* The program takes no addresses with a scope. */
		if (sscanf(line, " nameserver %45s", address) != 1 ||
		    (inet_pton(AF_INET, address, &ignored) != 1 &&
		     inet_pton(AF_INET6, address, &ignored) != 1))
			continue;
		memcpy(upstreams->list[upstreams->nr++], address, sizeof(address));
	}
}

static void print_forwards(FILE *file, const struct upstreams *upstreams)
{
	size_t i;

	for (i = 0; i < upstreams->nr; i++)
		fprintf(file, "%s%s", i ? ", " : "+.=", upstreams->list[i]);
	fputc('\n', file);
}

static int write_forwards(struct error *err)
{
	struct upstreams upstreams;
	struct text text;

	read_upstreams(&upstreams);
	if (text_open(&text, err))
		return -1;
	print_forwards(text.file, &upstreams);
	return text_write(&text, FORWARDS, err);
}

/*
 * Views.
 */

/* In quotes, or false: nothing is answered. */
static void quote(bool answered, int family, const void *address, char text[INET6_ADDRSTRLEN + 2])
{
	strcpy(text, "false");
	if (!answered)
		return;
	text[0] = '"';
	inet_ntop(family, address, text + 1, INET6_ADDRSTRLEN);
	strcat(text, "\"");
}

struct views {
	FILE *file;
	int view;	/* the one that is written, or -1 */
};

static void begin_view(struct views *views, int view)
{
	if (view != views->view)
		fprintf(views->file, "%s[%d] = {\n", views->view < 0 ? "" : "},\n",
			RESPONDER_PORT + view);
	views->view = view;
}

static int print_name(const struct name *name, int view, void *data)
{
	char v4[INET6_ADDRSTRLEN + 2], v6[INET6_ADDRSTRLEN + 2];
	struct views *views = data;

	begin_view(views, view);
	quote(name->v4_answered, AF_INET, &name->v4, v4);
	quote(name->v6_answered, AF_INET6, &name->v6, v6);
	/* Host names have no characters that would need care here: see host_parse(). */
	fprintf(views->file, "{ \"%s\", %s, %s },\n", name->host, v4, v6);
	return 0;
}

/* What has an address already is not asked for: it is answered while the names are locked, too. */
static int print_found(const struct name *name, int view, void *data)
{
	char v4[INET6_ADDRSTRLEN + 2], v6[INET6_ADDRSTRLEN + 2];
	struct views *views = data;

	begin_view(views, view);
	quote(true, AF_INET, &name->v4, v4);
	quote(true, AF_INET6, &name->v6, v6);
	fprintf(views->file, "[\"%s\"] = { \"%s\", %s, %s },\n", name->host, name->wildcard, v4, v6);
	return 0;
}

static int write_views(const struct names *names, struct error *err)
{
	struct views to = { .view = -1 };
	struct upstreams upstreams;
	struct text text;

	if (text_open(&text, err))
		return -1;
	read_upstreams(&upstreams);
	to.file = text.file;
	fprintf(text.file, "return { upstream = %s, hub = %d, first = %d, ports = {\n",
		upstreams.nr ? "true" : "false",
		RESPONDER_PORT + names_view(names, REDIRECT_HUB_NAME), RESPONDER_PORT);
	names_each(names, NULL, print_name, &to);
	fprintf(text.file, "%s}, found = {\n", to.view < 0 ? "" : "}\n");
	to.view = -1;
	names_each_found(names, NULL, print_found, &to);
	fprintf(text.file, "%s} }\n", to.view < 0 ? "" : "}\n");
	return text_write(&text, DIRECTORY "/views.lua", err);
}

/* Read under the lock: of two who write, the later one knows the newer names. */
static int write_views_now(struct error *err)
{
	autoclose int lock = file_lock(DIRECTORY "/lock", err);
	autonames struct names names = NAMES_CLOSED;

	return lock < 0 || names_read(&names, err) || write_views(&names, err) ? -1 : 0;
}

/*
 * The program.
 */

static void print_config(FILE *file)
{
	int view;

	fprintf(file, "local-address=");
	for (view = 0; view < NAMES_VIEWS; view++)
		fprintf(file, "%s127.0.0.1:%d,[::1]:%d", view ? "," : "", RESPONDER_PORT + view,
			RESPONDER_PORT + view);
	fprintf(file, "\n"
		"socket-dir=" DIRECTORY "\n"
		"lua-dns-script=" DIRECTORY "/script.lua\n"
		"forward-zones-file=" FORWARDS "\n"
		"daemon=no\n"
		"write-pid=no\n"
		"quiet=yes\n"
		"loglevel=4\n"
		"log-common-errors=no\n"
		"structured-logging=no\n"
		/* One thread for queries, and few of what each of the many sockets has. */
		"threads=1\n"
		"pdns-distributes-queries=no\n"
		"max-cache-entries=10000\n"
		"max-tcp-clients=64\n"
		/* A cached packet would bypass the script. */
		"disable-packetcache=yes\n"
		"allow-from=127.0.0.0/8,::1/128\n"
		/* It forwards only: to whomever, and believes them as the hub does. */
		"dont-query=\n"
		"dnssec=off\n"
		"hint-file=no\n"
		"security-poll-suffix=\n"
		"network-timeout=1500\n"
		"serve-rfc1918=no\n");
}

static int write_config(struct error *err)
{
	struct text text;

	if (text_open(&text, err))
		return -1;
	print_config(text.file);
	return text_write(&text, DIRECTORY "/recursor.conf", err);
}

static int wanted(struct error *err)
{
	autonames struct names names = NAMES_CLOSED;
	const char *group;
	json_t *entry;

	if (names_read(&names, err))
		return -1;
	json_object_foreach(json_object_get(names.root, "groups"), group, entry)
		if (names_view(&names, group) >= 0)
			return true;
	return false;
}

static int configure(char **argv, struct error *err)
{
	argv[0] = "--config-dir=" DIRECTORY;
	return file_make_directory(DIRECTORY, 0700, err) || write_forwards(err) ||
	       write_views_now(err) || write_config(err) || responder_hosts_write_token(err) ||
	       file_write(DIRECTORY "/script.lua", 0600, responder_script,
			  responder_script_end - responder_script, err) ? -1 : 0;
}

static int control(const char *command, struct error *err)
{
	char path[64], output[512];
	char *argv[] = { path, "--socket-dir=" DIRECTORY, (char *)command, NULL };

	return program_find("rec_control", PACKAGE, path, sizeof(path), err) ||
	       program_run(argv, output, sizeof(output), err) ? -1 : 0;
}

/* Are the resolvers still those that were written? */
static bool forwards_are_current(void)
{
	struct upstreams upstreams;
	struct error ignored;
	autofree char *found = NULL;
	struct text text;
	size_t len = 0;
	bool current;

	found = file_read(FORWARDS, &len, &ignored);
	if (!found || text_open(&text, &ignored))
		return false;
	read_upstreams(&upstreams);
	print_forwards(text.file, &upstreams);
	current = !fclose(text.file) && !strcmp(text.data, found);
	free(text.data);
	return current;
}

static int reload(pid_t program, struct error *err)
{
	(void)program;
	return write_forwards(err) || write_views_now(err) || control("reload-zones", err) ||
	       control("reload-lua-script", err) ? -1 : 0;
}

static int renew(struct error *err)
{
	(void)err;
	return !forwards_are_current();
}

/* What was added is to be resolved soon. */
static int refresh(pid_t supervisor, struct error *err)
{
	if (write_views_now(err) || control("reload-lua-script", err))
		return -1;
	(void)!kill(supervisor, SIGHUP);
	return 0;
}

static bool listens_at(struct endpoint *at)
{
	*at = (struct endpoint){
		.family = AF_INET, .address = { 127, 0, 0, 1 }, .port = RESPONDER_PORT,
	};
	return true;
}

const struct service service_responder = {
	.name = "responder",
	.program = PROGRAM,
	.package = PACKAGE,
	.wanted = wanted,
	.configure = configure,
	.renew = renew,
	.background = overrides_resolve,
	.companion_open = responder_hosts_open,
	.companion = responder_hosts_serve,
	.reload = reload,
	.refresh = refresh,
	.listens_at = listens_at,
};

int responder_check(struct error *err)
{
	char path[64];

	return program_find(PROGRAM, PACKAGE, path, sizeof(path), err);
}

int responder_apply(struct error *err)
{
	return service_refresh(&service_responder, err);
}
