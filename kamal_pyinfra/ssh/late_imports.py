"""What the engine loads for things that ``kp`` does not do: it comes when it is used.

For pyinfra jinja2 is for templates of files, and packaging for ``REQUIRE_PACKAGES`` in a ``config.py``; for typeguard
``unittest.mock`` (with asyncio) is for tests; for paramiko ``invoke`` is for ``Match exec``, which goes its own way.
Together they take a tenth of the time until hosts are asked. While the engine is loaded, modules without content stand
for them, whose names make instances of the real ones when they are called.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import Any, ClassVar

import pyinfra_cli  # noqa: F401 - patches the standard library for gevent; must come before pyinfra

LATE = (
    *("jinja2", "packaging.markers", "packaging.requirements", "packaging.specifiers", "packaging.version"),
    *("unittest.mock", "invoke"),
)


class StandIn:
    """Stands for a class or function that is not loaded yet."""

    of: ClassVar[tuple[str, str]]

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        """What the real one returns."""
        return _real(cls)(*map(_real, args), **{name: _real(value) for name, value in kwargs.items()})


def _real(value: Any) -> Any:
    """What something stands for; what is no stand-in, itself."""
    if isinstance(value, type) and issubclass(value, StandIn):
        module, name = value.of
        return getattr(import_module(module), name)
    return value


def _empty(module: str) -> ModuleType:
    """A module that has every name, save those that Python itself looks for."""

    def stand_in(name: str) -> type[StandIn]:
        if name.startswith("__"):
            raise AttributeError(name)
        return type(name, (StandIn,), {"of": (module, name)})

    made = ModuleType(module)
    made.__getattr__ = stand_in  # type: ignore[method-assign] # https://peps.python.org/pep-0562
    return made


def load() -> None:
    """Load the part of pyinfra that needs these modules, without them. Whoever loads one from now on gets it."""
    absent = [name for name in LATE if name not in sys.modules]
    sys.modules.update((name, _empty(name)) for name in absent)
    try:
        import_module("pyinfra.api.config")
    finally:
        for name in absent:
            del sys.modules[name]


load()
