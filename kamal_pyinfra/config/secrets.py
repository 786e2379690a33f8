"""Which secrets exist, their values, and the configuration printed without them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from pydantic import SecretStr

from kamal_pyinfra.config.document.source import Source
from kamal_pyinfra.config.env import Env, env_file_problem
from kamal_pyinfra.config.model import Config
from kamal_pyinfra.config.servers import Role, Server
from kamal_pyinfra.errors import ConfigError
from kamal_pyinfra.redactor import REDACTED


class ListedSecret(NamedTuple):
    """A secret's name and where deploy.yml lists it; registry credentials never reach an env file."""

    name: str
    path: str
    in_env_file: bool = True


def listed_secrets(config: Config) -> Iterator[ListedSecret]:
    """Every name of a secret in the configuration, in the order of its sections."""
    for path, env in env_sections(config):
        for index, name in enumerate(env.secret):
            yield ListedSecret(name, f"{path}/secret/{index}")
    for key in ("username", "password"):
        names = getattr(config.registry, key)
        if isinstance(names, tuple):
            yield ListedSecret(names[0], f"registry/{key}/0", in_env_file=False)


def secret_values(config: Config) -> Iterator[str]:
    """Every secret of the configuration that is known here: of containers, of the registry, of builds, SSH keys."""
    names = dict.fromkeys(listed.name for listed in listed_secrets(config) if listed.path != "registry/username/0")
    yield from (config.environ.get(name, "") for name in (*names, *config.builder.secrets))
    if isinstance(config.registry.password, SecretStr):
        yield config.registry.password.get_secret_value()
    yield from (key.get_secret_value() for key in config.ssh.key_data)


def open_words(config: Config) -> Iterator[str]:
    """Names in the configuration that everybody reads, and that a secret may be equal to by chance."""
    yield from filter(None, (config.service, config.destination, config.registry.server, config.ssh.user))
    yield from config.image.replace(":", "/").split("/")
    yield from (*config.servers, *config.accessories, *(server.host for server in config.all_hosts))
    if isinstance(config.registry.username, str):
        yield config.registry.username


def env_sections(config: Config) -> Iterator[tuple[str, Env]]:
    """Every ``env`` of the configuration with its path."""
    yield "env", config.env
    yield from ((f"env/tags/{tag}", env) for tag, env in config.env.tags.items())
    yield from ((f"servers/{name}/env", section.env) for name, section in config.servers.items())
    yield from ((f"accessories/{name}/env", accessory.env) for name, accessory in config.accessories.items())
    yield "traefik/env", config.traefik.env


def how_to_set(source: Source) -> str:
    """How to give a variable a value."""
    files = ".env" if source.destination is None else f".env.{source.destination}, .env"
    return f"add it to {files} or export it"


def secret_value(config: Config, name: str) -> SecretStr:
    """The value of a secret, from the environment or an env file.

    Raises:
        ConfigError: it is not set; the line says where it is listed.
    """
    source = config.source
    if name in source.environ:
        return SecretStr(source.environ[name])
    path = next((listed.path for listed in listed_secrets(config) if listed.name == name), "")
    message = f"{name} is not set; {how_to_set(source)}"
    raise ConfigError(source.located(path, message) if path else message)


def missing_secrets(config: Config) -> list[str]:
    """A line for every listed secret that has no value; for the registry an empty one is none."""
    source = config.source
    return [
        source.located(listed.path, f"{listed.name} is not set; {how_to_set(source)}")
        for listed in listed_secrets(config)
        if listed.name not in source.environ or not (listed.in_env_file or source.environ[listed.name])
    ]


def require_secrets(config: Config) -> None:
    """Make sure that every secret has a value that Docker can carry.

    Raises:
        ConfigError: with a line for each that has not.
    """
    if problems := [*missing_secrets(config), *unusable_secrets(config)]:
        raise ConfigError(*problems)


