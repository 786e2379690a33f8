"""Which builder is used, and how it is created and removed."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

from kamal_pyinfra import naming
from kamal_pyinfra.config import Config
from kamal_pyinfra.errors import BuildFailed
from kamal_pyinfra.local.programs import Answer, Argv, Programs, shown
from kamal_pyinfra.ssh.host_data import ssh_config, ssh_script

ALL_PLATFORMS = ("linux/amd64", "linux/arm64")


class BuilderKind(StrEnum):
    """The five ways to build, with Kamal's names."""

    NATIVE = "native"
    NATIVE_CACHED = "native/cached"
    NATIVE_REMOTE = "native/remote"
    MULTIARCH = "multiarch"
    MULTIARCH_REMOTE = "multiarch/remote"


@dataclass(frozen=True, kw_only=True)
class Node:
    """One engine that builds, as a context of the docker command.

    Args:
        context: name of the context.
        host: the engine's address, such as ``ssh://root@192.0.2.9``; empty for this machine's own (Kamal 1.9).
    """

    context: str
    host: str
    arch: str

    @property
    def place(self) -> str:
        """The engine as a message calls it."""
        return self.host or "this machine"


@dataclass(frozen=True, kw_only=True)
class ImageBuilder:
    """What builds.

    Args:
        name: the buildx builder; empty for the engine's own.
        nodes: engines that are not the default one, the local one first.
        platforms: to build for; empty for the platform of the engine that builds.
        is_engine: the one node's engine builds by itself, without a container for BuildKit.
        options: of ``docker buildx create``.
    """

    kind: BuilderKind
    name: str = ""
    nodes: tuple[Node, ...] = ()
    platforms: tuple[str, ...] = ()
    is_engine: bool = False
    options: tuple[str, ...] = ()

    @property
    def needs_buildx(self) -> bool:
        """Whether the docker command alone is not enough."""
        return self.kind is not BuilderKind.NATIVE


NATIVE = ImageBuilder(kind=BuilderKind.NATIVE)


def choose_builder(config: Config, *, has_buildx: bool = True) -> ImageBuilder:
    """The builder that the configuration asks for (Kamal 1.9, with one exception).

    A configuration that says nothing of architectures asks for two of them. Without buildx Kamal refuses to
    build that; here the engine's own platform has to do.

    Args:
        config: the loaded configuration.
        has_buildx: whether the docker command has the plugin.
    """
    kind = _kind(config)
    if kind is BuilderKind.MULTIARCH and not has_buildx and is_undecided(config):
        return NATIVE
    if kind is BuilderKind.NATIVE:
        return NATIVE
    # BuildKit in a container has a loopback of its own, on which there is no registry.
    options = ("--driver-opt", "network=host") if config.registry.is_built_in else ()
    builder = ImageBuilder(kind=kind, name=naming.builder_name(config, kind), options=options)
    if kind is BuilderKind.NATIVE_CACHED:
        return builder
    nodes = _nodes(config, builder.name)
    platforms = tuple(f"linux/{node.arch}" for node in nodes) or _platforms(config)
    is_engine = config.builder.driver == "docker" and kind is BuilderKind.NATIVE_REMOTE
    return replace(builder, nodes=nodes, platforms=platforms, is_engine=is_engine)


def is_undecided(config: Config) -> bool:
    """Whether two architectures are Kamal's default only, not the configuration's wish."""
    return not config.builder.model_fields_set & {"multiarch", "local", "remote", "cache"}


def _kind(config: Config) -> BuilderKind:
    section = config.builder
    if not section.multiarch:
        return BuilderKind.NATIVE_CACHED if section.cache else BuilderKind.NATIVE
    if section.remote is None:
        return BuilderKind.MULTIARCH
    return BuilderKind.MULTIARCH_REMOTE if section.local else BuilderKind.NATIVE_REMOTE


def _nodes(config: Config, name: str) -> tuple[Node, ...]:
    if config.builder.remote is None:
        return ()
    machines = (config.builder.local, config.builder.remote)
    return tuple(
        Node(context=f"{name}-{machine.arch}", host=machine.host or "", arch=machine.arch or "")
        for machine in machines
        if machine is not None
    )


def _platforms(config: Config) -> tuple[str, ...]:
    local = config.builder.local
    return (f"linux/{local.arch}",) if local is not None and local.arch else ALL_PLATFORMS


