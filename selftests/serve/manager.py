# SPDX-License-Identifier: GPL-2.0
"""A systemd of the test's own, for its own units only. It needs mounts of the test's own."""
import contextlib
import os
import shutil
import signal
import subprocess

import stage

TARGET = "[Unit]\nDefaultDependencies=no\n"
UNITS = f"{stage.TOP}/ctl/systemd"


def hierarchies():
    """Where each is mounted, and where this process is in it. A manager takes over all of the cgroup that it starts in."""
    paths = {}
    for line in open("/proc/self/cgroup"):
        _, names, path = line.strip().split(":", 2)
        for name in names.split(","):
            paths[name] = path
    for line in open("/proc/self/mountinfo"):
        words = line.split()
        kind, options = words[words.index("-") + 1], words[-1].split(",")
        if kind == "cgroup2":
            yield words[4], paths.get("", "/")
        elif kind == "cgroup":
            name = next((option for option in options if option in paths), "/")
            yield words[4], paths.get(name, "/")


class Manager:
    def __init__(self, work):
        self.runtime, self.units = f"{work}/manager", f"{work}/units"
        os.makedirs(f"{self.runtime}/systemd", mode=0o700)
        os.makedirs(self.units)
        # It refuses to run where systemd is not the one that booted.
        if not os.path.exists("/run/systemd/system"):
            os.makedirs("/run/systemd", exist_ok=True)
            subprocess.run(["mount", "-t", "tmpfs", "test", "/run/systemd"], check=True)
            os.makedirs("/run/systemd/system")
        self.environment = {**os.environ, "XDG_RUNTIME_DIR": self.runtime, "SYSTEMD_UNIT_PATH": f"{self.units}:",
                            "HOME": work, "XDG_CONFIG_HOME": f"{work}/config"}
        for name in "test", "basic", "shutdown":
            self.write(f"{name}.target", TARGET)
        self.cgroups = [f"{mount}{path.rstrip('/')}/coppice-test.{os.getpid()}" for mount, path in hierarchies()]
        self.log = open(f"{work}/manager.log", "w")
        self.process = subprocess.Popen(["/lib/systemd/systemd", "--user", "--unit=test.target", "--log-target=console"],
                                        env=self.environment, stdout=self.log, stderr=self.log, preexec_fn=self.enter)
        stage.wait_for("systemd is there", lambda: self.ask("is-system-running") in ("running", "degraded"))

    def enter(self):
        for path in self.cgroups:
            os.mkdir(path)
            # Of cpusets a new one is empty, and nobody can enter.
            for name in "cpuset.cpus", "cpuset.mems":
                if os.path.exists(f"{path}/{name}") and not open(f"{path}/{name}").read().strip():
                    shutil.copyfile(f"{path}/../{name}", f"{path}/{name}")
            with open(f"{path}/cgroup.procs", "w") as file:
                file.write(str(os.getpid()))

    def write(self, name, text):
        with open(f"{self.units}/{name}", "w") as file:
            file.write(text)

    def install(self, name, replaced):
        """A unit as it is delivered, but for what would be the hub's."""
        text = open(f"{UNITS}/{name}.in").read()
        for old, new in replaced:
            assert old in text, (name, old)
            text = text.replace(old, new)
        self.write(name, text)

    def systemctl(self, *words):
        return subprocess.run(["systemctl", "--user", *words], env=self.environment, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, timeout=stage.PATIENCE)

    def do(self, *words):
        done = self.systemctl(*words)
        assert not done.returncode, (words, done.stdout, open(self.log.name).read())

    def ask(self, *words):
        return self.systemctl(*words).stdout.strip()

    def show(self, unit, name):
        return self.ask("show", "--value", "--property", name, unit)

    def close(self):
        self.process.send_signal(signal.SIGRTMIN + 24)
        self.process.wait(stage.PATIENCE)
        stage.wait_for("its services have ended", self.is_empty)
        for path in self.cgroups:
            for directory, _, _ in os.walk(path, topdown=False):
                os.rmdir(directory)

    def is_empty(self):
        """It does not wait for them itself, nor for what has left its cgroup in one hierarchy only."""
        pids = {int(pid) for path in self.cgroups for directory, _, _ in os.walk(path)
                for pid in open(f"{directory}/cgroup.procs").read().split()}
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return not pids
