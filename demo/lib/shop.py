"""A deployment of three functions: one may write the orders, one may read them, one neither."""

import json
import os
import shutil
import subprocess
import time
from pathlib import Path

from . import hub

SOURCE = Path(__file__).resolve().parent.parent / "shop"
WORK = hub.ROOT / "shop"
ENDPOINT = "http://127.0.0.1:3001"
# What each has to find: may it write, may it read.
EXPECTED = {"till": (True, False), "report": (False, True), "visitor": (False, False)}


def deploy():
    """As on a build machine, with a key; then as on the hub, which has the public one."""
    shutil.copytree(SOURCE, WORK)
    keys = Path("/etc/coppice/keys")
    keys.mkdir(parents=True, exist_ok=True)
    key, bundle = f"{WORK}/release.key", f"{WORK}/shop.bundle"
    hub.coppice("deployment", "key", "generate", key)
    shutil.copy(f"{key}.pub", keys)
    compiled = hub.coppice("deployment", "compile", f"{WORK}/shop.json", "--output", bundle, "--key", key)
    print(f"  compiled and signed; proved: {compiled['proved']}")
    hub.coppice("deployment", "apply", bundle)
    hub.sh("coppice", "function", "list")


def invoke(function, event):
    """By the cloud's own tool."""
    out = WORK / f"{function}.answer"
    command = ["aws", "lambda", "invoke", "--endpoint-url", ENDPOINT, "--cli-read-timeout", "300",
               "--function-name", function, "--payload", json.dumps(event),
               "--cli-binary-format", "raw-in-base64-out", str(out)]
    print("  $ " + " ".join(command[:3]), "--function-name", function, "…", flush=True)
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env={**hub.ENVIRONMENT, "AWS_MAX_ATTEMPTS": "1"})
    return json.loads(out.read_text())


def wait_for_socket():
    while not os.path.exists("/run/coppice/serve.sock"):
        time.sleep(0.2)


def is_right(function, answer):
    wrote, read = answer["write"] == "written", answer["read"] == ["bread"]
    return (wrote, read) == EXPECTED[function]


def show(function, answer):
    print(f"    {function:8} as user {answer['user']}: write: {answer['write']};  read: {answer['read']}",
          flush=True)


def run():
    """True if each function could do what it may, and nothing else."""
    deploy()
    with subprocess.Popen(["coppice", "serve"], env=hub.ENVIRONMENT,
                          stderr=open(WORK / "serve.log", "w", encoding="utf-8")) as server:
        wait_for_socket()
        answers = {}
        for function in EXPECTED:
            answers[function] = invoke(function, {"order": "bread"})
            show(function, answers[function])
        hub.sh("coppice", "top", "--once")
        server.terminate()
    hub.coppice("deployment", "delete", "shop", "--volumes")
    return all(is_right(function, answer) for function, answer in answers.items())
