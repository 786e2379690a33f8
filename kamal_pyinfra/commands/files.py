"""Folders and secret files on a host."""

from __future__ import annotations

from kamal_pyinfra.commands.shell import words


def make_directories(paths: tuple[str, ...]) -> str:
    """Create folders; those for secrets are for their owner only."""
    secret = [path for path in paths if "/env" in path]
    return f"mkdir -p {words(*paths)}" + (f" && chmod 700 {words(*secret)}" if secret else "")


def write_secret(path: str) -> str:
    """Put standard input into a file that nobody else could read at any instant, and all at once."""
    target, draft = words(path), words(f"{path}.tmp")
    return f"umask 077 && cat > {draft} && mv -f {draft} {target}"


def remove_directories(paths: tuple[str, ...]) -> str:
    """Remove folders with everything in them."""
    return f"rm -rf {words(*paths)}"