HAS_DOCKER: Argv = ["docker", "--version"]

HAS_BUILDX: Argv = ["docker", "buildx", "version"]


def argument_values(config: Config) -> dict[str, str]:
    """Values of the build arguments; one without its own has that of the environment, if any."""
    inherited = {name: config.environ[name] for name in config.builder.args if name in config.environ}
    return inherited | {name: to_text(value) for name, value in config.builder.args.items() if value is not None}


def to_text(value: object) -> str:
    """The value of a build argument as YAML spells it."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def create(builder: ImageBuilder) -> list[Argv]:
    """Make the builder, once its contexts are there; nothing if an engine builds by itself."""
    if builder.kind is BuilderKind.NATIVE or builder.is_engine:
        return []
    name = builder.name
    if builder.kind is BuilderKind.NATIVE_CACHED:
        return [["docker", "buildx", "create", "--name", name, "--use", "--driver=docker-container", *builder.options]]
    if builder.kind is BuilderKind.MULTIARCH:
        return [["docker", "buildx", "create", "--use", "--name", name, *builder.options]]
    return [
        [
            *("docker", "buildx", "create", *append, "--name", name, node.context),
            *("--platform", f"linux/{node.arch}", *builder.options),
        ]
        for append, node in zip(([], ["--append"]), builder.nodes, strict=False)
    ]


def create_context(builder: ImageBuilder, node: Node) -> Argv:
    """Make the docker command know an engine by name."""
    description = f"{builder.name} {node.arch} native host"
    options = ["--description", description, "--docker", f"host={node.host}"]
    return ["docker", "context", "create", node.context, *options]


def remove_command(builder: ImageBuilder) -> Argv:
    """Take the builder away, with what it has cached."""
    return ["docker", "buildx", "rm", builder.name]


def remove_context(node: Node) -> Argv:
    """Forget an engine."""
    return ["docker", "context", "rm", node.context]


def inspect(builder: ImageBuilder) -> Argv:
    """Succeeds if the builder is there."""
    return ["docker", "buildx", "inspect", builder.name]


def inspect_context(node: Node) -> Argv:
    """Print the address behind a context."""
    return ["docker", "context", "inspect", node.context, "--format", "{{.Endpoints.docker.Host}}"]


def reach(node: Node) -> Argv:
    """Succeeds if the engine behind a context answers."""
    return ["docker", "--context", node.context, "version", "--format", "{{.Server.Version}} {{.Server.Arch}}"]


def details(builder: ImageBuilder) -> list[Argv]:
    """Print what is known here; never the environment, as Kamal does for its native builder."""
    if builder.kind is BuilderKind.NATIVE:
        return [["docker", "version"]]
    return [["docker", "context", "ls"], ["docker", "buildx", "ls"]]


MISSING = re.compile(r"not found|no builder|does not exist", re.IGNORECASE)


def require_docker(programs: Programs) -> None:
    """Make sure that the docker command is there.

    Raises:
        BuildFailed: it is not.
    """
    if not programs.ask(HAS_DOCKER).succeeded:
        raise BuildFailed("Docker is not installed on this machine: install it, or build elsewhere and use --skip-push")


def has_buildx(programs: Programs) -> bool:
    """Whether the docker command can build with BuildKit's own builders."""
    return programs.ask(HAS_BUILDX).succeeded


def require_buildx(builder: ImageBuilder, programs: Programs) -> None:
    """Make sure that the docker command has the plugin that a builder needs.

    Raises:
        BuildFailed: it has not.
    """
    if builder.needs_buildx and not has_buildx(programs):
        raise BuildFailed(
            f"The builder {builder.kind} needs Docker's buildx plugin, which is not installed on this machine: "
            "install docker-buildx, or set builder.multiarch: false to build with the engine alone"
        )


def is_as_configured(builder: ImageBuilder, programs: Programs) -> bool:
    """Whether builder and contexts are there and lead to the configured hosts.

    Raises:
        BuildFailed: docker cannot tell.
    """
    hosts = [_answered(programs.ask(inspect_context(node))) for node in builder.nodes]
    is_there = not create(builder) or _answered(programs.ask(inspect(builder))) is not None
    return is_there and hosts == [node.host for node in builder.nodes]


