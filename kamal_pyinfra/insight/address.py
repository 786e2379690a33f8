"""URLs of the app according to the configuration."""

from __future__ import annotations

from kamal_pyinfra.config import Config
from kamal_pyinfra.config.servers import Role
from kamal_pyinfra.plan.desired.app import app_labels
from kamal_pyinfra.plan.proxy.traefik import path_suffix, paths_of_rule, port_suffix, urls_of_rule


def addresses(config: Config) -> tuple[str, ...]:
    """URLs of the roles behind the proxy: the names in their rules, else their hosts."""
    roles = (role for role in config.roles if role.running_traefik)
    return tuple(dict.fromkeys(url for role in roles for url in _of_role(config, role)))


def _of_role(config: Config, role: Role) -> list[str]:
    labels = app_labels(config, role)
    rules = [(name, value) for name, value in labels.items() if ".http.routers." in name and name.endswith(".rule")]
    named = [url for name, rule in rules for url in urls_of_rule(config, labels, name.removesuffix(".rule"), rule)]
    if named:
        return named
    paths = [path for _, rule in rules for path in paths_of_rule(rule)] or ["/"]
    names = [in_url(server.address) for server in role.servers]
    return [f"http://{name}{port_suffix(config)}{path_suffix(path)}" for name in names for path in paths]


def in_url(address: str) -> str:
    """A name or address in the form for URLs (RFC 3986, 3.2.2; RFC 6874 for a zone)."""
    return f"[{address.replace('%', '%25')}]" if ":" in address else address
