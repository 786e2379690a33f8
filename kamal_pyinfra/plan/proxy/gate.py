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
from dataclasses import dataclass
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
CHECK = "loadbalancer.healthcheck."
PLAIN_CHECK = {f"{CHECK}{field}" for field in ("path", "interval", "unhealthyinterval", "timeout", "status")}
"""A health check of these alone is a request that can be sent like any other."""
PLAIN_PATH = re.compile(r"/[A-Za-z0-9._~/-]*")
TOKEN = re.compile("[0-9a-f]{32}")
SERVER_PORT = "loadbalancer.server.port"
MATTERS = ("loadbalancer.server.", "loadbalancer.serverstransport", "loadbalancer.healthcheck.")
"""Fields of a service that decide whether a request arrives."""


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


def gate_labels(container: AppContainer) -> tuple[tuple[str, str], ...]:
    """The labels that a new container gets besides its own, so that the proxy can be asked about it; often different.

    Besides those of the question itself its other routers name their service, which Traefik does by itself only where
    a container has a single one. What they name is the same, so that containers without these labels go with them.
    """
    labels = _all_labels(container)
    ruled = _ruled(labels)
    if not ruled or names_in_options(container.options, "label") is None:
        return ()
    # Known only to who can see this run's containers.
    token = hashlib.sha256(f"{container.cord}|{container.hostname}|{container.name}".encode()).hexdigest()
    name, answer, prefix = f"{MARK}{token[:32]}", token[32:], "traefik.http"
    service = _service(labels)
    unnamed = [router for router, fields in _defined(labels, "routers").items() if "service" not in fields]
    check = _check(labels).partition(":")[2]
    path = (check or container.probe_path.partition("?")[0]).lstrip("/")
    return (
        *((f"{prefix}.routers.{router}.service", service) for router in unnamed if service),
        (f"{prefix}.routers.{name}.rule", f"Path(`/{name}`)"),
        (f"{prefix}.routers.{name}.priority", str(PRIORITY)),
        (f"{prefix}.routers.{name}.service", name),
        *_entrance(next(iter(ruled.values())), f"{prefix}.routers.{name}"),
        (f"{prefix}.routers.{name}.middlewares", f"{name}-seen,{name}-path"),
        (f"{prefix}.middlewares.{name}-seen.headers.customresponseheaders.{ANSWER_HEADER}", answer),
        (f"{prefix}.middlewares.{name}-path.replacepath.path", f"/{path}"),
        *_copied(labels, _used_service(labels) or service, f"{prefix}.services.{name}"),
        *([(f"{prefix}.services.{name}.loadbalancer.passhostheader", "false")] if check else []),
        *_twins(labels, name),
    )


def gate_of(container: AppContainer, command: Sequence[str]) -> Gate:
    """What to ask about a container that is started with :func:`gate_labels`."""
    return observed_gate(container.name, {**_all_labels(container), **dict(gate_labels(container))}, command)


def observed_gate(name: str, labels: Mapping[str, str], command: Sequence[str]) -> Gate:
    """What to ask about a container that runs, from its labels; they may be somebody else's."""
    own = without_gate(labels)
    found = [match for label in labels if (match := ASK.fullmatch(label)) and TOKEN.fullmatch(match[1])]
    ask = found[0][1] if len(found) == 1 else ""
    answer = labels.get(f"traefik.http.middlewares.{MARK}{ask}-seen.headers.customresponseheaders.{ANSWER_HEADER}", "")
    is_asked = bool(ask) and TOKEN.fullmatch(answer) is not None
    twins = tuple(match[1] for label in labels if (match := TWIN.fullmatch(label)) and match[1][:-2] == ask)
    ruled = _ruled(own)
    rules = tuple(fields["rule"] for fields in ruled.values())
    names = [match[1] for rule in rules if (match := NAME.search(rule))]
    return Gate(
        container=name,
        routers=tuple(_defined(own, "routers")),
        rules=rules,
        ask=ask if is_asked else "",
        answer=answer if is_asked else "",
        server_name=names[0] if names else "",
        own_path=_own_path(rules, labels.get(f"traefik.http.middlewares.{MARK}{ask}-path.replacepath.path", "/")),
        doors=_doors(labels, f"{MARK}{ask}", command) if is_asked else (),
        twins=twins,
        unasked=tuple(router for router in ruled if router not in _twinned(ruled)[: len(twins)]) if is_asked else (),
        check=_check(own) if is_asked else "",
    )


def _own_path(rules: Sequence[str], probe_path: str) -> str:
    """What the first rule names, or the path of the health check where that is all paths."""
    found = PATH.search(rules[0]) if rules else None
    path = probe_path if found is None or found[1] == "/" else found[1]
    return path if PLAIN_PATH.fullmatch(path) else ""


