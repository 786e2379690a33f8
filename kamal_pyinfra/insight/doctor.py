"""What a host needs, and the verdict on what was found there."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from kamal_pyinfra.config import Config, Server
from kamal_pyinfra.config.sections import Options
from kamal_pyinfra.plan.docker_values import registry_of_image
from kamal_pyinfra.plan.proxy.traefik import published_ports
from kamal_pyinfra.plan.state.observed import FOREIGN_WAY_OUT, Disk, Examined
from kamal_pyinfra.text import one_line


class Verdict(StrEnum):
    """What a check came to: only ``fail`` keeps a deploy from working."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, kw_only=True)
class Check:
    """One question about a host, its answer and what to do about it.

    Args:
        host: name in the configuration, or ``this machine``.
        name: what was looked at, such as ``disk``.
        message: what was found.
        way_out: what to do; empty when all is well.
    """

    host: str
    name: str
    verdict: Verdict
    message: str
    way_out: str = ""


@dataclass(frozen=True, kw_only=True)
class Share:
    """What one container may use of a host.

    Args:
        container: the role or accessory.
        memory: in bytes.
    """

    container: str
    cpus: float = 0.0
    memory: int = 0


@dataclass(frozen=True, kw_only=True)
class Needs:
    """What a host should be able to do.

    Args:
        address: ``USER@HOST -p PORT``, to be tried by hand.
        ports: host ports that the proxy publishes here.
        registry: the registry's host.
        shares: containers with limits on this host.
    """

    host: str
    address: str
    run_directory: str
    ports: tuple[int, ...] = ()
    registry: str = ""
    shares: tuple[Share, ...] = ()


OLDEST_DOCKER = (20, 10)
LEAST_SPACE = 2 * 1024**3
LEAST_FREE = 0.10
MOST_SKEW = 30
MOST_SHARE = 0.90
HERE = "this machine"
LOCAL = ("localhost", "127.", "[::1]")


def judge_unreachable(needs: Needs, said: Sequence[str]) -> tuple[Check, ...]:
    """A host that could not be examined."""
    message = one_line(re.sub(r"^\[[^]]*\]\s*", "", said[-1])) if said else "no answer in time"
    sudo = " sudo -n true" if "sudo" in message else ""
    way_out = f"see that `ssh {needs.address}{sudo}` works from here"
    return (Check(host=needs.host, name="ssh", verdict=Verdict.FAIL, message=message, way_out=way_out),)


def judge(needs: Needs, examined: Examined, *, skew: int) -> tuple[Check, ...]:
    """Every check of a host that answered.

    Args:
        needs: what it should be able to do.
        examined: what was found.
        skew: seconds by which its clock is ahead of this machine's.
    """
    answers = (
        ("ssh", (Verdict.OK, f"connected as {examined.user}", "")),
        ("docker", docker(examined)),
        *(("disk", disk(each)) for each in examined.disks),
        ("clock", clock(skew)),
        *(("port", port(each, examined)) for each in needs.ports),
        *([("registry", registry(needs.registry, examined.registry, "the host"))] if needs.registry else []),
        ("directory", directory(needs, examined)),
        *(("limits", each) for each in limits(needs.shares, examined)),
    )
    return tuple(check(needs.host, name, answer) for name, answer in answers)


Answer = tuple[Verdict, str, str]


def check(host: str, name: str, answer: Answer) -> Check:
    """An answer with its question."""
    return Check(host=host, name=name, verdict=answer[0], message=one_line(answer[1]), way_out=answer[2])


def docker(examined: Examined) -> Answer:
    """The engine: there, new enough, and ours to use."""
    found = examined.docker
    if not found.installed:
        return Verdict.FAIL, "not installed", "`kp setup` installs it"
    if found.stand_in:
        return Verdict.FAIL, found.error, FOREIGN_WAY_OUT
    if "permission denied" in found.error.lower():
        way_out = f"`usermod -aG docker {examined.user}` there, or `sudo: true` for this host"
        return Verdict.FAIL, f"{examined.user} may not use it", way_out
    if found.error:
        return Verdict.FAIL, f"does not answer: {found.error}", "`systemctl status docker` there"
    numbers = tuple(int(number) for number in re.findall(r"\d+", found.version)[:2])
    if numbers < OLDEST_DOCKER:
        return Verdict.WARN, f"version {found.version}", "20.10 is the oldest that this is tested with; upgrade"
    return Verdict.OK, f"version {found.version}, usable by {examined.user}", ""


