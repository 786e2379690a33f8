"""The routes that a container asks the shared proxy for, read from its labels. Source: Traefik, Docker provider."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from kamal_pyinfra.plan.router_names import is_hidden

ROUTER = re.compile(r"traefik\.(http|tcp)\.routers\.([^.]+)\.(rule|priority|entrypoints)", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class Route:
    """What a router takes.

    Args:
        protocol: ``http`` or ``tcp``.
        rule: as written, without spaces around it.
        priority: of several rules that match a request the highest takes it.
        entry_points: those that it listens on; empty for all.
    """

    protocol: str
    rule: str
    priority: str
    entry_points: str = ""

    @property
    def text(self) -> str:
        """For a message."""
        return f"{self.rule} with priority {self.priority}"


def routes_of(labels: Mapping[str, str]) -> frozenset[Route]:
    """The routes of a container; none if it is hidden from the proxy."""
    if is_hidden(labels):
        return frozenset()
    routers: dict[tuple[str, str], dict[str, str]] = {}
    for label, value in labels.items():
        if found := ROUTER.fullmatch(label):
            routers.setdefault((found[1].lower(), found[2]), {})[found[3].lower()] = value.strip()
    return frozenset(_route(protocol, fields) for (protocol, _), fields in routers.items() if "rule" in fields)


def _route(protocol: str, fields: Mapping[str, str]) -> Route:
    # Traefik takes the length of a rule for its priority unless told otherwise, or told 0.
    priority = fields.get("priority", "0")
    return Route(
        protocol=protocol,
        rule=fields["rule"],
        priority=str(len(fields["rule"])) if priority == "0" else priority,
        entry_points=",".join(sorted(part.strip() for part in fields.get("entrypoints", "").split(","))),
    )
