"""The same function with an instrument at its first line.

With PROBE_DIR set, what the start has cost is noted there; with PROBE_HOLD as well, the
function waits there until it is let go, so that many tasks can be looked at.
"""

import time

FIRST_LINE = time.monotonic_ns

import json
import os

import store


def note(now):
    directory = os.environ["PROBE_DIR"]
    path = f"{directory}/{os.getpid()}"
    with open(path + ".part", "w", encoding="ascii") as file:
        json.dump({"pid": os.getpid(), "start_ns": now - int(os.environ["COPPICE_REQUEST_NS"])}, file)
    os.rename(path + ".part", path + ".json")


def handler(event, context):
    now = FIRST_LINE()
    if "PROBE_DIR" in os.environ:
        note(now)
        if "PROBE_HOLD" in os.environ:
            with open(os.environ["PROBE_HOLD"], "rb") as gate:
                gate.read()
    return store.handler(event, context)
