"""A host as ``ssh`` and Kamal take it."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

ADDRESS = re.compile(
    r"(?:ssh://)?(?:(?P<user>[^\s/]+)@)?(?:\[(?P<bracketed>[^\]\s]+)\]|(?P<name>[^\s@/:,\[\]]+)|(?P<bare>[0-9A-Fa-f:.]*:[^\s@/,\[\]]*))"
    r"(?::(?P<port>[0-9]{1,5}))?/?"
)


@dataclass(frozen=True)
class Address:
    """A host as ``ssh`` and Kamal take it: ``[ssh://][user@]host[:port]``, an IPv6 address with a port in brackets."""

    host: str
    user: str | None = None
    port: int | None = None


def parse_address(text: str) -> Address | None:
    """The parts of an address; ``None`` if it is none."""
    if is_ipv6(text.removeprefix("ssh://").rpartition("@")[2]):
        user, _, host = text.removeprefix("ssh://").rpartition("@")
        return Address(host, user or None)
    found = ADDRESS.fullmatch(text)
    if found is None or found["bare"] is not None:
        return None
    host = found["bracketed"] or found["name"]
    port = int(found["port"]) if found["port"] else None
    if (found["bracketed"] and not is_ipv6(host)) or (port is not None and not 0 < port < 65536) or host[0] == "-":
        return None
    return Address(host, found["user"], port)


def is_ipv6(text: str) -> bool:
    """Whether a text is an IPv6 address, perhaps with a zone."""
    try:
        ipaddress.IPv6Address(text)
    except ValueError:
        return False
    return True
