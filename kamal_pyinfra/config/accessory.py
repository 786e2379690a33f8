"""The section ``accessories``, with the local files that are uploaded."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, model_serializer, model_validator

from kamal_pyinfra.config.document.erb import Renderer, Values
from kamal_pyinfra.config.document.source import Source
from kamal_pyinfra.config.env import Env
from kamal_pyinfra.config.sections import Options
from kamal_pyinfra.config.servers import Server
from kamal_pyinfra.config.values import FilledText, Section, Text, field, problem, to_text
from kamal_pyinfra.errors import ConfigError


class Mount(Section):
    """One entry of ``files`` or ``directories``: ``source:target[:mode]``."""

    source: str
    target: str
    mode: str | None = None

    @model_serializer
    def as_text(self) -> str:
        """The entry as it was written."""
        return str(self)

    def __str__(self) -> str:
        return ":".join(part for part in (self.source, self.target, self.mode) if part is not None)


def to_mount(value: object) -> object:
    """Split ``source:target[:mode]``; the mode is passed on to Docker."""
    if isinstance(value, Mount):
        return value
    source, _, rest = to_text(value).partition(":")
    target, colon, mode = rest.partition(":")
    if not source or not target or (colon and not mode):
        raise problem("should be SOURCE:TARGET or SOURCE:TARGET:MODE")
    return Mount(source=source, target=target, mode=mode or None)


Mounts = tuple[Annotated[Mount, BeforeValidator(to_mount, json_schema_input_type=str)], ...]


class Accessory(Section):
    """A container beside the app that lives longer than a deploy, such as a database."""

    service: FilledText | None = field("Name; `SERVICE-NAME` without it.")
    image: FilledText = field("Image.", ...)
    host: Server | None = field("The host that runs it.")
    hosts: tuple[Server, ...] | None = field("The hosts that run it.")
    roles: tuple[Text, ...] | None = field("Roles whose hosts run it.")
    port: FilledText | None = field("Published port: `N`, `HOST:N` or `IP:HOST:N`.")
    cmd: Text | None = field("Command; the image's without it.")
    labels: dict[str, Text] = field("Labels of the container.", {})
    options: Options = field("More options for `docker run`.", {})
    env: Env = field("Environment.", Env())
    files: Mounts = field("Files to upload and mount, as `local:container[:mode]`.", ())
    directories: Mounts = field("Folders to create and mount, as `host:container[:mode]`.", ())
    volumes: tuple[Text, ...] = field("Volumes, as `docker run --volume` takes them.", ())

    @model_validator(mode="before")
    @classmethod
    def one_kind_of_host(cls, value: Any) -> Any:
        """Require exactly one of ``host``, ``hosts`` and ``roles``."""
        if isinstance(value, dict) and len(value.keys() & {"host", "hosts", "roles"}) != 1:
            raise problem("specify one of `host`, `hosts` or `roles`", at=value)
        return value

    @property
    def publish(self) -> str | None:
        """The port as ``docker run --publish`` takes it."""
        if self.port is None or ":" in self.port:
            return self.port
        return f"{self.port}:{self.port}"


def read_files(accessory: Accessory, place: str, source: Source) -> dict[str, str | bytes]:
    """Contents of the files to upload, by their paths in the container; a ConfigError names each unusable file.

    Two entries with the same local file are two uploads (Kamal 1.9 makes them one), and a folder is uploaded file by
    file (Kamal 1.9 fails). ``place`` is the section's path in the document.
    """
    values = Values({**source.environ, **accessory.env.clear}, source.root)
    contents: dict[str, str | bytes] = {}
    problems: list[str] = []
    for index, mount in enumerate(accessory.files):
        try:
            contents |= dict(_contents(mount, source.root, values))
        except OSError as error:
            message = f"{mount.source} cannot be read: {error.strerror}; add it, or correct the path"
            problems.append(source.located(f"{place}/files/{index}", message))
        except ConfigError as error:
            problems.append(str(error))
    if problems:
        raise ConfigError(*problems)
    return contents


def _contents(mount: Mount, root: Path, values: Values) -> Iterator[tuple[str, str | bytes]]:
    local = root / mount.source
    names = {mount.target: mount.source}
    if local.is_dir():
        inside = sorted(path.relative_to(local) for path in local.rglob("*") if path.is_file())
        names = {f"{mount.target.rstrip('/')}/{path}": f"{mount.source}/{path}" for path in inside}
    for target, name in names.items():
        raw = (root / name).read_bytes()
        try:
            is_template = name.endswith("erb")
            yield target, Renderer(raw.decode(), Path(name), values, "kp deploy", False).text() if is_template else raw
        except UnicodeDecodeError:
            raise ConfigError(f"{name}: a template must be UTF-8 text") from None
