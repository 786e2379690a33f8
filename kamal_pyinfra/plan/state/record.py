"""What a run writes down on every host: which hosts the service is on, and what it left there.

A look at the hosts of the configuration cannot find a host that left it, and cannot tell a change of the
configuration from a change that somebody made by hand. The record can.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from kamal_pyinfra.config.servers import is_host

FORMAT_VERSION = 1


@dataclass(frozen=True, kw_only=True)
class Record:
    """The end of the last run, as one host remembers it.

    Args:
        version: the version that was put into service.
        hosts: host → its roles, for all hosts of the service, also those that left the configuration.
        containers: container → digest of what it was started with.
        env_files: path → SHA-256 of its content.
        proxy: digest of the proxy; empty if the host runs none of ours.
        service: whose record it is; empty in one of an earlier kp.
        destination: the destination of that service; empty without.
    """

    version: str = ""
    hosts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    containers: Mapping[str, str] = field(default_factory=dict)
    env_files: Mapping[str, str] = field(default_factory=dict)
    proxy: str = ""
    service: str = ""
    destination: str = ""


def record_text(record: Record) -> str:
    """The record as it is kept: one line of JSON."""
    return json.dumps({"format_version": FORMAT_VERSION, **asdict(record)}, sort_keys=True, separators=(",", ":"))


def parse_record(text: str) -> Record | None:
    """The record of a text; one that cannot be read, or is newer than this program, counts as none."""
    try:
        values = json.loads(text)
        if values["format_version"] != FORMAT_VERSION:
            return None
        return Record(
            version=str(values["version"]),
            hosts={host: roles for host, roles in _lists(values["hosts"]).items() if is_host(host)},
            containers=_texts(values["containers"]),
            env_files=_texts(values["env_files"]),
            proxy=str(values["proxy"]),
            service=str(values.get("service", "")),
            destination=str(values.get("destination", "")),
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def _texts(values: Mapping[str, Any]) -> dict[str, str]:
    return {str(name): str(value) for name, value in values.items()}


def _lists(values: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    return {str(name): tuple(str(item) for item in value) for name, value in values.items()}
