"""``config/deploy.yml`` → ``Config``. Knows YAML, files and the environment; nothing of Docker or SSH."""

from __future__ import annotations

from kamal_pyinfra.config.accessory import Accessory, Mount
from kamal_pyinfra.config.builder import Builder, BuilderCache, BuilderHost
from kamal_pyinfra.config.env import EffectiveEnv, Env
from kamal_pyinfra.config.load import load_config
from kamal_pyinfra.config.model import Config
from kamal_pyinfra.config.registry import Registry
from kamal_pyinfra.config.role import Role
from kamal_pyinfra.config.sections import Boot, Healthcheck, Logging, Ssh, Sshkit
from kamal_pyinfra.config.servers import Server
from kamal_pyinfra.config.traefik import Traefik

__all__ = [
    "Accessory",
    "Boot",
    "Builder",
    "BuilderCache",
    "BuilderHost",
    "Config",
    "EffectiveEnv",
    "Env",
    "Healthcheck",
    "Logging",
    "Mount",
    "Registry",
    "Role",
    "Server",
    "Ssh",
    "Sshkit",
    "Traefik",
    "load_config",
]
