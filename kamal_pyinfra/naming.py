"""Every name and path on a host, as in Kamal 1.9; below the user's home unless ``run_directory`` is absolute."""

from __future__ import annotations

from kamal_pyinfra.config import Config

PROXY_CONTAINER = "traefik"
DIGEST_LABEL = "kp.digest"
OWNER_LABEL = "kp.owner"
ACCESSORY_LABEL = "kp.accessory"
RELEASE_LABEL = "kp.release"
SUFFIX_LABEL = "kp.suffix"
CLEAR_LABEL = "kp.clear"  # names the clear variables of a container; the values of others do not leave their host
HOSTNAME_LIMIT = 51
REPLACED_MARK = "_replaced_"
REPLICA_MARK = "_replica_"


def joined(*parts: str | None) -> str:
    """Names joined by hyphens, without empty ones."""
    return "-".join(filter(None, parts))


def service_name(config: Config) -> str:
    """``SERVICE[-DESTINATION]``, which locks, audit logs and proxies are named after."""
    return joined(config.service, config.destination)


def container_prefix(config: Config, role: str) -> str:
    """``SERVICE-ROLE[-DESTINATION]``, shared by all versions of a role's container."""
    return joined(config.service, role, config.destination)


def container_name(config: Config, role: str, version: str) -> str:
    """``SERVICE-ROLE[-DESTINATION]-VERSION``."""
    return f"{container_prefix(config, role)}-{version}"


def replica_name(name: str, replica: int) -> str:
    """The name of a replica: the first has the plain name, the others add their number."""
    return name if replica == 1 else f"{name}{REPLICA_MARK}{replica}"


def replica_number(container: str) -> int:
    """The number of a replica among its role's containers on a host, from its name."""
    number = container.partition(REPLICA_MARK)[2].partition(REPLACED_MARK)[0]
    return int(number) if number.isascii() and number.isdigit() and len(number) < 5 else 1


def first_replica(container: str) -> str:
    """The name of the first replica of the same role and version, whose asset folders all of them share."""
    # A replaced container belongs to no version any more.
    return container if REPLACED_MARK in container else container.partition(REPLICA_MARK)[0]


def replaced_name(container: str, suffix: str) -> str:
    """The name of a container after another of the same version took its place."""
    return f"{container}{REPLACED_MARK}{suffix}"


def container_hostname(host: str, suffix: str, replica: int = 1) -> str:
    """The host's name and the replica's number from 2 on, cut so that it stays a valid host name with the suffix."""
    number = "" if replica == 1 else f"-{replica}"
    return f"{host[: HOSTNAME_LIMIT - len(number)].rstrip('.')}{number}-{suffix}"


def image_reference(config: Config, version: str) -> str:
    """``[SERVER/]IMAGE:VERSION``, by which the image of a version is pushed and pulled."""
    return f"{config.repository}:{version}"


def latest_tag(config: Config) -> str:
    """``latest[-DESTINATION]``, the tag of the version in service."""
    return joined("latest", config.destination)


def role_env_file(config: Config, role: str) -> str:
    """The env file with the secrets of a role."""
    return f"{config.run_directory}/env/roles/{container_prefix(config, role)}.env"


def proxy_env_file(config: Config) -> str:
    """The env file with the secrets of the proxy."""
    return f"{config.run_directory}/env/traefik/traefik.env"


def accessory_container(config: Config, name: str) -> str:
    """The container of an accessory: its ``service``, else ``SERVICE-NAME``; without destination (Kamal 1.9)."""
    return config.accessories[name].service or f"{config.service}-{name}"


def accessory_env_file(config: Config, container: str) -> str:
    """The env file with the secrets of an accessory."""
    return f"{config.run_directory}/env/accessories/{container}.env"


def accessory_owner(config: Config, name: str) -> str:
    """``SERVICE[-DESTINATION]/NAME``, which marks an accessory of the service even after it left the configuration."""
    return f"{service_name(config)}/{name}"


def cord_directory(config: Config, role: str, run_id: str) -> str:
    """The directory that one container mounts; the container may serve while there is a file ``cord`` in it."""
    return f"{config.run_directory}/cords/{container_prefix(config, role)}-{run_id}"


def assets_path(config: Config, kind: str, container: str) -> str:
    """The asset folder of one container; ``kind`` is ``extracted`` or ``volumes``."""
    return f"{config.run_directory}/assets/{kind}/{container}"


def lock_directory(config: Config) -> str:
    """The directory that is the deploy lock."""
    return f"{config.run_directory}/locks/{service_name(config)}"


def audit_log(config: Config) -> str:
    """The log of changes to a service on a host."""
    return f"{config.run_directory}/{service_name(config)}-audit.log"


def hosts_record(config: Config) -> str:
    """The record of the last run on a host; Kamal has none."""
    return f"{config.run_directory}/{service_name(config)}-hosts.json"


def edits_directory(config: Config) -> str:
    """Records of files that containers had changed in their image when put into service; Kamal has none."""
    return f"{config.run_directory}/{service_name(config)}-files"


def assets_sibling(path: str, container: str) -> str:
    """The asset folder of another container, next to a given one."""
    return f"{path.rpartition('/')[0]}/{container}"
