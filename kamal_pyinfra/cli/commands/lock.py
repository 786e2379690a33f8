"""``kp lock``."""

from __future__ import annotations

import click

from kamal_pyinfra.cli.options import Options, changing_options, common_options, example, flag
from kamal_pyinfra.cli.output import echo
from kamal_pyinfra.text import one_line


@click.group()
@example('kp lock acquire -m "database upgrade"')
def lock() -> None:
    """Take, show or release the deploy lock, which keeps others from deploying."""


@lock.command()
@common_options
@example("kp lock status")
def status(options: Options) -> None:
    """Show who holds the lock."""
    run = options.run_of_any_version("lock")
    from kamal_pyinfra.runner.failures import lock_lines
    from kamal_pyinfra.runner.lock import lock_status

    found = lock_status(run)
    lines = [f"{name}: {one_line(text)}" for name, text in lock_lines(found)] if found is not None else []
    echo("\n".join(lines) or "There is no deploy lock")


@lock.command()
@click.option("-m", "--message", required=True, help="Why it is locked.")
@changing_options
@example('kp lock acquire -m "database upgrade"')
def acquire(options: Options, message: str) -> None:
    """Take the lock and hold it until `kp lock release`."""
    run = options.run_without_version("lock")
    from kamal_pyinfra.runner.lock import acquire_lock

    acquire_lock(run, message)
    echo("The deploy lock is free: it would be taken" if run.is_dry else "Acquired the deploy lock")


@lock.command()
@flag("--force", help="Also a lock that somebody else holds, or that a run is using.")
@changing_options
@example("kp lock release")
def release(options: Options, force: bool) -> None:
    """Release the lock if it is your own, stale, or has no owner."""
    run = options.run_of_any_version("lock")
    from kamal_pyinfra.runner.lock import release_lock

    was_held = release_lock(run, is_forced=force)
    done = "The deploy lock would be released" if run.is_dry else "Released the deploy lock"
    echo(done if was_held else "There is no deploy lock")
