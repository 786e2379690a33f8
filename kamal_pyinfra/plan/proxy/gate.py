"""The question whether the proxy routes to a container: a router beside the container's own that only we ask for.

A new container gets a second router for a path that nobody else knows, with a service of its own. What comes back
through it has a header with a second secret, which Traefik adds: so an answer is proven to have come through that
router to that container, whatever a neighbour or the app itself answers at that path. The rule ``Path`` is spelled
alike in Traefik 2 and 3 (``Header`` is not), and the app is asked for its health check's path. The names hold what
changes from run to run; so these labels are no part of the digest, and no drift.

That a container is reached does not prove its own routers. So each has a twin for a path of its own, with the same
rule behind an ``||``, the same middlewares and the same service where that is somebody else's: Traefik takes the one
if it takes the other.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from string import ascii_lowercase

from kamal_pyinfra.plan.docker_values import as_items, names_in_options
from kamal_pyinfra.plan.state.desired import AppContainer

MARK = "kp-gate-"
"""Begins the name of the router, the service and the middlewares of the question."""
ANSWER_HEADER = "X-Kp-Gate"
PRIORITY = 1_000_000_000
"""Above any rule of a sensible length; Traefik keeps the numbers above 2147482647 to itself."""
ROUTER = re.compile(r"traefik\.http\.routers\.([^.]+)\.(.+)", re.IGNORECASE)
SERVICE = re.compile(r"traefik\.http\.services\.([^.]+)\.(loadbalancer\..+)", re.IGNORECASE)
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


@dataclass(frozen=True, kw_only=True)
class Door:
    """Where the proxy listens for a router."""

    port: int  # of the entry point, inside the proxy's container
    scheme: str
    # whether the entry point itself may answer (a redirect, middlewares of its own), so that an answer without our
    # header says nothing
    is_guarded: bool = False
    # the one that it listens on, if it is not all of them; of the host where the proxy is on its network
    address: str = ""


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
    # whether its routers and middlewares are, word for word, those of a container that runs already
    is_in_use: bool = False
    twins: tuple[str, ...] = ()  # the ends of the paths that its routers' twins take
    unasked: tuple[str, ...] = ()  # its routers that have no twin: another entry point or TLS than the first
    # ``STATUS:PATH`` of the proxy's own health check, or ``ok:PATH``; empty if it has none that can be sent
    check: str = ""


def gate_labels(container: AppContainer) -> tuple[tuple[str, str], ...]:
    """The labels that a new container gets besides its own, so that the proxy can be asked about it; often different.

    Besides those of the question itself its other routers name their service, which Traefik does by itself only where
    a container has a single one. What they name is the same, so that containers without these labels go with them.
    """
    labels = _all_labels(container)
    if not has_routers(labels) or names_in_options(container.options, "label") is None:
        return ()
    # Known only to who can see this run's containers.
    token = hashlib.sha256(f"{container.cord}|{container.hostname}|{container.name}".encode()).hexdigest()
    ask, answer = token[:32], token[32:]
    name, prefix = f"{MARK}{ask}", "traefik.http"
    service = _service(labels)
    check = _check(labels).partition(":")[2]
    path = (check or container.probe_path.partition("?")[0]).lstrip("/")
    return (
        *_named_services(labels, service),
        (f"{prefix}.routers.{name}.rule", f"Path(`/{name}`)"),
        (f"{prefix}.routers.{name}.priority", str(PRIORITY)),
        (f"{prefix}.routers.{name}.service", name),
        *_entrance(labels, f"{prefix}.routers.{name}"),
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
    rules = tuple(value for _, field, value in _router_fields(own) if field == "rule")
    names = [match[1] for rule in rules if (match := NAME.search(rule))]
    return Gate(
        container=name,
        routers=tuple(dict.fromkeys(router for router, _, _ in _router_fields(own))),
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
    path = probe_path if found and found[1] == "/" else found[1] if found else probe_path
    return path if PLAIN_PATH.fullmatch(path) else ""


def _check(labels: Mapping[str, str]) -> str:
    """What the proxy asks a container itself, and takes it out of service for; see :attr:`Gate.check`."""
    service = _used_service(labels) or _service(labels)
    own = {
        found[2].lower(): value
        for label, value in labels.items()
        if (found := SERVICE.fullmatch(label)) and found[1] == service
    }
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
    service = _service(own)
    return {
        label: value
        for label, value in own.items()
        if not (service and value == service and (found := ROUTER.fullmatch(label)) and found[2].lower() == "service")
    }


def has_routers(labels: Mapping[str, str]) -> bool:
    """Whether a container asks the proxy to route to it."""
    return any(field == "rule" for _, field, _ in _router_fields(labels))


def _all_labels(container: AppContainer) -> dict[str, str]:
    """Also those among the role's options."""
    texts = as_items(dict(container.options).get("label", ()))
    extra = (str(text).partition("=") for text in texts if text)
    return {**{name: value for name, _, value in extra}, **dict(container.labels)}


