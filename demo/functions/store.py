"""Keep a device's reading in S3 and say what is there: a function as it runs in the cloud."""

import hashlib
import json
import os

import boto3

BUCKET = os.environ["BUCKET"]
s3 = boto3.client("s3")


def handler(event, context):
    prefix = f"readings/{event['device']}/"
    key = f"{prefix}{context.aws_request_id}.json"
    body = json.dumps(event, sort_keys=True).encode()
    s3.put_object(Bucket=BUCKET, Key=key, Body=body, ContentType="application/json")
    stored = s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()
    listed = s3.list_objects_v2(Bucket=BUCKET, Prefix=prefix)
    return {
        "key": key,
        "sha256": hashlib.sha256(stored).hexdigest(),
        "listed": key in [item["Key"] for item in listed["Contents"]],
    }
