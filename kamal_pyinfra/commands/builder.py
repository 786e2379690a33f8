"""Argument lists for the docker command of the deploying machine. Source of names and order: Kamal 1.9."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from kamal_pyinfra.config import Config
from kamal_pyinfra.config.builder import PROXY
from kamal_pyinfra.plan.builder import BuilderKind, ImageBuilder, Node

Argv = list[str]

HAS_DOCKER: Argv = ["docker", "--version"]
HAS_BUILDX: Argv = ["docker", "buildx", "version"]


def log_in(server: str | None, username: str) -> Argv:
    """``docker login``; the password comes on standard input."""
    return ["docker", "login", *([server] if server else []), "-u", username, "--password-stdin"]


def log_out(server: str | None) -> list[str]:
    """``docker logout``."""
    return ["docker", "logout", *([server] if server else [])]


def build_and_push(config: Config, version: str, builder: ImageBuilder, *, pushes: bool = True) -> list[Argv]:
    """Build both tags and push them, one command after the other; or leave them in this machine's engine."""
    options = [*build_options(config, version), context(config)]
    if builder.kind is BuilderKind.NATIVE:
        every = [["docker", "push", reference] for reference in references(config, version)]
        return [["docker", "build", *options], *(every if pushes else [])]
    platform = ["--platform", ",".join(builder.platforms)] if builder.platforms else []
    name = builder.nodes[0].context if builder.is_engine else builder.name
    engine = ["--context", name] if builder.is_engine else []
    return [
        ["docker", *engine, "buildx", "build", "--push" if pushes else "--load", *platform, "--builder", name, *options]
    ]


def references(config: Config, version: str) -> list[str]:
    """The version's tag and the one that moves along."""
    return [config.absolute_image(version), f"{config.repository}:{config.latest_tag}"]


def context(config: Config) -> str:
    """The folder to build, relative to where the build runs."""
    return config.builder.context or "."


def build_options(config: Config, version: str) -> Argv:
    """Tags, cache, label, arguments, secrets, file, target and SSH.

    Build arguments are named only: their values are handed over in the environment, see
    :func:`build_environment`, so that no process list shows them. Those of proxies are written out, since docker
    itself would obey them there.
    """
    builder = config.builder
    tags = [word for reference in references(config, version) for word in ("-t", reference)]
    values = argument_values(config)
    arguments = [
        word
        for name in builder.args
        for word in ("--build-arg", f"{name}={values[name]}" if PROXY.fullmatch(name) and name in values else name)
    ]
    secrets = [word for name in builder.secrets for word in ("--secret", f"id={name}")]
    return [
        *tags,
        *cache_options(config),
        "--label",
        f"service={config.service}",
        *arguments,
        *secrets,
        "--file",
        builder.dockerfile,
        *(["--target", builder.target] if builder.target else []),
        *(["--ssh", expanded(builder.ssh, config.environ)] if builder.ssh else []),
    ]


def expanded(text: str, environ: Mapping[str, str]) -> str:
    """The text with ``$NAME`` replaced; Kamal's shell does that, and its documentation relies on it."""
    return re.sub(r"\$(\w+)", lambda match: environ.get(match[1], match[0]), text)


def cache_options(config: Config) -> Argv:
    """Where layers are kept between builds."""
    cache = config.builder.cache
    if cache is None:
        return []
    image = "/".join(filter(None, (config.registry.server, cache.image or f"{config.image}-build-cache")))
    reference = f"ref={image}" if cache.type == "registry" else ""
    kind = f"type={cache.type}"
    to = ",".join(filter(None, (kind, cache.options, reference)))
    return ["--cache-to", to, "--cache-from", ",".join(filter(None, (kind, reference)))]


def build_environment(config: Config) -> dict[str, str]:
    """Values of the build arguments and secrets, for the environment of the build."""
    arguments = {name: value for name, value in argument_values(config).items() if not PROXY.fullmatch(name)}
    secrets = {name: config.secret(name).get_secret_value() for name in config.builder.secrets}
    # Docker before 23 has BuildKit but does not use it unasked, and nothing else can hand over secrets and keys.
    buildkit = {"DOCKER_BUILDKIT": "1"} if config.builder.secrets or config.builder.ssh else {}
    return arguments | secrets | buildkit


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


def remove(builder: ImageBuilder) -> Argv:
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


def shown(argv: Sequence[str]) -> str:
    """The words that name a command in a message."""
    words = list(argv)
    if "--context" in words[:2]:
        del words[1:3]
    return " ".join(words[:3] if words[1] in ("buildx", "context") else words[:2])
