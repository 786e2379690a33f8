"""``Difference``, field by field: variables, secrets, labels, mounts, and ``docker run`` options against inspect."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from posixpath import normpath
from typing import Any, Self

from kamal_pyinfra.config.env import is_for_host
from kamal_pyinfra.config.values import networks
from kamal_pyinfra.naming import ACCESSORY_LABEL, CLEAR_LABEL, DIGEST_LABEL, OWNER_LABEL
from kamal_pyinfra.plan.docker_values import (
    Options,
    as_items,
    from_bytes,
    from_nano_cpus,
    is_in_options,
    names_in_options,
    to_bytes,
    to_nano_cpus,
)
from kamal_pyinfra.plan.proxy.gate import without_gate
from kamal_pyinfra.plan.proxy.router_names import hiding_labels
from kamal_pyinfra.plan.state.desired import clear_check
from kamal_pyinfra.plan.state.observed import ImageDefaults, ObservedContainer

NOT_SET = "(not set)"
NAMED_FIELDS = 4
OWN_VARIABLES = ("KAMAL_CONTAINER_NAME", "KAMAL_VERSION")
OWN_LABELS = (DIGEST_LABEL, OWNER_LABEL, ACCESSORY_LABEL, CLEAR_LABEL)
PROXY_VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "NO_PROXY", "ALL_PROXY")
"""What Docker gives every container by itself if its settings on the host name a proxy."""


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
    if len(fields) > NAMED_FIELDS:
        return f"{len(fields)} fields differ"
    return f"{', '.join(fields)} {'differ' if len(fields) > 1 else 'differs'}"


def env_differences(env: tuple[tuple[str, str], ...], observed: ObservedContainer) -> Iterator[Difference]:
    """Clear variables that are missing or have another value."""
    for name, value in env:
        if is_for_host(value):
            continue  # the host's shell expanded it; only the digest can tell
        if name in observed.secret_checks:
            continue  # it is secret elsewhere, and compared as such
        if name not in observed.env:
            yield Difference(field=f"env {name}", before=NOT_SET, after=value)
        elif (existing := observed.env[name]) is None:
            # What the container does not call clear may have been a secret: only that it differs is shown.
            if observed.clear_checks.get(name, clear_check(name, value)) != clear_check(name, value):
                yield Difference(field=f"env {name}", after="changed")
        elif existing != value:
            yield Difference(field=f"env {name}", before=existing, after=value)


def surplus_env_differences(
    names: Iterable[str], options: Options, observed: ObservedContainer, defaults: ImageDefaults | None
) -> Iterator[Difference]:
    """Variables that are there although nothing asks for them, also those that were secret once."""
    others = names_in_options(options, "env")
    if defaults is None or others is None:
        return
    wanted = {*names, *observed.secret_checks, *OWN_VARIABLES, *others}
    for name in sorted(observed.env.keys() - wanted - defaults.env):
        # Whether its value may be shown is no longer known: it may have been a secret.
        if name.upper() not in PROXY_VARIABLES:
            yield Difference(field=f"env {name}", after="removed")


def secret_differences(
    secrets: str | None, checks: Mapping[str, int], observed: ObservedContainer, defaults: ImageDefaults | None
) -> Iterator[Difference]:
    """Secrets that the container does not have as they are now, by name; none if they are kept as they are."""
    if secrets is None or observed.secrets in (None, secrets):
        return
    existing = observed.secret_checks
    differences = tuple(changed_secrets(checks, existing, defaults.env if defaults else frozenset()))
    yield from differences
    # With a variable of the image among them the digest of all says nothing; then the checks have to do.
    if not differences and existing.keys() <= checks.keys():
        yield Difference(field="a secret", after="changed")


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
    others = names_in_options(options, "label")
    if defaults is None or others is None:
        return
    wanted = {name for name, _ in labels}.union(OWN_LABELS, others)
    hiding = dict(hiding_labels(labels, options))
    for name in sorted(without_gate(observed.labels).keys() - wanted):
        if observed.labels[name] not in (defaults.labels.get(name), hiding.get(name)):
            yield Difference(field=f"label {name}", before=observed.labels[name] or '""', after=NOT_SET)


MOUNTING = ("volume", "v", "mount", "tmpfs", "volumes-from")
"""Options that mount something too; what they mount is compared by the digest."""


@dataclass(frozen=True, kw_only=True)
class DesiredMount:
    """One mount."""

    target: str  # path in the container
    source: str  # path or volume on the host; empty if it may be any
    is_read_only: bool = False
    is_ours: bool = False  # whether each container has its own source, so that only its absence is a difference

    @classmethod
    def parse(cls, volume: str) -> Self:
        """``SOURCE:TARGET[:OPTIONS]``, or ``TARGET`` alone for an anonymous volume."""
        source, _, rest = volume.rpartition(":") if volume.count(":") == 0 else volume.partition(":")
        target, _, mode = rest.partition(":")
        source = "" if source.startswith(".") else source  # relative to where docker ran
        return cls(target=normpath(target), source=source, is_read_only="ro" in mode.split(","))

    @property
    def text(self) -> str:
        """As ``docker run --volume`` would have it, without the target."""
        return f"{self.source}:ro" if self.is_read_only else self.source


def mount_differences(
    mounts: Iterable[DesiredMount], options: Options, observed: ObservedContainer
) -> Iterator[Difference]:
    """Mounts that are missing, come from elsewhere, or are there although nothing asks for them."""
    by_target = {normpath(mount.target): mount for mount in mounts}
    for target, mount in sorted(by_target.items()):
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
    Option(("network", "net"), "NetworkMode", _network),
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

    Where ``docker run`` options set the logging too, only the digest can tell.
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
