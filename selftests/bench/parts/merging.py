"""What kernel samepage merging makes of plain starts, and of the memfd backend's tasks: memory, and its own time."""

from . import place
from .ksm import Ksm
from .memory import MERGING, NUMBERS, fitting, measure_way


def run():
    place.build("task", backends=("memfd",))
    for name in MERGING:
        numbers = fitting(name, NUMBERS)
        with Ksm() as ksm:
            yield from measure_way(name, numbers, ksm)
            yield {f"cpu.{name}.ksmd_us_per_task": round(ksm.cpu_us() / numbers[-1])}
