# SPDX-License-Identifier: MIT
"""JSON that is most often an object in UTF-8."""

import json

_scan = json.JSONDecoder().scan_once


def loads(data):
    """
    json.loads() of bytes. That looks for encodings and white space in ways that take a small event longer
    than the event itself.
    """
    if data[:1] == b"{":
        try:
            text = data.decode()
            value, end = _scan(text, 0)
            if not text[end:].strip(" \t\n\r"):
                return value
        except (ValueError, StopIteration):
            # It may be of another encoding. If not, it is said below what is wrong.
            pass
    return json.loads(data)
