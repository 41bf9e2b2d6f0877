// SPDX-License-Identifier: GPL-2.0
/*
 * HAProxy's configuration.
 *
 * HAProxy, because it takes a new configuration without closing a listener, speaks version
 * 2 of the PROXY protocol and takes headers like Alt-Svc out. stunnel does none of these, and
 * nginx speaks version 1 only.
 */
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cleanup.h"
#include "file.h"
#include "host.h"
#include "name.h"
#include "program.h"
#include "terminator.h"

#define DIRECTORY	STATE_DIRECTORY "/handler"
#define LOCK		DIRECTORY "/lock"
#define RUN		RUN_DIRECTORY "/terminator"
#define CONFIG		RUN "/haproxy.cfg"
#define PORT_FIRST	20443
#define PORT_LAST	20942
#define UNIX_PREFIX	"unix:"
/* Of a path that means the same in HAProxy's configuration. */
#define PATH_CHARACTERS	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789/._+-"

/*
 * Records.
 */

static void record_path(const char *name, char path[PATH_MAX])
{
	snprintf(path, PATH_MAX, DIRECTORY "/%s.json", name);
}

static int lock(struct error *err)
{
	return file_make_directory(DIRECTORY, 0755, err) ? -1 : file_lock(LOCK, err);
}

static int is_record(const struct dirent *entry)
{
	size_t len = strlen(entry->d_name);

	return len > 5 && !strcmp(entry->d_name + len - 5, ".json");
}

static int add_record(json_t *list, const char *file, struct error *err)
{
	char path[PATH_MAX];
	json_t *record;

	snprintf(path, sizeof(path), DIRECTORY "/%s", file);
	record = file_read_json(path, err);
	if (!record)
		return -1;
	return json_array_append_new(list, record) ? error_set(err, ENOMEM, "out of memory") : 0;
}

json_t *terminator_list(struct error *err)
{
	struct dirent **entries = NULL;
	json_t *list = json_array();
	int nr, i, failed = 0;

	nr = scandir(DIRECTORY, &entries, is_record, alphasort);
	if (nr < 0 && errno != ENOENT)
		failed = error_set(err, errno, DIRECTORY " cannot be read: %s", strerror(errno));
	else if (!list)
		failed = error_set(err, ENOMEM, "out of memory");
	for (i = 0; i < nr; i++) {
		if (!failed)
			failed = add_record(list, entries[i]->d_name, err);
		free(entries[i]);
	}
	free(entries);
	if (!failed)
		return list;
	json_decref(list);
	return NULL;
}

static const char *text_of(const json_t *record, const char *key)
{
	return json_string_value(json_object_get(record, key)) ?: "";
}

static const json_t *find_listener(const json_t *list, const char *address)
{
	const json_t *record;
	size_t i;

	json_array_foreach(list, i, record)
		if (!strcmp(text_of(record, "listen"), address))
			return record;
	return NULL;
}

/* A relay has none, and no certificate. */
static bool has_hosts(const json_t *record)
{
	return json_array_size(json_object_get(record, "hosts"));
}

int terminator_listens_at(const struct endpoint *handler, struct error *err)
{
	char address[REDIRECT_TEXT_MAX];
	autojson json_t *list = terminator_list(err);

	if (!list)
		return -1;
	endpoint_format(handler, address);
	return has_hosts(find_listener(list, address));
}

/*
 * The configuration.
 */

static void print_handler(FILE *file, const json_t *record, const char *leaf)
{
	bool http = json_is_true(json_object_get(record, "http"));
	bool proxy = json_is_true(json_object_get(record, "proxy"));
	const char *to = text_of(record, "to");
	const char *path = strncmp(to, UNIX_PREFIX, strlen(UNIX_PREFIX)) ? NULL :
			   to + strlen(UNIX_PREFIX);

	fprintf(file, "\nlisten %s\n\tmode %s\n\tbind %s", text_of(record, "name"),
		http ? "http" : "tcp", text_of(record, "listen"));
	if (leaf)
		fprintf(file, " ssl crt %s alpn %s", leaf, http ? "h2,http/1.1" : "http/1.1");
	fputc('\n', file);
	if (http)
		fprintf(file, "\thttp-response del-header Alt-Svc\n\toption http-no-delay\n");
	fprintf(file, "\tserver handler %s%s%s%s\n", path ? "unix@" : "", path ?: to,
		proxy ? " send-proxy-v2" : "", proxy && leaf ? " proxy-v2-options authority" : "");
}

