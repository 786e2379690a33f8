"""One change of a host's proxy at a time, whichever service, user or folder it comes from.

The deploy lock is one service's; the proxy is shared. So a change holds a lock of the host's kernel meanwhile, on a
file that all who may use the engine can open, and no other user of the host: it has the group of the engine's socket.
It goes with the process that holds it, so it needs no lease, and no run has to release it.

The folder is open to all users of the host. A file that another user put there under our name is passed by, and the
next number is taken: one that anybody may open could be held by anybody.
"""

from __future__ import annotations

from kamal_pyinfra.commands.shell import ABSENT, words
from kamal_pyinfra.naming import DIGEST_LABEL
from kamal_pyinfra.plan.fleet_state import SILENT
from kamal_pyinfra.plan.state import Proxy

CHANGED = "another run has changed the proxy meanwhile; run the same command again"
WAIT_SECONDS = 600
"""Another run may be pulling the proxy's image."""
MOST_FILES = 100
LOCK_FOLDER = "/run/lock"
"""Where every user may make files, on Debian and Ubuntu; ``/tmp`` where it is not so."""

# A file comes into place by `ln`, with its group and mode: one without them would count as another user's.
_ALONE = """if command -v flock > /dev/null; then
at={folder}; [ -d "$at" ] && [ -k "$at" ] || at=/tmp
engine=${{DOCKER_HOST:-}}; engine=${{engine#unix://}}; [ -S "$engine" ] || engine=/var/run/docker.sock
me=$(id -u); group=$(stat -L -c %g "$engine" 2> /dev/null) || group=none
case "$me $(id -G) " in "0 "* | *" $group "*) mode=660 ;; *) mode=600; group=$(id -g) ;; esac
[ "$group" != none ] || {{ mode=600; group=$(id -g); }}
number=0; while :; do held=$at/kp-proxy.$number
if [ ! -e "$held" ] && [ ! -L "$held" ]; then
draft=$(mktemp "$at/kp-proxy.XXXXXXXX") || exit 1
chgrp "$group" "$draft" && chmod "$mode" "$draft" || {{ rm -f "$draft"; exit 1; }}
ln "$draft" "$held" 2> /dev/null; rm -f "$draft"; fi
case "$mode $(stat -c '%u %g %a %F' "$held" 2> /dev/null)" in
"660 "*" $group 660 regular "* | "600 $me $group 600 regular "*) break ;; esac
number=$((number + 1)); [ "$number" -lt {most} ] || {{
echo "files of other users in $at are in the way of the proxy's lock: remove $at/kp-proxy.*" >&2; exit 1; }}
done
exec 9< "$held"; timeout {seconds} flock 9 || {{
echo "another run has been changing the proxy of this host for {seconds} s: \\`fuser -v $held\\` names its process;" \\
"wait for it or end it, and run the same command again" >&2; exit 1; }}
fi; """


def alone(script: str, *, seconds: int = WAIT_SECONDS) -> str:
    """A script that waits until no other run changes the proxy of this host.

    Args:
        script: what to do.
        seconds: how long to wait; then the script is not begun.
    """
    return _ALONE.format(folder=LOCK_FOLDER, most=MOST_FILES, seconds=seconds) + script


def alone_if_unmoved(script: str, *, proxy: Proxy, seen: str) -> str:
    """The same for a script that was decided on by a look at the proxy.

    Args:
        script: what to do. It is left out if another service has done the same by now.
        proxy: what it leads to.
        seen: id of the container that was there; empty if there was none.
    """
    template = f'{{{{.Id}}}} {{{{index .Config.Labels "{DIGEST_LABEL}"}}}}'
    look = f"docker container inspect --format {words(template)} {words(proxy.name)}"
    absent = f'case "$error" in {ABSENT}) now= ;; *) echo "${{error:-{SILENT}}}" >&2; exit 1 ;; esac'
    unmoved = f"{words(seen)}' '*" if seen else "''"
    return alone(
        f"now=$({look} 2> /dev/null) || {{ error=$({look} 2>&1 > /dev/null); {absent}; }}; "
        f'case "$now" in {unmoved}) ;; '
        f"*' '{words(proxy.digest)}) exit 0 ;; *) echo {words(CHANGED)} >&2; exit 1 ;; esac; {script}"
    )
