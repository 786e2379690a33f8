"""Requirements of a host, and verdicts on what was found there."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from kamal_pyinfra.config import Config, Server
from kamal_pyinfra.config.sections import Options
from kamal_pyinfra.insight.routed import Routed
from kamal_pyinfra.plan.docker_values import registry_of_image
from kamal_pyinfra.plan.proxy.traefik import published_ports
from kamal_pyinfra.plan.state.observed import FOREIGN_WAY_OUT, Disk, Findings
from kamal_pyinfra.text import one_line


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


OLDEST_DOCKER = (20, 10)
LEAST_SPACE = 2 * 1024**3
LEAST_FREE = 0.10
MOST_SKEW = 30
MOST_SHARE = 0.90
HERE = "this machine"
LOCAL = ("localhost", "127.", "[::1]")

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
        *(("disk", disk(each)) for each in findings.disks),
        ("clock", clock(skew)),
        *(("port", port(each, findings)) for each in requirements.ports),
        *(("registry", registry(each, findings.registry, "the host")) for each in registries),
        ("directory", directory(requirements, findings)),
        *(("limits", each) for each in limits(requirements.shares, findings)),
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


def disk(found: Disk) -> Answer:
    """Check that there is space for images and logs."""
    free = found.available / found.size if found.size else 1.0
    message = f"{gigabytes(found.available)} ({free:.0%}) free at {found.path}"
    if free < LEAST_FREE or found.available < LEAST_SPACE:
        return WARN, message, "make room (`docker system df` there shows what Docker has), or grow the disk"
    return OK, message, ""


def clock(skew: int) -> Answer:
    """Check the time, on which tokens, certificates and logs rely."""
    if abs(skew) > MOST_SKEW:
        direction = "ahead of" if skew > 0 else "behind"
        return WARN, f"{abs(skew)} s {direction} this machine", "`timedatectl set-ntp true` there, or here"
    return OK, "as on this machine", ""


def port(number: int, findings: Findings) -> Answer:
    """Check that the proxy has the port, or can take it."""
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


def directory(requirements: Requirements, findings: Findings) -> Answer:
    """Check that env files, cords and the lock can be written."""
    if findings.is_writable:
        return OK, f"{requirements.run_directory} can be written to", ""
    message = f"{requirements.run_directory} cannot be written to by {findings.user}"
    return FAIL, message, f"give it to {findings.user}, or set run_directory"


def limits(shares: Sequence[Share], findings: Findings) -> Iterator[Answer]:
    """Check that limits of containers leave something for the host itself."""
    cpus, memory = sum(share.cpus for share in shares), sum(share.memory for share in shares)
    if cpus and findings.cpus:
        most = max(shares, key=lambda share: share.cpus)
        if most.cpus > findings.cpus:
            message = f"{most.container} asks for {most.cpus:g} CPUs, the host has {findings.cpus}"
            yield FAIL, message, "Docker refuses that; lower options/cpus"
        else:
            yield share_of(f"{cpus:g} of {findings.cpus} CPUs", cpus / findings.cpus, shares, "cpus")
    if memory and findings.memory:
        what = f"{gigabytes(memory)} of {gigabytes(findings.memory)} memory"
        yield share_of(what, memory / findings.memory, shares, "memory")


def share_of(what: str, part: float, shares: Sequence[Share], option: str) -> Answer:
    """Check the part of the host that the limits of containers add up to."""
    names = ", ".join(share.container for share in shares if getattr(share, option))
    message = f"{names} may use {what} ({part:.0%})"
    if part > MOST_SHARE:
        return WARN, message, f"lower options/{option}, to leave some for the host itself"
    return OK, message, ""


def check_local_docker(version: str, error: str, *, is_needed: bool) -> Check:
    """Check that the deploying machine can build images.

    Args:
        version: of the engine that docker talks to; empty without one.
        error: of docker; empty if it is not installed.
        is_needed: whether images come from the deploying machine alone, as with the built-in registry.
    """
    if version:
        return check(HERE, "docker", (OK, f"version {version}", ""))
    verdict = FAIL if is_needed else WARN
    elsewhere = "" if is_needed else ", or deploy what was built elsewhere with `--skip-push`"
    if not error:
        return check(HERE, "docker", (verdict, "not installed, so no image can be built", f"install it{elsewhere}"))
    may_not = "permission denied" in error.lower()
    cure = "`sudo usermod -aG docker $USER`, then log in again" if may_not else "make `docker version` work here"
    return check(HERE, "docker", (verdict, f"does not answer: {error}", f"{cure}{elsewhere}"))


def check_local_registry(server: str, answer: str) -> Check:
    """Check that the deploying machine can push; a failure is a warning, since hosts may pull what others pushed."""
    verdict, message, way_out = registry(server, answer, HERE)
    return check(HERE, "registry", (WARN if verdict is FAIL else verdict, message, way_out))


def check_names(
    rules: Mapping[str, tuple[str, ...]], addresses: Mapping[str, tuple[str, ...]], *, for_certificates: bool
) -> tuple[Check, ...]:
    """Check that each name of a ``Host(...)`` rule resolves to the hosts that serve it.

    Args:
        rules: names, with the hosts of their roles.
        addresses: of names and hosts; empty where there is none.
        for_certificates: whether the proxy will request certificates for these names.
    """
    reason = "no certificate can be issued before" if for_certificates else "no user can reach the app by it before"
    return tuple(check(HERE, "name", _name(name, hosts, addresses, reason)) for name, hosts in rules.items())


def _name(name: str, hosts: Sequence[str], addresses: Mapping[str, tuple[str, ...]], reason: str) -> Answer:
    found = addresses.get(name, ())
    ours = {address for host in hosts for address in (host, *addresses.get(host, ()))}
    if not found:
        return WARN, f"{name} does not resolve", f"add a DNS record to {', '.join(hosts)}; {reason}"
    strangers = [address for address in found if address not in ours]
    if strangers:
        way_out = f"if that is no load balancer of yours, point it to {', '.join(hosts)}"
        return WARN, f"{name} resolves to {', '.join(strangers)}, which is none of its hosts", way_out
    return OK, f"{name} resolves to {', '.join(found)}", ""


def gigabytes(number: int) -> str:
    """Return bytes as readable text."""
    return f"{number / 1024**3:.1f} GB"


def check_routes(host: str, engine: str, proxy: str, routes: Mapping[str, Routed]) -> tuple[Check, ...]:
    """Check that the proxy of a host routes to the containers there; ``engine`` is Docker's version."""
    return tuple(check(host, "proxy", _route(f"Docker {engine} and {proxy}", *each)) for each in routes.items())


