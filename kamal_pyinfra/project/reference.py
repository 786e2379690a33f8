"""Documented samples and the JSON Schema of deploy.yml, generated from the models."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator
from typing import Any, get_args

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from kamal_pyinfra.config.accessory import Accessory
from kamal_pyinfra.config.document.tree import did_you_mean
from kamal_pyinfra.config.env import Env
from kamal_pyinfra.config.image import Builder, Registry
from kamal_pyinfra.config.model import Config
from kamal_pyinfra.config.sections import Boot, Healthcheck, Logging, Ssh, Sshkit
from kamal_pyinfra.config.servers import RoleSection
from kamal_pyinfra.config.traefik import Traefik
from kamal_pyinfra.errors import ConfigError

HOSTS = """
- 192.0.2.11
- 192.0.2.12: canary
- 192.0.2.13: [canary, fast]
- 192.0.2.14:
    user: deploy
    port: 2222
    key: ~/.ssh/shop
    sudo: true
    tags: fast"""

SERVERS = f"""\
# Hosts: a plain list is role `web`.
#
# servers:
#   - 192.0.2.11
#   - 192.0.2.12
#
# Roles have a list of hosts, or a hash with settings (`kp docs role`).
servers:
  # A host is written as HOST, HOST: TAG, HOST: [TAG, ...] or HOST: {{KEY: VALUE, ...}}. Tags choose from
  # `env/tags`; user, port, key and sudo (not in Kamal 1.9) set the connection to this host where it differs from `ssh`.
  web:{HOSTS.replace(chr(10), chr(10) + "    ")}
  job:
    hosts:
      - 192.0.2.15
    cmd: bin/jobs

# The tags that hosts carry.
env:
  tags:
    canary:
      LOG_LEVEL: debug
    fast:
      THREADS: 8
