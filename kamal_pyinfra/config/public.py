"""The configuration as a person may see it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import SecretStr

from kamal_pyinfra.redactor import REDACTED

if TYPE_CHECKING:
    from kamal_pyinfra.config.model import Config
    from kamal_pyinfra.config.role import Role
    from kamal_pyinfra.config.servers import Server


def public_dict(config: Config) -> dict[str, Any]:
    """Derived values first, then the sections with their defaults; secrets only by name."""
    sections = config.model_dump(mode="json", exclude={"service", "servers", "env", "labels"})
    sections["registry"] = {
        "server": config.registry.server,
        **{
            key: credential(value)
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


def credential(value: str | SecretStr | tuple[str]) -> str | list[str]:
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
