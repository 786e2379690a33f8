"""The names that a container's labels give to its routers, services and middlewares in the proxy they share.

Traefik's Docker provider joins what all containers say. Where two of them define one name differently, it drops the
name for both ("HTTP router defined multiple times with different configurations"), and no request is routed until one
of them is gone. So a container whose definition of a name differs from that of a container that still runs gets
another name, with a suffix; both exist side by side, and the usual name is free again for the container after it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from kamal_pyinfra.naming import SUFFIX_LABEL
from kamal_pyinfra.plan.docker_values import Options, names_in_options
from kamal_pyinfra.plan.state.desired import AppContainer, digest_values
from kamal_pyinfra.plan.state.observed import ObservedContainer

KINDS = "routers|services|middlewares|serverstransports"
LABEL = re.compile(rf"traefik\.(http|tcp|udp)\.({KINDS})\.([^.]+)\.(.+)", re.IGNORECASE)
REFERENCES = (
    ("routers", re.compile(r"service"), "services"),
    ("routers", re.compile(r"middlewares(\[\d+\])?"), "middlewares"),
    ("middlewares", re.compile(r"chain\.middlewares(\[\d+\])?"), "middlewares"),
    ("middlewares", re.compile(r"errors\.service"), "services"),
    ("services", re.compile(r"loadbalancer\.serverstransport"), "serverstransports"),
)
"""Which fields name something else, and what. Source: Traefik 2.11 and 3, reference of Docker labels."""
WHOLE = re.compile(r"traefik\.tls\.", re.IGNORECASE)
"""Labels that are about the proxy as a whole; nothing in them could get another name."""
SUFFIX_DIGITS = 8
HIDDEN = ("traefik.enable", "false")
"""The label of a container that the proxy leaves out."""


class Element(NamedTuple):
    """One thing that labels define in the proxy, such as ``("http", "routers", "shop-web")``."""

    protocol: str
    kind: str
    name: str


Definitions = Mapping[Element, Mapping[str, str]]


@dataclass(frozen=True, kw_only=True)
class Names:
    """What the labels of a new container define under another name than the configuration's."""

    suffix: str = ""  # ends those names; empty if all are the configuration's
    elements: frozenset[Element] = frozenset()  # what has them
    broken: tuple[str, ...] = ()  # what must keep its name although it is not defined as on a container that runs


def elements(labels: Mapping[str, str]) -> dict[Element, dict[str, str]]:
    """What labels define, with the fields that they give it."""
    found: dict[Element, dict[str, str]] = {}
    for label, value in labels.items():
        if parts := LABEL.fullmatch(label):
            element = Element(parts[1].lower(), parts[2].lower(), parts[3])
            found.setdefault(element, {})[parts[4].lower()] = value
    return found


def definitions(labels: Mapping[str, str], container: str) -> dict[Element, dict[str, str]]:
    """What a container's labels define, with the rule and service that Traefik makes of its name for a bare router."""
    found = elements(labels)
    for element, fields in found.items():
        if element.kind == "routers":
            services = [each.name for each in found if each[:2] == (element.protocol, "services")]
            fields.setdefault("service", services[0] if len(services) == 1 else container)
            if element.protocol == "http":
                fields.setdefault("rule", container)
    return found


def names_beside(container: AppContainer, running: Sequence[ObservedContainer]) -> Names:
    """The names under which a new container takes nothing from others that run on the host, in any state of health."""
    labels, others = dict(container.labels), [each for each in running if not is_hidden(each.labels)]
    fixed = _referenced(container, others)
    names, broken = Names(), frozenset[Element]()
    while True:
        clashing = _clashing(definitions(renamed(labels, names), container.name), others)
        broken = clashing & fixed
        more = frozenset(_usual(element, names) for element in clashing - fixed)
        if not more:
            break
        # A clash of a name that has the suffix already means that somebody else has that one too.
        changed = names.elements | more
        suffix = digest_values({"labels": labels, "names": sorted(changed), "before": names.suffix})[:SUFFIX_DIGITS]
        names = Names(suffix=suffix, elements=changed)
    # Of labels about the proxy as a whole, those that a running container has with another value are broken too.
    whole = {label.lower(): value for label, value in labels.items() if WHOLE.match(label)}
    existing = ((label.lower(), value) for other in others for label, value in other.labels.items())
    differing = {f"label {label}" for label, value in existing if label in whole and whole[label] != value}
    return replace(names, broken=(*map(_shown, sorted(broken)), *sorted(differing)))


def names_taken(existing: ObservedContainer, running: Iterable[ObservedContainer]) -> tuple[str, ...]:
    """What a stopped container's own labels define otherwise than one that runs."""
    return tuple(map(_shown, sorted(_clashing(definitions(existing.labels, existing.name), running))))