def _router_fields(labels: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    for label, value in labels.items():
        if found := ROUTER.fullmatch(label):
            yield found[1], found[2].lower(), value


def _service(labels: Mapping[str, str]) -> str:
    """The one service that Traefik would take for a router that names none; empty if there is none or more than one."""
    names = {found[1] for label in labels if (found := SERVICE.fullmatch(label))}
    return next(iter(names)) if len(names) == 1 else ""


def _named_services(labels: Mapping[str, str], service: str) -> Iterator[tuple[str, str]]:
    fields = list(_router_fields(labels))
    named = {router for router, field, _ in fields if field == "service"}
    for router in dict.fromkeys(router for router, _, _ in fields):
        if service and router not in named:
            yield f"traefik.http.routers.{router}.service", service


def _entrance(labels: Mapping[str, str], prefix: str) -> Iterator[tuple[str, str]]:
    """The entry points of the first router, and TLS if it has it; no certificate is asked for."""
    fields = list(_router_fields(labels))
    router = next((router for router, field, _ in fields if field == "rule"), "")
    own = {field: value for name, field, value in fields if name == router}
    if points := own.get("entrypoints"):
        yield f"{prefix}.entrypoints", points
    if _is_secure(own):
        yield f"{prefix}.tls", "true"


def _twins(labels: Mapping[str, str], name: str) -> Iterator[tuple[str, str]]:
    """Those of the first router, and of others at the same entrance: so no other TLS options come to a host's name."""
    ruled = _ruled(labels)
    for letter, own in zip(ascii_lowercase, (ruled[router] for router in _twinned(ruled)), strict=False):
        prefix, path = f"traefik.http.routers.{name}-{letter}", f"Path(`/{name}-{letter}`)"
        yield f"{prefix}.rule", f"{path} || ({path} && ({own['rule']}))"
        yield f"{prefix}.priority", str(PRIORITY)
        yield from _service_of_twin(labels, own, name, prefix)
        yield from _entrance(labels, prefix)
        yield from ((f"{prefix}.{field}", own[field]) for field in ("rulesyntax", "tls.options") if field in own)
        names = (f"{name}-seen", f"{name}-path", own.get("middlewares", ""))
        yield f"{prefix}.middlewares", ",".join(filter(None, names))


def _ruled(labels: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """The fields of each router that has a rule."""
    routers: dict[str, dict[str, str]] = {}
    for router, field, value in _router_fields(labels):
        routers.setdefault(router, {})[field] = value
    return {router: own for router, own in routers.items() if "rule" in own}


def _twinned(ruled: Mapping[str, Mapping[str, str]]) -> list[str]:
    """The routers that get a twin, in the order of their letters."""
    first = next(iter(ruled.values()), {})
    return [router for router, own in ruled.items() if _doorway(own) == _doorway(first)]


def _doorway(fields: Mapping[str, str]) -> dict[str, str]:
    return {
        field: value for field, value in fields.items() if field == "entrypoints" or field.partition(".")[0] == "tls"
    }


def _service_of_twin(
    labels: Mapping[str, str], own: Mapping[str, str], name: str, prefix: str
) -> Iterator[tuple[str, str]]:
    """One that is not the container's has to be there; its own would be said to be built for the twin's sake."""
    services = {found[1] for label in labels if (found := SERVICE.fullmatch(label))}
    named = own.get("service", "")
    if named and named.removesuffix("@docker") not in services:
        yield f"{prefix}.service", named
    elif named or len(services) <= 1:
        yield f"{prefix}.service", name


def _used_service(labels: Mapping[str, str]) -> str:
    """The service that the first router names; empty if it names none."""
    named = (value for _, field, value in _router_fields(labels) if field == "service")
    return next(named, "").removesuffix("@docker")


def _is_secure(fields: Mapping[str, str]) -> bool:
    return fields.get("tls", "").lower() == "true" or any(field.startswith("tls.") for field in fields)


def _copied(labels: Mapping[str, str], service: str, prefix: str) -> tuple[tuple[str, str], ...]:
    """How the container's own service reaches it."""
    return tuple(
        (f"{prefix}.{found[2]}", value)
        for label, value in labels.items()
        if (found := SERVICE.fullmatch(label)) and found[1] == service and found[2].lower().startswith(COPIED)
    ) or ((f"{prefix}.loadbalancer.server.scheme", "http"),)


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
    fields = {field: value for name, field, value in _router_fields(labels) if name == router}
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
