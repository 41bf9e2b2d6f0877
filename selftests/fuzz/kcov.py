# SPDX-License-Identifier: GPL-2.0
"""Which of the module's branches a process has run, as a kernel with KCOV tells (see the kernel's kcov.rst)."""
import ctypes
import fcntl
import mmap
import os

PATH = '/sys/kernel/debug/kcov'
WORDS = 1 << 18
INIT_TRACE = 2 << 30 | 8 << 16 | ord('c') << 8 | 1
ENABLE = ord('c') << 8 | 100
LIBC = ctypes.CDLL(None, use_errno=True)
LIBC.mmap.restype = ctypes.c_void_p


def there():
    return os.path.exists(PATH)


class Kcov:
    """What one process after the other writes down; they may be children of who reads it."""

    def __init__(self):
        self.fd = os.open(PATH, os.O_RDWR)
        fcntl.ioctl(self.fd, INIT_TRACE, WORDS)
        # The file has no length, so that Python's own would not map it.
        at = LIBC.mmap(None, ctypes.c_size_t(WORDS * 8), mmap.PROT_READ | mmap.PROT_WRITE, mmap.MAP_SHARED,
                       self.fd, ctypes.c_long(0))
        if at in (None, ctypes.c_void_p(-1).value):
            raise OSError(ctypes.get_errno(), 'KCOV cannot be mapped')
        self.words = (ctypes.c_uint64 * WORDS).from_address(at)

    def enable(self):
        """From now on what this process runs, until it ends. False if another one has it."""
        try:
            fcntl.ioctl(self.fd, ENABLE, 0)
        except OSError:
            return False
        return True

    def take(self):
        """The addresses that were written down since it was asked for last."""
        ran = set(self.words[1:1 + self.words[0]])
        self.words[0] = 0
        return ran
