"""The health check that tries again by itself, so that one failure can count and a cut cord shows soon.

A cut cord shows at the next probe, or at once where a probe is under way that stands by: while a host boots the new
version, a note beside the cord of the old one asks for that (``commands/app.py``).
"""

from __future__ import annotations

from kamal_pyinfra.config.sections import Healthcheck
from kamal_pyinfra.plan.units import to_seconds

TRY_AGAIN_SECONDS = 0.25
LONGEST_PROMPT_INTERVAL = 5
"""Seconds; Docker ends a probe after 30."""
STANDBY_LOOKS, STANDBY_PAUSE = 100, 0.1
"""How often a probe that stands by looks for the cord, and seconds between."""
LOOKS_BETWEEN_CHECKS = 10


def prompt_command(check: Healthcheck, *, stands_by: bool = True) -> str:
    """The health check that tries again by itself and looks for the cord each time; see :class:`Health`.

    With a long interval it would have to hold out longer than Docker lets a probe run.

    Args:
        check: the settings.
        stands_by: a probe may go on for some seconds and watch the cord, when it is asked for.
    """
    seconds = to_seconds(check.interval)
    if seconds > LONGEST_PROMPT_INTERVAL:
        return ""
    tries = int(2 * seconds / TRY_AGAIN_SECONDS) + 1
    cord = f"stat {check.cord}/cord > /dev/null"
    return (
        f"tries=0; until said=$( ({check.command}) 2>&1); do tries=$((tries + 1)); "
        f'[ $tries -lt {tries} ] && {cord} || {{ echo "$said"; exit 1; }}; '
        f"sleep {TRY_AGAIN_SECONDS} || sleep 1; done; {_stand_by(check) if stands_by else ''}{cord} || exit 1"
    )


def _stand_by(check: Healthcheck) -> str:
    """Watch the cord until the time that the note tells, and the app as often as Docker would.

    Whatever an image lacks for that ends it, so that the probe is as short as any.
    """
    cord, note = f"{check.cord}/cord", f"{check.cord}/standby"
    return (
        f'{{ read -r until < {note} && [ "$(date +%s)" -lt "$until" ] && looks=0 && '
        f"while [ -e {note} ] && [ -e {cord} ] && [ $looks -lt {STANDBY_LOOKS} ]; do "
        f"sleep {STANDBY_PAUSE} || break; looks=$((looks + 1)); "
        f"[ $((looks % {LOOKS_BETWEEN_CHECKS})) -ne 0 ] || ({check.command}) > /dev/null || break; "
        f"done; }} 2> /dev/null; "
    )
