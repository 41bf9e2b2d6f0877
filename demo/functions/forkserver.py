"""A warm parent that forks a child for each request: what a hub can do without Coppice.

    forkserver.py FILE:HANDLER WARM.json

Reads requests from standard input, a line of JSON each: {"event", "environ", "output"}.
"""

import gc
import json
import os
import sys
import time
import traceback

from coppice import bootstrap


def child(handler, name, request):
    os.environ.update(request["environ"])
    sys.stdout = open(request["output"], "w", encoding="utf-8")
    result = handler(request["event"], bootstrap.Context(name))
    print(json.dumps(result), flush=True)


def serve(handler, name):
    for line in sys.stdin:
        request = json.loads(line)
        request["environ"]["COPPICE_REQUEST_NS"] = str(time.monotonic_ns())
        pid = os.fork()
        if not pid:
            try:
                child(handler, name, request)
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(0)
        print(pid, flush=True)


def main():
    handler, name = bootstrap.load(sys.argv[1])
    bootstrap.warm(handler, name, [sys.argv[2]])
    bootstrap.close_connections()
    gc.collect()
    gc.freeze()
    print("ready", flush=True)
    serve(handler, name)


main()
