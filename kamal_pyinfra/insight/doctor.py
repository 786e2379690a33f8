"""Requirements of a host, and verdicts on what was found there."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from kamal_pyinfra.config import Config, Server
from kamal_pyinfra.insight.routed import Routed
from kamal_pyinfra.plan.docker_values import NANO, registry_of_image, to_bytes, to_nano_cpus
from kamal_pyinfra.plan.proxy.traefik import published_ports
from kamal_pyinfra.plan.state.observed import FOREIGN_WAY_OUT, Disk, Findings
from kamal_pyinfra.text import one_line

OLDEST_DOCKER = (20, 10)
LEAST_SPACE = 2 * 1024**3
LEAST_FREE = 0.10
MOST_SKEW = 30
MOST_SHARE = 0.90
HERE = "this machine"
LOCAL = ("localhost", "127.", "[::1]")
HUB = "registry-1.docker.io"


class Verdict(StrEnum):
    """The result of a check: only ``fail`` prevents a deploy."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


OK, WARN, FAIL = Verdict


@dataclass(frozen=True, kw_only=True)
class Check:
    """One check of a host: a verdict, what was found, and what to do if not all is well."""

    host: str  # a name in the configuration, or ``this machine``
    name: str  # the subject, such as ``disk``
    verdict: Verdict
    message: str
    way_out: str = ""


@dataclass(frozen=True, kw_only=True)
class Share:
    """Limits of one container."""

    container: str  # a role, an accessory, or the proxy
    cpus: float = 0.0
    memory: int = 0  # bytes


@dataclass(frozen=True, kw_only=True)
class Requirements:
    """What a host must provide."""

    host: str
    address: str  # ``USER@HOST -p PORT``, to be tried by hand
    run_directory: str
    ports: tuple[int, ...] = ()  # host ports that the proxy publishes
    registry: str = ""  # its host
    shares: tuple[Share, ...] = ()  # containers with limits on this host


Answer = tuple[Verdict, str, str]
"""Verdict, message and way out of a check."""


def check(host: str, name: str, answer: Answer) -> Check:
    """Return a check with the answer to it."""
    return Check(host=host, name=name, verdict=answer[0], message=one_line(answer[1]), way_out=answer[2])


def check_unreachable(requirements: Requirements, output: Sequence[str]) -> tuple[Check, ...]:
    """Return the check of a host that did not answer."""
    message = one_line(re.sub(r"^\[[^]]*\]\s*", "", output[-1])) if output else "no answer in time"
    sudo = " sudo -n true" if "sudo" in message else ""
    way_out = f"make `ssh {requirements.address}{sudo}` work from the deploying machine"
    return (check(requirements.host, "ssh", (FAIL, message, way_out)),)


def check_host(requirements: Requirements, findings: Findings, *, skew: int) -> tuple[Check, ...]:
    """Return every check of a host that answered; its clock is ahead of the local one by ``skew`` seconds."""
    registries = [requirements.registry] if requirements.registry else []
    answers = (
        ("ssh", (OK, f"connected as {findings.user}", "")),
        ("docker", docker(findings)),
        *(("disk", _disk(each)) for each in findings.disks),
        ("clock", _clock(skew)),
        *(("port", _port(each, findings)) for each in requirements.ports),
        *(("registry", registry(each, findings.registry, "the host")) for each in registries),
        ("directory", _directory(requirements, findings)),
        *(("limits", each) for each in _limits(requirements.shares, findings)),
    )
    return tuple(check(requirements.host, name, answer) for name, answer in answers)


def docker(findings: Findings) -> Answer:
    """Check that Docker is installed, recent enough, and usable by the SSH user."""
    found = findings.docker
    if not found.installed:
        return FAIL, "not installed", "`kp setup` installs it"
    if found.stand_in:
        return FAIL, found.error, FOREIGN_WAY_OUT
    if "permission denied" in found.error.lower():
        way_out = f"`usermod -aG docker {findings.user}` there, or `sudo: true` for this host"
        return FAIL, f"{findings.user} may not use it", way_out
    if found.error:
        return FAIL, f"does not answer: {found.error}", "`systemctl status docker` there"
    numbers = tuple(int(number) for number in re.findall(r"\d+", found.version)[:2])
    if numbers < OLDEST_DOCKER:
        return WARN, f"version {found.version}", "20.10 is the oldest that this is tested with; upgrade"
    return OK, f"version {found.version}, usable by {findings.user}", ""


