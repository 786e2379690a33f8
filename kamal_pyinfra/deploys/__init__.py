"""The phases of a deploy and what other commands do, each a pyinfra deploy; both front doors drive these."""

from __future__ import annotations

import importlib
import typing

if typing.TYPE_CHECKING:
    from kamal_pyinfra.deploys.tasks import (
        boot_accessories,
        boot_proxy,
        bootstrap_server,
        delete_env,
        log_in,
        log_out,
        make_accessory_directories,
        prune,
        purge,
        push_env,
        reboot_proxy,
        remove,
        remove_accessories,
        remove_app,
        remove_from_app,
        remove_proxy,
        restart_accessories,
        restart_proxy,
        start_accessories,
        start_app,
        start_proxy,
        stop_accessories,
        stop_app,
        stop_proxy,
        upload_accessories,
    )

__all__ = [
    "boot_accessories",
    "boot_proxy",
    "bootstrap_server",
    "delete_env",
    "log_in",
    "log_out",
    "make_accessory_directories",
    "prune",
    "purge",
    "push_env",
    "reboot_proxy",
    "remove",
    "remove_accessories",
    "remove_app",
    "remove_from_app",
    "remove_proxy",
    "restart_accessories",
    "restart_proxy",
    "start_accessories",
    "start_app",
    "start_proxy",
    "stop_accessories",
    "stop_app",
    "stop_proxy",
    "upload_accessories",
]


def __getattr__(name: str) -> object:
    """Load a deploy when it is asked for: a plan needs none, and a hundred modules hang on them."""
    if name in __all__:
        for room in ("phases", "tasks"):
            module = importlib.import_module(f"{__name__}.{room}")
            if hasattr(module, name):
                return getattr(module, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