def _check(labels: Mapping[str, str]) -> str:
    """What the proxy asks a container itself, and takes it out of service for; see :attr:`Gate.check`."""
    own = _services(labels).get(_used_service(labels) or _service(labels), {})
    path, status = own.get(f"{CHECK}path", ""), own.get(f"{CHECK}status", "0")
    is_plain = all(field in PLAIN_CHECK for field in own if field.startswith(CHECK))
    if not is_plain or not PLAIN_PATH.fullmatch(path) or not re.fullmatch(r"0|[1-5]\d\d", status):
        return ""
    return f"{'ok' if status == '0' else status}:{path}"


def without_gate(labels: Mapping[str, str]) -> dict[str, str]:
    """Labels without those of :func:`gate_labels`."""
    if not any(OF_GATE.match(label) for label in labels):
        return dict(labels)
    own = {label: value for label, value in labels.items() if not OF_GATE.match(label)}
    named = _service(own) or None
    return {label: value for label, value in own.items() if value != named or not ROUTER_SERVICE.fullmatch(label)}


def has_routers(labels: Mapping[str, str]) -> bool:
    """Whether a container asks the proxy to route to it."""
    return bool(_ruled(labels))


def _all_labels(container: AppContainer) -> dict[str, str]:
    """Also those among the role's options."""
    texts = as_items(dict(container.options).get("label", ()))
    extra = (str(text).partition("=") for text in texts if text)
    return {**{name: value for name, _, value in extra}, **dict(container.labels)}


def _defined(labels: Mapping[str, str], kind: str) -> dict[str, dict[str, str]]:
    found = elements(labels).items()
    return {each.name: fields for each, fields in found if (each.protocol, each.kind) == ("http", kind)}


