"""A hub for the demo: the controller and a local S3 service behind the cloud's name."""

import json
import os
import subprocess
import time
from pathlib import Path

import boto3
from botocore.config import Config

REGION = "eu-west-1"
BUCKET = "readings-of-the-hub"
HOST = f"s3.{REGION}.amazonaws.com"
# Buckets are a label of the name.
ENDPOINTS = (f"{HOST}:443", f"*.{HOST}:443")
SERVICE = "127.0.0.1:4568"
HANDLER = "127.0.0.1:8443"
ROOT = Path("/srv/demo")
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "S3RVER", "AWS_SECRET_ACCESS_KEY": "S3RVER"}

# What the operator of a hub would set for functions of this cloud account.
ENVIRONMENT = {
    "BUCKET": BUCKET,
    "AWS_DEFAULT_REGION": REGION,
    "AWS_EC2_METADATA_DISABLED": "true",
    "PATH": os.environ["PATH"],
    **CREDENTIALS,
}


# What tasks of a group that trusts the hub's CA have; other starts are given it for comparison.
TRUST = {"AWS_CA_BUNDLE": "/var/lib/coppice/ca/trust/certs/ca-certificates.crt"}


def sh(*command, **options):
    return subprocess.run(command, check=True, text=True, **options)


def coppice(*words, backend=None):
    """Run the controller; its JSON, if it printed some."""
    command = ["coppice", "--json", *(["--backend", backend] if backend else []), *words]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, env=ENVIRONMENT, check=True)
    return json.loads(done.stdout) if done.stdout.strip() else None


def start_tls():
    """A CA of the hub's own, and TLS with its certificates in front of the S3 service."""
    coppice("ca", "create", "--permit", "amazonaws.com")
    coppice("handler", "tls", HOST, "--to", SERVICE, "--listen", HANDLER, "--http")


def start_s3(npm):
    address, port = SERVICE.split(":")
    log = open(ROOT / "s3.log", "w", encoding="utf-8")
    service = subprocess.Popen(
        [f"{npm}/.bin/s3rver", "--directory", str(ROOT / "s3"), "--address", address,
         "--port", port, "--configure-bucket", BUCKET], stdout=log, stderr=log)
    wait_for_s3(service)
    return service


def store():
    """The local service itself, as the operator reaches it."""
    return boto3.client("s3", endpoint_url=f"http://{SERVICE}", region_name=REGION,
                        aws_access_key_id="S3RVER", aws_secret_access_key="S3RVER",
                        config=Config(s3={"addressing_style": "path"}, retries={"max_attempts": 1}))


def wait_for_s3(service):
    client = store()
    for _ in range(300):
        if service.poll() is not None:
            raise SystemExit((ROOT / "s3.log").read_text())
        try:
            client.head_bucket(Bucket=BUCKET)
            return
        except Exception:
            time.sleep(0.2)
    raise SystemExit("the local S3 service does not answer:\n" + (ROOT / "s3.log").read_text())
