# SPDX-License-Identifier: MIT
"""Have functions that have settled write to their code no more.

CPython 3.11 counts in a function's code how often an instruction could not be specialised, or has
met what it was not specialised for, so that it tries again later. What such an instruction
is in a warm template it stays in its tasks: here it becomes the general one, which does the
same and counts nothing. Else every event would write a few bytes to the code of most functions.

Instructions that have not run yet, and functions that have run seldom, are left as they are, so a
task still specialises what the template was not warmed with. Later versions of
CPython count in the general instruction too: there nothing is done.
"""

import ctypes
import dis
import gc
import types

UNIT = 2
# What a counter of misses begins with; those of failures begin with 0, which none returns to.
NO_MISSES = 53

# Frozen objects are not among those of a collection any more, so code is noted before.
_noted = {}


def note():
    """Remember the code of all functions that a collection sees, and what is nested in it."""
    rest = [thing.__code__ for thing in gc.get_objects() if type(thing) is types.FunctionType]
    while rest:
        code = rest.pop()
        if id(code) not in _noted:
            _noted[id(code)] = code
            rest.extend(const for const in code.co_consts if type(const) is types.CodeType)


def settle():
    """Of all code that was noted; returns the number of instructions that became general."""
    count = 0
    adaptive, special = _kinds()
    if adaptive:
        quickened = dis._all_opmap["RESUME_QUICK"]
        for code in _noted.values():
            instructions = code._co_code_adaptive
            if quickened in instructions[::UNIT]:
                count += _generalise(code, _settled(instructions, adaptive, special))
    _noted.clear()
    return count


def _kinds():
    """{opcode: the general one} of what counts failures, and of what counts misses."""
    numbers, general = getattr(dis, "_all_opmap", {}), getattr(dis, "deoptmap", {})
    adaptive = {numbers[name]: numbers[base] for name, base in general.items() if name.endswith("_ADAPTIVE")}
    if not adaptive:
        return {}, {}
    return adaptive, {numbers[name]: numbers[base] for name, base in general.items()
                      if dis._inline_cache_entries[numbers[base]] and numbers[name] not in adaptive}


def _settled(instructions, adaptive, special):
    """(offset, general opcode) of what has counted."""
    offset, end = 0, len(instructions)
    while offset < end:
        opcode = instructions[offset]
        base = adaptive.get(opcode) or special.get(opcode) or opcode
        if base != opcode:
            counter = int.from_bytes(instructions[offset + UNIT:offset + 2 * UNIT], "little")
            if counter != (0 if opcode in adaptive else NO_MISSES):
                yield offset, base
        offset += UNIT * (1 + dis._inline_cache_entries[base])


def _generalise(code, places):
    """A running frame goes on with either: both have the same caches behind them."""
    count = 0
    start = id(code) + types.CodeType.__basicsize__
    for offset, base in places:
        ctypes.c_uint8.from_address(start + offset).value = base
        count += 1
    return count
