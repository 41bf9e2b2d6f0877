"""What a start takes, from the request to the handler's first line: instructions and faults.

The guest's clock counts instructions, so a nanosecond is one; all that runs for the start counts,
the kernel and whoever asked included.
"""

from lib import measure

from . import place
from .crowd import Crowd
from .place import coppice, say
from .ways import MAKERS

LEARNERS, RUNS = 8, 12
SLOW = {"plain": (1, 2), "criu": (1, 3)}


def one(way, name, index):
    """A start and its first event: (to the first line, to the event's end)."""
    crowd = Crowd(f"start-{name}-{index}", ["event"])
    crowd.open_all()
    way.run(crowd.event)
    rows = {row[1]: row[2:] for row in crowd.rows()}
    _, now, latency, _ = rows["start"]
    return latency, rows["0"][0] - now + latency


def measure_way(name):
    way = MAKERS[name]()
    learners, runs = SLOW.get(name, (LEARNERS, RUNS))
    for index in range(learners):
        one(way, name, f"learn-{index}")
    faults = measure.Faults(way.cgroup)
    pairs = [one(way, name, index) for index in range(runs)]
    count = faults.count()
    faults.close()
    way.close()
    # Waiting for the machine's disk, where some ways have their program, is real time and no instruction.
    line, event = (min(values) for values in zip(*pairs))
    say(f"start {name}: {line / 1000:,.0f} us, with its first event {event / 1000:,.0f}, faults {count / runs:.0f}")
    return {
        f"start.{name}.us": round(line / 1000, 1),
        f"start.{name}.with_first_event_us": round(event / 1000, 1),
        f"start.{name}.faults_to_end": round(count / runs, 1),
    }


def faults_to_line(name):
    """
    Of tasks, from their process's beginning to their first line, which each of them counts, and in their first event,
    which does not have the steps that notes take.
    """
    way = MAKERS[name]()
    learners, runs = SLOW.get(name, (LEARNERS, RUNS))
    for index in range(learners):
        one(way, f"{name}-faults", f"learn-{index}")
    crowd = Crowd(f"faults-{name}", ["event"])
    shown = group(way)
    faults = measure.Faults(way.cgroup)
    way.start(crowd.event, runs)
    counted = sum(row[-1] for row in crowd.wait("start", runs).values()) / runs
    to_gate = faults.count()
    result = ahead(name, shown, group(way), runs)
    # The kernel counts a page that is copied ahead as a fault of the task's, which none it takes.
    to_line = counted - result.get(f"start.{name}.copied_ahead", 0)
    crowd.open("start")
    crowd.wait(0, runs)
    in_event = faults.count() - to_gate
    faults.close()
    crowd.open_all()
    way.wait()
    way.close()
    say(f"faults {name}: {to_line}, in the event {in_event / runs}")
    return {f"start.{name}.faults": round(to_line, 1),
            f"start.{name}.faults_in_first_event": round(in_event / runs, 1), **result}


def group(way):
    return coppice("kernel", "group", "show", way.name) if getattr(way, "backend", "") == "kernel" else {}


def ahead(name, before, after, runs):
    """What the module has mapped and copied for a start."""
    return {f"start.{name}.{key}": round((after[key] - before[key]) / runs, 1)
            for key in ("mapped_ahead", "copied_ahead") if key in after}


def run():
    place.build("task")
    for name in MAKERS:
        if name == "criu":
            continue
        yield measure_way(name)
        yield faults_to_line(name)
