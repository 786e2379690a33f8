"""kp status: one look at every host, or one every few seconds."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace

import gevent

from kamal_pyinfra.insight.status import StatusRow, status_rows
from kamal_pyinfra.plan.run import Run
from kamal_pyinfra.runner.ask import require_docker
from kamal_pyinfra.runner.routes import ask_proxies
from kamal_pyinfra.runner.session import Session
from kamal_pyinfra.runner.signals import interruptible

Show = Callable[[tuple[StatusRow, ...]], None]


def status(run: Run, hosts: Collection[str], show: Show, *, every: float | None = None) -> None:
    """Look at the hosts and show what runs there.

    Args:
        run: the configuration and the run's fixed values.
        hosts: names of the hosts to look at.
        show: called with the rows after each look.
        every: seconds between two looks, on the same connections; ``None`` for a single one.

    Raises:
        HostFailed: a host could not be reached or looked at, or its Docker does not answer; what is known of the
            others was shown. Interrupted: a signal ended the looks.
    """
    # What a machine without the secrets cannot compare is not drift.
    known = replace(run, keeps_env=bool(run.config.missing_secrets()))
    with interruptible(), Session(known, hosts) as session:
        seen = session.observe()
        show(status_rows(known, seen, ask_proxies(known, session, seen)))
        while every is not None:
            gevent.sleep(every)
            again = session.observe()
            show(status_rows(known, again, ask_proxies(known, session, again)))
    require_docker(seen)
