# SPDX-License-Identifier: MIT
"""Checkpoint and resume of a Python function: see coppice_checkpoint(3).

    import coppice
    coppice.checkpoint()        # ends a template; returns in each task

Outside a template every function here does nothing, so a program that uses
them also runs without Coppice.
"""

import ctypes
import gc
import os
import sys

__all__ = ["checkpoint", "after_restore", "ready", "defer_ready", "is_task", "is_template",
           "seal", "reshare", "reset", "idle"]

# How often a template goes through what each task will: CPython writes to the code of a
# function the first times that it runs (counters, specialised instructions). Written in
# the template, these pages stay shared.
REHEARSALS = 20

_callbacks = []
_task = False
_deferred = False
# On the way from a template to a task, and not to a child.
_becoming = False
# Of the template.
_pid = 0
# Looked up in the template: the interpreter's own part of being a child, and that of `threading`, which
# knows the kernel's number of the thread.
_after_fork = None
_refresh_thread = None
# What libcoppice has pointers to: see strings.c.
_strings = None
_settings = {}


# A function is looked up when it is asked for first: in the template, not in each task.
FUNCTIONS = ("checkpoint", "is_template", "ready", "defer_ready", "reshare", "reset", "idle", "seal_heap",
             "python_strings", "python_settings", "python_generator")


def _load():
    """libcoppice: preloaded into a template, else it is not needed at all."""
    try:
        lib = ctypes.PyDLL(None, use_errno=True)
        for name in FUNCTIONS:
            getattr(lib, f"coppice_{name}").argtypes = []
        lib.coppice_reshare.argtypes = [ctypes.c_void_p, ctypes.c_void_p]
        lib.coppice_python_strings.argtypes = [ctypes.py_object, ctypes.py_object]
        lib.coppice_python_settings.argtypes = [ctypes.py_object]
        lib.coppice_python_generator.argtypes = [ctypes.c_void_p]
        return lib
    except AttributeError:
        return None


_lib = _load()

# The kernel makes random numbers at a hundred instructions for each four bytes.
SEED_BYTES = 32

# Their hooks put right what other threads held when a process was forked.
OF_THREADS = "threading", "logging"


def _state_of(generator):
    """Where one of random's generators has what getstate() tells, if its object is as CPython's are; or None."""
    *words, used = generator.getstate()[1]
    memory = ctypes.string_at(id(generator), type(generator).__basicsize__)
    state = b"".join(word.to_bytes(4, sys.byteorder) for word in (used, *words))
    at = memory.find(state)
    return None if at < 0 else id(generator) + at


def _seeded_shortly(hook):
    """
    random's generators seeded with 32 bytes: 2,496, which they would take, are a good part of what a task
    does to begin with. libcoppice does it in tasks, which takes an eighth of what seed() does.
    """
    generator = getattr(hook, "__self__", None)
    if type(generator).__module__ != "random" or hook.__name__ != "seed":
        return hook
    seed = super(type(generator), generator).seed
    state = _state_of(generator)
    done_in_tasks = state is not None and not _lib.coppice_python_generator(state)

    def reseed():
        # A template's last steps were this, too.
        if done_in_tasks and _task and _becoming:
            return
        seed(int.from_bytes(os.urandom(SEED_BYTES), "little"))
        # What the class adds to its base.
        generator.gauss_next = None
    return reseed


def _in_children_only(hook):
    def called_by_fork():
        if not _becoming:
            hook()
    return called_by_fork


def _register_adapted(register):
    """
    os.register_at_fork() for what tasks do as well. A template has one thread, and a task has the same one: no lock
    is held by another that is gone.
    """
    def register_at_fork(**hooks):
        # All hooks of a call or none: one takes the lock that another makes anew.
        of_threads = any(getattr(hook, "__module__", None) in OF_THREADS for hook in hooks.values())
        adapted = _in_children_only if of_threads else _seeded_shortly
        register(**{when: adapted(hook) for when, hook in hooks.items()})
    return register_at_fork


def is_template():
    """True if checkpoint() will end this process."""
    return bool(_lib) and _lib.coppice_is_template()


def _reseed_openssl():
    """Its generators seed themselves anew, when they are used, in a process of another number than the template's."""
    if "ssl" in sys.modules and os.getpid() == _pid:
        sys.modules["ssl"].RAND_add(os.urandom(32), 32.0)


if is_template():
    # A child of a task may have that number, too.
    os.register_at_fork(after_in_child=_in_children_only(_reseed_openssl))
    os.register_at_fork = _register_adapted(os.register_at_fork)


def is_task():
    """True in a task of an image."""
    return _task


def after_restore(callback):
    """Have callback() called in every task, before checkpoint() returns.

    Returns the callback, so that it can be used as a decorator.
    """
    _callbacks.append(callback)
    return callback


def defer_ready():
    """The program calls ready() itself, later than checkpoint()'s return."""
    global _deferred
    _deferred = True


