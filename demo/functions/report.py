"""Sum up a device's readings in a table: another function of the same hub."""

import csv
import io
import json
import os
import statistics

import boto3

BUCKET = os.environ["BUCKET"]
s3 = boto3.client("s3")


def readings(device):
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=f"readings/{device}/")
    for page in pages:
        for item in page.get("Contents", []):
            yield json.loads(s3.get_object(Bucket=BUCKET, Key=item["Key"])["Body"].read())


def handler(event, context):
    values = [reading["value"] for reading in readings(event["device"])]
    table = io.StringIO()
    writer = csv.writer(table)
    writer.writerow(["device", "readings", "mean"])
    writer.writerow([event["device"], len(values), statistics.fmean(values) if values else ""])
    key = f"reports/{event['device']}.csv"
    s3.put_object(Bucket=BUCKET, Key=key, Body=table.getvalue().encode())
    return {"key": key, "readings": len(values)}
