"""``kp build``, ``registry``."""

from __future__ import annotations

import click

from kamal_pyinfra.cli.options import Options, changing_options, common_options, example, with_example
from kamal_pyinfra.cli.output import echo


@click.group()
@example("kp build deliver")
def build() -> None:
    """Build the image, push it and pull it onto hosts; none of this takes the deploy lock."""


DELIVERIES = {
    "deliver": ("Build and push the image, then pull it on the hosts.", "-d staging", True, True),
    "push": ("Build the image and push it to the registry.", "", True, False),
    "pull": (
        "Pull the image from the registry on the hosts, also where one of that version is.",
        *("--version 9f2c1ab", False, True),
    ),
}
"""Help text and options of an example; whether the image is built and pushed, and whether hosts pull it."""


def _add_delivery(name: str, text: str, options_shown: str, pushes: bool, pulls: bool) -> None:
    @build.command(name, help=with_example(text, f"kp build {name} {options_shown}".rstrip()))
    @changing_options
    def delivery(options: Options) -> None:
        _deliver(options, pushes=pushes, pulls=pulls)


for name, values in DELIVERIES.items():
    _add_delivery(name, *values)


def _deliver(options: Options, *, pushes: bool, pulls: bool) -> None:
    run, target = options.run("build")
    if options.dry_run and pushes:
        echo(f"This machine would build and push {run.config.absolute_image(run.version)}.")
    if options.dry_run and not pulls:
        return

    from kamal_pyinfra.cli.report import plain_report, report_for
    from kamal_pyinfra.runner import build as runner

    if options.dry_run:
        with report_for(options) as shown:
            runner.pull(run, target.hosts, shown)
        return
    # A build is what this command is for; a deploy shows it with --verbose alone.
    report = plain_report(options, verbose=options.verbose or pushes)
    if pushes:
        runner.push(run, report)
    if pulls:
        runner.pull(run, target.hosts, report)


BUILDERS = {
    "create": "Create the builder on this machine, or replace it if its hosts changed.",
    "remove": "Remove the builder from this machine.",
}


def _add_builder(name: str, text: str) -> None:
    @build.command(name, help=with_example(text, f"kp build {name}"))
    @changing_options
    def builder(options: Options) -> None:
        config = options.config()

        from kamal_pyinfra.runner import build as runner

        {"create": runner.create_builder, "remove": runner.remove_builder}[name](config, echo, is_dry=options.dry_run)


for name, text in BUILDERS.items():
    _add_builder(name, text)


@build.command()
@common_options
@example("kp build details")
def details(options: Options) -> None:
    """Show which builder is in use, and the builders that Docker knows on this machine."""
    config = options.config()

    from kamal_pyinfra.runner.build import show_builder

    show_builder(config, echo)


@click.group()
@example("kp registry login")
def registry() -> None:
    """Log in to the registry or out of it, on this machine and on the hosts."""


REGISTRY = {
    "login": ("Give the registry's credentials to Docker on this machine and on the hosts.", "--skip-local"),
    "logout": ("Remove the registry's credentials from Docker on this machine and on the hosts.", "--skip-remote"),
}


def _add_registry(name: str, text: str, option: str) -> None:
    @registry.command(name, help=with_example(text, f"kp registry {name} {option}"))
    @click.option("-L", "--skip-local", "--skip_local", "skip_local", is_flag=True, help="Leave this machine out.")
    @click.option("-R", "--skip-remote", "--skip_remote", "skip_remote", is_flag=True, help="Leave the hosts out.")
    @changing_options
    def credentials(options: Options, skip_local: bool, skip_remote: bool) -> None:
        _change_credentials(options, name, is_local=not skip_local, is_remote=not skip_remote)


for name, (text, option) in REGISTRY.items():
    _add_registry(name, text, option)


def _change_credentials(options: Options, name: str, *, is_local: bool, is_remote: bool) -> None:
    run, target = options.run_without_version("registry")

    from kamal_pyinfra.cli.report import report_for
    from kamal_pyinfra.runner import tasks as runner

    change, what = {"login": (runner.log_in, "log in to"), "logout": (runner.log_out, "log out of")}[name]
    found = run.config.registry
    if options.dry_run and found.is_built_in:
        echo(f"The built-in registry would {'start when it is needed' if name == 'login' else 'be stopped'}.")
    elif options.dry_run and is_local:
        echo(f"This machine would {what} {found.server or 'Docker Hub'}.")
    with report_for(options) as report:
        change(run, target.hosts, report, is_local=is_local, is_remote=is_remote)