def _disk(found: Disk) -> Answer:
    free = found.available / found.size if found.size else 1.0
    message = f"{_gigabytes(found.available)} ({free:.0%}) free at {found.path}"
    if free < LEAST_FREE or found.available < LEAST_SPACE:
        return WARN, message, "make room (`docker system df` there shows what Docker has), or grow the disk"
    return OK, message, ""


def _clock(skew: int) -> Answer:
    """Check the time, on which tokens, certificates and logs rely."""
    if abs(skew) > MOST_SKEW:
        direction = "ahead of" if skew > 0 else "behind"
        return WARN, f"{abs(skew)} s {direction} this machine", "`timedatectl set-ntp true` there, or here"
    return OK, "as on this machine", ""


def _port(number: int, findings: Findings) -> Answer:
    container = findings.published.get(number)
    way_out = "stop it, or set traefik/host_port"
    if container == "traefik":
        return OK, f"{number} is published by the proxy", ""
    if container is not None:
        return FAIL, f"{number} is published by container {container}", way_out
    if number in findings.listening:
        return FAIL, f"{number} is taken by {findings.programs.get(number, 'another program')}", way_out
    return OK, f"{number} is free", ""


def registry(server: str, answer: str, who: str) -> Answer:
    """Check that a host can pull images, or the deploying machine push them."""
    scheme, _, code = answer.partition(" ")
    if not answer:
        return WARN, f"{server} was not tried: neither curl, wget nor bash is installed", ""
    if scheme == "failed" or code.startswith("5"):
        what = f"{server} answers {code}" if code else f"{server} cannot be reached"
        return FAIL, what, f"check the name, the firewall and the proxy settings of {who}"
    if scheme == "http" and not server.startswith(LOCAL):
        way_out = "Docker wants HTTPS unless the registry is in its `insecure-registries`"
        return WARN, f"{server} answers without TLS only", way_out
    return OK, f"{server} answers", ""


def _directory(requirements: Requirements, findings: Findings) -> Answer:
    if findings.is_writable:
        return OK, f"{requirements.run_directory} can be written to", ""
    message = f"{requirements.run_directory} cannot be written to by {findings.user}"
    return FAIL, message, f"give it to {findings.user}, or set run_directory"


def _limits(shares: Sequence[Share], findings: Findings) -> Iterator[Answer]:
    """Check that limits of containers leave something for the host itself."""
    cpus, memory = sum(each.cpus for each in shares), sum(each.memory for each in shares)
    what = f"{_gigabytes(memory)} of {_gigabytes(findings.memory or 0)} memory"
    sums: list[tuple[str, float, int | None, str]] = [("memory", memory, findings.memory, what)]
    most = max(shares, key=lambda each: each.cpus, default=None)
    if most and findings.cpus and most.cpus > findings.cpus:
        message = f"{most.container} asks for {most.cpus:g} CPUs, the host has {findings.cpus}"
        yield FAIL, message, "Docker refuses that; lower options/cpus"
    else:
        sums.insert(0, ("cpus", cpus, findings.cpus, f"{cpus:g} of {findings.cpus} CPUs"))
    for option, used, available, what in sums:
        if used and available:
            names = ", ".join(each.container for each in shares if getattr(each, option))
            message, part = f"{names} may use {what} ({used / available:.0%})", used / available
            cure = f"lower options/{option}, to leave some for the host itself"
            yield (WARN, message, cure) if part > MOST_SHARE else (OK, message, "")


def check_local_docker(version: str, error: str, *, is_needed: bool) -> Check:
    """Check that the deploying machine can build images.

    ``version`` is that of the engine, empty without one; ``error`` is docker's, empty if it is not installed;
    ``is_needed`` if images come from this machine alone, as with the built-in registry.
    """
    if version:
        return check(HERE, "docker", (OK, f"version {version}", ""))
    cure, message = "install it", "not installed, so no image can be built"
    if error:
        may_not = "permission denied" in error.lower()
        cure = "`sudo usermod -aG docker $USER`, then log in again" if may_not else "make `docker version` work here"
        message = f"does not answer: {error}"
    elsewhere = "" if is_needed else ", or deploy what was built elsewhere with `--skip-push`"
    return check(HERE, "docker", (FAIL if is_needed else WARN, message, f"{cure}{elsewhere}"))


