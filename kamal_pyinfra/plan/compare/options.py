"""``docker run`` options against ``docker inspect``."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from posixpath import normpath
from typing import Any

from kamal_pyinfra.plan.compare.fields import NOT_SET, Difference
from kamal_pyinfra.plan.docker_values import (
    Options,
    as_items,
    from_bytes,
    from_nano_cpus,
    is_in_options,
    to_bytes,
    to_nano_cpus,
)
from kamal_pyinfra.plan.state.observed import ObservedContainer

Reader = Callable[[tuple[object, ...]], object]
Writer = Callable[[Any], str]

OF_HOST_NAMESPACES = ("label=disable", "label:disable")
"""What Docker adds by itself to a privileged container and to one in the host's namespaces."""
SECCOMP_FILE = re.compile(r"seccomp[=:](?!unconfined$|builtin$)")


def _each(form: Callable[[str], str] = str) -> Reader:
    """Read all values, each in a form; their order does not matter."""
    return lambda values: tuple(sorted(form(str(value)) for value in values))


def _last(form: Callable[[str], object], default: object) -> Reader:
    """Read the last value, which is the one that counts."""
    return lambda values: form(_text(values)) if values else default


def _text(values: tuple[object, ...]) -> str:
    return str(values[-1]) if values else ""


def _flag(values: tuple[object, ...]) -> bool:
    return bool(values) and values[-1] not in (False, None, "false")


def _number(text: str) -> int:
    try:
        return max(int(text), 0)
    except ValueError:
        return 0


def _namespace(text: str) -> str | None:
    return None if text.startswith("container:") else text  # Docker shows an id for the name


def _network(text: str) -> str | None:
    return "" if text in ("default", "bridge") else _namespace(text)


def _security(values: tuple[object, ...]) -> tuple[str, ...] | None:
    texts = tuple(text for text in sorted(map(str, values)) if text not in OF_HOST_NAMESPACES)
    return None if any(SECCOMP_FILE.match(text) for text in texts) else texts  # Docker shows what is in the file


def _host(text: str) -> str:
    """``NAME:ADDRESS`` or ``NAME=ADDRESS``, the address of IPv6 with or without brackets."""
    return ":".join(part.strip("[]") for part in re.split("[:=]", text, maxsplit=1))


def _ports(values: tuple[object, ...]) -> object:
    is_range = any("-" in str(value) for value in values)  # which Docker shows port by port
    return None if is_range else _each(_port)(values)


def _port(text: str) -> str:
    """``[IP:][HOST:]CONTAINER[/PROTOCOL]`` as ``IP:HOST:CONTAINER/PROTOCOL``."""
    rest, _, protocol = text.lower().partition("/")
    head, _, container = rest.rpartition(":")
    address, _, host = head.rpartition(":")
    address = address.strip("[]")
    shown = f"[{address}]" if ":" in address else address
    return f"{'' if shown == '0.0.0.0' else shown}:{host}:{container}/{protocol or 'tcp'}"  # noqa: S104


def _shown(value: object) -> str:
    if isinstance(value, tuple):
        return " ".join(value)
    return str(value).lower() if isinstance(value, bool) else str(value)


def _shown_ports(value: tuple[str, ...]) -> str:
    return " ".join(port.lstrip(":").removesuffix("/tcp") for port in value)


TEXTS = _each()
CAPABILITIES = _each(lambda text: text.upper().removeprefix("CAP_"))
NAMESPACE, NUMBER, SIZE = _last(_namespace, ""), _last(_number, 0), _last(to_bytes, 0)


@dataclass(frozen=True)
class Option:
    """An option that ``docker inspect`` shows."""

    names: tuple[str, ...]  # how it may be written; the first one is shown
    field: str  # where inspect shows it
    read: Reader = TEXTS  # brings written and inspected values into one form; ``None`` cannot be compared
    write: Writer = _shown  # that form for people
    is_mutable: bool = False  # whether ``docker update`` can change it on a running container
    has_known_default: bool = True  # whether its absence means the same on every engine, so that a surplus one shows


