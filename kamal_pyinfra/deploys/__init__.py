"""The phases of a deploy and what other commands do, each a pyinfra deploy; both front doors drive these."""

from __future__ import annotations

from kamal_pyinfra.deploys.app_tasks import bootstrap, remove_app, remove_from_app, start_app, stop_app
from kamal_pyinfra.deploys.host_tasks import (
    boot_proxy,
    delete_env,
    log_in,
    log_out,
    prune,
    purge,
    push_env,
    reboot_proxy,
    remove,
    remove_proxy,
    restart_proxy,
    start_proxy,
    stop_proxy,
)
from kamal_pyinfra.deploys.phases import boot, finish, lock, prepare, retire, revert, switch, unlock

__all__ = [
    "boot",
    "boot_proxy",
    "bootstrap",
    "delete_env",
    "finish",
    "lock",
    "log_in",
    "log_out",
    "prepare",
    "prune",
    "purge",
    "push_env",
    "reboot_proxy",
    "remove",
    "remove_app",
    "remove_from_app",
    "remove_proxy",
    "restart_proxy",
    "retire",
    "revert",
    "start_app",
    "start_proxy",
    "stop_app",
    "stop_proxy",
    "switch",
    "unlock",
]
