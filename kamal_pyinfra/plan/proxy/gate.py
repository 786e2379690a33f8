"""The question whether the proxy routes to a container: a router beside the container's own that only we ask for.

A new container gets a second router for a path that is not known elsewhere, with a service of its own. What comes back
through it has a header with a second secret, which Traefik adds: so an answer is proven to have come through that
router to that container, whatever a neighbour or the app itself answers at that path. The rule ``Path`` is spelled
alike in Traefik 2 and 3 (``Header`` is not), and the app is asked for its health check's path. The names hold what
changes from run to run; so these labels are no part of the digest, and no drift.

That a container is reached does not prove its own routers. So each has a twin for a path of its own, with the same
rule behind an ``||``, the same middlewares and the same service where that is somebody else's: Traefik takes the one
if it takes the other.

Changed labels may also say that the proxy finds a new container elsewhere, which is untried. A container gets
requests as soon as Docker calls it healthy, and only then can the proxy be asked for it. Where the labels name another
port than those of the container that serves, the host checks that something listens there before it lets the
container become healthy. What else may keep the proxy from it is not known on the host: that is marked in the plan.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from string import ascii_lowercase

from kamal_pyinfra.plan.docker_values import as_items, names_in_options
from kamal_pyinfra.plan.proxy.router_names import (
    Element,
    definitions,
    elements,
    identity,
    is_hidden,
    local_name,
    usual_labels,
)
from kamal_pyinfra.plan.state.desired import AppContainer
from kamal_pyinfra.plan.state.observed import ObservedContainer

MARK = "kp-gate-"
"""Begins the name of the router, the service and the middlewares of the question."""
ANSWER_HEADER = "X-Kp-Gate"
PRIORITY = 1_000_000_000
"""Above any rule of a sensible length; Traefik keeps the numbers above 2147482647 to itself."""
ROUTER_SERVICE = re.compile(r"traefik\.http\.routers\.[^.]+\.service", re.IGNORECASE)
COPIED = ("loadbalancer.server.", "loadbalancer.serverstransport", "loadbalancer.passhostheader")
OF_GATE = re.compile(rf"traefik\.http\.(?:routers|services|middlewares)\.{MARK}[0-9a-f]+(?:-[a-z]+)?\.")
ASK = re.compile(rf"traefik\.http\.routers\.{MARK}([0-9a-f]+)\.rule")
TWIN = re.compile(rf"traefik\.http\.routers\.{MARK}([0-9a-f]+-[a-z])\.rule")
NAME = re.compile(r"\bHost\(\s*[`\"']([A-Za-z0-9.-]+)[`\"']")
PATH = re.compile(r"\bPath(?:Prefix)?\(\s*[`\"'](/[A-Za-z0-9._~/-]*)[`\"']")
BALANCING = re.compile(r"loadbalancer\.")
CHECK = "loadbalancer.healthcheck."
PLAIN_CHECK = {f"{CHECK}{field}" for field in ("path", "interval", "unhealthyinterval", "timeout", "status")}
"""A health check of these alone is a request that can be sent like any other."""
PLAIN_PATH = re.compile(r"/[A-Za-z0-9._~/-]*")
TOKEN = re.compile("[0-9a-f]{32}")
SERVER_PORT = "loadbalancer.server.port"
MATTERS = ("loadbalancer.server.", "loadbalancer.serverstransport", "loadbalancer.healthcheck.")
"""Fields of a service that decide whether a request arrives."""
ENTRY_POINT = re.compile(r"--entrypoints\.([^.=]+)\.([^=]+?)(?:=(.*))?", re.IGNORECASE)
PORT = re.compile(r"(.*):(\d{1,5})(?:/tcp)?")
IP = re.compile(r"\d{1,3}(?:\.\d{1,3}){3}|\[[0-9A-Fa-f:.]+\]")
ANY = ("0.0.0.0", "[::]")  # noqa: S104 - as written for the proxy


@dataclass(frozen=True, kw_only=True)
class Door:
    """Where the proxy listens for a router."""

    port: int  # of the entry point, inside the proxy's container
    scheme: str
    # whether the entry point itself may answer (a redirect, middlewares of its own), so that an answer without our
    # header says nothing
    is_guarded: bool = False
    address: str = ""  # that it listens on, if not on all; the host's where the proxy is on its network


@dataclass(frozen=True, kw_only=True)
class Gate:
    """What is asked of the proxy about one container."""

    container: str
    routers: tuple[str, ...] = ()  # its own routers
    rules: tuple[str, ...] = ()  # theirs, for a message
    ask: str = ""  # the end of the path to ask for; empty for a container without such a router (Kamal made it)
    answer: str = ""  # what the header of the answer holds
    server_name: str = ""  # a name of its rules, for TLS and the ``Host`` header; empty if there is none
    own_path: str = ""  # one that its own router leads to, as far as its rules tell; empty if they do not
    doors: tuple[Door, ...] = ()  # where to ask; none if nothing is known of them
    is_in_use: bool = False  # whether its routers and middlewares are those of a container that runs already
    twins: tuple[str, ...] = ()  # the ends of the paths that its routers' twins take
    unasked: tuple[str, ...] = ()  # its routers that have no twin: another entry point or TLS than the first
    check: str = ""  # ``STATUS:PATH`` or ``ok:PATH`` of the proxy's own health check; empty if it cannot be sent


class _Routing:
    """What a container's labels define over HTTP."""

    def __init__(self, labels: Mapping[str, str]) -> None:
        http = [(each, fields) for each, fields in elements(labels).items() if each.protocol == "http"]
        self.routers = {each.name: fields for each, fields in http if each.kind == "routers"}
        self.ruled = {router: fields for router, fields in self.routers.items() if "rule" in fields}
        services = {each.name: fields for each, fields in http if each.kind == "services"}
        self.services = {name: fields for name, fields in services.items() if any(map(BALANCING.match, fields))}
        # The one that Traefik would take for a router that names none; empty if there is none or more than one.
        self.service = next(iter(self.services)) if len(self.services) == 1 else ""
        named = (fields["service"] for fields in self.routers.values() if "service" in fields)
        self.used_service = next(named, "").removesuffix("@docker") or self.service

    @property
    def twinned(self) -> list[str]:
        """The routers that get a twin, in the order of their letters."""
        first = next(iter(self.ruled.values()), {})
        return [router for router, own in self.ruled.items() if _doorway(own) == _doorway(first)]

    @property
    def check(self) -> str:
        """What the proxy asks a container itself, and takes it out of service for; see :attr:`Gate.check`."""
        own = self.services.get(self.used_service, {})
        path, status = own.get(f"{CHECK}path", ""), own.get(f"{CHECK}status", "0")
        is_plain = all(field in PLAIN_CHECK for field in own if field.startswith(CHECK))
        if not is_plain or not PLAIN_PATH.fullmatch(path) or not re.fullmatch(r"0|[1-5]\d\d", status):
            return ""
        return f"{'ok' if status == '0' else status}:{path}"


