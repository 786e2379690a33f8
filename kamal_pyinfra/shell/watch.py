"""A new version watched on its host after the switch, while the old one still runs with its cord cut."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from kamal_pyinfra.plan.fleet_state import SILENT
from kamal_pyinfra.shell import app
from kamal_pyinfra.shell.health import NOW, PRINTABLE, REPORT, STATE_FORMAT
from kamal_pyinfra.shell.script import ABSENT, chain, quote, words

TURNED_BAD = "went bad after the switch"
"""Stands in what a host says of a version that must go; any other failure says nothing against it."""
POLL_SECONDS = "0.3"
PROBE_SECONDS = 10
SILENT_LOOKS = 30
"""So often in a row Docker may not answer, which says nothing of the version: an engine may be started again."""

# The old version is let back into traffic here and now: the other hosts, and this machine, need time to hear of it.
WATCH = f"""turned_bad() {{
  let_back
  report "$1" "{TURNED_BAD} ($2)" "$3"; exit 1
}}
keeps_well() {{
  if ! state=$(docker inspect --format '{STATE_FORMAT}' "$1" 2>&1); then
    case "$state" in {ABSENT}) turned_bad "$1" "$state" "$2" ;; esac
    silent=$(( silent + 1 ))
    [ "$silent" -lt {SILENT_LOOKS} ] || {{ echo "$state" >&2; echo "{SILENT}" >&2; exit 1; }}
    return 0
  fi
  silent=0
  restarts=${{state##* }}; state=${{state% *}}
  case "$restarts $state" in "$3 running healthy" | "$3 running none") return 0 ;; esac
  [ "$restarts" = "$3" ] || state="$state, $restarts restarts"
  turned_bad "$1" "$state" "$2"
}}
restarts_of() {{ docker inspect --format '{{{{.RestartCount}}}}' "$1"; }}
misses=0; silent=0
probe() {{
  if said=$(timeout {PROBE_SECONDS} sh -c "$3" 2>&1); then misses=0; return 0; fi
  misses=$(( misses + 1 ))
  [ "$misses" -lt 2 ] || turned_bad "$1" "$(echo "$said" | tail -n 3 | {PRINTABLE})" "$2"
}}
"""
ASK = (
    "{{ if command -v curl > /dev/null; then curl -fsS -o /dev/null -m 5 {0};"
    " else wget -q -T 5 -O /dev/null {0}; fi; }}"
)


@dataclass(frozen=True, kw_only=True)
class Watched:
    """A new container.

    Args:
        has_run: it was not started by this run, so it may have restarted before.
        log_lines: of its log, to show when it turns bad.
        is_probed: whether the command and the URL are about it.
    """

    name: str
    has_run: bool
    log_lines: int
    is_probed: bool


def watch(watched: Sequence[Watched], cords: Sequence[str], *, seconds: int, cmd: str | None, url: str | None) -> str:
    """Look at containers again and again; exit 1 with a report, and the old ones let back, when one turns bad.

    Args:
        watched: the new containers.
        cords: folders of the old ones that run with a cut cord.
        seconds: how long.
        cmd: for a shell in the containers, about once a second.
        url: to ask from the host, about once a second.
    """
    ties = chain(*(app.tie_cord(cord) for cord in cords)) or ":"
    firsts = [
        f"first{number}={f'$(restarts_of {words(each.name)}) || exit 1' if each.has_run else '0'}"
        for number, each in enumerate(watched)
    ]
    looks = [f'keeps_well {words(each.name, each.log_lines)} "$first{number}"' for number, each in enumerate(watched)]
    probes = [
        f"probe {words(each.name, each.log_lines, script)}"
        for each in watched
        if each.is_probed and (script := probe_of(each.name, cmd=cmd, url=url))
    ]
    every_third = f'[ $(( looks % 3 )) -ne 0 ] || [ "$silent" -gt 0 ] || {{ {"; ".join(probes)}; }}; ' if probes else ""
    return (
        f"{NOW}{REPORT}let_back() {{ {ties}; }}\n{WATCH}"
        f"{'; '.join(firsts)}; now; began=$now; looks=0\n"
        f"while :; do {'; '.join(looks)}; {every_third}"
        f'now; [ $(( now - began )) -lt {seconds * 100} ] || [ "$silent" -gt 0 ] || exit 0; '
        f"sleep {POLL_SECONDS}; looks=$(( looks + 1 )); done"
    )


def probe_of(name: str, *, cmd: str | None, url: str | None) -> str:
    """What must succeed for a container, as a shell line; empty if nothing was asked for."""
    return chain(
        f"docker exec {words(name)} sh -c {quote(cmd)}" if cmd else "",
        ASK.format(words(url)) if url else "",
    )
