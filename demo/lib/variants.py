"""Four ways to start the same function: each starts tasks that note their first line.

A variant's start(event, environ, output) starts one task or several at once and
returns nothing; wait() returns when all have ended.
"""

import json
import os
import subprocess
import time
from pathlib import Path

from lib import hub

PROBE = f"{hub.ROOT}/functions/probe.py:handler"
WARM = f"{hub.ROOT}/warm.json"
CGROUPS = Path("/sys/fs/cgroup")
OWNER = 65534
PYTHONPATH = {"PYTHONPATH": "/usr/local/lib/python3/dist-packages"}


def join(cgroup):
    """For preexec_fn: nothing of the child counts before it is in the cgroup."""
    def function():
        (cgroup / "cgroup.procs").write_text("0")
        os.setgroups([])
        os.setgid(OWNER)
        os.setuid(OWNER)
    return function


class Plain:
    """A new interpreter that loads everything, as each task does today."""

    title = "plain start"

    def __init__(self, cgroup):
        self.cgroup = cgroup
        self.tasks = []

    def start(self, environ, output, count):
        for i in range(count):
            with open(hub.ROOT / "event.json", "rb") as event, open(f"{output}.{i}", "w") as out:
                environ = {**hub.ENVIRONMENT, **hub.TRUST, **PYTHONPATH, **environ,
                           "COPPICE_EVENT_FD": str(event.fileno()),
                           "COPPICE_REQUEST_NS": str(time.monotonic_ns())}
                self.tasks.append(subprocess.Popen(
                    ["/usr/bin/python3", "-m", "coppice.bootstrap", PROBE], env=environ, stdout=out,
                    pass_fds=[event.fileno()], preexec_fn=join(self.cgroup)))

    def wait(self):
        for task in self.tasks:
            task.wait()
        self.tasks = []

    def close(self):
        pass


class Fork:
    """A warm parent that forks."""

    title = "fork from a warm parent"

    def __init__(self, cgroup):
        self.cgroup = cgroup
        self.parent = subprocess.Popen(
            ["/usr/bin/python3", f"{hub.ROOT}/functions/forkserver.py", PROBE, WARM],
            env={**hub.ENVIRONMENT, **hub.TRUST, **PYTHONPATH}, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            text=True, preexec_fn=join(cgroup))
        self.pids = []
        assert self.parent.stdout.readline() == "ready\n"

    def start(self, environ, output, count):
        event = json.loads((hub.ROOT / "event.json").read_text())
        for i in range(count):
            request = {"event": event, "environ": environ, "output": f"{output}.{i}"}
            self.parent.stdin.write(json.dumps(request) + "\n")
            self.parent.stdin.flush()
            self.pids.append(int(self.parent.stdout.readline()))

    def wait(self):
        # The parent does not reap: its children are zombies when they have ended.
        for pid in self.pids:
            while Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z":
                time.sleep(0.05)
        self.pids = []

    def close(self):
        self.parent.kill()
        self.parent.wait()


class Image:
    """Tasks of a group, with the module or without it."""

    def __init__(self, title, group, backend):
        self.title = title
        self.group = group
        self.backend = backend
        self.cgroup = CGROUPS / "coppice" / group
        self.runs = []

    def start(self, environ, output, count):
        variables = [f"--env={name}={value}" for name, value in environ.items()]
        out = open(f"{output}.0", "w", encoding="utf-8")
        self.runs.append(subprocess.Popen(
            ["coppice", "--backend", self.backend, "run", self.group, "--count", str(count),
             "--event", str(hub.ROOT / "event.json"), *variables], env=hub.ENVIRONMENT, stdout=out))

    def wait(self):
        for run in self.runs:
            run.wait()
        self.runs = []

    def close(self):
        pass
