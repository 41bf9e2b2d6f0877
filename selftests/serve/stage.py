# SPDX-License-Identifier: GPL-2.0
"""A hub of the test's own with a coordinator: state, logs and sockets are private mounts."""
import ctypes
import glob
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
COPPICE = os.environ.get("COPPICE", f"{TOP}/build/coppice")
PATH = "/2015-03-31/functions/{}/invocations"
DESCRIPTORS = 4         # of the coordinator for each task of an image
PATIENCE = int(os.environ.get("COPPICE_PATIENCE", 120))  # seconds; what takes longer than that has failed

HANDLER = '''
import json, os, sys, time
count = 0

def children(seconds):
    for _ in range(20):
        if not os.fork():
            os.setsid()
            time.sleep(seconds)
            os._exit(0)

def handler(event, context):
    global count
    count += 1
    what = event.get("do")
    if what == "crash":
        os.kill(os.getpid(), 9)
    if what == "exit":
        sys.exit(3)
    if what == "hang":
        children(60)
        time.sleep(60)
    if what == "raise":
        raise KeyError("nothing")
    if what == "flood":
        print("x" * 300)
        while True:
            os.write(1, b"y" * 65536)
    if what == "alloc":
        hoard = []
        while True:
            hoard.append(bytearray(1 << 24))
    if what == "fill":
        with open(event["file"], "wb") as file:
            while True:
                file.write(b"z" * 65536)
    if what == "fork":
        while True:
            try:
                os.fork()
            except OSError:
                time.sleep(0.01)
    if what == "leave":
        children(60)
    if what == "large":
        return "z" * (7 << 20)
    if what == "set":
        return {1, 2}
    if what == "forge":
        os.write(3, b'{"type": "result", "id": "00000000-0000-0000-0000-000000000000", "length": 2}\\n{}')
        time.sleep(60)
    if what == "sleep":
        time.sleep(event["seconds"])
    while what == "wait" and not os.path.exists(event["gate"]):
        time.sleep(0.02)
    if what == "become" and not os.path.exists(event["file"]):
        open(event["file"], "w").close()
        os.set_inheritable(3, True)
        while not os.path.exists(event["gate"]):
            time.sleep(0.02)
        os.execv("/bin/sleep", ["sleep", "60"])
    if what == "note":
        time.sleep(event.get("seconds", 0))
        with open(event["file"], "a") as file:
            file.write(context.aws_request_id + "\\n")
        if event.get("fail") and not os.path.exists(event.get("unless", "")):
            raise RuntimeError("again")
    print("event", event.get("nonce"))
    return {"nonce": event.get("nonce"), "count": count, "id": context.aws_request_id, "pid": os.getpid(),
            "function": context.function_name, "named": os.environ["AWS_LAMBDA_FUNCTION_NAME"], "left": context.get_remaining_time_in_millis()}
'''


