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

#define EXPORTED	__attribute__((visibility("default")))
#define FOUND		__attribute__((weak))

typedef struct PyObject PyObject;

extern PyObject *PyBytes_FromStringAndSize(const char *text, ssize_t len) FOUND;
extern PyObject *PyUnicode_DecodeFSDefault(const char *text) FOUND;
extern PyObject *PyList_New(ssize_t len) FOUND;
extern int PyList_SetItem(PyObject *list, ssize_t i, PyObject *item) FOUND;
extern void PyDict_Clear(PyObject *dict) FOUND;
extern PyObject *PyDict_SetDefault(PyObject *dict, PyObject *key, PyObject *value) FOUND;
extern void Py_DecRef(PyObject *object) FOUND;

/* Of two with one name the first counts, for the interpreter as for getenv(). */
static int add_variable(PyObject *dict, const char *text, const char *equals)
{
	PyObject *name = PyBytes_FromStringAndSize(text, equals - text);
	PyObject *value = PyBytes_FromStringAndSize(equals + 1, strlen(equals + 1));
	int ret = name && value && PyDict_SetDefault(dict, name, value) ? 0 : -1;

	Py_DecRef(name);
	Py_DecRef(value);
	return ret;
}

/* @dict: what os.environ looks its variables up in. */
EXPORTED int coppice_python_environment(PyObject *dict)
{
	const char *equals;
	char **text;
	int ret = 0;

	PyDict_Clear(dict);
	for (text = environ; !ret && text && *text; text++) {
		equals = strchr(*text, '=');
		if (equals)
			ret = add_variable(dict, *text, equals);
	}
	return ret;
}

/* A new list for sys.argv; empty outside a task. */
EXPORTED PyObject *coppice_python_arguments(void)
{
	char **argv = NULL;
	int argc = coppice_args(&argv), i, ret = 0;
	PyObject *list = PyList_New(argc);

	for (i = 0; list && !ret && i < argc; i++) {
		PyObject *text = PyUnicode_DecodeFSDefault(argv[i]);

		ret = text ? PyList_SetItem(list, i, text) : -1;
	}
	if (!ret)
		return list;
	Py_DecRef(list);
	return NULL;
}
