"""Traefik's words: container, labels, arguments, rules, ports."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from kamal_pyinfra import naming
from kamal_pyinfra.config import Config
from kamal_pyinfra.config.env import join_env
from kamal_pyinfra.plan.docker_values import Options, as_items, log_options
from kamal_pyinfra.plan.proxy.router_names import elements, is_hidden
from kamal_pyinfra.plan.state.desired import EnvFile, Proxy, completed
from kamal_pyinfra.plan.state.observed import ObservedContainer

CATCH_ALL_LABELS = {
    "traefik.http.routers.catchall.entryPoints": "http",
    "traefik.http.routers.catchall.rule": "PathPrefix(`/`)",
    "traefik.http.routers.catchall.service": "unavailable",
    "traefik.http.routers.catchall.priority": "1",
    "traefik.http.services.unavailable.loadbalancer.server.port": "0",
}
"""Without them Traefik answers 404 instead of 502 while no app container is healthy (Kamal 1.9)."""
DOCKER_SOCKET = "/var/run/docker.sock:/var/run/docker.sock"
DEFAULT_ARGS: Options = (("log.level", "DEBUG"),)
NAMES = re.compile(r"\bHost\(([^)]*)\)")
PREFIX = re.compile(r"\bPathPrefix\(`([^`]*)`\)")
QUOTED = re.compile(r"[`\"']([^`\"']+)[`\"']")
RULE = re.compile(r"traefik\.(?:http|tcp)\.routers\.[^.]+\.rule", re.IGNORECASE)
HOST_RULE = re.compile(r"\bHost(?:SNI)?\(([^)]*)\)")
HTTPS_PORT = ":443"
PROMPT_ROUTES = "--providers.providersThrottleDuration=100ms"


def proxy_labels(prefix: str) -> dict[str, str]:
    """What Traefik reads to route to a container (Kamal 1.9)."""
    return {
        f"traefik.http.services.{prefix}.loadbalancer.server.scheme": "http",
        f"traefik.http.routers.{prefix}.rule": "PathPrefix(`/`)",
        f"traefik.http.routers.{prefix}.priority": "2",
        f"traefik.http.middlewares.{prefix}-retry.retry.attempts": "5",
        f"traefik.http.middlewares.{prefix}-retry.retry.initialinterval": "500ms",
        f"traefik.http.routers.{prefix}.middlewares": f"{prefix}-retry@docker",
    }


def proxy_container(config: Config, env_file: EnvFile) -> Proxy:
    """The proxy that ``traefik:`` asks for."""
    traefik = config.traefik
    proxy = Proxy(
        name=naming.PROXY_CONTAINER,
        image=traefik.image,
        publish=f"{traefik.host_port}:80" if traefik.publish else None,
        env_file=env_file.path,
        labels=tuple((CATCH_ALL_LABELS | dict(traefik.labels)).items()),
        volumes=(DOCKER_SOCKET,),
        options=tuple(traefik.options.items()),
        log_options=log_options(config.logging),
        args=tuple((dict(DEFAULT_ARGS) | dict(traefik.args)).items()),
        owner=naming.service_name(config),
    )
    return completed(proxy, config, join_env(config.traefik.env), keeps_secrets=env_file.content is None)


class Route(NamedTuple):
    """What a router takes."""

    protocol: str  # ``http`` or ``tcp``
    rule: str  # as written, without spaces around it
    priority: str  # of several rules that match a request the highest takes it
    entry_points: str = ""  # those that it listens on; empty for all

    @property
    def text(self) -> str:
        """The route in a message."""
        return f"{self.rule} with priority {self.priority}"


def routes_of(labels: Mapping[str, str]) -> frozenset[Route]:
    """The routes of a container; none if it is hidden from the proxy."""
    found = {} if is_hidden(labels) else elements(labels)
    return frozenset(
        _route(each.protocol, fields)
        for each, fields in found.items()
        if each.kind == "routers" and each.protocol in ("http", "tcp") and "rule" in fields
    )


def _route(protocol: str, fields: Mapping[str, str]) -> Route:
    # Traefik takes the length of a rule for its priority unless told otherwise, or told 0.
    rule, priority = fields["rule"].strip(), fields.get("priority", "0").strip()
    points = ",".join(sorted(part.strip() for part in fields.get("entrypoints", "").split(",")))
    priority = str(len(rule)) if priority == "0" else priority
    return Route(protocol=protocol, rule=rule, priority=priority, entry_points=points)


def urls_of_rule(config: Config, labels: Mapping[str, str], router: str, rule: str) -> list[str]:
    """The URLs that a rule of Traefik takes."""
    names = [name for found in NAMES.findall(rule) for name in QUOTED.findall(found)]
    points = [point.strip() for point in labels.get(f"{router}.entrypoints", "").split(",")]
    addresses = (str(config.traefik.args.get(f"entrypoints.{point}.address", "")) for point in points)
    has_tls = any(label.startswith(f"{router}.tls") for label in labels)
    is_secure = has_tls or any(address.endswith(HTTPS_PORT) for address in addresses)
    return [
        f"https://{name}{path}" if is_secure else plain_url(config, name, path)
        for name in names
        for path in paths_of_rule(rule)
    ]


def paths_of_rule(*rules: str) -> list[str]:
    """The path prefixes that rules name, as they end a URL; an empty one if they name none."""
    return ["" if path == "/" else path for rule in rules for path in PREFIX.findall(rule)] or [""]


def plain_url(config: Config, name: str, path: str) -> str:
    """The URL of a host and a path where the proxy listens without TLS."""
    port = str(config.traefik.host_port).rpartition(":")[2]
    return f"http://{name}{'' if port == '80' else f':{port}'}{path}"


def proxy_arguments(proxy: Proxy) -> tuple[str, ...]:
    """Traefik's command line: ``--key=value`` for each argument, bare ``--key`` for ``true``."""
    return ("--providers.docker", *(_argument(key, item) for key, value in proxy.args for item in as_items(value)))


