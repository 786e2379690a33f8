"""Argument lists for the local Docker engine. Source of the order: Kamal 1.9."""

from __future__ import annotations

from kamal_pyinfra.config import Config


def log_in(server: str | None, username: str) -> list[str]:
    """``docker login``; the password comes on standard input."""
    return ["docker", "login", *([server] if server else []), "-u", username, "--password-stdin"]


def log_out(server: str | None) -> list[str]:
    """``docker logout``."""
    return ["docker", "logout", *([server] if server else [])]


def build_with_buildx(config: Config, version: str) -> list[str]:
    """Build and push in one command."""
    return ["docker", "buildx", "build", "--push", *build_options(config, version), context(config)]


def build(config: Config, version: str) -> list[str]:
    """Build with an engine that has no buildx."""
    return ["docker", "build", *build_options(config, version), context(config)]


def push(config: Config, version: str) -> list[list[str]]:
    """Push both tags."""
    return [["docker", "push", "--quiet", reference] for reference in references(config, version)]


def references(config: Config, version: str) -> list[str]:
    """The version's tag and the one that moves along."""
    return [config.absolute_image(version), f"{config.repository}:{config.latest_tag}"]


def context(config: Config) -> str:
    """The folder to build, relative to where the build runs."""
    return config.builder.context or "."


def build_options(config: Config, version: str) -> list[str]:
    """Tags, label, arguments, secrets, file, target and SSH.

    Build arguments are named only: their values are handed over in the environment, see
    :func:`build_environment`, so that no process list shows them.
    """
    builder = config.builder
    tags = [word for reference in references(config, version) for word in ("-t", reference)]
    arguments = [word for name in builder.args for word in ("--build-arg", name)]
    secrets = [word for name in builder.secrets for word in ("--secret", f"id={name}")]
    return [
        *tags,
        "--label",
        f"service={config.service}",
        *arguments,
        *secrets,
        "--file",
        builder.dockerfile,
        *(["--target", builder.target] if builder.target else []),
        *(["--ssh", builder.ssh] if builder.ssh else []),
    ]


def build_environment(config: Config) -> dict[str, str]:
    """Values of the build arguments and secrets, for the environment of the build."""
    arguments = {name: str(value) for name, value in config.builder.args.items() if value is not None}
    secrets = {name: config.secret(name).get_secret_value() for name in config.builder.secrets}
    return arguments | secrets
