// SPDX-License-Identifier: GPL-2.0
/* Library overrides: finding out what is meant, and the merged libraries that there are. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "arch.h"
#include "cleanup.h"
#include "library_parts.h"

#define LDCONFIG	"/sbin/ldconfig"
#define ID_TEMPLATE	"XXXXXX"
#define INIT		"__init__.py"

const char *library_base(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/*
 * What a path is.
 */

static bool ends_with(const char *text, const char *end)
{
	size_t len = strlen(text), tail = strlen(end);

	return len > tail && !strcmp(text + len - tail, end);
}

static bool is_elf(const char *path)
{
	autofclose FILE *file = fopen(path, "re");
	char magic[4] = "";

	return file && fread(magic, 1, sizeof(magic), file) == sizeof(magic) &&
	       !memcmp(magic, "\177ELF", sizeof(magic));
}

static enum library_kind kind_of_file(const char *path)
{
	if (is_elf(path))
		return LIBRARY_ELF;
	if (ends_with(path, ".py"))
		return LIBRARY_PYTHON;
	if (ends_with(path, ".js") || ends_with(path, ".cjs") || ends_with(path, ".mjs"))
		return LIBRARY_NODE;
	return LIBRARY_NONE;
}

static bool holds(const char *directory, const char *name)
{
	char path[PATH_MAX];

	return snprintf(path, sizeof(path), "%s/%s", directory, name) < (int)sizeof(path) &&
	       !access(path, F_OK);
}

static enum library_kind kind_of(const char *path, const struct stat *st)
{
	if (S_ISREG(st->st_mode))
		return kind_of_file(path);
	if (!S_ISDIR(st->st_mode))
		return LIBRARY_NONE;
	if (holds(path, INIT))
		return LIBRARY_PYTHON;
	return holds(path, "package.json") ? LIBRARY_NODE : LIBRARY_NONE;
}

/* Of the kernel, or of ours: nothing there is a provider's. */
static int refuse_place(const char *path, struct error *err)
{
	static const char *const places[] = {
		"/proc/", "/sys/", "/dev/", "/run/coppice/", LIBRARY_DIRECTORY "/",
	};
	size_t i;

	for (i = 0; i < sizeof(places) / sizeof(places[0]); i++)
		if (!strncmp(path, places[i], strlen(places[i])))
			return error_set(err, EPERM, "%.200s is no library's place: nothing below %s can be one side of an override",
					 path, places[i]);
	return 0;
}

static int find_path(const char *what, const char *text, char found[PATH_MAX],
		     enum library_kind *kind, struct error *err)
{
	struct stat st;

	if (text[0] != '/')
		return error_set(err, EINVAL, "the %s library '%.200s' is no absolute path: give one, as tasks may run in any directory",
				 what, text);
	if (!realpath(text, found))
		return error_set(err, errno, "the %s library %.200s cannot be found: %s", what, text,
				 strerror(errno));
	/* A package is its directory. */
	if (!strcmp(library_base(found), INIT))
		found[strlen(found) - strlen("/" INIT)] = '\0';
	if (stat(found, &st))
		return error_set(err, errno, "the %s library %.200s cannot be read: %s", what, found,
				 strerror(errno));
	if (refuse_place(found, err))
		return -1;
	*kind = kind_of(found, &st);
	if (*kind == LIBRARY_NONE)
		return error_set(err, EINVAL, "the %s %.200s is no library: give a shared object, a Python package or module, or a Node package or module",
				 what, text);
	return 0;
}

/*
 * Names in place of paths.
 */

/* "\tlibz.so.1 (libc6,x86-64) => /lib/x86_64-linux-gnu/libz.so.1" */
static int take_line(char *line, const char *soname, char found[PATH_MAX], struct error *err)
{
	char *arrow = strstr(line, " => "), path[PATH_MAX];
	size_t len = strlen(soname);

	line += strspn(line, "\t");
	if (!arrow || strncmp(line, soname, len) || line[len] != ' ' || !strstr(line, ARCH_CACHE))
		return 0;
	if (!realpath(arrow + 4, path) || !strcmp(path, found))
		return 0;
	if (*found)
		return error_set(err, EEXIST, "%.80s is both %.150s and %.150s: give the path of the one that is meant",
				 soname, found, path);
	strcpy(found, path);
	return 0;
}

