"""S3 in the function's own process: what is measured is the function, not a service beside it."""

import io

from botocore.awsrequest import AWSResponse

LISTING = """<?xml version="1.0" encoding="UTF-8"?>
<ListBucketResult><Name>bucket</Name><KeyCount>{count}</KeyCount><MaxKeys>1000</MaxKeys>
<IsTruncated>false</IsTruncated>{contents}</ListBucketResult>"""
CONTENT = """<Contents><Key>{key}</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified>
<ETag>"0"</ETag><Size>{size}</Size><StorageClass>STANDARD</StorageClass></Contents>"""

# The newest object only: a store that grows would count as the function's memory.
_newest = {}


class Body(io.BytesIO):
    """As urllib3's response."""

    def stream(self, amount=65536, **_):
        while data := self.read(amount):
            yield data


def _listing():
    contents = "".join(CONTENT.format(key=key, size=len(body)) for key, body in _newest.items())
    return LISTING.format(count=len(_newest), contents=contents).encode()


def _answer(request, **_):
    # https://BUCKET.s3.REGION.amazonaws.com/KEY?…
    key, _, query = request.url.split("/", 3)[3].partition("?")
    if request.method == "PUT":
        _newest.clear()
        _newest[key] = request.body if isinstance(request.body, bytes) else request.body.read()
        body = b""
    else:
        body = _listing() if query else _newest[key]
    headers = {"Content-Length": str(len(body)), "x-amz-request-id": "0"}
    return AWSResponse(request.url, 200, headers, Body(body))


def install(client):
    """Requests of this client are built and signed, then answered here; answers are parsed."""
    client.meta.events.register("before-send.s3", _answer)
