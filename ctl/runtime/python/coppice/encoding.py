# SPDX-License-Identifier: MIT
"""JSON as json.dumps() writes it."""

import json
from json import encoder

# Made once, and not for each value as json.dumps() does.
_encode = encoder.c_make_encoder and encoder.c_make_encoder(
    None, json.JSONEncoder().default, encoder.encode_basestring_ascii, None, ": ", ", ", False, False, True)


def dumps(value):
    try:
        return "".join(_encode(value, 0))
    except Exception:
        # What the C encoder can't do, or is told not to: said by json.dumps(), as is what is wrong.
        return json.dumps(value)