def own_hub():
    """Mounts of this process and its children only."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(0x20000) or libc.mount(b"none", b"/", None, 0x44000, None):
        raise OSError(ctypes.get_errno(), "no mounts of the test's own")
    for path in "/run/coppice", "/var/lib/coppice", "/var/log/coppice":
        os.makedirs(path, exist_ok=True)
        subprocess.run(["mount", "-t", "tmpfs", "test", path], check=True)


def cgroup_mount():
    for line in open("/proc/self/mountinfo"):
        if " - cgroup2 " in line:
            return line.split()[4]
    raise RuntimeError("no cgroup v2")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def is_listening(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def wait_for(what, condition):
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.05)
    raise AssertionError(f"waited in vain: {what}")


class Reply:
    def __init__(self, response):
        self.status, self.body = response.status, response.read()
        self.headers = response.headers
        self.error = response.headers.get("X-Amz-Function-Error")

    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return f"{self.status} {self.error} {self.body[:200]}"


class Hub:
    def __init__(self, backend, *options):
        self.backend = backend
        self.options = options      # of each coordinator
        self.work = tempfile.mkdtemp()
        os.chmod(self.work, 0o777)
        self.port = free_port()
        self.socket = f"{self.work}/socket"
        self.serve = None
        self.functions = []

    def coppice(self, *words, check=True):
        done = subprocess.run([COPPICE, "--backend", self.backend, *words], stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, timeout=5 * PATIENCE)
        if check and done.returncode:
            raise AssertionError(f"{words}: {done.stdout}")
        return done

    def ask(self, *words):
        return json.loads(self.coppice("--json", *words).stdout)

    def prepare(self, name, text=None, files=None, **manifest):
        """A manifest and its code, which has the test's number, so that no other test's function has its group."""
        directory = f"{self.work}/{name}"
        os.makedirs(directory)
        files = files or {"app.py": (text or HANDLER) + f"# {os.getpid()} {name}\n"}
        for path, content in files.items():
            with open(f"{directory}/{path}", "wb") as file:
                file.write(content if isinstance(content, bytes) else content.encode())
            os.chmod(f"{directory}/{path}", 0o755)
        manifest = {"name": name, "runtime": "python", "code": "app.py:handler", "owner": "nobody",
                    "timeout": 10, "memory": 128, **manifest}
        with open(f"{directory}/function.json", "w") as file:
            json.dump(manifest, file)
        return directory

    def prepare_beside(self, other, name, **manifest):
        """Another function of the same code, with what differs in its manifest."""
        directory = f"{self.work}/{other}"
        with open(f"{directory}/function.json") as file:
            manifest = {**json.load(file), "name": name, **manifest}
        path = f"{directory}/{name}.function.json"
        with open(path, "w") as file:
            json.dump(manifest, file)
        return path

    def add(self, *paths):
        rows = self.ask("function", "add", *paths)
        self.functions += [row["name"] for row in (rows if len(paths) > 1 else [rows])]

    def deploy(self, *arguments, **manifest):
        self.add(self.prepare(*arguments, **manifest))

    def deploy_beside(self, *arguments, **manifest):
        self.add(self.prepare_beside(*arguments, **manifest))

    def edit(self, name, **changes):
        """Of the manifest, as a new version of a deployment makes them, which replaces the file."""
        path = f"/var/lib/coppice/functions/{name}/function.json"
        with open(path) as file:
            state = json.load(file)
        state["manifest"].update(changes)
        with open(f"{path}.new", "w") as file:
            json.dump(state, file)
        os.rename(f"{path}.new", path)

    def start(self, *options):
        self.log = open(f"{self.work}/log", "a")
        self.serve = subprocess.Popen([COPPICE, "--backend", self.backend, "serve", "--port", str(self.port),
                                       "--socket", self.socket, "--retry", "0",
                                       *self.options, *options], stderr=self.log)
        wait_for("the coordinator listens", self.listens)

    def listens(self):
        if self.serve.poll() is not None:
            raise AssertionError(f"the coordinator ended: {self.log_text()}")
        return is_listening(self.port)

    def stop(self):
        self.serve.send_signal(signal.SIGTERM)
        status = self.serve.wait(PATIENCE)
        self.serve = None
        return status

    def kill(self):
        self.serve.kill()
        self.serve.wait()
        self.serve = None

    def log_text(self):
        return open(f"{self.work}/log").read()

    def raw(self, data, timeout=PATIENCE):
        """What is answered to these bytes, all of it."""
        answer = b""
        with socket.create_connection(("127.0.0.1", self.port), timeout) as connection:
            # Who is refused early is answered although it goes on sending.
            try:
                connection.sendall(data)
                connection.shutdown(socket.SHUT_WR)
            except OSError:
                pass
            try:
                while piece := connection.recv(65536):
                    answer += piece
            except OSError:
                pass
        return answer

    def request(self, method, path, body=None, headers={}):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        try:
            connection.request(method, path, body, headers)
            return Reply(connection.getresponse())
        finally:
            connection.close()

    def invoke(self, name, event, kind=None, **headers):
        if kind:
            headers["X-Amz-Invocation-Type"] = kind
        body = event if isinstance(event, (bytes, str)) else json.dumps(event)
        return self.request("POST", PATH.format(name), body, headers)

    def metrics(self):
        text = self.request("GET", "/metrics").body.decode()
        return {line.rsplit(" ", 1)[0]: float(line.rsplit(" ", 1)[1])
                for line in text.splitlines() if not line.startswith("#")}

    def metric(self, name, function=None):
        return self.metrics().get(f'coppice_{name}{{function="{function}"}}' if function else f"coppice_{name}", 0)

    def task_cgroups(self):
        """Of this test's functions; others' may be on the hub."""
        marks = [line.split()[0] for line in self.coppice("group", "list").stdout.splitlines()[1:]]
        return [path for mark in marks for path in glob.glob(f"{cgroup_mount()}/coppice/{mark}/task.*")]

    def held(self):
        """What the coordinator has beside its tasks: descriptors, and processes and cgroups without the other."""
        cgroups, processes = self.task_cgroups(), 0
        for path in cgroups:
            try:
                processes += len(open(f"{path}/cgroup.procs").read().split())
            except OSError:
                pass        # it has just ended
        descriptors = len(os.listdir(f"/proc/{self.serve.pid}/fd"))
        return {"descriptors": descriptors - DESCRIPTORS * len(cgroups), "processes": processes - len(cgroups)}

    def close(self):
        if self.serve:
            self.stop()
        for name in self.functions:
            self.coppice("function", "delete", name)
        shutil.rmtree(self.work)


def parallel(number, work):
    """work(i) in as many threads; what each returned, or raised."""
    results = [None] * number

    def one(index):
        try:
            results[index] = work(index)
        except Exception as error:
            results[index] = error
    threads = [threading.Thread(target=one, args=(index,)) for index in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for result in results:
        if isinstance(result, Exception):
            raise result
    return results


class Points:
    """TAP: a function is a point, and what it says of itself its description."""

    def __init__(self):
        self.number = self.failed = 0
        print("TAP version 13", flush=True)

    def point(self, function, *arguments):
        self.number += 1
        verdict = "ok"
        try:
            function(*arguments)
        except Exception as error:
            import traceback
            text = "".join(traceback.format_exception(error))
            print("".join(f"# {line}\n" for line in text.splitlines()), end="")
            verdict = "not ok"
            self.failed += 1
        print(f"{verdict} {self.number} - {function.__doc__}", flush=True)

    def finish(self):
        print(f"1..{self.number}")
        sys.exit(1 if self.failed else 0)
