"""Hooks and pauses as operations."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator

import gevent
from pyinfra.api import FunctionCommand, Host, State, operation

from kamal_pyinfra.errors import BuildFailed, HookFailed
from kamal_pyinfra.local.hooks import call_hook
from kamal_pyinfra.local.programs import Output
from kamal_pyinfra.operations.audit import is_needed
from kamal_pyinfra.operations.lock import lock_host
from kamal_pyinfra.operations.run_state import current_host, run_state
from kamal_pyinfra.plan.run import Run


@operation(is_idempotent=False)
def called(run: Run, hook: str, hosts: tuple[str, ...] = ()) -> Generator[FunctionCommand, None, None]:
    """A hook, such as ``pre-deploy``, was called once for all hosts; it is about those of the run by default."""
    if is_needed(current_host().name == lock_host(run), otherwise="hooks run once"):
        yield FunctionCommand(_call, (run, hook, hosts), {})


def _call(state: State, host: Host, run: Run, hook: str, hosts: tuple[str, ...]) -> bool:
    record, output = run_state(state), listener(state, host)
    runtime = time.monotonic() - record.began if hook == "post-deploy" else None
    return succeeds(host, lambda: call_hook(run, hook, output, hosts=hosts, runtime=runtime, running=record.running))


def succeeds(host: Host, act: Callable[[], None]) -> bool:
    """Whether something on this machine succeeded; the user gets the reason why not."""
    try:
        act()
    except (BuildFailed, HookFailed) as failure:
        host.log_styled(str(failure), fg="red")
        return False
    return True


def listener(state: State, host: Host) -> Output:
    """Show what a hook prints to the user, with ``-v``."""
    return host.log if state.print_noop_info else lambda line: None


@operation(is_idempotent=False)
def kept(run: Run, seconds: int) -> Generator[FunctionCommand, None, None]:
    """Some seconds pass, once for all hosts."""
    if is_needed(seconds and current_host().name == lock_host(run), otherwise="no pause"):
        yield FunctionCommand(gevent.sleep, (seconds,), {})
