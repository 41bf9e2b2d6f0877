__all__ = ["name", "open_hours"]


def name():
    return "name-local-after-" + __provider__.name()


def open_hours():
    return "always"


def __getattr__(attribute):
    if attribute == "own":
        return "own-local"
    raise AttributeError(attribute)