def _doorway(fields: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in fields.items() if name == "entrypoints" or name.partition(".")[0] == "tls"}


def _is_secure(fields: Mapping[str, str]) -> bool:
    return fields.get("tls", "").lower() == "true" or any(field.startswith("tls.") for field in fields)


def gate_labels(container: AppContainer) -> tuple[tuple[str, str], ...]:
    """The labels that a new container gets besides its own, so that the proxy can be asked about it; often different.

    Besides those of the question itself its other routers name their service, which Traefik does by itself only where
    a container has a single one. What they name is the same, so that containers without these labels go with them.
    """
    own = _Routing(_all_labels(container))
    if not own.ruled or names_in_options(container.options, "label") is None:
        return ()
    # Known only to who can see this run's containers.
    token = hashlib.sha256(f"{container.cord}|{container.hostname}|{container.name}".encode()).hexdigest()
    name, answer, prefix = f"{MARK}{token[:32]}", token[32:], "traefik.http"
    router, service = f"{prefix}.routers.{name}", f"{prefix}.services.{name}"
    unnamed = [each for each, fields in own.routers.items() if "service" not in fields]
    check, probed = own.check.partition(":")[2], container.probe_path.partition("?")[0]
    reached = own.services.get(own.used_service, {}).items()  # how the container's own service reaches it
    copied = [(f"{service}.{field}", value) for field, value in reached if field.startswith(COPIED)]
    return (
        *((f"{prefix}.routers.{each}.service", own.service) for each in unnamed if own.service),
        (f"{router}.rule", f"Path(`/{name}`)"),
        (f"{router}.priority", str(PRIORITY)),
        (f"{router}.service", name),
        *_entrance(next(iter(own.ruled.values())), router),
        (f"{router}.middlewares", f"{name}-seen,{name}-path"),
        (f"{prefix}.middlewares.{name}-seen.headers.customresponseheaders.{ANSWER_HEADER}", answer),
        (f"{prefix}.middlewares.{name}-path.replacepath.path", f"/{(check or probed).lstrip('/')}"),
        *(copied or [(f"{service}.loadbalancer.server.scheme", "http")]),
        *([(f"{service}.loadbalancer.passhostheader", "false")] if check else []),
        *_twins(own, name),
    )


