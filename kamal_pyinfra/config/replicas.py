"""Rules for several containers of one role on a host."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kamal_pyinfra.config.model import Config

MOST = 100
FOR_ONE = ("publish", "p", "ip", "ip6", "mac-address", "cidfile")
"""Options that two containers of a host cannot both have."""


def replicas(config: Config) -> Iterator[tuple[tuple[str, ...], str]]:
    """A sensible number, and nothing that only one container of a host can have.

    Returns:
        For each broken rule the steps that lead to the key, and what is wrong there.
    """
    for name, role in config.servers.items():
        if not 1 <= role.replicas <= MOST:
            yield ("servers", name, "replicas"), f"should be a number from 1 to {MOST}"
        for option in FOR_ONE if role.replicas > 1 else ():
            if option in role.options:
                yield (
                    ("servers", name, "options", option),
                    f"only one container of a host can have this; leave it out, or set replicas: 1 for role {name}",
                )
