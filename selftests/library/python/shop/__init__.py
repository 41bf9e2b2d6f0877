"""The provider's package."""
from . import prices
from .prices import price

__all__ = ["price", "name", "Basket", "VERSION"]
VERSION = 1


def name():
    return "name-provider"


class Basket:
    def total(self):
        return sum(price(thing) for thing in "ab")

    def name(self):
        return name()


def __getattr__(attribute):
    if attribute == "lazy":
        return "lazy-provider"
    raise AttributeError(attribute)