static void print_head(FILE *file)
{
	fprintf(file, "# Made by coppice: see `coppice handler list`.\n"
		"global\n"
		"\tlog stderr format raw daemon warning\n"
		"\tuser haproxy\n"
		"\tgroup haproxy\n"
		"\tmaxconn 8192\n"
		"\tssl-default-bind-options ssl-min-ver TLSv1.2\n"
		"\thard-stop-after 1h\n"
		"defaults\n"
		"\tlog global\n"
		"\toption dontlognull\n"
		"\toption clitcpka\n"
		"\ttimeout connect 5s\n"
		"\ttimeout http-request 60s\n"
		/* As long as a quiet MQTT connection may be. */
		"\ttimeout client 2h\n"
		"\ttimeout server 2h\n");
}

/* The certificate of a handler, made or renewed. */
static int leaf_of(const json_t *record, char path[PATH_MAX], bool *made, struct error *err)
{
	const json_t *hosts = json_object_get(record, "hosts"), *host;
	const char *list[LEAF_HOSTS_MAX];
	size_t i, nr = 0;

	json_array_foreach(hosts, i, host)
		if (nr < LEAF_HOSTS_MAX)
			list[nr++] = json_string_value(host);
	return ca_leaf(text_of(record, "name"), list, nr, path, made, err);
}

static int print_all(FILE *file, const json_t *list, bool *renewed, struct error *err)
{
	const json_t *record;
	char leaf[PATH_MAX];
	bool made;
	size_t i;

	print_head(file);
	json_array_foreach(list, i, record) {
		made = false;
		if (has_hosts(record) && leaf_of(record, leaf, &made, err))
			return -1;
		*renewed |= made;
		print_handler(file, record, has_hosts(record) ? leaf : NULL);
	}
	return 0;
}

static int write_config(const json_t *list, const char *path, bool *renewed, struct error *err)
{
	autofree char *text = NULL;
	char *data = NULL;
	size_t len = 0;
	FILE *file;
	int ret;

	if (file_make_directory(RUN, 0700, err))
		return -1;
	file = open_memstream(&data, &len);
	if (!file)
		return error_set(err, ENOMEM, "out of memory");
	ret = print_all(file, list, renewed, err);
	if (fclose(file) && !ret)
		ret = error_set(err, ENOMEM, "out of memory");
	text = data;
	return ret ? -1 : file_write(path, 0600, text, len, err);
}

static int check_config(const char *config, struct error *err)
{
	char path[64], output[4096];
	char *argv[] = { path, "-c", "-f", (char *)config, NULL };
	const char *alert;

	if (program_find("haproxy", "haproxy", path, sizeof(path), err))
		return -1;
	if (!program_run(argv, output, sizeof(output), err))
		return 0;
	/* Notices come before what is wrong. */
	alert = strstr(output, "[ALERT]");
	return !alert ? -1 : error_set(err, EINVAL, "haproxy refuses the configuration: %.*s",
				       (int)strcspn(alert, "\n"), alert);
}

/*
 * The service.
 */

static int wanted(struct error *err)
{
	autojson json_t *list = terminator_list(err);

	return list ? !!json_array_size(list) : -1;
}

static int configure(char **argv, struct error *err)
{
	static char *const words[] = { "-Ws", "-f", CONFIG, NULL };
	autojson json_t *list = terminator_list(err);
	bool renewed = false;

	memcpy(argv, words, sizeof(words));
	if (list && !json_array_size(list))
		return error_set(err, ENOENT, "there are no handlers behind TLS: add one with `coppice handler tls` or `coppice handler relay`");
	return list ? write_config(list, CONFIG, &renewed, err) : -1;
}

