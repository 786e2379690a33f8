"""Writing of the project's files: whole or not at all, and secrets for their owner only."""

from __future__ import annotations

import contextlib
import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from kamal_pyinfra.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class File:
    """One file to create; ``lines`` are also added to an existing file that lacks the first of them."""

    path: str
    text: str = ""
    mode: int = 0o644
    lines: tuple[str, ...] = ()


def create(root: Path, file: File) -> str:
    """Create a missing file; return ``created``, ``added to`` or ``kept``, or raise ConfigError if that fails."""
    path = root / file.path
    if file.lines:
        return _add_lines(path, file.lines)
    if path.exists() or path.is_symlink():
        return "kept"
    write(path, file.text, mode=file.mode)
    return "created"


def _add_lines(path: Path, lines: tuple[str, ...]) -> str:
    """Append lines unless the first of them is there in one form or another."""
    try:
        text = path.read_text("utf-8") if path.exists() else None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read: {error}") from None
    first = lines[0]
    known = {line.strip() for line in (text or "").split("\n")}
    if not known.isdisjoint({first, f"/{first}", f"{first}*", f"/{first}*"}):
        return "kept"
    start = text if not text or text.endswith("\n") else f"{text}\n"
    write(path, (start or "") + "".join(f"{line}\n" for line in lines), mode=0o644)
    return "created" if text is None else "added to"


def write(path: Path, text: str, *, mode: int, replaces_link: bool = False) -> None:
    """Replace a file at once, so that no reader gets half of it, nor a secret; raise ConfigError if that fails.

    A link stays, and its target and missing folders are written, unless ``replaces_link`` is given.
    """
    target = path if replaces_link else path.resolve()
    draft = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
    try:
        if not replaces_link:
            target.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as stream:
            os.fchmod(descriptor, mode)
            stream.write(text)
        draft.replace(target)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be written: {error.strerror}") from None
    finally:
        with contextlib.suppress(OSError):  # without its folder there is no draft
            draft.unlink(missing_ok=True)