def _all_labels(container: AppContainer) -> dict[str, str]:
    """Also those among the role's options."""
    texts = as_items(dict(container.options).get("label", ()))
    extra = (str(text).partition("=") for text in texts if text)
    return {**{name: value for name, _, value in extra}, **dict(container.labels)}


def _entrance(fields: Mapping[str, str], prefix: str) -> Iterator[tuple[str, str]]:
    """The entry points of a router, and TLS if it has it; no certificate is asked for."""
    if points := fields.get("entrypoints"):
        yield f"{prefix}.entrypoints", points
    if _is_secure(fields):
        yield f"{prefix}.tls", "true"


def _twins(routing: _Routing, name: str) -> Iterator[tuple[str, str]]:
    """Those of the first router, and of others at the same entrance: so no other TLS options come to a host's name."""
    for letter, own in zip(ascii_lowercase, map(routing.ruled.__getitem__, routing.twinned), strict=False):
        prefix, path = f"traefik.http.routers.{name}-{letter}", f"Path(`/{name}-{letter}`)"
        yield f"{prefix}.rule", f"{path} || ({path} && ({own['rule']}))"
        yield f"{prefix}.priority", str(PRIORITY)
        # A service that is not the container's has to be there; its own would be built for the twin's sake.
        named = own.get("service", "")
        if named and named.removesuffix("@docker") not in routing.services:
            yield f"{prefix}.service", named
        elif named or len(routing.services) <= 1:
            yield f"{prefix}.service", name
        yield from _entrance(own, prefix)
        yield from ((f"{prefix}.{field}", own[field]) for field in ("rulesyntax", "tls.options") if field in own)
        names = (f"{name}-seen", f"{name}-path", own.get("middlewares", ""))
        yield f"{prefix}.middlewares", ",".join(filter(None, names))


def gate_of(container: AppContainer, command: Sequence[str]) -> Gate:
    """What to ask about a container that is started with :func:`gate_labels`."""
    return observed_gate(container.name, {**_all_labels(container), **dict(gate_labels(container))}, command)


def observed_gate(name: str, labels: Mapping[str, str], command: Sequence[str]) -> Gate:
    """What to ask about a container that runs, from its labels; they may be somebody else's."""
    found = [match for label in labels if (match := ASK.fullmatch(label)) and TOKEN.fullmatch(match[1])]
    ask, own = found[0][1] if len(found) == 1 else "", _Routing(without_gate(labels))
    of_answer = f"traefik.http.middlewares.{MARK}{ask}"
    answer = labels.get(f"{of_answer}-seen.headers.customresponseheaders.{ANSWER_HEADER}", "")
    twins = tuple(match[1] for label in labels if (match := TWIN.fullmatch(label)) and match[1][:-2] == ask)
    rules = tuple(fields["rule"] for fields in own.ruled.values())
    gate = Gate(
        container=name,
        routers=tuple(own.routers),
        rules=rules,
        server_name=next((match[1] for rule in rules if (match := NAME.search(rule))), ""),
        own_path=_own_path(rules, labels.get(f"{of_answer}-path.replacepath.path", "/")),
        twins=twins,
    )
    if not ask or not TOKEN.fullmatch(answer):
        return gate
    doors = _doors(_Routing(labels).routers.get(f"{MARK}{ask}", {}), command)
    unasked = tuple(router for router in own.ruled if router not in own.twinned[: len(twins)])
    return replace(gate, ask=ask, answer=answer, doors=doors, unasked=unasked, check=own.check)


def _own_path(rules: Sequence[str], probe_path: str) -> str:
    """What the first rule names, or the path of the health check where that is all paths."""
    found = PATH.search(rules[0]) if rules else None
    path = probe_path if found is None or found[1] == "/" else found[1]
    return path if PLAIN_PATH.fullmatch(path) else ""


