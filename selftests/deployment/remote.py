# SPDX-License-Identifier: GPL-2.0
"""An empty file system that calls itself one of the network: what the kernel asks of its root is answered."""
import ctypes
import errno
import os
import stat
import struct
import threading

HEADER = struct.Struct('<IIQQIIII')
INIT, GETATTR, STATFS = 26, 3, 17


def attributes():
    return struct.pack('<QII QQQ QQQ III IIIIIII', 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0,
                       stat.S_IFDIR | 0o755, 2, 0, 0, 0, 4096, 0)


def answer(opcode):
    if opcode == INIT:
        return struct.pack('<IIIIHHIIHHI', 7, 31, 0, 0, 0, 0, 4096, 1, 0, 0, 0) + bytes(28)
    if opcode == GETATTR:
        return attributes()
    return bytes(80) if opcode == STATFS else None


def serve(device):
    while True:
        try:
            request = os.read(device, 65536)
            _, opcode, unique = HEADER.unpack_from(request)[:3]
            body = answer(opcode)
            error = 0 if body is not None else -errno.ENOSYS
            os.write(device, struct.pack('<IiQ', 16 + len(body or b''), error, unique) + (body or b''))
        except OSError as why:
            # Gone meanwhile, or of a kind that takes no answer.
            if why.errno not in (errno.ENOENT, errno.EINTR, errno.EAGAIN, errno.EINVAL):
                return


def mount(path):
    """A directory that is one; of the guest's own if it has any."""
    with open('/proc/self/mounts', encoding='utf-8') as mounts:
        for line in mounts:
            _, where, kind = line.split()[:3]
            if kind == '9p' and os.path.isdir(where):
                return where
    device = os.open('/dev/fuse', os.O_RDWR)
    options = f'fd={device},rootmode=40000,user_id=0,group_id=0'
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mount(b'remote', path.encode(), b'fuse.sshfs', 0, options.encode()):
        raise OSError(ctypes.get_errno(), 'mount')
    # Before it is mounted there is nothing to read from.
    threading.Thread(target=serve, args=(device,), daemon=True).start()
    return path
