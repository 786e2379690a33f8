"""``kp app exec``, ``exec``, ``shell``, ``server``."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from copy import copy
from typing import TYPE_CHECKING, NoReturn

import click

from kamal_pyinfra.cli.options import Options, changing_options, common_options, example, flag, with_example
from kamal_pyinfra.cli.output import echo
from kamal_pyinfra.cli.task import add_commands
from kamal_pyinfra.errors import ConfigError, HostFailed

if TYPE_CHECKING:
    from kamal_pyinfra.plan.run import Run
    from kamal_pyinfra.runner.exec import Exec, ExecResult

PAIR = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)[:=](.*)", re.ASCII | re.DOTALL)
SHELL = ("sh", "-c", "command -v bash > /dev/null && exec bash; exec sh")
interactive = flag("-i", "--interactive", "is_interactive", help="Run on the first of the hosts, with this terminal.")


def variables(_context: click.Context | None, _option: click.Parameter | None, pairs: Sequence[str]) -> dict[str, str]:
    """Parse ``NAME:VALUE`` as Kamal 1.9 takes it, or ``NAME=VALUE``; raise ConfigError for other text."""
    for wrong in (pair for pair in pairs if not PAIR.fullmatch(pair)):  # the name alone: the value may be a secret
        raise ConfigError(f"--env {re.split('[:=]', wrong)[0]!r}: should be NAME:VALUE")
    return {name: value for pair in pairs for name, value in PAIR.findall(pair)}


more_variables = click.option(
    *("-e", "--env"), multiple=True, metavar="NAME:VALUE", callback=variables, help="More environment variables."
)


@click.command("exec")
@click.argument("command", nargs=-1, required=True, metavar="CMD…")
@interactive
@flag("--reuse", help="Use the running container, not a new one.")
@more_variables
@changing_options
@example("kp app exec 'bin/report --daily' -r job", "kp app exec -i --reuse sh")
def execute(
    options: Options, command: tuple[str, ...], is_interactive: bool, reuse: bool, env: Mapping[str, str]
) -> None:
    """Run a command in the app on each host: in a new container of the version in service, or with --reuse.

    CMD is split into words on this machine, and nothing in it is expanded on the host; `sh -c '…'` gives a shell.
    """
    run = options.run_without_version("app")
    words = command_words(command)
    if options.dry_run:
        print_dry_run(shlex.join(words), run.hosts, reuses=reuse)
        return

    from kamal_pyinfra.runner.exec import Exec, in_app

    wanted = Exec(command=words, version=options.version, reuses=reuse, env=env, is_terminal=is_interactive)
    if is_interactive:
        _open_terminal(run, wanted)
    print_answers(in_app(run, run.hosts, wanted), "App Host")


shorthand = copy(execute)
shorthand.help = with_example("Run a command in the app on each host, as `kp app exec`.", "kp exec -p --reuse date")


@click.command()
@flag("--new", "is_new", help="Use a new container, not the running one.")
@more_variables
@common_options
@example("kp shell", "kp shell --new -r job")
def shell(options: Options, is_new: bool, env: Mapping[str, str]) -> None:
    """Open a shell in the app's container in service on the first host: bash if the image has it."""
    run = options.run_without_version("app")
    from kamal_pyinfra.runner.exec import Exec

    _open_terminal(run, Exec(command=SHELL, version=options.version, reuses=not is_new, env=env, is_terminal=True))


def _open_terminal(run: Run, wanted: Exec) -> NoReturn:
    from kamal_pyinfra.local.terminal import open_terminal, require_terminal
    from kamal_pyinfra.runner.exec import app_command

    require_terminal()  # before a host is asked which container runs
    open_terminal(run, run.hosts[0], app_command(run, run.hosts[0], wanted))


def command_words(command: Sequence[str]) -> tuple[str, ...]:
    """Split one argument as a shell would; several are words as they are.

    Raises ConfigError if a quote stays open, or there is no word.
    """
    try:
        words = tuple(shlex.split(command[0])) if len(command) == 1 else tuple(command)
    except ValueError as error:
        raise ConfigError(f"CMD {command[0]!r}: {error}") from None
    if not words:
        raise ConfigError("CMD is empty")
    return words


def print_answers(answers: Sequence[ExecResult], title: str) -> None:
    """Print the output of each host as a block; raise HostFailed naming the hosts on which the command failed."""
    for answer in answers:
        role = f" ({answer.role})" if answer.role else ""
        echo("\n".join([f"{title}: {answer.host}{role}", *answer.lines, ""]))
    if failed := list(dict.fromkeys(answer.host for answer in answers if not answer.succeeded)):
        raise HostFailed(f"The command failed on {', '.join(failed)}; its output is above.", failed)


def print_dry_run(command: str, hosts: Sequence[str], *, reuses: bool | None = None) -> None:
    """Print what would run where; what the command itself would change is not known."""
    place = {None: "", True: " in the container that runs", False: " in a new container"}[reuses]
    for host in hosts:
        echo(f"{host}: would run {command}{place}")


@click.group()
@example("kp server exec uptime")
def server() -> None:
    """Prepare the servers themselves, and run commands on them."""


add_commands(server, {"bootstrap": ("Install Docker where it is missing.", "kp server bootstrap")})


@server.command("exec")
@click.argument("command", nargs=-1, required=True, metavar="CMD…")
@interactive
@changing_options
@example("kp server exec 'df -h / | tail -n 1'", "kp server exec -i bash")
def execute_on_server(options: Options, command: tuple[str, ...], is_interactive: bool) -> None:
    """Run a shell command on each host; one argument is shell text, several are quoted words."""
    run = options.run_without_version("server")
    text = command[0] if len(command) == 1 else shlex.join(command)
    if options.dry_run:
        print_dry_run(text, run.hosts)
        return

    from kamal_pyinfra.local.terminal import open_terminal
    from kamal_pyinfra.runner.exec import host_command, on_hosts

    if is_interactive:
        open_terminal(run, run.hosts[0], host_command(run, run.hosts[0], text))
    print_answers(on_hosts(run, run.hosts, text), "Server Host")
