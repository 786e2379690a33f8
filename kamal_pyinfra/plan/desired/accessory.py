"""The accessories of a host, as Kamal 1.9 would run them."""

from __future__ import annotations

from dataclasses import replace
from posixpath import normpath

from kamal_pyinfra import naming
from kamal_pyinfra.config import Config
from kamal_pyinfra.config.accessory import Accessory, Mount
from kamal_pyinfra.errors import ConfigError
from kamal_pyinfra.plan.docker_values import log_options
from kamal_pyinfra.plan.run import Run
from kamal_pyinfra.plan.state.desired import AccessoryContainer, Upload
from kamal_pyinfra.plan.state.digest import completed, digest_content

WORKING_FOLDER = "$PWD/"
"""How a volume's source below the SSH user's home begins; only the host knows that folder."""


def accessories_on(run: Run, host: str) -> tuple[AccessoryContainer, ...]:
    """The accessories that the run may change on a host, in the order of the configuration.

    Raises:
        ConfigError: a secret or, if they are booted, a file of theirs is missing.
    """
    names = run.config.accessories_on(host)
    return tuple(accessory_container(run, name) for name in names if run.includes_accessory(name))


def every_accessory(run: Run) -> tuple[AccessoryContainer, ...]:
    """All accessories of the configuration, wherever they are; without a need for secrets or files."""
    reading = replace(run, keeps_env=True, command="deploy")
    return tuple(accessory_container(reading, name) for name in run.config.accessories)


def accessory_container(run: Run, name: str) -> AccessoryContainer:
    """The container that an accessory should be, the same on all its hosts."""
    config, section = run.config, run.config.accessories[name]
    container = naming.accessory_container(config, name)
    accessory = AccessoryContainer(
        key=name,
        name=container,
        owner=naming.accessory_owner(config, name),
        image=section.image,
        publish=section.publish,
        env_file=naming.accessory_env_file(config, container),
        labels=tuple(({"service": container} | dict(section.labels)).items()),
        volumes=_volumes(section, container),
        options=tuple(section.options.items()),
        log_options=log_options(config.logging),
        cmd=section.cmd,
        uploads=tuple(
            Upload(
                path=_file_path(target, container),
                content=content,
                digest="" if content is None else digest_content(content),
            )
            for target, content in _contents(run, name).items()
        ),
        directories=tuple(_on_host(mount.source, container) for mount in section.directories),
    )
    return completed(accessory, config, config.accessory_env(name), keeps_secrets=run.keeps_env)


def _volumes(section: Accessory, container: str) -> tuple[str, ...]:
    files = (_mount(_file_path(mount.target, container), mount) for mount in section.files)
    directories = (_mount(_on_host(mount.source, container), mount) for mount in section.directories)
    return (*section.volumes, *files, *directories)


def _mount(path: str, mount: Mount) -> str:
    source = path if path.startswith("/") else f"{WORKING_FOLDER}{path}"
    return ":".join(filter(None, (source, mount.target, mount.mode)))


def _file_path(target: str, container: str) -> str:
    """Where a file for the container's path lies: below the accessory's folder, and never above it."""
    return f"{container}{normpath(f'/{target}').replace('//', '/')}"


def _on_host(source: str, container: str) -> str:
    return source if source.startswith("/") else f"{container}/{source}"


def _contents(run: Run, name: str) -> dict[str, str | bytes | None]:
    """Only what boots uploads files, and needs them; commands that keep secrets do not."""
    config: Config = run.config
    try:
        return dict(config.accessory_files(name))
    except ConfigError:
        if run.behaviour.boots_accessories and not run.keeps_env:
            raise
        return {mount.target: None for mount in config.accessories[name].files}