def disk(found: Disk) -> Answer:
    """Room for images and logs."""
    free = found.available / found.size if found.size else 1.0
    message = f"{gigabytes(found.available)} ({free:.0%}) free at {found.path}"
    if free < LEAST_FREE or found.available < LEAST_SPACE:
        return Verdict.WARN, message, "make room (`docker system df` there shows what Docker has), or grow the disk"
    return Verdict.OK, message, ""


def clock(skew: int) -> Answer:
    """Tokens, certificates and logs rely on it."""
    if abs(skew) > MOST_SKEW:
        direction = "ahead of" if skew > 0 else "behind"
        return Verdict.WARN, f"{abs(skew)} s {direction} this machine", "`timedatectl set-ntp true` there, or here"
    return Verdict.OK, "as here", ""


def port(number: int, examined: Examined) -> Answer:
    """The proxy must get the port, or have it."""
    container = examined.published.get(number)
    if container == "traefik":
        return Verdict.OK, f"{number} is published by the proxy", ""
    if container is not None:
        return Verdict.FAIL, f"{number} is published by container {container}", "stop it, or set traefik/host_port"
    if number in examined.listening:
        program = examined.programs.get(number, "another program")
        return Verdict.FAIL, f"{number} is taken by {program}", "stop it, or set traefik/host_port"
    return Verdict.OK, f"{number} is free", ""


def registry(server: str, said: str, who: str) -> Answer:
    """Images are pulled by the host, and pushed from here."""
    scheme, _, code = said.partition(" ")
    if not said:
        return Verdict.WARN, f"{server} was not asked: there is neither curl, wget nor bash", ""
    if scheme == "failed" or code.startswith("5"):
        what = f"{server} answers {code}" if code else f"{server} cannot be reached"
        return Verdict.FAIL, what, f"look at the name, the firewall and the proxy settings of {who}"
    if scheme == "http" and not server.startswith(LOCAL):
        way_out = "Docker wants HTTPS unless the registry is in its `insecure-registries`"
        return Verdict.WARN, f"{server} answers without TLS only", way_out
    return Verdict.OK, f"{server} answers", ""


def directory(needs: Needs, examined: Examined) -> Answer:
    """Where env files, cords and the lock live."""
    if examined.is_writable:
        return Verdict.OK, f"{needs.run_directory} can be written to", ""
    way_out = f"give it to {examined.user}, or set run_directory"
    return Verdict.FAIL, f"{needs.run_directory} cannot be written to by {examined.user}", way_out


def limits(shares: Sequence[Share], examined: Examined) -> Iterator[Answer]:
    """What containers may use leaves some for the host itself."""
    cpus, memory = sum(share.cpus for share in shares), sum(share.memory for share in shares)
    if cpus and examined.cpus:
        most = max(shares, key=lambda share: share.cpus)
        if most.cpus > examined.cpus:
            message = f"{most.container} asks for {most.cpus:g} CPUs, the host has {examined.cpus}"
            yield Verdict.FAIL, message, "Docker refuses that; lower options/cpus"
        else:
            yield share_of(f"{cpus:g} of {examined.cpus} CPUs", cpus / examined.cpus, shares, "cpus")
    if memory and examined.memory:
        what = f"{gigabytes(memory)} of {gigabytes(examined.memory)} memory"
        yield share_of(what, memory / examined.memory, shares, "memory")


def share_of(what: str, part: float, shares: Sequence[Share], option: str) -> Answer:
    """Whether containers may use too much."""
    names = ", ".join(share.container for share in shares if getattr(share, option))
    if part > MOST_SHARE:
        return (
            Verdict.WARN,
            f"{names} may use {what} ({part:.0%})",
            f"lower options/{option}, to leave some for the host itself",
        )
    return Verdict.OK, f"{names} may use {what} ({part:.0%})", ""


