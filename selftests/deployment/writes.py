# SPDX-License-Identifier: GPL-2.0
"""A disk whose writes are all known, and what it may have after its power has failed.

The disk is a file that qemu-storage-daemon shows (FUSE), with the filter blklogwrites below it: a
log of all writes and flushes in the format of Linux' dm-log-writes. What was written before a flush
ended is on the disk; of what came after it any part may be, in sectors.
"""
import os
import random
import struct
import subprocess
import time

SECTOR = 512
MAGIC = 0x6a736677736872
FLUSH, FUA, DISCARD, MARK = 1, 2, 4, 8


class Disk:
    """The image, shown at `shown` until stop()."""

    def __init__(self, image, work):
        self.shown = os.path.join(work, 'shown')
        self.log = os.path.join(work, 'log')
        for path in (self.shown, self.log):
            with open(path, 'w', encoding='utf-8'):
                pass
        self.daemon = subprocess.Popen(
            ['qemu-storage-daemon',
             '--blockdev', f'driver=file,node-name=file,filename={image}',
             '--blockdev', 'driver=raw,node-name=image,file=file',
             '--blockdev', f'driver=file,node-name=log,filename={self.log}',
             '--blockdev', f'driver=blklogwrites,node-name=disk,file=image,log=log,log-sector-size={SECTOR}',
             '--export', f'type=fuse,id=disk,node-name=disk,mountpoint={self.shown},writable=on'])
        while os.stat(self.shown).st_size == 0:
            if self.daemon.poll() is not None:
                raise RuntimeError('qemu-storage-daemon did not start')
            time.sleep(0.05)

    def stop(self):
        self.daemon.terminate()
        self.daemon.wait()


def read_log(path):
    """[(flags, offset in bytes, data)]"""
    with open(path, 'rb') as file:
        data = file.read()
    magic, version, number, size = struct.unpack_from('<QQQI', data)
    assert (magic, version, size) == (MAGIC, 1, SECTOR), (magic, version, size)
    entries, at = [], SECTOR
    for _ in range(number):
        sector, sectors, flags, _ = struct.unpack_from('<QQQQ', data, at)
        at += SECTOR
        length = 0 if flags & DISCARD else sectors * SECTOR
        entries.append((flags, sector * SECTOR, data[at:at + length]))
        at += length
    return entries


class Failures:
    """Every way in which the power fails is one of these, drawn the same in each run."""

    def __init__(self, image, entries):
        with open(image, 'rb') as file:
            self.disk = bytearray(file.read())
        self.entries = entries
        self.random = random.Random(1)
        self.flushed = 0        # entries that are on self.disk

    def put(self, disk, entry):
        _, offset, data = entry
        disk[offset:offset + len(data)] = data

    def torn(self, disk, entry):
        """Any of its sectors."""
        flags, offset, data = entry
        for at in range(0, len(data), SECTOR):
            if self.random.random() < 0.5:
                self.put(disk, (flags, offset + at, data[at:at + SECTOR]))

    def advance(self, number):
        """What a flush among the first entries has put on the disk stays there."""
        flushes = [at for at in range(self.flushed, number) if self.entries[at][0] & FLUSH]
        for entry in self.entries[self.flushed:flushes[-1] + 1] if flushes else []:
            self.put(self.disk, entry)
        self.flushed = flushes[-1] + 1 if flushes else self.flushed

    def images(self, times):
        """(description, image): after each number of entries, in order and then in part."""
        for number in range(len(self.entries) + 1):
            self.advance(number)
            pending = self.entries[self.flushed:number]
            for turn in range(times):
                disk = bytearray(self.disk)
                for entry in pending:
                    if turn == 0:
                        self.put(disk, entry)
                    elif self.random.random() < 0.7:
                        self.torn(disk, entry) if self.random.random() < 0.3 else self.put(disk, entry)
                yield f'{number} of {len(self.entries)} writes, {"all" if turn == 0 else "a part"} of {len(pending)}', disk
                if not pending:
                    break