def without_gate(labels: Mapping[str, str]) -> dict[str, str]:
    """Labels without those of :func:`gate_labels`."""
    own = {label: value for label, value in labels.items() if not OF_GATE.match(label)}
    named = (_Routing(own).service if len(own) < len(labels) else "") or None
    return {label: value for label, value in own.items() if value != named or not ROUTER_SERVICE.fullmatch(label)}


def has_routers(labels: Mapping[str, str]) -> bool:
    """Whether a container asks the proxy to route to it."""
    return bool(_Routing(labels).ruled)


def _doors(router: Mapping[str, str], command: Sequence[str]) -> tuple[Door, ...]:
    """The entry points of a router; without any in its arguments Traefik listens on port 80."""
    points: dict[str, dict[str, str]] = {}
    for found in filter(None, map(ENTRY_POINT.fullmatch, command)):
        points.setdefault(found[1].lower(), {})[found[2].lower()] = found[3] or ""
    is_secure = _is_secure(router)
    if not points:
        return (Door(port=80, scheme="https" if is_secure else "http"),)
    wanted = {each.strip().lower() for each in router.get("entrypoints", "").split(",")}
    chosen = [settings for name, settings in points.items() if name in wanted] or points.values()
    doors = dict.fromkeys(filter(None, (_door(each, is_secure=is_secure) for each in chosen)))
    return tuple(sorted(doors, key=lambda door: door.is_guarded))


def _door(settings: Mapping[str, str], *, is_secure: bool) -> Door | None:
    found = PORT.fullmatch(settings.get("address", ""))
    if found is None or int(found[2]) > 65535:
        return None
    has_tls = is_secure or any(key == "http.tls" or key.startswith("http.tls.") for key in settings)
    return Door(
        port=int(found[2]),
        address=found[1] if IP.fullmatch(found[1]) and found[1] not in ANY else "",
        scheme="https" if has_tls else "http",
        is_guarded=any(key.startswith(("http.redirections", "http.middlewares")) for key in settings),
    )


def new_reach(container: AppContainer, running: Iterable[ObservedContainer]) -> tuple[str | None, str]:
    """How the proxy would reach a new container otherwise than those of its role that run, in any state of health.

    Returns:
        The port on which the app has to listen before it may become healthy, empty for the lowest that its image
        exposes, as Traefik takes it, ``None`` if there is nothing to check; and what is only tried when requests may
        go there already, empty if there is no such thing.
    """
    ours = identity(dict(container.labels))
    shown = [each for each in running if not is_hidden(each.labels) and identity(each.labels) == ours]
    known = [service for each in shown for service in _routed_services(each.labels, each.name)]
    new = [each for each in _routed_services(dict(container.labels), container.name) if each not in known]
    if not known or not new:
        return None, ""
    others = sorted({field for service in new for field in _differing(service, known)} - {SERVER_PORT})
    ports = {service.get(SERVER_PORT, "") for service in new} - {service.get(SERVER_PORT, "") for service in known}
    is_tried = len(ports) <= 1 and (container.cord is not None or not ports)
    port = min(ports) if ports and container.cord is not None else None
    return port, ", ".join(others if is_tried else [*others, SERVER_PORT])


def _differing(service: Mapping[str, str], known: Sequence[Mapping[str, str]]) -> set[str]:
    """The fields in which it is not like the one of those that it is most like."""
    different = ({name for name in {*service, *each} if service.get(name) != each.get(name)} for each in known)
    return min(different, key=lambda fields: (len(fields - {SERVER_PORT}), len(fields)), default=set(service))


def _routed_services(labels: Mapping[str, str], container: str) -> list[dict[str, str]]:
    """What the services of a container's routers say of the way to it."""
    defined = definitions(usual_labels(without_gate(labels)), container)
    routers = (fields for each, fields in defined.items() if each[:2] == ("http", "routers"))
    return [dict(_way(name, container, defined)) for name in dict.fromkeys(each["service"] for each in routers)]


def _way(reference: str, container: str, defined: Mapping[Element, Mapping[str, str]]) -> Iterable[tuple[str, str]]:
    service = defined.get(Element("http", "services", local_name(reference)))
    if service is None and reference != container:
        yield "service", reference
    yield from (each for each in (service or {}).items() if each[0].startswith(MATTERS))
    named = local_name((service or {}).get("loadbalancer.serverstransport", ""))
    transport = Element("http", "serverstransports", named)
    yield from ((f"serverstransport.{field}", value) for field, value in defined.get(transport, {}).items())
