"""Asks Traefik whether it routes to a container: by a request, else by its log; and whether it has dropped one."""

from __future__ import annotations

from collections.abc import Sequence

from kamal_pyinfra.plan.proxy.gate import Door, Gate
from kamal_pyinfra.shell.script import chain, guarded, quoted

ASKING_SECONDS = 15
THROTTLE_SECONDS = 2  # Traefik applies a change at most that often (`providersThrottleDuration`)
ROUTES = "kp-routes "
"""Begins a line that tells how it is known that the proxy routes to a container: by a request, by its log, or not."""
REPORT_SECONDS = 60


def await_served(gates: Sequence[Gate]) -> str:
    """Wait until the proxy routes to each of these containers; exit 1 with the reason if it does not."""
    return f"( {ask_gates(gates)} )" if gates else ""


def ask_gates(gates: Sequence[Gate]) -> str:
    """Read what Docker prints of the proxy and of the containers, then ask for one after the other."""
    return chain(note_gates(gates), *map(_serves, gates))


def note_gates(gates: Sequence[Gate], *, patience: int = ASKING_SECONDS) -> str:
    """Read what Docker prints of the proxy and of the containers; with a patience of 0 s the proxy is asked once."""
    return f"note_gates {quoted(patience, *(gate.container for gate in gates))}"


def question(gate: Gate) -> str:
    """What there is to ask, as arguments: CONTAINER ASK ANSWER NAME DOORS."""
    return quoted(
        *(gate.container, gate.ask, gate.answer, gate.server_name or "localhost"), " ".join(map(_door, gate.doors))
    )


def report_routes(gates: Sequence[Gate]) -> str:
    """Ask once for each container, and print the answers; exit code 0 whatever comes out."""
    asks = "; ".join((note_gates(gates, patience=0), *map(_serves, gates)))
    return guarded(f"{asks}; true", seconds=REPORT_SECONDS)


def _serves(gate: Gate) -> str:
    own = (" ".join(gate.routers), ", ".join(gate.rules), gate.own_path if gate.is_in_use else "")
    rest = quoted(*own, " ".join(gate.twins), gate.check, ", ".join(gate.unasked))
    return f"serves {question(gate)} {rest}"


def _door(door: Door) -> str:
    guard = "guarded" if door.is_guarded else ""
    return f"{door.scheme}:{door.port}:{guard}{f':{door.address}' if door.address else ''}"