/* The old workers keep their connections; listeners are handed on. */
static int reload(pid_t program, struct error *err)
{
	autojson json_t *list = terminator_list(err);
	bool renewed = false;

	if (!list)
		return -1;
	/* The last one was deleted, and whoever did that also stops this. */
	if (!json_array_size(list))
		return 0;
	if (write_config(list, CONFIG, &renewed, err) || check_config(CONFIG, err))
		return -1;
	return kill(program, SIGUSR2) ? error_set(err, errno, "haproxy cannot be told: %s",
						  strerror(errno)) : 0;
}

static int renew(struct error *err)
{
	autojson json_t *list = terminator_list(err);
	bool renewed = false;

	return !list || write_config(list, CONFIG, &renewed, err) ? -1 : renewed;
}

static int refresh(pid_t supervisor, struct error *err)
{
	return kill(supervisor, SIGHUP) ? error_set(err, errno, "the terminator cannot be told: %s",
						    strerror(errno)) : 0;
}

/* Of the first handler: all listen at the same moment. */
static bool listens_at(struct endpoint *at)
{
	struct error ignored;
	autojson json_t *list = terminator_list(&ignored);

	return !handler_parse(text_of(json_array_get(list, 0), "listen"), at, &ignored);
}

const struct service service_terminator = {
	.name = "terminator",
	.program = "haproxy",
	.package = "haproxy",
	.wanted = wanted,
	.configure = configure,
	.renew = renew,
	.notifies = true,
	.reload = reload,
	.refresh = refresh,
	.listens_at = listens_at,
};

/*
 * Handlers come and go.
 */

