"""The phases of a deploy, each a pyinfra deploy; both front doors drive these."""

from __future__ import annotations

from kamal_pyinfra.deploys.host_tasks import delete_env, prune, push_env
from kamal_pyinfra.deploys.phases import boot, finish, lock, prepare, retire, revert, switch, unlock

__all__ = [
    "boot",
    "delete_env",
    "finish",
    "lock",
    "prepare",
    "prune",
    "push_env",
    "retire",
    "revert",
    "switch",
    "unlock",
]
