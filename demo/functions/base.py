"""What functions of this hub have in common: the cloud's library, and a client as they use it."""

import boto3

boto3.client("s3")
