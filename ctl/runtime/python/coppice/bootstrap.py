# SPDX-License-Identifier: MIT
"""Run a function of an ordinary cloud handler file.

    python3 -m coppice.bootstrap FILE:HANDLER [--warm EVENT.json]…
    python3 -m coppice.bootstrap '{"target": "FILE:HANDLER", "warm": ["EVENT.json"]}'

In a template the handler's module is loaded and, with --warm, called; then the
process becomes the image. In a task, and where there is no template at all, the
event is read from the descriptor in COPPICE_EVENT_FD ({} without one), the handler
is called as handler(event, context), and its result is printed as a line of JSON.

With COPPICE_REUSE each line there is an event. The task handles one after the other; between
two of them it is reset ("reset") or goes on with what it has ("keep"). With COPPICE_CHANNEL_FD a coordinator
hands them over and takes the results: see channel.py.
"""

import gc
import os

# A collection comes when so many objects are there, and moves what is allocated after it: it would
# take but one object more in one template to give its image other pages than the rest have.
gc.disable()

if "COPPICE_PLACEMENT_FD" in os.environ:
    from coppice import placement
    placement.begin()
else:
    placement = None

# What functions have in common runs before anything that depends on this one, so that it
# is the same in each of their images, byte for byte.
base = {"__name__": "coppice_base", "__file__": os.environ.pop("COPPICE_PYTHON_BASE", None)}
if base["__file__"]:
    with open(base["__file__"], encoding="utf-8") as source:
        exec(compile(source.read(), base["__file__"], "exec"), base)

import argparse
import ctypes
import functools
import importlib.util
import json
import sys
import time
import traceback

import coppice
from coppice import channel, decoding, encoding, ending

# What the cloud allows at most.
TIMEOUT_NS = 900 * 1_000_000_000


def new_id():
    """A random UUID. The module's class takes five times as long."""
    digits = os.urandom(16).hex()
    variant = "89ab"[int(digits[16], 16) & 3]
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:]}"


