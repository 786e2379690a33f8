"""URLs of the app, and whether the proxy of a host routes to a container there."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from kamal_pyinfra.config import Config
from kamal_pyinfra.config.servers import Role
from kamal_pyinfra.plan.desired import app_labels
from kamal_pyinfra.plan.proxy.traefik import paths_of_rule, plain_url, urls_of_rule
from kamal_pyinfra.text import one_line

HOW = {"request": "yes", "log": "yes", "no": "no", "unproven": "not known"}


def addresses(config: Config) -> tuple[str, ...]:
    """Return URLs of the roles behind the proxy: the names in their rules, else their hosts."""
    roles = (role for role in config.roles if role.running_traefik)
    return tuple(dict.fromkeys(url for role in roles for url in _of_role(config, role)))


def _of_role(config: Config, role: Role) -> list[str]:
    labels = app_labels(config, role)
    rules = [(name, value) for name, value in labels.items() if ".http.routers." in name and name.endswith(".rule")]
    named = [url for name, rule in rules for url in urls_of_rule(config, labels, name.removesuffix(".rule"), rule)]
    if named:
        return named
    paths = paths_of_rule(*(rule for _, rule in rules))
    # An IPv6 address in the form for URLs (RFC 3986, 3.2.2; RFC 6874 for a zone)
    addresses = (server.address for server in role.servers)
    names = [f"[{name.replace('%', '%25')}]" if ":" in name else name for name in addresses]
    return [plain_url(config, name, path) for name in names for path in paths]


@dataclass(frozen=True, kw_only=True)
class Routed:
    """One answer of a proxy: ``yes``, ``no`` or ``not known``, with the reason; empty if it was not asked."""

    answer: str = ""
    reason: str = ""

    @property
    def text(self) -> str:
        """The answer in a cell of a table."""
        return f"{self.answer}: {self.reason}" if self.reason else self.answer


def parse_routes(lines: Iterable[str], mark: str) -> dict[str, Routed]:
    """Parse a host's lines ``MARK CONTAINER HOW WHY`` to answers by container; ``mark`` includes its space."""
    found: dict[str, Routed] = {}
    for line in lines:
        if line.startswith(mark):
            container, how, reason, *_ = (*one_line(line.removeprefix(mark)).split(" ", 2), "", "")
            if how in HOW:
                found[container] = Routed(answer=HOW[how], reason=reason)
    return found


@dataclass(frozen=True, kw_only=True)
class Proof:
    """Proof by the gate that the proxy of a host routes to a new container.

    ``kind`` is how it was proven, or ``none`` with the ``reason`` why it was not.
    """

    host: str
    container: str
    kind: Literal["request", "log", "none"]
    reason: str = ""


def parse_proof(host: str, text: str) -> Proof | None:
    """Parse ``CONTAINER request``, ``CONTAINER log`` or ``CONTAINER unproven REASON``; ``None`` for other text."""
    container, kind, reason, *_ = (*one_line(text).split(" ", 2), "", "")
    match kind:
        case "request" | "log":
            return Proof(host=host, container=container, kind=kind)
        case "unproven":
            return Proof(host=host, container=container, kind="none", reason=reason)
    return None


def what_serves(what: str, urls: Sequence[str], proofs: Sequence[Proof]) -> str:
    """Return the last line of a rollout, which claims that the version serves only if each proxy answered a request.

    ``what`` is service and version; ``proofs`` are of all new containers behind the proxy.
    """
    if not proofs:
        return f"{what} runs; no container behind the proxy was started, so the proxy was not asked"
    hosts: dict[tuple[str, str], dict[str, None]] = {}  # by kind and reason
    for each in proofs:
        hosts.setdefault((each.kind, each.reason), {})[each.host] = None
    unproven = ", ".join(f"{', '.join(names)}: {reason}" for (kind, reason), names in hosts.items() if kind == "none")
    logged = ", ".join(hosts.get(("log", ""), ()))
    parts = [f"that the proxy routes to it was not proven on {unproven}"] if unproven else []
    if logged:
        parts.append(f"no request was sent through the proxy on {logged}: only its log shows that it routes there")
    return f"{what} runs; {'; '.join(parts)}" if parts else f"{what} serves at {' '.join(urls)}"
