"""What the containers of a host wrote."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from kamal_pyinfra.plan.state.observed import Owner
from kamal_pyinfra.shell.script import chain, guarded, join, quoted

DEFAULT_LINES = 100  # without a filter (Kamal 1.9)
FOLLOWED_LINES = 10
SEPARATOR = " | "
PIECE = 3000  # bytes of a line that come at once; a longer one comes in several
FOLLOW_SECONDS = 24 * 3600  # a command that follows is begun anew after a day, which a reader does not notice


@dataclass(frozen=True, kw_only=True)
class LogFilter:
    """Which lines of a log are wanted."""

    lines: int | None = None  # the last so many
    since: str | None = None  # a time or a duration, as ``docker logs --since``
    grep: str | None = None  # only lines that match
    grep_options: tuple[str, ...] = ()  # words for grep before the pattern, such as ``-A``, ``3``


def recent(owner: Owner, roles: Sequence[str], wanted: LogFilter) -> str:
    """The last lines of every running app container, with its name in front; exit 1 if none can be listed."""
    listings, show = running_app(owner, roles, "{{.Names}}"), _show('"$1"', wanted)
    return f"list_containers() {{ {listings}; }}\nshow_chosen() {{ {show}; }}\nshow_recent"


def of_container(name: str, wanted: LogFilter) -> str:
    """The last lines of one container, as :func:`recent`; exit 1 if there is no such container."""
    return f"docker inspect {quoted(name)} > /dev/null && {{ {_show(quoted(name), wanted)}; [ $? -le 1 ]; }}"


def _show(name: str, wanted: LogFilter) -> str:
    if wanted.lines is None and wanted.since is None and wanted.grep is None:
        wanted = replace(wanted, lines=DEFAULT_LINES)
    return join(_docker_logs(wanted), f"{name} 2>&1 | printable", f"| {_grep(wanted)}" if wanted.grep else "")


def _docker_logs(wanted: LogFilter, *more: str) -> str:
    since = quoted("--since", wanted.since) if wanted.since else ""
    tail = quoted("--tail", wanted.lines) if wanted.lines is not None else ""
    return join("docker logs --timestamps", *more, since, tail)


def _grep(wanted: LogFilter, *more: str) -> str:
    return join("grep", *more, quoted(*wanted.grep_options), "-e", quoted(wanted.grep))


def running_app(owner: Owner, roles: Sequence[str], line: str = '{{.ID}} {{.Names}} {{.Label "role"}}') -> str:
    """What lists the app's containers that run, with what :func:`watch` needs to follow them."""
    labels = (f"label=service={owner.service}", f"label=destination={owner.destination}")
    return chain(*(_listing(line, *labels, f"label=role={role}") for role in roles)) or "true"


def running_container(name: str, label: str) -> str:
    """What :func:`watch` needs to follow one container, whose lines are marked with a label."""
    pattern = f"name=^{name.replace('.', '[.]')}$"  # a regular expression, in which a name's dot would be any letter
    return _listing(f"{{{{.ID}}}} {{{{.Names}}}} {label}", pattern)


def _listing(line: str, *filters: str) -> str:
    return join("docker ps --format", quoted(line), *(quoted("--filter", each) for each in filters))


def watch(listing: str, first: LogFilter, later: LogFilter, positions: Mapping[str, LogFilter]) -> str:
    """What all containers of a host write, in one session, until the connection drops or Docker does not answer.

    Each line says what it is: ``round`` once a second, ``container ID NAME LABEL`` for each listed, ``begin ID``
    before the log of one begins, and ``line ID TEXT`` for what it wrote, or for a piece of it (:data:`PIECE` bytes).
    All other lines are not of this script. The listing prints ``ID NAME LABEL`` for each container to follow; the
    filters are for those that are there when it begins, that appear later, and that were followed before, by their id.
    """
    cases = "".join(f"{quoted(container)}) {_follow(known)} ;;\n" for container, known in positions.items())
    kept = f"| {_grep(first, '$line_buffered')}" if first.grep else ""
    script = (
        f'list_containers() {{ {listing}; }}\nshow_kept() {{ show_log "$@" 2>&1 {kept}; }}\n'
        f'show_chosen() {{ case $1 in\n{cases}*) if [ "$rounds" = 1 ]; then {_follow(first)}; '
        f"else {_follow(later)}; fi ;;\nesac; }}\nfollow_all {quoted(PIECE)}"
    )
    return guarded(script, seconds=FOLLOW_SECONDS)


def _follow(wanted: LogFilter) -> str:
    return f'{_docker_logs(wanted, "--follow")} "$1"'
