"""The vocabulary of the plan: an accessory as it should be on a host."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kamal_pyinfra.plan.state import Options


@dataclass(frozen=True, kw_only=True)
class Upload:
    """A file for an accessory.

    Args:
        path: on the host.
        content: the whole file; ``None`` if there is no such file on this machine.
        digest: SHA-256 of the content, hexadecimal; empty without content.
    """

    path: str
    content: str | bytes | None = field(repr=False)
    digest: str


@dataclass(frozen=True, kw_only=True)
class AccessoryContainer:
    """An accessory as the configuration wants it on one host.

    Args:
        name: what the configuration calls it.
        container: the name of its container, and of its folder on the host.
        owner: ``SERVICE[-DESTINATION]/NAME``, the label by which it is ours.
        volumes: raw volumes, then files, then directories (Kamal 1.9), a source below the home as ``$PWD/…``.
        uploads: its files.
        directories: folders that must exist on the host.
        secret_names: variables that come from the env file.
        secrets: digest of the secret variables; ``None`` if they are kept as they are on the host.
        secret_checks: secret → a number that tells whether it changed.
        digest: of everything that ``docker run`` is given, besides name and secrets.
    """

    name: str
    container: str
    owner: str
    image: str
    publish: str | None
    env_file: str
    env: tuple[tuple[str, str], ...]
    labels: tuple[tuple[str, str], ...]
    volumes: tuple[str, ...]
    options: Options
    log_options: Options
    cmd: str | None
    uploads: tuple[Upload, ...]
    directories: tuple[str, ...]
    secret_names: tuple[str, ...]
    secrets: str | None = field(repr=False)
    secret_checks: Mapping[str, int] = field(repr=False)
    digest: str
