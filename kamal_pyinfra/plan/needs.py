"""What the configuration asks of each host, for ``kp doctor``."""

from __future__ import annotations

import re
from collections.abc import Iterator

from kamal_pyinfra.config import Config, Server
from kamal_pyinfra.config.sections import Options
from kamal_pyinfra.plan.examined import Needs, Share
from kamal_pyinfra.plan.neighbours import registry_of_image

HUB = "registry-1.docker.io"
UNITS = {"": 1, "b": 1, "k": 1024, "m": 1024**2, "g": 1024**3, "t": 1024**4}
RULE = re.compile(r"traefik\.(?:http|tcp)\.routers\.[^.]+\.rule", re.IGNORECASE)
HOST_RULE = re.compile(r"\bHost(?:SNI)?\(([^)]*)\)")
QUOTED = re.compile(r"[`\"']([^`\"']+)[`\"']")


def needs_of(config: Config, server: Server, address: str = "") -> Needs:
    """What one host should be able to do.

    Args:
        config: the configuration.
        server: the host.
        address: what a person types after ``ssh`` to get there.
    """
    is_proxied = any(role.running_traefik and role.runs_on(server.host) for role in config.roles)
    return Needs(
        host=server.host,
        address=address,
        run_directory=config.run_directory,
        ports=tuple(dict.fromkeys(published_ports(config))) if is_proxied else (),
        registry=_pulls_from(config, server.host),
        shares=tuple(share for share in shares(config, server.host) if share.cpus or share.memory),
    )


def _pulls_from(config: Config, host: str) -> str:
    """The app's registry; without a role on the host, that of its first accessory."""
    accessories = config.accessories_on(host)
    if any(role.runs_on(host) for role in config.roles) or not accessories:
        return registry_host(config)
    return registry_of_image(config.accessories[accessories[0]].image) or HUB


def registry_host(config: Config) -> str:
    """The host that the image is pulled from."""
    return "" if config.registry.is_own else config.registry.server or HUB


def published_ports(config: Config) -> Iterator[int]:
    """The host ports of the proxy: ``host_port``, and what its options publish."""
    traefik = config.traefik
    if traefik.publish:
        yield from host_ports(f"{traefik.host_port}:80")
    for name in ("publish", "p"):
        values = traefik.options.get(name)
        for value in values if isinstance(values, tuple) else (values,):
            yield from host_ports(str(value))


def host_ports(published: str) -> Iterator[int]:
    """The TCP port on the host in ``[IP:]HOST:CONTAINER``."""
    found = re.fullmatch(r"(?:.*:)?(\d{1,5}):\d{1,5}(?:/tcp)?", published, re.ASCII)
    if found:
        yield int(found[1])


def shares(config: Config, host: str) -> Iterator[Share]:
    """The limits of every container that runs on a host."""
    for role in config.roles:
        if role.runs_on(host):
            yield share_of(role.name, role.options)
    for name, accessory in config.accessories.items():
        servers = [*(accessory.hosts or ()), *([accessory.host] if accessory.host else ())]
        by_role = any(config.role(role).runs_on(host) for role in accessory.roles or ())
        if by_role or any(server.host == host for server in servers):
            yield share_of(name, accessory.options)
    if any(role.running_traefik and role.runs_on(host) for role in config.roles):
        yield share_of("traefik", config.traefik.options)


def share_of(container: str, options: Options) -> Share:
    """The limits in options of ``docker run``."""
    return Share(
        container=container,
        cpus=to_cpus(options.get("cpus")),
        memory=to_bytes(options.get("memory", options.get("m"))),
    )


def to_cpus(value: object) -> float:
    """A number of CPUs; nothing for what is none."""
    text = str(value)
    return float(text) if re.fullmatch(r"\d+(\.\d*)?|\.\d+", text, re.ASCII) else 0.0


def to_bytes(value: object) -> int:
    """An amount of memory as Docker reads it; nothing for what is none."""
    found = re.fullmatch(r"(\d+)([bkmgt]?)b?", str(value).lower(), re.ASCII)
    return int(found[1]) * UNITS[found[2]] if found else 0


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
