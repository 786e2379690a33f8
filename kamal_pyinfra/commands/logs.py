"""What the app containers of a host wrote."""

from __future__ import annotations

from kamal_pyinfra.commands.health import PRINTABLE
from kamal_pyinfra.commands.shell import join, words
from kamal_pyinfra.plan.state import DesiredHost

DEFAULT_LINES = 100


def recent(desired: DesiredHost, *, lines: int | None, since: str | None, grep: str | None) -> str:
    """The last lines of every running app container, with the container's name in front.

    Args:
        desired: whose labels tell our containers.
        lines: how many; 100 unless ``since`` or ``grep`` is given (Kamal 1.9).
        since: a time or a duration, as ``docker logs --since``.
        grep: only lines that match.
    """
    if lines is None and since is None and grep is None:
        lines = DEFAULT_LINES
    show = join(
        "docker logs --timestamps",
        words("--since", since) if since else "",
        words("--tail", lines) if lines is not None else "",
        '"$name" 2>&1',
        f"| {PRINTABLE}",
        f"| grep -e {words(grep)}" if grep else "",
        '| sed "s/^/$name | /"',
    )
    roles = " ".join(f"-e {words(container.name.removesuffix(container.version))}" for container in desired.containers)
    return (
        "docker ps --format '{{.Names}}' "
        f"{words('--filter', f'label=service={desired.service}')} "
        f"{words('--filter', f'label=destination={desired.destination}')} "
        f"| grep -F {roles} | while read -r name; do {show}; done"
    )
