"""Where the app can be reached, as the configuration tells it."""

from __future__ import annotations

import re
from collections.abc import Mapping

from kamal_pyinfra.config import Config
from kamal_pyinfra.config.role import Role
from kamal_pyinfra.plan.desired_app import app_labels

NAMES = re.compile(r"\bHost\(([^)]*)\)")
PREFIX = re.compile(r"\bPathPrefix\(`([^`]*)`\)")
QUOTED = re.compile(r"[`\"']([^`\"']+)[`\"']")
HTTPS_PORT = ":443"


def addresses(config: Config) -> tuple[str, ...]:
    """URLs of the roles behind the proxy: the names of their rules, else their hosts."""
    roles = (role for role in config.roles if role.running_traefik)
    return tuple(dict.fromkeys(url for role in roles for url in _of_role(config, role)))


def _of_role(config: Config, role: Role) -> list[str]:
    labels = app_labels(config, role)
    rules = [(name, value) for name, value in labels.items() if ".http.routers." in name and name.endswith(".rule")]
    named = [url for name, rule in rules for url in _of_rule(config, labels, name.removesuffix(".rule"), rule)]
    if named:
        return named
    paths = [path for _, rule in rules for path in _paths(rule)] or ["/"]
    names = [in_url(server.address) for server in role.servers]
    return [f"http://{name}{_port(config)}{_shown(path)}" for name in names for path in paths]


def in_url(address: str) -> str:
    """A name or address as it stands in a URL (RFC 3986, 3.2.2; RFC 6874 for a zone)."""
    return f"[{address.replace('%', '%25')}]" if ":" in address else address


def _of_rule(config: Config, labels: Mapping[str, str], router: str, rule: str) -> list[str]:
    names = [name for found in NAMES.findall(rule) for name in QUOTED.findall(found)]
    entry_points = labels.get(f"{router}.entrypoints", "").split(",")
    is_secure = any(label.startswith(f"{router}.tls") for label in labels) or any(
        str(config.traefik.args.get(f"entrypoints.{point.strip()}.address", "")).endswith(HTTPS_PORT)
        for point in entry_points
    )
    base = "https://{}" if is_secure else f"http://{{}}{_port(config)}"
    return [f"{base.format(name)}{_shown(path)}" for name in names for path in _paths(rule) or ["/"]]


def _paths(rule: str) -> list[str]:
    return PREFIX.findall(rule)


def _shown(path: str) -> str:
    return "" if path == "/" else path


def _port(config: Config) -> str:
    port = str(config.traefik.host_port).rpartition(":")[2]
    return "" if port == "80" else f":{port}"
