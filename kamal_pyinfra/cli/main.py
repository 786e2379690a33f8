"""``kp``: the command tree, and the one place where errors become text and exit codes."""

from __future__ import annotations

import gc
import re
import sys
from importlib import import_module

import click

from kamal_pyinfra import __version__
from kamal_pyinfra.cli.options import example, flag
from kamal_pyinfra.cli.output import echo, echo_json, more, prepare_output
from kamal_pyinfra.errors import ConfigError, Interrupted, KpError

COMMANDS = {
    **dict.fromkeys(("setup", "deploy", "redeploy", "rollback", "plan", "apply"), "deploy"),
    **dict.fromkeys(("status", "details", "doctor"), "status"),
    **dict.fromkeys(("history", "timeline", "audit"), "history"),
    **dict.fromkeys(("build", "registry"), "build"),
    **dict.fromkeys(("init", "config", "docs", "completion"), "project"),
    **dict.fromkeys(("env", "envify"), "env"),
    **dict.fromkeys(("server", "shell"), "exec"),
    **{name: name for name in ("app", "accessory", "lock", "prune", "remove")},
    "traefik": "proxy",
    "open": "status.open_app",
    "exec": "exec.shorthand",
    "logs": "app.all_logs",
}
"""The module of each command in ``cli/commands``, and its name there if that is another."""


class LateGroup(click.Group):
    """A group that loads a command when it is called, since most take longer to load than to run.

    Source: https://click.palletsprojects.com/complex/#lazily-loading-subcommands
    """

    late = COMMANDS

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all commands."""
        return sorted({*super().list_commands(ctx), *self.late})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Load the command of that name."""
        if cmd_name in self.late and cmd_name not in self.commands:
            module, _, name = self.late[cmd_name].partition(".")
            self.add_command(getattr(import_module(f"{__package__}.commands.{module}"), name or cmd_name), cmd_name)
        return super().get_command(ctx, cmd_name)


@click.group(cls=LateGroup, context_settings={"help_option_names": ["--help"], "max_content_width": 100})
@example(
    "kp plan      what would change, and why",
    "kp deploy    make it so; the old version serves until the new one is healthy",
)
def kp() -> None:
    """Deploy containers to your own servers: see the plan, then make it so."""


@kp.command()
@flag("--json", "as_json", help="With the versions of pyinfra and Python, as JSON.")
@example("kp version", "kp version --json")
def version(as_json: bool) -> None:
    """Print the version of kp."""
    if not as_json:
        echo(__version__)
        return
    import json
    from importlib.metadata import version as version_of
    from platform import python_version

    found = {"kp": __version__, "pyinfra": version_of("pyinfra"), "python": python_version()}
    echo_json(json.dumps(found, indent=2))


def load_early(arguments: list[str]) -> None:
    """Load the engine before all else, for commands that need it soon."""
    if COMMANDS.get("".join(arguments[:1])) == "deploy" and "--help" not in arguments:
        from kamal_pyinfra.ssh import patches

        patches.load_early()


def main() -> None:
    """Run ``kp`` and exit: 0 done, 1 failed, 2 changes, 3 bad configuration or arguments, 4 locked, 130/143."""
    prepare_output()
    try:
        for number, argument in enumerate(sys.argv[1:], 1):
            if re.search("[\ud800-\udfff]", argument):  # it could not be sent to a host and printed
                raise ConfigError(f"argument {number} is not valid UTF-8: {argument!r}")
        load_early(sys.argv[1:])
        sys.exit(kp.main(standalone_mode=False) or 0)
    except click.UsageError as error:
        error.show()
        sys.exit(ConfigError.exit_code)
    except click.exceptions.Exit as done:
        sys.exit(done.exit_code)
    except (click.Abort, KeyboardInterrupt):
        echo("Interrupted.", err=True)
        sys.exit(130)
    except KpError as error:
        echo("\n".join(filter(None, (str(error), error.state))), fg="red", err=True)
        echo(more(error), err=True)
        sys.exit(error.code if isinstance(error, Interrupted) else error.exit_code)
    finally:
        gc.freeze()  # else Python searches all modules for garbage before it ends: 0.1 s
