"""Try to write an order to the shop's volume and to list the orders; say what came of each."""

import os

ORDERS = "/volumes/orders"


def attempt(do):
    try:
        return do()
    except OSError as error:
        return error.strerror


def write(name):
    with open(f"{ORDERS}/{name}", "w", encoding="utf-8") as file:
        file.write("2 loaves of bread\n")
    return "written"


def handler(event, context):
    return {"user": os.getuid(), "write": attempt(lambda: write(event["order"])),
            "read": attempt(lambda: sorted(os.listdir(ORDERS)))}
