"""What can go wrong, and the exit code that each kind ends with.

KpError                 1
├── ConfigError         3   the configuration, its environment or an argument is not usable
├── LockHeld            4   another deploy holds the lock
├── LockLost            1   this run's lock was taken away while it worked
├── BuildFailed         1   the image could not be built or pushed
├── RegistryFailed      1   this machine could not log in to the registry, or out
├── HookFailed          1   a hook ended with an error, or cannot be run
├── PlanRefused         1   the plan contains something that must not be done
├── HostFailed          1   at least one host failed; names hosts, state and next command
└── Interrupted   130/143   SIGINT or SIGTERM, after cleaning up
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

NOTHING_CHANGED = "Nothing was changed."


class KpError(Exception):
    """The root of every error that is shown to the user as text, without a traceback.

    ``state`` is what every error of the class leaves behind, where the message itself does not say it.
    """

    exit_code: ClassVar[int] = 1
    state: ClassVar[str] = ""


class ConfigError(KpError):
    """The configuration cannot be used; carries every problem found, one line each.

    Args:
        problems: lines such as ``config/deploy.yml:12:3 servers/web/labels: should be a hash``.
    """

    exit_code = 3

    def __init__(self, *problems: str) -> None:
        super().__init__("\n".join(problems))
        self.problems: tuple[str, ...] = problems


PATIENCE_SECONDS = 300
"""To wait for a held lock where nobody says how long."""


class LockHeld(KpError):
    """Somebody else is deploying; the message shows the lock and the way out."""

    exit_code = 4


class LockLost(KpError):
    """Somebody took this run's lock, or it could not be renewed in time; the run stopped where it was."""

    def __init__(self) -> None:
        super().__init__(
            "The deploy lock is no longer this run's: it was released or taken over, or could not be renewed in time.\n"
            "This run stopped before its next phase and took nothing back, since another run may be at work.\n"
            "`kp lock status` shows who holds the lock; run the same command again once it is free."
        )


class BuildFailed(KpError):
    """The image could not be built or pushed; nothing was changed on any host."""


class RegistryFailed(KpError):
    """This machine's Docker could not log in to the registry, or out; no host was touched."""


class HookFailed(KpError):
    """A hook ended with an error, or cannot be run; the message says what was done before."""


class PlanRefused(KpError):
    """The plan would do harm (for example a rule that another service already claims)."""

    state = NOTHING_CHANGED


class HostFailed(KpError):
    """One or more hosts failed; the old version still serves.

    Args:
        message: what failed, where, what state the fleet is in now and what to run next.
        hosts: names of the hosts that failed.
        brief: the same for somebody who has seen what the hosts said; by default the whole message.
    """

    def __init__(self, message: str, hosts: Sequence[str] = (), *, brief: str = "") -> None:
        super().__init__(message)
        self.brief = brief or message
        self.hosts: tuple[str, ...] = tuple(hosts)


class Interrupted(KpError):
    """A signal stopped the run; what a deploy had begun before the gate was taken back first, if it could be.

    Args:
        signal_number: 2 for SIGINT (exit code 130), 15 for SIGTERM (exit code 143).
        fleet: what state the fleet is in now; empty if nothing was done to it.
    """

    def __init__(self, signal_number: int, fleet: str = "") -> None:
        super().__init__(f"{f'Interrupted. {fleet}'.rstrip()}\nRun the same command again to go on.")
        self.signal_number = signal_number
        self.fleet = fleet
        self.code = 128 + signal_number
