"""Resets of a C program by the number of pages that it has changed, and its starts."""

import statistics

from .place import ROOT, TOP, coppice, say

DIRTY = (10, 100, 1000, 10000)
RUNS = 3
PROGRAM = str(TOP / "build" / "selftests" / "bench" / "dirty")


def build(name="dirty", backends=("kernel", "memfd")):
    core = ROOT / f"{name}.core"
    coppice(backends[0], "image", "build", name, "--output", str(core), "--", PROGRAM)
    for backend in backends:
        coppice(backend, "image", "load", name, str(core))
    return core


def run_task(backend, group, commands):
    """Rows that the task printed: [what, nanoseconds]."""
    path = ROOT / "commands"
    path.write_text("\n".join([*commands, "end", ""]))
    with open(path, "rb") as stdin:
        text = coppice(backend, "run", group, stdin=stdin)
    return [(line.split()[0], int(line.split()[1])) for line in text.splitlines()]


def took(rows):
    """From the last "before" to the "after" behind it, for each reset."""
    result, before = [], None
    for what, at in rows:
        if what == "before":
            before = at
        elif what == "after" and before is not None:
            result.append(at - before)
            before = None
    return result


def starts(backend, group, count=RUNS):
    return statistics.median(dict(run_task(backend, group, []))["start"] for _ in range(count))


def measure_backend(name, backend):
    coppice(backend, "group", "add", "dirty", "--image", "dirty", "--reshare", "never")
    starts(backend, "dirty", 8)
    result = {f"start.c_program.{name}.us": round(starts(backend, "dirty") / 1000, 1)}
    for number in DIRTY:
        times = took(run_task(backend, "dirty", [f"reset {number}"] * (RUNS + 1)))
        prefix = "reset" if name == "coppice" else f"reset.{name}"
        result[f"{prefix}.dirty_{number}.us"] = round(statistics.median(times[1:]) / 1000, 1)
    coppice(backend, "group", "delete", "dirty")
    say(str(result))
    return result


def run():
    build().unlink()
    yield measure_backend("coppice", "kernel")
    yield measure_backend("memfd", "memfd")
