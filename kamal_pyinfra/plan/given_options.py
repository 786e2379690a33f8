"""What ``docker run`` options say that keys of the configuration could say too."""

from __future__ import annotations

import re

from kamal_pyinfra.plan.state import Options


def are_given(options: Options, *names: str) -> bool:
    """Whether options say what a key of the configuration would."""
    return any(name in names for name, _ in options)


def given_names(options: Options, name: str) -> frozenset[str] | None:
    """Names of the variables or labels that options give themselves; ``None`` if a file may give more.

    Args:
        options: the options as written.
        name: ``env`` or ``label``.
    """
    written = dict(options)
    if f"{name}-file" in written:
        return None
    given = written.get(name, ())
    values = given if isinstance(given, list | tuple) else (given,)
    return frozenset(str(value).partition("=")[0] for value in values)


def given_networks(options: Options) -> tuple[str, ...]:
    """The networks that options name; none where Docker decides, or where the container has no address of its own."""
    written = dict(options)
    given = written.get("network", written.get("net", ()))
    values = [str(value) for value in (given if isinstance(given, list | tuple) else (given,))]
    is_known = all(re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", value) for value in values)
    return tuple(values) if is_known and not {"host", "none", "default"} & set(values) else ()


def published_ports(options: Options) -> frozenset[str]:
    """The ports of the host that options publish; not those that Docker chooses."""
    written = dict(options)
    found = set()
    for name in ("publish", "p"):
        given = written.get(name, ())
        for value in given if isinstance(given, list | tuple) else (given,):
            host_port = str(value).partition("/")[0].rpartition(":")[0].rpartition(":")[2]
            found |= {host_port} if host_port.isascii() and host_port.isdigit() else set()
    return frozenset(found)
