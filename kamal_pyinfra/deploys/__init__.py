"""The phases of a deploy, each a pyinfra deploy; both front doors drive these."""

from __future__ import annotations

from kamal_pyinfra.deploys.phases import boot, bootstrap, finish, lock, prepare, retire, revert, switch, unlock

__all__ = ["boot", "bootstrap", "finish", "lock", "prepare", "retire", "revert", "switch", "unlock"]