static int find_soname(const struct library *library, char found[PATH_MAX], struct error *err)
{
	const char *soname = library->request->provider;
	char *argv[] = { LDCONFIG, "-p", NULL }, *envp[] = { NULL }, *line, *rest;
	autofree char *text = library_output(library, argv, envp, false, err);

	*found = '\0';
	if (!text)
		return -1;
	for (line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
		if (take_line(line, soname, found, err))
			return -1;
	if (*found)
		return 0;
	return error_set(err, ENOENT, "the dynamic linker's cache has no %.200s for " ARCH_NAME ": give the path of the provider's library",
			 soname);
}

static int find_module(const struct library *library, char found[PATH_MAX], struct error *err)
{
	char *argv[] = {
		"/usr/bin/python3", "-I", "-c",
		"import importlib.util, json, sys\n"
		"try:\n"
		"    spec = importlib.util.find_spec(sys.argv[1])\n"
		"except Exception:\n"
		"    spec = None\n"
		"print(json.dumps({'origin': spec.origin if spec and spec.has_location else ''}))",
		(char *)library->request->provider, NULL,
	};
	autojson json_t *answer = library_ask(library, argv, false, err);
	const char *origin = json_string_value(json_object_get(answer, "origin"));

	if (!answer)
		return -1;
	if (origin && *origin && realpath(origin, found))
		return 0;
	return error_set(err, ENOENT, "Python finds no module '%.200s', and it is neither a path nor a soname: give the path of the provider's library",
			 library->request->provider);
}

static int find_provider(struct library *library, struct error *err)
{
	const char *text = library->request->provider;
	char found[PATH_MAX];

	if (!*text)
		return error_set(err, EINVAL, "the provider's library has no name: give its path, soname or Python name");
	if (strchr(text, '/'))
		return find_path("provider's", text, library->provider, &library->kind, err);
	if (strstr(text, ".so") ? find_soname(library, found, err) : find_module(library, found, err))
		return -1;
	return find_path("provider's", found, library->provider, &library->kind, err);
}

static int find_both(struct library *library, struct error *err)
{
	static const char *const names[] = {
		[LIBRARY_ELF] = "a shared object", [LIBRARY_PYTHON] = "Python", [LIBRARY_NODE] = "Node",
	};
	enum library_kind kind;

	if (find_path("local", library->request->local, library->local, &kind, err) ||
	    find_provider(library, err))
		return -1;
	if (kind != library->kind)
		return error_set(err, EINVAL, "the provider's library is %s and the local one is %s: both have to be of one kind",
				 names[library->kind], names[kind]);
	if (!strcmp(library->provider, library->local))
		return error_set(err, EINVAL, "%.200s would override itself: give another local library",
				 library->local);
	return 0;
}

/*
 * Parts.
 */

int library_place(const struct library *library, const char *sub, const char *name,
		  char path[PATH_MAX], struct error *err)
{
	int len = snprintf(path, PATH_MAX, "%s/%s", library->directory, sub);

	if (mkdir(path, 0755) && errno != EEXIST)
		return error_set(err, errno, "%.200s cannot be made: %s", path, strerror(errno));
	if (len + snprintf(path + len, PATH_MAX - len, "/%s", name) < PATH_MAX)
		return 0;
	return error_set(err, ENAMETOOLONG, "the library's name %.100s is too long", name);
}

int library_write(const char *path, const void *data, size_t len, struct error *err)
{
	FILE *file = fopen(path, "we");
	bool done = file && fwrite(data, 1, len, file) == len;

	if (file && fclose(file))
		done = false;
	if (done && !chmod(path, 0644))
		return 0;
	return error_set(err, errno, "%.200s cannot be written: %s", path, strerror(errno));
}

static json_int_t mtime_ns(const struct stat *st)
{
	return st->st_mtim.tv_sec * 1000000000LL + st->st_mtim.tv_nsec;
}

int library_cover(const struct library *library, const char *source, const char *target,
		  struct error *err)
{
	json_t *mounts = json_object_get(library->record, "mounts");
	struct stat st;

	if (stat(target, &st))
		return error_set(err, errno, "%.200s cannot be read: %s", target, strerror(errno));
	if (!json_array_append_new(mounts, json_pack("{s:s, s:s, s:I, s:I, s:I}", "source", source,
						     "target", target,
						     "inode", (json_int_t)st.st_ino,
						     "size", (json_int_t)st.st_size,
						     "mtime_ns", mtime_ns(&st))))
		return 0;
	return error_set(err, ENOMEM, "%.200s cannot be noted: out of memory, or its path is not UTF-8",
			 target);
}

int library_note(const struct library *library, const char *key, const char *text,
		 struct error *err)
{
	if (!json_array_append_new(json_object_get(library->record, key), json_string(text)))
		return 0;
	return error_set(err, ENOMEM, "'%.100s' cannot be noted: out of memory, or it is not UTF-8", text);
}

int library_check_lists(const struct library *library, struct error *err)
{
	const json_t *fallen = json_object_get(library->record, "falls_through");

	if (!json_array_size(json_object_get(library->record, "overridden")))
		return error_set(err, EINVAL, "%.200s overrides nothing of %.200s: they have no name in common",
				 library->local, library->provider);
	if (!library->request->strict || !json_array_size(fallen))
		return 0;
	return error_set(err, EINVAL, "%.160s lacks %zu names of %.160s, the first is %.80s: without --strict these fall through to the provider's",
			 library->local, json_array_size(fallen), library->provider,
			 json_string_value(json_array_get(fallen, 0)));
}

/*
 * Making and removing.
 */

/* Left open, and locked, as long as this process lives: see library_in_work(). */
static int lock_directory(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? -1 : flock(fd, LOCK_EX);
}

/* Other owners' tasks can't read it: a function's libraries may be a secret of its owner. */
static int open_directory(struct library *library, struct error *err)
{
	const struct user *user = library->request->user;

	snprintf(library->directory, sizeof(library->directory), LIBRARY_DIRECTORY "/" ID_TEMPLATE);
	if ((!mkdir("/var/lib/coppice", 0755) || errno == EEXIST) &&
	    (!mkdir(LIBRARY_DIRECTORY, 0711) || errno == EEXIST) && mkdtemp(library->directory)) {
		if (!lock_directory(library->directory) &&
		    !chown(library->directory, 0, user->gid) &&
		    !chmod(library->directory, user->uid ? 0750 : 0755))
			return 0;
		rmdir(library->directory);
	}
	error_set(err, errno, LIBRARY_DIRECTORY " cannot be written: %s: run as root", strerror(errno));
	library->directory[0] = '\0';
	return -1;
}

static int make_kind(struct library *library, struct error *err)
{
	switch (library->kind) {
	case LIBRARY_ELF:
		return library_make_elf(library, err);
	case LIBRARY_PYTHON:
		return library_make_python(library, err);
	default:
		return library_make_node(library, err);
	}
}

static int make(struct library *library, struct error *err)
{
	static const char *const kinds[] = {
		[LIBRARY_ELF] = "elf", [LIBRARY_PYTHON] = "python", [LIBRARY_NODE] = "node",
	};

	if (find_both(library, err) || open_directory(library, err))
		return -1;
	library->record = json_pack("{s:s, s:s, s:s, s:s, s:s, s:[], s:[], s:[], s:[]}",
				    "id", library_base(library->directory),
				    "kind", kinds[library->kind],
				    "name", library->request->provider,
				    "provider", library->provider, "local", library->local,
				    "overridden", "falls_through", "added", "mounts");
	if (!library->record)
		return error_set(err, EINVAL, "the paths of the libraries are not UTF-8: rename them");
	return make_kind(library, err);
}

json_t *library_make(const struct library_request *request, struct error *err)
{
	struct library *library = calloc(1, sizeof(*library));
	json_t *record = NULL;
	struct error second;

	if (!library) {
		error_set(err, ENOMEM, "out of memory");
		return NULL;
	}
	library->request = request;
	if (!make(library, err)) {
		record = library->record;
	} else {
		if (library->directory[0])
			(void)!library_remove(library_base(library->directory), &second);
		json_decref(library->record);
	}
	free(library);
	return record;
}

/* An id becomes a path, and comes from a file. */
static bool id_valid(const char *id)
{
	return strlen(id) == strlen(ID_TEMPLATE) && !strpbrk(id, "./");
}

static int remove_entry(const FTSENT *entry)
{
	if (entry->fts_info == FTS_D || entry->fts_info == FTS_DOT)
		return 0;
	return entry->fts_info == FTS_DP ? rmdir(entry->fts_accpath) : unlink(entry->fts_accpath);
}

int library_remove(const char *id, struct error *err)
{
	char path[PATH_MAX], *roots[] = { path, NULL };
	FTSENT *entry;
	int ret = 0;
	FTS *tree;

	if (!id_valid(id))
		return error_set(err, EINVAL, "'%.80s' is no merged library's number", id);
	snprintf(path, sizeof(path), LIBRARY_DIRECTORY "/%s", id);
	tree = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
	while (tree && (entry = fts_read(tree)))
		if (remove_entry(entry) && errno != ENOENT && !ret)
			ret = error_set(err, errno, "%.200s cannot be removed: %s", entry->fts_path,
					strerror(errno));
	if (!ret && errno && errno != ENOENT)
		ret = error_set(err, errno, "%.200s cannot be removed: %s", path, strerror(errno));
	if (tree)
		fts_close(tree);
	return ret;
}

bool library_in_work(const char *id)
{
	char path[PATH_MAX];
	autoclose int fd = -1;

	snprintf(path, sizeof(path), LIBRARY_DIRECTORY "/%.16s", id);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) && errno == EWOULDBLOCK;
}