static bool port_is_free(int port)
{
	struct sockaddr_in in = {
		.sin_family = AF_INET, .sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	autoclose int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int one = 1;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	return fd >= 0 && !bind(fd, (struct sockaddr *)&in, sizeof(in));
}

static int choose_port(const json_t *list, struct tls_handler *handler, struct error *err)
{
	char address[32];
	int port;

	for (port = PORT_FIRST; port <= PORT_LAST; port++) {
		snprintf(address, sizeof(address), "127.0.0.1:%d", port);
		if (!find_listener(list, address) && port_is_free(port))
			return handler_parse(address, &handler->listen, err);
	}
	return error_set(err, EADDRINUSE, "no port from %d to %d is free: choose one with --listen",
			 PORT_FIRST, PORT_LAST);
}

static int settle_listener(const json_t *list, struct tls_handler *handler, struct error *err)
{
	char address[REDIRECT_TEXT_MAX];

	if (!handler->listen.port)
		return choose_port(list, handler, err);
	endpoint_format(&handler->listen, address);
	if (find_listener(list, address))
		return error_set(err, EADDRINUSE, "%s is where handler %s listens: choose another --listen",
				 address, text_of(find_listener(list, address), "name"));
	return 0;
}

static json_t *make_record(const struct tls_handler *handler, struct error *err)
{
	char to[REDIRECT_TEXT_MAX], listen[REDIRECT_TEXT_MAX];
	json_t *hosts = json_array(), *record;
	size_t i;

	endpoint_format(&handler->to, to);
	endpoint_format(&handler->listen, listen);
	for (i = 0; i < handler->nr_hosts; i++)
		json_array_append_new(hosts, json_string(handler->hosts[i]));
	record = json_pack("{s:s, s:o, s:s, s:s, s:b, s:b}", "name", handler->name, "hosts", hosts,
			   "to", to, "listen", listen, "http", handler->http,
			   "proxy", handler->proxy);
	if (!record)
		error_set(err, ENOMEM, "out of memory");
	return record;
}

/* A configuration with it, beside the one in force. */
static int try(json_t *list, json_t *record, struct error *err)
{
	bool renewed = false;
	int ret;

	if (json_array_append(list, record))
		return error_set(err, ENOMEM, "out of memory");
	ret = write_config(list, CONFIG ".new", &renewed, err) || check_config(CONFIG ".new", err);
	unlink(CONFIG ".new");
	return ret ? -1 : 0;
}

static int put(const struct tls_handler *handler, const json_t *record, struct error *err)
{
	char path[PATH_MAX], address[REDIRECT_TEXT_MAX];
	struct error second;

	record_path(handler->name, path);
	if (file_write_json(path, 0644, record, err)) {
		(void)!ca_leaf_remove(handler->name, &second);
		return -1;
	}
	if (!service_refresh(&service_terminator, err)) {
		if (service_listens(&handler->listen))
			return 0;
		endpoint_format(&handler->listen, address);
		error_set(err, ETIMEDOUT, "the terminator does not listen at %s: " SERVICE_DIRECTORY "/terminator.log says why",
			  address);
	}
	(void)!file_remove(path, &second);
	(void)!ca_leaf_remove(handler->name, &second);
	return -1;
}

static int add(struct tls_handler *handler, struct error *err)
{
	autojson json_t *list = terminator_list(err), *record = NULL;
	char path[PATH_MAX];
	struct error second;

	if (!list)
		return -1;
	record_path(handler->name, path);
	if (!access(path, F_OK))
		return error_set(err, EEXIST, "a handler %s exists: delete it first, or give another --name",
				 handler->name);
	if (settle_listener(list, handler, err))
		return -1;
	record = make_record(handler, err);
	if (!record)
		return -1;
	if (!try(list, record, err))
		return put(handler, record, err);
	(void)!ca_leaf_remove(handler->name, &second);
	return -1;
}

static int check_addresses(const struct tls_handler *handler, struct error *err)
{
	const char *path = handler->to.path;

	if (handler->listen.family == AF_UNIX)
		return error_set(err, EAFNOSUPPORT, "--listen %.80s: tasks come by TCP: give an address and a port",
				 handler->listen.path);
	if (handler->to.family == AF_UNIX && path[strspn(path, PATH_CHARACTERS)])
		return error_set(err, EINVAL, "--to: the path of a socket behind HAProxy has letters, digits and /._+- only: '%.80s' has others",
				 path);
	return 0;
}

int terminator_add(struct tls_handler *handler, struct error *err)
{
	autoclose int held = -1;

	if (name_check("a handler", handler->name, err) || check_addresses(handler, err))
		return -1;
	held = lock(err);
	return held < 0 ? -1 : add(handler, err);
}

/* The certificate may go once no configuration with it is in force. */
static int take_out(const char *path, struct error *err)
{
	autojson json_t *record = file_read_json(path, err), *list = terminator_list(err);
	pid_t pid = service_pid(&service_terminator, err);
	char address[REDIRECT_TEXT_MAX];
	struct endpoint listen;

	/* What has to be known is known before anything is changed. */
	if (!record || !list || pid < 0 || handler_parse(text_of(record, "listen"), &listen, err) ||
	    file_remove(path, err))
		return -1;
	if (json_array_size(list) == 1)
		return service_stop(&service_terminator, err);
	if (!pid)
		return 0;
	if (service_refresh(&service_terminator, err))
		return -1;
	if (service_is_silent(&listen))
		return 0;
	endpoint_format(&listen, address);
	return error_set(err, ETIMEDOUT, "the terminator still listens at %s: " SERVICE_DIRECTORY "/terminator.log says why",
			 address);
}

int terminator_delete(const char *name, struct error *err)
{
	autoclose int held = -1;
	char path[PATH_MAX];

	if (name_check("a handler", name, err))
		return -1;
	held = lock(err);
	record_path(name, path);
	if (held < 0)
		return -1;
	if (access(path, F_OK))
		return error_set(err, ENOENT, "there is no handler %s behind TLS or a relay: `coppice handler list` shows them",
				 name);
	return take_out(path, err) || ca_leaf_remove(name, err) ? -1 : 0;
}