def _clashing(defined: Definitions, running: Iterable[ObservedContainer]) -> frozenset[Element]:
    """What containers in the proxy define otherwise."""
    taken = [definitions(each.labels, each.name) for each in running if not is_hidden(each.labels)]
    items = defined.items()
    return frozenset(each for each, fields in items if any(other.get(each, fields) != fields for other in taken))


def _shown(element: Element) -> str:
    return f"{element.kind[:-1]} {element.name}"


def _usual(element: Element, names: Names) -> Element:
    usual = element._replace(name=element.name.removesuffix(f"-{names.suffix}")) if names.suffix else element
    return usual if usual in names.elements else element


def _referenced(container: AppContainer, others: Iterable[ObservedContainer]) -> frozenset[Element]:
    """What containers of other roles and services rely on by its name, without defining it themselves."""
    found: set[Element] = set()
    for other in (each for each in others if identity(each.labels) != identity(dict(container.labels))):
        own = definitions(other.labels, other.name)
        for element, (field, value) in ((each, item) for each, fields in own.items() for item in fields.items()):
            kind = _target_kind(element.kind, field)
            names = filter(None, map(local_name, value.split(",") if kind else ()))
            found.update({Element(element.protocol, kind, name) for name in names} - own.keys())
    return frozenset(found)


def identity(labels: Mapping[str, str]) -> tuple[str, ...]:
    """Whose container it is: service, role and destination."""
    return tuple(labels.get(name, "") for name in ("service", "role", "destination"))


def _target_kind(kind: str, field: str) -> str:
    return next((target for source, pattern, target in REFERENCES if source == kind and pattern.fullmatch(field)), "")


def local_name(reference: str) -> str:
    """The name that a reference gives to something of the Docker provider; empty if it is of another one."""
    name, _, provider = reference.strip().partition("@")
    return name if provider in ("", "docker") else ""


def renamed(labels: Mapping[str, str], names: Names) -> dict[str, str]:
    """The same labels with other names, also where one refers to another; a label holds the suffix."""
    if not names.suffix:
        return dict(labels)
    ending = f"-{names.suffix}"

    def change(element: Element) -> str:
        return f"{element.name}{ending}" if element in names.elements else element.name

    return {**dict(_with_names(labels, change)), SUFFIX_LABEL: names.suffix}


def _with_names(labels: Mapping[str, str], change: Callable[[Element], str]) -> Iterator[tuple[str, str]]:
    """Labels with changed names, and with changed references of the Docker provider."""
    for label, value in labels.items():
        parts = LABEL.fullmatch(label)
        if parts is None:
            yield label, value
            continue
        element = Element(parts[1].lower(), parts[2].lower(), parts[3])
        kind = _target_kind(element.kind, parts[4].lower())
        references = value.split(",") if kind else []
        changed = (
            each.replace(local, change(Element(element.protocol, kind, local)), 1)
            if (local := local_name(each))
            else each
            for each in references
        )
        name = f"{label[: parts.start(3)]}{change(element)}{label[parts.end(3) :]}"
        yield name, ",".join(changed) if kind else value


def names_of(labels: Mapping[str, str]) -> Names:
    """The other names that a container was given."""
    suffix = labels.get(SUFFIX_LABEL, "")
    if not suffix:
        return Names()
    own = (element for element in definitions(labels, "") if element.name.endswith(f"-{suffix}"))
    elements = (each._replace(name=each.name.removesuffix(f"-{suffix}")) for each in own)
    return Names(suffix=suffix, elements=frozenset(elements))


def usual_labels(labels: Mapping[str, str]) -> dict[str, str]:
    """A container's labels with the names that the configuration gives."""
    ending = f"-{labels.get(SUFFIX_LABEL, '')}"
    rest = {label: value for label, value in labels.items() if label != SUFFIX_LABEL}
    return dict(_with_names(rest, lambda element: element.name.removesuffix(ending))) if ending != "-" else rest


def is_hidden(labels: Mapping[str, str]) -> bool:
    """Whether the proxy leaves a container out."""
    return next((value for name, value in labels.items() if name.lower() == "traefik.enable"), "").lower() == "false"


def hiding_labels(labels: Iterable[tuple[str, str]], options: Options = ()) -> tuple[tuple[str, str], ...]:
    """What keeps the proxy from publishing a container whose own labels do not ask it to.

    By itself it publishes whatever has a port, under the container's name (``exposedByDefault``). The label comes with
    the next container: none is replaced for it.
    """
    others = names_in_options(options, "label")
    names = (*dict(labels), *(others or ()))
    is_asked_for = others is None or any(name.lower().startswith("traefik.") for name in names)
    return () if is_asked_for else (HIDDEN,)
