"""``kp build``, ``registry``."""

from __future__ import annotations

import click

from kamal_pyinfra import naming
from kamal_pyinfra.cli.options import Options, common_options, example, flag
from kamal_pyinfra.cli.output import echo
from kamal_pyinfra.cli.task import add_commands

PULL = "Pull the image from the registry on the hosts, even if they have that version already."
DELIVERIES = {
    "deliver": ("Build and push the image, then pull it on the hosts.", "kp build deliver -d staging"),
    "push": ("Build the image and push it to the registry.", "kp build push"),
    "pull": (PULL, "kp build pull --version 9f2c1ab"),
}
BUILDERS = {
    "create": ("Create the builder on this machine, or replace it if its hosts changed.", "kp build create"),
    "remove": ("Remove the builder from this machine.", "kp build remove"),
}
DETAILS = "Show which builder is in use, and the builders that Docker knows on this machine."
LOGIN = "Give the registry's credentials to Docker on this machine and on the hosts."
LOGOUT = "Remove the registry's credentials from Docker on this machine and on the hosts."


@click.group()
@example("kp build deliver")
def build() -> None:
    """Build the image, push it and pull it onto hosts; none of this takes the deploy lock."""


def _deliver(options: Options, name: str) -> None:
    pushes, pulls = name != "build pull", name != "build push"
    run = options.run("build")
    if options.dry_run and pushes:
        echo(f"This machine would build and push {naming.image_reference(run.config, run.version)}.")
    if options.dry_run and not pulls:
        return

    from kamal_pyinfra.cli.report import report_for
    from kamal_pyinfra.cli.views.plain import PlainView
    from kamal_pyinfra.runner import build as runner
    from kamal_pyinfra.runner.progress.report import Report

    if options.dry_run:
        with report_for(options) as shown:
            runner.pull(run, run.hosts, shown)
        return
    # A build is what this command is for; a deploy shows it with --verbose alone.
    report = Report([] if options.quiet else [PlainView(verbose=options.verbose or pushes)])
    if pushes:
        runner.push(run, report)
    if pulls:
        runner.pull(run, run.hosts, report)


add_commands(build, DELIVERIES, _deliver)


def _on_builder(options: Options, name: str) -> None:
    config = options.config()
    from kamal_pyinfra.runner.build import change_builder, show_builder

    if name == "build details":
        show_builder(config, echo)
    else:
        change_builder(config, echo, name.removeprefix("build "), is_dry=options.dry_run)


add_commands(build, BUILDERS, _on_builder)
add_commands(build, {"details": (DETAILS, "kp build details")}, _on_builder, shared=common_options)


@click.group()
@example("kp registry login")
def registry() -> None:
    """Log in to or out of the registry, on this machine and on the hosts."""


def _change_credentials(options: Options, name: str, skip_local: bool, skip_remote: bool) -> None:
    run = options.run_without_version("registry")
    from kamal_pyinfra.cli.report import report_for
    from kamal_pyinfra.runner.tasks import change_credentials

    is_login, registry = name == "registry login", run.config.registry
    if options.dry_run and registry.is_built_in:
        echo(f"The built-in registry would {'start when it is needed' if is_login else 'be stopped'}.")
    elif options.dry_run and not skip_local:
        echo(f"This machine would log {'in to' if is_login else 'out of'} {registry.server or 'Docker Hub'}.")
    with report_for(options) as report:
        change_credentials(name, run, run.hosts, report, is_local=not skip_local, is_remote=not skip_remote)


add_commands(
    registry,
    {"login": (LOGIN, "kp registry login --skip-local"), "logout": (LOGOUT, "kp registry logout --skip-remote")},
    _change_credentials,
    flag("-L", "--skip-local", "--skip_local", "skip_local", help="Leave this machine out."),
    flag("-R", "--skip-remote", "--skip_remote", "skip_remote", help="Leave the hosts out."),
)
