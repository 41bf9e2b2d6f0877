"""Tasks that go through the steps of an event together, and wait for each other after each."""

import fcntl
import os
import time

from .place import ROOT

# Seconds in which no further task has come.
LIMIT = 900


class Crowd:
    """A file in which tasks note how far they are, and a locked gate behind each step."""

    def __init__(self, name, steps):
        self.directory = ROOT / "crowds" / name
        self.directory.mkdir(parents=True)
        self.steps = ["start", *range(len(steps))]
        self.notes_path = self.directory / "notes"
        self.notes_path.touch()
        self.notes_path.chmod(0o666)
        self.gates = {step: self._lock(step) for step in self.steps}
        self.event = {"notes": str(self.notes_path), "gate": str(self.directory / "gate"),
                      "steps": steps}

    def _lock(self, step):
        descriptor = os.open(self.directory / f"gate.{step}", os.O_RDONLY | os.O_CREAT, 0o644)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        return descriptor

    def notes(self, step):
        """{process id: (when, numbers…)} of all that have come to the gate."""
        return {row[0]: row[2:] for row in self.rows() if row[1] == str(step)}

    def rows(self):
        """(process id, step, when, numbers…) in the order of the notes."""
        rows = [line.split() for line in self.notes_path.read_text().splitlines()]
        return [(int(row[0]), row[1], *map(int, row[2:])) for row in rows]

    def _arrived(self, step):
        """Not by process id: namespaces may have the same."""
        return sum(row[1] == str(step) for row in self.rows())

    def wait(self, step, count):
        last, limit = 0, time.monotonic() + LIMIT
        while (there := self._arrived(step)) < count:
            if there > last:
                last, limit = there, time.monotonic() + LIMIT
            if time.monotonic() > limit:
                raise SystemExit(f"only {there} of {count} tasks came to {step}")
            time.sleep(0.02)
        return self.notes(step)

    def open(self, step):
        os.close(self.gates.pop(step))

    def open_all(self):
        for step in list(self.gates):
            self.open(step)
