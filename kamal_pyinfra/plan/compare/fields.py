"""``Difference``, field by field: variables, secrets, labels, mounts, and ``docker run`` options against inspect."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from posixpath import normpath
from typing import Any

from kamal_pyinfra.config.values import networks
from kamal_pyinfra.naming import ACCESSORY_LABEL, CLEAR_LABEL, DIGEST_LABEL, OWNER_LABEL
from kamal_pyinfra.plan import docker_values
from kamal_pyinfra.plan.docker_values import Options
from kamal_pyinfra.plan.proxy.gate import without_gate
from kamal_pyinfra.plan.proxy.router_names import hiding_labels
from kamal_pyinfra.plan.state.observed import ImageDefaults, ObservedContainer

NOT_SET = "(not set)"
NAMED_FIELDS = 4
OWN_LABELS = (DIGEST_LABEL, OWNER_LABEL, ACCESSORY_LABEL, CLEAR_LABEL)
Reader = Callable[[tuple[object, ...]], object]
Writer = Callable[[Any], str]
OF_HOST_NAMESPACES = ("label=disable", "label:disable")
"""What Docker adds by itself to a privileged container and to one in the host's namespaces."""
SECCOMP_FILE = re.compile(r"seccomp[=:](?!unconfined$|builtin$)")
RESTART = "restart"


@dataclass(frozen=True, kw_only=True)
class Difference:
    """A field with what it is and what it should be; never the value of a secret."""

    field: str  # what differs, for example ``env COLOR``, ``memory`` or ``secret TOP_SECRET``
    before: str = ""  # what is there; empty for fields whose value is not shown
    after: str = ""  # what should be there; for fields without values what happened to them, for example ``changed``

    @property
    def text(self) -> str:
        """``env COLOR: blue → green``, or ``secret TOP_SECRET changed`` where no value may be shown."""
        return f"{self.field}: {self.before} → {self.after}" if self.before else f"{self.field} {self.after}"


def as_cause(differences: tuple[Difference, ...]) -> str:
    """One difference in full, a few by their fields, many by their number."""
    if len(differences) == 1:
        return differences[0].text
    fields = dict.fromkeys(difference.field for difference in differences)
    named = f"{len(fields)} fields" if len(fields) > NAMED_FIELDS else ", ".join(fields)
    return f"{named} {'differ' if len(fields) > 1 else 'differs'}"


def changed_secrets(
    checks: Mapping[str, int], existing: Mapping[str, int], of_image: frozenset[str] = frozenset()
) -> Iterator[Difference]:
    """What differs between two sets of secrets, by name."""
    for name, check in checks.items():
        if existing.get(name) != check:
            yield Difference(field=f"secret {name}", after="changed" if name in existing else "added")
    for name in sorted(existing.keys() - checks.keys() - of_image):
        yield Difference(field=f"secret {name}", after="removed")


def label_differences(
    labels: tuple[tuple[str, str], ...], options: Options, observed: ObservedContainer, defaults: ImageDefaults | None
) -> Iterator[Difference]:
    """Labels that are missing, have another value, or are there although nothing asks for them."""
    for name, value in labels:
        if observed.labels.get(name) != value:
            yield Difference(field=f"label {name}", before=observed.labels.get(name, NOT_SET), after=value)
    others = docker_values.names_in_options(options, "label")
    if defaults is None or others is None:
        return
    wanted = {name for name, _ in labels}.union(OWN_LABELS, others)
    hiding = dict(hiding_labels(labels, options))
    for name in sorted(without_gate(observed.labels).keys() - wanted):
        if observed.labels[name] not in (defaults.labels.get(name), hiding.get(name)):
            yield Difference(field=f"label {name}", before=observed.labels[name] or '""', after=NOT_SET)


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


