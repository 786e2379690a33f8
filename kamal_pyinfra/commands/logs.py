"""What the app containers of a host wrote."""

from __future__ import annotations

from collections.abc import Sequence

from kamal_pyinfra.commands.health import PRINTABLE
from kamal_pyinfra.commands.shell import join, words
from kamal_pyinfra.plan.owner import Owner

DEFAULT_LINES = 100


def recent(owner: Owner, roles: Sequence[str], *, lines: int | None, since: str | None, grep: str | None) -> str:
    """The last lines of every running app container, with the container's name in front.

    Args:
        owner: whose containers.
        roles: names of the roles to show.
        lines: how many; 100 unless ``since`` or ``grep`` is given (Kamal 1.9).
        since: a time or a duration, as ``docker logs --since``.
        grep: only lines that match.
    """
    show = join(_show('"$name"', lines=lines, since=since, grep=grep), '| sed "s/^/$name | /"')
    labels = (f"label=service={owner.service}", f"label=destination={owner.destination}")
    filters = " ".join(words("--filter", label) for label in labels)
    listings = "; ".join(
        f"docker ps --format '{{{{.Names}}}}' {filters} {words('--filter', f'label=role={role}')}" for role in roles
    )
    return f"{{ {listings}; }} | while read -r name; do {show}; done"


def of_container(name: str, *, lines: int | None, since: str | None, grep: str | None) -> str:
    """The last lines of one container; exit 1 if there is no such container.

    Args:
        name: its name.
        lines: how many; 100 unless ``since`` or ``grep`` is given (Kamal 1.9).
        since: a time or a duration, as ``docker logs --since``.
        grep: only lines that match.
    """
    show = _show(words(name), lines=lines, since=since, grep=grep)
    return f"docker inspect {words(name)} > /dev/null && {{ {show}; [ $? -le 1 ]; }}"


def _show(name: str, *, lines: int | None, since: str | None, grep: str | None) -> str:
    if lines is None and since is None and grep is None:
        lines = DEFAULT_LINES
    return join(
        "docker logs --timestamps",
        words("--since", since) if since else "",
        words("--tail", lines) if lines is not None else "",
        f"{name} 2>&1",
        f"| {PRINTABLE}",
        f"| grep -e {words(grep)}" if grep else "",
    )
