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


def _texts(values: tuple[object, ...]) -> tuple[str, ...]:
    return tuple(sorted(str(value) for value in values))


def _capabilities(values: tuple[object, ...]) -> tuple[str, ...]:
    return tuple(sorted(str(value).upper().removeprefix("CAP_") for value in values))


def _text(values: tuple[object, ...]) -> str:
    return str(values[-1]) if values else ""


def _path(values: tuple[object, ...]) -> str:
    return normpath(_text(values)) if values else ""


def _namespace(values: tuple[object, ...]) -> str | None:
    return None if _text(values).startswith("container:") else _text(values)  # Docker shows an id for the name


def _network(values: tuple[object, ...]) -> str | None:
    return "" if _text(values) in ("default", "bridge") else _namespace(values)


def _security(values: tuple[object, ...]) -> tuple[str, ...] | None:
    texts = tuple(text for text in _texts(values) if text not in OF_HOST_NAMESPACES)
    return None if any(SECCOMP_FILE.match(text) for text in texts) else texts  # Docker shows what is in the file


def _hosts(values: tuple[object, ...]) -> tuple[str, ...]:
    """``NAME:ADDRESS`` or ``NAME=ADDRESS``, the address of IPv6 with or without brackets."""
    pairs = (re.split("[:=]", str(value), maxsplit=1) for value in values)
    return tuple(sorted(":".join(part.strip("[]") for part in pair) for pair in pairs))


def _flag(values: tuple[object, ...]) -> bool:
    return bool(values) and values[-1] not in (False, None, "false")


def _number(values: tuple[object, ...]) -> object:
    try:
        return max(int(_text(values)), 0)
    except ValueError:
        return 0


def _size(values: tuple[object, ...]) -> object:
    return to_bytes(_text(values)) if values else 0


def _cpus(values: tuple[object, ...]) -> object:
    return to_nano_cpus(_text(values)) if values else 0


def _ulimits(values: tuple[object, ...]) -> tuple[str, ...]:
    full = (str(value) if ":" in str(value) else f"{value}:{str(value).partition('=')[2]}" for value in values)
    return tuple(sorted(full))


def _ports(values: tuple[object, ...]) -> tuple[str, ...] | None:
    if any("-" in str(value) for value in values):
        return None  # a range, which Docker shows port by port
    return tuple(sorted(_port(str(value)) for value in values))


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


@dataclass(frozen=True, kw_only=True)
class Option:
    """An option that ``docker inspect`` shows."""

    names: tuple[str, ...]  # how it may be written; the first one is shown
    field: str  # where inspect shows it
    # brings the written and the inspected values into one form; ``None`` for what cannot be compared
    read: Reader = _texts
    write: Writer = _shown  # that form for people
    is_mutable: bool = False  # whether ``docker update`` can change it on a running container
    has_known_default: bool = True  # whether its absence means the same on every engine, so that a surplus one shows


OPTIONS = (
    Option(names=("memory",), field="Memory", read=_size, write=from_bytes, is_mutable=True),
    Option(names=("memory-reservation",), field="MemoryReservation", read=_size, write=from_bytes, is_mutable=True),
    Option(
        names=("memory-swap",),
        field="MemorySwap",
        read=_size,
        write=from_bytes,
        is_mutable=True,
        has_known_default=False,
    ),
    Option(names=("cpus",), field="NanoCpus", read=_cpus, write=from_nano_cpus, is_mutable=True),
    Option(names=("cpu-shares",), field="CpuShares", read=_number, is_mutable=True),
    Option(names=("cpuset-cpus",), field="CpusetCpus", read=_text, is_mutable=True),
    Option(names=("pids-limit",), field="PidsLimit", read=_number, is_mutable=True),
    Option(names=("cap-add",), field="CapAdd", read=_capabilities),
    Option(names=("cap-drop",), field="CapDrop", read=_capabilities),
    Option(names=("privileged",), field="Privileged", read=_flag),
    Option(names=("read-only",), field="ReadonlyRootfs", read=_flag),
    Option(names=("init",), field="Init", read=_flag, has_known_default=False),
    Option(names=("network", "net"), field="NetworkMode", read=_network),
    Option(names=("add-host",), field="ExtraHosts", read=_hosts),
    Option(names=("dns",), field="Dns"),
    Option(names=("group-add",), field="GroupAdd"),
    Option(names=("security-opt",), field="SecurityOpt", read=_security, has_known_default=False),
    Option(names=("ulimit",), field="Ulimits", read=_ulimits),
    Option(names=("shm-size",), field="ShmSize", read=_size, write=from_bytes, has_known_default=False),
    Option(names=("pid",), field="PidMode", read=_namespace),
    Option(names=("ipc",), field="IpcMode", read=_namespace, has_known_default=False),
    Option(names=("user",), field="User", read=_text, has_known_default=False),
    Option(names=("workdir",), field="WorkingDir", read=_path, has_known_default=False),
    Option(names=("stop-signal",), field="StopSignal", read=_text, has_known_default=False),
    Option(names=("publish",), field="PortBindings", read=_ports, write=_shown_ports),
)

RESTART = "restart"


def option_differences(
    desired: Options, observed: Mapping[str, tuple[object, ...]], *, is_same: bool
) -> Iterator[Difference]:
    """The options that are not as written.

    Args:
        observed: inspect's fields, each as a tuple of values; fields that were not looked at are absent.
        is_same: whether the container was created from this very configuration, so that only what
            ``docker update`` changes can differ.
    """
    written = {name: as_items(value) for name, value in desired}
    for option in OPTIONS:
        if option.field not in observed or (is_same and not option.is_mutable):
            continue
        given = [name for name in option.names if name in written]
        if not given and not option.has_known_default:
            continue
        wanted = option.read(tuple(value for name in given for value in written[name]))
        seen = option.read(observed[option.field])
        if wanted is not None and wanted != seen:
            after = _as_written(written[given[0]]) if given else NOT_SET
            yield Difference(field=option.names[0], before=_as_seen(option, seen, observed), after=after)
    if RESTART in observed:
        yield from _restart(written, observed)


def _restart(
    written: Mapping[str, tuple[object, ...]], observed: Mapping[str, tuple[object, ...]]
) -> Iterator[Difference]:
    wanted = _text(written.get(RESTART, ("unless-stopped",)))
    seen = _text(observed[RESTART])
    if wanted.partition(":")[0] != seen:
        yield Difference(field=RESTART, before=seen or "no", after=wanted)


def _as_seen(option: Option, seen: object, observed: Mapping[str, tuple[object, ...]]) -> str:
    if seen is None:
        return _as_written(observed[option.field])
    return option.write(seen) if seen else NOT_SET


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
