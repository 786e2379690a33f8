"""``kp accessory``."""

from __future__ import annotations

import shlex
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from kamal_pyinfra.cli.commands.exec import interactive, print_dry_run
from kamal_pyinfra.cli.commands.status import print_details
from kamal_pyinfra.cli.completion import accessories, one
from kamal_pyinfra.cli.logs import LogOptions, log_options
from kamal_pyinfra.cli.options import Options, changing_options, common_options, example, flag
from kamal_pyinfra.cli.output import echo
from kamal_pyinfra.cli.task import add_commands, confirm_row, row, run_row, yes_option
from kamal_pyinfra.errors import ConfigError

if TYPE_CHECKING:
    from kamal_pyinfra.plan.run import Run

name_argument = click.argument("name", metavar="NAME|all", shell_complete=one(accessories))
TASKS = {
    "boot": "Run a new accessory with its folders, files and secrets; an existing one stays as it is.",
    "reboot": "Replace an accessory by a new container as configured; its data stays.",
    "upload": "Write the files of an accessory that are missing or differ; it reads them when it starts.",
    "directories": "Create the folders of an accessory that are missing.",
    "start": "Start the existing accessory, as it is.",
    "stop": "Stop an accessory.",
    "restart": "Stop and start the existing accessory, as it is.",
}


@click.group()
@example("kp accessory boot all")
def accessory() -> None:
    """Manage databases and other containers that outlive a deploy."""


def _run(options: Options, name: str, command: str) -> tuple[Run, tuple[str, ...]]:
    run = options.run_without_version("accessory")
    from kamal_pyinfra.runner.tasks import accessory_hosts, accessory_run, chosen_accessories

    names = chosen_accessories(run.config, name)
    return accessory_run(run, names, command), accessory_hosts(run.config, names, run.hosts)


add_commands(
    accessory,
    {command: (text, f"kp accessory {command} db") for command, text in TASKS.items()},
    lambda options, task, name: run_row(options, row(task), *_run(options, name, task.partition(" ")[2])),
    name_argument,
)


@accessory.command("exec")
@click.argument("name")
@click.argument("command", nargs=-1, required=True, metavar="COMMAND…")
@interactive
@flag("--reuse", help="Use the running container; else a new one of the same kind.")
@changing_options
@example("kp accessory exec db --reuse \"mysql -e 'show databases'\"", "kp accessory exec db -i --reuse mysql")
def execute(options: Options, name: str, command: tuple[str, ...], is_interactive: bool, reuse: bool) -> None:
    """Run a command in an accessory on each of its hosts and print its output."""
    run, hosts = _run(options, name, "exec")
    from kamal_pyinfra.local.terminal import open_terminal
    from kamal_pyinfra.runner.exec import accessory_command, in_accessory

    line = command[0] if len(command) == 1 else shlex.join(command)
    if options.dry_run:
        print_dry_run(line, hosts, reuses=reuse)
        return
    if is_interactive:
        open_terminal(run, hosts[0], accessory_command(run, name, line, is_reused=reuse, is_terminal=True))
    for host, output in in_accessory(run, name, hosts, line, is_reused=reuse).items():
        for text in output:
            echo(f"{host}  {text}" if len(hosts) > 1 else text)


@accessory.command()
@name_argument
@common_options
@example("kp accessory details all")
def details(options: Options, name: str) -> None:
    """Show the containers of an accessory, running or not."""
    run, hosts = _run(options, name, "details")
    print_details(replace(run, hosts=hosts), accessories=run.accessories, heading="accessory")


@accessory.command()
@click.argument("name")
@log_options
@common_options
@example("kp accessory logs db -n 20", "kp accessory logs db -f")
def logs(options: Options, name: str, log: LogOptions) -> None:
    """Show the last lines of an accessory's log, or follow it on all its hosts at once."""
    from kamal_pyinfra.naming import accessory_container

    run, hosts = _run(options, name, "logs")
    log.show(run, hosts, accessory_container(run.config, name), name)


@accessory.command()
@name_argument
@flag("--data", help="Remove its data too: its folder with files, and relative directories.")
@yes_option
@changing_options
@example("kp accessory remove db")
def remove(options: Options, name: str, data: bool, is_confirmed: bool) -> None:
    """Remove an accessory's container, image and secrets, also one that left the configuration; data stays."""
    run = options.run_without_version("accessory")
    from kamal_pyinfra.runner.tasks import ALL_ACCESSORIES, accessory_run, unknown_accessory

    names, hosts = () if name == ALL_ACCESSORIES else (name,), run.hosts
    run, task = accessory_run(run, names, "remove"), row("accessory remove", with_data=data)

    def require(is_empty: bool) -> None:
        if is_empty and names and name not in run.config.accessories:
            raise ConfigError(unknown_accessory(run.config, name))

    question = "" if is_confirmed else "Remove it from these hosts?"
    if confirm_row(options, task, run, hosts, question, require=require):
        run_row(options, task, run, hosts)
