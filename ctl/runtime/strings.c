/* SPDX-License-Identifier: MIT */
/*
 * A Python task's arguments and environment, made the interpreter's objects.
 *
 * Each task does it first thing, and the interpreter would take four times as long for it. Its
 * functions are those of the program that this library is in, if that is an interpreter; it calls these
 * by ctypes.PyDLL, so it is locked, and raises what they leave.
 */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "abi.h"
#include "coppice.h"
#include "state.h"

#define EXPORTED	__attribute__((visibility("default")))
#define FOUND		__attribute__((weak))

typedef struct PyObject PyObject;

extern PyObject *PyBytes_FromStringAndSize(const char *text, ssize_t len) FOUND;
extern PyObject *PyUnicode_DecodeFSDefault(const char *text) FOUND;
extern ssize_t PyList_Size(PyObject *list) FOUND;
extern int PyList_Append(PyObject *list, PyObject *item) FOUND;
extern int PyList_SetSlice(PyObject *list, ssize_t from, ssize_t to, PyObject *items) FOUND;
extern void PyDict_Clear(PyObject *dict) FOUND;
extern int PyDict_DelItem(PyObject *dict, PyObject *key) FOUND;
extern PyObject *PyDict_SetDefault(PyObject *dict, PyObject *key, PyObject *value) FOUND;
extern void Py_DecRef(PyObject *object) FOUND;

/* The interpreter's, that live as long as the template does. */
static PyObject *arguments, *environment, *settings;

/* What the controller tells a bootstrap, and no program that it starts. */
static const char *const for_bootstrap[] = {
	COPPICE_ENV_EVENT "=", COPPICE_ENV_REUSE "=", COPPICE_ENV_CHANNEL "=", COPPICE_ENV_SPARE "=",
};

/*
 * The variables that the image's dictionary has. Most are a task's as well, and to compare a text
 * takes a tenth of what it takes to make objects of it.
 */
#define KNOWN_MOST	256

static char *known[KNOWN_MOST];
static size_t nr_known;
static bool all_known;

static bool is_setting(const char *text)
{
	size_t i;

	if (!settings || strncmp(text, "COPPICE_", 8))
		return false;
	for (i = 0; i < sizeof(for_bootstrap) / sizeof(*for_bootstrap); i++)
		if (!strncmp(text, for_bootstrap[i], strlen(for_bootstrap[i])))
			return true;
	return false;
}

/* Where a text is known, or the number of the known ones. @next: most come in their order. */
static size_t find_known(const char *text, size_t *next)
{
	size_t i;

	for (i = 0; i < nr_known; i++) {
		*next = *next < nr_known ? *next : 0;
		if (!strcmp(text, known[(*next)++]))
			return *next - 1;
	}
	return nr_known;
}

/* 1: there is another value of this name, and stays. */
static int add_variable(const char *text)
{
	const char *equals = strchr(text, '=');
	PyObject *name, *value, *there = NULL;

	if (!equals)
		return 0;
	name = PyBytes_FromStringAndSize(text, equals - text);
	value = PyBytes_FromStringAndSize(equals + 1, strlen(equals + 1));
	if (name && value)
		there = PyDict_SetDefault(is_setting(text) ? settings : environment, name, value);
	Py_DecRef(name);
	Py_DecRef(value);
	return there ? there != value : -1;
}

static int remove_variable(const char *text)
{
	const char *equals = strchr(text, '=');
	PyObject *name = equals ? PyBytes_FromStringAndSize(text, equals - text) : NULL;
	int ret = name ? PyDict_DelItem(environment, name) : -1;

	Py_DecRef(name);
	return ret;
}

/* Of two with one name the first counts, for the interpreter as for getenv(). 1: there are such. */
static int make_environment(void)
{
	char **text;
	int ret = 0, same = 0;

	PyDict_Clear(environment);
	for (text = environ; ret >= 0 && text && *text; text++) {
		ret = add_variable(*text);
		same |= ret > 0;
	}
	return ret < 0 ? ret : same;
}

static int remove_others(void)
{
	bool wanted[KNOWN_MOST + 1] = {};
	size_t next = 0, i;
	char **text;

	for (text = environ; *text; text++)
		wanted[find_known(*text, &next)] = true;
	for (i = 0; i < nr_known; i++)
		if (!wanted[i] && remove_variable(known[i]))
			return -1;
	return 0;
}

/* 1: two have one name, so that it has to be made in order. */
static int change_environment(void)
{
	char **text;
	size_t next = 0;
	int ret = remove_others();

	for (text = environ; !ret && *text; text++)
		if (find_known(*text, &next) == nr_known)
			ret = add_variable(*text);
	return ret;
}

/* False: there are too many, or no memory for them. */
static bool note_environment(void)
{
	char **text;

	while (nr_known)
		free(known[--nr_known]);
	for (text = environ; text && *text; text++) {
		if (!strchr(*text, '=') || is_setting(*text))
			continue;
		if (nr_known == KNOWN_MOST)
			return false;
		known[nr_known] = strdup(*text);
		if (!known[nr_known])
			return false;
		nr_known++;
	}
	return true;
}

/* As unsetenv() would have it. */
static void drop_settings(void)
{
	char **text, **kept = environ;

	for (text = environ; text && *text; text++)
		if (!is_setting(*text))
			*kept++ = *text;
	if (text)
		*kept = NULL;
}

static int add_argument(const char *text)
{
	PyObject *argument = PyUnicode_DecodeFSDefault(text);
	int ret = argument ? PyList_Append(arguments, argument) : -1;

	Py_DecRef(argument);
	return ret;
}

/* Left as they are outside a task. */
static int set_arguments(void)
{
	char **argv = NULL;
	int argc = coppice_args(&argv), i, ret;

	if (!argv)
		return 0;
	ret = PyList_SetSlice(arguments, 0, PyList_Size(arguments), NULL);
	for (i = 0; !ret && i < argc; i++)
		ret = add_argument(argv[i]);
	return ret;
}

/*
 * Also done in each task, before coppice_checkpoint() returns there: another call from the interpreter costs as
 * much as eight variables. @list: sys.argv; @dict: what os.environ looks its variables up in. -1:
 * an exception has been set.
 */
EXPORTED int coppice_python_strings(PyObject *list, PyObject *dict)
{
	int ret;

	arguments = list;
	environment = dict;
	if (set_arguments())
		return -1;
	ret = make_environment();
	/* Which of two of one name the dictionary has is not known. */
	all_known = !ret && note_environment();
	return ret < 0 ? -1 : 0;
}

/* @dict: for what a task's bootstrap is told, which then is no part of its environment. */
EXPORTED void coppice_python_settings(PyObject *dict)
{
	settings = dict;
}

int coppice_strings_restore(void)
{
	int ret;

	if (!environment)
		return 0;
	if (set_arguments())
		return -1;
	ret = all_known ? change_environment() : 1;
	if (ret > 0)
		ret = make_environment();
	drop_settings();
	return ret < 0 ? -1 : 0;
}
