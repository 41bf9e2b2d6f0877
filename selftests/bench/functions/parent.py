"""A warm parent that forks a child for each request: what a hub can do without Coppice.

    parent.py FILE:HANDLER WARM [freeze]

The function is warmed with as many events. Requests come on standard input, a line of JSON each: with "event" it forks, with "wait" it waits until all
children have ended before it answers.
"""

import gc
import json
import os
import sys
import time
import traceback

import base  # noqa: F401 - as in a template, before the function
from coppice import bootstrap


def child(handler, name, request):
    os.environ["COPPICE_REQUEST_NS"] = request["began"]
    handler(request["event"], bootstrap.Context(name))


def fork(handler, name, request):
    request["began"] = str(time.monotonic_ns())
    pid = os.fork()
    if pid:
        return
    try:
        child(handler, name, request)
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(0)


def wait():
    try:
        while True:
            os.wait()
    except ChildProcessError:
        pass


def serve(handler, name):
    for line in sys.stdin:
        request = json.loads(line)
        if "event" in request:
            fork(handler, name, request)
        if "wait" in request:
            wait()
        print("done", flush=True)


def main():
    handler, name = bootstrap.load(sys.argv[1])
    handler({"warm": int(sys.argv[2])}, bootstrap.Context(name))
    bootstrap.close_connections()
    if "freeze" in sys.argv[3:]:
        gc.collect()
        gc.freeze()
    print("ready", flush=True)
    serve(handler, name)


main()
