# SPDX-License-Identifier: MIT
"""interface.py PROVIDER LOCAL: compare a merged Python module with the provider's.

Run where the merged one is laid over the provider's. Prints a JSON object: the names that are
overridden, that fall through and that are added, or why the two do not go together.
"""

import importlib
import importlib.machinery
import importlib.util
import inspect
import json
import os
import sys

SUFFIXES = tuple(importlib.machinery.all_suffixes())


class Refused(Exception):
    """The two do not go together."""


def import_name(path):
    """The directory to search, and the name by which this file or package is imported."""
    path = os.path.realpath(path)
    directory, name = os.path.split(path)
    parts = [name if os.path.isdir(path) else name.split(".", 1)[0]]
    while os.path.exists(os.path.join(directory, "__init__.py")):
        directory, name = os.path.split(directory)
        parts.insert(0, name)
    return directory, ".".join(parts)


def is_hidden(name):
    return name.startswith((".", "_")) or name == "tests"


def modules(root):
    """Names of the modules below a package's directory, without that of the package."""
    found = set()
    for directory, directories, files in os.walk(root):
        directories[:] = [name for name in directories if not is_hidden(name) and
                          os.path.exists(os.path.join(directory, name, "__init__.py"))]
        prefix = [part for part in os.path.relpath(directory, root).split(os.sep) if part != "."]
        found.update(".".join([*prefix, name]) for name in directories)
        found.update(".".join([*prefix, name.split(".", 1)[0]]) for name in files
                     if name.endswith(SUFFIXES) and not is_hidden(name))
    return found


def offered(namespace):
    names = namespace.get("__all__")
    if names is None:
        names = (name for name, value in namespace.items()
                 if not name.startswith("_") and not inspect.ismodule(value))
    return set(names)


def signature(function):
    try:
        return inspect.signature(function)
    except (TypeError, ValueError):
        return None


def check_call(name, theirs, mine):
    """Everything that could be passed to the provider's must be possible with the local one."""
    before, after = signature(theirs), signature(mine)
    if before is None or after is None:
        return
    parameters = before.parameters.values()
    positional = [parameter for parameter in parameters
                  if parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD)]
    named = {parameter.name: None for parameter in parameters
             if parameter.kind == parameter.KEYWORD_ONLY}
    required = [parameter for parameter in positional if parameter.default is parameter.empty]
    needed = {parameter.name: None for parameter in parameters
              if parameter.kind == parameter.KEYWORD_ONLY and parameter.default is parameter.empty}
    try:
        after.bind(*[None] * len(positional), **named)
        after.bind(*[None] * len(required), **needed)
    except TypeError:
        raise Refused(f"{name}{after} cannot be called like the provider's {name}{before}: "
                      "give it the same parameters") from None


def kind(value):
    if inspect.isclass(value):
        return "a class"
    return "a function" if callable(value) else f"data ({type(value).__name__})"


def check_kind(name, theirs, mine):
    if inspect.isclass(theirs) and not inspect.isclass(mine) or \
            callable(theirs) and not callable(mine):
        raise Refused(f"{name} is {kind(theirs)} at the provider's and {kind(mine)} at the local "
                      "one: give it the same kind")
    if inspect.isroutine(theirs) and inspect.isroutine(mine):
        check_call(name, theirs, mine)


def compare(module, merge, answer):
    before, after, mine = merge
    theirs = offered(before)
    for name in sorted(theirs):
        if name not in before or name not in after:
            continue
        label = f"{module}.{name}"
        if after[name] is before[name]:
            answer["falls_through"].append(label)
            continue
        check_kind(label, before[name], after[name])
        answer["overridden"].append(label)
    new = {name for name in (offered(after) if mine is None else mine)
           if name not in before and name in after}
    answer["added"] += [f"{module}.{name}" for name in sorted(new)]


def load(name):
    try:
        return importlib.import_module(name)
    except Refused:
        raise
    except BaseException as error:  # whatever library code may raise
        raise Refused(f"the merged module {name} cannot be loaded: {type(error).__name__}: {error}") \
            from None


def compare_all(provider, local):
    directory, top = import_name(provider)
    sys.path.insert(0, directory)
    answer = {"overridden": [], "falls_through": [], "added": []}
    theirs = modules(provider) if os.path.isdir(provider) else set()
    mine = modules(local) if os.path.isdir(local) else set()
    names = [top, *(f"{top}.{name}" for name in sorted(theirs & mine))]
    for name in names:
        load(name)
    found = getattr(sys.modules.get("_coppice_merges"), "found", {})
    for name in names:
        if name not in found:
            raise Refused(f"{name} is loaded from elsewhere than {provider}, perhaps from compiled "
                          "files that are never compared with their source: delete those")
        compare(name, found[name], answer)
    answer["falls_through"] += [f"{top}.{name}" for name in sorted(theirs - mine)]
    answer["added"] += [f"{top}.{name}" for name in sorted(mine - theirs)]
    return answer


def main():
    # What libraries print is not our answer.
    output = os.fdopen(os.dup(1), "w")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    try:
        answer = compare_all(*sys.argv[1:3])
    except Refused as refused:
        answer = {"refused": str(refused)}
    json.dump(answer, output)
    output.close()
    os._exit(0)  # threads of libraries need not be waited for


main()