def ready():
    """The task has finished starting: what it touched is mapped ahead for others."""
    if _lib and _task:
        _lib.coppice_ready()


def seal():
    """What there is now lies apart from what is made later: see coppice_seal_heap() in coppice.h.

    For templates, after what several of them have in common is loaded; checkpoint() does it again.
    """
    if not is_template():
        return
    from . import instructions
    # Garbage would be carried into every task, and a later collection would write to
    # every object's header: collect once, then take what is left out of it.
    gc.collect()
    instructions.note()
    gc.freeze()
    _lib.coppice_seal_heap()


def before_warming():
    """
    What the function's events leave behind is replaced by what a task's leave, so it shall lie together.
    And types' lookups are cached, with a reference to each name. Those of a template that loads its function are
    no task's, which would put its own in their places and give the references back.
    """
    if is_template():
        seal()
        sys._clear_type_cache()


def reshare():
    """Give back private pages that equal the image's: (pages compared, given back)."""
    compared, given_back = ctypes.c_uint64(), ctypes.c_uint64()
    if _task and _lib.coppice_reshare(ctypes.byref(compared), ctypes.byref(given_back)) < 0:
        _fail("memory can't be given back")
    return compared.value, given_back.value


def reset():
    """Be what the task was at its start: checkpoint() returns once more, this does not."""
    sys.stdout.flush()
    sys.stderr.flush()
    if _task:
        _lib.coppice_reset()
        _fail("the task can't be reset")


def idle():
    """The task waits for its next event: memory goes back as the group's policy has it."""
    if _task:
        _lib.coppice_idle()


def _fail(what):
    code = ctypes.get_errno()
    raise OSError(code, f"{what}: {os.strerror(code)}")


def become_still():
    """A template's last steps before its checkpoint: what tasks would do and leave, it has done."""
    from . import instructions
    for _ in range(REHEARSALS):
        prepare()
        become_child()
    sys.stdout.flush()
    sys.stderr.flush()
    instructions.note()
    instructions.settle()
    seal()


def checkpoint():
    """End a template here; return True in each of its tasks, False elsewhere."""
    global _task, _becoming
    if not is_template():
        return False
    become_still()
    # Not before the interpreter's own part of resuming is done.
    _lib.coppice_defer_ready()
    prepare()
    result = _lib.coppice_checkpoint()
    if result < 0:
        ctypes.pythonapi.PyOS_AfterFork_Parent()
        _becoming = False
        _fail("this process can't be a template")
    _task = True
    _resume()
    if not _deferred:
        ready()
    return True


def prepare():
    """What os.fork() does first, before become_child()."""
    global _becoming, _pid, _strings, _after_fork, _refresh_thread
    _becoming, _pid = True, os.getpid()
    _forget()
    threading = sys.modules.get("threading")
    _after_fork = ctypes.pythonapi.PyOS_AfterFork_Child
    _refresh_thread = threading and getattr(threading.main_thread(), "_set_native_id", None)
    ctypes.pythonapi.PyOS_BeforeFork()
    # In a task they are its own when the checkpoint returns. Nothing of Python runs before that.
    _strings = sys.argv, os.environ._data
    _lib.coppice_python_strings(*_strings)
    # Filled there, too: it is to be known that a task writes to it.
    _settings[b""] = b""
    _settings.clear()


def _forget():
    """What modules drew from their generators, which are others in a task."""
    modules = sys.modules
    if "tempfile" in modules:
        modules["tempfile"]._name_sequence = None
    if "uuid" in modules:
        # uuid1's clock sequence and last timestamp.
        modules["uuid"]._last_timestamp = None


def become_child():
    """What os.fork() does in a child of what has prepared for it, and what it leaves to do."""
    global _becoming
    # Locks, thread states, at-fork hooks (random's seed among them).
    _after_fork()
    _becoming = False
    if _refresh_thread:
        _refresh_thread()
    _reseed()


def _resume():
    become_child()
    for callback in _callbacks:
        callback()


def setting(name):
    """
    A variable of the environment, as bytes, or None. Tasks ask for some first thing, and os.environ decodes
    what it is asked for and makes an exception of each answer that is no.
    """
    return os.environ._data.get(name)


def expect_settings():
    """The program takes what the controller has set for it: tasks have that apart from their environment."""
    if is_template():
        _lib.coppice_python_settings(_settings)


def take_setting(name):
    """One that the controller has set for this program alone, and for none that it starts."""
    value = _settings.pop(name, None)
    if value is not None or _task:
        return value
    value = os.environ._data.pop(name, None)
    if value is not None:
        os.unsetenv(name)
    return value


def _reseed():
    """Generators that no at-fork hook knows (random has one), if they are loaded at all."""
    _reseed_openssl()
    if "numpy.random" in sys.modules:
        sys.modules["numpy.random"].seed()
