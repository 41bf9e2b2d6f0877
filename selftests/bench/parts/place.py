"""Where things are in the guest, and how the controller is asked."""

import json
import os
import subprocess
import sys
from pathlib import Path

TOP = Path(__file__).resolve().parents[3]
BENCH = TOP / "selftests" / "bench"
ROOT = Path("/run/bench")
FUNCTIONS = ROOT / "functions"
CGROUPS = Path("/sys/fs/cgroup")
COPPICE = str(TOP / "build" / "coppice")
OWNER = 65534
TASK = f"{FUNCTIONS}/task.py:handler"
ENVIRONMENT = {
    "BUCKET": "readings-of-the-hub",
    "AWS_DEFAULT_REGION": "eu-west-1",
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_ACCESS_KEY_ID": "bench",
    "AWS_SECRET_ACCESS_KEY": "bench",
    "PATH": os.environ["PATH"],
}
# Events before the checkpoint or the first fork: CPython rewrites a function's code the first times
# that it runs, and what is written before is shared.
WARM = int(os.environ.get("COPPICE_BENCH_WARM", "20"))
# For what is Python and no task of an image.
PYTHON = {**ENVIRONMENT, "PYTHONPATH": str(TOP / "ctl" / "runtime" / "python")}

_built = set()


def say(text):
    print(f"== {text}", file=sys.stderr, flush=True)


def sh(*command, **options):
    return subprocess.run(command, check=True, text=True, **options)


def coppice(backend, *words, **options):
    """Run the controller; its JSON, if it printed some."""
    options = {"env": ENVIRONMENT, "stdin": subprocess.DEVNULL, **options}
    done = subprocess.run([COPPICE, "--json", "--backend", backend, *words], check=True, text=True,
                          stdout=subprocess.PIPE, **options)
    try:
        return json.loads(done.stdout) if done.stdout.strip() else None
    except ValueError:
        return done.stdout


def localise():
    """A hub has its interpreter on a disk of its own and cached, not on another machine."""
    local = ROOT / "local"
    local.mkdir()
    sh("tar", "xf", f"{os.environ['COPPICE_OUT']}/python.tar", "-C", str(local))
    for directory in local.glob("usr/lib/python3*"):
        sh("mount", "--bind", str(directory), f"/usr/lib/{directory.name}")


def shorten_free_lists():
    """
    The kernel lets each processor keep free pages that count as used: in proportion to what it reserves,
    which huge pages have made 66 MB. Then up to 65 MB are used or not by chance.
    """
    Path("/proc/sys/vm/min_free_kbytes").write_text("2048")


def install():
    """The functions where the owner can read them, the module, a big enough directory of cgroups."""
    FUNCTIONS.mkdir(parents=True)
    os.chmod(ROOT, 0o755)
    for source in (TOP / "demo" / "functions", BENCH / "functions"):
        for path in source.glob("*.py"):
            (FUNCTIONS / path.name).write_bytes(path.read_bytes())
    localise()
    # Loading a module's bytecode must not depend on who ran it first.
    sh("/usr/bin/python3", "-m", "compileall", "-q", str(FUNCTIONS))
    shorten_free_lists()
    sh("insmod", os.environ["COPPICE_KO"])


def build(name, backends=("kernel", "memfd"), target=TASK):
    """One image for both backends: what is measured of them then has the same pages."""
    core = ROOT / f"{name}.core"
    if name in _built:
        return core
    _built.add(name)
    (ROOT / "warm.json").write_text('{"warm": %d}' % WARM)
    (ROOT / "one.json").write_text('{"warm": 1}')
    coppice(backends[0], "image", "build", name, "--python", target, "--base", f"{FUNCTIONS}/base.py",
            "--placement", f"{ROOT}/placement", "--warm", f"{ROOT}/warm.json", "--warm", f"{ROOT}/one.json",
            "--timeout", "600", "--output", str(core))
    for backend in backends:
        coppice(backend, "image", "load", name, str(core))
    return core
