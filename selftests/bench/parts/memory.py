"""What tasks cost in memory, step by step, as their number grows.

MemAvailable is read when all tasks of a cohort stand at the same gate. Cohorts are added up: the
second finds the first in its last state, so N tasks cost what their cohorts did.
"""

import os
import time

from lib import measure

from .crowd import Crowd
from . import place
from .place import say
from .ways import MAKERS

NUMBERS = [int(number) for number in os.environ.get("COPPICE_BENCH_N", "1 8 32 128").split()]
# What a way can do at all, and what its columns are called.
WITHOUT = {"event": None, "events": "events", "collect": "gc"}
UNFROZEN = {**WITHOUT, "collect_all": "unfrozen_gc"}
IMAGE = {"event": None, "events": "events", "collect": "gc", "reshare": "gc_reshare",
         "collect_all": "unfrozen_gc", "reshare ": "unfrozen_gc_reshare"}
STEPS = {"coppice": IMAGE, "memfd": IMAGE, "plain": WITHOUT, "fork_freeze": UNFROZEN, "fork": WITHOUT}
MERGING = {"ksm": "plain", "ksm_memfd": "memfd"}
SAMPLES = 16
READINGS = 3


def private(pid, of_image):
    """
    Bytes that no other process has. Of an image's pages, that only one task happens to map
    just now, none is the task's: its own are anonymous.
    """
    if not of_image:
        return measure.private(pid)
    with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as file:
        return sum(int(line.split()[1]) for line in file if line.startswith("Anonymous:")) * 1024


def page_tables(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        return sum(int(line.split()[1]) for line in file if line.startswith("VmPTE")) * 1024


def mean(numbers):
    numbers = list(numbers)
    return round(sum(numbers) / len(numbers))


class Cohort:
    """Tasks that are started together; says what memory they took at each gate."""

    def __init__(self, way, name, count, columns, ksm):
        steps = (["merge"] if ksm else []) + [step.strip() for step in columns]
        labels = ["start", *([None] if ksm else []), *columns.values()]
        self.way, self.count, self.ksm = way, count, ksm
        self.crowd = Crowd(f"{name}-{count}", steps)
        self.labels = dict(zip(self.crowd.steps, labels))
        self.rows = {}

    def look(self, step, before):
        pids = list(self.crowd.notes(step))[:SAMPLES]
        # Before a task has offered its memory there may be nothing to scan, and then no scan ends.
        if self.ksm and step != "start":
            self.ksm.settle()
        self.rows[self.labels[step]] = {
            # The most of some readings: what the kernel frees late was nobody's.
            "bytes": before - max(measure.available() for _ in range(READINGS)),
            "private": mean(private(pid, hasattr(self.way, "backend")) for pid in pids) * self.count,
            "page_tables": mean(map(page_tables, pids)) * self.count,
        }

    def run(self):
        before = max(measure.available() for _ in range(READINGS))
        for started in range(0, self.count, self.way.together):
            self.way.start(self.crowd.event, min(self.count - started, self.way.together))
            self.crowd.wait("start", min(self.count, started + self.way.together))
        for step in self.crowd.steps:
            self.crowd.wait(step, self.count)
            if self.labels[step]:
                time.sleep(0.2)
                self.look(step, before)
            if step != self.crowd.steps[-1]:
                self.crowd.open(step)
        return self.rows


def add(total, rows):
    for label, row in rows.items():
        for key, value in row.items():
            total.setdefault(label, {}).setdefault(key, 0)
            total[label][key] += value


def report(name, number, total):
    prefix = f"memory.{name}.{number}"
    names = {"bytes": "bytes", "private": "private_bytes", "page_tables": "page_table_bytes"}
    result = {}
    for label, row in total.items():
        for key, value in row.items():
            where = "at_start" if label == "start" else f"after_{label}"
            result[f"{prefix}.{names[key]}_per_task_{where}"] = round(value / number)
    return result


def warm_up(way, name):
    """The first tasks pay for what stays: caches, what the group learns."""
    for index in range(5):
        crowd = Crowd(f"{name}-warm-{index}", ["event", "events", "collect"])
        crowd.open_all()
        way.run(crowd.event)


def measure_way(name, numbers, ksm=None):
    kind = MERGING.get(name, name)
    way = MAKERS[kind]()
    warm_up(way, name)
    total, there, cohorts = {}, 0, []
    for number in numbers:
        cohort = Cohort(way, name, number - there, STEPS[kind], ksm)
        add(total, cohort.run())
        yield report(name, number, total)
        there = number
        cohorts.append(cohort)
        say(f"{name} {number}: " + ", ".join(
            f"{label} {row['bytes'] // number >> 10} KiB" for label, row in total.items()))
    for cohort in cohorts:
        cohort.crowd.open_all()
    way.wait()
    way.close()


def fitting(name, numbers):
    """Plain starts need some 45 MB each; what does not fit is left out, not swapped."""
    need = {"plain": 45, "ksm": 45, "fork": 30}.get(name, 16) << 20
    return [number for number in numbers if number * need < measure.available()]


def run():
    place.build("task")
    for name in ("coppice", "memfd"):
        yield from measure_way(name, fitting(name, NUMBERS))
