"""Programs that know nothing of Coppice as templates: what a run takes, by instructions and faults."""

import subprocess
import time
from pathlib import Path

from lib import measure

from .place import CGROUPS, ENVIRONMENT, ROOT, coppice, say
from .ways import join

PERL = """use POSIX; use Data::Dumper; use Storable; my %t = map { ($_, "value $_") } 1 .. 20000;
while (<STDIN>) { chomp; print $t{$_} // "none", "\\n" }
"""
LUA = """local t = {} for i = 1, 100000 do t[i] = "value " .. i end
for line in io.lines() do print(t[tonumber(line)]) end
"""
# Loaded from a file that is read before the prompt.
SQL = """CREATE TABLE readings(id INTEGER PRIMARY KEY, device TEXT, value REAL);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000)
INSERT INTO readings SELECT i, 'thermometer-' || (i % 100), i * 0.5 FROM n;
CREATE INDEX by_device ON readings(device);
"""
PROGRAMS = {
    "perl": (["perl", f"{ROOT}/table.pl"], "777\n", "value 777"),
    "lua": (["lua5.4", f"{ROOT}/table.lua"], "777\n", "value 777"),
    "bc": (["bc", "-q", "-l"], "6*7\n", "42"),
    "sqlite3": (["sqlite3", "-init", f"{ROOT}/load.sql", ":memory:"],
                "SELECT sum(value) FROM readings WHERE device = 'thermometer-7';\n", "24978500"),
}
RUNS = 8


def write_files():
    for name, text in (("table.pl", PERL), ("table.lua", LUA), ("load.sql", SQL)):
        (ROOT / name).write_text(text)


def plain(command, stdin, cgroup):
    return subprocess.run(command, stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                          env={**ENVIRONMENT, "HOME": "/"}, text=True, check=True,
                          preexec_fn=join(cgroup)).stdout


def busy_ns():
    """
    What all processes have run, in instructions: waiting for the machine's disk, where programs and libraries are, is real
    time and none. A process that runs is counted when it stops, so this one does.
    """
    time.sleep(0.001)
    for line in Path("/proc/schedstat").read_text().splitlines():
        if line.startswith("cpu0 "):
            return int(line.split()[7])
    raise SystemExit("/proc/schedstat does not say how long the processor was busy")


def repeat(count, call, expected):
    """The least: the kernel's own work comes when it likes."""
    times = []
    for _ in range(count):
        with open(ROOT / "input", "rb") as stdin:
            began = busy_ns()
            text = call(stdin)
            times.append(busy_ns() - began)
        if expected not in str(text):
            raise SystemExit(f"'{text}' is not the answer {expected}")
    return min(times) / 1000


def measure_call(prefix, cgroup, learners, runs, call, expected):
    repeat(learners, call, expected)
    faults = measure.Faults(cgroup)
    took = repeat(runs, call, expected)
    count = faults.count()
    faults.close()
    return {f"{prefix}.us": round(took, 1), f"{prefix}.faults": round(count / runs, 1)}


def measure_backend(program, name, backend, expected):
    group = f"{program}-{name}"
    coppice(backend, "group", "add", group, "--image", program, "--reshare", "never")
    result = measure_call(f"runtime.{program}.{name}", CGROUPS / "coppice" / group, 8, RUNS,
                          lambda stdin: coppice(backend, "run", group, stdin=stdin), expected)
    coppice(backend, "group", "delete", group)
    return result


def measure_program(program):
    command, text, expected = PROGRAMS[program]
    (ROOT / "input").write_text(text)
    core = ROOT / "program.core"
    coppice("kernel", "image", "build", program, "--timeout", "600", "--output", str(core),
            "--checkpoint-on", "stdin", "--", *command)
    for backend in ("kernel", "memfd"):
        coppice(backend, "image", "load", program, str(core))
    core.unlink()
    cgroup = CGROUPS / "bench-runtimes"
    cgroup.mkdir(exist_ok=True)
    result = measure_call(f"runtime.{program}.plain", cgroup, 1, 3,
                          lambda stdin: plain(command, stdin, cgroup), expected)
    result[f"runtime.{program}.pages"] = coppice("kernel", "image", "show", program)["pages"]
    for name, backend in (("memfd", "memfd"), ("coppice", "kernel")):
        result.update(measure_backend(program, name, backend, expected))
    say(str(result))
    return result


def run():
    write_files()
    for program in PROGRAMS:
        yield measure_program(program)
