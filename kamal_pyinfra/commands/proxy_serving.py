"""A new proxy in the place of the old one: kept only if it serves, else the old one comes back."""

from __future__ import annotations

from collections.abc import Sequence

from kamal_pyinfra.commands.health import PRINTABLE, STATE_FORMAT
from kamal_pyinfra.commands.proxy import have_image, run
from kamal_pyinfra.commands.proxy_gate import ask_gates, gate_functions, note_gates, question
from kamal_pyinfra.commands.proxy_routes import THROTTLE_SECONDS
from kamal_pyinfra.commands.shell import chain
from kamal_pyinfra.naming import PROXY_CONTAINER
from kamal_pyinfra.plan.gate import Gate
from kamal_pyinfra.plan.state import Proxy

LAST_LINES = 20
WORKS_SECONDS = 3
"""So long a new proxy is given to route to what runs, before a new version is started behind it."""
ASIDE = f"{PROXY_CONTAINER}_replaced"
"""What the old proxy is called until the new one serves."""

REQUIRE_SERVING = f"""proxy_failed() {{
  echo "{PROXY_CONTAINER}: $1" >&2
  echo "last lines of its log:" >&2
  docker logs --tail {LAST_LINES} {PROXY_CONTAINER} 2>&1 | {PRINTABLE} >&2
  return 1
}}
stays_up() {{
  state=$(docker inspect --format '{STATE_FORMAT}' {PROXY_CONTAINER}) || return 1
  case "$state" in 'running '*' 0') ;; *) proxy_failed "does not stay up ($state)"; return 1 ;; esac
}}
"""
"""A proxy whose arguments are wrong exits at once, and Docker starts it again and again."""


STEP_ASIDE = f"""clear_aside() {{
  ! docker inspect {ASIDE} > /dev/null 2>&1 || docker rm -f {ASIDE} > /dev/null
}}
step_aside() {{
  docker stop {PROXY_CONTAINER} > /dev/null || return 1
  docker rename {PROXY_CONTAINER} {ASIDE} || {{ docker start {PROXY_CONTAINER} > /dev/null; return 1; }}
}}
come_back() {{
  docker rm -f {PROXY_CONTAINER} > /dev/null 2>&1
  docker rename {ASIDE} {PROXY_CONTAINER} && docker start {PROXY_CONTAINER} > /dev/null &&
    echo "the old proxy was started again" >&2
  return 1
}}
"""
"""Both want the same port, so the old one is stopped before the new one starts. A killed run may leave one aside."""


# NAME ASK ANSWER SERVER DOORS of a container that runs; an answer through its router ends the wait.
WORKS = """works() {
  name=${1:-}; ask=${2:-}; answer=${3:-}; server=${4:-}; doors=${5:-}
  while :; do
    stays_up || return 1
    problem=$(errors provider '')
    [ -z "$problem" ] || { proxy_failed "cannot learn from Docker what runs here"; return 1; }
    for door in $doors; do
      try_door "$door"
      case "$said" in yes | gone) return 0 ;; esac
    done
    now
    [ "$now" -lt "$deadline" ] || return 0
    sleep 0.2; now
  done
}
"""
"""That no router leads to what runs does not count: the new version may bring the labels that the new proxy wants, and
is asked about when it boots."""


def serving_functions() -> str:
    """The shell functions that the other builders call."""
    return REQUIRE_SERVING + STEP_ASIDE


def replace_by_serving(proxy: Proxy, routed: Sequence[Gate]) -> str:
    """Replace the proxy by one that serves; exit 1 if it does not, and then the old one runs again.

    Args:
        proxy: the new one.
        routed: what is asked of it about the containers behind it, of whatever service.
    """
    return chain(
        have_image(proxy),
        "clear_aside",
        "step_aside",
        f"{{ {run_serving(proxy, routed)} || come_back; }}",
        f"docker rm {ASIDE} > /dev/null",
    )


def replace_by_working(proxy: Proxy, routed: Sequence[Gate]) -> str:
    """Replace the proxy by one that stays up and can ask Docker; exit 1 if it does not: then the old one runs again.

    Args:
        proxy: the new one.
        routed: the containers behind it.
    """
    asked = next((gate for gate in routed if gate.doors), None)
    looks = chain(note_gates([asked] if asked else []), f"works {question(asked) if asked else ''}".rstrip())
    functions = gate_functions(patience=WORKS_SECONDS if asked else THROTTLE_SECONDS) + WORKS
    new = chain(run(proxy), f"( {functions}{looks} )")
    return chain(
        have_image(proxy),
        "clear_aside",
        "step_aside",
        f"{{ {new} || come_back; }}",
        f"docker rm {ASIDE} > /dev/null",
    )


def run_serving(proxy: Proxy, routed: Sequence[Gate]) -> str:
    """Run a proxy where there is none; exit 1 if it does not serve.

    Args:
        proxy: the new one.
        routed: what is asked of it about the containers behind it, of whatever service.
    """
    wait = f"sleep {THROTTLE_SECONDS}"
    if not routed:
        return chain(run(proxy), wait, "stays_up")
    asks = f'( {gate_functions()}{ask_gates(routed)} && {{ [ -n "$has_told" ] || {wait}; }} )'
    # A proxy that ends at once routes nowhere either, and its own last lines are the cause.
    return chain(run(proxy), f"{{ {asks} || {{ stays_up; false; }}; }}", "stays_up")
