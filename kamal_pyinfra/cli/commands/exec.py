"""kp app exec."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from copy import copy
from typing import TYPE_CHECKING, NoReturn

import click

from kamal_pyinfra.cli.options import Options, changing_options, common_options
from kamal_pyinfra.cli.output import say
from kamal_pyinfra.errors import ConfigError

if TYPE_CHECKING:
    from kamal_pyinfra.plan.run import Run
    from kamal_pyinfra.runner.exec import Exec, ExecResult

VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)

interactive = click.option(
    "-i", "--interactive", "is_interactive", is_flag=True, help="On the first of the hosts, with this terminal."
)


more_variables = click.option(
    "-e", "--env", "pairs", multiple=True, metavar="NAME:VALUE", help="More environment variables."
)

SHELL = ("sh", "-c", "command -v bash > /dev/null && exec bash; exec sh")


@click.command("exec")
@click.argument("command", nargs=-1, required=True, metavar="CMD…")
@interactive
@click.option("--reuse", is_flag=True, help="In the container that runs, not in a new one.")
@more_variables
@changing_options
def execute(
    options: Options, command: tuple[str, ...], is_interactive: bool, reuse: bool, pairs: tuple[str, ...]
) -> None:
    """Run a command in the app on each host: in a new container of the version in service, or with --reuse.

    CMD is split into words here and nothing in it is expanded on the host; `sh -c '…'` gives a shell.

    \b
    Example:
      kp app exec 'bin/report --daily' -r job
      kp app exec -i --reuse sh
    """
    run, target = options.run_without_version("app")
    words = command_words(command)
    if options.dry_run:
        where = "in the container that runs" if reuse else "in a new container"
        would_run(shlex.join(words), target.hosts, where)
        return

    from kamal_pyinfra.runner.exec import Exec, in_app

    wanted = Exec(
        command=words,
        version=options.version,
        reuses=reuse,
        env=variables(pairs),
        is_terminal=is_interactive,
    )
    if is_interactive:
        _type_at(run, target.hosts[0], wanted)
    print_answers(in_app(run, target.hosts, wanted), "App Host")


shorthand = copy(execute)
shorthand.help = """Run a command in the app on each host, as `kp app exec`.

\b
Example:
  kp exec -p --reuse date
"""


@click.command()
@click.option("--new", "is_new", is_flag=True, help="In a new container, not in the one that runs.")
@more_variables
@common_options
def shell(options: Options, is_new: bool, pairs: tuple[str, ...]) -> None:
    """Open a shell in the app: bash if the image has it, in the container in service on the first of the hosts.

    \b
    Example:
      kp shell
      kp shell --new -r job
    """
    run, target = options.run_without_version("app")

    from kamal_pyinfra.runner.exec import Exec

    env = variables(pairs)
    wanted = Exec(command=SHELL, version=options.version, reuses=not is_new, env=env, is_terminal=True)
    _type_at(run, target.hosts[0], wanted)


def _type_at(run: Run, host: str, wanted: Exec) -> NoReturn:
    from kamal_pyinfra.local.terminal import open_terminal, require_terminal
    from kamal_pyinfra.runner.exec import app_command

    require_terminal()  # before a host is asked which container runs
    open_terminal(run, host, app_command(run, host, wanted))


def command_words(command: Sequence[str]) -> tuple[str, ...]:
    """One argument is split as a shell would, several are words as they are.

    Raises:
        ConfigError: a quote stays open, or there is no word.
    """
    try:
        words = tuple(shlex.split(command[0])) if len(command) == 1 else tuple(command)
    except ValueError as error:
        raise ConfigError(f"CMD {command[0]!r}: {error}") from None
    if not words:
        raise ConfigError("CMD is empty")
    return words


def variables(pairs: Sequence[str]) -> dict[str, str]:
    """``NAME:VALUE`` as Kamal 1.9 takes it, or ``NAME=VALUE``; once for each.

    Raises:
        ConfigError: a name cannot be one.
    """
    found: dict[str, str] = {}
    for pair in pairs:
        name, separator, value = _split(pair)
        if not separator or not VARIABLE.fullmatch(name):
            raise ConfigError(f"--env {name!r}: should be NAME:VALUE")
        found[name] = value
    return found


def _split(pair: str) -> tuple[str, str, str]:
    match = re.match(r"([^:=]*)([:=]?)(.*)", pair, re.DOTALL)
    return (match[1], match[2], match[3]) if match else (pair, "", "")


def print_answers(answers: Sequence[ExecResult], title: str) -> None:
    """Print what each host said as a block, and exit 1 if one failed.

    Raises:
        HostFailed: naming the hosts on which the command failed.
    """
    from kamal_pyinfra.errors import HostFailed

    for answer in answers:
        role = f" ({answer.role})" if answer.role else ""
        say("\n".join([f"{title}: {answer.host}{role}", *answer.lines, ""]))
    if failed := list(dict.fromkeys(answer.host for answer in answers if not answer.succeeded)):
        raise HostFailed(f"The command failed on {', '.join(failed)}; its output is above.", failed)


def would_run(command: str, hosts: Sequence[str], where: str = "") -> None:
    """Say what a dry run would do; what the command itself changes is not known here."""
    for host in hosts:
        say(" ".join(filter(None, (f"{host}: would run", command, where))))