def require_build_secrets(config: Config) -> None:
    """Make sure that every secret of the build has a value; only a build needs them.

    Raises:
        ConfigError: with a line for each that has none.
    """
    source = config.source
    problems = [
        source.located(f"builder/secrets/{index}", f"{name} is not set; {how_to_set(source)}")
        for index, name in enumerate(config.builder.secrets)
        if name not in source.environ
    ]
    if problems:
        raise ConfigError(*problems)


def unusable_secrets(config: Config) -> list[str]:
    """A line for every listed secret whose value would not reach the container as it is."""
    lines = []
    for listed in listed_secrets(config):
        value = config.environ.get(listed.name)
        complaint = (
            env_file_problem(listed.name, SecretStr(value)) if value is not None and listed.in_env_file else None
        )
        if complaint is not None:
            lines.append(config.source.located(listed.path, f"{listed.name} {complaint}"))
    return lines


def registry_credentials(config: Config) -> tuple[str, SecretStr]:
    """User name and password of the registry.

    Raises:
        ConfigError: a variable that the file names is not set.
    """
    username, password = (
        _credential(getattr(config.registry, key) or "", f"registry/{key}", config.source)
        for key in ("username", "password")
    )
    return username.get_secret_value(), password


def _credential(value: str | SecretStr | tuple[str], path: str, source: Source) -> SecretStr:
    """A registry credential, looked up when the file names a variable."""
    if isinstance(value, SecretStr):
        return value
    if isinstance(value, str):
        return SecretStr(value)
    found = source.environ.get(value[0])
    if not found:
        raise ConfigError(source.located(f"{path}/0", f"{value[0]} is not set; {how_to_set(source)}"))
    return SecretStr(found)


def redacted_dict(config: Config) -> dict[str, Any]:
    """Derived values first, then the sections with their defaults; secrets only by name."""
    sections = config.model_dump(mode="json", exclude={"service", "servers", "env", "labels"})
    sections["registry"] = {
        "server": config.registry.server,
        **{
            key: credential_name(value)
            for key in ("username", "password")
            if (value := getattr(config.registry, key)) is not None
        },
    }
    sections["builder"]["args"] = dict.fromkeys(config.builder.args, REDACTED)
    sections["ssh"]["key_data"] = [REDACTED for _ in config.ssh.key_data]
    return {
        "service": config.service,
        "destination": config.destination,
        "repository": config.repository,
        "primary_host": config.primary_host if config.servers[config.primary_role].hosts else None,
        "hosts": [public_server(server) for server in config.all_hosts],
        "roles": {role.name: public_role(config, role) for role in config.roles},
        **sections,
    }


def credential_name(value: str | SecretStr | tuple[str]) -> str | list[str]:
    """The name of the variable that holds a credential; the credential itself is never shown."""
    return list(value) if isinstance(value, tuple) else REDACTED


def public_server(server: Server) -> str | dict[str, Any]:
    """A host by name, with its settings if it has any."""
    settings = server.model_dump(mode="json", exclude_defaults=True)
    return server.host if settings.keys() == {"host"} else settings


def public_role(config: Config, role: Role) -> dict[str, Any]:
    """A role as it takes effect, with the environment of each of its hosts."""
    return {
        "hosts": [server.host for server in role.servers],
        "traefik": role.running_traefik,
        "cmd": role.cmd,
        "labels": {**config.labels, **role.labels},
        "options": {name: list(v) if isinstance(v, tuple) else v for name, v in role.options.items()},
        "healthcheck": role.healthcheck.model_dump(mode="json") if role.has_healthcheck else None,
        "logging": role.logging.model_dump(mode="json"),
        "asset_path": role.asset_path,
        "env": {server.host: public_env(config, role, server) for server in role.servers},
    }


def public_env(config: Config, role: Role, server: Server) -> dict[str, Any]:
    """The environment of a role's containers on one host; secrets by name."""
    env = config.env_for(role.name, server.host)
    return {"clear": {name: str(value) for name, value in env.clear.items()}, "secret": list(env.secret)}
