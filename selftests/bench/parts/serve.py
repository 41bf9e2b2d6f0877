"""From a client's request to its answer, by the coordinator and by what does without: a handler that does nothing."""

import contextlib
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import time
from pathlib import Path

from .place import BENCH, TOP, say

sys.path.append(str(TOP / "selftests" / "serve"))
import stage  # noqa: E402

HANDLER = "def handler(event, context):\n    return event\n"
RIVAL = BENCH / "functions" / "rival.py"
REQUESTS = int(os.environ.get("COPPICE_BENCH_REQUESTS", "50"))
SETTLE = 0.03           # seconds after which nothing of the last request still runs
NEW = [f"new{number}" for number in range(7)]
MOUNTS = "/usr", "/lib", "/lib64", "/bin", "/etc"


class Client:
    """One connection that is kept, and no library's weight."""

    def __init__(self, port, path):
        self.socket = socket.create_connection(("127.0.0.1", port), 60)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.path = path
        self.number = 0

    def ask(self):
        self.number += 1
        body = json.dumps({"nonce": self.number})
        request = f"POST {self.path} HTTP/1.1\r\nHost: hub\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()
        begun = time.monotonic_ns()
        self.socket.sendall(request)
        answer = self.socket.recv(65536)
        while json.dumps({"nonce": self.number}).encode() not in answer:
            piece = self.socket.recv(65536)
            if not piece:
                raise SystemExit(f"{self.path}: no answer but {answer}")
            answer += piece
        took = time.monotonic_ns() - begun
        if b" 200 " not in answer.split(b"\r\n")[0]:
            raise SystemExit(f"{self.path}: {answer}")
        return took / 1000


def median(port, path="/", between=lambda: None, requests=REQUESTS):
    client = Client(port, path)
    # What is loaded, cached and learned by the first ones is there for the others.
    for _ in range(3):
        client.ask()
        time.sleep(SETTLE)
        between()
    times = []
    for _ in range(requests):
        times.append(client.ask())
        time.sleep(SETTLE)
        between()
    return round(statistics.median(times), 1)


def spare_is_there(hub, name="fresh"):
    stage.wait_for("a spare task", lambda: hub.metric("function_tasks_spare", name))


def first_requests(hub):
    """Of functions that share nothing and that nobody has asked for yet; by a connection that is kept."""
    client = Client(hub.port, stage.PATH.format("keep"))
    client.ask()
    times = []
    for name in NEW:
        spare_is_there(hub, name)
        client.path = stage.PATH.format(name)
        times.append(client.ask())
        time.sleep(SETTLE)
    return round(statistics.median(times), 1)


def coordinator(backend):
    hub = stage.Hub(backend)
    with contextlib.closing(hub):
        path = stage.PATH.format
        hub.deploy("keep", HANDLER, reuse="keep", concurrency={"max": 1})
        hub.deploy("fresh", HANDLER, reuse="fresh")
        for name in NEW:
            hub.deploy(name, HANDLER)
        if backend == "kernel":
            hub.deploy("reset", HANDLER, concurrency={"max": 1})
        hub.start()
        yield "warm", median(hub.port, path("keep"))
        if backend == "kernel":
            yield "reset", median(hub.port, path("reset"))
        yield "spare", median(hub.port, path("fresh"), lambda: spare_is_there(hub))
        yield "first", first_requests(hub)
        hub.stop()
        hub.start("--no-spares", "--idle", "0")
        yield "cold", median(hub.port, path("fresh"))


def write_bundle(directory):
    """The hub's own interpreter, read-only, and nothing else of the hub."""
    root = directory / "rootfs"
    root.mkdir(parents=True)
    subprocess.run(["crun", "spec"], cwd=directory, check=True)
    config = json.loads((directory / "config.json").read_text())
    scope = {"HANDLER": None}
    for line in RIVAL.read_text().splitlines():
        if line.startswith("HANDLER = "):
            exec(line, scope)
    config["process"].update(terminal=False, args=["/usr/bin/python3", "-c", scope["HANDLER"]])
    config["mounts"] += [{"destination": path, "type": "bind", "source": path, "options": ["rbind", "ro"]} for path in MOUNTS]
    (directory / "config.json").write_text(json.dumps(config))


@contextlib.contextmanager
def rival(way, *words):
    port = stage.free_port()
    process = subprocess.Popen([sys.executable, str(RIVAL), way, str(port), *words], start_new_session=True)
    try:
        stage.wait_for("it listens", lambda: not socket.socket().connect_ex(("127.0.0.1", port)))
        yield port
    finally:
        os.killpg(process.pid, 9)
        process.wait()


def rivals(requests):
    with rival("prefork") as port:
        yield "prefork", median(port)
    with rival("process") as port:
        yield "process", median(port, requests=requests)
    # Beside version 1 crun takes no version 2.
    if not shutil.which("crun") or not os.path.exists("/sys/fs/cgroup/cgroup.controllers"):
        return
    bundle = Path("/run/bench-container")
    write_bundle(bundle)
    try:
        with rival("container", str(bundle)) as port:
            yield "container", median(port, requests=requests)
    finally:
        shutil.rmtree(bundle)


def measure(backend, requests=REQUESTS):
    """(way, microseconds) one after the other."""
    for way, us in (*coordinator(backend), *rivals(requests)):
        say(f"{way}: {us} us")
        yield way, us


def load_diag():
    """A hub's kernel loads it by itself, where modprobe is found; without it each request has the list of all connections read."""
    subprocess.run(["modprobe", "-a", "tcp_diag"], check=True)


def run():
    load_diag()
    stage.own_hub()
    for way, us in measure("kernel", 10):
        yield {f"serve.{way}.us": us}
