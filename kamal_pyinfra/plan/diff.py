"""Desired + observed → changes. The decision is written here once: ``kp plan`` prints it, operations act on it."""

from __future__ import annotations

from kamal_pyinfra.plan.changes import Change
from kamal_pyinfra.plan.diff_accessory import diff_missing_accessories
from kamal_pyinfra.plan.diff_app import diff_containers, diff_old_containers
from kamal_pyinfra.plan.diff_assets import diff_assets
from kamal_pyinfra.plan.diff_host import (
    diff_directories,
    diff_docker,
    diff_env_files,
    diff_images,
    diff_login,
)
from kamal_pyinfra.plan.diff_leftovers import diff_leftovers, diff_tag
from kamal_pyinfra.plan.diff_proxy import diff_proxy
from kamal_pyinfra.plan.diff_record import diff_record
from kamal_pyinfra.plan.diff_release import diff_release
from kamal_pyinfra.plan.observed import ObservedHost
from kamal_pyinfra.plan.state import DesiredHost

__all__ = [
    "diff_assets",
    "diff_containers",
    "diff_directories",
    "diff_docker",
    "diff_env_files",
    "diff_host",
    "diff_images",
    "diff_leftovers",
    "diff_login",
    "diff_missing_accessories",
    "diff_old_containers",
    "diff_proxy",
    "diff_record",
    "diff_release",
    "diff_tag",
]

STEPS = (
    diff_docker,
    diff_directories,
    diff_env_files,
    diff_login,
    diff_missing_accessories,
    diff_images,
    diff_proxy,
    diff_assets,
    diff_release,
    diff_containers,
    diff_old_containers,
    diff_tag,
    diff_record,
    diff_leftovers,
)


def diff_host(desired: DesiredHost, observed: ObservedHost) -> tuple[Change, ...]:
    """Every change that brings ``observed`` to ``desired``, in the order in which a deploy makes them."""
    return tuple(change for step in STEPS for change in step(desired, observed))
