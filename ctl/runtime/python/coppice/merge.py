# SPDX-License-Identifier: MIT
"""A provider's Python module or package with a local one merged in.

Run by the file that is laid over the provider's, in whose namespace both are executed, the
provider's first: what the local one defines overrides, what it lacks stays. So there is one
module, under its usual name, for everybody who imports it. NAMESPACE, PROVIDER and LOCAL are set:
the dictionary of the module, a copy of the provider's file, and the local file.
"""

import importlib.machinery
import importlib.util
import os
import sys
import types


def public(namespace):
    """What a module offers: __all__, or what has no underscore and is no module."""
    names = namespace.get("__all__")
    if names is not None:
        return set(names)
    return {name for name, value in namespace.items()
            if not name.startswith("_") and not isinstance(value, types.ModuleType)}


def merge_all(namespace, before):
    """__all__ of both: without one at the provider's all names are offered."""
    if "__all__" in before and "__all__" in namespace:
        namespace["__all__"] = list(dict.fromkeys([*before["__all__"], *namespace["__all__"]]))
    else:
        namespace.pop("__all__", None)


def merge_getattr(namespace, before):
    """Two module __getattr__(): the provider's answers what the local one does not."""
    mine, theirs = namespace.get("__getattr__"), before.get("__getattr__")
    if theirs is None or mine is theirs:
        return

    def both(name):
        try:
            return mine(name)
        except AttributeError:
            return theirs(name)
    namespace["__getattr__"] = both


class Merges:
    """What was merged, for whoever compares interfaces: (before, after) by module name."""

    found = {}


def overlay(namespace, local):
    """Execute the local file in the namespace that the provider's has filled."""
    before = dict(namespace)
    theirs = types.ModuleType(before["__name__"])
    theirs.__dict__.update(before)
    namespace["__provider__"] = theirs
    namespace["__file__"] = local
    namespace.pop("__all__", None)
    loader = importlib.machinery.SourceFileLoader(before["__name__"], local)
    exec(loader.get_code(before["__name__"]), namespace)  # pylint: disable=exec-used
    mine = public(namespace) if "__all__" in namespace else None
    if "__all__" not in namespace and "__all__" in before:
        namespace["__all__"] = before["__all__"]
    else:
        merge_all(namespace, before)
    merge_getattr(namespace, before)
    namespace["__file__"] = before.get("__file__")
    Merges.found[before["__name__"]] = (before, dict(namespace), mine)


class Loader:
    """Loads both; everything else that loaders are asked is the provider's to answer."""

    def __init__(self, provider, local):
        self._provider, self._local = provider, local

    def __getattr__(self, name):
        return getattr(self._provider.loader, name)

    def create_module(self, spec):
        del spec

    def exec_module(self, module):
        loader = self._provider.loader
        if isinstance(loader, importlib.machinery.ExtensionFileLoader):
            extension = importlib.util.module_from_spec(self._provider)
            loader.exec_module(extension)
            module.__dict__.update((name, value) for name, value in vars(extension).items()
                                   if name not in module.__dict__)
        else:
            loader.exec_module(module)
        overlay(module.__dict__, self._local.origin)


class Finder:
    """Finds the modules of a merged package, at both places at once."""

    def __init__(self, package, root):
        self.prefix, self.root = package + ".", root

    def is_local(self, path):
        return path == self.root or path.startswith(self.root + os.sep)

    def find_spec(self, name, path=None, target=None):
        if path is None or not name.startswith(self.prefix):
            return None
        find = importlib.machinery.PathFinder.find_spec
        local = find(name, [place for place in path if self.is_local(place)], target)
        provider = find(name, [place for place in path if not self.is_local(place)], target)
        if local is None or provider is None:
            return local or provider
        return self.both(name, provider, local)

    @staticmethod
    def both(name, provider, local):
        places = [*(local.submodule_search_locations or []),
                  *(provider.submodule_search_locations or [])]
        # A directory without code is no module, but may hold some.
        if local.loader is None or provider.loader is None:
            spec = provider if local.loader is None else local
            if spec.submodule_search_locations is not None:
                spec.submodule_search_locations[:] = places
            return spec
        spec = importlib.machinery.ModuleSpec(name, Loader(provider, local),
                                              origin=provider.origin)
        spec.has_location = True
        if local.submodule_search_locations is not None or \
                provider.submodule_search_locations is not None:
            spec.submodule_search_locations = places
        return spec


def merge(namespace, provider, local):
    name = namespace["__name__"]
    if os.path.basename(local) == "__init__.py" and "__path__" in namespace:
        root = os.path.dirname(local)
        namespace["__path__"].insert(0, root)
        sys.meta_path.insert(0, Finder(name, root))
    loader = importlib.machinery.SourceFileLoader(name, provider)
    exec(loader.get_code(name), namespace)  # pylint: disable=exec-used
    overlay(namespace, local)


sys.modules.setdefault("_coppice_merges", types.SimpleNamespace(found={}))
Merges.found = sys.modules["_coppice_merges"].found
merge(NAMESPACE, PROVIDER, LOCAL)  # pylint: disable=undefined-variable
