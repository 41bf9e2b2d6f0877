# SPDX-License-Identifier: GPL-2.0
"""A function whose tasks run a program and tell how it ended: sourced by the tests beside it."""

import os
import subprocess


def handler(event, context):
    if "command" not in event:
        return None
    environ = {**os.environ, **event.get("environ", {})}
    done = subprocess.run(event["command"], env=environ, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, errors="replace")
    return {"status": done.returncode, "out": done.stdout, "err": done.stderr}
