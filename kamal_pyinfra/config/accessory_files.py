"""Local files of accessories, as they are uploaded: templates rendered, folders file by file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from kamal_pyinfra.config.accessory import Accessory, Mount
from kamal_pyinfra.config.erb_text import render_erb
from kamal_pyinfra.config.erb_values import Values
from kamal_pyinfra.config.source import Source
from kamal_pyinfra.errors import ConfigError

TEMPLATE_SUFFIX = "erb"


def read_files(accessory: Accessory, place: str, source: Source) -> dict[str, str | bytes]:
    """What each uploaded path should hold; paths are as the container sees them.

    Two entries with the same local file are two uploads (Kamal 1.9 makes them one), and a folder is uploaded
    file by file (Kamal 1.9 fails).

    Args:
        accessory: the section.
        place: where it is in the document, for messages.
        source: where the configuration came from.

    Raises:
        ConfigError: with a line for each file that cannot be used.
    """
    values = Values({**source.environ, **accessory.env.clear}, source.root)
    contents: dict[str, str | bytes] = {}
    problems: list[str] = []
    for index, mount in enumerate(accessory.files):
        try:
            contents |= dict(_entry(mount, source.root, values))
        except OSError as error:
            message = f"{mount.source} cannot be read: {error.strerror}; add it, or correct the path"
            problems.append(source.located(f"{place}/files/{index}", message))
        except ConfigError as error:
            problems.append(str(error))
    if problems:
        raise ConfigError(*problems)
    return contents


def _entry(mount: Mount, root: Path, values: Values) -> Iterator[tuple[str, str | bytes]]:
    local = root / mount.source
    if not local.is_dir():
        yield mount.target, _content(local, mount.source, values)
        return
    for path in sorted(path for path in local.rglob("*") if path.is_file()):
        inside = path.relative_to(local)
        yield f"{mount.target.rstrip('/')}/{inside}", _content(path, f"{mount.source}/{inside}", values)


def _content(path: Path, name: str, values: Values) -> str | bytes:
    raw = path.read_bytes()
    if not name.endswith(TEMPLATE_SUFFIX):
        return raw
    try:
        return render_erb(raw.decode(), Path(name), values, command="kp deploy", has_comments=False)
    except UnicodeDecodeError:
        raise ConfigError(f"{name}: a template must be UTF-8 text") from None
