# SPDX-License-Identifier: GPL-2.0
"""The operations of AWS IoT Data that are answered here, over HTTP."""

import base64
import json
import logging
import time
import urllib.parse
import uuid

import aiohttp
from aiohttp import web

from shadow import Problem, check_names, invalid, parse
from uplink import TOKEN, end_to_end

log = logging.getLogger("iot-data")

TOPIC_MAX = 256
PAYLOAD_MAX = 128 * 1024
PAGE_MAX = 100
# What of a request is forwarded beside its body; the signature is made anew.
KEPT = ("content-type", "x-amz-mqtt5-user-properties", "x-amz-mqtt5-payload-format-indicator",
        "x-amz-mqtt5-correlation-data")


def trace():
    return str(uuid.uuid4())


def failure(problem):
    return web.json_response({"message": problem.message, "traceId": trace()}, status=problem.status,
                             headers={"x-amzn-ErrorType": problem.kind})


@web.middleware
async def answer_problems(request, handler):
    try:
        return await handler(request)
    except Problem as problem:
        return failure(problem)


def part(request, name):
    """A part of the path, whose slashes may be encoded."""
    return urllib.parse.unquote(request.match_info[name])


class Service:
    """Routes, with the store and the uplink (or None) behind them."""

    def __init__(self, store, uplink=None, clock=time.time):
        self._store, self._uplink, self._clock = store, uplink, clock

    def application(self):
        application = web.Application(middlewares=[answer_problems], client_max_size=2 * PAYLOAD_MAX)
        application.add_routes([
            web.get("/things/{thing}/shadow", self.get_shadow),
            web.post("/things/{thing}/shadow", self.update_shadow),
            web.delete("/things/{thing}/shadow", self.delete_shadow),
            web.get("/api/things/shadow/ListNamedShadowsForThing/{thing}", self.list_shadows),
            web.post("/topics/{topic:.+}", self.publish),
            web.get("/-/status", self.status),
            web.route("*", "/{path:.*}", self.proxy),
        ])
        if self._uplink:
            application.on_startup.append(lambda _: self._uplink.start())
            application.on_cleanup.append(lambda _: self._uplink.stop())
        application.on_cleanup.append(self._close)
        return application

    async def _close(self, application):
        del application
        self._store.close()

    def _now(self):
        return int(self._clock())

    def _forward(self, request, body):
        """In the caller's transaction: what is answered and what is queued belong together."""
        if self._uplink:
            headers = {name: request.headers[name] for name in KEPT if name in request.headers}
            self._store.enqueue(request.method, request.raw_path, headers, body, self._now())

    def _change(self, request, body, change):
        """Change and queue, once for each request of a hub that forwards to this one."""
        token = request.headers.get(TOKEN)
        with self._store:
            answer = token and self._store.seen(token)
            if not answer:
                answer = change()
                self._forward(request, body)
                if token:
                    self._store.see(token, answer)
        if self._uplink:
            self._uplink.wake()
        return web.json_response(answer)

    @staticmethod
    def _names(request):
        thing, name = part(request, "thing"), request.query.get("name", "")
        check_names(thing, name)
        return thing, name

    def _existing(self, thing, name):
        shadow = self._store.shadow(thing, name)
        if not shadow.exists:
            raise Problem(404, "ResourceNotFoundException",
                          f"No shadow exists with name: '{thing}{'~' if name else ''}{name}'")
        return shadow

    async def get_shadow(self, request):
        return web.json_response(self._existing(*self._names(request)).document(self._now()))

    async def update_shadow(self, request):
        names, body = self._names(request), await request.read()
        update = parse(body)
        # Versions are the hub's, and were compared here: the cloud's own count differs.
        forwarded = json.dumps({key: value for key, value in update.items() if key != "version"}).encode()

        def change():
            shadow = self._store.shadow(*names)
            answer = shadow.update(update, self._now())
            self._store.put(*names, shadow)
            return answer
        return self._change(request, forwarded, change)

    async def delete_shadow(self, request):
        names = self._names(request)

        def change():
            shadow = self._existing(*names)
            answer = shadow.delete(self._now())
            self._store.put(*names, shadow)
            return answer
        return self._change(request, b"", change)

    async def list_shadows(self, request):
        thing = part(request, "thing")
        check_names(thing, "")
        try:
            size = int(request.query.get("pageSize", "25"))
            after = base64.urlsafe_b64decode(request.query.get("nextToken", "")).decode()
        except ValueError:
            raise invalid("Invalid pageSize or nextToken") from None
        if not 1 <= size <= PAGE_MAX:
            raise invalid(f"pageSize must be from 1 to {PAGE_MAX}")
        found = self._store.names(thing, after, size + 1)
        answer = {"results": found[:size], "timestamp": self._now()}
        if len(found) > size:
            answer["nextToken"] = base64.urlsafe_b64encode(found[size - 1].encode()).decode()
        return web.json_response(answer)

    async def publish(self, request):
        topic, body = part(request, "topic"), await request.read()
        if len(topic.encode()) > TOPIC_MAX or any(sign in topic for sign in "+#\0"):
            raise invalid("Invalid topic")
        if request.query.get("qos", "0") not in ("0", "1"):
            raise invalid("Invalid qos")
        if len(body) > PAYLOAD_MAX:
            raise Problem(413, "RequestEntityTooLargeException", "The payload exceeds the maximum size allowed")
        return self._change(request, body, lambda: {"message": "OK", "traceId": trace()})

    async def status(self, request):
        del request
        return web.json_response({
            "uplink": self._uplink.url if self._uplink else None, "waiting": self._store.waiting(),
            "oldest": self._store.oldest(), "refused": self._store.refused(),
            "verifies_signatures": False,
        })

    async def proxy(self, request):
        """What has no counterpart here."""
        if not self._uplink:
            raise Problem(503, "ServiceUnavailableException", "This operation is the cloud's, and the hub has no uplink")
        try:
            answer = await self._uplink.proxy(request.method, request.raw_path, request.headers,
                                              request.content if request.body_exists else None)
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            log.info("the uplink is down: %s", error)
            raise Problem(503, "ServiceUnavailableException", "This operation is the cloud's, which can't be reached") \
                from None
        return await self._relay(request, answer)

    @staticmethod
    async def _relay(request, answer):
        async with answer:
            response = web.StreamResponse(status=answer.status, reason=answer.reason)
            response.headers.extend(end_to_end(answer.headers))
            await response.prepare(request)
            async for data in answer.content.iter_any():
                await response.write(data)
            await response.write_eof()
            return response
