"""The kinds of faults, a family a module. A new one is a record in one of them, and is found by itself."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from pkgutil import iter_modules

from faults.fault import Fault


def _every(base: type[Fault]) -> Iterator[type[Fault]]:
    for kind in base.__subclasses__():
        if "name" in vars(kind):
            yield kind
        yield from _every(kind)


for _module in iter_modules(__path__):
    import_module(f"{__name__}.{_module.name}")
FAULTS: dict[str, type[Fault]] = {kind.name: kind for kind in _every(Fault)}
