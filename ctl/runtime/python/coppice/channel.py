# SPDX-License-Identifier: MIT
"""Events that a coordinator hands to a task, one after the other, over a socket.

A message is a line of JSON, and behind it as many bytes as its "length" says. The task sends {"type": "next"}
when it waits for an event; what it gets has the event's "id", and the event behind it. The answer has the
same "id" and is of type "result", "error" (what the handler raised, in the cloud's form) or "invalid" (the event is no JSON).
"""
import os
import sys
import traceback

import coppice
from coppice import decoding, encoding


def receive(descriptor):
    """The next message's head and body, or None at the end."""
    data = b""
    while b"\n" not in data:
        piece = os.read(descriptor, 1 << 16)
        if not piece:
            return None
        data += piece
    line, _, body = data.partition(b"\n")
    head = decoding.loads(line)
    pieces, left = [body], head["length"] - len(body)
    while left > 0:
        piece = os.read(descriptor, min(left, 1 << 20))
        if not piece:
            return None
        pieces.append(piece)
        left -= len(piece)
    return head, b"".join(pieces)


def send(descriptor, head, body=b""):
    head["length"] = len(body)
    data = memoryview(encoding.dumps(head).encode() + b"\n" + body)
    while data:
        data = data[os.write(descriptor, data):]


def failure(error, kind, event):
    """An exception in the cloud's form, without the frames of this file."""
    frames = traceback.extract_tb(error.__traceback__)[1:]
    return {"errorMessage": str(error), "errorType": kind, "requestId": event["id"],
            "stackTrace": traceback.format_list(frames)}


def call(handler, event, body, context):
    """The type of the answer, and what is to be said."""
    try:
        argument = decoding.loads(body) if body.strip() else {}
    except ValueError as error:
        return "invalid", str(error)
    try:
        result = handler(argument, context)
    except Exception as error:
        traceback.print_exc()
        return "error", failure(error, type(error).__name__, event)
    return "result", result


def encode(kind, value, event):
    if kind == "invalid":
        return kind, value.encode()
    try:
        return kind, encoding.dumps(value).encode()
    except (TypeError, ValueError) as error:
        value = failure(error, "Runtime.MarshalError", event)
        value["errorMessage"] = f"Unable to marshal response: {error}"
        return "error", encoding.dumps(value).encode()


def become(event):
    """A task may have been started before it was known for which of its group's functions it would be."""
    if os.environ.get("AWS_LAMBDA_FUNCTION_NAME") != event["function"]:
        os.environ["AWS_LAMBDA_FUNCTION_NAME"] = event["function"]
        os.environ["AWS_LAMBDA_LOG_GROUP_NAME"] = f"/aws/lambda/{event['function']}"


def answer(descriptor, handler, event, body, context):
    become(event)
    os.environ["_X_AMZN_TRACE_ID"] = event["trace"]
    kind, data = encode(*call(handler, event, body, context), event)
    # What it has printed belongs to this event.
    sys.stdout.flush()
    sys.stderr.flush()
    send(descriptor, {"type": kind, "id": event["id"]}, data)


def prepare(descriptor):
    # Programs that the handler starts have no business with it.
    os.set_inheritable(descriptor, False)
    # What is printed before a task is killed shall be seen.
    sys.stdout.reconfigure(line_buffering=True)


def rehearse(make_context, times=coppice.REHEARSALS):
    """Go through what each event takes, so that tasks write to none of its pages: see coppice.REHEARSALS."""
    lines = sys.stdout.line_buffering
    for _ in range(times):
        descriptor = os.memfd_create("rehearsal")
        prepare(descriptor)
        event = {"id": "rehearsal", "trace": "Root=1", "function": "rehearsal", "deadline_ns": 1 << 60,
                 "arn": "arn:rehearsal", "memory": 128}
        send(descriptor, event, b'{"rehearsal": [1, 2.5, "text"]}')
        os.lseek(descriptor, 0, os.SEEK_SET)
        event, body = receive(descriptor)
        answer(descriptor, lambda argument, context: argument, event, body, make_context(event))
        send(descriptor, {"type": "next"})
        os.close(descriptor)
        sys.stdout.reconfigure(line_buffering=lines)
    for name in "_X_AMZN_TRACE_ID", "AWS_LAMBDA_FUNCTION_NAME", "AWS_LAMBDA_LOG_GROUP_NAME":
        os.environ.pop(name, None)


def serve(descriptor, handler, reuse, make_context):
    """Until the coordinator has no more. A reset goes on behind the checkpoint, not here."""
    prepare(descriptor)
    if coppice.take_setting(b"COPPICE_SPARE"):
        # It has the time: what an event writes to is its own then.
        rehearse(make_context, 1)
    send(descriptor, {"type": "next"})
    while message := receive(descriptor):
        event, body = message
        context = make_context(event)
        coppice.ready()
        answer(descriptor, handler, event, body, context)
        if reuse == b"reset":
            coppice.reset()
        coppice.idle()
        send(descriptor, {"type": "next"})
    return 0