"""

VALUES: dict[str, dict[str, str]] = {
    "Config": {
        "service": "shop",
        "image": "acme/shop",
        "servers": "\n- 192.0.2.11\n- 192.0.2.12",
        "registry": "\nserver: registry.example.com\nusername: acme\npassword:\n  - KAMAL_REGISTRY_PASSWORD",
        "labels": "\nteam: checkout",
        "volumes": "\n- /srv/uploads:/app/uploads",
        "env": "\nLOG_LEVEL: info",
        "asset_path": "/app/public/assets",
        "stop_wait_time": "30",
        "deploy_timeout": "60",
        "drain_timeout": "60",
        "minimum_version": "1.9.0",
        "ssh": "\nuser: deploy",
        "sshkit": "\nmax_concurrent_starts: 30",
        "builder": "\ndockerfile: Dockerfile",
        "accessories": "\ndb:\n  image: postgres:16\n  host: 192.0.2.20",
        "traefik": "\nhost_port: 80",
        "release": "\ncmd: bin/migrate\ntimeout: 600",
        "boot": "\nlimit: 1",
        "healthcheck": "\npath: /up\nport: 3000",
        "logging": "\noptions:\n  max-size: 100m",
    },
    "RoleSection": {
        "hosts": "\n- 192.0.2.11\n- 192.0.2.12",
        "traefik": "true",
        "cmd": "bin/web",
        "options": "\nmemory: 1g\ncpus: 2\ncap-add: [NET_ADMIN, SYS_PTRACE]",
        "healthcheck": "\npath: /healthz",
        "logging": "\ndriver: local",
        "labels": "\ntraefik.http.routers.shop-web.rule: Host(`shop.example.com`)",
        "env": "\nTHREADS: 8",
        "asset_path": "/app/public/assets",
        "replicas": "2",
    },
    "Registry": {
        "server": "registry.example.com",
        "username": "acme",
        "password": "\n- KAMAL_REGISTRY_PASSWORD",
        "image": "# registry:2",
    },
    "Env": {
        "clear": "\nLOG_LEVEL: info\nDATABASE_HOST: 192.0.2.20",
        "secret": "\n- DATABASE_PASSWORD\n- SECRET_KEY",
        "tags": "\ncanary:\n  LOG_LEVEL: debug",
    },
    "Ssh": {
        "proxy": "jump.example.com",
        "proxy_command": "# ssh -W %h:%p jump.example.com",
        "keys": "\n- ~/.ssh/id_ed25519",
        "key_data": "# [PEM]",
        "known_hosts": "~/.ssh/known_hosts",
    },
    "Release": {"cmd": "bin/migrate", "role": "web", "host": "192.0.2.11"},
    "Boot": {"limit": "25%", "wait": "2", "watch": "\nseconds: 30"},
    "Watch": {"seconds": "30", "cmd": "bin/smoke-test", "url": "http://localhost/deep-check"},
    "Logging": {"driver": "json-file", "options": "\nmax-size: 100m\nmax-file: 3"},
    "Healthcheck": {"cmd": "# curl -f http://localhost:3000/up || exit 1"},
    "Traefik": {
        "labels": "\ntraefik.http.middlewares.limit.ratelimit.average: 100",
        "args": "\naccesslog: true\naccesslog.format: json",
        "options": "\npublish: 443:443\nmemory: 512m",
        "env": "\nclear:\n  TZ: UTC\nsecret:\n  - DNS_API_TOKEN",
    },
    "Accessory": {
        "service": "shop-database",
        "image": "postgres:16",
        "host": "192.0.2.20",
        "hosts": "# [192.0.2.20, 192.0.2.21]",
        "roles": "# [web]",
        "port": "127.0.0.1:5432:5432",
        "cmd": "postgres -N 200",
        "labels": "\nteam: data",
        "options": "\nmemory: 2g",
        "env": "\nclear:\n  POSTGRES_USER: shop\nsecret:\n  - POSTGRES_PASSWORD",
        "files": "\n- config/postgres.conf:/etc/postgresql/postgres.conf:ro",
        "directories": "\n- data:/var/lib/postgresql/data",
        "volumes": "\n- /srv/backup:/backup",
    },
    "Builder": {
        "local": "\narch: amd64\nhost: unix:///var/run/docker.sock",
        "remote": "\narch: arm64\nhost: ssh://root@192.0.2.30",
        "cache": "\ntype: registry\noptions: mode=max\nimage: shop-build-cache",
        "context": "# .",
        "target": "production",
        "args": "\nPYTHON_VERSION: 3.13",
        "secrets": "\n- PACKAGE_TOKEN",
        "ssh": "default",
    },
}

WIDTH = 110

SECTIONS: dict[str, tuple[type[BaseModel], tuple[str, ...]]] = {
    "accessory": (Accessory, ("accessories", "db")),
    "boot": (Boot, ("boot",)),
    "builder": (Builder, ("builder",)),
    "configuration": (Config, ()),
    "env": (Env, ("env",)),
    "healthcheck": (Healthcheck, ("healthcheck",)),
    "logging": (Logging, ("logging",)),
    "registry": (Registry, ("registry",)),
    "role": (RoleSection, ("servers", "web")),
    "servers": (RoleSection, ("servers",)),
    "ssh": (Ssh, ("ssh",)),
    "sshkit": (Sshkit, ("sshkit",)),
    "traefik": (Traefik, ("traefik",)),
}
"""The pages of ``kp docs`` (Kamal 1.9), and the section's place in the file."""

PAGES = {name: name for name in SECTIONS} | {"accessories": "accessory"}
"""Pages about keys that hold a section."""
NOTHING = "# ..."


