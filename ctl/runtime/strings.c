/* SPDX-License-Identifier: MIT */
/*
 * A Python task's arguments and environment, made the interpreter's objects.
 *
 * Each task does it first thing, and the interpreter would take four times as long for it. Its
 * functions are those of the program that this library is in, if that is an interpreter; it calls these
 * by ctypes.PyDLL, so it is locked, and raises what they leave.
 */
#include <string.h>
#include <unistd.h>

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
extern PyObject *PyDict_SetDefault(PyObject *dict, PyObject *key, PyObject *value) FOUND;
extern void Py_DecRef(PyObject *object) FOUND;

/* The interpreter's, that live as long as the template does. */
static PyObject *arguments, *environment;

/* Of two with one name the first counts, for the interpreter as for getenv(). */
static int add_variable(const char *text, const char *equals)
{
	PyObject *name = PyBytes_FromStringAndSize(text, equals - text);
	PyObject *value = PyBytes_FromStringAndSize(equals + 1, strlen(equals + 1));
	int ret = name && value && PyDict_SetDefault(environment, name, value) ? 0 : -1;

	Py_DecRef(name);
	Py_DecRef(value);
	return ret;
}

static int set_environment(void)
{
	const char *equals;
	char **text;
	int ret = 0;

	PyDict_Clear(environment);
	for (text = environ; !ret && text && *text; text++) {
		equals = strchr(*text, '=');
		if (equals)
			ret = add_variable(*text, equals);
	}
	return ret;
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
	arguments = list;
	environment = dict;
	return coppice_strings_restore();
}

int coppice_strings_restore(void)
{
	if (!environment)
		return 0;
	return set_arguments() || set_environment() ? -1 : 0;
}
