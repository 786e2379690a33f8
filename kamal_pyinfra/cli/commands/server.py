"""kp server …"""

from __future__ import annotations

import shlex

import click

from kamal_pyinfra.cli.commands.exec import interactive, print_answers, would_run
from kamal_pyinfra.cli.options import Options, changing_options
from kamal_pyinfra.cli.task import carry_out


@click.group()
def server() -> None:
    """Look after the servers themselves.

    \b
    Example:
      kp server exec uptime
    """


@server.command()
@changing_options
def bootstrap(options: Options) -> None:
    """Install Docker where it is missing.

    \b
    Example:
      kp server bootstrap
    """
    carry_out(options, "server bootstrap")


@server.command("exec")
@click.argument("command", nargs=-1, required=True, metavar="CMD…")
@interactive
@changing_options
def execute(options: Options, command: tuple[str, ...], is_interactive: bool) -> None:
    """Run a shell command on each host; one text is shell, several words are quoted.

    \b
    Example:
      kp server exec 'df -h / | tail -n 1'
      kp server exec -i bash
    """
    run, target = options.run_without_version("server")
    text = command[0] if len(command) == 1 else shlex.join(command)
    if options.dry_run:
        would_run(text, target.hosts)
        return

    from kamal_pyinfra.local.terminal import open_terminal
    from kamal_pyinfra.runner.exec import host_command, on_hosts

    if is_interactive:
        host = target.hosts[0]
        open_terminal(run, host, host_command(run, host, text))
    print_answers(on_hosts(run, target.hosts, text), "Server Host")