def sample(section: str = "configuration") -> str:
    """The documented sample of a section or a single key, as it could stand in deploy.yml.

    Raises ConfigError for an unknown section, with a list of all.
    """
    section = PAGES.get(section, section)
    if section not in SECTIONS and section in Config.model_fields:
        return "\n".join(key(Config, section, 0)).rstrip() + "\n"
    if section not in SECTIONS:
        hint = did_you_mean(section, SECTIONS)
        raise ConfigError(f"no documentation for {section!r}{hint}; there is: {', '.join(SECTIONS)}")
    if section == "servers":
        return SERVERS
    model, path = SECTIONS[section]
    about = comment((model.__doc__ or "").splitlines()[0].replace("``", "`"), 0)
    parents = [f"{'  ' * depth}{key}:" for depth, key in enumerate(path)]
    about += [] if path else [""]
    return "\n".join([*about, *parents, *keys(model, len(path))]).rstrip() + "\n"


def keys(model: type[BaseModel], depth: int) -> Iterator[str]:
    """The keys of a section, each below its meaning."""
    for name in model.model_fields:
        yield from key(model, name, depth)


def key(model: type[BaseModel], name: str, depth: int) -> Iterator[str]:
    """A key of a section below its meaning."""
    field = model.model_fields[name]
    value = VALUES.get(model.__name__, {}).get(name) or default_text(field)
    yield from comment(meaning(name, field, value), depth)
    yield from entry(name, value, depth)
    yield ""


def meaning(name: str, field: FieldInfo, value: str) -> str:
    """A key's meaning, whether it is required, and its default where the sample shows another value."""
    default = default_text(field)
    texts = [field.description or ""]
    if field.is_required():
        texts.append("Required.")
    elif default not in (value, NOTHING, "", "{}", "[]"):
        texts.append(f"Default: {default}.")
    if isinstance(field.json_schema_extra, dict) and field.json_schema_extra.get("x-kamal") is False:
        texts.append("Not in Kamal 1.9.")
    page = PAGES.get(name)
    if page is not None and value.startswith("\n"):
        texts.append(f"More: `kp docs {page}`.")
    return " ".join(texts)


def comment(text: str, depth: int) -> list[str]:
    """A text as comment lines."""
    prefix = "  " * depth + "# "
    return textwrap.wrap(text, WIDTH, initial_indent=prefix, subsequent_indent=prefix, break_on_hyphens=False)


def entry(name: str, value: str, depth: int) -> list[str]:
    """A key with its value, or as a comment."""
    indent = "  " * depth
    if value.startswith("#"):
        return [f"{indent}# {name}: {value.removeprefix('#').strip()}"]
    if value.startswith("\n"):
        return [f"{indent}{name}:", *textwrap.indent(value.lstrip("\n"), f"{indent}  ").splitlines()]
    return [f"{indent}{name}: {value}"]


def default_text(field: FieldInfo) -> str:
    """A default as YAML; without one, the empty value of its type."""
    value = None if field.is_required() else field.default
    if isinstance(value, BaseModel):
        return "{}"
    if value is None:
        return "{}" if any(issubclass(kind, BaseModel) for kind in kinds(field)) else NOTHING
    return value if isinstance(value, str) else json.dumps(value)


def kinds(field: FieldInfo) -> list[type]:
    """The classes that a key's value may be."""
    return [kind for kind in (field.annotation, *get_args(field.annotation)) if isinstance(kind, type)]


HEAD = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "deploy.yml of kamal_pyinfra"}


def schema_text() -> str:
    """The whole schema as JSON."""
    whole = Config.model_json_schema(mode="validation")
    for node in nodes(whole):
        if "default" in node and node["default"] is None and "anyOf" in node:
            node["anyOf"] = [choice for choice in node["anyOf"] if choice != {"type": "null"}]
        if isinstance(node.get("default"), dict | list) or node.get("default", 0) is None:
            del node["default"]
    return json.dumps({**whole, **HEAD, "patternProperties": {"^x-": {}}}, indent=2) + "\n"


def nodes(value: Any) -> Iterator[dict[str, Any]]:
    """Every object in a JSON value."""
    if isinstance(value, dict):
        yield value
    for child in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from nodes(child)
