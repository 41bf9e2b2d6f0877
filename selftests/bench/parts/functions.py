"""Twenty different functions on one runtime: what their images take together."""

from .place import FUNCTIONS, coppice, say

NUMBER = 20
# Of nobody else's images: their pages are in a domain of their own.
OWNER = "bin"
SOURCE = '''"""Function {index} of a hub."""

import collections, {module}
import store

Reading = collections.namedtuple("Reading{index}", "device value {field}")
TABLE = {{f"{field}-{{i}}": [i * {index}, Reading(f"device-{{i}}", i, {index})] for i in range({rows})}}


def summarise_{index}(event):
    return sum(reading.value for _, reading in TABLE.values()) + {index} + len(event)


def handler(event, context):
    return {{"sum": summarise_{index}(event), "function": {index}}}
'''
MODULES = ("csv", "decimal", "statistics", "fractions", "sqlite3", "html", "configparser", "difflib",
           "zipfile", "tarfile", "xml.dom.minidom", "unittest", "pprint", "cmath", "ipaddress",
           "graphlib", "colorsys", "imaplib", "wave", "sched")


def write(index):
    path = FUNCTIONS / f"function_{index}.py"
    path.write_text(SOURCE.format(index=index, module=MODULES[index], rows=50 * (index + 1),
                                  field=f"field_{index}"))
    return f"{path}:handler"


def run():
    first, pages, added = None, 0, 0
    for index in range(NUMBER):
        name = f"function-{index}"
        coppice("kernel", "image", "build", name, "--python", write(index),
                "--base", f"{FUNCTIONS}/base.py", "--owner", OWNER, "--timeout", "600")
        image = coppice("kernel", "image", "show", name)
        first = first or image["pages"]
        pages += image["pages"]
        added += image["added_pages"]
        say(f"{name}: {image['added_pages']} of {image['pages']} pages added")
    yield {"functions.images": NUMBER, "functions.first_image_pages": first,
           "functions.memfd_pages": pages, "functions.store_pages": added,
           "functions.store_to_one_image": round(added / first, 2),
           "functions.memfd_to_one_image": round(pages / first, 2)}
