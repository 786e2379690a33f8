"""kp traefik."""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence

from kamal_pyinfra import deploys
from kamal_pyinfra.config.secrets import require_secrets
from kamal_pyinfra.errors import ConfigError
from kamal_pyinfra.plan.run import Run
from kamal_pyinfra.plan.tasks import proxy as proxy_tasks
from kamal_pyinfra.runner.lock import locked
from kamal_pyinfra.runner.progress.emitter import Progress, Report
from kamal_pyinfra.runner.session import Session, Steps, interruptible
from kamal_pyinfra.runner.tasks import PlannedTask

OTHERS = "The proxies of the other hosts are as wanted; `kp traefik details` shows what runs."

TASKS = {
    "boot": PlannedTask(name="boot", deploy=deploys.boot_proxy, decide=proxy_tasks.boot, state=OTHERS),
    "start": PlannedTask(name="start", deploy=deploys.start_proxy, decide=proxy_tasks.start, state=OTHERS),
    "stop": PlannedTask(name="stop", deploy=deploys.stop_proxy, decide=proxy_tasks.stop, state=OTHERS),
    "restart": PlannedTask(name="restart", deploy=deploys.restart_proxy, decide=proxy_tasks.restart, state=OTHERS),
    "remove": PlannedTask(name="remove", deploy=deploys.remove_proxy, decide=proxy_tasks.remove, state=OTHERS),
}
"""What each command of ``kp traefik`` does; ``reboot`` has groups of hosts and is done by :func:`reboot`."""


def proxy_hosts(run: Run, hosts: Collection[str]) -> tuple[str, ...]:
    """Those of the hosts that run a proxy: a role behind it is on them.

    Raises:
        ConfigError: there is none among them.
    """
    routed = [role for role in run.config.roles if run.includes(role.name) and role.running_traefik]
    found = tuple(host for host in hosts if any(role.runs_on(host) for role in routed))
    if not found:
        raise ConfigError("No selected host runs the proxy: no role on it has `traefik: true`")
    return found


def reboot(run: Run, hosts: Sequence[str], report: Report, *, is_rolling: bool) -> None:
    """Replace the proxies: on all hosts at once, or on one after the other.

    The next group's turn comes when every proxy of the last one serves again.

    Args:
        run: of the command ``traefik``.
        hosts: names of the hosts that run a proxy.
        report: told about it.
        is_rolling: one host at a time.

    Raises:
        ConfigError: a secret has no value. LockHeld: somebody else is deploying. HookFailed: a hook failed.
            HostFailed: a proxy does not serve; the groups after it were not touched. Interrupted: a signal came.
    """
    began = time.monotonic()
    require_secrets(run.config)
    with interruptible(), Session(run, hosts, report) as session:
        session.add_callback(Progress(report))
        session.require_hosts()
        steps = Steps(session, report)
        with locked(steps):
            waiting = [(host,) for host in session.hosts] if is_rolling else [tuple(session.hosts)]
            while waiting:
                _reboot_group(steps, waiting.pop(0), waiting)
        report.finished(time.monotonic() - began)


def _reboot_group(steps: Steps, group: tuple[str, ...], waiting: Sequence[tuple[str, ...]]) -> None:
    """One group of hosts, with the hooks around it (Kamal 1.9)."""
    steps.hook("pre-traefik-reboot", hosts=group)
    if not steps.phase("reboot", deploys.reboot_proxy, hosts=group, is_strict=False):
        untouched = ", ".join(host for later in waiting for host in later)
        steps.fail(f"Not rebooted: {untouched}; their proxies serve as before." if untouched else OTHERS)
    steps.hook("post-traefik-reboot", hosts=group)
