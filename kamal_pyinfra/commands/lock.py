"""The deploy lock: a directory, so that taking it is atomic; at Kamal 1.9's path and in its format."""

from __future__ import annotations

import base64

from kamal_pyinfra.commands.health import PRINTABLE
from kamal_pyinfra.commands.shell import words

HELD = "deploy-lock-held"


def details(*, locked_by: str, at: str, version: str, message: str, holder: str) -> str:
    """The lock's content: Kamal's three lines, and one of ours that names the process."""
    text = f"Locked by: {locked_by} at {at}\nVersion: {version}\nMessage: {message}\nHolder: {holder}"
    return base64.b64encode(text.encode()).decode()


def acquire(directory: str, content: str) -> str:
    """Take the lock, or print :data:`HELD` with the holder's details and exit 1."""
    target, parent = words(directory), words(directory.rpartition("/")[0])
    return (
        f"mkdir -p {parent} || exit 1; "
        f"if mkdir {target} 2> /dev/null; then echo {words(content)} > {target}/details "
        f"|| {{ rm -rf {target}; exit 1; }}; "
        f"elif [ -d {target} ]; then echo \"{HELD} $(tr -d '\\n' 2> /dev/null < {target}/details)\"; "
        f"base64 -d 2> /dev/null < {target}/details | {PRINTABLE} >&2; exit 1; "
        f"else mkdir {target}; fi"
    )


def release_own(directory: str, content: str) -> str:
    """Give the lock back if it is still the one with this content."""
    target = words(directory)
    return f"{{ [ \"$(tr -d '\\n' 2> /dev/null < {target}/details)\" != {words(content)} ] || {release(directory)}; }}"


def release(directory: str) -> str:
    """Remove the lock, whoever holds it, with or without details in it."""
    return f"rm -rf {words(directory)}"