class Context:
    """What a handler finds as its second argument, in the cloud's terms; @event: what a coordinator said of it."""

    function_version = "$LATEST"
    identity = client_context = None

    def __init__(self, name, event={}):
        self.function_name = event.get("function", name)
        self._event = event
        self.log_group_name = self.log_stream_name = self.function_name
        # Time runs from the request, not from when the function got to run.
        request = int(coppice.setting(b"COPPICE_REQUEST_NS") or time.monotonic_ns())
        self._deadline = event.get("deadline_ns", request + TIMEOUT_NS)

    # Made when they are asked for: few handlers do, and each start would have them made.

    @functools.cached_property
    def aws_request_id(self):
        return self._event.get("id") or new_id()

    @functools.cached_property
    def invoked_function_arn(self):
        return self._event.get("arn") or f"arn:aws:lambda:local:000000000000:function:{self.function_name}"

    @functools.cached_property
    def memory_limit_in_mb(self):
        return str(self._event.get("memory", 0))

    def get_remaining_time_in_millis(self):
        return max(0, (self._deadline - time.monotonic_ns()) // 1_000_000)


def load(target):
    """The handler of FILE:HANDLER, and the function's name."""
    path, _, attribute = target.rpartition(":")
    if not path or not attribute:
        sys.exit(f"coppice.bootstrap: '{target}' does not name a handler: use FILE:HANDLER")
    name = os.path.splitext(os.path.basename(path))[0]
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or not os.path.exists(path):
        sys.exit(f"coppice.bootstrap: {path} is no Python file that can be read: check the path")
    sys.path.insert(0, os.path.dirname(os.path.abspath(path)))
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    handler = getattr(module, attribute, None)
    if not callable(handler):
        sys.exit(f"coppice.bootstrap: {path} has no function {attribute}: name one that it defines")
    return handler, name


def warm(handler, name, paths):
    """Call the handler, so that what it loads and caches is in the image."""
    for path in paths:
        if placement:
            placement.at(f"warm {path}")
        with open(path, encoding="utf-8") as file:
            handler(json.load(file), Context(name))


def close_connections():
    """Kept-alive connections can't be in an image; clients connect again by themselves."""
    http_client = sys.modules.get("http.client")
    if http_client is None or not coppice.is_template():
        return
    gc.collect()
    for thing in gc.get_objects():
        # Not isinstance(), which looks into each object.
        if issubclass(type(thing), http_client.HTTPConnection):
            thing.close()


def decode(data):
    try:
        return decoding.loads(data) if data.strip() else {}
    except ValueError as error:
        sys.exit(f"coppice.bootstrap: the event is not JSON ({error}): give a file with one JSON value")


def read_event():
    descriptor = coppice.take_setting(b"COPPICE_EVENT_FD")
    if descriptor is None:
        return {}
    descriptor = int(descriptor)
    # Without a file's object and buffer: this is part of every start.
    pieces = iter(lambda: os.read(descriptor, 1 << 16), b"")
    data = b"".join(pieces)
    os.close(descriptor)
    return decode(data)


def read_line(descriptor):
    """The next line, or nothing at the end; the position is the kernel's, so a reset keeps it."""
    line = b""
    while not line.endswith(b"\n"):
        data = os.read(descriptor, 1 << 16)
        if not data:
            break
        end = data.find(b"\n") + 1 or len(data)
        line += data[:end]
        if end < len(data):
            os.lseek(descriptor, end - len(data), os.SEEK_CUR)
    return line


def rehearse(name):
    """Go through a task's first steps: see coppice.REHEARSALS."""
    for _ in range(coppice.REHEARSALS):
        descriptor = os.memfd_create("rehearsal")
        os.write(descriptor, b'{"rehearsal": [1, 2.5, "text"]}')
        os.lseek(descriptor, 0, os.SEEK_SET)
        os.environ["COPPICE_EVENT_FD"] = str(descriptor)
        begin(name)
    channel.rehearse(lambda event: Context(name, event))


def learn(handler, name, warm_with):
    """
    What a task writes to from its resume to the end of an event, which is the last that it was warmed with, whoever
    hands it over.
    """
    def event():
        coppice.prepare()
        coppice.become_child()
        begin(name)
        channel.rehearse(lambda event: Context(name, event), 1)
        warm(handler, name, warm_with[-1:])
    coppice.become_still()
    placement.learn(event)


def begin(name):
    """A task's event and context."""
    event = read_event()
    context = Context(name)
    coppice.ready()
    return event, context


def invoke(handler, event, context):
    try:
        result = handler(event, context)
    except Exception:
        traceback.print_exc()
        return 1
    # In one piece, also where streams are not buffered: tasks of one caller share its output.
    sys.stdout.write(encoding.dumps(result) + "\n")
    sys.stdout.flush()
    return 0


def serve(handler, name, reuse):
    """One event after the other. A reset goes on behind the checkpoint, not here."""
    descriptor = int(coppice.take_setting(b"COPPICE_EVENT_FD"))
    while line := read_line(descriptor):
        event, context = decode(line), Context(name)
        coppice.ready()
        if invoke(handler, event, context):
            return 1
        if reuse == b"reset":
            coppice.reset()
        coppice.idle()
    return 0


def parse():
    if len(sys.argv) == 2 and sys.argv[1].startswith("{"):
        return argparse.Namespace(**json.loads(sys.argv[1]))
    parser = argparse.ArgumentParser(prog="coppice.bootstrap", description="Run a handler.")
    parser.add_argument("target", metavar="FILE:HANDLER")
    parser.add_argument("--warm", metavar="EVENT.json", action="append", default=[])
    return parser.parse_args()


def main():
    # What the function adds then lies in no page that other images have as well.
    close_connections()
    coppice.seal()
    if placement:
        placement.at("function")
    gc.enable()
    arguments = parse()
    handler, name = load(arguments.target)
    coppice.defer_ready()
    coppice.expect_settings()
    if arguments.warm:
        coppice.before_warming()
    if coppice.is_template():
        rehearse(name)
    # The function comes last: caches then have what it needs.
    warm(handler, name, arguments.warm)
    close_connections()
    if placement:
        placement.end()
        if placement.learning():
            learn(handler, name, arguments.warm)
    coppice.checkpoint()
    reuse, descriptor = coppice.take_setting(b"COPPICE_REUSE"), coppice.take_setting(b"COPPICE_CHANNEL_FD")
    if descriptor:
        return channel.serve(int(descriptor), handler, reuse, lambda event: Context(name, event))
    return serve(handler, name, reuse) if reuse else invoke(handler, *begin(name))


def run():
    """main(), and the end of the process."""
    try:
        code = main()
    except (SystemExit, Exception) as error:
        if not coppice.is_task():
            raise
        code = ending.code_of(error)
    if coppice.is_task():
        ending.end(code)
    sys.exit(code)


if __name__ == "__main__":
    run()
