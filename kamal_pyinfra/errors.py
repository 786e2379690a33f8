"""Errors that users see, each a KpError, with their exit codes.

3: ConfigError. 4: LockHeld. 130 or 143: Interrupted, by SIGINT or SIGTERM, after cleaning up.
1: LockLost, BuildFailed, RegistryFailed, HookFailed, PlanRefused, HostFailed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

NOTHING_CHANGED = "Nothing was changed."
PATIENCE_SECONDS = 300  # the default for how long to wait for a held lock


class KpError(Exception):
    """An error whose text is shown to the user without a traceback."""

    exit_code: ClassVar[int] = 1
    state: ClassVar[str] = ""  # what each error of the class leaves behind, where the message itself does not tell it


class ConfigError(KpError):
    """An unusable configuration or argument; a problem is like ``config/deploy.yml:12:3 labels: should be a hash``."""

    exit_code = 3

    def __init__(self, *problems: str) -> None:
        super().__init__("\n".join(problems))
        self.problems: tuple[str, ...] = problems


class LockHeld(KpError):
    """Another run holds the deploy lock; the message shows the lock and what to do."""

    exit_code = 4


class LockLost(KpError):
    """Another run took the lock, or it could not be renewed in time; this run stopped where it was."""

    def __init__(self) -> None:
        super().__init__(
            "The deploy lock is no longer this run's: it was released or taken over, or could not be renewed in time.\n"
            "This run stopped before its next phase and reverted nothing, since another run may be active.\n"
            "`kp lock status` shows who holds the lock; run the same command again once it is free."
        )


class BuildFailed(KpError):
    """The image could not be built or pushed; no host was changed."""


class RegistryFailed(KpError):
    """Docker on the deploying machine could not log in to the registry, or out; no host was touched."""


class HookFailed(KpError):
    """A hook failed or could not be run; the message shows what was done before."""


class PlanRefused(KpError):
    """The plan would do harm, for example with a rule that another service already uses."""

    state = NOTHING_CHANGED


class HostFailed(KpError):
    """At least one of ``hosts`` failed; the old version still serves.

    The message tells what failed, where, the state of the fleet and what to run next; ``brief`` is the same without
    output of hosts that was shown before, by default the whole message.
    """

    def __init__(self, message: str, hosts: Sequence[str] = (), *, brief: str = "") -> None:
        super().__init__(message)
        self.brief = brief or message
        self.hosts: tuple[str, ...] = tuple(hosts)


class Interrupted(KpError):
    """A signal stopped the run, after reverting what had begun before the gate, as far as possible.

    ``signal_number`` is 2 for SIGINT (exit code 130) or 15 for SIGTERM (143); ``fleet`` is the fleet's state, empty if
    nothing was done to it.
    """

    def __init__(self, signal_number: int, fleet: str = "") -> None:
        super().__init__(f"{f'Interrupted. {fleet}'.rstrip()}\nRun the same command again to go on.")
        self.signal_number = signal_number
        self.fleet = fleet
        self.code = 128 + signal_number
