"""What pyinfra can see on a host: ``pyinfra HOST fact kamal_pyinfra.facts.RunningVersions service=shop``."""

from __future__ import annotations

from kamal_pyinfra.facts.docker import CordState, DockerInstalled, RunningVersions
from kamal_pyinfra.facts.snapshot import HostSnapshot

__all__ = ["CordState", "DockerInstalled", "HostSnapshot", "RunningVersions"]
