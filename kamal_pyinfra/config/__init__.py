"""Read ``config/deploy.yml`` into a ``Config``; knows YAML, files and the environment, nothing of Docker or SSH."""

from __future__ import annotations

from kamal_pyinfra.config.accessory import Accessory, Mount
from kamal_pyinfra.config.env import EffectiveEnv, Env
from kamal_pyinfra.config.image import Builder, BuilderCache, BuilderHost, Registry
from kamal_pyinfra.config.load import load_config
from kamal_pyinfra.config.model import Config
from kamal_pyinfra.config.sections import Boot, Healthcheck, Logging, Ssh, Sshkit
from kamal_pyinfra.config.servers import Role, Server
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
