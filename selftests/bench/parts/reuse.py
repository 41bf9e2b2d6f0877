"""A Python task for several events: reset between them, and reshare after a full collection."""

import json
import statistics
import struct
import subprocess
import time

from . import place
from .crowd import Crowd
from .place import COPPICE, ENVIRONMENT, ROOT, coppice, say, sh
from .ways import MAKERS, write_event

PAGE = 4096
EVENTS, LEARN = 12, 6


def run_events(how, *flags, lines=EVENTS, **event):
    """What the events of a run answer, and when each had its first line; the event's file has @lines of them."""
    name = f"reuse-{how}"
    crowd = Crowd(name, ["event"])
    crowd.open_all()
    path = write_event({**crowd.event, **event})
    path.write_text((path.read_text() + "\n") * lines)
    coppice("kernel", "group", "add", name, "--image", "task", "--reshare", "never")
    # To a file: a reader of a pipe would run in between, and count.
    with open(ROOT / "answers", "w+", encoding="ascii") as answers:
        sh(COPPICE, "run", name, "--event", str(path), *flags, env=ENVIRONMENT,
           stdin=subprocess.DEVNULL, stdout=answers)
        answers.seek(0)
        answers = [json.loads(line) for line in answers]
    coppice("kernel", "group", "delete", name)
    return answers, [row[3] for row in crowd.rows() if row[1] == "start"]


def median_us(numbers):
    """In the beginning nothing is learned."""
    return round(statistics.median(list(numbers)[LEARN:]) / 1000, 1)


def between(how, *flags, **more):
    """From one event's end to the next one's first line."""
    answers, firsts = run_events(how, *flags, **more)
    return median_us(first - answer["ended"] for answer, first in zip(answers, firsts[1:]))


def answer():
    """From an event's end until its answer is written."""
    answers, _ = run_events("answer", "--reuse", "keep", answers=True)
    return median_us(later["answered"] - answer["ended"] for answer, later in zip(answers, answers[1:]))


def resets():
    """In one task, or in a new one for each event, which the last one's has to end for."""
    written = answer()
    return {"answer.coppice.us": written,
            "reset.coppice.us": round(between("reset", "--reuse", "reset") - written, 1),
            "keep.coppice.us": round(between("keep", "--reuse", "keep") - written, 1),
            "anew.coppice.us": round(between("anew", "--count", str(EVENTS), "--parallel", "1", lines=1) - written, 1)}


class Core:
    """An image's file: an ELF core, read as far as this needs."""

    def __init__(self, path):
        self.file = open(path, "rb")
        header = struct.unpack("<16sHHIQQQIHHHHHH", self.file.read(64))
        self.file.seek(header[5])
        size, number = header[9], header[10]
        parts = [struct.unpack("<IIQQQQQQ", self.file.read(size)[:56]) for _ in range(number)]
        self.loads = [(part[3], part[5], part[6], part[2]) for part in parts if part[0] == 1]

    def page(self, at):
        """The image's page at an address, zeros where the file has none; None outside."""
        for start, size, memory, offset in self.loads:
            if start <= at < start + memory:
                if at - start >= size:
                    return bytes(PAGE)
                self.file.seek(offset + at - start)
                return self.file.read(min(PAGE, size - (at - start))).ljust(PAGE, b"\0")
        return None


def private_pages(pid):
    """Addresses of present anonymous pages."""
    with open(f"/proc/{pid}/maps", encoding="ascii") as maps, open(f"/proc/{pid}/pagemap", "rb") as map_file:
        for line in maps.read().splitlines():
            start, end = (int(number, 16) for number in line.split()[0].split("-"))
            if "[v" in line:
                continue
            map_file.seek(start // PAGE * 8)
            entries = map_file.read((end - start) // PAGE * 8)
            for index, (entry,) in enumerate(struct.iter_unpack("<Q", entries)):
                if entry >> 63 and not entry >> 61 & 1:
                    yield start + index * PAGE


def compare(pid, core):
    """(private pages of the image's mappings, those that equal the image)."""
    diverged = equal = 0
    with open(f"/proc/{pid}/mem", "rb", 0) as memory:
        for at in private_pages(pid):
            page = core.page(at)
            if page is not None:
                memory.seek(at)
                diverged += 1
                equal += memory.read(PAGE) == page
    return diverged, equal


def reshare(name, core):
    """10 events and a full collection of everything: what is given back, and what it takes."""
    way = MAKERS[name]()
    crowd = Crowd(f"reshare-{name}", ["events", "collect_all", "reshare"])
    way.start(crowd.event, 1)
    for step in ("start", 0):
        crowd.wait(step, 1)
        crowd.open(step)
    pid = next(iter(crowd.wait(1, 1)))
    diverged, equal = compare(pid, core)
    crowd.open(1)
    _, took, compared, given_back = crowd.wait(2, 1)[pid]
    left = compare(pid, core)
    crowd.open(2)
    way.wait()
    way.close()
    say(f"reshare {name}: {diverged} private, {equal} equal; {compared} compared, {given_back} given back in "
        f"{took / 1000:.0f} us; left {left}")
    return {
        f"reshare.{name}.us": round(took / 1000, 1),
        f"reshare.{name}.pages_diverged": diverged,
        f"reshare.{name}.pages_equal": equal,
        f"reshare.{name}.pages_compared": compared,
        f"reshare.{name}.pages_given_back": given_back,
        f"reshare.{name}.equal_pages_left": left[1],
        f"reshare.{name}.share_of_equal_given_back": round(1 - left[1] / max(equal, 1), 4),
        f"reshare.{name}.instructions_per_page": round(took / max(compared, 1)),
    }


def time_reshare(pid):
    """The controller's call and its own start; the latter twice, to be taken off."""
    began = time.monotonic_ns()
    found = coppice("kernel", "task", "reshare", str(pid))[0]
    return time.monotonic_ns() - began, found["compared"]


def reshare_from_outside():
    way = MAKERS["coppice"]()
    crowd = Crowd("reshare-outside", ["events", "collect_all"])
    way.start(crowd.event, 1)
    for step in ("start", 0):
        crowd.wait(step, 1)
        crowd.open(step)
    pid = next(iter(crowd.wait(1, 1)))
    full, compared = time_reshare(pid)
    again, left = time_reshare(pid)
    crowd.open_all()
    way.wait()
    way.close()
    return {"reshare.coppice_outside.instructions_per_page": round((full - again) / (compared - left))}


def run():
    core = Core(place.build("task"))
    yield resets()
    for name in ("coppice", "memfd"):
        yield reshare(name, core)
    yield reshare_from_outside()
