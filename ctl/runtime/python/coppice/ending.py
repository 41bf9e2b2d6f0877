# SPDX-License-Identifier: MIT
"""The end of a task.

An interpreter that ends takes all its objects apart: a task would first get a copy of
nearly every page of its image, to throw it away. So a task does what a program can notice of
that, and leaves its memory to the kernel. In this order: threads that are no daemons are waited for,
atexit callbacks run, what the task has made is finalised (files are written out and closed, ``__del__()``
called), standard streams and libc's are flushed. Objects of the image are not finalised, which
Python promises for no object; libc's own atexit handlers are not called.
"""

import _io
import atexit
import ctypes
import gc
import os
import sys
import traceback

# Of a program whose standard output can't be written; see Py_RunMain().
STATUS_UNFLUSHED = 120


def code_of(error):
    """What an exception that nobody catches makes of the process: as if it were SystemExit(code)."""
    if isinstance(error, SystemExit):
        return error.code
    sys.excepthook(type(error), error, error.__traceback__)
    return 1


def status_of(code):
    """What a process ends with that raises SystemExit(code)."""
    if code is None:
        return 0
    if isinstance(code, int):
        return code & 0xFF
    print(code, file=sys.stderr)
    return 1


def end(code):
    """End the process as sys.exit(code) would."""
    status = status_of(code)
    _end_threads()
    atexit._run_exitfuncs()
    # Before and after: what is finalised may print.
    flushed = _all_flushed()
    _finalise()
    if not (flushed and _all_flushed()):
        status = STATUS_UNFLUSHED
    ctypes.CDLL(None).fflush(None)
    os._exit(status)


def _ignore(what):
    """Tell of the current exception as the interpreter does of one that nobody can catch."""
    print(f"Exception ignored in: {what!r}", file=sys.stderr)
    traceback.print_exc()


def _end_threads():
    threading = sys.modules.get("threading")
    if threading:
        try:
            threading._shutdown()
        except BaseException:
            _ignore(threading)


def _finalise():
    """What the image's objects are not: those are frozen, and no collection sees them."""
    found = [thing for thing in gc.get_objects() if hasattr(type(thing), "__del__")]
    # What holds others was mostly made after them.
    files = [thing for thing in reversed(found) if issubclass(type(thing), _io._IOBase)]
    for file in files:
        if type(file) is _io.TextIOWrapper:
            _flushed(file)
    others = [thing for thing in found if not issubclass(type(thing), _io._IOBase)]
    # Python's own, compressed ones say, write to plain ones as they end.
    for thing in others + sorted(files, key=lambda file: type(file).__module__ == "_io"):
        if not getattr(thing, "gi_running", False):
            ctypes.pythonapi.PyObject_CallFinalizer(ctypes.py_object(thing))


def _all_flushed():
    return all([_flushed(sys.stdout), _flushed(sys.stderr)])


def _flushed(stream):
    try:
        if stream is not None and not stream.closed:
            stream.flush()
        return True
    except Exception:
        _ignore(stream)
        return False