int library_each(library_fn fn, void *data, struct error *err)
{
	autoclosedir DIR *directory = opendir(LIBRARY_DIRECTORY);
	const struct dirent *entry;
	int ret = 0;

	if (!directory && errno != ENOENT)
		return error_set(err, errno, LIBRARY_DIRECTORY " cannot be read: %s", strerror(errno));
	while (!ret && directory && (entry = readdir(directory)))
		if (id_valid(entry->d_name))
			ret = fn(entry->d_name, data);
	return ret;
}

/*
 * Records.
 */

static json_int_t number(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

const char *library_changed(const json_t *record)
{
	const char *source, *target;
	const json_t *mount_;
	struct stat st;
	size_t i;

	json_array_foreach(json_object_get(record, "mounts"), i, mount_) {
		source = json_string_value(json_object_get(mount_, "source"));
		target = json_string_value(json_object_get(mount_, "target"));
		if (access(source, R_OK))
			return source;
		if (stat(target, &st) || number(mount_, "inode") != (json_int_t)st.st_ino ||
		    number(mount_, "size") != (json_int_t)st.st_size ||
		    number(mount_, "mtime_ns") != mtime_ns(&st))
			return target;
	}
	return NULL;
}

static int add_mounts(const json_t *record, struct task_mounts *mounts, struct error *err)
{
	const char *changed = library_changed(record);
	const json_t *mount_;
	size_t i;

	/* Half of an override in force would be worse than none: calls would go where they must not. */
	if (changed)
		return error_set(err, ESTALE, "%.200s has changed since its override was made: delete that override and add it again, or build the image again",
				 changed);
	json_array_foreach(json_object_get(record, "mounts"), i, mount_)
		if (task_mounts_add(mounts, json_string_value(json_object_get(mount_, "source")),
				    json_string_value(json_object_get(mount_, "target")), err))
			return -1;
	return 0;
}

int library_mounts(const json_t *records, struct task_mounts *mounts, struct error *err)
{
	const json_t *record;
	size_t i;

	json_array_foreach(records, i, record)
		if (add_mounts(record, mounts, err))
			return -1;
	return 0;
}

static bool is_named(const json_t *record, const char *key, const char *text)
{
	const char *value = json_string_value(json_object_get(record, key));

	return value && !strcmp(value, text);
}

json_t *library_find(const json_t *records, const char *provider)
{
	char path[PATH_MAX];
	json_t *record;
	size_t i;

	json_array_foreach(records, i, record)
		if (is_named(record, "name", provider) || is_named(record, "provider", provider) ||
		    is_named(record, "soname", provider) ||
		    (provider[0] == '/' && realpath(provider, path) && is_named(record, "provider", path)))
			return record;
	return NULL;
}
