"""A hub for the demo: the controller, a local S3 service, and the pretend cloud."""

import json
import os
import subprocess
import time
from pathlib import Path

import boto3
from botocore.config import Config

REGION = "eu-west-1"
BUCKET = "readings-of-the-hub"
# Of a range for documentation: no packet to it would ever arrive anywhere.
CLOUD = "203.0.113.10"
HANDLER = "127.0.0.1:8443"
ROOT = Path("/srv/demo")
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "S3RVER", "AWS_SECRET_ACCESS_KEY": "S3RVER"}

# What the operator of a hub would set for functions of this cloud account.
ENVIRONMENT = {
    "BUCKET": BUCKET,
    "AWS_DEFAULT_REGION": REGION,
    "AWS_CA_BUNDLE": str(ROOT / "ca.pem"),
    "AWS_EC2_METADATA_DISABLED": "true",
    "PATH": os.environ["PATH"],
    **CREDENTIALS,
}


def sh(*command, **options):
    return subprocess.run(command, check=True, text=True, **options)


def coppice(*words, backend=None):
    """Run the controller; its JSON, if it printed some."""
    command = ["coppice", "--json", *(["--backend", backend] if backend else []), *words]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, env=ENVIRONMENT, check=True)
    return json.loads(done.stdout) if done.stdout.strip() else None


def certificates():
    """A CA of the hub's own and the certificate of its S3 service."""
    names = f"DNS:s3.{REGION}.amazonaws.com,DNS:*.s3.{REGION}.amazonaws.com,IP:127.0.0.1"
    new = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    quiet = {"stderr": subprocess.DEVNULL, "cwd": ROOT}
    sh("openssl", "req", "-x509", *new, "-keyout", "ca.key", "-out", "ca.pem", "-days", "2",
       "-subj", "/CN=hub", **quiet)
    sh("openssl", "req", *new, "-keyout", "s3.key", "-out", "s3.csr", "-subj", "/CN=s3", **quiet)
    (ROOT / "s3.ext").write_text(f"subjectAltName={names}\n")
    sh("openssl", "x509", "-req", "-in", "s3.csr", "-CA", "ca.pem", "-CAkey", "ca.key",
       "-out", "s3.pem", "-days", "2", "-extfile", "s3.ext", **quiet)


def cloud_names():
    """Where the cloud's names lead; names become overrides of their own later."""
    with open("/etc/hosts", "a", encoding="ascii") as hosts:
        for name in (f"s3.{REGION}.amazonaws.com", f"{BUCKET}.s3.{REGION}.amazonaws.com"):
            hosts.write(f"{CLOUD} {name}\n")


def start_s3(npm):
    address, port = HANDLER.split(":")
    log = open(ROOT / "s3.log", "w", encoding="utf-8")
    service = subprocess.Popen(
        [f"{npm}/.bin/s3rver", "--directory", str(ROOT / "s3"), "--address", address,
         "--port", port, "--key", str(ROOT / "s3.key"), "--cert", str(ROOT / "s3.pem"),
         "--configure-bucket", BUCKET], stdout=log, stderr=log)
    wait_for_s3(service)
    return service


def store():
    """The local service itself, as the operator reaches it."""
    return boto3.client("s3", endpoint_url=f"https://{HANDLER}", region_name=REGION,
                        verify=str(ROOT / "ca.pem"), aws_access_key_id="S3RVER",
                        aws_secret_access_key="S3RVER",
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
