"""Volumes of a container against the configuration."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from posixpath import normpath
from typing import Self

from kamal_pyinfra.plan.difference import NOT_SET, Difference
from kamal_pyinfra.plan.observed import ObservedContainer
from kamal_pyinfra.plan.state import Options

MOUNTING = ("volume", "v", "mount", "tmpfs", "volumes-from")
"""Options that mount something too; what they mount is compared by the digest."""


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """One mount.

    Args:
        target: path in the container.
        source: path or volume on the host; empty if it may be any.
        is_read_only: whether the container may not write to it.
        is_ours: whether its source is made anew for each container, so that only its absence is a difference.
    """

    target: str
    source: str
    is_read_only: bool = False
    is_ours: bool = False

    @classmethod
    def parse(cls, volume: str) -> Self:
        """``SOURCE:TARGET[:OPTIONS]``, or ``TARGET`` alone for an anonymous volume."""
        source, _, rest = volume.rpartition(":") if volume.count(":") == 0 else volume.partition(":")
        target, _, mode = rest.partition(":")
        return cls(target=normpath(target), source=source, is_read_only="ro" in mode.split(","))

    @property
    def text(self) -> str:
        """As ``docker run --volume`` would have it, without the target."""
        return f"{self.source}:ro" if self.is_read_only else self.source


def mount_differences(
    wanted: tuple[Wanted, ...], options: Options, observed: ObservedContainer
) -> Iterator[Difference]:
    """Mounts that are missing, come from elsewhere, or are there although nothing asks for them."""
    by_target = {normpath(mount.target): mount for mount in wanted}
    for target in sorted(by_target):
        mount = by_target[target]
        if target not in observed.mounts:
            source = "" if mount.is_ours else mount.text
            yield Difference(field=f"volume {target}", before="(not mounted)", after=source or "mounted")
        elif not mount.is_ours and mount.source and observed.volumes.get(target, mount.text) != mount.text:
            yield Difference(field=f"volume {target}", before=observed.volumes[target], after=mount.text)
    if any(name in MOUNTING for name, _ in options):
        return
    for target in sorted(observed.volumes.keys() - by_target.keys()):
        if observed.volumes[target]:
            yield Difference(field=f"volume {target}", before=observed.volumes[target], after=NOT_SET)
