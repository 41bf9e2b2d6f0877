"""What tasks cost in memory without an image: plain starts, and forks from a warm parent."""

from .memory import NUMBERS, fitting, measure_way


def run():
    for name in ("plain", "fork_freeze", "fork"):
        yield from measure_way(name, fitting(name, NUMBERS))