OPTIONS = (
    Option(("memory",), "Memory", SIZE, from_bytes, is_mutable=True),
    Option(("memory-reservation",), "MemoryReservation", SIZE, from_bytes, is_mutable=True),
    Option(("memory-swap",), "MemorySwap", SIZE, from_bytes, is_mutable=True, has_known_default=False),
    Option(("cpus",), "NanoCpus", _last(to_nano_cpus, 0), from_nano_cpus, is_mutable=True),
    Option(("cpu-shares",), "CpuShares", NUMBER, is_mutable=True),
    Option(("cpuset-cpus",), "CpusetCpus", _text, is_mutable=True),
    Option(("pids-limit",), "PidsLimit", NUMBER, is_mutable=True),
    Option(("cap-add",), "CapAdd", CAPABILITIES),
    Option(("cap-drop",), "CapDrop", CAPABILITIES),
    Option(("privileged",), "Privileged", _flag),
    Option(("read-only",), "ReadonlyRootfs", _flag),
    Option(("init",), "Init", _flag, has_known_default=False),
    Option(("network", "net"), "NetworkMode", _last(_network, "")),
    Option(("add-host",), "ExtraHosts", _each(_host)),
    Option(("dns",), "Dns"),
    Option(("group-add",), "GroupAdd"),
    Option(("security-opt",), "SecurityOpt", _security, has_known_default=False),
    Option(("ulimit",), "Ulimits", _each(lambda text: text if ":" in text else f"{text}:{text.partition('=')[2]}")),
    Option(("shm-size",), "ShmSize", SIZE, from_bytes, has_known_default=False),
    Option(("pid",), "PidMode", NAMESPACE),
    Option(("ipc",), "IpcMode", NAMESPACE, has_known_default=False),
    Option(("user",), "User", _text, has_known_default=False),
    Option(("workdir",), "WorkingDir", _last(normpath, ""), has_known_default=False),
    Option(("stop-signal",), "StopSignal", _text, has_known_default=False),
    Option(("publish",), "PortBindings", _ports, _shown_ports),
)

RESTART = "restart"


def option_differences(
    desired: Options, observed: Mapping[str, tuple[object, ...]], *, is_same: bool
) -> Iterator[Difference]:
    """The options that are not as written.

    Args:
        observed: inspect's fields, each as a tuple of values; fields that were not read are absent.
        is_same: whether the container was created from this very configuration, so that only what
            ``docker update`` changes can differ.
    """
    written = {name: as_items(value) for name, value in desired}
    for option in OPTIONS:
        given = [name for name in option.names if name in written]
        is_comparable = option.is_mutable or not is_same
        if option.field not in observed or not is_comparable or not (given or option.has_known_default):
            continue
        wanted = option.read(tuple(value for name in given for value in written[name]))
        actual = option.read(observed[option.field])
        if wanted is not None and wanted != actual:
            before = option.write(actual) if actual else NOT_SET
            if actual is None:
                before = _as_written(observed[option.field])
            after = _as_written(written[given[0]]) if given else NOT_SET
            yield Difference(field=option.names[0], before=before, after=after)
    restart = _text(written.get(RESTART, ("unless-stopped",)))
    if RESTART in observed and restart.partition(":")[0] != _text(observed[RESTART]):
        yield Difference(field=RESTART, before=_text(observed[RESTART]) or "no", after=restart)


def _as_written(values: tuple[object, ...]) -> str:
    return " ".join(_shown(value) for value in values)


def logging_differences(wanted: Options, options: Options, observed: ObservedContainer) -> Iterator[Difference]:
    """Another driver, and options of it that are missing, have another value, or are there unasked.

    Args:
        wanted: flags made from ``logging:``.
        options: the ``docker run`` options as written; where they speak of logging too, only the digest can tell.
    """
    if not observed.log_driver or is_in_options(options, "log-driver", "log-opt"):
        return
    drivers = [str(value) for flag, value in wanted if flag == "--log-driver"]
    if drivers and drivers[0] != observed.log_driver:
        yield Difference(field="log driver", before=observed.log_driver, after=drivers[0])
    given = dict(str(value).split("=", 1) for flag, value in wanted if flag == "--log-opt")
    for name in sorted(given.keys() | observed.log_options.keys()):
        before, after = observed.log_options.get(name, NOT_SET), given.get(name, NOT_SET)
        if before != after:
            yield Difference(field=f"log option {name}", before=before, after=after)
