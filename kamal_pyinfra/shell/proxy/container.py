"""Running and replacing the proxy container, one change at a time."""

from __future__ import annotations

from collections.abc import Sequence

from kamal_pyinfra.naming import OWNER_LABEL
from kamal_pyinfra.plan.proxy.gate import Gate
from kamal_pyinfra.plan.proxy.traefik import prompt_arguments, proxy_arguments
from kamal_pyinfra.plan.state.desired import Proxy
from kamal_pyinfra.shell.container import SERVICE, docker_run, environment, labels, logging, volumes
from kamal_pyinfra.shell.proxy.traefik import THROTTLE_SECONDS, ask_gates, note_gates, question
from kamal_pyinfra.shell.script import chain, quoted

WAIT_SECONDS = 600  # another run may be pulling the proxy's image
RESTORE_SECONDS = 30
WORKS_SECONDS = 3  # so long a new proxy is given to route to what runs, before a new version is started behind it


def run(proxy: Proxy) -> str:
    """``docker run`` in Kamal 1.9's token order, plus our labels."""
    run = docker_run(
        proxy,
        quoted("--name", proxy.name),
        SERVICE,
        quoted("--publish", proxy.publish) if proxy.publish else "",
        volumes(proxy),
        environment(proxy),
        logging(proxy),
        labels(proxy, own=((OWNER_LABEL, proxy.owner),)),
        command=quoted(*proxy_arguments(proxy), *prompt_arguments(proxy)),
    )
    return f"{run} > /dev/null"


def with_proxy_lock(script: str, *, seconds: int = WAIT_SECONDS) -> str:
    """A script that waits until no other run changes the proxy of this host; after these seconds it is not begun."""
    return f"take_proxy_lock {quoted(seconds)}; {script}"


def with_proxy_lock_if_unchanged(script: str, *, proxy: Proxy, observed: str) -> str:
    """The same for a script that was decided on by a snapshot; it is left out if another service has done the same.

    The script leads to this proxy; ``observed`` is the id of the container that was there, empty if there was none.
    """
    return with_proxy_lock(f"require_unchanged_proxy {quoted(observed, proxy.digest)}; {script}")


def replace_by_serving(proxy: Proxy, routed: Sequence[Gate]) -> str:
    """Replace the proxy by one that serves; exit 1 if it does not, and then the old one runs again."""
    return _replace(proxy, run_serving(proxy, routed))


def _replace(proxy: Proxy, new: str, *, keeps_old: bool = False) -> str:
    return chain(
        f"pull_if_missing {quoted(proxy.image)}",
        "clear_aside",
        "step_aside",
        f"{{ {new} || come_back; }}",
        "" if keeps_old else "docker rm traefik_replaced > /dev/null",
    )


def replace_by_working(proxy: Proxy, routed: Sequence[Gate], *, keeps_old: bool = False) -> str:
    """Replace the proxy by one that stays up and can ask Docker; exit 1 if it does not: then the old one runs again.

    With ``keeps_old`` that stays aside where the new one does not route to all of these containers; what follows calls
    :func:`restore` or ``clear_aside``.
    """
    asked = [gate for gate in routed if gate.doors]
    keeps_old = keeps_old and bool(routed)
    wait = chain(
        note_gates(asked, patience=WORKS_SECONDS if asked else THROTTLE_SECONDS),
        *([f"works {question(gate)}" for gate in asked] or ["works"]),
        "drop_aside_if_proven" if keeps_old else "",
    )
    unproven = "unproven=1" if len(asked) < len(routed) else "unproven="
    return _replace(proxy, chain(run(proxy), f"( {unproven}; {wait} )"), keeps_old=keeps_old)


def restore(proxy: Proxy) -> str:
    """Let the old proxy that was kept aside run again in place of this one."""
    return f"restore_proxy {quoted(proxy.digest)}"


def run_serving(proxy: Proxy, routed: Sequence[Gate]) -> str:
    """Run a proxy where there is none; exit 1 if it does not serve. It is asked for containers of every service."""
    if not routed:
        return chain(run(proxy), f"sleep {THROTTLE_SECONDS}", "stays_up")
    # A proxy that ends at once routes nowhere either, and its own last lines are the cause.
    asks = f"( {ask_gates(routed)} && await_throttle_unless_shown )"
    return chain(run(proxy), f"{{ {asks} || {{ stays_up; false; }}; }}", "stays_up")
