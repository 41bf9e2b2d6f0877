# SPDX-License-Identifier: GPL-2.0
"""The way to the real service: the queue in order, and other requests as they are."""

import asyncio
import logging
import sqlite3

import aiohttp
import yarl

log = logging.getLogger("iot-data")

TOKEN = "Coppice-Request-Id"
# Of a connection, not of a request: RFC 9110, 7.6.1.
HOP_BY_HOP = {"connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection",
              "te", "trailer", "transfer-encoding", "upgrade"}
# What the client library would add, and no signature covers.
AUTOMATIC = ("Accept", "Accept-Encoding", "Content-Type", "User-Agent")
TIMEOUT = aiohttp.ClientTimeout(total=60, connect=10)
# Refusals for good. Rights and their lack change, as do limits; so these are tried again.
FINAL = {400, 404, 405, 409, 413, 414, 415, 422}


def signer(region):
    """Signs requests with the hub's own credentials, as botocore finds them, or leaves them unsigned."""
    try:
        import botocore.auth
        import botocore.awsrequest
        import botocore.session
    except ImportError:
        return None
    credentials = botocore.session.get_session().get_credentials()
    if credentials is None:
        return None

    def sign(method, url, headers, body):
        request = botocore.awsrequest.AWSRequest(method, str(url), headers=headers, data=body)
        botocore.auth.SigV4Auth(credentials.get_frozen_credentials(), "iotdata", region).add_auth(request)
        return dict(request.headers)
    return sign


def end_to_end(headers):
    dropped = HOP_BY_HOP | {word.strip().lower() for word in headers.get("Connection", "").split(",")}
    return [(name, value) for name, value in headers.items() if name.lower() not in dropped]


class Uplink:
    """A base URL, and the one task that forwards."""

    def __init__(self, url, store, sign=None, retry_max=60):
        self.url, self._store, self._sign, self._retry_max = url.rstrip("/"), store, sign, retry_max
        self._session = self._task = None
        self._wake = asyncio.Event()

    async def start(self):
        self._session = aiohttp.ClientSession(timeout=TIMEOUT, auto_decompress=False)
        self._task = asyncio.create_task(self._forward_all())

    async def stop(self):
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        await self._session.close()

    def wake(self):
        """There is something new in the queue."""
        self._wake.set()

    def _target(self, target):
        return yarl.URL(self.url + target, encoded=True)

    async def proxy(self, method, target, headers, body):
        """An answer of the real service to a request that is untouched: its signature stays valid."""
        return await self._session.request(method, self._target(target), headers=end_to_end(headers),
                                           data=body, allow_redirects=False, skip_auto_headers=AUTOMATIC)

    async def _send(self, token, method, target, headers, body):
        url = self._target(target)
        if self._sign:
            headers = self._sign(method, url, headers, body)
        async with self._session.request(method, url, headers={**headers, TOKEN: token}, data=body,
                                         allow_redirects=False) as answer:
            return answer.status, await answer.read()

    async def _forward(self, number, token, *request):
        """True if this request need not be sent again."""
        try:
            status, answer = await self._send(token, *request)
        except (aiohttp.ClientError, asyncio.TimeoutError, OSError) as error:
            log.info("the uplink is down: %s", error)
            return False
        if status in FINAL:
            log.warning("the cloud refuses %s %s for good (%d): kept in the table 'refused'",
                        request[0], request[1], status)
            self._store.refuse(number, status, answer)
            return True
        if not 200 <= status < 300:
            log.info("the cloud answers %d: trying again", status)
            return False
        self._store.done(number)
        return True

    async def _forward_all(self):
        pause = 1
        while True:
            self._wake.clear()
            try:
                head = self._store.head()
                forwarded = head and await self._forward(*head)
            except sqlite3.Error as error:
                log.error("the queue can't be read or changed: %s", error)
                head, forwarded = True, False
            if not head:
                await self._wake.wait()
            elif forwarded:
                pause = 1
            else:
                await asyncio.sleep(min(pause, self._retry_max))
                pause *= 2
