"""kp lock …"""

from __future__ import annotations

import click

from kamal_pyinfra.cli.options import Options, changing_options, common_options
from kamal_pyinfra.cli.output import say


@click.group()
def lock() -> None:
    """Keep others from deploying.

    \b
    Example:
      kp lock acquire -m "database upgrade"
    """


@lock.command()
@common_options
def status(options: Options) -> None:
    """Show who holds the lock.

    \b
    Example:
      kp lock status
    """
    run, _ = options.run("lock", version=options.version or "unknown")

    from kamal_pyinfra.runner.failures import lock_lines
    from kamal_pyinfra.runner.lock import lock_status
    from kamal_pyinfra.text import one_line

    found = lock_status(run)
    if found is None:
        say("There is no deploy lock")
        return
    say("\n".join(f"{name}: {one_line(text)}" for name, text in lock_lines(found)))


@lock.command()
@click.option("-m", "--message", required=True, help="Why it is locked.")
@changing_options
def acquire(options: Options, message: str) -> None:
    """Take the lock until it is released by hand.

    \b
    Example:
      kp lock acquire -m "database upgrade"
    """
    run, _ = options.run_without_version("lock")

    from kamal_pyinfra.runner.lock import acquire_lock

    acquire_lock(run, message)
    say("The deploy lock is free: it would be taken" if run.is_dry else "Acquired the deploy lock")


@lock.command()
@click.option("--force", is_flag=True, help="Also somebody else's, or one that a run is using.")
@changing_options
def release(options: Options, force: bool) -> None:
    """Free the lock if it is your own, stale, or nobody's.

    \b
    Example:
      kp lock release
    """
    run, _ = options.run("lock", version=options.version or "unknown")

    from kamal_pyinfra.runner.lock import release_lock

    was_held = release_lock(run, is_forced=force)
    done = "The deploy lock would be released" if run.is_dry else "Released the deploy lock"
    say(done if was_held else "There is no deploy lock")
