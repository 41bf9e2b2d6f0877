"""A function that uses the package, part of it only when it runs."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "site"))
import shop  # noqa: E402
from shop import Basket, price  # noqa: E402


def handler(event, context):
    from shop import late
    from shop.tools import axe, saw
    assert Basket is shop.Basket and sys.modules["shop"] is shop
    return " ".join([shop.name(), str(Basket().total()), Basket().name(), shop.lazy, late.late(),
                     late.later(), axe.axe(), saw.saw(), shop.__file__.split("/py/")[1],
                     "doc" if shop.__doc__ else "none", str(price("a")), getattr(shop, "own", "-"),
                     *shop.__all__])
