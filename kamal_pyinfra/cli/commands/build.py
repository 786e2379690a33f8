"""``kp build``, ``registry``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from kamal_pyinfra.cli.options import Options, changing_options, common_options
from kamal_pyinfra.cli.output import say

if TYPE_CHECKING:
    from kamal_pyinfra.plan.run import Run


@click.group()
def build() -> None:
    """Build the image, push it and fetch it; none of this takes the deploy lock.

    \b
    Example:
      kp build deliver
    """


@build.command()
@changing_options
def deliver(options: Options) -> None:
    """Build and push the image, then fetch it on the hosts.

    \b
    Example:
      kp build deliver -d staging
    """
    _carry_out(options, with_push=True, with_pull=True)


@build.command()
@changing_options
def push(options: Options) -> None:
    """Build the image and push it to the registry.

    \b
    Example:
      kp build push
    """
    _carry_out(options, with_push=True, with_pull=False)


@build.command()
@changing_options
def pull(options: Options) -> None:
    """Fetch the image from the registry on the hosts, also where one of that version is.

    \b
    Example:
      kp build pull --version 9f2c1ab
    """
    _carry_out(options, with_push=False, with_pull=True)


@build.command()
@changing_options
def create(options: Options) -> None:
    """Create the builder on this machine, or make it anew if its hosts changed.

    \b
    Example:
      kp build create
    """
    config = options.config()

    from kamal_pyinfra.runner.build import create_builder

    create_builder(config, say, is_dry=options.dry_run)


@build.command()
@changing_options
def remove(options: Options) -> None:
    """Remove the builder from this machine.

    \b
    Example:
      kp build remove
    """
    config = options.config()

    from kamal_pyinfra.runner.build import remove_builder

    remove_builder(config, say, is_dry=options.dry_run)


@build.command()
@common_options
def details(options: Options) -> None:
    """Show which builder is in use, and the builders that Docker knows on this machine.

    \b
    Example:
      kp build details
    """
    config = options.config()

    from kamal_pyinfra.runner.build import show_builder as show_details

    show_details(config, say)


def _carry_out(options: Options, *, with_push: bool, with_pull: bool) -> None:
    run, target = options.run("build")

    if options.dry_run and with_push:
        say(f"This machine would build and push {run.config.absolute_image(run.version)}.")
    if options.dry_run and not with_pull:
        return

    from kamal_pyinfra.cli.report import plain_report, report_for
    from kamal_pyinfra.runner import build as runner

    if options.dry_run:
        with report_for(options) as shown:
            runner.pull(run, target.hosts, shown)
        return
    # Whoever asks for a build wants to see it; a deploy shows it with --verbose.
    report = plain_report(options, verbose=options.verbose or with_push)
    if with_push:
        runner.push(run, report)
    if with_pull:
        runner.pull(run, target.hosts, report)


skip_local_option = click.option(
    "-L", "--skip-local", "--skip_local", "skip_local", is_flag=True, help="Leave this machine out."
)

skip_remote_option = click.option(
    "-R", "--skip-remote", "--skip_remote", "skip_remote", is_flag=True, help="Leave the hosts out."
)


@click.group()
def registry() -> None:
    """Log in to the registry, here and on the hosts, or out.

    \b
    Example:
      kp registry login
    """


@registry.command()
@skip_local_option
@skip_remote_option
@changing_options
def login(options: Options, skip_local: bool, skip_remote: bool) -> None:
    """Give the registry's credentials to this machine's Docker and to the hosts'.

    \b
    Example:
      kp registry login --skip-local
    """
    run, target = options.run_without_version("registry")

    from kamal_pyinfra.cli.report import report_for
    from kamal_pyinfra.runner.tasks import log_in

    _say_of_this_machine(options, run, "log in to", is_local=not skip_local)
    with report_for(options) as report:
        log_in(run, target.hosts, report, is_local=not skip_local, is_remote=not skip_remote)


@registry.command()
@skip_local_option
@skip_remote_option
@changing_options
def logout(options: Options, skip_local: bool, skip_remote: bool) -> None:
    """Take the registry's credentials from this machine's Docker and from the hosts'.

    \b
    Example:
      kp registry logout --skip-remote
    """
    run, target = options.run_without_version("registry")

    from kamal_pyinfra.cli.report import report_for
    from kamal_pyinfra.runner.tasks import log_out

    _say_of_this_machine(options, run, "log out of", is_local=not skip_local)
    with report_for(options) as report:
        log_out(run, target.hosts, report, is_local=not skip_local, is_remote=not skip_remote)


def _say_of_this_machine(options: Options, run: Run, what: str, *, is_local: bool) -> None:
    if not options.dry_run:
        return
    registry = run.config.registry
    if registry.is_built_in:
        say(f"The registry of your own would {'be ended' if what == 'log out of' else 'start when it is needed'}.")
    elif is_local:
        say(f"This machine would {what} {registry.server or 'Docker Hub'}.")
