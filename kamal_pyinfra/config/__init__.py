"""Read ``config/deploy.yml`` into a ``Config``; knows YAML, files and the environment, nothing of Docker or SSH."""

from __future__ import annotations

from kamal_pyinfra.config.accessory import Accessory
from kamal_pyinfra.config.env import Env
from kamal_pyinfra.config.load import load_config
from kamal_pyinfra.config.model import Config
from kamal_pyinfra.config.sections import Boot, Healthcheck, Logging, Ssh
from kamal_pyinfra.config.servers import Role, Server

__all__ = ["Accessory", "Boot", "Config", "Env", "Healthcheck", "Logging", "Role", "Server", "Ssh", "load_config"]