def is_there(builder: ImageBuilder, programs: Programs) -> bool:
    """Whether the builder, or a context of it, is there.

    Raises:
        BuildFailed: docker cannot tell.
    """
    asked = [inspect_context(node) for node in builder.nodes]
    asked += [inspect(builder)] if create(builder) else []
    return any(_answered(programs.ask(argv)) is not None for argv in asked)


def _answered(answer: Answer) -> str | None:
    """What an inspection said; ``None`` if the thing is missing."""
    if answer.succeeded:
        return answer.out
    if MISSING.search(answer.error):
        return None
    raise BuildFailed(f"docker cannot tell what builders there are:\n  {answer.error}")


def ensure(builder: ImageBuilder, programs: Programs) -> bool:
    """Have the builder as configured; one that leads elsewhere is made anew (Kamal 1.9).

    Returns:
        Whether there was anything to do.

    Raises:
        BuildFailed: it cannot be made, or a build host does not answer.
    """
    if is_as_configured(builder, programs):
        return False
    remove(builder, programs)
    for node in builder.nodes:
        argv = create_context(builder, node)
        programs.run(argv, shown=shown(argv), hint=f"{node.place} cannot be made known to docker")
    _reach(builder, programs)
    for argv in create(builder):
        programs.run(argv, shown=shown(argv), hint=f"The builder {builder.name} cannot be made")
    return True


def _reach(builder: ImageBuilder, programs: Programs) -> None:
    for node in builder.nodes:
        answer = programs.ask(reach(node))
        if not answer.succeeded:
            remove(builder, programs)
            raise BuildFailed(f"The build host {node.place} does not answer:\n  {answer.error}\n{_way_out(node)}")


def _way_out(node: Node) -> str:
    address = re.sub(r"^ssh://", "", node.host)
    return f"Try `ssh {address} docker version`." if node.host.startswith("ssh://") else "Is its engine running?"


def remove(builder: ImageBuilder, programs: Programs) -> bool:
    """Take builder and contexts away, those that are there.

    Returns:
        Whether anything was there.

    Raises:
        BuildFailed: docker will not let go of one.
    """
    has_own = bool(create(builder))
    # While the hosts can still be reached, so that BuildKit's containers there go too. A host that is gone must
    # not keep the builder alive: without contexts nobody asks for it.
    first = programs.ask(remove_command(builder)) if has_own else Answer(succeeded=False, out="", error="not found")
    gone = [_removed(remove_context(node), programs) for node in builder.nodes]
    gone += [_removed(remove_command(builder), programs)] if has_own and not first.succeeded else []
    return any(gone) or first.succeeded or not MISSING.search(first.error)


def _removed(argv: list[str], programs: Programs) -> bool:
    answer = programs.ask(argv)
    if not answer.succeeded and not MISSING.search(answer.error):
        raise BuildFailed(f"`{shown(argv)}` failed:\n  {answer.error}")
    return answer.succeeded


@contextmanager
def programs_with_ssh(config: Config, builder: ImageBuilder, programs: Programs) -> Iterator[Programs]:
    """Programs for which ``ssh`` knows the keys and known hosts of the configuration.

    The docker command reaches ``ssh://`` addresses by whatever ``ssh`` it finds, and has no option for keys. So it
    finds one of ours first, which is the real one with a configuration. No secret is in it.
    """
    program = shutil.which("ssh")
    if program is None or not any(node.host.startswith("ssh://") for node in builder.nodes):
        yield programs
        return
    cache = Path("~/.cache/kamal_pyinfra").expanduser()  # a folder for temporary files may forbid programs
    cache.mkdir(parents=True, exist_ok=True, mode=0o700)
    with tempfile.TemporaryDirectory(prefix="ssh-", dir=cache) as name:
        folder = Path(name)
        (folder / "config").write_text(_settings(config), encoding="utf-8")
        (folder / "ssh").write_text(ssh_script(program, str(folder / "config")), encoding="utf-8")
        (folder / "ssh").chmod(0o700)
        yield programs.having(env={"PATH": f"{folder}{os.pathsep}{os.environ.get('PATH', os.defpath)}"})


def _settings(config: Config) -> str:
    keys = [_absolute(config, key) for key in config.ssh.keys]
    known_hosts = config.ssh.known_hosts
    return ssh_config(config.ssh, keys=keys, known_hosts=_absolute(config, known_hosts) if known_hosts else None)


def _absolute(config: Config, path: str) -> str:
    """A path that means the same wherever the build runs."""
    return str(config.root / Path(path).expanduser())
