"""Remote commands that end with the connection, and within a time."""

from __future__ import annotations

from kamal_pyinfra.commands.shell import BRIEF_CLIENT, quote

# sshd leaves a command without terminal running when its connection drops. Nothing may go on in the dark,
# since a rerun may already be deciding on what it sees; so the command watches the sshd that it runs under. It finds
# that without starting a program: every command of a deploy begins with this.
WATCHDOG = """above=$$
while [ "$above" -gt 1 ] && read -r name < "/proc/$above/comm"; do
  case "$name" in
    sshd* | dropbear*)
      ( while [ -d "/proc/$above" ]; do sleep 0.5; done; kill -TERM 0 ) > /dev/null 2>&1 &
      watchdog=$!
      trap 'kill "$watchdog" 2> /dev/null' EXIT
      break ;;
  esac
  value=1; while read -r key value && [ "$key" != PPid: ]; do :; done < "/proc/$above/status"
  above=$value
done
"""


KILL_SECONDS = 5
"""After TERM, before KILL."""


KEY_MARK = ": kp-limit "


def guarded(script: str, *, seconds: int, key: str = "") -> str:
    """A script that stops when the SSH connection drops or its time is up.

    Args:
        script: POSIX shell text.
        key: of the configuration, with which the time can be made longer; stands in the text for who reads it.
        seconds: after which it gets TERM, and KILL five seconds later; then the exit code is 124 or 137.
    """
    mark = f"{KEY_MARK}{key}\n" if key else ""
    return f"timeout -k {KILL_SECONDS} {seconds} sh -c {quote(mark + BRIEF_CLIENT + WATCHDOG + script)}"
