"""Every name and path on a host, spelled once. Source: Kamal 1.9, so that both tools find each other's work.

Paths are relative to the SSH user's home unless ``run_directory`` is absolute.
"""

from __future__ import annotations

import re

from kamal_pyinfra.config import Config

PROXY_CONTAINER = "traefik"

DIGEST_LABEL = "kp.digest"

OWNER_LABEL = "kp.owner"

ACCESSORY_LABEL = "kp.accessory"

RELEASE_LABEL = "kp.release"

SUFFIX_LABEL = "kp.suffix"

CLEAR_LABEL = "kp.clear"
"""Names the variables of a container whose values anybody may see; of no other does a value leave its host."""

HOSTNAME_LIMIT = 51

REPLACED_MARK = "_replaced_"

REPLICA_MARK = "_replica_"


def joined(*parts: str | None) -> str:
    """Names joined as everything on a host is; what is empty is left out."""
    return "-".join(filter(None, parts))


def service_name(config: Config) -> str:
    """``SERVICE[-DESTINATION]``: what owns a lock, an audit log or a proxy."""
    return joined(config.service, config.destination)


def container_prefix(config: Config, role: str) -> str:
    """``SERVICE-ROLE[-DESTINATION]``, shared by all versions of a role's container."""
    return joined(config.service, role, config.destination)


def container_name(config: Config, role: str, version: str) -> str:
    """``SERVICE-ROLE[-DESTINATION]-VERSION``."""
    return f"{container_prefix(config, role)}-{version}"


def replica_name(name: str, replica: int) -> str:
    """What a role's first container is called goes for it alone; the others add their number, counted from 2."""
    return name if replica == 1 else f"{name}{REPLICA_MARK}{replica}"


def replica_number(container: str) -> int:
    """Which of its role's containers on a host it is, by its name."""
    number = container.partition(REPLICA_MARK)[2].partition(REPLACED_MARK)[0]
    return int(number) if number.isascii() and number.isdigit() and len(number) < 5 else 1


def first_replica(container: str) -> str:
    """The name of the first container of the same role and version, whose folders of assets all of them share.

    One that stepped aside is of no version's any more, and keeps its name.
    """
    return container if REPLACED_MARK in container else container.partition(REPLICA_MARK)[0]


def release_container(config: Config, role: str, version: str, suffix: str) -> str:
    """The container of the release command, named as Kamal names those of ``app exec``."""
    return f"{container_prefix(config, role)}-exec-{version}-{suffix}"


def replaced_name(container: str, suffix: str) -> str:
    """The name a container gets when a new one of the same version takes its place."""
    return f"{container}{REPLACED_MARK}{suffix}"


def container_hostname(host: str, suffix: str, replica: int = 1) -> str:
    """The host's name and the replica's number from 2 on, cut so that with the suffix it stays a valid host name."""
    number = "" if replica == 1 else f"-{replica}"
    return f"{host[: HOSTNAME_LIMIT - len(number)].rstrip('.')}{number}-{suffix}"


def role_env_file(config: Config, role: str) -> str:
    """Where the secrets of a role lie on its hosts."""
    return f"{config.run_directory}/env/roles/{container_prefix(config, role)}.env"


def proxy_env_file(config: Config) -> str:
    """Where the secrets of the proxy lie on its hosts."""
    return f"{config.run_directory}/env/traefik/traefik.env"


def accessory_container(config: Config, name: str) -> str:
    """The container of an accessory: its ``service``, else ``SERVICE-NAME``; without destination (Kamal 1.9)."""
    return config.accessories[name].service or f"{config.service}-{name}"


def accessory_env_file(config: Config, container: str) -> str:
    """Where the secrets of an accessory lie on its hosts."""
    return f"{config.run_directory}/env/accessories/{container}.env"


def accessory_owner(config: Config, name: str) -> str:
    """``SERVICE[-DESTINATION]/NAME``: tells that a container is an accessory of ours, also when it left the config."""
    return f"{service_name(config)}/{name}"


def cords_directory(config: Config) -> str:
    """Parent of all cord directories."""
    return f"{config.run_directory}/cords"


def cord_directory(config: Config, role: str, run_id: str) -> str:
    """The directory that one container mounts; while it holds a file ``cord`` the container may serve."""
    return f"{cords_directory(config)}/{container_prefix(config, role)}-{run_id}"


def assets_directory(config: Config, kind: str) -> str:
    """Parent of the asset folders; ``kind`` is ``extracted`` or ``volumes``."""
    return f"{config.run_directory}/assets/{kind}"


def assets_path(config: Config, kind: str, container: str) -> str:
    """The asset folder of one container; ``kind`` is ``extracted`` or ``volumes``."""
    return f"{assets_directory(config, kind)}/{container}"


def locks_directory(config: Config) -> str:
    """Parent of all lock directories."""
    return f"{config.run_directory}/locks"


def lock_directory(config: Config) -> str:
    """The directory whose existence is the deploy lock."""
    return f"{locks_directory(config)}/{service_name(config)}"


def audit_log(config: Config) -> str:
    """The log of what was done to a service on a host."""
    return f"{config.run_directory}/{service_name(config)}-audit.log"


def hosts_record(config: Config) -> str:
    """What the last run wrote down on a host; ours alone, Kamal has none."""
    return f"{config.run_directory}/{service_name(config)}-hosts.json"


def edits_directory(config: Config) -> str:
    """What containers had changed of their image's files when they were put into service; ours alone."""
    return f"{config.run_directory}/{service_name(config)}-files"


def assets_sibling(path: str, container: str) -> str:
    """The asset folder of another container beside this one."""
    return f"{path.rpartition('/')[0]}/{container}"


def builder_name(config: Config, kind: str) -> str:
    """Name of the buildx builder on the deploying machine; ``kind`` is such as ``native/remote``."""
    return f"kamal-{config.service}-{kind.replace('/', '-')}"


def clone_directory(config: Config, hexadecimal: str) -> str:
    """The folder with the kept clone of a project, below the one for temporary files."""
    return f"kamal-clones/{config.service}-{hexadecimal}"


TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}", re.ASCII)
"""What Docker accepts as an image tag."""