def check_local_registry(server: str, answer: str) -> Check:
    """Check that the deploying machine can push; a failure is a warning, since hosts may pull what others pushed."""
    verdict, message, way_out = registry(server, answer, HERE)
    return check(HERE, "registry", (WARN if verdict is FAIL else verdict, message, way_out))


def check_names(
    rules: Mapping[str, tuple[str, ...]], addresses: Mapping[str, tuple[str, ...]], *, for_certificates: bool
) -> Iterator[Check]:
    """Check that each name of a ``Host(...)`` rule resolves to the hosts that serve it.

    ``rules`` are names with the hosts of their roles; ``addresses`` are those of names and hosts, empty where there is
    none; ``for_certificates`` if the proxy will request certificates for these names.
    """
    reason = "no certificate can be issued before" if for_certificates else "no user can reach the app by it before"
    for name, hosts in rules.items():
        found, listed = addresses.get(name, ()), ", ".join(hosts)
        ours = {address for host in hosts for address in (host, *addresses.get(host, ()))}
        strangers = ", ".join(address for address in found if address not in ours)
        answer = OK, f"{name} resolves to {', '.join(found)}", ""
        if not found:
            answer = WARN, f"{name} does not resolve", f"add a DNS record to {listed}; {reason}"
        elif strangers:
            way_out = f"if that is no load balancer of yours, point it to {listed}"
            answer = WARN, f"{name} resolves to {strangers}, which is none of its hosts", way_out
        yield check(HERE, "name", answer)


def _gigabytes(number: int) -> str:
    return f"{number / 1024**3:.1f} GB"


def check_routes(host: str, engine: str, proxy: str, routes: Mapping[str, Routed]) -> Iterator[Check]:
    """Check that the proxy of a host routes to the containers there; ``engine`` is Docker's version."""
    cure = "fix what the proxy's log names; see docs/reference/troubleshooting.md"
    for name, routed in routes.items():
        answers = {
            "yes": (OK, f"routes to {name}", ""),
            "no": (FAIL, f"{name} is not served (Docker {engine} and {proxy}): {routed.reason}", cure),
        }
        unknown = WARN, f"whether it routes to {name} is not known: {routed.reason}", ""
        yield check(host, "proxy", answers.get(routed.answer, unknown))


def requirements_of(config: Config, server: Server, address: str = "") -> Requirements:
    """Return the requirements of one host; ``address`` is what a user types after ``ssh``."""
    roles = [role for role in config.roles if server.host in role.hosts]
    accessories = {name: config.accessories[name] for name in config.accessories_on(server.host)}
    is_proxied = any(role.running_traefik for role in roles)
    shares = [share(role.name, role.options) for role in roles]
    shares += [share(name, accessory.options) for name, accessory in accessories.items()]
    shares += [share("traefik", config.traefik.options)] if is_proxied else []
    image = next(iter(accessories.values())).image if accessories and not roles else None
    return Requirements(
        host=server.host,
        address=address,
        run_directory=config.run_directory,
        ports=tuple(dict.fromkeys(published_ports(config))) if is_proxied else (),
        registry=registry_host(config) if image is None else registry_of_image(image) or HUB,
        shares=tuple(each for each in shares if each.cpus or each.memory),
    )


def registry_host(config: Config) -> str:
    """Return the host that the image is pulled from; empty for the built-in registry."""
    return "" if config.registry.is_built_in else config.registry.server or HUB


def share(container: str, options: Mapping[str, object]) -> Share:
    """Return the limits in the options of a container; 0 for those that are none."""
    cpus, memory = to_nano_cpus(str(options.get("cpus"))), to_bytes(str(options.get("memory", options.get("m"))))
    return Share(container=container, cpus=max(cpus or 0, 0) / NANO, memory=memory or 0)
