"""A warm process for CRIU to dump: goes on when a file with its event is there.

    frozen.py FILE:HANDLER WARM EVENT.json

The event names the time of the request as well.
"""

import gc
import json
import os
import sys
import time

import base  # noqa: F401 - as in a template, before the function
from coppice import bootstrap


def main():
    target, warm, path = sys.argv[1:]
    handler, name = bootstrap.load(target)
    handler({"warm": int(warm)}, bootstrap.Context(name))
    bootstrap.close_connections()
    gc.collect()
    gc.freeze()
    open(path + ".ready", "w").close()
    while not os.access(path, os.R_OK):
        time.sleep(0.001)
    with open(path, encoding="utf-8") as file:
        event = json.load(file)
    # Its monotonic clock goes on from the dump's: CRIU gives it a time namespace.
    elapsed = time.time_ns() - event["request"]
    os.environ["COPPICE_REQUEST_NS"] = str(time.monotonic_ns() - elapsed)
    handler(event, bootstrap.Context(name))
    os._exit(0)


main()