def _network(values: tuple[object, ...]) -> str | None:
    """The first, which Docker shows, whatever fields are written with it."""
    name = next(iter(networks({"network": values})), "")
    return "" if name in ("default", "bridge") else _namespace(name)


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
        return " ".join(map(_shown, value))
    return str(value).lower() if isinstance(value, bool) else str(value)


def _shown_ports(value: tuple[str, ...]) -> str:
    return " ".join(port.lstrip(":").removesuffix("/tcp") for port in value)


TEXTS = _each()
CAPABILITIES = _each(lambda text: text.upper().removeprefix("CAP_"))
NAMESPACE, NUMBER, SIZE = _last(_namespace, ""), _last(_number, 0), _last(docker_values.to_bytes, 0)


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
    Option(("memory",), "Memory", SIZE, docker_values.from_bytes, is_mutable=True),
    Option(("memory-reservation",), "MemoryReservation", SIZE, docker_values.from_bytes, is_mutable=True),
    Option(("memory-swap",), "MemorySwap", SIZE, docker_values.from_bytes, is_mutable=True, has_known_default=False),
    Option(("cpus",), "NanoCpus", _last(docker_values.to_nano_cpus, 0), docker_values.from_nano_cpus, is_mutable=True),
    Option(("cpu-shares",), "CpuShares", NUMBER, is_mutable=True),
    Option(("cpuset-cpus",), "CpusetCpus", _text, is_mutable=True),
    Option(("pids-limit",), "PidsLimit", NUMBER, is_mutable=True),
    Option(("cap-add",), "CapAdd", CAPABILITIES),
    Option(("cap-drop",), "CapDrop", CAPABILITIES),
    Option(("privileged",), "Privileged", _flag),
    Option(("read-only",), "ReadonlyRootfs", _flag),
    Option(("init",), "Init", _flag, has_known_default=False),
    Option(("network", "net"), "NetworkMode", _network),
    Option(("add-host",), "ExtraHosts", _each(_host)),
    Option(("dns",), "Dns"),
    Option(("group-add",), "GroupAdd"),
    Option(("security-opt",), "SecurityOpt", _security, has_known_default=False),
    Option(("ulimit",), "Ulimits", _each(lambda text: text if ":" in text else f"{text}:{text.partition('=')[2]}")),
    Option(("shm-size",), "ShmSize", SIZE, docker_values.from_bytes, has_known_default=False),
    Option(("pid",), "PidMode", NAMESPACE),
    Option(("ipc",), "IpcMode", NAMESPACE, has_known_default=False),
    Option(("user",), "User", _text, has_known_default=False),
    Option(("workdir",), "WorkingDir", _last(normpath, ""), has_known_default=False),
    Option(("stop-signal",), "StopSignal", _text, has_known_default=False),
    Option(("publish",), "PortBindings", _ports, _shown_ports),
)


def option_differences(
    desired: Options, observed: Mapping[str, tuple[object, ...]], *, is_same: bool
) -> Iterator[Difference]:
    """The options that are not as written; of inspect's fields those that were not read are absent.

    One that was created from the same configuration can only differ in what ``docker update`` changes.
    """
    written = {name: docker_values.as_items(value) for name, value in desired}
    for option in OPTIONS:
        given = [name for name in option.names if name in written]
        is_comparable = option.is_mutable or not is_same
        if option.field not in observed or not is_comparable or not (given or option.has_known_default):
            continue
        wanted = option.read(tuple(value for name in given for value in written[name]))
        actual = option.read(observed[option.field])
        if wanted is not None and wanted != actual:
            before = option.write(actual) if actual else NOT_SET
            before = _shown(observed[option.field]) if actual is None else before
            after = _shown(written[given[0]]) if given else NOT_SET
            yield Difference(field=option.names[0], before=before, after=after)
    restart = _text(written.get(RESTART, ("unless-stopped",)))
    if RESTART in observed and restart.partition(":")[0] != _text(observed[RESTART]):
        yield Difference(field=RESTART, before=_text(observed[RESTART]) or "no", after=restart)
