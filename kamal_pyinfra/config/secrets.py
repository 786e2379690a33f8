"""Which secrets exist, their values, and the configuration printed without them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from pydantic import SecretStr

from kamal_pyinfra.config.accessory import Accessory
from kamal_pyinfra.config.env import Env, env_file_problem
from kamal_pyinfra.config.model import Config
from kamal_pyinfra.config.servers import Role, RoleSection, Server
from kamal_pyinfra.config.traefik import Traefik
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
    """Every known secret of the configuration: of containers, of the registry, of builds, and SSH keys."""
    names = dict.fromkeys(listed.name for listed in listed_secrets(config) if listed.path != "registry/username/0")
    yield from (config.source.environ.get(name, "") for name in (*names, *config.builder.secrets))
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


def parts(config: Config) -> Iterator[tuple[tuple[str, ...], Config | RoleSection | Accessory | Traefik]]:
    """The configuration and its sections with an ``env`` and labels of containers, with the keys that lead to them."""
    yield (), config
    yield from ((("servers", name), section) for name, section in config.servers.items())
    yield from ((("accessories", name), accessory) for name, accessory in config.accessories.items())
    yield ("traefik",), config.traefik


def env_sections(config: Config) -> Iterator[tuple[str, Env]]:
    """Every ``env`` of the configuration with its path."""
    for steps, part in parts(config):
        yield "/".join((*steps, "env")), part.env
        if part is config:
            yield from ((f"env/tags/{tag}", env) for tag, env in config.env.tags.items())


def secret_value(config: Config, name: str) -> SecretStr:
    """The value of a secret, from the environment or an env file."""
    if name in config.source.environ:
        return SecretStr(config.source.environ[name])
    path = next((listed.path for listed in listed_secrets(config) if listed.name == name), "")
    raise ConfigError(_unset(config, path, name))


def missing_secrets(config: Config) -> list[str]:
    """A line for every listed secret that has no value; for the registry an empty one is none."""
    environ = config.source.environ
    return [
        _unset(config, listed.path, listed.name)
        for listed in listed_secrets(config)
        if listed.name not in environ or not (listed.in_env_file or environ[listed.name])
    ]


def _unset(config: Config, path: str, name: str) -> str:
    destination = config.destination
    files = ".env" if destination is None else f".env.{destination}, .env"
    message = f"{name} is not set; add it to {files} or export it"
    return config.source.located(path, message) if path else message


def require_secrets(config: Config) -> None:
    """Make sure that every secret has a value that Docker can carry."""
    problems = missing_secrets(config)
    for listed in listed_secrets(config):
        value = config.source.environ.get(listed.name)
        if value is not None and listed.in_env_file and (complaint := env_file_problem(listed.name, SecretStr(value))):
            problems.append(config.source.located(listed.path, f"{listed.name} {complaint}"))
    if problems:
        raise ConfigError(*problems)


def require_build_secrets(config: Config) -> None:
    """Make sure that every secret of the build has a value; only a build needs them."""
    missing = [(index, name) for index, name in enumerate(config.builder.secrets) if name not in config.source.environ]
    if missing:
        raise ConfigError(*(_unset(config, f"builder/secrets/{index}", name) for index, name in missing))


def registry_credentials(config: Config) -> tuple[str, SecretStr]:
    """User name and password of the registry."""
    found = []
    for key in ("username", "password"):
        value = getattr(config.registry, key) or ""
        if isinstance(value, tuple):
            (name,) = value
            value = config.source.environ.get(name)
            if not value:
                raise ConfigError(_unset(config, f"registry/{key}/0", name))
        found.append(value if isinstance(value, SecretStr) else SecretStr(value))
    return found[0].get_secret_value(), found[1]


def redacted_dict(config: Config) -> dict[str, Any]:
    """Derived values first, then the sections with their defaults; secrets only by name."""
    sections = config.model_dump(mode="json", exclude={"service", "servers", "env", "labels"})
    credentials = {key: getattr(config.registry, key) for key in ("username", "password")}
    sections["registry"] = {
        "server": config.registry.server,
        **{key: list(value) if isinstance(value, tuple) else REDACTED for key, value in credentials.items() if value},
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


def public_server(server: Server) -> str | dict[str, Any]:
    """A host by name, with its settings if it has any."""
    settings = server.model_dump(mode="json", exclude_defaults=True)
    return server.host if settings.keys() == {"host"} else settings


def public_role(config: Config, role: Role) -> dict[str, Any]:
    """A role as it takes effect, with the environment of each of its hosts; secrets by name."""
    envs = {server.host: config.env_for(role.name, server.host) for server in role.servers}
    return {
        "hosts": list(envs),
        "traefik": role.running_traefik,
        "cmd": role.cmd,
        "labels": {**config.labels, **role.labels},
        "options": {name: list(v) if isinstance(v, tuple) else v for name, v in role.options.items()},
        "healthcheck": role.healthcheck.model_dump(mode="json") if role.has_healthcheck else None,
        "logging": role.logging.model_dump(mode="json"),
        "asset_path": role.asset_path,
        "env": {
            host: {"clear": {name: str(value) for name, value in env.clear.items()}, "secret": list(env.secret)}
            for host, env in envs.items()
        },
    }
