"""Hooks and pauses as operations."""

from __future__ import annotations

import time
from collections.abc import Generator

from pyinfra.api.command import FunctionCommand
from pyinfra.api.host import Host
from pyinfra.api.operation import operation
from pyinfra.api.state import State

from kamal_pyinfra.errors import HookFailed
from kamal_pyinfra.local.hooks import call_hook
from kamal_pyinfra.local.programs import Output
from kamal_pyinfra.operations.lock import lock_host
from kamal_pyinfra.operations.run_state import current_host, run_state
from kamal_pyinfra.plan.run import Run


@operation(is_idempotent=False)
def called(run: Run, hook: str, hosts: tuple[str, ...] = ()) -> Generator[FunctionCommand, None, None]:
    """A hook, such as ``pre-deploy``, was called once for all hosts; it is about those of the run by default."""
    if current_host().name != lock_host(run):
        current_host().noop("hooks run once")
        return
    yield FunctionCommand(_call, (run, hook, hosts), {})


def _call(state: State, host: Host, run: Run, hook: str, hosts: tuple[str, ...]) -> bool:
    record = run_state(state)
    runtime = time.monotonic() - record.began if hook == "post-deploy" else None
    try:
        call_hook(run, hook, listener(state, host), hosts=hosts, runtime=runtime, running=record.running)
    except HookFailed as failure:
        host.log_styled(str(failure), fg="red")
        return False
    return True


def listener(state: State, host: Host) -> Output:
    """Show what a hook prints to the user, with ``-v``."""
    return host.log if state.print_noop_info else lambda line: None


@operation(is_idempotent=False)
def kept(run: Run, seconds: int) -> Generator[FunctionCommand, None, None]:
    """Some seconds pass, once for all hosts."""
    if seconds == 0 or current_host().name != lock_host(run):
        current_host().noop("no pause")
        return
    yield FunctionCommand(_sleep, (seconds,), {})


def _sleep(state: State, host: Host, seconds: int) -> None:
    time.sleep(seconds)
