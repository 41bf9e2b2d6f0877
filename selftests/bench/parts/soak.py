"""Growth of a task that lives long: 1,000 events, a full collection and a reshare after each."""

from . import place
from .crowd import Crowd
from .memory import private
from .place import say
from .ways import MAKERS


def soak(name):
    """Growth of a task's own memory from its 10th event to its 1,000th, a full collection each."""
    way = MAKERS[name]()
    crowd = Crowd(f"soak-{name}", ["events", "collect", "reshare", "soak"])
    way.start(crowd.event, 1)
    sizes = {}
    for step in crowd.steps:
        pid = next(iter(crowd.wait(step, 1)))
        sizes[step] = private(pid, True)
        crowd.open(step)
    way.wait()
    way.close()
    say(str(sizes))
    return {f"soak.{name}.private_bytes_after_10": sizes[2], f"soak.{name}.private_bytes_after_1000": sizes[3],
            f"soak.{name}.bytes_grown_after_1000": sizes[3] - sizes[2]}


def run():
    place.build("task")
    for name in ("coppice", "memfd"):
        yield soak(name)