def judge_docker_here(answer: str, said: str, *, is_needed: bool) -> Check:
    """Whether images can be built here.

    Args:
        answer: version of the engine that docker talks to; empty without one.
        said: what docker said instead; empty where there is no docker.
        is_needed: whether images come from here and nowhere else, as without a registry.
    """
    if answer:
        return check(HERE, "docker", (Verdict.OK, f"version {answer}", ""))
    verdict = Verdict.FAIL if is_needed else Verdict.WARN
    elsewhere = "" if is_needed else ", or deploy what was built elsewhere with `--skip-push`"
    if not said:
        return check(HERE, "docker", (verdict, "not installed, so no image can be built", f"install it{elsewhere}"))
    may_not = "permission denied" in said.lower()
    cure = "`sudo usermod -aG docker $USER`, then log in again" if may_not else "see that `docker version` works here"
    return check(HERE, "docker", (verdict, f"does not answer: {said}", f"{cure}{elsewhere}"))


def judge_registry_here(server: str, said: str) -> Check:
    """Whether an image could be pushed from here; a host may still pull what others pushed."""
    verdict, message, way_out = registry(server, said, HERE)
    softened = Verdict.WARN if verdict is Verdict.FAIL else verdict
    return check(HERE, "registry", (softened, message, way_out))


def judge_names(
    rules: Mapping[str, tuple[str, ...]], addresses: Mapping[str, tuple[str, ...]], *, for_certificates: bool
) -> tuple[Check, ...]:
    """Whether each name of a ``Host(...)`` rule leads to the hosts that answer to it.

    Args:
        rules: names, and the hosts of their roles.
        addresses: of names and hosts; empty where there is none.
        for_certificates: whether the proxy will ask for certificates in these names.
    """
    return tuple(check(HERE, "name", name(each, rules[each], addresses, for_certificates)) for each in rules)


def name(each: str, hosts: Sequence[str], addresses: Mapping[str, tuple[str, ...]], for_certificates: bool) -> Answer:
    """One name of a rule."""
    found = addresses.get(each, ())
    ours = {address for host in hosts for address in (host, *addresses.get(host, ()))}
    reason = "no certificate can be had before" if for_certificates else "nobody gets here by it before"
    if not found:
        return Verdict.WARN, f"{each} does not resolve", f"add a DNS record to {', '.join(hosts)}; {reason}"
    strangers = [address for address in found if address not in ours]
    if strangers:
        way_out = f"if that is no load balancer of yours, point it to {', '.join(hosts)}"
        return Verdict.WARN, f"{each} resolves to {', '.join(strangers)}, which is none of its hosts", way_out
    return Verdict.OK, f"{each} resolves to {', '.join(found)}", ""


def gigabytes(number: int) -> str:
    """Bytes for people."""
    return f"{number / 1024**3:.1f} GB"


HUB = "registry-1.docker.io"
UNITS = {"": 1, "b": 1, "k": 1024, "m": 1024**2, "g": 1024**3, "t": 1024**4}


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
    return "" if config.registry.is_built_in else config.registry.server or HUB


def shares(config: Config, host: str) -> Iterator[Share]:
    """The limits of every container that runs on a host."""
    for role in config.roles:
        if role.runs_on(host):
            yield limits_of(role.name, role.options)
    for name, accessory in config.accessories.items():
        servers = [*(accessory.hosts or ()), *([accessory.host] if accessory.host else ())]
        by_role = any(config.role(role).runs_on(host) for role in accessory.roles or ())
        if by_role or any(server.host == host for server in servers):
            yield limits_of(name, accessory.options)
    if any(role.running_traefik and role.runs_on(host) for role in config.roles):
        yield limits_of("traefik", config.traefik.options)


def limits_of(container: str, options: Options) -> Share:
    """The limits in options of ``docker run``."""
    return Share(
        container=container, cpus=to_cpus(options.get("cpus")), memory=to_bytes(options.get("memory", options.get("m")))
    )


def to_cpus(value: object) -> float:
    """A number of CPUs; nothing for what is none."""
    text = str(value)
    return float(text) if re.fullmatch(r"\d+(\.\d*)?|\.\d+", text, re.ASCII) else 0.0


def to_bytes(value: object) -> int:
    """An amount of memory as Docker reads it; nothing for what is none."""
    found = re.fullmatch(r"(\d+)([bkmgt]?)b?", str(value).lower(), re.ASCII)
    return int(found[1]) * UNITS[found[2]] if found else 0
