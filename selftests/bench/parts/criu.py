"""Restores by CRIU, if it runs: its own part, since it needs modules and may fail."""

from lib import measure

from .crowd import Crowd
from .place import say
from .start import measure_way
from .ways import Criu

TASKS = 8


def memory():
    """Right after the start; each has an init beside it, which counts."""
    way = Criu()
    crowd = Crowd("criu-memory", ["event"])
    before = measure.available()
    way.start(crowd.event, TASKS)
    crowd.wait("start", TASKS)
    private = [measure.private(pid) for pid in way.pids()]
    after = measure.available()
    crowd.open_all()
    way.wait()
    return {f"memory.criu.{TASKS}.bytes_per_task_at_start": (before - after) // TASKS,
            f"memory.criu.{TASKS}.private_bytes_per_task_at_start": sum(private) // len(private)}


def run():
    try:
        yield measure_way("criu")
        yield memory()
    except RuntimeError as error:
        say(f"criu does not run here: {error}")