def _ruled(labels: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """The fields of each router that has a rule."""
    return {router: fields for router, fields in _defined(labels, "routers").items() if "rule" in fields}


def _services(labels: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """The fields of each service that balances load."""
    services = _defined(labels, "services").items()
    return {name: fields for name, fields in services if any(field.startswith("loadbalancer.") for field in fields)}


def _service(labels: Mapping[str, str]) -> str:
    """The one service that Traefik would take for a router that names none; empty if there is none or more than one."""
    names = list(_services(labels))
    return names[0] if len(names) == 1 else ""


def _used_service(labels: Mapping[str, str]) -> str:
    """The service that the first router names; empty if it names none."""
    named = (fields["service"] for fields in _defined(labels, "routers").values() if "service" in fields)
    return next(named, "").removesuffix("@docker")


def _entrance(fields: Mapping[str, str], prefix: str) -> Iterator[tuple[str, str]]:
    """The entry points of a router, and TLS if it has it; no certificate is asked for."""
    if points := fields.get("entrypoints"):
        yield f"{prefix}.entrypoints", points
    if _is_secure(fields):
        yield f"{prefix}.tls", "true"


def _twins(labels: Mapping[str, str], name: str) -> Iterator[tuple[str, str]]:
    """Those of the first router, and of others at the same entrance: so no other TLS options come to a host's name."""
    ruled = _ruled(labels)
    for letter, own in zip(ascii_lowercase, (ruled[router] for router in _twinned(ruled)), strict=False):
        prefix, path = f"traefik.http.routers.{name}-{letter}", f"Path(`/{name}-{letter}`)"
        yield f"{prefix}.rule", f"{path} || ({path} && ({own['rule']}))"
        yield f"{prefix}.priority", str(PRIORITY)
        # A service that is not the container's has to be there; its own would be built for the twin's sake.
        named, services = own.get("service", ""), _services(labels)
        if named and named.removesuffix("@docker") not in services:
            yield f"{prefix}.service", named
        elif named or len(services) <= 1:
            yield f"{prefix}.service", name
        yield from _entrance(own, prefix)
        yield from ((f"{prefix}.{field}", own[field]) for field in ("rulesyntax", "tls.options") if field in own)
        names = (f"{name}-seen", f"{name}-path", own.get("middlewares", ""))
        yield f"{prefix}.middlewares", ",".join(filter(None, names))


def _twinned(ruled: Mapping[str, Mapping[str, str]]) -> list[str]:
    """The routers that get a twin, in the order of their letters."""
    first = next(iter(ruled.values()), {})
    return [router for router, own in ruled.items() if _doorway(own) == _doorway(first)]


def _doorway(fields: Mapping[str, str]) -> dict[str, str]:
    return {
        field: value for field, value in fields.items() if field == "entrypoints" or field.partition(".")[0] == "tls"
    }


def _is_secure(fields: Mapping[str, str]) -> bool:
    return fields.get("tls", "").lower() == "true" or any(field.startswith("tls.") for field in fields)


def _copied(labels: Mapping[str, str], service: str, prefix: str) -> tuple[tuple[str, str], ...]:
    """How the container's own service reaches it."""
    fields = _services(labels).get(service, {})
    copied = tuple((f"{prefix}.{field}", value) for field, value in fields.items() if field.startswith(COPIED))
    return copied or ((f"{prefix}.loadbalancer.server.scheme", "http"),)


ENTRY_POINT = re.compile(r"--entrypoints\.([^.=]+)\.([^=]+?)(?:=(.*))?", re.IGNORECASE)
PORT = re.compile(r"(.*):(\d{1,5})(?:/tcp)?")
IP = re.compile(r"\d{1,3}(?:\.\d{1,3}){3}|\[[0-9A-Fa-f:.]+\]")
ANY = ("0.0.0.0", "[::]")  # noqa: S104 - as written for the proxy


def _doors(labels: Mapping[str, str], router: str, command: Sequence[str]) -> tuple[Door, ...]:
    """The entry points of a router; without any in its arguments Traefik listens on port 80."""
    points: dict[str, dict[str, str]] = {}
    for argument in command:
        if found := ENTRY_POINT.fullmatch(argument):
            points.setdefault(found[1].lower(), {})[found[2].lower()] = found[3] or ""
    fields = _defined(labels, "routers").get(router, {})
    wanted = {each.strip().lower() for each in fields.get("entrypoints", "").split(",")} - {""}
    chosen = [settings for name, settings in points.items() if name in wanted] or list(points.values())
    doors = dict.fromkeys(door for each in chosen if (door := _door(each, is_secure=_is_secure(fields))))
    if not points:
        return (Door(port=80, scheme="https" if _is_secure(fields) else "http"),)
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


@dataclass(frozen=True, kw_only=True)
class Reach:
    """What is new about the way from the proxy to a container."""

    # on which the app has to listen before it may become healthy; empty for the lowest that its image exposes, as
    # Traefik takes it; ``None`` if there is nothing to check
    port: str | None = None
    untried: str = ""  # what is only tried when requests may go there already; empty if there is no such thing


def new_reach(container: AppContainer, running: Iterable[ObservedContainer]) -> Reach:
    """How the proxy would reach a new container otherwise than those of its role that serve; the first such service.

    The new one has the configuration's names; the others are all that run on the host, in any state of health.
    """
    ours = identity(dict(container.labels))
    shown = [each for each in running if not is_hidden(each.labels) and identity(each.labels) == ours]
    before = [services for each in shown if (services := _routed_services(each.labels, each.name))]
    wanted = _routed_services(dict(container.labels), container.name)
    known = [service for services in before for service in services.values()]
    new = [service for service in wanted.values() if service not in known] if before else []
    if not new:
        return Reach()
    others = sorted({field for service in new for field in _differing(service, known)} - {SERVER_PORT})
    ports = {service.get(SERVER_PORT, "") for service in new} - {service.get(SERVER_PORT, "") for service in known}
    port = next(iter(sorted(ports)), None)
    is_tried = len(ports) <= 1 and (container.cord is not None or not ports)
    untried = ", ".join(others if is_tried else [*others, SERVER_PORT])
    return Reach(port=port if container.cord is not None else None, untried=untried)


def _differing(service: Mapping[str, str], known: Sequence[Mapping[str, str]]) -> set[str]:
    """The fields in which it is not like the one of those that it is most like."""
    different = ({name for name in {*service, *each} if service.get(name) != each.get(name)} for each in known)
    return min(different, key=lambda fields: (len(fields - {SERVER_PORT}), len(fields)), default=set(service))


def _routed_services(labels: Mapping[str, str], container: str) -> dict[str, dict[str, str]]:
    """What the services of a container's routers say of the way to it."""
    defined = definitions(usual_labels(without_gate(labels)), container)
    names = (fields["service"] for each, fields in defined.items() if (each.protocol, each.kind) == ("http", "routers"))
    return {name: dict(_way(name, container, defined)) for name in names}


def _way(reference: str, container: str, defined: Mapping[Element, Mapping[str, str]]) -> Iterable[tuple[str, str]]:
    service = defined.get(Element("http", "services", local_name(reference)))
    if service is None and reference != container:
        yield "service", reference
    for field, value in (service or {}).items():
        if field.startswith(MATTERS):
            yield field, value
    named = local_name((service or {}).get("loadbalancer.serverstransport", ""))
    transport = Element("http", "serverstransports", named)
    yield from ((f"serverstransport.{field}", value) for field, value in defined.get(transport, {}).items())
