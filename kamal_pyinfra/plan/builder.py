"""What builds the image: one of Kamal 1.9's five builders, chosen by the ``builder`` section. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from kamal_pyinfra import naming
from kamal_pyinfra.config import Config

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
    options = ("--driver-opt", "network=host") if config.registry.is_own else ()
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
