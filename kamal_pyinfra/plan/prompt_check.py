"""The health check that tries again by itself, so that one failure can count and a cut cord shows soon."""

from __future__ import annotations

from kamal_pyinfra.config.sections import Healthcheck
from kamal_pyinfra.plan.units import to_seconds

TRY_AGAIN_SECONDS = 0.25
LONGEST_PROMPT_INTERVAL = 5
"""Seconds; Docker ends a probe after 30."""


def prompt_command(check: Healthcheck) -> str:
    """The health check that tries again by itself and looks for the cord each time; see :class:`Health`.

    With a long interval it would have to hold out longer than Docker lets a probe run.
    """
    seconds = to_seconds(check.interval)
    if seconds > LONGEST_PROMPT_INTERVAL:
        return ""
    tries = int(2 * seconds / TRY_AGAIN_SECONDS) + 1
    cord = f"stat {check.cord}/cord > /dev/null"
    return (
        f"tries=0; until said=$( ({check.command}) 2>&1); do tries=$((tries + 1)); "
        f'[ $tries -lt {tries} ] && {cord} || {{ echo "$said"; exit 1; }}; '
        f"sleep {TRY_AGAIN_SECONDS} || sleep 1; done; {cord} || exit 1"
    )
