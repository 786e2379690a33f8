"""One change of a host's proxy at a time, whichever service, user or folder it comes from.

The deploy lock is one service's; the proxy is shared. So a change holds a lock of the host's kernel meanwhile, on
the one file that everybody who can change the proxy has: the docker program. It goes with the process that holds it,
so it needs no lease, and nobody has to release it.
"""

from __future__ import annotations

from kamal_pyinfra.commands.shell import ABSENT, words
from kamal_pyinfra.naming import DIGEST_LABEL
from kamal_pyinfra.plan.fleet_state import SILENT
from kamal_pyinfra.plan.state import Proxy

CHANGED = "another run has changed the proxy meanwhile; run the same command again"
_ALONE = 'exec 9< "$(command -v docker)"; if command -v flock > /dev/null; then flock 9; fi; '


def alone(script: str) -> str:
    """A script that waits until nobody else changes the proxy of this host."""
    return f"{_ALONE}{script}"


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
