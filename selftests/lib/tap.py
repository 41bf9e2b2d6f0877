# SPDX-License-Identifier: GPL-2.0
"""What a test said in TAP, and what it failed to say."""
import re

POINT = re.compile(r'(not )?ok\b\s*(\d+)?\s*(?:-\s*)?(.*)')
PLAN = re.compile(r'1\.\.(\d+)\s*(?:#\s*SKIP\S*\s*(.*))?$', re.IGNORECASE)
SKIP = re.compile(r'#\s*SKIP\S*\s*(.*)', re.IGNORECASE)
SKIPPED = 4             # the exit status of a kselftest that skips everything
TIME_IS_UP = (124, 137)
REMARKS = 6             # of a test, the last before a failed point, that go with it


class Result:
    """The points of one test, and the reasons why it failed as a whole."""

    def __init__(self):
        self.passed = 0
        self.failed = []        # descriptions
        self.skipped = []       # reasons
        self.plan = None
        self.errors = []
        self.remarks = []       # of the test, since its last point

    def points(self):
        return self.passed + len(self.failed) + len(self.skipped)

    def fail(self, error):
        self.errors.append(error)

    def failures(self):
        return len(self.failed) + len(self.errors)

    def summary(self):
        """What went wrong, a line each."""
        return [*self.failed, *(error.splitlines()[0] for error in self.errors if error)]


def read_point(result, match):
    description = match[3]
    skip = SKIP.search(description)
    if match[1]:
        result.failed.append(': '.join([description, *result.remarks[-REMARKS:]]))
    elif skip:
        result.skipped.append(skip[1] or description)
    else:
        result.passed += 1
    result.remarks = []


def read_line(result, line):
    plan, point = PLAN.match(line), POINT.match(line)
    if plan and result.plan is not None:
        result.fail('two plans')
    elif plan:
        result.plan = int(plan[1])
        if result.plan == 0:
            result.skipped.append(plan[2] or 'no reason given')
    elif point:
        read_point(result, point)
    elif line.startswith('Bail out!'):
        result.fail(line)
    elif line.startswith('#'):
        result.remarks.append(line.lstrip('# '))


def check_plan(result):
    if result.plan is None:
        result.fail('no plan')
    elif result.plan and result.points() != result.plan:
        result.fail(f'{result.points()} points where {result.plan} were planned')


def check_status(result, status, limit):
    if status in TIME_IS_UP:
        result.fail(f'time is up: ended after {limit} seconds')
    elif status == SKIPPED and result.skipped and not result.passed:
        pass
    elif status and not result.failed:
        result.fail(f'exit status {status}')


def read(text, status, limit):
    """The result of a test that wrote TEXT and ended with STATUS."""
    result = Result()
    for line in text.splitlines():
        read_line(result, line)
    check_plan(result)
    check_status(result, status, limit)
    return result
