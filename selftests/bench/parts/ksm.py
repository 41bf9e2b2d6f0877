"""Kernel samepage merging, driven until it finds nothing more."""

import os
import time
from pathlib import Path

CONTROL = Path("/sys/kernel/mm/ksm")
# A page becomes stable in the second scan that finds it unchanged.
SCANS = 3


class Ksm:
    """On while it is used; what it merged is split again afterwards."""

    def __enter__(self):
        self._write("sleep_millisecs", 0)
        self._write("pages_to_scan", 4000)
        # Pages of zeros are what most of the merged ones are.
        self._write("use_zero_pages", 1)
        self.before = self._ticks()
        return self

    def __exit__(self, *_):
        self._write("run", 2)

    @staticmethod
    def _write(name, value):
        (CONTROL / name).write_text(str(value))

    @staticmethod
    def _read(name):
        return int((CONTROL / name).read_text())

    @staticmethod
    def _ticks():
        for path in Path("/proc").glob("[0-9]*/stat"):
            name, _, rest = path.read_text().partition(")")
            if name.endswith("(ksmd"):
                return int(rest.split()[12])
        raise SystemExit("there is no ksmd: the kernel lacks CONFIG_KSM")

    def settle(self):
        """Full scans with the tasks standing still."""
        self._write("run", 1)
        goal = self._read("full_scans") + SCANS
        while self._read("full_scans") < goal:
            time.sleep(0.1)
        self._write("run", 0)

    def cpu_us(self):
        return (self._ticks() - self.before) * 1_000_000 // os.sysconf("SC_CLK_TCK")
