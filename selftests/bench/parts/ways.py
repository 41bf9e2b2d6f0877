"""
Ways to start the function. start(event, count) returns at once; wait() when all have ended;
run(event) starts one and returns when it has, with nobody busy meanwhile.
"""

import json
import os
import subprocess
import time
from pathlib import Path

from .place import CGROUPS, COPPICE, ENVIRONMENT, FUNCTIONS, OWNER, PYTHON, ROOT, TASK, TOP, WARM, coppice


def join(cgroup):
    """For preexec_fn: nothing of the child counts before it is in the cgroup."""
    def function():
        (cgroup / "cgroup.procs").write_text("0")
        os.setgroups([])
        os.setgid(OWNER)
        os.setuid(OWNER)
    return function


def write_event(event):
    path = ROOT / "event.json"
    path.write_text(json.dumps(event))
    return path


class Way:
    # So many are started before they are waited for: all there are.
    together = 1 << 20

    def run(self, event):
        self.start(event, 1)
        self.wait()


class Plain(Way):
    """A new interpreter that loads everything, as each task does today."""

    # Of a hundred that load side by side none is there for as long as all take.
    together = 8

    def __init__(self, name="plain"):
        self.cgroup = CGROUPS / f"bench-{name}"
        self.cgroup.mkdir(exist_ok=True)
        self.tasks = []

    def start(self, event, count):
        for _ in range(count):
            with open(write_event(event), "rb") as file:
                environ = {**PYTHON, "COPPICE_EVENT_FD": str(file.fileno()),
                           "COPPICE_REQUEST_NS": str(time.monotonic_ns())}
                self.tasks.append(subprocess.Popen(
                    ["/usr/bin/python3", "-m", "coppice.bootstrap", TASK], env=environ,
                    stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                    pass_fds=[file.fileno()], preexec_fn=join(self.cgroup)))

    def wait(self):
        for task in self.tasks:
            task.wait()
        self.tasks = []

    def close(self):
        pass


class Fork(Way):
    """A warm parent that forks, with or without gc.freeze()."""

    def __init__(self, name, freeze):
        self.cgroup = CGROUPS / f"bench-{name}"
        self.cgroup.mkdir(exist_ok=True)
        self.parent = subprocess.Popen(
            ["/usr/bin/python3", f"{FUNCTIONS}/parent.py", TASK, str(WARM),
             *(["freeze"] if freeze else [])],
            env=PYTHON, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            preexec_fn=join(self.cgroup))
        assert self.parent.stdout.readline() == "ready\n"

    def _ask(self, request):
        self.parent.stdin.write(json.dumps(request) + "\n")
        self.parent.stdin.flush()
        return self.parent.stdout.readline()

    def start(self, event, count):
        for _ in range(count):
            self._ask({"event": event})

    def wait(self):
        self._ask({"wait": True})

    def run(self, event):
        self._ask({"event": event, "wait": True})

    def close(self):
        self.parent.stdin.close()
        self.parent.wait()


class Image(Way):
    """Tasks of a group, with the module or without it."""

    def __init__(self, name, backend, *flags, image="task"):
        self.name, self.backend, self.flags = name, backend, flags
        coppice(backend, "group", "add", name, "--image", image, "--reshare", "never")
        self.cgroup = CGROUPS / "coppice" / name
        self.runs = []

    def start(self, event, count):
        self.runs.append(subprocess.Popen(
            [COPPICE, "--backend", self.backend, "run", self.name, "--count", str(count),
             "--event", str(write_event(event)), *self.flags], env=ENVIRONMENT,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL))

    def wait(self):
        for run in self.runs:
            run.wait()
        self.runs = []

    def close(self):
        coppice(self.backend, "group", "delete", self.name)


class Criu(Way):
    """
    Restores of one dump, as root. All have the same process id, so each has a namespace with a small
    init of its own.
    """

    # What CRIU asks the kernel for before it does anything.
    MODULES = ("unix_diag", "inet_diag", "tcp_diag", "udp_diag", "netlink_diag", "af_packet_diag",
               "nfnetlink", "nf_tables", "veth", "tun")

    def __init__(self):
        modules = TOP / ".cache" / "kernels" / os.environ["COPPICE_KERNEL"] / "modules"
        subprocess.run(["modprobe", "-d", str(modules), "-a", *self.MODULES], check=True)
        self.cgroup = CGROUPS / "bench-criu"
        self.cgroup.mkdir(exist_ok=True)
        self.images = ROOT / "criu"
        self.images.mkdir(exist_ok=True)
        self.go = self.images / "event.json"
        self.inits = []
        self._dump()

    def _dump(self):
        ready = self.go.with_name("event.json.ready")
        for path in (ready, self.go):
            path.unlink(missing_ok=True)
        process = subprocess.Popen(
            ["/usr/bin/python3", f"{FUNCTIONS}/frozen.py", TASK, str(WARM), str(self.go)], env=PYTHON,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/", start_new_session=True)
        while not ready.exists():
            time.sleep(0.1)
        self.pid = process.pid
        done = subprocess.run(["criu", "dump", "-t", str(process.pid), "-D", str(self.images), "-o", "dump.log",
                               "--manage-cgroups=ignore"], stderr=subprocess.PIPE, text=True)
        process.wait()
        if done.returncode:
            raise RuntimeError(self._why("dump.log"))

    def _why(self, log):
        lines = (self.images / log).read_text(errors="replace").splitlines()
        return "; ".join(line for line in lines if "Error" in line)[:400]

    def start(self, event, count):
        for _ in range(count):
            # Replaced as a whole: a task that was restored may be about to read it.
            part = self.go.with_name("part")
            part.write_text(json.dumps({**event, "request": time.time_ns()}))
            part.rename(self.go)
            self.inits.append(subprocess.Popen(
                ["unshare", "--pid", "--fork", "--mount-proc", "sh", "-c",
                 f"criu restore -d -D {self.images} -o restore.log --manage-cgroups=ignore || exit 1;"
                 f" while [ -e /proc/{self.pid} ]; do sleep 0.05; done"],
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                preexec_fn=lambda: (self.cgroup / "cgroup.procs").write_text("0")))

    def wait(self):
        if any([init.wait() for init in self.inits]):
            raise RuntimeError(self._why("restore.log"))
        self.inits = []

    def pids(self):
        """Of the tasks, as seen from here."""
        names = {pid: Path("/proc", pid, "comm").read_text()
                 for pid in (self.cgroup / "cgroup.procs").read_text().split()}
        return [int(pid) for pid, name in names.items() if name.startswith("python3")]

    def close(self):
        pass


MAKERS = {
    "plain": Plain,
    "fork": lambda: Fork("fork", False),
    "fork_freeze": lambda: Fork("fork_freeze", True),
    "memfd": lambda: Image("memfd", "memfd"),
    "coppice": lambda: Image("coppice", "kernel"),
    "criu": Criu,
    "coppice_no_premap": lambda: Image("coppice_no_premap", "kernel", "--no-premap"),
}
