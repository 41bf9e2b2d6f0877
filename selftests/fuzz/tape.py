# SPDX-License-Identifier: GPL-2.0
"""Choices at random that are written down, so that they can be made again, some of them changed."""
import json
import random

STEPS = 40      # of a program that is made up


class Tape(random.Random):
    """Gives what was written down and, where that ends, what its source gives."""

    def __init__(self, source, written=()):
        super().__init__()
        self.source = source
        self.written = written
        self.drawn = []

    def getrandbits(self, bits):
        at = len(self.drawn)
        drawn = self.written[at] if at < len(self.written) else self.source.getrandbits(max(bits, 32))
        self.drawn.append(drawn)
        return drawn & (1 << bits) - 1

    def random(self):
        return self.getrandbits(53) / (1 << 53)


class Programs:
    """
    Programs, each a list of steps, each the choices that it was made by: those worth keeping, and new ones.
    A seed goes with each, for choices that nobody wrote down.
    """

    def __init__(self, source):
        self.source = source
        self.kept = []

    def new(self):
        return [[] for _ in range(1 + self.source.randrange(STEPS))]

    def next(self):
        return self.source.getrandbits(64), self.steps()

    def steps(self):
        """Those of one that was kept, changed; or all new."""
        if not self.kept or self.source.randrange(4) == 0:
            return self.new()
        # The last ones are those that went farthest.
        recent = self.kept[-20:] if self.source.randrange(2) else self.kept
        program = list(self.source.choice(recent)[1])
        for _ in range(1 + self.source.randrange(4)):
            self.change(program)
        return program[:2 * STEPS]

    def change(self, program):
        at = self.source.randrange(len(program))
        how = self.source.randrange(6)
        if how == 0 and len(program) > 1:
            del program[at]
        elif how == 1:
            program.insert(at, list(program[self.source.randrange(len(program))]))
        elif how == 2:
            program.insert(at, [])
        elif how == 3:
            other = self.source.choice(self.kept)[1]
            program[at:] = other[self.source.randrange(len(other)):]
        else:
            program[at] = self.changed(program[at])

    def changed(self, step):
        step = list(step) or [0]
        at = self.source.randrange(len(step))
        how = self.source.randrange(3)
        if how == 0:
            step[at] = self.source.getrandbits(64)
        elif how == 1:
            step[at] ^= 1 << self.source.randrange(32)
        else:
            step[at] = max(0, step[at] + self.source.choice([-1, 1]))
        return step


def write(path, programs):
    with open(path, 'w', encoding='ascii') as file:
        for program in programs:
            file.write(json.dumps(program) + '\n')


def read(path):
    with open(path, encoding='ascii') as file:
        return [json.loads(line) for line in file]
