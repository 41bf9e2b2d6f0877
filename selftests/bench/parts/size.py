"""Do enter and reset grow with what is present, tasks or images, that they have nothing to do with?"""

import os
import statistics
import subprocess

from .dirty import RUNS, build, run_task, starts, took
from .place import COPPICE, ENVIRONMENT, coppice, say

TASKS = (1, 10, 100, 1000)
IMAGES = (1, 10, 100)
DIRTY = "reset 100"


def figures(prefix):
    result = {
        f"{prefix}.start_us": round(starts("kernel", "measured", 5) / 1000, 1),
        f"{prefix}.reset_us": round(statistics.median(
            took(run_task("kernel", "measured", [DIRTY] * (RUNS + 1)))[1:]) / 1000, 1),
    }
    say(str(result))
    return result


def by_tasks():
    """Tasks that wait for a command that does not come."""
    result, there = {}, 0
    pipe, writer = os.pipe()
    for number in TASKS:
        subprocess.run([COPPICE, "run", "measured", "--count", str(number - there), "--detach"],
                       check=True, stdin=pipe, stdout=subprocess.DEVNULL, env=ENVIRONMENT)
        there = number
        result.update(figures(f"size.tasks_{number}"))
    os.close(writer)
    os.close(pipe)
    return result


def by_images(core):
    """Images with groups of their own."""
    result, there = {}, 0
    for number in IMAGES:
        for index in range(there, number):
            coppice("kernel", "image", "load", f"other-{index}", str(core))
            coppice("kernel", "group", "add", f"other-{index}", "--image", f"other-{index}")
        there = number
        result.update(figures(f"size.images_{number}"))
    return result


def run():
    core = build("measured", ["kernel"])
    coppice("kernel", "group", "add", "measured", "--image", "measured", "--reshare", "never")
    starts("kernel", "measured", 8)
    yield by_images(core)
    yield by_tasks()
