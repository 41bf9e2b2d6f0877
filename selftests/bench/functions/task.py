"""The demo's function, and a driver's instruments around it.

An event says what the task is to do, step by step, and where: see parts/crowd.py. After
each step it notes how far it is and waits at a gate.
"""

import time

FIRST_LINE = time.monotonic_ns

import ctypes
import fcntl
import gc
import os
import resource
import sys

import answers
import coppice
import store

EVENTS = 10
SOAK = 990
READING = {"device": "thermometer-7", "value": 21.5}
_MADV_MERGEABLE = 12
_libc = ctypes.CDLL(None, use_errno=True)

answers.install(store.s3)


def work(context, count):
    for _ in range(count):
        assert store.handler(READING, context)["listed"]


def note(event, step, *numbers):
    """
    When, and what. One write to one file of all tasks: files of their own would count as
    their memory.
    """
    numbers = (time.monotonic_ns(), *numbers)
    descriptor = os.open(event["notes"], os.O_WRONLY | os.O_APPEND)
    os.write(descriptor, (" ".join(map(str, (os.getpid(), step, *numbers))) + "\n").encode())
    os.close(descriptor)


def wait(event, step):
    """The driver holds the gate's lock until all have come."""
    descriptor = os.open(f"{event['gate']}.{step}", os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_SH)
    os.close(descriptor)


def merge():
    """Offer all private memory to KSM."""
    with open("/proc/self/maps", encoding="ascii") as maps:
        lines = maps.read().splitlines()
    for line in lines:
        addresses, rights = line.split()[:2]
        start, end = (int(number, 16) for number in addresses.split("-"))
        if rights[3] == "p" and "[v" not in line:
            _libc.madvise(ctypes.c_void_p(start), ctypes.c_size_t(end - start), _MADV_MERGEABLE)


def soak(context):
    """A long life: events, a full collection and a reshare each, as a task that is idle between them."""
    for _ in range(SOAK):
        work(context, 1)
        gc.collect()
        coppice.reshare()
    return (SOAK,)


def step(name, context):
    """One step; numbers to note."""
    if name == "event":
        work(context, 1)
    elif name == "events":
        work(context, EVENTS)
    elif name == "soak":
        return soak(context)
    elif name == "collect":
        gc.collect()
    elif name == "collect_all":
        gc.unfreeze()
        gc.collect()
    elif name == "reshare":
        return coppice.reshare()
    elif name == "merge":
        merge()
    return ()


class Answers:
    """Standard output, and when an answer had been written there."""

    def __init__(self, file):
        self.file = file
        self.written = 0
        self.write = file.write

    def __getattr__(self, name):
        return getattr(self.file, name)

    def flush(self):
        self.file.flush()
        self.written = self.written or time.monotonic_ns()

    def take(self):
        written, self.written = self.written, 0
        return written


def last_answer(event):
    """When that of the last event was written; of a task that goes on with what it has."""
    if not isinstance(sys.stdout, Answers):
        sys.stdout = Answers(sys.stdout)
    return {"answered": sys.stdout.take(), "ended": time.monotonic_ns()}


def handler(event, context):
    now = FIRST_LINE()
    faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    if "steps" not in event:
        work(context, event.get("warm", 1))
        return None
    note(event, "start", now, now - int(os.environ["COPPICE_REQUEST_NS"]), faults)
    wait(event, "start")
    for index, name in enumerate(event["steps"]):
        began = time.monotonic_ns()
        numbers = step(name, context)
        note(event, index, time.monotonic_ns() - began, *numbers)
        wait(event, index)
    return last_answer(event) if "answers" in event else {"ended": time.monotonic_ns()}
