# SPDX-License-Identifier: MIT
"""Have the objects that a function's events write to lie together: see placement.h.

The controller hands a file over, COPPICE_PLACEMENT_FD. What is in it was learned by an earlier template. If it
is empty, this template loads and warms the function only to learn: it has one more event with
its writes watched, notes which allocations they went to, and ends.
"""

import ctypes
import os
import sys
from importlib import machinery

# As identities.c reads it.
HEADER = b"coppice-placement 2\n"
# As many as identities.h has room for.
MOST = 1 << 18
# As placement.h has them.
LEARNS, PLACES, INVALID, IMPOSSIBLE, TOO_LONG = 1, 2, 3, 4, 5

_lib = ctypes.PyDLL(None, use_errno=True)
_learning = None
_originals = {}


def _named(original):
    """A loader's exec_module() that tells of the places where modules begin and end."""
    def exec_module(loader, module):
        at(f"begin {module.__name__}")
        original(loader, module)
        at(f"end {module.__name__}")
    return exec_module


def _name_modules():
    for kind in (machinery.SourceFileLoader, machinery.SourcelessFileLoader, machinery.ExtensionFileLoader):
        _originals[kind] = kind.exec_module
        kind.exec_module = _named(kind.exec_module)


def at(place):
    """The template gets to a place of this name, in each run of it."""
    _lib.coppice_placement_at(place.encode())


def _refuse(what):
    sys.exit(f"coppice.bootstrap: {what}")


def _read(descriptor):
    data = b""
    while piece := os.pread(descriptor, 1 << 20, len(data)):
        data += piece
    return data


def begin():
    """Before anything else is loaded. Allocations have been counted since the interpreter began."""
    global _learning
    descriptor = int(os.environ.pop("COPPICE_PLACEMENT_FD"))
    begun = _lib.coppice_placement_begin(descriptor)
    if begun == INVALID:
        _refuse("the placement is not one that was learned: remove its file, and it is learned again")
    if begun == TOO_LONG:
        _refuse(f"the placement lists more than the {MOST:,} allocations that there is room for: "
                "remove its file, and it is learned again")
    if begun == IMPOSSIBLE:
        _refuse("this interpreter's allocators cannot be placed: leave the placement out")
    if begun == LEARNS:
        _learning = descriptor
    else:
        os.close(descriptor)
    _name_modules()
    at("begin")


def learning():
    """Does this run become no image?"""
    return _learning is not None


def end():
    """What is allocated from here on is a task's, or nobody's."""
    for kind, original in _originals.items():
        kind.exec_module = original
    _originals.clear()
    _lib.coppice_placement_end()


def _watch(event):
    if _lib.coppice_placement_watch():
        _refuse("this processor cannot watch what an event writes to: use a placement that was learned on another")
    try:
        event()
    finally:
        identities = (ctypes.c_uint64 * MOST)()
        number = _lib.coppice_placement_written(identities, ctypes.c_size_t(MOST))
        text = HEADER + b"".join(b"%014x\n" % identity for identity in sorted(identities[:number]))
        os.write(_learning, text)


def learn(event):
    """What @event writes to; ends the run."""
    pid = os.fork()
    if not pid:
        try:
            _watch(event)
        except BaseException:
            # What was written to until then was, so it is of use.
            sys.excepthook(*sys.exc_info())
        finally:
            os._exit(0)
    os.waitpid(pid, 0)
    os._exit(0 if _read(_learning) else 1)
