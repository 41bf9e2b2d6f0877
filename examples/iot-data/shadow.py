# SPDX-License-Identifier: GPL-2.0
"""Device shadows as documents: what an update makes of one, and what is asked for and not done.

Nothing here knows of HTTP, time or storage.
"""

import json
import re

SECTIONS = ("desired", "reported")
DEPTH_MAX = 8
SIZE_MAX = 8 * 1024
THING = re.compile(r"[a-zA-Z0-9:_-]{1,128}")
NAME = re.compile(r"[$a-zA-Z0-9:_-]{1,64}")


class Problem(Exception):
    """A request that is refused: status, AWS's name of the error, and a sentence."""

    def __init__(self, status, kind, message):
        super().__init__(message)
        self.status, self.kind, self.message = status, kind, message


def invalid(message):
    return Problem(400, "InvalidRequestException", message)


def check_names(thing, name):
    if not THING.fullmatch(thing):
        raise invalid("Invalid thing name")
    if name and not NAME.fullmatch(name):
        raise invalid("Invalid shadow name")


def depth(value):
    if isinstance(value, dict):
        return 1 + max(map(depth, value.values()), default=0)
    if isinstance(value, list):
        return max(map(depth, value), default=0)
    return 0


def constant(text):
    raise ValueError(f"{text} is not JSON")


def parse(body):
    """The update in a request's body."""
    if len(body) > SIZE_MAX:
        raise Problem(413, "RequestEntityTooLargeException", "The payload exceeds the maximum size allowed")
    try:
        update = json.loads(body, parse_constant=constant)
    except (ValueError, RecursionError):
        raise invalid("Payload contains invalid json") from None
    if not isinstance(update, dict) or "state" not in update:
        raise invalid("Missing required node: state")
    check_state(update["state"])
    check_others(update)
    return update


def check_state(state):
    if not isinstance(state, dict):
        raise invalid("Invalid JSON: node 'state' must be an object")
    for section, value in state.items():
        if section not in SECTIONS:
            raise invalid(f"State contains an invalid node: '{section}'")
        if value is not None and not isinstance(value, dict):
            raise invalid(f"Invalid JSON: node '{section}' must be an object")
        if depth(value) > DEPTH_MAX:
            raise invalid(f"JSON contains too many levels of nesting; maximum is {DEPTH_MAX}")


def check_others(update):
    version, token = update.get("version"), update.get("clientToken")
    if version is not None and (isinstance(version, bool) or not isinstance(version, int) or version < 0):
        raise invalid("Invalid version")
    if token is not None and (not isinstance(token, str) or len(token.encode()) > 64):
        raise invalid("Invalid clientToken")


def stamp(value, now):
    """Metadata: a timestamp for each value, in a document of the same shape."""
    if isinstance(value, dict):
        return {key: stamp(inner, now) for key, inner in value.items() if inner is not None}
    if isinstance(value, list):
        return [stamp(inner, now) for inner in value]
    return {"timestamp": now}


def without_null(value):
    if isinstance(value, dict):
        return {key: without_null(inner) for key, inner in value.items() if inner is not None}
    return value


def merge(old, metadata, new, now):
    """Both changed in place: objects are merged, null removes, all else replaces."""
    for key, value in new.items():
        if value is None:
            old.pop(key, None)
            metadata.pop(key, None)
        elif isinstance(value, dict) and isinstance(old.get(key), dict):
            merge(old[key], metadata.setdefault(key, {}), value, now)
        else:
            old[key], metadata[key] = without_null(value), stamp(value, now)


def delta(desired, reported):
    """What is desired and not reported, with the desired values."""
    found = {}
    for key, wanted in desired.items():
        if key in reported and isinstance(wanted, dict) and isinstance(reported[key], dict):
            inner = delta(wanted, reported[key])
            if inner:
                found[key] = inner
        elif key not in reported or not same(wanted, reported[key]):
            found[key] = wanted
    return found


def same(one, other):
    """As JSON: true is not 1."""
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


def pick(metadata, like):
    """The metadata of what is in @like."""
    return {key: pick(metadata[key], value) if isinstance(value, dict) and isinstance(metadata[key], dict)
            else metadata[key] for key, value in like.items() if key in metadata}


class Shadow:
    """One shadow; version 0 and no state is one that never was."""

    def __init__(self, state=None, metadata=None, version=0, timestamp=0, exists=False):
        self.state, self.metadata = state or {}, metadata or {}
        self.version, self.timestamp, self.exists = version, timestamp, exists

    def update(self, request, now):
        """Apply a parsed update, and return what the caller is told."""
        wanted = request.get("version")
        # Without a shadow there is no version to agree on, as in the cloud.
        if wanted is not None and self.exists and wanted != self.version:
            raise Problem(409, "ConflictException", "Version conflict")
        changed = {}
        for section, value in request["state"].items():
            if value is None:
                self.state.pop(section, None)
                self.metadata.pop(section, None)
                continue
            merge(self.state.setdefault(section, {}), self.metadata.setdefault(section, {}), value, now)
            changed[section] = pick(self.metadata[section], value)
        if len(json.dumps(self.state, separators=(",", ":")).encode()) > SIZE_MAX:
            raise Problem(413, "RequestEntityTooLargeException", "The shadow exceeds the maximum size allowed")
        self.version, self.timestamp, self.exists = self.version + 1, now, True
        answer = {"state": request["state"], "metadata": changed, "version": self.version, "timestamp": now}
        if request.get("clientToken") is not None:
            answer["clientToken"] = request["clientToken"]
        return answer

    def document(self, now):
        state = {section: self.state[section] for section in SECTIONS if self.state.get(section)}
        metadata = {section: self.metadata[section] for section in state}
        missing = delta(self.state.get("desired", {}), self.state.get("reported", {}))
        if missing:
            state["delta"] = missing
            metadata["delta"] = pick(self.metadata["desired"], missing)
        return {"state": state, "metadata": metadata, "version": self.version, "timestamp": now}

    def delete(self, now):
        """The version goes on counting if there is a shadow of this name again."""
        answer = {"version": self.version, "timestamp": now}
        self.state, self.metadata, self.exists = {}, {}, False
        return answer
