"""What tasks cost: page faults of a cgroup, private memory of a process, available memory."""

import ctypes
import os
import struct

PAGE = os.sysconf("SC_PAGE_SIZE")
_libc = ctypes.CDLL(None, use_errno=True)
_SYS_PERF_EVENT_OPEN = 298
_PERF_TYPE_SOFTWARE, _PERF_COUNT_SW_PAGE_FAULTS = 1, 2
_PERF_FLAG_PID_CGROUP = 4


def _open_event(cgroup, cpu):
    attr = bytearray(128)
    struct.pack_into("IIQ", attr, 0, _PERF_TYPE_SOFTWARE, len(attr), _PERF_COUNT_SW_PAGE_FAULTS)
    fd = _libc.syscall(_SYS_PERF_EVENT_OPEN, (ctypes.c_char * len(attr)).from_buffer(attr), cgroup,
                       cpu, -1, _PERF_FLAG_PID_CGROUP)
    if fd < 0:
        raise OSError(ctypes.get_errno(), "perf_event_open")
    return fd


class Faults:
    """Page faults of all processes of a cgroup since now. Copies made ahead are none."""

    def __init__(self, cgroup):
        directory = os.open(cgroup, os.O_RDONLY)
        self._events = [_open_event(directory, cpu) for cpu in range(os.cpu_count())]
        os.close(directory)

    def count(self):
        return sum(struct.unpack("Q", os.read(event, 8))[0] for event in self._events)

    def close(self):
        for event in self._events:
            os.close(event)


def _kept_by_processors():
    """Pages that processors keep ready for themselves: free, though the kernel counts them as used."""
    with open("/proc/zoneinfo", encoding="ascii") as file:
        lines = (line.split() for line in file)
        return sum(int(words[1]) for words in lines if words[:1] == ["count:"])


def available():
    """
    MemAvailable in bytes, and what processors keep, some tens of MB that come and go: the page cache
    counts as available, as it is.
    """
    # Processors count by themselves, too: what they have not told yet is added up.
    with open("/proc/sys/vm/stat_refresh", "w", encoding="ascii") as file:
        file.write("1")
    with open("/proc/meminfo", encoding="ascii") as file:
        fields = dict(line.split(":") for line in file)
    return int(fields["MemAvailable"].split()[0]) * 1024 + _kept_by_processors() * PAGE


def private(pid):
    """Bytes of a process's memory that no other process has."""
    with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as file:
        return sum(int(line.split()[1]) for line in file if line.startswith("Private_")) * 1024
