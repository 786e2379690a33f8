"""Whether the proxy of a host routes to a container there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from kamal_pyinfra.insight.doctor import Check, Verdict
from kamal_pyinfra.text import one_line

HOW = {"request": "yes", "log": "yes", "no": "no", "unproven": "not known"}


@dataclass(frozen=True, kw_only=True)
class Routed:
    """One answer of a proxy: ``yes``, ``no`` or ``not known``; empty if it was not asked. ``reason`` tells why not."""

    answer: str = ""
    reason: str = ""

    @property
    def text(self) -> str:
        """The answer in a cell of a table."""
        return f"{self.answer}: {self.reason}" if self.reason else self.answer


def parse_routes(lines: Iterable[str], mark: str) -> dict[str, Routed]:
    """Answers by container, from a host's lines ``MARK CONTAINER HOW WHY``; ``mark`` includes its space."""
    found: dict[str, Routed] = {}
    for line in lines:
        if line.startswith(mark):
            container, _, rest = one_line(line.removeprefix(mark)).partition(" ")
            how, _, reason = rest.partition(" ")
            if how in HOW:
                found[container] = Routed(answer=HOW[how], reason=reason)
    return found


@dataclass(frozen=True, kw_only=True)
class Proof:
    """Proof by the gate that the proxy of a host routes to a new container.

    Args:
        kind: how it was proven, or ``none``.
        reason: why nothing was proven; empty otherwise.
    """

    host: str
    container: str
    kind: Literal["request", "log", "none"]
    reason: str = ""


def parse_proof(host: str, text: str) -> Proof | None:
    """The proof in ``CONTAINER request``, ``CONTAINER log`` or ``CONTAINER unproven REASON``; ``None`` otherwise."""
    container, _, rest = one_line(text).partition(" ")
    kind, _, reason = rest.partition(" ")
    match kind:
        case "request" | "log":
            return Proof(host=host, container=container, kind=kind)
        case "unproven":
            return Proof(host=host, container=container, kind="none", reason=reason)
    return None


def what_serves(what: str, urls: Sequence[str], proofs: Sequence[Proof]) -> str:
    """The last line of a rollout, which claims that the version serves only if each proxy answered a request.

    ``what`` is service and version; ``proofs`` are of all new containers behind the proxy.
    """
    if not proofs:
        return f"{what} runs; no container behind the proxy was started, so the proxy was not asked"
    unproven = [each for each in proofs if each.kind == "none"]
    logged = [each for each in proofs if each.kind == "log"]
    if not unproven and not logged:
        return f"{what} serves at {' '.join(urls)}"
    parts = [f"that the proxy routes to it was not proven on {_places(unproven)}"] if unproven else []
    if logged:
        parts.append(
            f"no request was sent through the proxy on {_hosts(logged)}: only its log shows that it routes there"
        )
    return f"{what} runs; {'; '.join(parts)}"


def _places(unproven: Sequence[Proof]) -> str:
    reasons: dict[str, list[Proof]] = {}
    for each in unproven:
        reasons.setdefault(each.reason, []).append(each)
    return ", ".join(f"{_hosts(those)}: {reason}" for reason, those in reasons.items())


def _hosts(proofs: Sequence[Proof]) -> str:
    return ", ".join(dict.fromkeys(each.host for each in proofs))


def check_routes(host: str, engine: str, proxy: str, routes: Mapping[str, Routed]) -> tuple[Check, ...]:
    """Whether the proxy of a host routes to the containers there; ``engine`` is Docker's version."""
    return tuple(_check(host, f"Docker {engine} and {proxy}", name, each) for name, each in routes.items())


def _check(host: str, pair: str, container: str, routed: Routed) -> Check:
    if routed.answer == "yes":
        return Check(host=host, name="proxy", verdict=Verdict.OK, message=f"routes to {container}")
    if routed.answer == "no":
        message = f"{container} is not served ({pair}): {routed.reason}"
        way_out = "fix what the proxy's log names; see docs/reference/troubleshooting.md"
        return Check(host=host, name="proxy", verdict=Verdict.FAIL, message=one_line(message), way_out=way_out)
    message = f"whether it routes to {container} is not known: {routed.reason}"
    return Check(host=host, name="proxy", verdict=Verdict.WARN, message=one_line(message))