def prompt_arguments(proxy: Proxy) -> tuple[str, ...]:
    """What lets Traefik apply a change of routes at once; its own 2 s between two changes are a deploy's longest wait.

    A proxy without it, as Kamal runs it, is not replaced for that.
    """
    key = PROMPT_ROUTES.partition("=")[0].removeprefix("--").lower()
    return () if key in {given.lower() for given, _ in proxy.args} else (PROMPT_ROUTES,)


def _argument(key: str, value: object) -> str:
    text = "" if value is None else "false" if value is False else str(value)
    return f"--{key}" if value is True else f"--{key}={text}"


def services_behind_proxy(containers: Iterable[ObservedContainer]) -> tuple[str, ...]:
    """Services whose containers the proxy of their host routes to, when they run."""
    shown = (each for each in containers if each.name != naming.PROXY_CONTAINER and not is_hidden(each.labels))
    routed = (each for each in shown if any(label.startswith("traefik.") for label in each.labels))
    return tuple(sorted({each.service_name for each in routed}))


def published_ports(config: Config) -> Iterator[int]:
    """The host ports of the proxy: ``host_port``, and what its options publish."""
    traefik = config.traefik
    own = (f"{traefik.host_port}:80",) if traefik.publish else ()
    others = (value for name in ("publish", "p") for value in as_items(traefik.options.get(name)))
    for value in (*own, *others):
        yield from host_ports(str(value))


def host_ports(published: str) -> Iterator[int]:
    """The TCP port on the host in ``[IP:]HOST:CONTAINER``."""
    found = re.fullmatch(r"(?:.*:)?(\d{1,5}):\d{1,5}(?:/tcp)?", published, re.ASCII)
    if found:
        yield int(found[1])


def host_rules(config: Config) -> dict[str, tuple[str, ...]]:
    """Every name in a ``Host(...)`` rule of a routed role, with the hosts that answer to it."""
    found: dict[str, dict[str, None]] = {}
    for role in config.roles:
        labels = {**config.labels, **role.labels} if role.running_traefik else {}
        rules = (text for label, text in labels.items() if RULE.fullmatch(label))
        for name in (name for rule in rules for names in HOST_RULE.findall(rule) for name in QUOTED.findall(names)):
            found.setdefault(name, {}).update(dict.fromkeys(server.address for server in role.servers))
    return {name: tuple(hosts) for name, hosts in found.items() if name != "*"}


def asks_for_certificates(config: Config) -> bool:
    """Whether the proxy gets certificates by itself."""
    return any(name.lower().startswith("certificatesresolvers.") for name in config.traefik.args)