def _route(pair: str, container: str, routed: Routed) -> Answer:
    if routed.answer == "yes":
        return OK, f"routes to {container}", ""
    if routed.answer == "no":
        way_out = "fix what the proxy's log names; see docs/reference/troubleshooting.md"
        return FAIL, f"{container} is not served ({pair}): {routed.reason}", way_out
    return WARN, f"whether it routes to {container} is not known: {routed.reason}", ""


HUB = "registry-1.docker.io"
UNITS = {"": 1, "b": 1, "k": 1024, "m": 1024**2, "g": 1024**3, "t": 1024**4}


def requirements_of(config: Config, server: Server, address: str = "") -> Requirements:
    """Return the requirements of one host; ``address`` is what a user types after ``ssh``."""
    is_proxied = any(role.running_traefik and server.host in role.hosts for role in config.roles)
    return Requirements(
        host=server.host,
        address=address,
        run_directory=config.run_directory,
        ports=tuple(dict.fromkeys(published_ports(config))) if is_proxied else (),
        registry=_pulls_from(config, server.host),
        shares=tuple(share for share in _shares(config, server.host) if share.cpus or share.memory),
    )


def _pulls_from(config: Config, host: str) -> str:
    """Return the app's registry; without a role on the host, that of its first accessory."""
    accessories = config.accessories_on(host)
    if any(host in role.hosts for role in config.roles) or not accessories:
        return registry_host(config)
    return registry_of_image(config.accessories[accessories[0]].image) or HUB


def registry_host(config: Config) -> str:
    """Return the host that the image is pulled from; empty for the built-in registry."""
    return "" if config.registry.is_built_in else config.registry.server or HUB


def _shares(config: Config, host: str) -> Iterator[Share]:
    """Yield the limits of every container that runs on a host."""
    roles = [role for role in config.roles if host in role.hosts]
    yield from (_share(role.name, role.options) for role in roles)
    yield from (_share(name, config.accessories[name].options) for name in config.accessories_on(host))
    if any(role.running_traefik for role in roles):
        yield _share("traefik", config.traefik.options)


def _share(container: str, options: Options) -> Share:
    memory = to_bytes(options.get("memory", options.get("m")))
    return Share(container=container, cpus=to_cpus(options.get("cpus")), memory=memory)


def to_cpus(value: object) -> float:
    """Return a number of CPUs; 0 for other values."""
    text = str(value)
    return float(text) if re.fullmatch(r"\d+(\.\d*)?|\.\d+", text, re.ASCII) else 0.0


def to_bytes(value: object) -> int:
    """Return an amount of memory in Docker's notation in bytes; 0 for other values."""
    found = re.fullmatch(r"(\d+)([bkmgt]?)b?", str(value).lower(), re.ASCII)
    return int(found[1]) * UNITS[found[2]] if found else 0
