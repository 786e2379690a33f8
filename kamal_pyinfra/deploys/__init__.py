"""The phases of a deploy, each a pyinfra deploy; both front doors drive these."""

from __future__ import annotations

from kamal_pyinfra.deploys.phases import boot, finish, lock, prepare, pull, retire, revert, switch, unlock

__all__ = ["boot", "finish", "lock", "prepare", "pull", "retire", "revert", "switch", "unlock"]
