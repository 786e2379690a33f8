"""The audit log: one line for each thing that was done, in Kamal 1.9's format."""

from __future__ import annotations

from kamal_pyinfra.commands.shell import words


def line(message: str, *, log: str, at: str, performer: str, destination: str = "", role: str = "") -> str:
    """Append ``[TIME] [PERFORMER] [DESTINATION] [ROLE] MESSAGE``; brackets without content are left out."""
    tags = " ".join(f"[{tag}]" for tag in (at, performer, destination, role) if tag)
    text = f"{tags} {message}".replace("\n", " ")
    return f"printf '%s\\n' {words(text)} >> {words(log)}"


def recent(log: str, *, lines: int) -> str:
    """The last lines; nothing where there is no log yet."""
    return f"[ ! -e {words(log)} ] || tail -n {words(lines)} {words(log)}"
