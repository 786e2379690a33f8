"""Which builder is used, and how it is created and removed."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from kamal_pyinfra.config import Config
from kamal_pyinfra.errors import BuildFailed
from kamal_pyinfra.local.programs import Answer, Argv, Programs, shown
from kamal_pyinfra.ssh.host_data import ssh_config, ssh_script

ALL_PLATFORMS = ("linux/amd64", "linux/arm64")
THIS_MACHINE = "this machine"
BuilderKind = Literal["native", "native/cached", "native/remote", "multiarch", "multiarch/remote"]
"""The five ways to build, with Kamal's names."""
MISSING = re.compile(r"not found|no builder|does not exist", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class Node:
    """One engine that builds, as a context of the docker command; this machine's own has no host (Kamal 1.9)."""

    context: str
    host: str
    arch: str


@dataclass(frozen=True, kw_only=True)
class ImageBuilder:
    """What builds."""

    kind: BuilderKind
    name: str = ""  # the buildx builder; empty where the docker command alone is enough
    nodes: tuple[Node, ...] = ()  # engines that are not the default one, the local one first
    platforms: tuple[str, ...] = ()  # to build for; empty for the platform of the engine that builds
    is_engine: bool = False  # the one node's engine builds by itself, without a container for BuildKit
    options: tuple[str, ...] = ()  # of ``docker buildx create``


def choose_builder(config: Config, *, has_buildx: bool = True) -> ImageBuilder:
    """The builder that the configuration asks for (Kamal 1.9, with one exception).

    A configuration without architectures asks for two of them. Without buildx Kamal refuses to build that; kp builds
    for the engine's own platform.
    """
    section = config.builder
    kind: BuilderKind = "native/cached" if section.cache else "native"
    if section.multiarch and section.remote is None:
        kind = "multiarch"
    elif section.multiarch:
        kind = "multiarch/remote" if section.local else "native/remote"
    is_undecided = not section.model_fields_set & {"multiarch", "local", "remote", "cache"}
    if kind == "native" or (kind == "multiarch" and not has_buildx and is_undecided):
        return ImageBuilder(kind="native")
    name = f"kamal-{config.service}-{kind.replace('/', '-')}"
    # BuildKit in a container has a loopback of its own, on which there is no registry.
    options = ("--driver-opt", "network=host") if config.registry.is_built_in else ()
    builder = ImageBuilder(kind=kind, name=name, options=options)
    if kind == "native/cached":
        return builder
    machines = [machine for machine in (section.local, section.remote) if machine and section.remote]
    nodes = tuple(
        Node(context=f"{name}-{machine.arch}", host=machine.host or "", arch=machine.arch or "") for machine in machines
    )
    platforms = (f"linux/{section.local.arch}",) if section.local and section.local.arch else ALL_PLATFORMS
    is_engine = section.driver == "docker" and kind == "native/remote"
    of_nodes = tuple(f"linux/{node.arch}" for node in nodes)
    return replace(builder, nodes=nodes, platforms=of_nodes or platforms, is_engine=is_engine)


def usable_builder(config: Config, programs: Programs) -> ImageBuilder:
    """The configured builder, once this machine has what it needs."""
    if not programs.ask(["docker", "--version"]).succeeded:
        raise BuildFailed("Docker is not installed on this machine: install it, or build elsewhere and use --skip-push")
    builder, without = choose_builder(config), choose_builder(config, has_buildx=False)
    if not builder.name or programs.ask(["docker", "buildx", "version"]).succeeded:
        return builder
    if without == builder:
        raise BuildFailed(
            f"The builder {builder.kind} needs Docker's buildx plugin, which is not installed on this machine: "
            "install docker-buildx, or set builder.multiarch: false to build with the engine alone"
        )
    programs.warn(
        "Docker's buildx plugin is not installed on this machine: building for this machine's own platform only"
    )
    return without


def create(builder: ImageBuilder) -> list[Argv]:
    """Make the builder, once its contexts are there; nothing if an engine builds by itself."""
    name, options = builder.name, builder.options
    if not name or builder.is_engine:
        return []
    if builder.kind == "native/cached":
        return [["docker", "buildx", "create", "--name", name, "--use", "--driver=docker-container", *options]]
    if builder.kind == "multiarch":
        return [["docker", "buildx", "create", "--use", "--name", name, *options]]
    return [
        [
            *("docker", "buildx", "create", *append, "--name", name, node.context),
            *("--platform", f"linux/{node.arch}", *options),
        ]
        for append, node in zip(([], ["--append"]), builder.nodes, strict=False)
    ]


def details(builder: ImageBuilder) -> list[Argv]:
    """Print what docker knows of builders; never the environment, as Kamal does for its native builder."""
    return [["docker", "context", "ls"], ["docker", "buildx", "ls"]] if builder.name else [["docker", "version"]]


def is_as_configured(builder: ImageBuilder, programs: Programs) -> bool:
    """Whether builder and contexts are there and lead to the configured hosts."""
    found = _found(builder, programs)
    return None not in found and found[: len(builder.nodes)] == [node.host for node in builder.nodes]


def is_there(builder: ImageBuilder, programs: Programs) -> bool:
    """Whether the builder, or a context of it, is there."""
    return any(each is not None for each in _found(builder, programs))


def _found(builder: ImageBuilder, programs: Programs) -> list[str | None]:
    """The address behind each context, then what docker prints of the builder; ``None`` for what is missing."""
    format_option = ["--format", "{{.Endpoints.docker.Host}}"]
    asked = [["docker", "context", "inspect", node.context, *format_option] for node in builder.nodes]
    asked += [["docker", "buildx", "inspect", builder.name]] if create(builder) else []
    answers = [programs.ask(argv) for argv in asked]
    for answer in answers:
        if not answer.succeeded and not MISSING.search(answer.error):
            raise BuildFailed(f"docker cannot list its builders:\n  {answer.error}")
    return [answer.out if answer.succeeded else None for answer in answers]


def ensure(builder: ImageBuilder, programs: Programs) -> bool:
    """Have the builder as configured; one that leads elsewhere is made anew (Kamal 1.9). Whether anything was made."""
    if is_as_configured(builder, programs):
        return False
    remove(builder, programs)
    for node in builder.nodes:
        description = ["--description", f"{builder.name} {node.arch} native host"]
        argv = ["docker", "context", "create", node.context, *description, "--docker", f"host={node.host}"]
        programs.require(argv, hint=f"{node.host or THIS_MACHINE} cannot be made known to docker")
    for node in builder.nodes:
        version = ["version", "--format", "{{.Server.Version}} {{.Server.Arch}}"]
        answer = programs.ask(["docker", "--context", node.context, *version])
        if not answer.succeeded:
            remove(builder, programs)
            address = node.host.removeprefix("ssh://")
            way_out = "Is its engine running?" if address == node.host else f"Try `ssh {address} docker version`."
            raise BuildFailed(
                f"The build host {node.host or THIS_MACHINE} does not answer:\n  {answer.error}\n{way_out}"
            )
    for argv in create(builder):
        programs.require(argv, hint=f"The builder {builder.name} cannot be made")
    return True


def remove(builder: ImageBuilder, programs: Programs) -> bool:
    """Take builder and contexts away; whether any of them was there."""
    own = ["docker", "buildx", "rm", builder.name] if create(builder) else None
    # While the hosts can still be reached, so that BuildKit's containers there go too. A host that is gone must
    # not keep the builder alive: without contexts it is not asked for.
    first = programs.ask(own) if own else Answer(succeeded=False, out="", error="not found")
    gone = [_removed(["docker", "context", "rm", node.context], programs) for node in builder.nodes]
    gone += [_removed(own, programs)] if own and not first.succeeded else []
    return any(gone) or first.succeeded or not MISSING.search(first.error)


def _removed(argv: Argv, programs: Programs) -> bool:
    answer = programs.ask(argv)
    if not answer.succeeded and not MISSING.search(answer.error):
        raise BuildFailed(f"`{shown(argv)}` failed:\n  {answer.error}")
    return answer.succeeded


@contextmanager
def programs_with_ssh(config: Config, builder: ImageBuilder, programs: Programs) -> Iterator[Programs]:
    """Programs for which ``ssh`` has the keys and known hosts of the configuration.

    The docker command reaches ``ssh://`` addresses by whatever ``ssh`` it finds, and has no option for keys. So it
    finds one of ours first, which is the real one with a configuration. No secret is in it.
    """
    program = shutil.which("ssh")
    if program is None or not any(node.host.startswith("ssh://") for node in builder.nodes):
        yield programs
        return

    def absolute(path: str) -> str:
        return str(config.source.root / Path(path).expanduser())  # the same wherever the build runs

    keys = [absolute(key) for key in config.ssh.keys]
    known_hosts = absolute(config.ssh.known_hosts) if config.ssh.known_hosts else None
    cache = Path("~/.cache/kamal_pyinfra").expanduser()  # a folder for temporary files may forbid programs
    cache.mkdir(parents=True, exist_ok=True, mode=0o700)
    with tempfile.TemporaryDirectory(prefix="ssh-", dir=cache) as name:
        settings, script = Path(name, "config"), Path(name, "ssh")
        settings.write_text(ssh_config(config.ssh, keys=keys, known_hosts=known_hosts), encoding="utf-8")
        script.write_text(ssh_script(program, str(settings)), encoding="utf-8")
        script.chmod(0o700)
        yield programs.having(env={"PATH": f"{name}{os.pathsep}{os.environ.get('PATH', os.defpath)}"})
